//! The checklists that are there where a workspace takes them from.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::Context;
use super::environment::variables;
use super::failure::Failure;
use crate::fetch::{Git, GitError, Limits};
use crate::model::{Checklist, ChecklistId, CommitId, GitOrigin, Origin, TagName, TakenCommit};
use crate::store::{CHECKLISTS, Scratch, TextFile, Workspace, checklists_at, checklists_of_commit};
use crate::syntax::{self, Severity, Source, read_checklist};

/// What an origin has now.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Where, as the lock is to say it.
    pub(crate) origin: Origin,
    /// In which commit; none outside a repository.
    pub(crate) taken: Option<TakenCommit>,
    /// The checklists, each of which can be read, by id.
    pub(crate) checklists: BTreeMap<ChecklistId, Offered>,
    /// A later release than the one that was asked for.
    pub(crate) later: Option<TagName>,
}

/// One checklist of an origin.
#[derive(Debug)]
pub(crate) struct Offered {
    /// The name of its file.
    pub(crate) file: String,
    /// Its text, called what people are to see.
    pub(crate) source: Source,
    /// What it says.
    pub(crate) checklist: Checklist,
}

impl Offer {
    /// Looks at `origin`; a path is relative to `base`.
    pub(crate) fn of(context: &Context, origin: &Origin, base: &Path) -> Result<Self, Failure> {
        match origin {
            Origin::Embedded => {
                let files = CHECKLISTS
                    .iter()
                    .map(|&(name, text)| TextFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() });
                Self::read(context, origin.clone(), None, files.collect())
            }
            Origin::Path(path) => Self::read(context, origin.clone(), None, checklists_at(&base.join(path))?),
            Origin::Git(git) => Self::fetch(context, git),
        }
    }

    fn fetch(context: &Context, origin: &GitOrigin) -> Result<Self, Failure> {
        let scratch = Scratch::new("mustdo-git")?;
        let git = Git {
            variables: variables(),
            guard: context.environment.guard.as_deref(),
            scratch: scratch.path(),
            limits: Limits::of(MOST),
        };
        let url = &origin.url;
        context.printer.note(&format!("fetching {origin}"));
        let tags = git.tags(url).map_err(explain)?;
        let newest = tags.keys().filter_map(|tag| Some((tag.release()?, tag))).max().map(|(_, tag)| tag);
        let wanted = origin.tag.as_ref().or(newest).ok_or_else(|| {
            Failure::usage(format!("{url} has no tag that is a version, such as v1.0.0"))
                .hint(format!("name the one to take: git+{url}#TAG"))
        })?;
        if !tags.contains_key(wanted) {
            return Err(unknown(url, wanted, &tags));
        }
        let folder = git.take(url, wanted).map_err(explain)?;
        let (commit, files) = checklists_of_commit(&folder, Git::TAKEN)?;
        let id = commit.parse().map_err(Failure::bug)?;
        let taken = TakenCommit { tag: wanted.clone(), id };
        let mut offer = Self::read(context, Origin::Git(origin.clone()), Some(taken), files)?;
        let release = wanted.release();
        offer.later = newest.filter(|newest| newest.release() > release && release.is_some()).cloned();
        Ok(offer)
    }

    /// Reads what is there; every problem where something can not be read.
    fn read(
        context: &Context,
        origin: Origin,
        taken: Option<TakenCommit>,
        files: Vec<TextFile>,
    ) -> Result<Self, Failure> {
        let place = match (&origin, &taken) {
            (Origin::Path(path), _) => path.clone(),
            (Origin::Git(git), Some(taken)) => format!("git+{}#{}", git.url, taken.tag),
            (Origin::Embedded | Origin::Git(_), _) => "mustdo".to_owned(),
        };
        let (mut checklists, mut found) = (BTreeMap::new(), vec![]);
        for TextFile { name, bytes } in files {
            let file = name.rsplit('/').next().unwrap_or(&name).to_owned();
            let alone = Path::new(&place).file_name().is_some_and(|last| *last == *name);
            let shown = if alone { place.clone() } else { format!("{place}/{name}") };
            let source = Source::of_bytes(shown, &bytes);
            let read = read_checklist(&source);
            found.extend(read.diagnostics.into_iter().filter(|found| found.severity == Severity::Error));
            let Some(checklist) = read.value.map(|value| value.checklist().clone()) else { continue };
            let id = checklist.id.clone();
            if let Some(Offered { source: first, .. }) = checklists.get(&id) {
                let message = format!("{} and {} are both called \"{id}\"", first.name, source.name);
                return Err(Failure::usage(message).hint(NOTHING));
            }
            checklists.insert(id, Offered { file, source, checklist });
        }
        if !found.is_empty() {
            let rendered = syntax::render(&found, context.printer.stderr_color);
            return Err(Failure::content(rendered).hint(NOTHING));
        }
        if checklists.is_empty() {
            return Err(Failure::usage(format!("there is no checklist in {place}")).hint(format!(
                "checklists are files NAME.toml in {}/, or at the top where there is no such folder",
                Workspace::CHECKLISTS
            )));
        }
        Ok(Self { origin, taken, checklists, later: None })
    }
}

/// Bytes that git may write for one repository. One commit of checklists is a hundredth of it.
const MOST: usize = 64 << 20;

/// Said wherever an update comes to nothing.
pub(crate) const NOTHING: &str = "nothing was written";

/// A path as the lock is to say it: relative to the workspace where it lies in it, else whole.
pub(crate) fn settled(context: &Context, workspace: &Workspace, origin: &Origin) -> Origin {
    let Origin::Path(path) = origin else { return origin.clone() };
    let path = context.environment.directory.join(path);
    let real = path.canonicalize().unwrap_or(path);
    let root = workspace.root().canonicalize().unwrap_or_else(|_| workspace.root().to_owned());
    Origin::Path(real.strip_prefix(&root).unwrap_or(&real).display().to_string())
}

fn unknown(url: &str, wanted: &TagName, tags: &BTreeMap<TagName, CommitId>) -> Failure {
    let failure = Failure::usage(format!("{url} has no tag \"{wanted}\""));
    match crate::model::nearest(wanted.as_str(), tags.keys().map(TagName::as_str)) {
        Some(near) => failure.hint(format!("did you mean git+{url}#{near}?")),
        None => failure.hint(format!("git ls-remote --tags {url}    lists those that there are")),
    }
}

fn explain(error: GitError) -> Failure {
    let (failure, hint): (fn(GitError) -> Failure, _) = match &error {
        GitError::Missing => (Failure::undecided, "install git"),
        GitError::Run { .. } => (Failure::undecided, "is the disk full?"),
        GitError::Failed { .. } | GitError::TimedOut { .. } => (
            Failure::undecided,
            "is the address right, and can git clone it without asking you anything? Else clone it, and give --from the folder",
        ),
        GitError::TooLarge { .. } => (Failure::usage, "clone it, and give --from the folder"),
    };
    failure(error).hint(hint)
}
