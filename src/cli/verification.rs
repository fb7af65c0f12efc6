//! One verification from selection to recorded verdicts: plan, grants, targets, run, record.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::binding;
use super::context::Context;
use super::display::Display;
use super::edit::edit;
use super::environment::now;
use super::exit::Exit;
use super::failure::Failure;
use super::kept::{Keeper, Kept, Taken};
use super::output::select;
use super::partition::Part;
use super::permission;
use super::planning::Planning;
use super::plugins::Plugins;
use super::printer;
use super::project::Project;
use super::recording::recorder;
use super::secret::Secrets;
use super::shelf::Shelf;
use super::transcript;
use crate::model::{
    CheckId, Digest, Exhibit, Flaky, Item, ItemId, Mask, Outcome, PluginId, Record, Selection, Settings,
    Span, TargetName, Text, Undecided, Verdict,
};
use crate::report::Report;
use crate::store::Workspace;
use crate::target::{self, Died, StartOptions, Started};
use crate::verify::{Event, Job, LeftOut, Plan, Planned, Retrying, Run, RunError, TaskId, Trace, Why, run};

/// What the command line says on a verification.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Repeats a run; none for a new one.
    pub(crate) seed: Option<u64>,
    /// Checks at once; none for the settings', else the number of processors.
    pub(crate) jobs: Option<usize>,
    /// The time for each check; none for the settings', else the plugin's guess.
    pub(crate) timeout: Option<Span>,
    /// Write the verdicts down.
    pub(crate) record: bool,
    /// Commit them.
    pub(crate) commit: bool,
    /// How often a check is asked again that could not tell.
    pub(crate) retries: usize,
    /// Keep passes where nothing that can be compared has changed since.
    pub(crate) cached: bool,
}

/// Everything a verification works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verification<'a> {
    /// The world.
    pub(crate) context: &'a Context,
    /// What is to be proven, and what is known.
    pub(crate) project: &'a Project,
    /// The plugins.
    pub(crate) shelf: &'a Shelf,
    /// Only this part of what is selected; none for everything.
    pub(crate) part: Option<&'a Part>,
    /// The command line.
    pub(crate) options: Options,
    /// Where the calls of each run are written; none where they are not.
    pub(crate) recordings: Option<&'a Path>,
    /// Where it is shown.
    pub(crate) display: &'a Display,
}

/// What came of a verification.
#[derive(Debug)]
pub(crate) struct Outcomes {
    /// What was selected when it began: verdicts change what a status selects.
    pub(crate) items: Vec<ItemId>,
    /// Verdicts, in the order they were reached.
    pub(crate) records: Vec<Recorded>,
    /// Passes that were not seen again, in the order of the plan.
    pub(crate) kept: Vec<Kept>,
    /// Whether checks that were asked for by name, or all of them, could not be run.
    pub(crate) missed: bool,
    /// Whether only items that stand somewhere were asked for, and none does: there was nothing to run, and what is recorded
    /// answers for itself.
    pub(crate) idle: bool,
    /// Whether Ctrl-C ended it.
    pub(crate) interrupted: bool,
}

/// A verdict and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// The item.
    pub(crate) item: ItemId,
    /// The check.
    pub(crate) check: CheckId,
    /// The verdict.
    pub(crate) record: Record,
}

impl Outcomes {
    /// The exit code of one partition: the policy asks of all of them together, and `merge` judges it.
    pub(crate) fn exit_of_partition(&self, settings: &Settings) -> Exit {
        let denied = settings.policy.flaky == Flaky::Deny;
        let any =
            |wanted: &dyn Fn(&Record) -> bool| self.records.iter().any(|recorded| wanted(&recorded.record));
        let asks = settings.policy.inconclusive == Undecided::Ask;
        let untold =
            |record: &Record| matches!(record.verdict.outcome, Outcome::Inconclusive | Outcome::Skip);
        if self.interrupted {
            Exit::Interrupted
        } else if any(&|record| match record.verdict.outcome {
            Outcome::Fail => true,
            Outcome::Flaky => denied,
            Outcome::Pass | Outcome::Inconclusive | Outcome::Skip => false,
        }) {
            Exit::Fails
        } else if self.missed || any(&|record| record.fault || asks && untold(record)) {
            Exit::Undecided
        } else {
            Exit::Holds
        }
    }

