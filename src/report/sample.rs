//! Reports to test writers with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use semver::Version;

pub(super) use super::View;
use super::{Files, Input, Report};
use crate::model::{
    Ask, Asked, Attempt, Base, Catalog, CheckId, CheckUse, Checklist, Claim, Comparison, Decline, Demand,
    Digest, Entry, Evidence, Exhibit, Fallen, Figures, Finding, Group, Item, ItemId, Kind, Language, Level,
    Location, Measurement, Need, Outcome, Policy, Record, Score, Settings, Severity, Share, Span, Status,
    Step, TargetName, Text, Verdict, Waiver, Weight, Worse,
};

/// English, plain, 80 columns, no items.
pub(super) const VIEW: View =
    View { language: Language::En, color: false, width: Some(80), items: false, why: false };

/// One of everything.
pub(super) fn mixed() -> Report {
    let mut sample = Sample::new(vec![must_do(), stack()]);
    sample.ask(Figures { readiness: Some(80), stale: Some(0), claimed: None });
    sample.record("must-do.double-submit", failed(), 3);
    sample.record("must-do.xss", passed("no page shows a script"), 26);
    sample.record("must-do.csrf", passed("a foreign form is refused"), 50);
    sample.record("must-do.csrf", inconclusive(), 1);
    sample.record("must-do.safe-get", passed("GET changes nothing"), 24 * 151);
    sample.forget_plugin("must-do.safe-get");
    sample.claim("must-do.rest", "read RFC 9110 twice");
    sample.record("stack.lint", without("the build stops at a warning"), 24 * 9);
    sample.record("stack.tests-bite", fault(), 30);
    sample.waive("stack.jenkins", "2026-12-31");
    sample.waive("stack.make", "2026-05-01");
    sample.unbind("stack.release", &["gateway", "shop"]);
    sample.record(
        "stack.rollback",
        verdict(Outcome::Skip, Text::new("there is only one release so far", "目前只有一个版本")),
        4,
    );
    sample.report()
}

/// The same checklists with nothing recorded and nothing bound.
pub(super) fn untouched() -> Report {
    let mut sample = Sample::new(vec![must_do(), stack()]);
    for id in ["must-do.double-submit", "must-do.safe-get", "must-do.csrf"] {
        sample.unbind(id, &["web"]);
    }
    sample.workspace = String::new();
    sample.revision = None;
    sample.report()
}

/// Everything proven, and a policy that holds.
pub(super) fn proven() -> Report {
    let mut checklist = must_do();
    checklist.items.retain(|item| !item.checks.is_empty());
    let ids: Vec<_> = checklist.items.iter().map(|item| item.id.to_string()).collect();
    let mut sample = Sample::new(vec![checklist]);
    sample.ask(Figures { readiness: Some(100), ..Figures::default() });
    for id in ids {
        sample.record(&id, passed("holds"), 1);
    }
    sample.report()
}

/// Something that was proven at a base and is not, a checklist and a level that are asked more, and an exit code that says
/// nothing of it.
pub(super) fn worse() -> Report {
    let mut sample = Sample::new(vec![must_do(), stack()]);
    sample.record("must-do.safe-get", passed("GET changes nothing"), 24);
    sample.forget_plugin("must-do.safe-get");
    sample.record("must-do.xss", passed("no page shows a script"), 26);
    sample.record("must-do.double-submit", failed(), 3);
    let figures = Figures { readiness: Some(90), stale: Some(0), claimed: None };
    let demand = Demand { must: Some(Ask::Proven), figures };
    sample.policy.checklists.insert("must-do".parse().unwrap(), demand);
    sample.policy.levels.insert(Level::Should, Figures { readiness: Some(50), ..Figures::default() });
    let id = |id: &str| -> ItemId { id.parse().unwrap() };
    let worse = |item: &str, formerly: Option<&str>, status| Worse {
        item: id(item),
        formerly: formerly.map(id),
        is: Decline::Status(status),
    };
    sample.comparison = Some(Comparison {
        base: Base { name: "origin/main...".to_owned(), commit: "9f8e7d6c5b4a".repeat(4)[..40].to_owned() },
        worse: vec![
            worse("must-do.safe-get", Some("must-do.get"), Status::Stale),
            worse("must-do.double-submit", None, Status::Failing),
        ],
        fallen: vec![Fallen {
            checklist: "must-do".parse().unwrap(),
            was: Share { proven: 12, of: 18 },
            is: Share { proven: 5, of: 18 },
        }],
        removed: vec![id("must-do.cookies")],
        waived: vec![id("stack.jenkins")],
    });
    sample.soft = true;
    let kept = [(id("must-do.xss"), "web-security/xss".parse().unwrap())];
    sample.report().keeping(&kept.into())
}

