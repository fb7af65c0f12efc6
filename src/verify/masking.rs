//! Secrets taken out of everything a run tells: the one place where what a plugin says becomes fit to be shown or kept.

use crate::model::{Attempt, Finding, Location, Mask, Step, Text, Verdict};

use super::{Access, Event, Run, RunError, RunFault, Trace};

/// Stands for a secret where only the letters of an identifier may stand.
const NAME: &str = "masked";

impl Event {
    /// The event with every secret taken out. Whoever receives events calls this before anything else.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        if mask.is_empty() {
            return self;
        }
        match self {
            Self::Progress { task, fraction, message } => {
                Self::Progress { task, fraction, message: mask.text(&message) }
            }
            Self::Finished { task, result } => Self::Finished {
                task,
                result: match result {
                    Ok(run) => Ok(Box::new(self::run(*run, mask))),
                    Err(error) => Err(self::error(error, mask)),
                },
            },
            Self::Stopped { task, trace } => {
                Self::Stopped { task, trace: Box::new(self::trace(*trace, mask)) }
            }
            Self::Started(_) | Self::Cancelled(_) => self,
        }
    }
}

fn run(run: Run, mask: &Mask) -> Run {
    let Run { verdict, elapsed, accesses, log, attempts } = run;
    Run {
        verdict: self::verdict(verdict, mask),
        elapsed,
        accesses: self::accesses(accesses, mask),
        log: lines(&log, mask),
        attempts: self::attempts(attempts, mask),
    }
}

fn attempts(attempts: Vec<Attempt>, mask: &Mask) -> Vec<Attempt> {
    attempts.into_iter().map(|attempt| Attempt { summary: text(&attempt.summary, mask), ..attempt }).collect()
}

fn error(error: RunError, mask: &Mask) -> RunError {
    let RunError { plugin, version, fault, trace } = error;
    RunError { plugin, version, fault: self::fault(fault, mask), trace: Box::new(self::trace(*trace, mask)) }
}

fn trace(trace: Trace, mask: &Mask) -> Trace {
    let Trace { elapsed, accesses, log, attempts } = trace;
    Trace {
        elapsed,
        accesses: self::accesses(accesses, mask),
        log: lines(&log, mask),
        attempts: self::attempts(attempts, mask),
    }
}

fn fault(fault: RunFault, mask: &Mask) -> RunFault {
    match fault {
        RunFault::TimedOut { .. } | RunFault::OutOfMemory { .. } | RunFault::OutOfStack { .. } => fault,
        RunFault::OverLimit(words) => RunFault::OverLimit(mask.text(&words)),
        RunFault::Trapped(words) => RunFault::Trapped(mask.text(&words)),
        RunFault::Verdict(error) => {
            let words = error.to_string();
            let masked = mask.text(&words);
            if masked == words { RunFault::Verdict(error) } else { RunFault::Contract(masked) }
        }
        RunFault::Contract(words) => RunFault::Contract(mask.text(&words)),
        RunFault::UnknownCheck(words) => RunFault::UnknownCheck(mask.text(&words)),
        RunFault::Params(words) => RunFault::Params(mask.text(&words)),
        RunFault::Internal(words) => RunFault::Internal(mask.text(&words)),
        RunFault::Replay(words) => RunFault::Replay(mask.text(&words)),
        RunFault::Host(words) => RunFault::Host(mask.text(&words)),
    }
}

fn accesses(accesses: Vec<Access>, mask: &Mask) -> Vec<Access> {
    let masked = |Access { at, what, refused }: Access| Access {
        at,
        what: mask.text(&what),
        refused: refused.map(|words| mask.text(&words)),
    };
    accesses.into_iter().map(masked).collect()
}

fn lines(lines: &[String], mask: &Mask) -> Vec<String> {
    lines.iter().map(|line| mask.text(line)).collect()
}

fn verdict(verdict: Verdict, mask: &Mask) -> Verdict {
    let Verdict { outcome, summary, score, mut steps, mut findings, mut evidence, mut measurements } =
        verdict;
    for index in 0..steps.len() {
        let Step { id, need: _, outcome: _, summary } = &mut steps[index];
        *summary = text(summary, mask);
        *id = name(id, mask);
        // Two ids that differed in a secret alone must stay two.
        let id = steps[index].id.clone();
        if steps[..index].iter().any(|step| step.id == id) {
            steps[index].id = format!("{id}-{index}");
        }
    }
    for Finding { severity: _, code, message, at, hint } in &mut findings {
        *code = name(code, mask);
        *message = text(message, mask);
        *at = at.take().map(|at| location(at, mask));
        *hint = hint.as_ref().map(|hint| text(hint, mask));
    }
    for piece in &mut evidence {
        piece.label = mask.text(&piece.label);
        piece.media_type = mask.text(&piece.media_type);
        piece.body = mask.bytes(&piece.body);
    }
    for figure in &mut measurements {
        for words in [&mut figure.name, &mut figure.unit, &mut figure.statistic] {
            *words = mask.text(words);
        }
    }
    Verdict { outcome, summary: text(&summary, mask), score, steps, findings, evidence, measurements }
}

fn location(location: Location, mask: &Mask) -> Location {
    match location {
        Location::Source { target, path, line, column, end_line, end_column } => {
            Location::Source { target, path: mask.text(&path), line, column, end_line, end_column }
        }
        Location::Exchange { target, request } => Location::Exchange { target, request: mask.text(&request) },
        Location::Note(words) => Location::Note(mask.text(&words)),
        // Names of the workspace.
        Location::Endpoint(_) | Location::Process(_) => location,
    }
}

