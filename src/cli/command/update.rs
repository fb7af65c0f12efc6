//! `mustdo update`: new versions of checklists, with what the user changed in them.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ValueEnum};

use crate::cli::context::Context;
use crate::cli::difference::difference;
use crate::cli::edit::commit_files;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::origin::{NOTHING, Offer, Offered, settled};
use crate::cli::output::view;
use crate::cli::printer::answer;
use crate::cli::project::{Files, Project};
use crate::cli::renewal::{Bases, Local, Outcome, Renewal, locals, write};
use crate::cli::shelf::read_lock;
use crate::model::{ChecklistId, Lock, LockedChecklist, Origin, nearest};
use crate::report::{DifferenceFormat, UpdateFormat, UpdatedChecklist, update_json, write_difference};
use crate::store::{CHECKLISTS, TextFile, Workspace};
use crate::syntax::{self, Code, Diagnostic, Prefer, Source, read_checklist};

/// What can follow `mustdo update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Which checklists [default: every checklist in mustdo.lock, or that SOURCE has]
    #[arg(value_name = "CHECKLIST")]
    checklists: Vec<ChecklistId>,
    /// Take them from here and look here from now on: `embedded`, a file, a folder, `git+https://…#TAG`, or without a tag the
    /// newest release
    #[arg(long, value_name = "SOURCE")]
    from: Option<Origin>,
    /// Write nothing; end with 1 when something is new
    #[arg(long)]
    check: bool,
    /// Where you and the source changed the same thing: keep yours, take the other, or write both into the file
    #[arg(long, value_name = "HOW")]
    resolve: Option<Resolve>,
    /// Take a tag that leads to another commit than when it was taken
    #[arg(long)]
    accept_moved: bool,
    /// In which form: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: UpdateFormat,
    /// Commit what was written
    #[arg(long, conflicts_with = "check")]
    commit: bool,
}

/// What to do where both sides changed one thing.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Resolve {
    /// Keep yours
    Ours,
    /// Take the other
    Theirs,
    /// Write both, between the marks that git uses
    Both,
}

impl Resolve {
    fn prefer(self) -> Prefer {
        match self {
            Self::Ours => Prefer::Ours,
            Self::Theirs => Prefer::Theirs,
            Self::Both => Prefer::Both,
        }
    }
}

/// Decides about every checklist before anything is written; where one can not be updated, none is.
pub(crate) fn run(context: &Context, args: &UpdateArgs) -> Result<Exit, Failure> {
    let before = Project::of_workspace(context)?;
    let workspace = context.workspace()?;
    let lock_text = workspace.locked()?;
    let lock = read_lock(&workspace)?.map(|(_, file)| file.lock().clone()).unwrap_or_default();
    let update = Update { context, args, workspace: &workspace, locals: locals(&workspace)?, lock };
    let offers = update.offers(&before)?;
    let renewals = update.renewals(&offers)?;
    let after = update.after(&before, &renewals)?;
    let changes = renewals.iter().any(Renewal::changes);
    let after = after.filter(|_| changes);
    let difference =
        after.as_ref().map(|after| difference(context, &workspace, &before, after)).transpose()?;
    match args.format {
        UpdateFormat::Json => {
            let checklists: Vec<_> = renewals.iter().map(updated).collect();
            answer(&update_json(args.check, &checklists, difference.as_ref()))?;
        }
        UpdateFormat::Text => {
            for renewal in &renewals {
                answer(&line(renewal))?;
            }
            if let (Some(after), Some(difference)) = (&after, &difference) {
                answer("\n")?;
                answer(&write_difference(difference, DifferenceFormat::Text, &view(context, after, false)))?;
            }
        }
    }
    update.later(&offers);
    if let Some(after) = &after {
        renamed(context, &before, after);
    }
    if args.check {
        return Ok(if changes { Exit::Fails } else { Exit::Holds });
    }
    let written = write(&workspace, &renewals, lock_text.as_ref())?;
    let marked: Vec<_> = renewals.iter().filter(|renewal| renewal.outcome == Outcome::Marked).collect();
    for renewal in &marked {
        context.printer.note(&format!(
            "{} has both versions of what contradicts: delete one of each between <<<<<<< and >>>>>>>, then mustdo lint",
            renewal.name
        ));
    }
    if !marked.is_empty() {
        return Ok(Exit::Fails);
    }
    if args.commit && !written.is_empty() {
        commit_files(context, &workspace, &written, "mustdo: update checklists\n")?;
    }
    Ok(Exit::Holds)
}

