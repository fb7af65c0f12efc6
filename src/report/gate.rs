//! Every sentence about how a policy was judged, in both languages.

use super::phrase::{NAMED, count, count_ids, owned_names, percent, run};
use super::word;
use crate::model::{
    Ask, Base, Compared, Decline, Demand, Fallen, Figures, Flaky, ItemId, Judgement, Language, Policy, Scope,
    Share, Undecided, Unproven, Violation, Worse,
};

/// How many digits of a commit's id tell it from others.
const COMMIT: usize = 9;

/// A violation and what to do about it.
pub(super) fn violation(violation: &Violation, language: Language) -> (String, String) {
    match violation {
        Violation::Failing { items } => failing(items, language),
        Violation::Must { scope, ask, items } => must(scope, *ask, items, language),
        Violation::Readiness { scope, at_least, is } => {
            (within(scope, &readiness(*at_least, *is, language), language), left(scope, language))
        }
        Violation::Stale { scope, at_most, are } => {
            let text = match language {
                Language::En => too_many(*are, "stale", *at_most),
                Language::Zh => format!("已过期 {are} 个条目，{}", at_most_words(*at_most, language)),
            };
            (within(scope, &text, language), verify(scope, "--status stale", language))
        }
        Violation::Claimed { scope, at_most, are } => {
            let text = match language {
                Language::En => too_many(*are, "only claimed", *at_most),
                Language::Zh => format!("只勾选而未证实 {are} 个条目，{}", at_most_words(*at_most, language)),
            };
            (within(scope, &text, language), verify(scope, "--status claimed", language))
        }
        Violation::Unproven { items } => unproven(items, language),
        Violation::Flaky { items } => flaky(items, language),
        Violation::Worse { base, items } => worse(base, items, language),
        Violation::Fallen { base, fallen } => fell(base, fallen, language),
    }
}

/// What is said of the items of a scope.
fn within(scope: &Scope, text: &str, language: Language) -> String {
    match scope {
        Scope::Whole => text.to_owned(),
        Scope::Checklist(_) | Scope::Level(_) => match language {
            Language::En => format!("{}: {text}", named(scope, language)),
            Language::Zh => format!("{}：{text}", named(scope, language)),
        },
    }
}

fn named(scope: &Scope, language: Language) -> String {
    match (scope, language) {
        (Scope::Whole, Language::En) => "everything".to_owned(),
        (Scope::Whole, Language::Zh) => "全部".to_owned(),
        (Scope::Checklist(id), _) => id.to_string(),
        (Scope::Level(level), Language::En) => format!("level {level}"),
        (Scope::Level(level), Language::Zh) => format!("级别“{}”", word::level(*level, language)),
    }
}

/// The part of a command that selects a scope, with a space behind it.
fn selected(scope: &Scope) -> String {
    match scope {
        Scope::Whole => String::new(),
        Scope::Checklist(id) => format!("{id} "),
        Scope::Level(level) => format!("--level {level} "),
    }
}

fn verify(scope: &Scope, selection: &str, language: Language) -> String {
    run(&format!("mustdo verify {}{selection}", selected(scope)), language)
}

fn left(scope: &Scope, language: Language) -> String {
    let command = format!("mustdo list {}--status open", selected(scope));
    match language {
        Language::En => format!("what is left: {command}"),
        Language::Zh => format!("查看尚未完成的条目：{command}"),
    }
}

fn failing(items: &[ItemId], language: Language) -> (String, String) {
    let names = owned_names(items, language);
    match language {
        Language::En => {
            let are = if items.len() == 1 { "is" } else { "are" };
            (
                format!("{} {are} failing: {names}", count_ids(items)),
                "mend what the checks saw, then run: mustdo verify --status failing".to_owned(),
            )
        }
        Language::Zh => (
            format!("{} 个条目未通过：{names}", items.len()),
            "按检查结果修正，然后运行：mustdo verify --status failing".to_owned(),
        ),
    }
}

