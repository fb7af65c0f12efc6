//! Every sentence of a report, in both languages.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::tree::Report;
use super::word;
use crate::model::{
    CheckId, ItemId, Language, Location, Measurement, Outcome, Record, Span, Staleness, Status, Step, Tally,
};

/// How many ids a sentence names before it only counts.
pub(super) const NAMED: usize = 6;

/// Why a proof no longer counts, as part of a sentence.
#[must_use]
pub fn staleness(why: &Staleness, language: Language) -> String {
    match (why, language) {
        (Staleness::Age { proven, lasts }, Language::En) => {
            format!("proven on {}; a proof of it lasts {}", day(*proven), span(*lasts, language))
        }
        (Staleness::Age { proven, lasts }, Language::Zh) => {
            format!("证实于 {}，有效期为 {}", day(*proven), span(*lasts, language))
        }
        (Staleness::Future { proven }, Language::En) => {
            format!("its proof is dated {}, which is still to come: a clock was wrong", moment(*proven))
        }
        (Staleness::Future { proven }, Language::Zh) => {
            format!("证明的日期 {} 还没到：时钟有误", moment(*proven))
        }
        (Staleness::Definition, Language::En) => "the question has changed since it was proven".to_owned(),
        (Staleness::Definition, Language::Zh) => "证实之后，检查的内容变了".to_owned(),
        (Staleness::Plugin { then }, Language::En) => {
            format!("another build of the plugin proved it ({})", then.short())
        }
        (Staleness::Plugin { then }, Language::Zh) => {
            format!("当时使用的是另一个版本的插件（{}）", then.short())
        }
        (Staleness::Watched, Language::En) => "the files it depends on have changed since".to_owned(),
        (Staleness::Target { name }, Language::En) => format!("the target {name} is another one since"),
        (Staleness::Target { name }, Language::Zh) => format!("证实之后，目标 {name} 换了"),
        (Staleness::Watched, Language::Zh) => "证实之后，它依赖的文件变了".to_owned(),
    }
}

/// Why a check's proof no longer counts, for a line of its own.
pub(super) fn reason(check: &CheckId, why: &Staleness, language: Language) -> String {
    join(&check.to_string(), &staleness(why, language), language)
}

/// A step that a check skipped, and why.
pub(super) fn left_out(check: &CheckId, step: &Step, language: Language) -> String {
    let comma = match language {
        Language::En => ", ",
        Language::Zh => "，",
    };
    join(&format!("{check}{comma}{}", step.id), step.summary.get(language), language)
}

/// A pass that was not seen again.
pub(super) fn kept(check: &CheckId, at: Timestamp, language: Language) -> String {
    match language {
        Language::En => {
            format!("{check}: kept from {}, nothing that can be compared has changed", moment(at))
        }
        Language::Zh => format!("{check}：沿用 {} 的结果，可以比较的内容都没有变", moment(at)),
    }
}

/// A day, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

/// A minute, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn span(span: Span, language: Language) -> String {
    const DAY: u64 = 86_400;
    let seconds = span.get().as_secs();
    let days = seconds / DAY;
    match language {
        _ if span.get().subsec_nanos() != 0 || !seconds.is_multiple_of(DAY) || days == 0 => span.to_string(),
        Language::En => count(u32::try_from(days).unwrap_or(u32::MAX), "day"),
        Language::Zh => format!("{days} 天"),
    }
}

/// How long ago something was.
pub(super) fn ago(at: Timestamp, now: Timestamp, language: Language) -> String {
    let minutes = now.duration_since(at).as_mins();
    let (amount, one, zh) = match minutes {
        ..1 => return if language == Language::En { "just now" } else { "刚刚" }.to_owned(),
        1..60 => (minutes, "minute", "分钟"),
        60..2880 => (minutes / 60, "hour", "小时"),
        _ => (minutes / 1440, "day", "天"),
    };
    let amount = u32::try_from(amount).unwrap_or(u32::MAX);
    match language {
        Language::En => format!("{} ago", count(amount, one)),
        Language::Zh => format!("{amount} {zh}前"),
    }
}

