//! Why an item stands where it stands: what decided, when, by which build of a plugin and at which commit, and what keeps it
//! back. What the latest attempts said and what made a proof stale stands with every item of a list already.

use super::paint::Ink;
use super::phrase::{day, moment, reason};
use super::tree::{Check, Row};
use super::word;
use crate::model::{CheckId, ItemId, Language, Outcome, Record, Status};

/// How many checks and needs are told of one by one; of more, how many there are.
const MOST: usize = 8;

/// How many digits of a commit's id tell it from others.
const COMMIT: usize = 12;

/// The lines for one item, the rule that gave its status first.
pub(super) fn why(row: &Row, language: Language) -> Vec<(Ink, String)> {
    let mut lines = vec![(Ink::of(row.standing.status), rule(row, language))];
    for check in row.checks.iter().take(MOST) {
        lines.extend(decision(check, language).into_iter().map(|line| (Ink::Faint, line)));
        // Of one check, the reasons stand above.
        if row.checks.len() > 1 {
            let stale = row.standing.staleness.iter().filter(|(id, _)| *id == check.id);
            lines.extend(stale.map(|(id, why)| (Ink::Old, reason(id, why, language))));
        }
    }
    if let Some(more) = row.checks.len().checked_sub(MOST).filter(|more| *more > 0) {
        lines.push((
            Ink::Faint,
            match language {
                Language::En => format!("… and {more} more checks"),
                Language::Zh => format!("……另有 {more} 项检查"),
            },
        ));
    }
    lines.extend(needs(&row.unmet, language).map(|line| (Ink::Faint, line)));
    lines
}

/// The part of the one rule ([`Standing::of`](crate::model::Standing::of)) that decided.
fn rule(row: &Row, language: Language) -> String {
    let of = row.checks.len();
    let passed =
        |check: &&Check| check.decided.as_ref().is_some_and(|record| record.verdict.outcome == Outcome::Pass);
    let passes = row.checks.iter().filter(passed).count();
    let progress = match (of, language) {
        (0, Language::En) => "this version has no check for it".to_owned(),
        (0, Language::Zh) => "此版本还没有它的检查".to_owned(),
        (1, Language::En) if passes == 1 => "its check passed".to_owned(),
        (1, Language::En) => "its check has not passed".to_owned(),
        (_, Language::En) => format!("{passes} of its {of} checks passed"),
        (_, Language::Zh) => format!("{of} 项检查中有 {passes} 项通过"),
    };
    let status = word::status(row.standing.status, language);
    let claimed = row.claim.as_ref().map(|claim| day(claim.at));
    let because = match (row.standing.status, language) {
        (Status::Proven, Language::En) => format!("{progress}, and nothing has changed since"),
        (Status::Proven, Language::Zh) => format!("{progress}，此后没有变化"),
        (Status::Stale, Language::En) => format!("{progress}, and something has changed since"),
        (Status::Stale, Language::Zh) => format!("{progress}，此后有变化"),
        (Status::Failing, Language::En) => "the latest decision of a check is a failure".to_owned(),
        (Status::Failing, Language::Zh) => "有检查的最近一次结论是未通过".to_owned(),
        (Status::Claimed, Language::En) => {
            format!("ticked by hand on {}; {progress}", claimed.unwrap_or_default())
        }
        (Status::Claimed, Language::Zh) => format!("于 {} 手动勾选；{progress}", claimed.unwrap_or_default()),
        (Status::Open, Language::En) => format!("not ticked; {progress}"),
        (Status::Open, Language::Zh) => format!("未勾选；{progress}"),
        (Status::Waived, Language::En) => "a waiver holds, whatever the checks say".to_owned(),
        (Status::Waived, Language::Zh) => "豁免有效，不看检查结果".to_owned(),
    };
    match language {
        Language::En => format!("why {status}: {because}"),
        Language::Zh => format!("为何{status}：{because}"),
    }
}

/// What a check decided, and what it tried since; where it never ran, that.
fn decision(check: &Check, language: Language) -> Vec<String> {
    let since = check.decided.is_some();
    let decided = check.decided.as_ref().map(|record| told(&check.id, record, Said::Decided, language));
    let tried = if since { Said::Since } else { Said::Tried };
    let undecided = check.undecided.as_ref().map(|record| told(&check.id, record, tried, language));
    let lines: Vec<_> = decided.into_iter().chain(undecided).collect();
    if !lines.is_empty() {
        return lines;
    }
    vec![match language {
        Language::En => format!("{}: no verdict yet", check.id),
        Language::Zh => format!("{}：还没有结论", check.id),
    }]
}