    /// Whether there is nothing to report on: no check ran, and no pass was kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.kept.is_empty()
    }

    /// Whether a check saw something fail.
    pub(crate) fn failed(&self) -> bool {
        self.records.iter().any(|recorded| recorded.record.verdict.outcome == Outcome::Fail)
    }

    /// The exit code, with the policy judged on the report made afterwards. A failure that was just seen is one, whatever
    /// the report leaves out. Where the report is soft, what was seen is no reason not to end well, and what could not be
    /// looked at still is.
    pub(crate) fn exit(&self, report: &Report, settings: &Settings) -> Exit {
        let records = || self.records.iter().map(|recorded| &recorded.record);
        let failed = self.failed();
        let broke = records().any(|record| record.fault);
        let untold =
            records().any(|record| matches!(record.verdict.outcome, Outcome::Inconclusive | Outcome::Skip));
        let asks = settings.policy.inconclusive == Undecided::Ask;
        let judgement = report.judgement();
        let unseen = self.missed || (self.is_empty() && !self.idle) || broke;
        let undecided = (asks && untold) || !judgement.undecided.is_empty();
        if self.interrupted {
            Exit::Interrupted
        } else if !report.is_soft() && (failed || !judgement.violations.is_empty()) {
            Exit::Fails
        } else if unseen || !report.is_soft() && undecided {
            Exit::Undecided
        } else {
            Exit::Holds
        }
    }
}