/// Text that tries to leave its place.
pub(super) fn hostile() -> Report {
    const NASTY: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}a|b `c` <script>alert(1)</script> \u{202e}txet\u{202c} ]]> &amp; \u{0}\u{9b}31m\r\n| x | y |\n# head\u{ffff}";
    let mut checklist = must_do();
    checklist.title = Text::same(NASTY);
    for group in &mut checklist.groups {
        group.title = Text::same(NASTY);
    }
    for item in &mut checklist.items {
        item.title = Text::same(NASTY);
    }
    let mut sample = Sample::new(vec![checklist]);
    sample.workspace = NASTY.to_owned();
    sample.narrowed = true;
    let nasty = |outcome: Outcome| {
        let mut verdict = verdict(outcome, Text::same(NASTY));
        verdict.steps.push(Step {
            id: NASTY.to_owned(),
            need: Need::Must,
            outcome,
            summary: Text::same(NASTY),
        });
        verdict.findings.push(Finding {
            severity: Severity::Problem,
            code: NASTY.to_owned(),
            message: Text::same(format!("{NASTY}!")),
            at: Some(Location::Note(NASTY.to_owned())),
            hint: Some(Text::same(NASTY)),
        });
        verdict.evidence.push(Evidence {
            label: NASTY.to_owned(),
            media_type: NASTY.to_owned(),
            body: NASTY.as_bytes().to_vec(),
        });
        verdict.measurements.push(Measurement {
            name: NASTY.to_owned(),
            value: 1.0,
            unit: NASTY.to_owned(),
            samples: 1,
            statistic: NASTY.to_owned(),
        });
        verdict
    };
    sample.record("must-do.double-submit", nasty(Outcome::Fail), 1);
    sample.record("must-do.csrf", nasty(Outcome::Inconclusive), 1);
    sample.record("must-do.xss", nasty(Outcome::Pass), 1);
    sample.claim("must-do.rest", NASTY);
    sample.report()
}

/// Nothing at all.
pub(super) fn empty() -> Report {
    Sample::new(vec![]).report()
}

/// `items` items in a chain of `items / 10` groups, one inside the other.
pub(super) fn deep(items: usize) -> Report {
    let groups = (items / 10).max(1);
    let name = |place: usize| format!("g{place}");
    let groups: Vec<_> = (0..groups)
        .map(|place| group(&name(place), place.checked_sub(1).map(name).as_deref(), "Group", "组"))
        .collect();
    let item = |place: usize| {
        let group = groups[place % groups.len()].id.as_str();
        item(&format!("deep.i{place}"), group, Level::Must, 1, ("Item", "条目"), None)
    };
    let items = (0..items).map(item).collect();
    Sample::new(vec![checklist("deep", ("Deep", "深"), groups, items)]).report()
}

/// Findings on lines of files, on lines that lead out of the repository, and on none.
pub(super) fn placed() -> Report {
    let mut sample = Sample::new(vec![must_do(), stack()]);
    sample.files = Files {
        settings: "shop/mustdo.toml".to_owned(),
        items: [
            ("must-do.double-submit".parse().unwrap(), ("shop/checklists/must do.toml".to_owned(), 12)),
            ("stack.tests-bite".parse().unwrap(), ("shop/checklists/stack.toml".to_owned(), 40)),
        ]
        .into(),
        folders: [("src".parse().unwrap(), "shop".to_owned())].into(),
    };
    sample.record("must-do.double-submit", failed(), 3);
    sample.record("must-do.csrf", inconclusive(), 3);
    let source = |path: &str, line, end_line| Finding {
        severity: Severity::Warning,
        code: "repo.line".to_owned(),
        message: Text::new("the test passes with this line broken: 50%, a, b::c", "改坏这一行，测试仍然通过"),
        at: Some(Location::Source {
            target: "src".parse().unwrap(),
            path: path.to_owned(),
            line,
            column: Some(5),
            end_line,
            end_column: Some(9),
        }),
        hint: None,
    };
    let mut bites = verdict(Outcome::Fail, Text::new("2 broken lines went unseen", "有 2 处改坏未被发现"));
    bites.findings = vec![
        Finding { severity: Severity::Problem, ..source("app/order.py", Some(7), Some(7)) },
        Finding { severity: Severity::Problem, ..source("app/order.py", Some(9), Some(11)) },
        Finding { severity: Severity::Problem, ..source("../../etc/passwd", Some(1), None) },
        source("app/cart.py", None, None),
    ];
    sample.record("stack.tests-bite", bites, 2);
    let mut lint = passed("the build stops at a warning");
    lint.findings = vec![source("Makefile", Some(3), None), Finding { at: None, ..source("", None, None) }];
    sample.record("stack.lint", lint, 2);
    // A check that names nothing has failed all the same.
    sample.record(
        "must-do.xss",
        verdict(Outcome::Fail, Text::new("a page runs a script", "页面执行了脚本")),
        2,
    );
    sample.report()
}

