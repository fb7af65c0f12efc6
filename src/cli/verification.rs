//! One verification from selection to recorded verdicts: plan, grants, targets, run, record.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::command::grant::give;
use super::context::Context;
use super::display::Display;
use super::edit::edit;
use super::environment::now;
use super::exit::Exit;
use super::failure::Failure;
use super::output::select;
use super::plugins::Plugins;
use super::printer;
use super::project::Project;
use super::prompt::confirm;
use super::shelf::Shelf;
use crate::model::{
    CheckId, Digest, Item, ItemId, Outcome, Record, Selection, Settings, Span, TargetName, Text, Undecided,
    Verdict,
};
use crate::report::Report;
use crate::store::Workspace;
use crate::syntax::{self, Unfit};
use crate::target::{self, Died, StartOptions, Started};
use crate::verify::{
    Event, Installed, Job, LeftOut, MissingGrant, ParamsFault, Plan, PlanInput, Planned, Run, RunError,
    TaskId, Why, run,
};

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
    /// The command line.
    pub(crate) options: Options,
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
    /// Whether checks that were asked for by name, or all of them, could not be run.
    pub(crate) missed: bool,
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
    /// The exit code, with the policy judged on the report made afterwards. A failure that was just seen is one, whatever
    /// the report leaves out.
    pub(crate) fn exit(&self, report: &Report, settings: &Settings) -> Exit {
        let records = || self.records.iter().map(|recorded| &recorded.record);
        let failed = records().any(|record| record.verdict.outcome == Outcome::Fail);
        let broke = records().any(|record| record.fault);
        let untold =
            records().any(|record| matches!(record.verdict.outcome, Outcome::Inconclusive | Outcome::Skip));
        let asks = settings.policy.inconclusive == Undecided::Ask;
        let judgement = report.judgement();
        if self.interrupted {
            Exit::Interrupted
        } else if failed || !judgement.violations.is_empty() {
            Exit::Fails
        } else if self.missed
            || self.records.is_empty()
            || broke
            || (asks && untold)
            || !judgement.undecided.is_empty()
        {
            Exit::Undecided
        } else {
            Exit::Holds
        }
    }
}

