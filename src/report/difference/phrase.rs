//! Every sentence of a difference, in both languages.

use super::super::phrase::{percent, reason};
use super::super::word;
use super::{ContentChange, Difference, ItemRow};
use crate::model::{Aspect, Language, Status, Tally};

/// Digits of a commit's id: what git itself shows.
const SHORT: usize = 9;

/// From which version to which.
pub(super) fn range(difference: &Difference, language: Language) -> String {
    let [now, updated] = match language {
        Language::En => ["the work tree", "updated"],
        Language::Zh => ["工作区", "更新后"],
    };
    let name = |id: &Option<String>, none: &str| match id {
        Some(id) => id[..id.len().min(SHORT)].to_owned(),
        None => none.to_owned(),
    };
    let (from, to) = (&difference.input.from, &difference.input.to);
    format!("{} → {}", name(from, now), name(to, if from.is_none() { updated } else { now }))
}

/// Readiness before and after.
pub(super) fn readiness(before: &Tally, after: &Tally, language: Language) -> String {
    let label = word::Word::Readiness.get(language);
    format!("{label} {} → {}", percent(before.readiness()), percent(after.readiness()))
}

pub(super) fn content(language: Language) -> &'static str {
    match language {
        Language::En => "Content",
        Language::Zh => "内容",
    }
}

pub(super) fn progress(language: Language) -> &'static str {
    match language {
        Language::En => "Progress",
        Language::Zh => "进展",
    }
}

/// A checklist's versions.
pub(super) fn versions(id: &str, before: Option<&str>, after: Option<&str>, language: Language) -> String {
    match (before, after, language) {
        (Some(before), Some(after), _) => format!("{id} {before} → {after}"),
        (None, Some(after), Language::En) => format!("{id} {after} is new"),
        (None, Some(after), Language::Zh) => format!("新增 {id} {after}"),
        (Some(before), None, Language::En) => format!("{id} {before} is removed"),
        (Some(before), None, Language::Zh) => format!("移除 {id} {before}"),
        (None, None, _) => id.to_owned(),
    }
}

/// The sign of a change of content.
pub(super) fn sign(item: &ItemRow) -> &'static str {
    match &item.content {
        ContentChange::Added => "+",
        ContentChange::Removed => "-",
        ContentChange::Aspects(_) => "~",
    }
}

/// What is different in the content of an item; empty where it came or went.
pub(super) fn aspects(item: &ItemRow, language: Language) -> String {
    let mut words = vec![];
    if let (Some(old), Language::En) = (&item.formerly, language) {
        words.push(format!("was {old}"));
    } else if let Some(old) = &item.formerly {
        words.push(format!("原为 {old}"));
    }
    if let ContentChange::Aspects(aspects) = &item.content {
        let told = aspects.iter().filter(|aspect| **aspect != Aspect::Id);
        words.extend(told.map(|aspect| self::aspect(*aspect, language).to_owned()));
    }
    if item.rebound {
        words.push(
            match language {
                Language::En => "bound to something else",
                Language::Zh => "绑定已改变",
            }
            .to_owned(),
        );
    }
    words.join(if language == Language::En { ", " } else { "、" })
}

fn aspect(aspect: Aspect, language: Language) -> &'static str {
    match (aspect, language) {
        (Aspect::Id, Language::En) => "another id",
        (Aspect::Id, Language::Zh) => "编号",
        (Aspect::Checklist, Language::En) => "another checklist",
        (Aspect::Checklist, Language::Zh) => "所属清单",
        (Aspect::Proof, Language::En) => "another proof",
        (Aspect::Proof, Language::Zh) => "证明要求",
        (Aspect::LessProof, Language::En) => "less to prove",
        (Aspect::LessProof, Language::Zh) => "证明要求减少",
        (Aspect::Shorter, Language::En) => "a proof lasts less long",
        (Aspect::Shorter, Language::Zh) => "证明有效期缩短",
        (Aspect::Longer, Language::En) => "a proof lasts longer",
        (Aspect::Longer, Language::Zh) => "证明有效期延长",
        (Aspect::Watch, Language::En) => "other watched files",
        (Aspect::Watch, Language::Zh) => "依赖的文件",
        (Aspect::Level, Language::En) => "level",
        (Aspect::Level, Language::Zh) => "级别",
        (Aspect::Weight, Language::En) => "weight",
        (Aspect::Weight, Language::Zh) => "权重",
        (Aspect::Needs, Language::En) => "needs",
        (Aspect::Needs, Language::Zh) => "前置条目",
        (Aspect::Group, Language::En) => "group",
        (Aspect::Group, Language::Zh) => "分组",
        (Aspect::Tags, Language::En) => "tags",
        (Aspect::Tags, Language::Zh) => "标签",
        (Aspect::Cards, Language::En) => "quiz cards",
        (Aspect::Cards, Language::Zh) => "卡片",
        (Aspect::Words, Language::En) => "words",
        (Aspect::Words, Language::Zh) => "文字",
    }
}

/// Where an item stands, or that it is not there.
pub(super) fn status(status: Option<Status>, language: Language) -> &'static str {
    match (status, language) {
        (Some(status), _) => word::status(status, language),
        (None, Language::En) => "not there",
        (None, Language::Zh) => "不存在",
    }
}

/// Why it stands where it stands now.
pub(super) fn reasons(item: &ItemRow, language: Language) -> Vec<String> {
    let stale = item.staleness.iter().map(|(check, why)| reason(check, why, language));
    let failed = item.failures.iter().map(|words| words.get(language).to_owned());
    stale.chain(failed).collect()
}

/// Items that were recorded again and stand where they stood.
pub(super) fn again(count: usize, language: Language) -> String {
    match language {
        Language::En if count == 1 => {
            "1 item has something else recorded and stands where it stood".to_owned()
        }
        Language::En => format!("{count} items have something else recorded and stand where they stood"),
        Language::Zh => format!("{count} 个条目的记录有变化，状态不变"),
    }
}

/// Nothing is different.
pub(super) fn nothing(language: Language) -> &'static str {
    match language {
        Language::En => "Nothing is different.",
        Language::Zh => "没有变化。",
    }
}