/// All of these.
pub(super) fn all() -> Vec<Report> {
    vec![mixed(), untouched(), proven(), hostile(), empty(), placed(), worse(), deep(300)]
}

fn must_do() -> Checklist {
    let items = vec![
        item(
            "must-do.double-submit",
            "must-do",
            Level::Must,
            3,
            ("Double submit: one click, one effect", "重复提交：点两次，只生效一次"),
            Some("http-idempotency/double-submit"),
        ),
        item(
            "must-do.csrf",
            "must-do",
            Level::Must,
            2,
            ("CSRF: a foreign form changes nothing", "CSRF：别的网站的表单不能改变任何数据"),
            Some("web-security/csrf"),
        ),
        item(
            "must-do.xss",
            "must-do",
            Level::Must,
            2,
            ("XSS: text stays text", "XSS：文本始终是文本"),
            Some("web-security/xss"),
        ),
        item(
            "must-do.safe-get",
            "must-do",
            Level::Should,
            1,
            ("Safe methods have no effect", "安全方法没有副作用"),
            Some("http-idempotency/safe-get"),
        ),
        item(
            "must-do.rest",
            "must-do",
            Level::Should,
            1,
            ("REST: resources, methods, status codes", "REST：资源、方法、状态码"),
            None,
        ),
        item(
            "must-do.wsgi",
            "must-do",
            Level::Challenge,
            5,
            ("WSGI server of your own", "自己写一个 WSGI 服务器"),
            None,
        ),
    ];
    checklist(
        "must-do",
        ("Must do", "必做"),
        vec![group("must-do", None, "Must do: the chain, in order", "Must do")],
        items,
    )
}

fn stack() -> Checklist {
    let groups = vec![
        group("stack", None, "Stack", "技术栈"),
        group("stack.deployment", Some("stack"), "Deployment", "部署"),
        group("stack.release", Some("stack.deployment"), "Release", "发布"),
        group("stack.build", Some("stack.deployment"), "Build", "构建"),
        group("stack.coding", Some("stack"), "Coding", "编码"),
        group("stack.empty", Some("stack"), "Nothing here", "空"),
    ];
    let items = vec![
        item(
            "stack.lint",
            "stack.coding",
            Level::Must,
            1,
            ("Lint: no warning gets in", "Lint：不放过任何警告"),
            Some("repo-practice/lint"),
        ),
        item(
            "stack.tests-bite",
            "stack.coding",
            Level::Must,
            2,
            ("Tests bite: a broken line turns them red", "测试有效：改坏一行，测试就变红"),
            Some("repo-practice/tests-bite"),
        ),
        item(
            "stack.release",
            "stack.release",
            Level::Should,
            1,
            ("Gray release: one in ten sees the new one", "灰度发布：十分之一的人看到新版本"),
            Some("gateway/gray"),
        ),
        item(
            "stack.rollback",
            "stack.release",
            Level::Should,
            1,
            ("Roll back in one step", "一步回滚"),
            Some("gateway/rollback"),
        ),
        item(
            "stack.jenkins",
            "stack.build",
            Level::Should,
            1,
            ("Jenkins: a pipeline as a file", "Jenkins：流水线写成文件"),
            None,
        ),
        item(
            "stack.make",
            "stack.build",
            Level::Should,
            1,
            ("Make: the second run does nothing", "Make：第二次运行什么也不做"),
            None,
        ),
    ];
    checklist("stack", ("Stack", "技术栈"), groups, items)
}

pub(super) fn checklist(id: &str, title: (&str, &str), groups: Vec<Group>, items: Vec<Item>) -> Checklist {
    Checklist {
        id: id.parse().unwrap(),
        version: Version::new(1, 0, 0),
        title: Text::new(title.0, title.1),
        groups,
        items,
    }
}

pub(super) fn group(id: &str, parent: Option<&str>, en: &str, zh: &str) -> Group {
    Group {
        id: id.parse().unwrap(),
        parent: parent.map(|parent| parent.parse().unwrap()),
        title: Text::new(en, zh),
        source: None,
        cards: vec![],
    }
}