fn must(scope: &Scope, ask: Ask, items: &[ItemId], language: Language) -> (String, String) {
    let (number, names) = (count_ids(items), owned_names(items, language));
    let text = match (ask, language, items.len()) {
        (Ask::Proven, Language::En, 1) => format!("a must item is not proven: {names}"),
        (Ask::Proven, Language::En, _) => format!("{number} of level must are not proven: {names}"),
        (Ask::Claimed, Language::En, 1) => format!("a must item is neither claimed nor proven: {names}"),
        (Ask::Claimed, Language::En, _) => {
            format!("{number} of level must are neither claimed nor proven: {names}")
        }
        (Ask::Proven, Language::Zh, number) => format!("{number} 个“必须”条目未证实：{names}"),
        (Ask::Claimed, Language::Zh, number) => format!("{number} 个“必须”条目既未勾选也未证实：{names}"),
    };
    let advice = match ask {
        Ask::Proven => verify(scope, "--level must", language),
        Ask::Claimed => run("mustdo tick ITEM", language),
    };
    (within(scope, &text, language), advice)
}

fn readiness(at_least: u32, is: Option<u32>, language: Language) -> String {
    match (is, language) {
        (Some(is), Language::En) => format!("readiness is {is}%, at least {at_least}% is asked"),
        (Some(is), Language::Zh) => format!("就绪度为 {is}%，要求至少 {at_least}%"),
        (None, Language::En) => {
            format!("nothing counts here, and a readiness of at least {at_least}% is asked")
        }
        (None, Language::Zh) => format!("没有计入的条目，而就绪度要求至少 {at_least}%"),
    }
}

/// That there are more items of a kind than there may be, in English.
fn too_many(are: u32, what: &str, at_most: u32) -> String {
    let verb = if are == 1 { "is" } else { "are" };
    format!("{} {verb} {what}, {}", count(are, "item"), at_most_words(at_most, Language::En))
}

fn at_most_words(limit: u32, language: Language) -> String {
    match (limit, language) {
        (0, Language::En) => "none may be".to_owned(),
        (0, Language::Zh) => "而一个也不允许".to_owned(),
        (limit, Language::En) => format!("at most {limit} may be"),
        (limit, Language::Zh) => format!("最多允许 {limit} 个"),
    }
}

fn unproven(items: &[ItemId], language: Language) -> (String, String) {
    let names = owned_names(items, language);
    match language {
        Language::En => (
            format!("{} passed by the word of a plugin that is unproven: {names}", count_ids(items)),
            "take a version of the plugin that is proven: mustdo plugin list tells why it is not".to_owned(),
        ),
        Language::Zh => (
            format!("{} 个条目由未经证实的插件判为通过：{names}", items.len()),
            "换用经过证实的插件版本，原因见：mustdo plugin list".to_owned(),
        ),
    }
}

fn flaky(items: &[ItemId], language: Language) -> (String, String) {
    let names = owned_names(items, language);
    match language {
        Language::En => (
            format!("{} passed only when asked again: {names}", count_ids(items)),
            "find out why the first attempt could not tell and verify again, or set flaky = \"allow\" under [policy]"
                .to_owned(),
        ),
        Language::Zh => (
            format!("{} 个条目重试后才通过：{names}", items.len()),
            "查明第一次为何未能判定，然后重新验证；或在 [policy] 下设置 flaky = \"allow\"".to_owned(),
        ),
    }
}

/// A commit that something was compared with: `origin/main... (1a2b3c4d5)`.
fn base(base: &Base, language: Language) -> String {
    let Base { name, commit } = base;
    let short: String = commit.chars().take(COMMIT).collect();
    match language {
        Language::En if commit.starts_with(name) => short,
        // A space stands between a Latin and a Chinese letter, and none beside a bracket.
        Language::Zh if commit.starts_with(name) => format!("{short} "),
        Language::En => format!("{name} ({short})"),
        Language::Zh => format!("{name}（{short}）"),
    }
}