impl Verification<'_> {
    /// Runs the checks of a selection.
    pub(crate) async fn run(&self, selection: &Selection) -> Result<Outcomes, Failure> {
        let mut items = select(self.context, self.project, self.shelf, selection)?;
        if let Some(part) = self.part {
            let share: BTreeSet<_> = part.items().collect();
            items.retain(|item| share.contains(&item.id));
        }
        let selected: Vec<ItemId> = items.iter().map(|item| item.id.clone()).collect();
        let files = items
            .iter()
            .flat_map(|item| &item.checks)
            .map(|check| &check.uses.plugin)
            .collect::<BTreeSet<_>>();
        let mut settings = self.project.effective_settings();
        let files = files.into_iter().filter_map(|id| self.shelf.find(id));
        let mut plugins = Plugins::open(self.context, &settings, files).await?;
        let seed = match self.options.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(Failure::bug)?,
        };
        let named = self.named(selection);
        let Self { context, project, shelf, part: _, options, recordings: _, display: _ } = *self;
        let planning =
            Planning { context, project, shelf, plugins: &plugins, seed, timeout: options.timeout };
        let mut plan = planning.plan(&items, &named, &settings);
        if permission::ask(context, project, shelf, &plugins, &plan.missing_grants, &mut settings)? {
            plan = planning.plan(&items, &named, &settings);
        }
        let used = plan.tasks.iter().map(|task| &task.definition.uses.plugin);
        let proofs = used.filter_map(|id| Some((id.clone(), plugins.proof(id)?.is_proven()))).collect();
        let keeper = Keeper::new(context, project, self.workspace()?, &settings, shelf, proofs);
        let kept = if options.cached { self.keep(&keeper, &mut plan)? } else { vec![] };
        // What is recorded here may be kept the next time.
        let worlds = if options.record { keeper.worlds(&plan)? } else { BTreeMap::new() };
        let Secrets { environment, mask } = Secrets::of(&plan, &settings);
        plugins.host.set_environment(environment);
        if let Some(folder) = self.recordings {
            let started = self.context.environment.now;
            plugins.host.record(recorder(folder.to_owned(), mask.clone(), started)?);
        }
        let proofs = self.tell_unproven(&plan, &plugins);
        let missed = self.tell_left_out(&plan, !selection.is_all());
        if plan.tasks.is_empty() {
            let idle = items.is_empty() && selection.asks_for_standing();
            if plan.left_out.is_empty() && kept.is_empty() {
                let what = if idle {
                    "no item stands where you asked"
                } else if items.is_empty() {
                    "no item is selected"
                } else {
                    "no selected item has a check"
                };
                printer::warn(&format!("nothing to verify: {what}"));
            }
            // Of a part it is no wonder; `merge` tells where there was nothing in any of them.
            let missed = missed || !idle && kept.is_empty() && self.part.is_none();
            let records = vec![];
            return Ok(Outcomes { items: selected, records, kept, missed, idle, interrupted: false });
        }
        let origin = self.origin(&plan, proofs)?;
        let mut cancel = pin!(interrupt());
        let started = tokio::select! {
            biased;
            () = &mut cancel => return Ok(Outcomes { items: selected, records: vec![], kept, missed, idle: false, interrupted: true }),
            started = self.start(&plan, &settings, &mask) => started?,
        };
        let (jobs, down) = Self::jobs(&plan, &started);
        let limit = self.options.jobs.or(settings.jobs).unwrap_or_else(processors).max(1);
        let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        let Executed { ended, stopped, interrupted } =
            self.execute(&plan, plugins, jobs, limit, &mask, cancel).await;
        let died = started.died().await;
        for Died { target, exit, output } in &died {
            printer::warn(&format!("error: the target {target} ended while it was checked: {exit}"));
            for line in output {
                printer::warn(&format!("    {line}"));
            }
        }
        let dead: BTreeSet<_> = died.into_iter().map(|died| died.target).collect();
        let told = transcript::Told {
            seed,
            started: &started,
            dead: &dead,
            shelf: self.shelf,
            recordings: self.recordings,
            mask: &mask,
        };
        transcript::keep(self.workspace()?, self.project, &plan, &ended, &stopped, &told);
        let records = Self::records(&plan, ended, &origin, &started, &dead, seed);
        started.stop().await;
        if let Some(folder) = self.recordings.filter(|_| !records.is_empty()) {
            let folder = folder.strip_prefix(&self.context.environment.directory).unwrap_or(folder).display();
            self.context
                .printer
                .note(&format!("recorded in {folder}; again without your service: mustdo replay {folder}"));
        }
        if self.options.record && !records.is_empty() {
            let commit = self.options.commit || settings.commit == Some(true);
            remember(self.context, self.project, &records, commit)?;
            keeper.remember(&plan, &worlds, &records);
        }
        Ok(Outcomes { items: selected, records, kept, missed: missed || down, idle: false, interrupted })
    }

    /// Takes passes out of the plan that are kept, and says of each, and of each other fresh pass why it is not.
    fn keep(&self, keeper: &Keeper<'_>, plan: &mut Plan) -> Result<Vec<Kept>, Failure> {
        let Taken { kept, doubted } = keeper.take(plan)?;
        for pass in &kept {
            self.display.kept(pass);
        }
        for (pass, doubt) in &doubted {
            self.display.doubted(pass, doubt);
        }
        Ok(kept)
    }

    /// The items that the selection names one by one.
    fn named(&self, selection: &Selection) -> BTreeSet<ItemId> {
        let items =
            selection.names.iter().filter_map(|name| Selection::one(&self.project.catalog, name).ok());
        items.map(|item| item.id.clone()).collect()
    }

    /// Says which plugins are about to run that are not proven themselves; for each that runs, whether it is.
    fn tell_unproven(&self, plan: &Plan, plugins: &Plugins) -> BTreeMap<PluginId, bool> {
        let used: BTreeSet<_> = plan.tasks.iter().map(|task| &task.definition.uses.plugin).collect();
        let mut proofs = BTreeMap::new();
        for (id, proof) in used.into_iter().filter_map(|id| Some((id, plugins.proof(id)?))) {
            if !proof.is_proven() {
                self.context.printer.note(&format!("{id} is {proof}"));
            }
            proofs.insert(id.clone(), proof.is_proven());
        }
        proofs
    }

    /// Says which checks do not run and why; true where one of them was asked for.
    fn tell_left_out(&self, plan: &Plan, asked: bool) -> bool {
        let mut unbound: BTreeMap<String, Vec<&LeftOut>> = BTreeMap::new();
        let (mut missed, mut told) = (false, vec![]);
        for left in &plan.left_out {
            let name =
                left.check.as_ref().map_or(left.item.to_string(), |check| format!("{} ({check})", left.item));
            match &left.why {
                Why::NotBound { targets, .. } if !asked => {
                    let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
                    unbound.entry(names.join(", ")).or_default().push(left);
                }
                Why::NoCheck
                | Why::UnknownPlugin
                | Why::UnknownCheck
                | Why::NotBound { .. }
                | Why::WrongKind { .. }
                | Why::BadParams(_)
                | Why::NotGranted(_) => {
                    missed = true;
                    printer::warn(&format!("not run: {name}: {}", left.why));
                    told.push(left);
                }
            }
        }
        let lines = binding::lines(told);
        if !lines.is_empty() {
            printer::warn(&format!("  add to {}, with your own values:", Workspace::SETTINGS));
            for line in lines {
                printer::warn(&format!("    {line}"));
            }
        }
        for (names, left) in unbound {
            let count = left.len();
            self.context.printer.note(&format!(
                "not run: {count} {} with {names} not bound in mustdo.toml; how: mustdo show {}",
                if count == 1 { "check" } else { "checks" },
                left[0].item
            ));
        }
        missed
    }

    /// What verdicts are recorded under that must be read before anything runs.
    fn origin(&self, plan: &Plan, proofs: BTreeMap<PluginId, bool>) -> Result<Origin, Failure> {
        let workspace = self.workspace()?;
        let commit = match workspace.repository()? {
            Some(repository) => {
                repository.head(&workspace.root().join(Workspace::PROGRESS))?.map(|head| head.to_string())
            }
            None => None,
        };
        let mut watched = BTreeMap::new();
        for task in plan.tasks.iter().filter(|task| !task.definition.watch.is_empty()) {
            match workspace.watched(&task.definition.watch)? {
                Some(digest) => drop(watched.insert(task.id, digest)),
                None => printer::warn(&format!(
                    "warning: {} watches {}, which matches no file: its proof will be stale at once",
                    task.item,
                    task.definition.watch.join(", ")
                )),
            }
        }
        Ok(Origin { commit, watched, proofs })
    }

    async fn start(&self, plan: &Plan, settings: &Settings, mask: &Mask) -> Result<Started, Failure> {
        let workspace = self.workspace()?;
        let wanted =
            plan.targets().into_iter().filter_map(|name| Some((name.clone(), settings.targets.get(name)?)));
        for name in plan.targets() {
            if let Some(launch) = settings.targets.get(name).and_then(|target| target.launch.as_ref()) {
                self.display.starting(name, &launch.run);
            }
        }
        let logs = workspace.private("logs")?;
        let options = StartOptions {
            root: workspace.root(),
            logs: Some(&logs),
            search: self.context.environment.path.as_deref(),
            mask,
            guard: self.context.environment.guard.as_deref(),
        };
        Ok(target::start(wanted.collect(), &options).await)
    }

    /// Pairs tasks with the targets that can be reached; true where one can not.
    fn jobs(plan: &Plan, started: &Started) -> (Vec<Job>, bool) {
        for (name, error) in started.failures() {
            printer::warn(&format!("error: target {name}: {error}"));
            for line in error.output() {
                printer::warn(&format!("    {line}"));
            }
        }
        let programs = started.supervised();
        let (mut jobs, mut down) = (vec![], false);
        for task in &plan.tasks {
            match task.job(started.endpoints(), &programs) {
                Ok(job) => jobs.push(job),
                Err(absent) => {
                    down = true;
                    let names: Vec<_> = absent.iter().map(ToString::to_string).collect();
                    printer::warn(&format!(
                        "not run: {}: {} can not be reached",
                        task.item,
                        names.join(", ")
                    ));
                }
            }
        }
        (jobs, down)
    }

    fn workspace(&self) -> Result<&Workspace, Failure> {
        self.project.workspace.as_ref().ok_or_else(|| Failure::bug("a verification outside a workspace"))
    }

    async fn execute(
        &self,
        plan: &Plan,
        plugins: Plugins,
        jobs: Vec<Job>,
        limit: NonZeroUsize,
        mask: &Mask,
        cancel: impl Future<Output = ()>,
    ) -> Executed {
        let (sender, mut events) = mpsc::unbounded_channel::<Event>();
        let language = self.project.language(self.context);
        let shown = async {
            let mut executed = Executed { ended: vec![], stopped: vec![], interrupted: false };
            let mut progress = self.display.begin(plan, language);
            while let Some(event) = events.recv().await {
                // Nothing that a plugin says goes on from here with a secret in it.
                let event = event.masked(mask);
                progress.show(&event);
                match event {
                    Event::Finished { task, result } => executed.ended.push((task, result)),
                    Event::Stopped { task, trace } => executed.stopped.push((task, trace)),
                    Event::Cancelled(_) => executed.interrupted = true,
                    Event::Started(_) | Event::Progress { .. } => {}
                }
            }
            executed
        };
        let ((), shown) = tokio::join!(
            run(Arc::new(Retrying::new(plugins.host, self.options.retries)), jobs, limit, sender, cancel),
            shown
        );
        shown
    }

    fn records(
        plan: &Plan,
        ended: Vec<(TaskId, Result<Box<Run>, RunError>)>,
        origin: &Origin,
        started: &Started,
        dead: &BTreeSet<TargetName>,
        seed: u64,
    ) -> Vec<Recorded> {
        let record = |(id, result): (TaskId, Result<Box<Run>, RunError>)| {
            let task = plan.tasks.get(id.0)?;
            let mut recorded = Self::recorded(task, result, origin, started, seed);
            // Whatever answered after the program ended was something else: neither a pass nor a fail can be believed.
            if let Some(name) = task.targets.values().find(|name| dead.contains(*name)) {
                recorded.record.fault = true;
                recorded.record.evidence = vec![];
                recorded.record.verdict = Verdict::undecided(Text::new(
                    format!("the target {name} ended while it was checked"),
                    format!("检查期间目标 {name} 已退出"),
                ));
            }
            Some(recorded)
        };
        ended.into_iter().filter_map(record).collect()
    }

    fn recorded(
        task: &Planned,
        result: Result<Box<Run>, RunError>,
        origin: &Origin,
        started: &Started,
        seed: u64,
    ) -> Recorded {
        let (mut verdict, fault, elapsed, attempts) = match result {
            Ok(run) => (run.verdict, false, run.elapsed, run.attempts),
            Err(error) => {
                let verdict = Verdict::undecided(Text::same(error.to_string()));
                (verdict, true, error.trace.elapsed, error.trace.attempts)
            }
        };
        let evidence = mem::take(&mut verdict.evidence).iter().map(Exhibit::from).collect();
        let identity = |name: &TargetName| Some((name.clone(), started.identity(name)?.to_owned()));
        let record = Record {
            verdict,
            fault,
            at: now(),
            plugin: task.plugin,
            version: task.version.clone(),
            proven: origin.proofs.get(&task.definition.uses.plugin).copied(),
            definition: task.definition.digest(),
            seed,
            commit: origin.commit.clone(),
            watched: origin.watched.get(&task.id).copied(),
            targets: task.targets.values().filter_map(identity).collect(),
            elapsed,
            evidence,
            attempts,
        };
        Recorded { item: task.item.clone(), check: task.definition.uses.clone(), record }
    }
}