/// What an attempt said, for a line of its own.
pub(super) fn attempt(check: &CheckId, record: &Record, language: Language) -> String {
    let summary = record.verdict.summary.get(language);
    // An unproven plugin is named as one wherever its word stands.
    let by = match (record.proven, language) {
        (Some(false), Language::En) => " (unproven plugin) ",
        (Some(false), Language::Zh) => "（插件未经证实）",
        (Some(true) | None, _) => " ",
    };
    let said = match (language, record.verdict.outcome) {
        (Language::En, _) if record.fault => "gave no verdict",
        (Language::Zh, _) if record.fault => "没有给出结论",
        (Language::En, Outcome::Pass) => "passed",
        (Language::En, Outcome::Fail) => "failed",
        (Language::En, Outcome::Inconclusive) => "could not tell",
        (Language::En, Outcome::Skip) => "does not apply",
        (Language::En, Outcome::Flaky) => "is flaky, and passed only when it was asked again",
        (Language::Zh, Outcome::Pass) => "通过",
        (Language::Zh, Outcome::Fail) => "未通过",
        (Language::Zh, Outcome::Inconclusive) => "未能判定",
        (Language::Zh, Outcome::Skip) => "不适用",
        (Language::Zh, Outcome::Flaky) => "结果不稳定，重试后才通过",
    };
    let before = match (record.attempts.len(), language) {
        (0, _) => String::new(),
        (1, Language::En) => " (attempt 2; the one before could not tell)".to_owned(),
        (before, Language::En) => format!(" (attempt {}; those before could not tell)", before + 1),
        (before, Language::Zh) => format!("（第 {} 次尝试，之前未能判定）", before + 1),
    };
    join(&format!("{check}{by}{said}{before}"), summary, language)
}

/// A step for a log.
pub(super) fn step(step: &Step, language: Language) -> String {
    let head = format!("[{}] {} ({})", step.outcome.word(), step.id, step.need.word());
    join(&head, step.summary.get(language), language)
}

/// A figure for a log.
pub(super) fn figure(figure: &Measurement, language: Language) -> String {
    let Measurement { name, value, unit, samples, statistic } = figure;
    let statistic = if statistic.is_empty() { String::new() } else { format!(" {statistic}") };
    let of = match (samples, language) {
        (0 | 1, _) => String::new(),
        (samples, Language::En) => format!(" (of {samples})"),
        (samples, Language::Zh) => format!("（{samples} 次）"),
    };
    // The unit of a plain number is "1" (UCUM).
    let unit = if unit == "1" { String::new() } else { format!(" {unit}") };
    format!("{name}{statistic} = {value}{unit}{of}")
}

/// Where a finding was seen.
pub(super) fn location(location: &Location) -> String {
    match location {
        Location::Source { target, path, line, column, end_line: _, end_column: _ } => {
            let place = [line, column].into_iter().map_while(|at| at.as_ref()).map(|at| format!(":{at}"));
            format!("{target}: {path}{}", place.collect::<String>())
        }
        Location::Exchange { target, request } => format!("{target}: {request}"),
        Location::Endpoint(target) | Location::Process(target) => target.to_string(),
        Location::Note(note) => note.clone(),
    }
}

/// What stays while an item can't be told.
pub(super) fn stays(status: Status, language: Language) -> String {
    let status = word::status(status, language);
    match language {
        Language::En => format!("until it can be told, the item stays {status}"),
        Language::Zh => format!("在能够判定之前，状态保持为“{status}”"),
    }
}

/// How long a waiver holds, and why it was given.
pub(super) fn waived(until: Date, why: &str, language: Language) -> String {
    match language {
        Language::En => format!("until {until}: {why}"),
        Language::Zh => format!("豁免至 {until}：{why}"),
    }
}

/// A waiver that has run out.
pub(super) fn waiver_ended(until: Date, language: Language) -> String {
    match language {
        Language::En => format!("its waiver ended on {until}"),
        Language::Zh => format!("豁免已于 {until} 到期"),
    }
}

/// Targets that are not bound.
pub(super) fn not_bound(targets: &[&str], language: Language) -> String {
    match language {
        Language::En => format!("not bound: {}", targets.join(", ")),
        Language::Zh => format!("未绑定：{}", targets.join("、")),
    }
}

/// An item that nothing can prove yet.
pub(super) fn no_check(language: Language) -> &'static str {
    match language {
        Language::En => "this version has no check for it",
        Language::Zh => "此版本还没有它的检查",
    }
}

/// A plugin that is not there.
pub(super) fn no_plugin(check: &CheckId, language: Language) -> String {
    match language {
        Language::En => format!("there is no plugin \"{}\"", check.plugin),
        Language::Zh => format!("没有名为“{}”的插件", check.plugin),
    }
}

/// Items that wait for a target.
pub(super) fn needed_by(items: &[&ItemId], language: Language) -> String {
    let number = number(items.len());
    let names = names(items, language);
    match language {
        Language::En if number == 1 => format!("1 item needs it: {names}"),
        Language::En => format!("{number} items need it: {names}"),
        Language::Zh => format!("{number} 个条目需要它：{names}"),
    }
}

/// What comes before the lines that bind a target.
pub(super) fn paste(language: Language) -> &'static str {
    match language {
        Language::En => "add to mustdo.toml, with your own values:",
        Language::Zh => "在 mustdo.toml 中加入以下内容，并改成自己的值：",
    }
}