fn worse(at: &Base, items: &[Worse], language: Language) -> (String, String) {
    let at = base(at, language);
    let told = items.iter().take(NAMED).map(|worse| {
        let Worse { item, formerly, is } = worse;
        let is = decline(*is, language);
        match (formerly, language) {
            (None, Language::En) => format!("{item} (now {is})"),
            (None, Language::Zh) => format!("{item}（现为{is}）"),
            (Some(old), Language::En) => format!("{item} (formerly {old}, now {is})"),
            (Some(old), Language::Zh) => format!("{item}（原为 {old}，现为{is}）"),
        }
    });
    let separator = if language == Language::En { ", " } else { "、" };
    let mut names = told.collect::<Vec<_>>().join(separator);
    match (items.len().saturating_sub(NAMED), language) {
        (0, _) => {}
        (more, Language::En) => names.push_str(&format!(" and {more} more")),
        (more, Language::Zh) => names.push_str(&format!("，另有 {more} 个")),
    }
    let number = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let text = match (number, language) {
        (1, Language::En) => format!("an item was proven at {at} and is not any more: {names}"),
        (_, Language::En) => format!("{number} items were proven at {at} and are not any more: {names}"),
        (_, Language::Zh) => format!("{number} 个条目在 {at}时已证实，现在不再是：{names}"),
    };
    let ids = items.iter().take(NAMED).map(|worse| worse.item.as_str()).collect::<Vec<_>>().join(" ");
    let command = format!("mustdo verify {ids}");
    let advice = match language {
        Language::En => format!("mend what changed since, then run: {command}"),
        Language::Zh => format!("修正此后的改动，然后运行：{command}"),
    };
    (text, advice)
}

/// That an item was proven at a base, and what it is now.
pub(super) fn declined(at: &Base, worse: &Worse, language: Language) -> String {
    let (at, is) = (base(at, language), decline(worse.is, language));
    match language {
        Language::En => format!("it was proven at {at} and is {is} now"),
        Language::Zh => format!("在 {at}时已证实，现为{is}"),
    }
}

/// What became of what was proven.
fn decline(is: Decline, language: Language) -> &'static str {
    match (is, language) {
        (Decline::Status(status), _) => word::status(status, language),
        (Decline::Flaky, Language::En) => "flaky",
        (Decline::Flaky, Language::Zh) => "结果不稳定",
    }
}

fn fell(at: &Base, fallen: &Fallen, language: Language) -> (String, String) {
    let Fallen { checklist, was, is } = fallen;
    let (name, at) = (&at.name, base(at, language));
    let share = |share: Share| {
        let Share { proven, of } = share;
        match language {
            Language::En => format!("{} ({proven} of {of} by weight)", percent(share.percent())),
            Language::Zh => format!("{}（权重 {proven}/{of}）", percent(share.percent())),
        }
    };
    let (was, is) = (share(*was), share(*is));
    // What both sides differ in; `A...` there is what it is here.
    let range = if name.ends_with("...") { name.clone() } else { format!("{name}..") };
    let command = run(&format!("mustdo diff {range}"), language);
    match language {
        Language::En => (
            format!("{checklist}: readiness fell from {was} at {at} to {is}, what came since not counted"),
            command,
        ),
        Language::Zh => {
            (format!("{checklist}：就绪度从 {at}时的 {was} 降到 {is}，此后新增的不计入"), command)
        }
    }
}

/// What a comparison tells beside what does not hold.
pub(super) fn compared(compared: &Compared, language: Language) -> Vec<String> {
    let Compared { base: at, removed, waived } = compared;
    let at = base(at, language);
    let mut told = vec![];
    if !removed.is_empty() {
        let names = owned_names(removed, language);
        told.push(match language {
            Language::En => format!("removed since {at}, {}: {names}", count_ids(removed)),
            Language::Zh => format!("自 {at}起移除 {} 个条目：{names}", removed.len()),
        });
    }
    if !waived.is_empty() {
        let names = owned_names(waived, language);
        told.push(match language {
            Language::En => format!("proven at {at} and waived since, {}: {names}", count_ids(waived)),
            Language::Zh => format!("在 {at}时已证实、此后豁免 {} 个条目：{names}", waived.len()),
        });
    }
    told
}

