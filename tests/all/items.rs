//! The pages of all items, `docs/items.md` and `docs/items.zh.md`: made from the shipped checklists and from what the
//! shipped plugins say of themselves. `MUSTDO_UPDATE=1` writes them anew.
//!
//! Lines to paste are held against the plan: with them in `mustdo.toml`, nothing of an item's checks is left unbound but
//! the values that only the learner knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mustdo::cli::binding;
use mustdo::model::{Catalog, CheckInfo, Item, Language, PluginId, PluginInfo, Settings};
use mustdo::plugin::{CachePolicy, Host, HostOptions};
use mustdo::report;
use mustdo::store::{CHECKLISTS, PLUGINS};
use mustdo::syntax::{self, Source, Unfit};
use mustdo::verify::{Installed, MissingGrant, ParamsFault, Plan, PlanInput, Why};
use serde_json::Value;

/// What ships.
struct Shipped {
    catalog: Catalog,
    plugins: BTreeMap<PluginId, PluginInfo>,
}

impl Shipped {
    async fn read() -> Self {
        let sources = CHECKLISTS.iter().map(|&(name, text)| Source::new(name, text));
        let files = sources.map(|source| syntax::read_checklist(&source).value.unwrap());
        let catalog = syntax::link(files.collect()).catalog;
        let host = Host::new(HostOptions::new(CachePolicy::Off)).unwrap();
        let mut plugins = BTreeMap::new();
        for shipped in PLUGINS {
            let info = host.describe(&host.load(shipped.bytes).unwrap().plugin).await.unwrap();
            plugins.insert(info.id.clone(), info);
        }
        Self { catalog, plugins }
    }

    /// The checks of an item, with what the plugin says of each; empty where one of them does not ship.
    fn checks(&self, item: &Item) -> Vec<(&PluginInfo, &CheckInfo)> {
        let found = item.checks.iter().map(|check| {
            let plugin = self.plugins.get(&check.uses.plugin)?;
            Some((plugin, plugin.check(&check.uses.check)?))
        });
        found.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    fn plan(&self, item: &Item, settings: &Settings) -> Plan {
        let installed = |id: &PluginId| {
            let shipped = PLUGINS.iter().find(|shipped| shipped.id == id.as_str())?;
            Some(Installed { digest: shipped.digest, info: self.plugins.get(id)?, embedded: true })
        };
        Plan::new(&PlanInput {
            items: &[item],
            named: &BTreeSet::new(),
            catalog: &self.catalog,
            settings,
            plugins: &installed,
            programs: &|_| None,
            params: &|check, with| {
                syntax::params(check, with).map_err(|Unfit { missing, wrong }| ParamsFault { missing, wrong })
            },
            seed: 0,
            timeout: None,
        })
    }

    /// The lines that bind an item, and what has to be allowed then.
    fn binding(&self, item: &Item) -> (Vec<String>, Vec<MissingGrant>) {
        let lines = binding::lines(&self.plan(item, &Settings::default()).left_out);
        let known: Vec<_> = lines.iter().take_while(|line| !line.starts_with("[item.")).cloned().collect();
        let bound = syntax::read_settings(&Source::new("mustdo.toml", known.join("\n"))).value.unwrap();
        let plan = self.plan(item, bound.settings());
        for left in &plan.left_out {
            let only_values = matches!(&left.why, Why::NotGranted(_))
                || matches!(&left.why, Why::NotBound { targets, .. } if targets.is_empty());
            assert!(only_values, "{} is not bound by\n{}\n{}", item.id, lines.join("\n"), left.why);
        }
        (lines, plan.missing_grants)
    }

    /// The lines that bind what an item names and its checks can do without.
    fn optional(&self, item: &Item, bound: &[String]) -> Vec<String> {
        let mut more = BTreeMap::new();
        for ((_, check), uses) in self.checks(item).iter().zip(&item.checks) {
            for capability in check.capabilities.iter().map(|request| &request.capability) {
                let name = capability.target().and_then(|asked| uses.target.get(asked));
                if let Some(name) = name.filter(|name| !bound.contains(&format!("[targets.{name}]"))) {
                    more.entry(name).or_insert_with(|| report::binding(name, capability.kinds()));
                }
            }
        }
        more.into_values().flatten().collect()
    }
}

#[tokio::test]
async fn pages_say_what_each_item_asks_for_and_how_to_bind_it() {
    let shipped = Shipped::read().await;
    for (language, name) in [(Language::En, "items.md"), (Language::Zh, "items.zh.md")] {
        let page = Page { shipped: &shipped, language, text: String::new() }.whole();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        if std::env::var_os("MUSTDO_UPDATE").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = kept.lines().zip(page.lines()).find(|(kept, page)| kept != page);
        assert!(kept == page, "MUSTDO_UPDATE=1 writes docs/{name} anew; it differs first at {differs:?}");
    }
}

#[tokio::test]
async fn a_target_that_the_checklists_name_is_offered_in_the_kind_that_its_checks_need() {
    let shipped = Shipped::read().await;
    for item in shipped.catalog.items() {
        for ((_, check), uses) in shipped.checks(item).iter().zip(&item.checks) {
            for request in check.capabilities.iter().filter(|request| request.required) {
                let Some(bound) = request.capability.target().and_then(|asked| uses.target.get(asked)) else {
                    continue;
                };
                // Whoever reads a report has opened no plugin: the name alone has to tell.
                let offered = report::binding(bound, &[]);
                let fits =
                    request.capability.kinds().iter().any(|&kind| offered == report::binding(bound, &[kind]));
                assert!(fits, "{}: {} is offered as {offered:?}", item.id, request.capability);
            }
        }
    }
}

#[tokio::test]
async fn documents_count_the_items_that_have_a_check() {
    let shipped = Shipped::read().await;
    let all = shipped.catalog.items().count();
    let checked = shipped.catalog.items().filter(|item| !shipped.checks(item).is_empty()).count();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let sentence = format!("{checked} of the {all} items have a check");
    assert!(readme.contains(&sentence), "README.md does not say: {sentence}");
    for plugin in PLUGINS {
        assert!(readme.contains(&format!("`{}`", plugin.id)), "README.md does not name {}", plugin.id);
    }
}

/// One page, in the making.
struct Page<'a> {
    shipped: &'a Shipped,
    language: Language,
    text: String,
}

