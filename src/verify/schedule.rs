//! Running the jobs of a plan, several at once.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{Id, JoinError, JoinSet};

use super::queue::Queue;
use super::{Event, Job, Reporter, Run, RunError, RunFault, Verifier};

/// Runs every job to its end, at most `limit` at once, and tells `events` of each exactly once that it
/// [ended](Event::Finished) or [was cancelled](Event::Cancelled).
///
/// A job starts after those it names in `after`, whatever they ended with; ids that are not earlier in `jobs` are not
/// waited for. An exclusive one shares none of its targets with another while it runs; from the moment it waits, later
/// ones on its targets wait behind it, and jobs on other targets go on. A verifier that panics ends that one job as
/// [`RunFault::Host`].
///
/// When `cancel` ends first, running jobs are stopped where they are, nothing new begins, and verdicts that were reached
/// by then are still told; a verifier that is dropped can tell by its reporter what it did ([`Event::Stopped`]). Dropping the future stops everything and tells nothing.
pub async fn run<V>(
    verifier: Arc<V>,
    jobs: Vec<Job>,
    limit: NonZeroUsize,
    events: UnboundedSender<Event>,
    cancel: impl Future<Output = ()>,
) where
    V: Verifier + Send + Sync + 'static,
{
    let queue = Queue::new(&jobs);
    let jobs = jobs.into_iter().map(Arc::new).collect();
    let mut schedule = Schedule { jobs, queue, running: HashMap::new(), set: JoinSet::new(), events };
    let mut cancel = pin!(cancel);
    loop {
        schedule.fill(&verifier, limit);
        tokio::select! {
            biased;
            () = &mut cancel => return schedule.cancel().await,
            ended = schedule.set.join_next_with_id() => match ended {
                Some(ended) => schedule.ended(ended),
                None => return,
            },
        }
    }
}

type Answer = Result<Run, RunError>;

struct Schedule {
    jobs: Vec<Arc<Job>>,
    queue: Queue,
    /// Places of the running jobs.
    running: HashMap<Id, usize>,
    set: JoinSet<Answer>,
    events: UnboundedSender<Event>,
}

impl Schedule {
    fn fill<V>(&mut self, verifier: &Arc<V>, limit: NonZeroUsize)
    where
        V: Verifier + Send + Sync + 'static,
    {
        while self.running.len() < limit.get() {
            let Some(place) = self.queue.pop() else { return };
            let job = Arc::clone(&self.jobs[place]);
            let verifier = Arc::clone(verifier);
            let reporter = Reporter::new(job.task.id, self.events.clone());
            self.tell(Event::Started(job.task.id));
            let handle = self.set.spawn(async move { verifier.verify(&job.task, reporter).await });
            self.running.insert(handle.id(), place);
        }
    }

    fn ended(&mut self, ended: Result<(Id, Answer), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(place) = self.running.remove(&id) else { return };
        self.queue.end(place);
        let job = &self.jobs[place];
        let task = job.task.id;
        let result = match ended {
            Ok((_, result)) => result.map(Box::new),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(panicked(job, panic.as_ref())),
                Err(_) => return self.tell(Event::Cancelled(task)),
            },
        };
        self.tell(Event::Finished { task, result });
    }

    async fn cancel(mut self) {
        self.set.abort_all();
        while let Some(ended) = self.set.join_next_with_id().await {
            self.ended(ended);
        }
        // Whatever `ended` made ready has not begun, nor has anything behind it.
        for place in self.queue.never_popped() {
            self.tell(Event::Cancelled(self.jobs[place].task.id));
        }
    }

    fn tell(&self, event: Event) {
        // A display that has gone away must not stop the checks.
        drop(self.events.send(event));
    }
}