/// Items that a policy could not be decided on, and what to do about it.
pub(super) fn undecided(items: &[ItemId], language: Language) -> (String, String) {
    let names = owned_names(items, language);
    match language {
        Language::En => (
            format!("not decided: {} could not be told: {names}", count_ids(items)),
            "let the checks see what they need, or set inconclusive = \"allow\" under [policy]".to_owned(),
        ),
        Language::Zh => (
            format!("无法判断是否满足：{} 个条目未能判定：{names}", items.len()),
            "让检查看到所需的内容，或在 [policy] 下设置 inconclusive = \"allow\"".to_owned(),
        ),
    }
}

/// How a policy was judged, for programs.
pub(super) fn outcome(judgement: &Judgement) -> &'static str {
    match (judgement.violations.is_empty(), judgement.undecided.is_empty()) {
        (false, _) => "fails",
        (true, false) => "undecided",
        (true, true) => "holds",
    }
}

/// That `--soft` keeps what does not hold out of the exit code.
fn soft(judgement: &Judgement, language: Language) -> &'static str {
    match (judgement.violations.is_empty(), language) {
        (false, Language::En) => "does not hold; --soft keeps that out of the exit code",
        (true, Language::En) => "is not decided; --soft keeps that out of the exit code",
        (false, Language::Zh) => "未满足；--soft 使退出码不反映这一点",
        (true, Language::Zh) => "无法判断是否满足；--soft 使退出码不反映这一点",
    }
}

/// The same for a line of its own.
pub(super) fn soft_line(judgement: &Judgement, language: Language) -> String {
    match language {
        Language::En => format!("the policy {}", soft(judgement, language)),
        Language::Zh => format!("要求{}", soft(judgement, language)),
    }
}

/// What of a policy was not judged, because nothing was selected of it; none where everything was.
pub(super) fn outside(judgement: &Judgement, language: Language) -> Option<String> {
    let scopes: Vec<_> = judgement.outside.iter().map(|scope| named(scope, language)).collect();
    (!scopes.is_empty()).then(|| match language {
        Language::En => format!("not judged, as nothing of it was selected: {}", scopes.join(", ")),
        Language::Zh => format!("未选中其中的条目，未作判断：{}", scopes.join("、")),
    })
}

/// That a policy holds, with what it asked.
pub(super) fn holds(policy: &Policy, judgement: &Judgement, language: Language) -> String {
    let Policy { whole, checklists, levels, base: _, inconclusive, unproven, flaky } = policy;
    let en = language == Language::En;
    let either = |words: [&str; 2]| words[usize::from(!en)].to_owned();
    let mut asked = vec![either(["nothing is failing", "没有未通过的条目"])];
    asked.extend(demanded(whole, language));
    let judged = |scope: &Scope| !judgement.outside.contains(scope);
    let mut scoped = |scope: Scope, demand: &Demand| {
        let parts = demanded(demand, language);
        if judged(&scope) && !parts.is_empty() {
            let parts = parts.join(if en { " and " } else { "且" });
            asked.push(match language {
                Language::En => format!("in {} {parts}", named(&scope, language)),
                Language::Zh if matches!(scope, Scope::Checklist(_)) => {
                    format!("{} 中{parts}", named(&scope, language))
                }
                Language::Zh => format!("{}中{parts}", named(&scope, language)),
            });
        }
    };
    for (id, demand) in checklists {
        scoped(Scope::Checklist(id.clone()), demand);
    }
    for (level, figures) in levels {
        scoped(Scope::Level(*level), &Demand { must: None, figures: *figures });
    }
    if *inconclusive == Undecided::Ask {
        asked.push(either(["no check is inconclusive", "没有未能判定的条目"]));
    }
    if *unproven == Unproven::Deny {
        asked.push(either(["no plugin is unproven", "没有未经证实的插件"]));
    }
    if *flaky == Flaky::Allow {
        asked.push(either(["what is flaky is let through", "允许结果不稳定的条目"]));
    }
    if let Some(Compared { base: at, .. }) = &judgement.compared {
        let at = base(at, language);
        asked.push(match language {
            Language::En => format!("nothing is worse than at {at}"),
            Language::Zh => format!("没有比 {at}更差的"),
        });
    }
    match language {
        Language::En => format!("holds: {}", asked.join(", ")),
        Language::Zh => format!("满足：{}", asked.join("，")),
    }
}

