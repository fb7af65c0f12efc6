//! The page's own words, in both languages, by the name that the template and the script know them by.

const WORDS: &[(&str, &str, &str)] = &[
    ("skip", "To the learners", "跳到学习者"),
    ("controls", "Language and colours", "语言与配色"),
    ("theme", "Light / dark", "浅色 / 深色"),
    ("learners", "Learners", "学习者"),
    ("learner", "Learner", "学习者"),
    ("readiness", "Readiness", "就绪度"),
    ("activity", "Last record", "最近记录"),
    ("notes", "Notes", "说明"),
    ("find-learner", "Find learners", "查找学习者"),
    ("any", "all of them", "全部"),
    ("unreadable", "can not be read", "无法读取"),
    ("marked", "with notes", "有说明"),
    ("found-learners", "{} of {} learners", "{} / {} 位学习者"),
    ("items", "Who has what", "谁掌握了什么"),
    ("item", "Item", "条目"),
    ("checklist", "Checklist", "清单"),
    ("find-item", "Find items", "查找条目"),
    ("found-items", "{} of {} items", "{} / {} 个条目"),
    ("inconclusive", "inconclusive", "未能判定"),
    ("unproven", "passed by an unproven plugin", "由未经证实的插件判为通过"),
    ("none", "no such item", "没有该条目"),
    ("no-items", "Nobody's workspace could be read.", "没有可读取的工作区。"),
    ("made-by", "Made by", "生成工具："),
];

/// Every word: its name, in English and in Chinese.
pub(super) fn all() -> impl Iterator<Item = (&'static str, [&'static str; 2])> {
    WORDS.iter().map(|&(name, en, zh)| (name, [en, zh]))
}

/// The word of that name, in English and in Chinese. The names are this page's own: one that is not there is shown as it is.
pub(super) fn both(name: &'static str) -> [&'static str; 2] {
    all().find(|(known, _)| *known == name).map_or([name; 2], |(_, words)| words)
}