impl Page<'_> {
    fn whole(mut self) -> String {
        self.head();
        let catalog = &self.shipped.catalog;
        for checklist in catalog.checklists() {
            let items: Vec<_> = checklist.items.iter().collect();
            let (with, without): (Vec<&Item>, Vec<&Item>) =
                items.into_iter().partition(|item| !self.shipped.checks(item).is_empty());
            self.say(&format!("\n## {}", checklist.title.get(self.language)));
            for item in with {
                self.item(item);
            }
            self.without(&without);
        }
        self.say(&format!("\n# {}", self.words("The checks", "各项检查")));
        for plugin in self.shipped.plugins.values() {
            for check in &plugin.checks {
                self.check(plugin, check);
            }
        }
        self.text
    }

    fn say(&mut self, line: &str) {
        // Writing to a string can not fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn words<'t>(&self, en: &'t str, zh: &'t str) -> &'t str {
        match self.language {
            Language::En => en,
            Language::Zh => zh,
        }
    }

    fn head(&mut self) {
        let all = self.shipped.catalog.items().count();
        let checked =
            self.shipped.catalog.items().filter(|item| !self.shipped.checks(item).is_empty()).count();
        let text = match self.language {
            Language::En => format!(
                "# Items\n\nWhat each item asks for, and the lines that bind it. {checked} of the {all} items have a check in \
                 this version; the others can be\nticked (`mustdo tick ITEM`) and are listed as such. In Chinese: \
                 [items.zh.md](items.zh.md).\n\nPut the lines into `mustdo.toml` with your own values; a target that several \
                 items share is there once. Then\n`mustdo verify ITEM`. [targets.md](targets.md) has every kind of target and \
                 how mustdo starts what it checks, and\n`with` under `[item.\"ID\"]` sets the parameters, which stand below with \
                 their defaults. This page is made from the\nchecklists and the plugins, by a test. [examples](../examples/README.md) has a \
                 learner's repository with all of it in place.\n"
            ),
            Language::Zh => format!(
                "# 条目\n\n每个条目要求什么，以及绑定它的配置。此版本中 {all} 个条目里有 {checked} 个带检查；其余条目可以自行勾选（`mustdo tick ITEM`），\
                 在下面单独列出。英文版：[items.md](items.md)。\n\n把这些行写入 `mustdo.toml`，改成自己的值；多个条目共用的目标只写一次。然后运行 \
                 `mustdo verify ITEM`。各种目标的写法、mustdo 如何\n启动被检查的程序，见 [targets.md](targets.md)；参数写在 `[item.\"ID\"]` 的 \
                 `with` 里，其名称和默认值见[英文版](items.md#the-checks)。\n本页由测试根据清单和插件生成。\n\
                 一个全部绑定好的学习者仓库见 [examples](../examples/README.md)。\n"
            ),
        };
        self.text.push_str(&text);
    }

    fn item(&mut self, item: &Item) {
        self.say(&format!("\n### {}\n", escaped(item.title.get(self.language))));
        let weight = self.words("weight", "权重");
        self.say(&format!("`{}` · {} · {weight} {}\n", item.id, item.level, item.weight.get()));
        for ((plugin, check), uses) in self.shipped.checks(item).iter().zip(&item.checks) {
            let with = if uses.with.is_empty() {
                String::new()
            } else {
                format!(" {} `{}`", self.words("with", "参数"), syntax::params_json(&uses.with))
            };
            let (name, title) = (format!("{}/{}", plugin.id, check.id), check.title.get(self.language));
            self.say(&format!("- [`{name}`](#{}){with}: {title}", anchor(&name)));
        }
        let (lines, grants) = self.shipped.binding(item);
        self.say(&format!("\n```toml\n{}\n```", lines.join("\n")));
        let more = self.shipped.optional(item, &lines);
        if !more.is_empty() {
            self.say(self.words("\nIt sees more with", "\n加上以下内容可以检查得更多："));
            self.say(&format!("\n```toml\n{}\n```", more.join("\n")));
        }
        self.grants(&grants);
    }

    /// The commands that allow what a check needs, and what it can do without.
    fn grants(&mut self, grants: &[MissingGrant]) {
        for required in [true, false] {
            let mut wanted: BTreeMap<&PluginId, Vec<String>> = BTreeMap::new();
            for grant in grants.iter().filter(|grant| grant.required == required) {
                wanted.entry(&grant.plugin).or_default().push(grant.capability.to_string());
            }
            for (plugin, capabilities) in wanted {
                let command = format!("`mustdo grant {plugin} {}`", capabilities.join(" "));
                let line = match (self.language, required) {
                    (Language::En, true) => format!("\nIt has to be allowed once: {command}"),
                    (Language::En, false) => format!("\nIt sees more where you allow it: {command}"),
                    (Language::Zh, true) => format!("\n需要先许可一次：{command}"),
                    (Language::Zh, false) => format!("\n许可后可以检查得更多：{command}"),
                };
                self.say(&line);
            }
        }
    }

    fn without(&mut self, items: &[&Item]) {
        if items.is_empty() {
            return;
        }
        let words = self
            .words("No check in this version; a tick is all they can get:", "此版本没有检查，只能自行勾选：");
        self.say(&format!("\n{words}\n"));
        for item in items {
            self.say(&format!("- `{}` {}", item.id, escaped(item.title.get(self.language))));
        }
    }

    fn check(&mut self, plugin: &PluginInfo, check: &CheckInfo) {
        self.say(&format!("\n## `{}/{}`\n", plugin.id, check.id));
        self.say(&format!("**{}**\n", escaped(check.title.get(self.language))));
        self.say(&escaped(check.description.get(self.language)));
        let seconds = check.typical.as_secs_f64().ceil();
        let alone = match (check.exclusive, self.language) {
            (true, Language::En) => ", alone on its targets",
            (true, Language::Zh) => "，期间独占其目标",
            (false, _) => "",
        };
        self.say(&match self.language {
            Language::En => format!("\nTakes about {seconds:.0} s{alone}."),
            Language::Zh => format!("\n大约需要 {seconds:.0} 秒{alone}。"),
        });
        self.say("");
        for request in &check.capabilities {
            let need = if request.required {
                self.words("needs", "需要")
            } else {
                self.words("would like", "希望得到")
            };
            let reason = escaped(request.reason.get(self.language));
            self.say(&format!("- {need} `{}`: {reason}", request.capability));
        }
        // Schemas describe parameters in English only, and once is enough.
        if self.language == Language::En {
            self.parameters(check);
        }
    }

    fn parameters(&mut self, check: &CheckInfo) {
        let schema: Value = check
            .params_schema
            .as_deref()
            .map(|text| serde_json::from_str(text).unwrap())
            .unwrap_or_default();
        let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty())
        else {
            return;
        };
        self.say("\n| parameter | default | |\n| :-- | :-- | :-- |");
        let required = |name: &str| {
            let mut names = schema["required"].as_array().into_iter().flatten();
            names.any(|required| required == name)
        };
        for (name, about) in properties {
            let default = match about.get("default") {
                Some(value) => format!("`{value}`"),
                None if required(name) => "*required*".to_owned(),
                None => String::new(),
            };
            let words = about["description"].as_str().unwrap_or_default();
            self.say(&format!("| `{name}` | {} | {} |", cell(&default), cell(words)));
        }
    }
}

/// The anchor of a heading as GitHub makes it: lower case, spaces are hyphens, other punctuation is gone.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Words in which nothing is markup but code between backticks.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => part.replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

/// Words in one cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
