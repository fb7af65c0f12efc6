//! Every sentence of a cohort, in both languages.

use jiff::Timestamp;

use super::super::phrase;
use super::super::word::Word;
use super::{CohortReport, Mark, SeenLine};
use crate::model::{Language, Status};

/// The statuses that have a column, in its order; waived items have one where there are any.
pub(super) const COUNTED: [Status; 4] = [Status::Proven, Status::Claimed, Status::Failing, Status::Stale];

/// What the cohort is, for its first line.
pub(super) fn subject(report: &CohortReport, language: Language) -> Vec<String> {
    let learners = report.learners.len();
    let mut parts = vec![match language {
        Language::En if learners == 1 => "1 learner".to_owned(),
        Language::En => format!("{learners} learners"),
        Language::Zh => format!("{learners} 位学习者"),
    }];
    parts.push(phrase::moment(report.generated));
    parts
}

/// Everything in one sentence.
pub(super) fn totals(report: &CohortReport, language: Language) -> String {
    let (all, unreadable) = (report.learners.len(), report.unreadable());
    let read = all - unreadable;
    let median = phrase::percent(report.median());
    let left = match language {
        _ if unreadable == 0 => String::new(),
        Language::En => format!(", {unreadable} can not be read"),
        Language::Zh => format!("，{unreadable} 位无法读取"),
    };
    match language {
        Language::En => format!("{read} of {all} read{left}; median readiness {median}"),
        Language::Zh => format!("共 {all} 位，已读取 {read} 位{left}；就绪度中位数 {median}"),
    }
}

pub(super) fn unreadable(reason: &str, language: Language) -> String {
    match language {
        Language::En => format!("can not be read: {reason}"),
        Language::Zh => format!("无法读取：{reason}"),
    }
}

/// How many of the proven items are so by the word of an unproven plugin; none where none is.
pub(super) fn unproven(seen: &SeenLine, language: Language) -> Option<String> {
    let (count, of) = (seen.unproven, seen.tally.proven);
    (count > 0).then(|| match language {
        Language::En => format!("{count} of {of} proven by the word of an unproven plugin"),
        Language::Zh => format!("{of} 个已证实条目中，{count} 个由未经证实的插件判为通过"),
    })
}

pub(super) fn mark(mark: &Mark, language: Language) -> String {
    match (mark, language) {
        (Mark::Version { checklist, own, usual }, Language::En) => {
            format!("checklist {checklist}: version {own}, most have {usual}")
        }
        (Mark::Version { checklist, own, usual }, Language::Zh) => {
            format!("清单 {checklist}：版本 {own}，多数人是 {usual}")
        }
        (Mark::Changed { checklist, version }, Language::En) => {
            format!("checklist {checklist}: another text than most have as {version}")
        }
        (Mark::Changed { checklist, version }, Language::Zh) => {
            format!("清单 {checklist}：内容与多数人的 {version} 不同")
        }
        (Mark::Own { checklist }, Language::En) => format!("checklist {checklist}: nobody else has it"),
        (Mark::Own { checklist }, Language::Zh) => format!("清单 {checklist}：其他人都没有"),
        (Mark::Missing { checklist }, Language::En) => format!("checklist {checklist}: missing"),
        (Mark::Missing { checklist }, Language::Zh) => format!("清单 {checklist}：缺少"),
    }
}

/// The day of what was recorded last.
pub(super) fn activity(seen: &SeenLine) -> String {
    seen.activity.map_or_else(|| "–".to_owned(), day)
}

fn day(at: Timestamp) -> String {
    phrase::day(at)
}

/// Words of this page's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Learner,
    Activity,
}

impl Column {
    pub(super) fn get(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Learner, Language::En) => "learner",
            (Self::Learner, Language::Zh) => "学习者",
            (Self::Activity, Language::En) => "last record",
            (Self::Activity, Language::Zh) => "最近记录",
        }
    }
}

/// The word for readiness.
pub(super) fn readiness(language: Language) -> &'static str {
    Word::Readiness.get(language)
}

/// Whether anything is waived.
pub(super) fn has_waived(report: &CohortReport) -> bool {
    report.seen().any(|seen| seen.tally.waived > 0)
}

pub(super) fn counted(seen: &SeenLine, status: Status) -> u32 {
    let tally = &seen.tally;
    match status {
        Status::Proven => tally.proven,
        Status::Claimed => tally.claimed,
        Status::Failing => tally.failing,
        Status::Stale => tally.stale,
        Status::Open => tally.open,
        Status::Waived => tally.waived,
    }
}
