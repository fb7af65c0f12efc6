//! Passes that need not be seen again, because nothing that can be compared has changed: `verify --cached`.
//!
//! What a record says is not enough: it does not know which program answered, and a record may come from another machine.
//! So each pass that is recorded here leaves [`Evidence`] of everything that can be compared, and a pass is kept only where
//! that is there and the same. What can not be compared is a [`Doubt`], and the check runs.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::context::Context;
use super::environment::{inherited, variable};
use super::failure::Failure;
use super::printer;
use super::project::Project;
use super::shelf::Shelf;
use super::verification::Recorded;
use crate::model::{
    Asked, Capability, CheckId, Digest, Hasher, ItemId, Limit, Need, Outcome, PluginId, Record, Settings,
    TargetName,
};
use crate::store::{Evidence, StoreError, TranscriptKey, Workspace, fingerprint};
use crate::target::{Behind, behind, identity};
use crate::verify::{Plan, Planned, TaskId};

/// A pass that was not seen again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The item.
    pub(crate) item: ItemId,
    /// The check.
    pub(crate) check: CheckId,
    /// When it was seen.
    pub(crate) at: Timestamp,
}

/// What became of the fresh passes of a plan, in its order.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Those that are kept.
    pub(crate) kept: Vec<Kept>,
    /// The others, and why.
    pub(crate) doubted: Vec<(Kept, Doubt)>,
}

/// Why a fresh pass is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nobody knows what answers there.
    Stranger(TargetName),
    /// The program behind a target is not found.
    NoProgram(TargetName),
    /// A file can not be compared.
    Incomparable(PathBuf),
    /// It watches nothing, and the work tree is not what a commit holds.
    Unwatched,
    /// It left out a must step.
    LeftOut,
    /// Nothing is known of it on this machine.
    Elsewhere,
    /// Something is not what it was.
    Changed,
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(name) => {
                write!(formatter, "mustdo does not start {name}, so nothing shows that it is what it was")
            }
            Self::NoProgram(name) => write!(formatter, "the program of {name} is not found"),
            Self::Incomparable(path) => write!(formatter, "{} can not be compared", path.display()),
            Self::Unwatched => {
                formatter.write_str("it watches no files, and the work tree is not what a commit holds")
            }
            Self::LeftOut => formatter.write_str("its pass left out a must step"),
            Self::Elsewhere => formatter.write_str("its pass was not seen on this machine"),
            Self::Changed => {
                formatter.write_str("a program, a file, a permission or the environment is not what it was")
            }
        }
    }
}

/// Compares the world of a check with that of its last pass.
pub(crate) struct Keeper<'a> {
    context: &'a Context,
    project: &'a Project,
    workspace: &'a Workspace,
    settings: &'a Settings,
    shelf: &'a Shelf,
    /// Whether each plugin that would run is proven itself.
    proofs: BTreeMap<PluginId, bool>,
    known: BTreeMap<TranscriptKey, Evidence>,
    /// What the commit and the folders around it hold; or why that can not be told.
    tree: OnceCell<Result<Digest, Doubt>>,
    prints: RefCell<BTreeMap<PathBuf, Option<Digest>>>,
}

impl<'a> Keeper<'a> {
    /// One for a run with these settings.
    pub(crate) fn new(
        context: &'a Context,
        project: &'a Project,
        workspace: &'a Workspace,
        settings: &'a Settings,
        shelf: &'a Shelf,
        proofs: BTreeMap<PluginId, bool>,
    ) -> Self {
        let (tree, prints) = (OnceCell::new(), RefCell::default());
        let known = workspace.evidence().unwrap_or_else(|error| {
            printer::warn(&format!("warning: nothing can be kept of earlier runs: {error}"));
            BTreeMap::new()
        });
        Self { context, project, workspace, settings, shelf, proofs, known, tree, prints }
    }

    /// Takes the tasks out of `plan` whose passes are kept; which, and why other fresh passes are not.
    pub(crate) fn take(&self, plan: &mut Plan) -> Result<Taken, Failure> {
        let (mut kept, mut doubted, mut ids) = (vec![], vec![], BTreeSet::new());
        for task in &plan.tasks {
            let Some(record) = self.fresh_pass(task)? else { continue };
            let pass = Kept { item: task.item.clone(), check: task.definition.uses.clone(), at: record.at };
            match self.doubt(task, record)? {
                None => {
                    ids.insert(task.id);
                    kept.push(pass);
                }
                Some(doubt) => doubted.push((pass, doubt)),
            }
        }
        plan.remove(&ids);
        Ok(Taken { kept, doubted })
    }