impl Verification<'_> {
    /// Runs the checks of a selection.
    pub(crate) async fn run(&self, selection: &Selection) -> Result<Outcomes, Failure> {
        let items = select(self.context, self.project, self.shelf, selection)?;
        let selected: Vec<ItemId> = items.iter().map(|item| item.id.clone()).collect();
        let files = items
            .iter()
            .flat_map(|item| &item.checks)
            .map(|check| &check.uses.plugin)
            .collect::<BTreeSet<_>>();
        let limits = self.project.effective_settings().limits;
        let plugins =
            Plugins::open(self.context, &limits, files.into_iter().filter_map(|id| self.shelf.find(id)))
                .await?;
        let seed = match self.options.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(Failure::bug)?,
        };
        let mut settings = self.project.effective_settings();
        let mut plan = self.plan(&items, selection, &settings, &plugins, seed);
        let missing: Vec<_> = plan.missing_grants.iter().filter(|grant| grant.required).cloned().collect();
        if !missing.is_empty() && self.permit(&missing, &mut settings)? {
            plan = self.plan(&items, selection, &settings, &plugins, seed);
        }
        let missed = self.tell_left_out(&plan, !selection.is_all());
        if plan.tasks.is_empty() {
            if plan.left_out.is_empty() {
                let what =
                    if items.is_empty() { "no item is selected" } else { "no selected item has a check" };
                printer::warn(&format!("nothing to verify: {what}"));
            }
            return Ok(Outcomes { items: selected, records: vec![], missed: true, interrupted: false });
        }
        let origin = self.origin(&plan)?;
        let mut cancel = pin!(interrupt());
        let started = tokio::select! {
            biased;
            () = &mut cancel => return Ok(Outcomes { items: selected, records: vec![], missed, interrupted: true }),
            started = self.start(&plan, &settings) => started?,
        };
        let (jobs, down) = Self::jobs(&plan, &started);
        let limit = self.options.jobs.or(settings.jobs).unwrap_or_else(processors).max(1);
        let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        let (ended, interrupted) = self.execute(&plan, plugins, jobs, limit, cancel).await;
        let died = started.died();
        for Died { target, exit, output } in &died {
            printer::warn(&format!("error: the target {target} ended while it was checked: {exit}"));
            for line in output {
                printer::warn(&format!("    {line}"));
            }
        }
        let dead: BTreeSet<_> = died.into_iter().map(|died| died.target).collect();
        let records = Self::records(&plan, ended, &origin, &started, &dead, seed);
        started.stop().await;
        if self.options.record && !records.is_empty() {
            self.record(&records, &settings)?;
        }
        Ok(Outcomes { items: selected, records, missed: missed || down, interrupted })
    }

    fn plan(
        &self,
        items: &[&Item],
        selection: &Selection,
        settings: &Settings,
        plugins: &Plugins,
        seed: u64,
    ) -> Plan {
        let named: BTreeSet<ItemId> = if selection.names.is_empty() {
            BTreeSet::new()
        } else {
            selection
                .names
                .iter()
                .filter_map(|name| Selection::one(&self.project.catalog, name).ok())
                .map(|item| item.id.clone())
                .collect()
        };
        let installed = |id: &_| {
            let (file, info) = (self.shelf.find(id)?, plugins.info(id)?);
            Some(Installed { digest: file.digest, info, embedded: file.embedded })
        };
        Plan::new(&PlanInput {
            items,
            named: &named,
            catalog: &self.project.catalog,
            settings,
            plugins: &installed,
            params: &|check, with| {
                syntax::params(check, with).map_err(|Unfit { missing, wrong }| ParamsFault { missing, wrong })
            },
            seed,
            timeout: self.options.timeout,
        })
    }

    /// Asks once for everything that is missing; says how to allow it where no question may be asked.
    fn permit(&self, missing: &[MissingGrant], settings: &mut Settings) -> Result<bool, Failure> {
        let mut by_plugin: BTreeMap<_, Vec<&MissingGrant>> = BTreeMap::new();
        for grant in missing {
            by_plugin.entry(&grant.plugin).or_default().push(grant);
        }
        if !self.context.interactive {
            let failure = Failure::undecided("plugins need your permission before they may touch your work");
            return Err(by_plugin.iter().fold(failure, |failure, (plugin, grants)| {
                let wanted: Vec<_> = grants.iter().map(|grant| grant.capability.to_string()).collect();
                failure.hint(format!("mustdo grant {plugin} {}", wanted.join(" ")))
            }));
        }
        let mut words = String::from("Plugins ask for your permission:\n");
        for grant in missing {
            let target = grant.capability.target().and_then(|name| settings.targets.get(name));
            let place = target.map_or(String::new(), |target| format!(" ({})", target::identity(target)));
            let language = self.project.language(self.context);
            words.push_str(&format!(
                "  {} wants {}{place}: {}\n",
                grant.plugin,
                grant.capability,
                grant.reason.get(language)
            ));
        }
        if !confirm(&words, "Allow this?")? {
            return Ok(false);
        }
        for (plugin, grants) in by_plugin {
            let Some(file) = self.shelf.find(plugin) else { continue };
            let capabilities: Vec<_> = grants.iter().map(|grant| grant.capability.clone()).collect();
            let grant = give(self.project, file, &capabilities)?;
            settings.grants.insert(plugin.clone(), grant);
        }
        Ok(true)
    }

    /// Says which checks do not run and why; true where one of them was asked for.
    fn tell_left_out(&self, plan: &Plan, asked: bool) -> bool {
        let mut unbound: BTreeMap<String, Vec<&LeftOut>> = BTreeMap::new();
        let mut missed = false;
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
                    for line in super::binding::lines(left) {
                        printer::warn(&format!("    {line}"));
                    }
                }
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
    fn origin(&self, plan: &Plan) -> Result<Origin, Failure> {
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
        Ok(Origin { commit, watched })
    }

    async fn start(&self, plan: &Plan, settings: &Settings) -> Result<Started, Failure> {
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
        let (mut jobs, mut down) = (vec![], false);
        for task in &plan.tasks {
            match task.job(started.endpoints()) {
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
        cancel: impl Future<Output = ()>,
    ) -> (Vec<(TaskId, Result<Box<Run>, RunError>)>, bool) {
        let (sender, mut events) = mpsc::unbounded_channel();
        let language = self.project.language(self.context);
        let shown = async {
            let (mut ended, mut interrupted) = (vec![], false);
            let mut progress = self.display.begin(plan, language);
            while let Some(event) = events.recv().await {
                progress.show(&event);
                match event {
                    Event::Finished { task, result } => ended.push((task, result)),
                    Event::Cancelled(_) => interrupted = true,
                    Event::Started(_) | Event::Progress { .. } => {}
                }
            }
            (ended, interrupted)
        };
        let ((), shown) = tokio::join!(run(Arc::new(plugins.host), jobs, limit, sender, cancel), shown);
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
        let (verdict, fault, elapsed) = match result {
            Ok(run) => (Verdict { evidence: vec![], ..run.verdict }, false, run.elapsed),
            Err(error) => {
                (Verdict::undecided(Text::same(error.to_string())), true, std::time::Duration::ZERO)
            }
        };
        let identity = |name: &TargetName| Some((name.clone(), started.identity(name)?.to_owned()));
        let record = Record {
            verdict,
            fault,
            at: now(),
            plugin: task.plugin,
            version: task.version.clone(),
            definition: task.definition.digest(),
            seed,
            commit: origin.commit.clone(),
            watched: origin.watched.get(&task.id).copied(),
            targets: task.targets.values().filter_map(identity).collect(),
            elapsed,
        };
        Recorded { item: task.item.clone(), check: task.definition.uses.clone(), record }
    }

    fn record(&self, records: &[Recorded], settings: &Settings) -> Result<(), Failure> {
        let ids: BTreeSet<_> = records.iter().map(|recorded| &recorded.item).collect();
        let items: Vec<_> = ids.into_iter().filter_map(|id| self.project.catalog.item(id)).collect();
        let passed =
            records.iter().filter(|recorded| recorded.record.verdict.outcome == Outcome::Pass).count();
        let mut message = format!("mustdo: verify, {passed} of {} checks pass\n\n", records.len());
        for recorded in records {
            let word = recorded.record.verdict.outcome.word();
            message.push_str(&format!("- {} {}: {word}\n", recorded.item, recorded.check));
        }
        let commit = self.options.commit || settings.commit == Some(true);
        let remember = |item: &Item, entry: &mut crate::model::Entry| {
            for recorded in records.iter().filter(|recorded| recorded.item == item.id) {
                entry.checks.entry(recorded.check.clone()).or_default().remember(recorded.record.clone());
            }
        };
        edit(self.context, self.project, &items, remember, commit.then_some(&*message))
    }
}

/// What a verdict is recorded under.
struct Origin {
    commit: Option<String>,
    watched: BTreeMap<TaskId, Digest>,
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