/// What is asked of items together, a part of a sentence each.
fn demanded(demand: &Demand, language: Language) -> Vec<String> {
    let Demand { must, figures: Figures { readiness, stale, claimed } } = demand;
    let en = language == Language::En;
    let must = match (must, language) {
        (None, _) => None,
        (Some(Ask::Proven), Language::En) => Some("every must item is proven or waived"),
        (Some(Ask::Claimed), Language::En) => Some("every must item is claimed, proven or waived"),
        (Some(Ask::Proven), Language::Zh) => Some("“必须”条目全部已证实"),
        (Some(Ask::Claimed), Language::Zh) => Some("“必须”条目全部已勾选或已证实"),
    };
    let limit = |limit: &Option<u32>, words: [&str; 2]| {
        Some(words[usize::from(!en)].replace("{}", &(*limit)?.to_string()))
    };
    let figures = [
        limit(readiness, ["readiness is at least {}%", "就绪度不低于 {}%"]),
        limit(stale, ["at most {} stale", "已过期不超过 {} 个"]),
        limit(claimed, ["at most {} only claimed", "仅勾选不超过 {} 个"]),
    ];
    must.map(str::to_owned).into_iter().chain(figures.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, VIEW};
    use crate::report::{Format, View, write};

    #[test]
    fn what_is_worse_is_told_in_every_language() {
        for language in Language::ALL {
            let view = View { language, ..VIEW };
            insta::assert_snapshot!(
                format!("gate-{language}"),
                write(&sample::worse(), Format::Table, &view)
            );
        }
        let view = View { width: Some(40), ..VIEW };
        insta::assert_snapshot!("gate-narrow", write(&sample::worse(), Format::Table, &view));
        insta::assert_snapshot!("gate-markdown", write(&sample::worse(), Format::Markdown, &VIEW));
        insta::assert_snapshot!("gate-github", write(&sample::worse(), Format::Github, &VIEW));
    }

    #[test]
    fn soft_gate_that_does_not_hold_says_so_in_every_format_that_shows_it() {
        let report = sample::worse();
        for (format, said) in [
            (Format::Table, "the policy does not hold; --soft"),
            (Format::Markdown, "the policy does not hold; --soft"),
            (Format::Html, "the policy does not hold; --soft"),
            (Format::Json, "\"soft\": true"),
            (Format::Junit, "the policy does not hold; --soft"),
            (Format::Sarif, "\"soft\": true"),
            (Format::Github, "the policy does not hold; --soft"),
        ] {
            let words = write(&report, format, &View { width: None, ..VIEW });
            assert!(words.contains(said), "{format}: {words}");
            assert!(!words.contains("✔ holds") && !words.contains("\"holds\": true"), "{format}");
        }
    }

    #[test]
    fn what_holds_is_said_with_everything_that_was_asked() {
        let figures = |readiness| Figures { readiness: Some(readiness), ..Figures::default() };
        let demand = |must, readiness| Demand { must, figures: figures(readiness) };
        let list = |id: &str| id.parse().unwrap();
        let policy = Policy {
            checklists: [(list("a"), demand(Some(Ask::Proven), 80)), (list("b"), demand(None, 70))].into(),
            levels: [(crate::model::Level::Must, figures(90))].into(),
            ..Policy::default()
        };
        let base = Base { name: "v1".to_owned(), commit: "0123456789abcdef".to_owned() };
        let judgement = Judgement {
            outside: vec![Scope::Checklist(list("b"))],
            compared: Some(Compared { base, removed: vec![], waived: vec![] }),
            ..Judgement::default()
        };
        assert_eq!(
            holds(&policy, &judgement, Language::En),
            "holds: nothing is failing, in a every must item is proven or waived and readiness is at least 80%, in level must \
             readiness is at least 90%, no check is inconclusive, nothing is worse than at v1 (012345678)"
        );
        assert_eq!(
            outside(&judgement, Language::En).unwrap(),
            "not judged, as nothing of it was selected: b"
        );
    }
}