fn panicked(job: &Job, panic: &(dyn Any + Send)) -> RunError {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    RunError {
        plugin: job.task.check.plugin.clone(),
        version: job.version.clone(),
        fault: RunFault::Host(format!("mustdo panicked: {message}")),
        trace: Box::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Mutex;
    use std::time::Duration;

    use proptest::prelude::*;
    use semver::Version;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;
    use crate::model::{Digest, Outcome, Text, Verdict};
    use crate::verify::{Task, TaskId};

    /// Takes as many milliseconds as the task's seed says, and notes who runs when.
    #[derive(Default)]
    struct Fake {
        notes: Mutex<Vec<Note>>,
        panics: Option<TaskId>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Note {
        Enter(usize),
        Leave(usize),
    }

    impl Fake {
        fn note(&self, note: Note) {
            self.notes.lock().unwrap().push(note);
        }
    }

    /// Leaves when it goes, also where the run was cancelled or panicked.
    struct Inside<'a>(&'a Fake, usize);

    impl Drop for Inside<'_> {
        fn drop(&mut self) {
            self.0.note(Note::Leave(self.1));
        }
    }

    impl Verifier for Fake {
        async fn verify(&self, task: &Task, reporter: Reporter) -> Answer {
            self.note(Note::Enter(task.id.0));
            let _inside = Inside(self, task.id.0);
            reporter.progress(Some(0.5), "half".to_owned());
            tokio::time::sleep(Duration::from_millis(task.seed)).await;
            assert!(self.panics != Some(task.id), "as told");
            Ok(Run {
                verdict: pass(),
                elapsed: Duration::ZERO,
                accesses: vec![],
                log: vec![],
                attempts: vec![],
            })
        }
    }

    fn pass() -> Verdict {
        Verdict {
            outcome: Outcome::Pass,
            summary: Text::same("fine"),
            score: None,
            steps: vec![],
            findings: vec![],
            evidence: vec![],
            measurements: vec![],
        }
    }

    fn job(id: usize, millis: u64, uses: &[&str], exclusive: bool, after: &[usize]) -> Job {
        Job {
            task: Task {
                id: TaskId(id),
                item: "an.item".parse().unwrap(),
                check: "probe/check".parse().unwrap(),
                plugin: Digest::of(b""),
                params: "{}".to_owned(),
                targets: BTreeMap::new(),
                names: BTreeMap::new(),
                supervised: BTreeMap::new(),
                allowed: BTreeSet::new(),
                exclusive,
                seed: millis,
                deadline: Duration::from_secs(10),
            },
            version: Version::new(1, 0, 0),
            after: after.iter().map(|&id| TaskId(id)).collect(),
            uses: uses.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    /// How each job ended, in order.
    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    enum End {
        Verdict,
        Fault,
        Cancelled,
    }

    struct Trace {
        notes: Vec<Note>,
        ends: Vec<(usize, End)>,
        started: usize,
        took: Duration,
    }

    async fn trace(fake: Fake, jobs: Vec<Job>, limit: usize, cancel: impl Future<Output = ()>) -> Trace {
        let fake = Arc::new(fake);
        let (events, mut heard) = mpsc::unbounded_channel();
        let begun = Instant::now();
        run(Arc::clone(&fake), jobs, NonZeroUsize::new(limit).unwrap(), events, cancel).await;
        let took = begun.elapsed();
        let (mut ends, mut started) = (vec![], 0);
        while let Some(event) = heard.recv().await {
            match event {
                Event::Started(_) => started += 1,
                Event::Progress { .. } | Event::Stopped { .. } => {}
                Event::Finished { task, result: Ok(_) } => ends.push((task.0, End::Verdict)),
                Event::Finished { task, result: Err(_) } => ends.push((task.0, End::Fault)),
                Event::Cancelled(task) => ends.push((task.0, End::Cancelled)),
            }
        }
        Trace { notes: fake.notes.lock().unwrap().clone(), ends, started, took }
    }

    fn entered(trace: &Trace) -> Vec<usize> {
        let enter = |note: &Note| match note {
            Note::Enter(id) => Some(*id),
            Note::Leave(_) => None,
        };
        trace.notes.iter().filter_map(enter).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_run_side_by_side_up_to_the_limit() {
        let jobs = |count| (0..count).map(|id| job(id, 100, &["web"], false, &[])).collect();
        let trace_of = |limit| trace(Fake::default(), jobs(6), limit, std::future::pending());
        for (limit, millis) in [(1, 600), (2, 300), (4, 200), (100, 100)] {
            assert_eq!(trace_of(limit).await.took.as_millis(), millis, "{limit} at once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_run_ends_at_once() {
        let trace = trace(Fake::default(), vec![], 4, std::future::pending()).await;
        assert_eq!((trace.took, trace.ends), (Duration::ZERO, vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn needed_jobs_end_first_and_strangers_are_not_waited_for() {
        let jobs = vec![
            job(4, 50, &[], false, &[99]),
            job(5, 10, &[], false, &[4]),
            job(6, 10, &[], false, &[4, 5, 7]),
            job(7, 10, &[], false, &[]),
        ];
        let trace = trace(Fake::default(), jobs, 8, std::future::pending()).await;
        assert_eq!(entered(&trace), [4, 7, 5, 6]);
        assert_eq!(trace.took.as_millis(), 70);
    }

    #[tokio::test(start_paused = true)]
    async fn an_exclusive_job_is_alone_on_its_targets_while_others_go_on() {
        let jobs = vec![
            job(0, 100, &["web"], false, &[]),
            job(1, 50, &["web", "db"], true, &[]),
            job(2, 10, &["web"], false, &[]),
            job(3, 10, &["db"], false, &[]),
            job(4, 10, &["src"], false, &[]),
        ];
        let trace = trace(Fake::default(), jobs, 8, std::future::pending()).await;
        // 2 and 3 came later than the exclusive 1, so they wait behind it, though 0 would share with 2.
        assert_eq!(entered(&trace), [0, 4, 1, 2, 3]);
        assert_eq!(trace.took.as_millis(), 160);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_sharing_jobs_does_not_starve_an_exclusive_one() {
        let mut jobs: Vec<Job> = (0..50).map(|id| job(id, 10 + id as u64, &["web"], false, &[])).collect();
        jobs.insert(3, job(50, 10, &["web"], true, &[]));
        let trace = trace(Fake::default(), jobs, 2, std::future::pending()).await;
        assert_eq!(entered(&trace).iter().position(|&id| id == 50), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_keeps_verdicts_and_stops_the_rest() {
        let jobs = vec![
            job(0, 10, &[], false, &[]),
            job(1, 1000, &[], false, &[]),
            job(2, 1000, &["web"], true, &[]),
            job(3, 1000, &["web"], true, &[]),
            job(4, 10, &[], false, &[1]),
        ];
        let cancel = tokio::time::sleep(Duration::from_millis(100));
        let trace = trace(Fake::default(), jobs, 3, cancel).await;
        assert_eq!(trace.took.as_millis(), 100);
        let mut ends = trace.ends;
        assert_eq!(ends[0], (0, End::Verdict));
        ends.sort_unstable_by_key(|end| end.0);
        let cancelled = |id| (id, End::Cancelled);
        assert_eq!(ends[1..], [cancelled(1), cancelled(2), cancelled(3), cancelled(4)]);
        assert_eq!(trace.started, 3);
        assert_eq!(trace.notes.len(), 6, "whoever entered has left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_one_job_and_no_other() {
        let jobs = vec![
            job(0, 10, &["web"], true, &[]),
            job(1, 10, &["web"], true, &[]),
            job(2, 10, &[], false, &[0]),
        ];
        let fake = Fake { panics: Some(TaskId(0)), ..Fake::default() };
        let trace = trace(fake, jobs, 1, std::future::pending()).await;
        assert_eq!(trace.ends, [(0, End::Fault), (1, End::Verdict), (2, End::Verdict)]);
    }

    #[test]
    fn a_panic_is_told_in_its_own_words() {
        let error = panicked(&job(0, 0, &[], false, &[]), &"out of cheese");
        assert_eq!(error.to_string(), "plugin probe 1.0.0 could not be run: mustdo panicked: out of cheese");
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_went_away_does_not_stop_the_checks() {
        let fake = Arc::new(Fake::default());
        let (events, heard) = mpsc::unbounded_channel();
        drop(heard);
        let jobs = (0..5).map(|id| job(id, 10, &[], false, &[])).collect();
        run(Arc::clone(&fake), jobs, NonZeroUsize::MIN, events, std::future::pending()).await;
        assert_eq!(fake.notes.lock().unwrap().len(), 10);
    }

    const TARGETS: [&str; 4] = ["web", "db", "redis", "src"];

    fn plans() -> impl Strategy<Value = (Vec<Job>, usize, Option<u64>)> {
        let shape = (
            0..40_u64,
            proptest::sample::subsequence(&TARGETS[..], 0..=TARGETS.len()),
            any::<bool>(),
            proptest::collection::vec(0..30_usize, 0..4),
        );
        let jobs = proptest::collection::vec(shape, 0..30).prop_map(|shapes| {
            let shapes = shapes.into_iter().enumerate();
            shapes.map(|(id, (millis, uses, alone, after))| job(id, millis, &uses, alone, &after)).collect()
        });
        (jobs, 1..6_usize, proptest::option::of(0..200_u64))
    }

    proptest! {
        #[test]
        fn every_plan_keeps_its_promises((jobs, limit, cancel) in plans()) {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let trace = runtime.block_on(trace(Fake::default(), jobs.clone(), limit, async {
                match cancel {
                    Some(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                    None => std::future::pending().await,
                }
            }));

            let mut ended: Vec<usize> = trace.ends.iter().map(|end| end.0).collect();
            ended.sort_unstable();
            prop_assert_eq!(ended, (0..jobs.len()).collect::<Vec<_>>(), "each ends exactly once");
            if cancel.is_none() {
                prop_assert!(trace.ends.iter().all(|end| end.1 == End::Verdict));
            }

            let mut inside: Vec<usize> = vec![];
            let mut left = BTreeSet::new();
            for note in &trace.notes {
                match *note {
                    Note::Enter(id) => {
                        let new = &jobs[id];
                        let first = new.after.iter().filter(|before| before.0 < id);
                        prop_assert!(first.into_iter().all(|before| left.contains(&before.0)), "order");
                        for &other in &inside {
                            let other = &jobs[other];
                            let meet = new.uses.iter().any(|name| other.uses.contains(name));
                            prop_assert!(!(meet && (new.task.exclusive || other.task.exclusive)), "alone");
                        }
                        inside.push(id);
                        prop_assert!(inside.len() <= limit, "limit");
                    }
                    Note::Leave(id) => {
                        inside.retain(|&other| other != id);
                        left.insert(id);
                    }
                }
            }
            prop_assert!(inside.is_empty());
        }
    }
}