struct Update<'a> {
    context: &'a Context,
    args: &'a UpdateArgs,
    workspace: &'a Workspace,
    locals: BTreeMap<ChecklistId, Local>,
    lock: Lock,
}

impl Update<'_> {
    /// What there is to take, and which of it.
    fn offers(&self, before: &Project) -> Result<Vec<(Offer, Vec<ChecklistId>)>, Failure> {
        let (context, workspace, named) = (self.context, self.workspace, &self.args.checklists);
        if let Some(from) = &self.args.from {
            let offer = Offer::of(context, &settled(context, workspace, from), workspace.root())?;
            if let Some(id) = named.iter().find(|id| !offer.checklists.contains_key(*id)) {
                let near = nearest(id.as_str(), offer.checklists.keys().map(ChecklistId::as_str));
                let hint = near.map(|near| format!("did you mean \"{near}\"?"));
                let failure = Failure::usage(format!("{} has no checklist \"{id}\"", offer.origin));
                return Err(hint.into_iter().fold(failure, Failure::hint));
            }
            if before.shipped && (offer.origin != Origin::Embedded || !named.is_empty()) {
                context.printer.note(
                    "this workspace used the shipped checklists as they are; from now on those in checklists/ alone are used: \
                     mustdo update --from embedded takes the shipped ones too",
                );
            }
            let all = offer.checklists.keys().filter(|id| named.is_empty() || named.contains(id));
            let all = all.cloned().collect();
            return Ok(vec![(offer, all)]);
        }
        if let Some(id) = named.iter().find(|id| !self.lock.checklists.contains_key(*id)) {
            return Err(self.unlocked(id));
        }
        let wanted = self.lock.checklists.iter().filter(|(id, _)| named.is_empty() || named.contains(id));
        let mut by_origin: BTreeMap<&Origin, Vec<ChecklistId>> = BTreeMap::new();
        for (id, locked) in wanted {
            by_origin.entry(&locked.source).or_default().push(id.clone());
        }
        if by_origin.is_empty() {
            context.printer.note(if before.shipped {
                "this workspace uses the shipped checklists as they are: they are as new as mustdo"
            } else {
                "mustdo.lock names no checklist: there is nothing to update"
            });
        }
        if named.is_empty() && !before.shipped {
            self.forgotten();
        }
        let offer = |(origin, ids)| Ok((Offer::of(context, origin, workspace.root())?, ids));
        by_origin.into_iter().map(offer).collect()
    }

    /// Tells which checklists seem to be copies of shipped ones that nobody wrote down, as mustdo made them once.
    fn forgotten(&self) {
        for (name, text) in CHECKLISTS {
            let shipped = read_checklist(&Source::new(*name, *text)).value;
            let Some(id) = shipped.map(|read| read.checklist().id.clone()) else { continue };
            if self.locals.contains_key(&id) && !self.lock.checklists.contains_key(&id) {
                let note = format!(
                    "{id} is called like a shipped one: mustdo update {id} --from embedded keeps it up to date"
                );
                self.context.printer.note(&note);
            }
        }
    }

    /// Tells that an origin has a lower version than was taken from it, which nobody asked for.
    fn is_lower(
        &self,
        id: &ChecklistId,
        locked: Option<&LockedChecklist>,
        offer: &Offer,
        offered: &Offered,
    ) -> bool {
        let (there, origin) = (&offered.checklist.version, &offer.origin);
        let taken =
            locked.map(|locked| &locked.version).filter(|taken| self.args.from.is_none() && *taken > there);
        if let Some(taken) = taken {
            self.context.printer.note(&format!(
                "{origin} has {id} {there}, which is lower than the {taken} that was taken: mustdo update {id} --from {origin} \
                 goes back to it"
            ));
        }
        taken.is_some()
    }

    fn unlocked(&self, id: &ChecklistId) -> Failure {
        if self.locals.contains_key(id) {
            return Failure::usage(format!("nobody knows where {id} comes from"))
                .hint(format!("mustdo update {id} --from SOURCE"));
        }
        let near = nearest(id.as_str(), self.lock.checklists.keys().map(ChecklistId::as_str));
        Failure::usage(format!("there is no checklist \"{id}\" in {}", Workspace::LOCK)).hint(
            near.map_or_else(
                || format!("mustdo update {id} --from SOURCE    takes it from there"),
                |near| format!("did you mean \"{near}\"?"),
            ),
        )
    }

    /// What becomes of each checklist; everything that contradicts where something does.
    fn renewals(&self, offers: &[(Offer, Vec<ChecklistId>)]) -> Result<Vec<Renewal>, Failure> {
        let Self { context, args, workspace, locals, lock } = self;
        let bases = Bases { context, workspace };
        let prefer = args.resolve.map(Resolve::prefer);
        let (mut renewals, mut conflicts): (Vec<Renewal>, Vec<Diagnostic>) = (vec![], vec![]);
        for (offer, ids) in offers {
            for id in ids {
                let locked = lock.checklists.get(id);
                let Some(offered) = offer.checklists.get(id) else {
                    context
                        .printer
                        .note(&format!("{} has no {id} any more: yours stays as it is", offer.origin));
                    continue;
                };
                self.moved(id, locked, offer)?;
                if self.is_lower(id, locked, offer, offered) {
                    continue;
                }
                let renewal = match locals.get(id) {
                    Some(local) => Renewal::of(&bases, local, locked, offer, offered, prefer),
                    None if locked.is_some() && args.from.is_none() && args.checklists.is_empty() => {
                        context
                            .printer
                            .note(&format!("{id} was removed here: mustdo update {id} takes it again"));
                        continue;
                    }
                    None => {
                        let name = self.free(id, &offered.file, &renewals)?;
                        Ok(Renewal::first(name, offer, offered))
                    }
                };
                match renewal {
                    Ok(renewal) => renewals.push(renewal),
                    Err(found) => conflicts.extend(found),
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(renewals);
        }
        let rendered = syntax::render(&conflicts, context.printer.stderr_color);
        let again = self.again();
        Err(Failure::content(rendered)
            .hint(format!("{NOTHING}; mustdo explain CODE tells more about a code"))
            .hint(format!("{again} --resolve ours      keeps yours in these places"))
            .hint(format!("{again} --resolve theirs    takes the other in these places"))
            .hint(format!("{again} --resolve both      writes both into the file")))
    }

    /// The command as it was typed, to be typed with more behind it.
    fn again(&self) -> String {
        let mut words = vec!["mustdo update".to_owned()];
        words.extend(self.args.checklists.iter().map(ToString::to_string));
        if let Some(from) = &self.args.from {
            let from = from.to_string();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+#@".contains(c);
            let quoted = || format!("'{}'", from.replace('\'', "'\\''"));
            words.push(format!("--from {}", if from.chars().all(plain) { from.clone() } else { quoted() }));
        }
        words.join(" ")
    }

    /// Fails where the tag led to another commit when it was taken.
    fn moved(
        &self,
        id: &ChecklistId,
        locked: Option<&LockedChecklist>,
        offer: &Offer,
    ) -> Result<(), Failure> {
        let (Some(Origin::Git(then)), Some(before), Origin::Git(git), Some(now)) = (
            locked.map(|locked| &locked.source),
            locked.and_then(|locked| locked.taken.as_ref()),
            &offer.origin,
            &offer.taken,
        ) else {
            return Ok(());
        };
        if then.url != git.url || before.tag != now.tag || before.id == now.id || self.args.accept_moved {
            return Ok(());
        }
        let message = format!(
            "the tag {} of {} leads to {} now; when {id} was taken it led to {}",
            now.tag,
            git.url,
            now.id.short(),
            before.id.short()
        );
        Err(Failure::usage(message)
            .hint(format!("{NOTHING}; whoever publishes it may have moved it, or somebody else has: ask"))
            .hint(format!("{} --accept-moved    takes what is there now", self.again())))
    }

    /// Where a new checklist goes: the name that it has where it comes from, else its id.
    fn free(&self, id: &ChecklistId, file: &str, renewals: &[Renewal]) -> Result<String, Failure> {
        let mut names = [file.to_owned(), format!("{id}.toml")]
            .into_iter()
            .map(|name| format!("{}/{name}", Workspace::CHECKLISTS));
        let taken = |name: &String| {
            self.workspace.root().join(name).symlink_metadata().is_ok()
                || renewals.iter().any(|renewal| renewal.name == *name)
        };
        names.find(|name| !taken(name)).ok_or_else(|| {
            Failure::usage(format!("{}/{id}.toml is another checklist", Workspace::CHECKLISTS))
                .hint(format!("{NOTHING}; rename that file: what a checklist is called stands in it"))
        })
    }

    /// The project as it will be; none where it can not be read because marks stand in it.
    fn after(&self, before: &Project, renewals: &[Renewal]) -> Result<Option<Project>, Failure> {
        if renewals.iter().any(|renewal| renewal.outcome == Outcome::Marked) {
            return Ok(None);
        }
        let mut files = Files::on_disk(self.workspace)?;
        for renewal in renewals.iter().filter(|renewal| renewal.changes()) {
            files.checklists.retain(|file| file.name != renewal.name);
            // Diagnostics are to tell this text from the one in the work tree.
            let name = format!("{} (updated)", renewal.name);
            files.checklists.push(TextFile { name, bytes: renewal.after.clone().into_bytes() });
        }
        files.checklists.sort_by(|one, other| one.name.cmp(&other.name));
        if files.checklists.is_empty() && !before.shipped {
            return Ok(None);
        }
        match Project::content(self.context, Workspace::at(self.workspace.root().to_owned()), files)? {
            Ok(project) => Ok(Some(project)),
            Err(found) => {
                let rendered = syntax::render(&found, self.context.printer.stderr_color);
                let failure = Failure::content(rendered)
                    .hint(format!("{NOTHING}: what is new does not fit what is here"));
                let needs = found.iter().any(|found| found.code == Code::UnknownNeed);
                let way = "where an item of yours needs one that is called otherwise there: take the need out, update, and put \
                           it back under the new id";
                Err(if needs { failure.hint(way) } else { failure })
            }
        }
    }

    /// Tells what else there is to take.
    fn later(&self, offers: &[(Offer, Vec<ChecklistId>)]) {
        for (offer, _) in offers {
            if let (Some(later), Origin::Git(git)) = (&offer.later, &offer.origin) {
                let note = format!("{} is newer: mustdo update --from git+{}#{later}", later, git.url);
                self.context.printer.note(&note);
            }
            if self.args.from.is_some() || !self.args.checklists.is_empty() {
                continue;
            }
            let known =
                |id: &&ChecklistId| self.locals.contains_key(*id) || self.lock.checklists.contains_key(*id);
            for id in offer.checklists.keys().filter(|id| !known(id)) {
                let origin = &offer.origin;
                let note = format!("{origin} has {id} too: mustdo update {id} --from {origin}");
                self.context.printer.note(&note);
            }
        }
    }
}

/// One checklist for programs.
fn updated(renewal: &Renewal) -> UpdatedChecklist<'_> {
    let Renewal { id, name, before, outcome, entry, .. } = renewal;
    UpdatedChecklist {
        id,
        file: name,
        outcome: outcome.word(),
        before: before.as_ref().map(|before| &before.version),
        after: &entry.version,
        source: entry.source.to_string(),
        digest: &entry.digest,
    }
}

