//! Every fixed word of a report, in both languages.

use crate::model::{Language, Level, Outcome, Status};

/// A word of a report that is not the name of something in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Checklist,
    Readiness,
    Items,
    Item,
    Inconclusive,
    NotBound,
    Status,
    Level,
    Weight,
    Total,
    Failing,
    Untold,
    Stale,
    LeftOut,
    Kept,
    Unbound,
    Unproven,
    Policy,
    Steps,
    Figures,
    Hint,
    Selection,
    /// In the place of a readiness, where nothing counts.
    Nothing,
}

impl Word {
    /// The word in `language`.
    pub(super) fn get(self, language: Language) -> &'static str {
        match language {
            Language::En => self.english(),
            Language::Zh => self.chinese(),
        }
    }

    /// The word as a heading of a narrow column: with a line break where it has a place for one.
    pub(super) fn narrow(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Inconclusive, Language::En) => "incon-\nclusive",
            (Self::Inconclusive, Language::Zh) => "未能\n判定",
            (Self::NotBound, Language::En) => "not\nbound",
            (word, language) => word.get(language),
        }
    }

    fn english(self) -> &'static str {
        match self {
            Self::Checklist => "checklist",
            Self::Readiness => "readiness",
            Self::Items => "items",
            Self::Item => "item",
            Self::Inconclusive => "inconclusive",
            Self::NotBound => "not bound",
            Self::Status => "status",
            Self::Level => "level",
            Self::Weight => "weight",
            Self::Total => "Total",
            Self::Failing => "Failing",
            Self::Untold => "Could not be told",
            Self::Stale => "Stale",
            Self::LeftOut => "Passed without",
            Self::Kept => "Kept, not run again",
            Self::Unbound => "Not bound",
            Self::Unproven => "Passed by an unproven plugin",
            Self::Policy => "Policy",
            Self::Steps => "steps",
            Self::Figures => "figures",
            Self::Hint => "hint",
            Self::Selection => "selected items only",
            Self::Nothing => "nothing counts",
        }
    }

    fn chinese(self) -> &'static str {
        match self {
            Self::Checklist => "清单",
            Self::Readiness => "就绪度",
            Self::Items => "条目数",
            Self::Item => "条目",
            Self::Inconclusive | Self::Untold => "未能判定",
            Self::NotBound | Self::Unbound => "未绑定",
            Self::Status => "状态",
            Self::Level => "级别",
            Self::Weight => "权重",
            Self::Total => "合计",
            Self::Failing => "未通过",
            Self::Stale => "已过期",
            Self::LeftOut => "通过但略过",
            Self::Kept => "沿用原结果，未重新运行",
            Self::Unproven => "由未经证实的插件判为通过",
            Self::Policy => "要求",
            Self::Steps => "步骤",
            Self::Figures => "数据",
            Self::Hint => "提示",
            Self::Selection => "仅所选条目",
            Self::Nothing => "没有计入的条目",
        }
    }
}

/// A status as people read it.
pub(super) fn status(status: Status, language: Language) -> &'static str {
    match language {
        Language::En => status.word(),
        Language::Zh => match status {
            Status::Proven => "已证实",
            Status::Claimed => "已勾选",
            Status::Failing => "未通过",
            Status::Stale => "已过期",
            Status::Open => "待完成",
            Status::Waived => "已豁免",
        },
    }
}

/// An outcome as people read it.
pub(super) fn outcome(outcome: Outcome, language: Language) -> &'static str {
    match language {
        Language::En => outcome.word(),
        Language::Zh => match outcome {
            Outcome::Pass => "通过",
            Outcome::Fail => "未通过",
            Outcome::Inconclusive => "未能判定",
            Outcome::Skip => "不适用",
            Outcome::Flaky => "不稳定",
        },
    }
}

/// A level as people read it.
pub(super) fn level(level: Level, language: Language) -> &'static str {
    match language {
        Language::En => level.word(),
        Language::Zh => match level {
            Level::Must => "必须",
            Level::Should => "应当",
            Level::Challenge => "挑战",
        },
    }
}
