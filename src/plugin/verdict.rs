//! A plugin's verdict in the words of the model. Names must be what the contract says, words are made fit to show,
//! counts are limited; whether the verdict is honest is the model's own rule.

use crate::model::{
    Evidence, Finding, ItemId, Location, Measurement, Need, Outcome, Score, Severity, Step, TargetName, Text,
    Verdict, plain_line,
};
use crate::verify::RunFault;

use super::attachment::Attachments;
use super::contract::types;
use super::description::{line, text};
use super::limit::INLINE_BYTES;

/// Characters of a summary.
const SUMMARY: usize = 500;

/// Characters of a message or a hint.
const MESSAGE: usize = 4_000;

/// Characters of a label, a unit or a place.
const LABEL: usize = 200;

/// How many of each a verdict may have: more than a person reads, less than a report can not hold.
const STEPS: usize = 200;
const FINDINGS: usize = 500;
const EVIDENCE: usize = 64;
const MEASUREMENTS: usize = 200;

/// The verdict on `item` that `given` is, or why it is none.
pub(super) fn convert(
    given: types::Verdict,
    item: &ItemId,
    attachments: &mut Attachments,
) -> Result<Verdict, RunFault> {
    let types::Verdict { status, summary, score, steps, findings, evidence, measurements, extras } = given;
    count("steps", steps.len(), STEPS)?;
    count("findings", findings.len(), FINDINGS)?;
    count("pieces of evidence", evidence.len(), EVIDENCE)?;
    count("measurements", measurements.len(), MEASUREMENTS)?;
    let verdict = Verdict {
        outcome: outcome(status),
        summary: line(&summary, &extras, "summary.zh", SUMMARY),
        score: score.map(|types::Score { earned, possible }| Score { earned, possible }),
        steps: steps.into_iter().map(step).collect::<Result<_, _>>()?,
        findings: findings.into_iter().map(|given| finding(given, item)).collect::<Result<_, _>>()?,
        evidence: evidence.into_iter().map(|given| piece(given, attachments)).collect::<Result<_, _>>()?,
        measurements: measurements.into_iter().map(measurement).collect::<Result<_, _>>()?,
    };
    if verdict.summary.en.is_empty() {
        return Err(contract("the verdict has no summary"));
    }
    verdict.validate()?;
    Ok(verdict)
}

fn contract(what: impl Into<String>) -> RunFault {
    RunFault::Contract(what.into())
}

fn count(what: &str, count: usize, limit: usize) -> Result<(), RunFault> {
    if count > limit {
        return Err(contract(format!("the verdict has {count} {what}; {limit} are allowed")));
    }
    Ok(())
}

fn outcome(status: types::Status) -> Outcome {
    match status {
        types::Status::Pass => Outcome::Pass,
        types::Status::Fail => Outcome::Fail,
        types::Status::Inconclusive => Outcome::Inconclusive,
        types::Status::Skip => Outcome::Skip,
    }
}

fn step(given: types::Step) -> Result<Step, RunFault> {
    let types::Step { id, need, status, summary, extras } = given;
    // A step's id has the letters of a target's name: kebab-case.
    if id.parse::<TargetName>().is_err() {
        return Err(contract(format!("the step id {:?} is not kebab-case", plain_line(&id, LABEL))));
    }
    Ok(Step {
        id,
        need: match need {
            types::Need::Must => Need::Must,
            types::Need::Should => Need::Should,
        },
        outcome: outcome(status),
        summary: line(&summary, &extras, "zh", SUMMARY),
    })
}

fn finding(given: types::Finding, item: &ItemId) -> Result<Finding, RunFault> {
    let types::Finding { severity, code, message, at, hint, extras } = given;
    // A code has the letters of an item's id: kebab-case with dots.
    if code.parse::<ItemId>().is_err() {
        return Err(contract(format!("the finding code {:?} is not kebab-case", plain_line(&code, LABEL))));
    }
    Ok(Finding {
        severity: match severity {
            types::Severity::Info => Severity::Info,
            types::Severity::Warning => Severity::Warning,
            types::Severity::Problem => Severity::Problem,
        },
        code,
        message: text(&message, &extras, "message.zh", MESSAGE),
        at: at.map(location).transpose()?,
        hint: hint.map(|hint| for_item(&text(&hint, &extras, "hint.zh", MESSAGE), item)),
    })
}