/// One checklist in one line.
fn line(renewal: &Renewal) -> String {
    let Renewal { id, before, entry, outcome, .. } = renewal;
    let (new, source) = (&entry.version, &entry.source);
    let old = before.as_ref().map_or(new, |before| &before.version);
    let versions = match old.cmp(new) {
        std::cmp::Ordering::Less => format!("{old} → {new}"),
        std::cmp::Ordering::Equal => format!("{new}, not what it was"),
        std::cmp::Ordering::Greater => format!("{old} → {new}, which is lower"),
    };
    let told = match outcome {
        Outcome::Same => format!("{old}, nothing is new"),
        Outcome::New => format!("{new}, new"),
        Outcome::Updated => versions,
        Outcome::Merged => format!("{versions}, with your changes"),
        Outcome::Marked => format!("{versions}, with both versions of what contradicts"),
    };
    format!("{id:<12} {told}, from {source}\n")
}

/// Tells which bindings name an item that is called something else now.
fn renamed(context: &Context, before: &Project, after: &Project) {
    let ids: BTreeSet<_> = before.settings.settings().bindings.keys().collect();
    for id in ids.into_iter().filter(|id| after.catalog.item(id).is_none()) {
        if let Some(now) = after.catalog.renamed(id) {
            let note = format!(
                "{} binds \"{id}\", which is called \"{now}\" now: rename it there",
                Workspace::SETTINGS
            );
            context.printer.note(&note);
        }
    }
}