fn text(text: &Text, mask: &Mask) -> Text {
    Text::new(mask.text(&text.en), mask.text(&text.zh))
}

/// An identifier that stays one.
fn name(name: &str, mask: &Mask) -> String {
    let masked = mask.text(name);
    if masked == name { masked } else { masked.replace("***", NAME) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Evidence, Measurement, Need, Outcome, Severity, TargetName, VerdictError};
    use crate::verify::{TaskId, Trace};

    /// As it is, in base64 behind a name and in a query.
    const LEAKS: [&str; 3] = ["hunter2-x&y", "dXNlcjpodW50ZXIyLXgmeQ==", "hunter2-x%26y"];

    fn mask() -> Mask {
        Mask::new(["hunter2-x&y", "kebab-secret"])
    }

    fn access(leak: &str) -> Access {
        let words = format!("http GET web /login?p={leak}");
        Access { at: Duration::ZERO, refused: Some(words.clone()), what: words }
    }

    fn trace(leak: &str) -> Trace {
        Trace {
            elapsed: Duration::ZERO,
            accesses: vec![access(leak)],
            log: vec![format!("info: {leak}")],
            attempts: vec![Attempt { summary: Text::same(leak), fault: false, elapsed: Duration::ZERO }],
        }
    }

    fn leaky(leak: &str) -> Verdict {
        let words = || Text::new(format!("got {leak} back"), format!("收到 {leak}"));
        let target: TargetName = "web".parse().unwrap();
        let finding = |at| Finding {
            severity: Severity::Info,
            code: "x.kebab-secret".to_owned(),
            message: words(),
            at: Some(at),
            hint: Some(words()),
        };
        let step =
            |id: &str| Step { id: id.to_owned(), need: Need::Must, outcome: Outcome::Pass, summary: words() };
        Verdict {
            outcome: Outcome::Pass,
            summary: words(),
            score: None,
            steps: vec![step("a-kebab-secret"), step("a-masked"), step("kebab-secret")],
            findings: vec![
                finding(Location::Exchange { target: target.clone(), request: format!("GET /{leak}") }),
                finding(Location::Note(leak.to_owned())),
                finding(Location::Source {
                    target,
                    path: format!("a/{leak}"),
                    line: None,
                    column: None,
                    end_line: None,
                    end_column: None,
                }),
            ],
            evidence: vec![Evidence {
                label: leak.to_owned(),
                media_type: format!("text/plain; x={leak}"),
                body: leak.as_bytes().to_vec(),
            }],
            measurements: vec![Measurement {
                name: leak.to_owned(),
                value: 1.0,
                unit: leak.to_owned(),
                samples: 1,
                statistic: leak.to_owned(),
            }],
        }
    }

    /// Everything there is in it, bytes as text.
    fn everything(event: &Event) -> String {
        let mut text = format!("{event:?}");
        if let Event::Finished { result: Ok(run), .. } = event {
            for piece in &run.verdict.evidence {
                text.push_str(&String::from_utf8_lossy(&piece.body));
            }
        }
        text
    }

    #[test]
    fn no_word_of_an_event_carries_a_secret() {
        let task = TaskId(0);
        for leak in LEAKS {
            let Trace { elapsed, accesses, log, attempts } = trace(leak);
            let run = Run { verdict: leaky(leak), elapsed, accesses, log, attempts };
            let mut events = vec![
                Event::Progress { task, fraction: None, message: format!("sending {leak}") },
                Event::Finished { task, result: Ok(Box::new(run)) },
            ];
            for fault in [
                RunFault::OverLimit(leak.to_owned()),
                RunFault::Trapped(leak.to_owned()),
                RunFault::Verdict(VerdictError::DuplicateStep { step: leak.to_owned() }),
                RunFault::Contract(leak.to_owned()),
                RunFault::UnknownCheck(leak.to_owned()),
                RunFault::Params(leak.to_owned()),
                RunFault::Internal(leak.to_owned()),
                RunFault::Host(leak.to_owned()),
            ] {
                let (plugin, version) = ("probe".parse().unwrap(), semver::Version::new(1, 0, 0));
                let error = RunError { plugin, version, fault, trace: Box::new(trace(leak)) };
                events.push(Event::Finished { task, result: Err(error) });
            }
            for event in events {
                assert!(everything(&event).contains(leak), "the test does not leak: {event:?}");
                let masked = everything(&event.masked(&mask()));
                let core = leak.trim_start_matches("dXNlcj").trim_end_matches("eQ==");
                for secret in [leak, core, "hunter2", "kebab-secret"] {
                    assert!(!masked.contains(secret), "{secret} in {masked}");
                }
                assert!(masked.contains("***"), "{masked}");
            }
        }
    }

    #[test]
    fn identifiers_stay_identifiers_and_two_stay_two() {
        let masked = verdict(leaky("nothing"), &mask());
        let ids: Vec<_> = masked.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["a-masked", "a-masked-1", "masked"]);
        assert!(ids.iter().all(|id| id.parse::<TargetName>().is_ok()));
        assert_eq!(masked.findings[0].code, "x.masked");
        assert_eq!(masked.validate(), Ok(()));
    }

    #[test]
    fn without_secrets_nothing_changes() {
        assert_eq!(verdict(leaky("a"), &Mask::new(["unrelated"])), leaky("a"));
    }
}