/// A hint whose lines for `mustdo.toml` bind `item`. A plugin is not told for which item it is asked, so its hints name one
/// that may be another: `[item."…"]` and `[item."…".with]` on a line of their own are about the one that was asked for.
fn for_item(hint: &Text, item: &ItemId) -> Text {
    let line = |line: &str| {
        let rest = line.strip_prefix("[item.\"").and_then(|rest| rest.split_once('"'));
        match rest {
            Some((_, rest @ ("]" | ".with]"))) => format!("[item.\"{item}\"{rest}"),
            Some(_) | None => line.to_owned(),
        }
    };
    let hint_in = |text: &str| text.split('\n').map(line).collect::<Vec<_>>().join("\n");
    Text::new(hint_in(&hint.en), hint_in(&hint.zh))
}

fn location(given: types::Location) -> Result<Location, RunFault> {
    let target = |name: String| {
        name.parse::<TargetName>()
            .map_err(|_| contract(format!("{:?} is not the name of a target", plain_line(&name, LABEL))))
    };
    Ok(match given {
        types::Location::Source((name, span)) => source(target(name)?, span)?,
        types::Location::Exchange((name, request)) => {
            Location::Exchange { target: target(name)?, request: plain_line(&request, SUMMARY) }
        }
        types::Location::Endpoint(name) => Location::Endpoint(target(name)?),
        types::Location::Process(name) => Location::Process(target(name)?),
        types::Location::Note(words) => Location::Note(plain_line(&words, SUMMARY)),
    })
}

fn source(target: TargetName, given: types::SourceSpan) -> Result<Location, RunFault> {
    let types::SourceSpan { path, line, column, end_line, end_column } = given;
    // Reports and editors open this path below the target's root.
    if path.is_empty()
        || path != plain_line(&path, MESSAGE)
        || path.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(contract(format!("{:?} is not a path below a target", plain_line(&path, LABEL))));
    }
    if [line, column, end_line, end_column].contains(&Some(0)) {
        return Err(contract("lines and columns are counted from 1"));
    }
    Ok(Location::Source { target, path, line, column, end_line, end_column })
}

fn piece(given: types::Evidence, attachments: &mut Attachments) -> Result<Evidence, RunFault> {
    let types::Evidence { label, media_type, body } = given;
    if !is_media_type(&media_type) {
        return Err(contract(format!("{:?} is not a media type", plain_line(&media_type, LABEL))));
    }
    let body = match body {
        types::EvidenceBody::InlineText(text) if text.len() > INLINE_BYTES => {
            return Err(contract(format!("a piece of evidence may have {} MiB", INLINE_BYTES >> 20)));
        }
        types::EvidenceBody::InlineText(text) => text.into_bytes(),
        types::EvidenceBody::Stored(handle) => attachments.take(handle).ok_or_else(|| {
            contract(format!("the evidence names the attachment {handle}, which is not there"))
        })?,
    };
    Ok(Evidence { label: plain_line(&label, LABEL), media_type, body })
}

/// `type/subtype`, perhaps with parameters (RFC 9110, 8.3.1).
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    text.len() <= LABEL
        && parameters.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && essence.trim_end().split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

fn measurement(given: types::Measurement) -> Result<Measurement, RunFault> {
    let types::Measurement { name, value, unit, samples, statistic, extras: _ } = given;
    let name = plain_line(&name, LABEL);
    if name.is_empty() {
        return Err(contract("a measurement has no name"));
    }
    Ok(Measurement {
        name,
        value,
        unit: plain_line(&unit, LABEL),
        samples,
        statistic: plain_line(&statistic, LABEL),
    })
}

#[cfg(test)]
mod tests {
    use crate::model::{Limits, VerdictError};

    use super::*;

    fn step(id: &str, status: types::Status) -> types::Step {
        types::Step {
            id: id.to_owned(),
            need: types::Need::Must,
            status,
            summary: "done".to_owned(),
            extras: vec![("zh".to_owned(), "好了".to_owned())],
        }
    }

    fn passing() -> types::Verdict {
        types::Verdict {
            status: types::Status::Pass,
            summary: "all \u{1b}[32mgood\u{1b}[0m".to_owned(),
            score: None,
            steps: vec![step("one", types::Status::Pass)],
            findings: vec![],
            evidence: vec![],
            measurements: vec![],
            extras: vec![("summary.zh".to_owned(), "都好".to_owned())],
        }
    }

    fn finding() -> types::Finding {
        types::Finding {
            severity: types::Severity::Problem,
            code: "redis.no-expiry".to_owned(),
            message: "a\nb".to_owned(),
            at: None,
            hint: Some("c".to_owned()),
            extras: vec![("hint.zh".to_owned(), "丙".to_owned())],
        }
    }

