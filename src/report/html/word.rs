//! The page's own words, in both languages, by the name that the template and the script know them by.

const WORDS: &[(&str, &str, &str)] = &[
    ("skip", "To the items", "跳到条目"),
    ("controls", "Language and colours", "语言与配色"),
    ("theme", "Light / dark", "浅色 / 深色"),
    ("summary", "Summary", "概览"),
    ("readiness", "Readiness", "就绪度"),
    ("proven-weight", "proven weight", "已证实的权重"),
    ("claimed-weight", "only claimed", "仅勾选"),
    ("counted-weight", "all that counts", "计入的权重"),
    ("policy", "Policy", "要求"),
    ("holds", "It holds", "满足"),
    ("fails", "It does not hold", "不满足"),
    ("undecided", "It is not decided", "无法判断"),
    ("burnup", "Burn-up", "进展"),
    (
        "burnup-shows",
        "What stands today: each proven item on the day of its latest proof, each claimed one on the day of its tick. The dashed line is everything that counts.",
        "以今天的状态计：已证实的条目记在最近一次证实之日，已勾选的记在勾选之日。虚线为计入的全部权重。",
    ),
    ("burnup-empty", "Nothing is proven or claimed yet.", "还没有证实或勾选任何条目。"),
    ("checklists", "Checklists", "清单"),
    ("checklist", "Checklist", "清单"),
    ("items", "Items", "条目"),
    ("number", "items", "条目数"),
    ("find", "Find items", "查找条目"),
    ("find-hint", "Find: words, ids, tags, checks", "查找：文字、标识、标签、检查"),
    ("status", "Status", "状态"),
    ("level", "Level", "级别"),
    ("tag", "Tag", "标签"),
    ("any", "any", "全部"),
    ("clear", "Clear", "清除"),
    ("found", "{} of {} items", "{} / {} 个条目"),
    ("none", "No item fits. Clear the filter to see all of them.", "没有符合的条目。清除筛选即可查看全部。"),
    ("made-by", "Made by", "生成工具："),
    ("not-bound", "not bound", "未绑定"),
    ("total", "Total", "合计"),
    ("weight", "Weight", "权重"),
    ("needs", "Needs", "前置"),
    ("claim", "Ticked", "已勾选"),
    ("hint", "Hint", "提示"),
    ("not-run", "It has not run yet.", "尚未运行。"),
    (
        "evidence",
        "What the last run opened, was refused and saw:",
        "最近一次运行打开了什么、被拒绝了什么、看到了什么：",
    ),
    ("steps", "Steps", "步骤"),
    ("result", "result", "结果"),
    ("step", "step", "步骤"),
    ("need", "need", "要求"),
    ("seen", "what was seen", "所见"),
    ("figures", "Figures", "数据"),
    ("figure", "figure", "指标"),
    ("value", "value", "数值"),
    ("of", "of readings", "读数个数"),
    ("how", "How to repeat it", "如何重现"),
    ("ran", "ran", "运行于"),
    ("plugin", "plugin", "插件"),
    ("trust", "trust", "可信度"),
    ("unproven", "the plugin is unproven", "插件未经证实"),
    ("commit", "commit", "提交"),
    ("target", "target", "目标"),
    ("repeat", "repeat", "重现命令"),
    ("problem", "problem", "问题"),
    ("warning", "warning", "警告"),
    ("info", "note", "说明"),
];

/// Every word: its name, in English, in Chinese.
pub(super) fn all() -> impl Iterator<Item = (&'static str, [&'static str; 2])> {
    WORDS.iter().map(|&(name, en, zh)| (name, [en, zh]))
}

/// The word of that name, in English and in Chinese. The names are this layer's own: one that is not there is shown as it is.
pub(super) fn both(name: &'static str) -> [&'static str; 2] {
    all().find(|(known, _)| *known == name).map_or([name; 2], |(_, words)| words)
}