/// Writes verdicts into the progress files, and commits them where `commit` says so.
pub(crate) fn remember(
    context: &Context,
    project: &Project,
    records: &[Recorded],
    commit: bool,
) -> Result<(), Failure> {
    let ids: BTreeSet<_> = records.iter().map(|recorded| &recorded.item).collect();
    let items: Vec<_> = ids.into_iter().filter_map(|id| project.catalog.item(id)).collect();
    let passed = records.iter().filter(|recorded| recorded.record.verdict.outcome == Outcome::Pass).count();
    let mut message = format!("mustdo: verify, {passed} of {} checks pass\n\n", records.len());
    for recorded in records {
        let word = recorded.record.verdict.outcome.word();
        message.push_str(&format!("- {} {}: {word}\n", recorded.item, recorded.check));
    }
    let remember = |item: &Item, entry: &mut crate::model::Entry| {
        for recorded in records.iter().filter(|recorded| recorded.item == item.id) {
            entry.checks.entry(recorded.check.clone()).or_default().remember(recorded.record.clone());
        }
    };
    edit(context, project, &items, remember, commit.then_some(&*message))
}

/// What came of the tasks of a plan.
struct Executed {
    ended: Vec<(TaskId, Result<Box<Run>, RunError>)>,
    stopped: Vec<(TaskId, Box<Trace>)>,
    interrupted: bool,
}

/// What a verdict is recorded under.
struct Origin {
    commit: Option<String>,
    watched: BTreeMap<TaskId, Digest>,
    /// Whether each plugin that runs is proven itself.
    proofs: BTreeMap<PluginId, bool>,
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Ends when the user or the system asks to stop.
pub(crate) async fn interrupt() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => {
            if pressed.is_err() {
                // Without a handler the system's default ends the process.
                std::future::pending::<()>().await;
            }
        }
        () = terminated => {}
    }
}
