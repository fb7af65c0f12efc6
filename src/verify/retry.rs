//! Asking again where a check could not tell.

use super::{Reporter, Run, RunError, Task, Verifier};
use crate::model::{Attempt, Outcome, Text, Verdict};

/// A verifier that runs a check again, a few times at most, where it could not tell.
///
/// Nothing else is asked again: a check that is run until it passes proves nothing, so a fail is the end, and so is "does
/// not apply". A pass that needed more than one attempt is [flaky](Outcome::Flaky) and no proof.
#[derive(Debug)]
pub struct Retrying<V> {
    inner: V,
    retries: usize,
}

impl<V> Retrying<V> {
    /// Runs each check `retries` times more at most.
    pub fn new(inner: V, retries: usize) -> Self {
        Self { inner, retries }
    }
}

impl<V: Verifier + Sync> Verifier for Retrying<V> {
    async fn verify(&self, task: &Task, reporter: Reporter) -> Result<Run, RunError> {
        let mut attempts = vec![];
        loop {
            let result = self.inner.verify(task, reporter.clone()).await;
            let attempt = match &result {
                Ok(run) if run.verdict.outcome == Outcome::Inconclusive => {
                    Attempt { summary: run.verdict.summary.clone(), fault: false, elapsed: run.elapsed }
                }
                Ok(_) => return result.map(|run| after(run, attempts)),
                Err(error) => {
                    let summary = Text::same(error.to_string());
                    Attempt { summary, fault: true, elapsed: error.trace.elapsed }
                }
            };
            if attempts.len() == self.retries {
                return match result {
                    Ok(run) => Ok(after(run, attempts)),
                    Err(mut error) => {
                        error.trace.attempts = attempts;
                        Err(error)
                    }
                };
            }
            attempts.push(attempt);
        }
    }
}

/// The run that came after `attempts` that could not tell.
fn after(run: Run, attempts: Vec<Attempt>) -> Run {
    let at_last = run.verdict.outcome == Outcome::Pass && !attempts.is_empty();
    let outcome = if at_last { Outcome::Flaky } else { run.verdict.outcome };
    Run { verdict: Verdict { outcome, ..run.verdict }, attempts, ..run }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};
    use std::sync::Mutex;
    use std::time::Duration;

    use semver::Version;
    use tokio::sync::mpsc;

    use super::*;
    use crate::model::Digest;
    use crate::verify::{RunFault, TaskId, Trace};

    /// Ends one time after another as it is told; none is a run that broke.
    struct Told(Mutex<VecDeque<Option<Outcome>>>);

    impl Verifier for Told {
        async fn verify(&self, task: &Task, _reporter: Reporter) -> Result<Run, RunError> {
            let outcome = self.0.lock().unwrap().pop_front().expect("nobody asks that often");
            let elapsed = Duration::from_millis(7);
            match outcome {
                Some(outcome) => Ok(Run {
                    verdict: Verdict { outcome, ..Verdict::undecided(Text::same(outcome.word())) },
                    elapsed,
                    accesses: vec![],
                    log: vec![],
                    attempts: vec![],
                }),
                None => Err(RunError {
                    plugin: task.check.plugin.clone(),
                    version: Version::new(1, 0, 0),
                    fault: RunFault::Trapped("unreachable".to_owned()),
                    trace: Box::new(Trace { elapsed, ..Trace::default() }),
                }),
            }
        }
    }

    /// What comes of a check with `retries`, after how many attempts that could not tell, and how often it was not asked.
    async fn ends(retries: usize, outcomes: &[Option<Outcome>]) -> (Option<Outcome>, usize, usize) {
        let task = Task {
            id: TaskId(0),
            item: "a".parse().unwrap(),
            check: "probe/one".parse().unwrap(),
            plugin: Digest::of(b"probe"),
            params: "{}".to_owned(),
            targets: BTreeMap::new(),
            names: BTreeMap::new(),
            supervised: BTreeMap::new(),
            allowed: BTreeSet::new(),
            exclusive: false,
            seed: 1,
            deadline: Duration::from_secs(1),
        };
        let (events, _heard) = mpsc::unbounded_channel();
        let told = Told(Mutex::new(outcomes.iter().copied().collect()));
        let verifier = Retrying::new(told, retries);
        let result = verifier.verify(&task, Reporter::new(task.id, events)).await;
        let left = verifier.inner.0.lock().unwrap().len();
        match result {
            Ok(run) => (Some(run.verdict.outcome), run.attempts.len(), left),
            Err(error) => (None, error.trace.attempts.len(), left),
        }
    }

    #[tokio::test]
    async fn only_what_could_not_tell_is_asked_again() {
        use Outcome::{Fail, Flaky, Inconclusive, Pass, Skip};
        for first in [Pass, Fail, Skip] {
            assert_eq!(ends(3, &[Some(first), Some(Pass)]).await, (Some(first), 0, 1));
        }
        assert_eq!(ends(3, &[Some(Inconclusive), Some(Pass), Some(Pass)]).await, (Some(Flaky), 1, 1));
        assert_eq!(ends(3, &[None, Some(Inconclusive), Some(Pass)]).await, (Some(Flaky), 2, 0));
        assert_eq!(ends(3, &[Some(Inconclusive), Some(Fail), Some(Pass)]).await, (Some(Fail), 1, 1));
        assert_eq!(ends(3, &[None, Some(Skip), Some(Pass)]).await, (Some(Skip), 1, 1));
    }

    #[tokio::test]
    async fn retries_come_to_an_end() {
        use Outcome::{Inconclusive, Pass};
        assert_eq!(ends(0, &[Some(Inconclusive), Some(Pass)]).await, (Some(Inconclusive), 0, 1));
        assert_eq!(ends(1, &[Some(Inconclusive), None, Some(Pass)]).await, (None, 1, 1));
        assert_eq!(ends(1, &[None, Some(Inconclusive), Some(Pass)]).await, (Some(Inconclusive), 1, 1));
    }
}