pub(super) fn item(
    id: &str,
    group: &str,
    level: Level,
    weight: i64,
    title: (&str, &str),
    check: Option<&str>,
) -> Item {
    let check = check.map(|uses| CheckUse {
        uses: uses.parse().unwrap(),
        target: [("api".parse().unwrap(), "web".parse().unwrap())].into(),
        with: BTreeMap::new(),
        watch: vec![],
    });
    Item {
        id: id.parse().unwrap(),
        formerly: vec![],
        group: group.parse().unwrap(),
        title: Text::new(title.0, title.1),
        level,
        weight: Weight::new(weight).unwrap(),
        needs: vec![],
        tags: vec!["http".parse().unwrap()],
        fresh_for: None,
        source: Some("seed:1".to_owned()),
        kind: Kind::Verify,
        hints: vec![],
        checks: check.into_iter().collect(),
        cards: vec![],
    }
}

fn verdict(outcome: Outcome, summary: Text) -> Verdict {
    Verdict {
        outcome,
        summary,
        score: None,
        steps: vec![],
        findings: vec![],
        evidence: vec![],
        measurements: vec![],
    }
}

fn passed(summary: &str) -> Verdict {
    let mut verdict = verdict(Outcome::Pass, Text::new(summary, "符合要求"));
    verdict.score = Some(Score { earned: 4.0, possible: 5.0 });
    verdict.steps.push(Step {
        id: "control".to_owned(),
        need: Need::Must,
        outcome: Outcome::Pass,
        summary: Text::new("the observer sees a write", "观察者能看到写入"),
    });
    verdict
}

/// A pass that could not look at everything.
fn without(summary: &str) -> Verdict {
    let mut verdict = passed(summary);
    verdict.steps.push(Step {
        id: "restart".to_owned(),
        need: Need::Must,
        outcome: Outcome::Skip,
        summary: Text::new("not tried: it needs a grant", "没有尝试：需要授权"),
    });
    verdict
}

fn failed() -> Verdict {
    let mut verdict =
        verdict(Outcome::Fail, Text::new("one click stored two orders", "点一次，存了两个订单"));
    verdict.steps.push(Step {
        id: "same-key".to_owned(),
        need: Need::Must,
        outcome: Outcome::Fail,
        summary: Text::new("2 orders after 2 posts with one key", "同一个键提交 2 次，得到 2 个订单"),
    });
    verdict.findings.push(Finding {
        severity: Severity::Problem,
        code: "idempotency.twice".to_owned(),
        message: Text::new(
            "POST /orders was sent twice with the key 7f3a; both answers were 201 and GET /orders then showed two orders",
            "用同一个键 7f3a 发送了两次 POST /orders，两次都返回 201，之后 GET /orders 显示两个订单",
        ),
        at: Some(Location::Exchange { target: "web".parse().unwrap(), request: "POST /orders".to_owned() }),
        hint: Some(Text::new(
            "Put a unique key on the column that holds the key of the request, and answer the second one from the first.",
            "给保存请求键的列加上唯一索引，第二次请求返回第一次的结果。",
        )),
    });
    verdict.evidence.push(Evidence {
        label: "requests".to_owned(),
        media_type: "text/plain".to_owned(),
        body: b"POST /orders 201\nPOST /orders 201\nGET /orders 200\n".to_vec(),
    });
    verdict.measurements.push(Measurement {
        name: "latency".to_owned(),
        value: 12.5,
        unit: "ms".to_owned(),
        samples: 40,
        statistic: "p95".to_owned(),
    });
    verdict
}

fn inconclusive() -> Verdict {
    verdict(
        Outcome::Inconclusive,
        Text::new("the form could not be found on /login", "在 /login 上找不到表单"),
    )
}

fn unanswered() -> Attempt {
    let summary = Text::new("the service answered 503", "服务返回 503");
    Attempt { summary, fault: false, elapsed: Duration::from_millis(310) }
}

fn fault() -> Verdict {
    verdict(Outcome::Inconclusive, Text::same("plugin repo-practice 0.1.0 was stopped after 60.0 s"))
}

/// What a report is made from.
struct Sample {
    catalog: Catalog,
    entries: HashMap<ItemId, Entry>,
    unbound: HashMap<ItemId, Vec<&'static str>>,
    rebuilt: BTreeSet<ItemId>,
    policy: Policy,
    comparison: Option<Comparison>,
    soft: bool,
    workspace: String,
    revision: Option<String>,
    narrowed: bool,
    files: Files,
}