    fn convert(given: types::Verdict) -> Result<Verdict, RunFault> {
        super::convert(given, &"shop.orders".parse().unwrap(), &mut Attachments::new(&Limits::default()))
    }

    fn broken(change: impl FnOnce(&mut types::Verdict)) -> RunFault {
        let mut given = passing();
        change(&mut given);
        convert(given).unwrap_err()
    }

    #[test]
    fn words_come_over_clean_and_in_both_languages() {
        let mut given = passing();
        given.findings.push(finding());
        let verdict = convert(given).unwrap();
        assert_eq!(verdict.summary, Text::new("all good", "都好"));
        assert_eq!(verdict.steps[0].summary, Text::new("done", "好了"));
        assert_eq!(verdict.findings[0].message, Text::same("a\nb"));
        assert_eq!(verdict.findings[0].hint, Some(Text::new("c", "丙")));
    }

    #[test]
    fn lines_in_a_hint_are_for_the_item_that_was_asked_for() {
        let hinted = |hint: &str| {
            let given = types::Finding { hint: Some(hint.to_owned()), extras: vec![], ..finding() };
            convert(types::Verdict { findings: vec![given], ..passing() }).unwrap().findings.remove(0).hint
        };
        let is = |hint: &str, shown: &str| assert_eq!(hinted(hint), Some(Text::same(shown)));
        is("say how\n[item.\"a.b\"]\nwith = { n = 1 }", "say how\n[item.\"shop.orders\"]\nwith = { n = 1 }");
        is("[item.\"a.b\".with]\nn = 1", "[item.\"shop.orders\".with]\nn = 1");
        // Words about another item stay about it, and so does everything that is no such line.
        for other in
            ["see [item.\"a.b\"]", "[item.\"a.b\"] says", "[item.\"a.b", "[targets.web]\nkind = \"http\""]
        {
            is(other, other);
        }
    }

    #[test]
    fn lying_verdict_is_no_verdict() {
        let fault = broken(|verdict| verdict.steps.push(step("two", types::Status::Fail)));
        assert!(matches!(fault, RunFault::Verdict(VerdictError::FailedMust { .. })));
        assert_eq!(broken(|verdict| verdict.steps.clear()), RunFault::Verdict(VerdictError::NothingPassed));
        let fault = broken(|verdict| verdict.score = Some(types::Score { earned: 2.0, possible: 1.0 }));
        assert!(matches!(fault, RunFault::Verdict(VerdictError::Score { .. })));
    }

    #[test]
    fn what_the_contract_does_not_allow_is_a_contract_fault() {
        let faults = [
            broken(|verdict| verdict.summary = "\u{7}".to_owned()),
            broken(|verdict| verdict.steps[0].id = "One Step".to_owned()),
            broken(|verdict| verdict.steps = vec![step("a", types::Status::Pass); STEPS + 1]),
            broken(|verdict| verdict.findings = vec![finding(); FINDINGS + 1]),
            broken(|verdict| {
                verdict.findings = vec![types::Finding { code: "No Code".to_owned(), ..finding() }];
            }),
            broken(|verdict| {
                verdict.evidence = vec![types::Evidence {
                    label: "a".to_owned(),
                    media_type: "text".to_owned(),
                    body: types::EvidenceBody::InlineText(String::new()),
                }];
            }),
            broken(|verdict| {
                verdict.evidence = vec![types::Evidence {
                    label: "a".to_owned(),
                    media_type: "text/plain; charset=utf-8".to_owned(),
                    body: types::EvidenceBody::Stored(0),
                }];
            }),
        ];
        for fault in faults {
            assert!(matches!(fault, RunFault::Contract(_)), "{fault:?}");
        }
    }

    #[test]
    fn places_lie_below_their_target() {
        let at = |path: &str, line| {
            let span = types::SourceSpan {
                path: path.to_owned(),
                line,
                column: None,
                end_line: None,
                end_column: None,
            };
            let at = Some(types::Location::Source(("src".to_owned(), span)));
            convert(types::Verdict { findings: vec![types::Finding { at, ..finding() }], ..passing() })
        };
        assert!(at("app/main.py", Some(1)).is_ok());
        for (path, line) in
            [("/etc/passwd", None), ("../x", None), ("a\u{1b}[0m", None), ("", None), ("a", Some(0))]
        {
            assert!(matches!(at(path, line), Err(RunFault::Contract(_))), "{path:?}");
        }
    }
}