/// What a record means for the status.
#[derive(Clone, Copy)]
enum Said {
    /// It decided.
    Decided,
    /// It came after what decided, and could not tell.
    Since,
    /// It could not tell, and nothing ever did.
    Tried,
}

fn told(check: &CheckId, record: &Record, said: Said, language: Language) -> String {
    let outcome = word::outcome(record.verdict.outcome, language);
    let (at, version, plugin) = (moment(record.at), &record.version, record.plugin.short());
    let commit = record.commit.as_deref().map(|commit| {
        let short: String = commit.trim_end_matches('+').chars().take(COMMIT).collect();
        // The tree had changes beside the commit.
        if commit.ends_with('+') { format!("{short}+") } else { short }
    });
    // An unproven plugin is named as one wherever its word stands.
    let doubt = match (record.proven, language) {
        (Some(false), Language::En) => ", unproven",
        (Some(false), Language::Zh) => "，插件未经证实",
        (Some(true) | None, _) => "",
    };
    match language {
        Language::En => {
            let head = match said {
                Said::Decided => "decided",
                Said::Since => "tried since, decides nothing",
                Said::Tried => "tried, decides nothing",
            };
            let commit =
                commit.map_or_else(|| "outside a commit".to_owned(), |commit| format!("at commit {commit}"));
            format!(
                "{check}: {head}: {outcome}, {at}, by {} {version} ({plugin}{doubt}), {commit}",
                check.plugin
            )
        }
        Language::Zh => {
            let head = match said {
                Said::Decided => "结论",
                Said::Since => "此后的尝试，不作为结论",
                Said::Tried => "尝试过，不作为结论",
            };
            let commit =
                commit.map_or_else(|| "不在任何提交中".to_owned(), |commit| format!("提交 {commit}"));
            format!(
                "{check}：{head}：{outcome}，{at}，{} {version}（{plugin}{doubt}），{commit}",
                check.plugin
            )
        }
    }
}

/// What should be proven before it and is not.
fn needs(unmet: &[(ItemId, Status)], language: Language) -> Option<String> {
    if unmet.is_empty() {
        return None;
    }
    let told = unmet.iter().take(MOST).map(|(item, status)| {
        let status = word::status(*status, language);
        match language {
            Language::En => format!("{item} ({status})"),
            Language::Zh => format!("{item}（{status}）"),
        }
    });
    let separator = if language == Language::En { ", " } else { "、" };
    let mut told = told.collect::<Vec<_>>().join(separator);
    match (unmet.len().saturating_sub(MOST), language) {
        (0, _) => {}
        (more, Language::En) => told.push_str(&format!(" and {more} more")),
        (more, Language::Zh) => told.push_str(&format!("，另有 {more} 个")),
    }
    Some(match language {
        Language::En => format!("to be proven first: {told}"),
        Language::Zh => format!("应先证实：{told}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, View};
    use crate::report::{Format, write};

    fn shown(language: Language, width: u16, format: Format) -> String {
        let view = View { language, width: Some(width), why: true, ..sample::VIEW };
        write(&sample::mixed(), format, &view)
    }

    #[test]
    fn why_on_terminals_of_every_width_and_in_markdown() {
        for language in Language::ALL {
            for width in [60, 120] {
                let name = format!("why-{language}-{width}");
                insta::assert_snapshot!(name, shown(language, width, Format::Table));
            }
        }
        insta::assert_snapshot!("why-markdown", shown(Language::En, 80, Format::Markdown));
    }

    #[test]
    fn every_item_says_which_rule_it_stands_by() {
        let report = sample::mixed();
        for language in Language::ALL {
            for row in report.rows() {
                let lines = why(row, language);
                assert!(lines[0].1.contains(word::status(row.standing.status, language)));
                assert!(lines.len() <= 2 + 8 * MOST);
            }
        }
    }

    #[test]
    fn many_needs_are_counted() {
        let told = |count: usize| {
            let unmet: Vec<_> =
                (0..count).map(|place| (format!("a.i{place}").parse().unwrap(), Status::Open)).collect();
            needs(&unmet, Language::En)
        };
        assert_eq!(told(0), None);
        assert_eq!(told(1).as_deref(), Some("to be proven first: a.i0 (open)"));
        assert!(told(MOST + 2).unwrap().ends_with("a.i7 (open) and 2 more"));
    }
}