    /// The recorded pass of a task that counts today as it is; none where there is none.
    fn fresh_pass(&self, task: &Planned) -> Result<Option<&'a Record>, Failure> {
        let Some(item) = self.project.catalog.item(&task.item) else { return Ok(None) };
        let uses = &task.definition.uses;
        let known = self.project.entry(item).and_then(|entry| entry.checks.get(uses));
        let Some(known) = known.filter(|known| known.undecided.is_none()) else { return Ok(None) };
        let asked = self.project.asked(item, self.settings, self.shelf)?;
        let asked = asked.iter().find(|asked| asked.definition.uses == *uses);
        let now = self.context.environment.now;
        Ok(known.decided.as_ref().filter(|record| {
            let targets: BTreeSet<_> = task.targets.values().collect();
            record.verdict.outcome == Outcome::Pass
                && !record.fault
                && record.proven == self.proofs.get(&uses.plugin).copied()
                && record.targets.keys().collect::<BTreeSet<_>>() == targets
                && asked.is_some_and(|asked: &Asked| asked.is_fresh(record, now))
        }))
    }

    fn doubt(&self, task: &Planned, record: &Record) -> Result<Option<Doubt>, Failure> {
        let left_out = |step: &crate::model::Step| step.need == Need::Must && step.outcome == Outcome::Skip;
        if record.verdict.steps.iter().any(left_out) {
            return Ok(Some(Doubt::LeftOut));
        }
        let world = match self.world(task)? {
            Ok(world) => world,
            Err(doubt) => return Ok(Some(doubt)),
        };
        let known = self.known.get(&(task.item.clone(), task.definition.uses.clone()));
        Ok(match known.filter(|known| known.record == digest(record)) {
            None => Some(Doubt::Elsewhere),
            Some(known) => (known.world != world).then_some(Doubt::Changed),
        })
    }

    /// Everything that the verdict on a task may depend on and that can be compared, as it is now.
    pub(crate) fn world(&self, task: &Planned) -> Result<Result<Digest, Doubt>, Failure> {
        let mut hasher = Hasher::default();
        hasher.field(env!("CARGO_PKG_VERSION")).field(task.plugin.as_bytes());
        hasher.field(task.definition.digest().as_bytes()).field(&task.params);
        for capability in &task.allowed {
            hasher.field("allowed").field(capability.to_string());
            if let Capability::Env(name) = capability {
                hasher.field(variable(name).unwrap_or_default());
            }
        }
        for (name, program) in &task.programs {
            hasher.field("program").field(name.as_str()).field(program.as_os_str().as_encoded_bytes());
        }
        for glob in &self.settings.secrets.files {
            hasher.field("unread").field(glob);
        }
        for limit in Limit::ALL {
            hasher.field(self.settings.limits.get(limit).to_string());
        }
        hasher.field(task.deadline.as_nanos().to_string());
        let mut inherits = false;
        for (asked, bound) in &task.targets {
            hasher.field("target").field(asked.as_str()).field(bound.as_str());
            match self.target(bound, &mut hasher) {
                Ok(inherited) => inherits |= inherited,
                Err(doubt) => return Ok(Err(doubt)),
            }
        }
        hasher.field(variable("LANG").unwrap_or_default());
        // Programs are looked up in it, whoever starts them.
        hasher.field(
            self.context.environment.path.as_ref().map(|path| path.as_encoded_bytes()).unwrap_or_default(),
        );
        if inherits {
            for (name, value) in inherited() {
                hasher.field(name.as_encoded_bytes()).field(value.as_encoded_bytes());
            }
        }
        if task.definition.watch.is_empty() {
            match self.tree()? {
                Ok(tree) => drop(hasher.field("tree").field(tree.as_bytes())),
                Err(doubt) => return Ok(Err(doubt)),
            }
        } else {
            let watched = self.workspace.watched(&task.definition.watch)?;
            hasher.field("watched").field(watched.map(|digest| digest.to_string()).unwrap_or_default());
        }
        Ok(Ok(hasher.finish()))
    }

    /// Adds what a target is; whether what is started for it inherits the environment.
    fn target(&self, name: &TargetName, hasher: &mut Hasher) -> Result<bool, Doubt> {
        let root = self.workspace.root();
        let target = self.settings.targets.get(name).ok_or_else(|| Doubt::Stranger(name.clone()))?;
        hasher.field(identity(target));
        let (paths, inherits) = match behind(target, root, self.context.environment.path.as_deref()) {
            Behind::Stranger => return Err(Doubt::Stranger(name.clone())),
            Behind::Files { paths, .. } if paths.is_empty() => return Err(Doubt::NoProgram(name.clone())),
            Behind::Files { paths, inherits } => (paths, inherits),
        };
        for path in paths {
            let print = self.print(&path).ok_or_else(|| Doubt::Incomparable(path.clone()))?;
            hasher.field(path.as_os_str().as_encoded_bytes()).field(print.as_bytes());
        }
        Ok(inherits)
    }

    fn print(&self, path: &Path) -> Option<Digest> {
        if let Some(known) = self.prints.borrow().get(path) {
            return *known;
        }
        let print = fingerprint(path, self.workspace.root()).ok().flatten();
        self.prints.borrow_mut().insert(path.to_owned(), print);
        print
    }

    /// The whole work tree: what the commit holds, and everything that git ignores, such as settings of this machine alone.
    fn tree(&self) -> Result<Result<Digest, Doubt>, Failure> {
        if let Some(known) = self.tree.get() {
            return Ok(known.clone());
        }
        let tree = match self.workspace.repository()? {
            None => Err(Doubt::Unwatched),
            Some(repository) => {
                let own = self.workspace.root().join(Workspace::PROGRESS);
                let root = repository.work_tree();
                match (repository.committed(&own)?, self.print(root)) {
                    (None, _) => Err(Doubt::Unwatched),
                    (Some(_), None) => Err(Doubt::Incomparable(root.to_owned())),
                    (Some(commit), Some(print)) => {
                        let mut hasher = Hasher::default();
                        hasher.field(commit.as_bytes()).field(print.as_bytes());
                        Ok(hasher.finish())
                    }
                }
            }
        };
        Ok(self.tree.get_or_init(|| tree).clone())
    }

    /// The worlds of all tasks, as far as they can be compared: to be asked before anything runs.
    pub(crate) fn worlds(&self, plan: &Plan) -> Result<BTreeMap<TaskId, Digest>, Failure> {
        let mut worlds = BTreeMap::new();
        for task in &plan.tasks {
            if let Ok(world) = self.world(task)? {
                worlds.insert(task.id, world);
            }
        }
        Ok(worlds)
    }

    /// Writes down what the passes among `records` were given under. Nothing that was verified is lost where that is not
    /// possible: it is said, and they run again the next time.
    pub(crate) fn remember(&self, plan: &Plan, worlds: &BTreeMap<TaskId, Digest>, records: &[Recorded]) {
        if let Err(error) = self.write(plan, worlds, records) {
            printer::warn(&format!("warning: what the passes were given under can not be kept: {error}"));
        }
    }

    fn write(
        &self,
        plan: &Plan,
        worlds: &BTreeMap<TaskId, Digest>,
        records: &[Recorded],
    ) -> Result<(), StoreError> {
        let items = self.project.catalog.items();
        let known: BTreeSet<TranscriptKey> = items
            .flat_map(|item| item.checks.iter().map(|check| (item.id.clone(), check.uses.clone())))
            .collect();
        let lock = self.workspace.lock()?;
        // What another mustdo wrote meanwhile is kept.
        let mut evidence = self.workspace.evidence().unwrap_or_default();
        evidence.retain(|key, _| known.contains(key));
        let world: BTreeMap<TranscriptKey, Digest> = plan
            .tasks
            .iter()
            .filter_map(|task| {
                Some(((task.item.clone(), task.definition.uses.clone()), *worlds.get(&task.id)?))
            })
            .collect();
        for Recorded { item, check, record } in records {
            let key = (item.clone(), check.clone());
            let passed = record.verdict.outcome == Outcome::Pass && !record.fault;
            if let Some(world) = world.get(&key).filter(|_| passed) {
                evidence.insert(key, Evidence { record: digest(record), world: *world });
            } else {
                evidence.remove(&key);
            }
        }
        self.workspace.keep_evidence(&lock, &evidence)
    }
}

/// Tells one record from every other.
fn digest(record: &Record) -> Digest {
    let mut hasher = Hasher::default();
    hasher.field(record.verdict.outcome.word()).field(record.at.to_string());
    hasher.field(record.seed.to_le_bytes()).field(record.plugin.as_bytes());
    hasher.field(record.definition.as_bytes()).field(record.commit.as_deref().unwrap_or_default());
    hasher.field(record.watched.map(|digest| digest.to_string()).unwrap_or_default());
    for (name, target) in &record.targets {
        hasher.field(name.as_str()).field(target);
    }
    hasher.finish()
}