/// A command, and what it is for.
pub(super) fn run(command: &str, language: Language) -> String {
    match language {
        Language::En => format!("run: {command}"),
        Language::Zh => format!("运行：{command}"),
    }
}

/// Everything counted, in one sentence.
pub(super) fn totals(tally: &Tally, language: Language) -> String {
    let (items, checkable) = (tally.items, tally.checkable);
    match language {
        Language::En => {
            let have = if checkable == 1 { "has" } else { "have" };
            format!("{}; {checkable} of {items} {have} a check in this version", counts(tally, language))
        }
        Language::Zh => format!("{}；此版本有检查的条目：{checkable}/{items}", counts(tally, language)),
    }
}

/// Items by where they stand, the rest left out where there are none.
pub(super) fn counts(tally: &Tally, language: Language) -> String {
    let Tally {
        items,
        proven,
        claimed,
        failing,
        stale,
        waived,
        open,
        inconclusive,
        unbound,
        checkable: _,
        proven_weight: _,
        claimed_weight: _,
        weight: _,
    } = *tally;
    let statuses = [
        (Status::Claimed, claimed),
        (Status::Failing, failing),
        (Status::Stale, stale),
        (Status::Open, open),
        (Status::Waived, waived),
    ];
    let counted = |status, number| match language {
        Language::En => format!("{number} {}", word::status(status, language)),
        Language::Zh => format!("{} {number}", word::status(status, language)),
    };
    let mut parts = vec![counted(Status::Proven, proven)];
    parts.extend(
        statuses
            .into_iter()
            .filter(|&(_, number)| number > 0)
            .map(|(status, number)| counted(status, number)),
    );
    let mut beside = vec![];
    if inconclusive > 0 {
        beside.push(match language {
            Language::En => format!("{inconclusive} could not be told"),
            Language::Zh => format!("未能判定 {inconclusive}"),
        });
    }
    if unbound > 0 {
        beside.push(match language {
            Language::En => format!("{unbound} not bound"),
            Language::Zh => format!("未绑定 {unbound}"),
        });
    }
    let parts = parts.join(if language == Language::En { ", " } else { "，" });
    let text = match language {
        Language::En => format!("{}: {parts}", count(items, "item")),
        Language::Zh => format!("共 {items} 个条目：{parts}"),
    };
    match language {
        _ if beside.is_empty() => text,
        Language::En => format!("{text}; {}", beside.join(", ")),
        Language::Zh => format!("{text}；{}", beside.join("，")),
    }
}

/// That there is nothing to report on.
pub(super) fn nothing(language: Language) -> &'static str {
    match language {
        Language::En => "no item is selected",
        Language::Zh => "没有选中任何条目",
    }
}

/// Readiness in a word: a percentage, or nothing where nothing counts.
pub(super) fn percent(share: Option<u32>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share}%"))
}

/// What a report is about, for its first line: tool, workspace, commit, moment.
pub(super) fn subject(report: &Report, language: Language) -> Vec<String> {
    let mut parts = vec![];
    if !report.workspace.is_empty() {
        parts.push(report.workspace.clone());
    }
    if let Some(revision) = &report.revision {
        let short: String = revision.chars().take(12).collect();
        parts.push(if revision.ends_with('+') { format!("{}+", short.trim_end_matches('+')) } else { short });
    }
    parts.push(moment(report.generated));
    if report.narrowed {
        parts.push(word::Word::Selection.get(language).to_owned());
    }
    parts
}

/// Something and the reasons for it, if there are any.
pub(super) fn because(what: &str, reasons: &[String], language: Language) -> String {
    join(what, &reasons.join(if language == Language::En { "; " } else { "；" }), language)
}

fn join(head: &str, tail: &str, language: Language) -> String {
    match (tail.is_empty(), language) {
        (true, _) => head.to_owned(),
        (false, Language::En) => format!("{head}: {tail}"),
        (false, Language::Zh) => format!("{head}：{tail}"),
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A number of things.
pub(super) fn count(number: u32, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// A number of items.
pub(super) fn count_ids(items: &[ItemId]) -> String {
    count(number(items.len()), "item")
}

/// Ids, the first few of many.
pub(super) fn owned_names(items: &[ItemId], language: Language) -> String {
    names(&items.iter().collect::<Vec<_>>(), language)
}

fn names(items: &[&ItemId], language: Language) -> String {
    let separator = if language == Language::En { ", " } else { "、" };
    let named = items.iter().take(NAMED).map(|id| id.as_str()).collect::<Vec<_>>().join(separator);
    match (items.len().saturating_sub(NAMED), language) {
        (0, _) => named,
        (more, Language::En) => format!("{named} and {more} more"),
        (more, Language::Zh) => format!("{named}，另有 {more} 个"),
    }
}