impl Sample {
    fn new(checklists: Vec<Checklist>) -> Self {
        Self {
            catalog: Catalog::new(checklists),
            entries: HashMap::new(),
            unbound: HashMap::new(),
            rebuilt: BTreeSet::new(),
            policy: Policy::default(),
            comparison: None,
            soft: false,
            workspace: "shop".to_owned(),
            revision: Some("1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d".to_owned()),
            narrowed: false,
            files: Files { settings: "mustdo.toml".to_owned(), ..Files::default() },
        }
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    /// Asks for every must item, and for these figures.
    fn ask(&mut self, figures: Figures) {
        self.policy.whole = Demand { must: Some(Ask::Proven), figures };
    }

    fn entry(&mut self, id: &str) -> &mut Entry {
        self.entries.entry(id.parse().unwrap()).or_default()
    }

    fn record(&mut self, id: &str, verdict: Verdict, hours_ago: i64) {
        let item = self.catalog.item(&id.parse().unwrap()).unwrap();
        let definition = Settings::default().definitions(item).remove(0);
        // What is flaky was asked more than once.
        let attempts = if verdict.outcome == Outcome::Flaky { vec![unanswered()] } else { vec![] };
        let record = Record {
            fault: verdict.summary.en.contains("was stopped"),
            at: Self::now() - SignedDuration::from_hours(hours_ago),
            plugin: Digest::of(b"plugin"),
            version: Version::new(0, 1, 0),
            proven: Some(id != "stack.rollback" && id != "must-do.xss"),
            definition: definition.digest(),
            seed: 7,
            commit: Some("1a2b3c4+".to_owned()),
            watched: None,
            targets: [("web".parse().unwrap(), "started: flask run".to_owned())].into(),
            elapsed: Duration::from_millis(1250),
            evidence: verdict.evidence.iter().map(Exhibit::from).collect(),
            verdict,
            attempts,
        };
        self.entry(id).checks.entry(definition.uses).or_default().remember(record);
    }

    fn claim(&mut self, id: &str, note: &str) {
        self.entry(id).claim = Some(Claim {
            at: Self::now(),
            note: Some(note.to_owned()),
            links: vec!["https://example.org".to_owned()],
        });
    }

    fn waive(&mut self, id: &str, until: &str) {
        self.entry(id).waiver = Some(Waiver {
            at: Self::now(),
            why: "no server to try it on".to_owned(),
            until: until.parse().unwrap(),
        });
    }

    fn unbind(&mut self, id: &str, targets: &[&'static str]) {
        self.unbound.insert(id.parse().unwrap(), targets.to_vec());
    }

    fn forget_plugin(&mut self, id: &str) {
        self.rebuilt.insert(id.parse().unwrap());
    }

    fn asked(&self, item: &Item) -> Vec<Asked> {
        let settings = Settings { fresh_for: Some(Span::days(120)), ..Settings::default() };
        let plugin = if self.rebuilt.contains(&item.id) { "another" } else { "plugin" };
        let unbound = self.unbound.get(&item.id).into_iter().flatten().map(|name| name.parse().unwrap());
        let definitions = settings.definitions(item).into_iter();
        definitions
            .map(|definition| Asked {
                plugin: Some(Digest::of(plugin.as_bytes())),
                unbound: unbound.clone().collect(),
                watched: None,
                targets: self.judged(&item.id, &definition.uses),
                definition,
            })
            .collect()
    }

    /// What a check's targets were when it was decided: nothing has been bound anew since.
    fn judged(&self, item: &ItemId, check: &CheckId) -> BTreeMap<TargetName, String> {
        let known = self.entries.get(item).and_then(|entry| entry.checks.get(check));
        let decided = known.and_then(|known| known.decided.as_ref());
        decided.map(|record| record.targets.clone()).unwrap_or_default()
    }

    fn report(&self) -> Report {
        let items: Vec<_> = self.catalog.items().collect();
        Report::new(Input {
            catalog: &self.catalog,
            entries: items.iter().map(|item| self.entries.get(&item.id)).collect(),
            asked: items.iter().map(|item| self.asked(item)).collect(),
            items,
            policy: &self.policy,
            judgement: None,
            needed: BTreeMap::new(),
            comparison: self.comparison.clone(),
            soft: self.soft,
            now: Self::now(),
            workspace: self.workspace.clone(),
            revision: self.revision.clone(),
            narrowed: self.narrowed,
            files: self.files.clone(),
        })
    }
}
