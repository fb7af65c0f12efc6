//! `unique-guard`: is a retry stopped by a unique key in the database?
//!
//! The learner's service is asked to do the operation; what it did is read in the database, not from its answers. Where the
//! rows are is found by itself: the check's key and its token are words that nobody else has, so the columns that hold them
//! after a submission are those that the service writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request, Response};
use mustdo_plugin::serde_json::json;
use mustdo_plugin::service::{
    Advice, TARGET as SERVICE, Template, Values, excerpt, identity, line_of, place_of, refused,
};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters};

use crate::guard::{self, Guard};
use crate::schema::{self, Column};
use crate::session::{Login, Session};
use crate::stored::{Place, rows_with, search};

const ADVICE: Advice = Advice {
    item: "idempotence.unique-key",
    with: "op = { method = \"POST\", path = \"/orders\", body = { no = \"{key}\", sku = \"{token}\" } }\nuser = \"app\"\nschema = \"shop\"",
};

/// Copies of one submission that are sent at once.
const RACERS: usize = 30;

/// Different submissions that are sent at once.
const DIFFERENT: usize = 10;

/// Rounds of the race: an unguarded one is seldom lucky twice.
const ROUNDS: usize = 3;

/// Characters of a token that no ordinary column holds.
const TOO_LONG: usize = 70_000;

parameters! {
    /// The operation, and the database behind it.
    pub struct UniqueGuard {
        /// Submits; `{key}` is what makes it the same again, `{token}` and `{number}` are filled with fresh values.
        op: Template = Template::new("POST", "/orders").with_body(json!({"no": "{key}", "sku": "{token}", "quantity": "{number}"})),
        /// The header of the key, where the request has `{key}` nowhere.
        header: String = "Idempotency-Key".to_owned(),
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
        /// Who asks the database.
        user: String = "root".to_owned(),
        /// Its password; in `mustdo.toml` name a variable: `{ env = "DB_PASSWORD" }`.
        password: String = String::new(),
        /// The schema. Empty: the only one beside the server's own.
        schema: String = String::new(),
        /// The columns of the unique index, where the key is more than one. Empty: the one that holds the key.
        columns: Vec<String> = Vec::new(),
    }
}

impl Check for UniqueGuard {
    const ID: &'static str = "unique-guard";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A unique key stops retries", "唯一键挡住重试"),
            description: Text::new(
                "Submits different things and sees each as a row in the database; sends one submission 30 times at once; looks for the unique index behind the key; copies its own row in a transaction that is rolled back, which the index must refuse; and submits a value that fits no column, which must not vanish. A good answer: one row for each key, the losers get the same result or 409, and `UNIQUE (no)` with `no` NOT NULL. The rows stay: use a test database.",
                "先提交不同的内容，在数据库里看到每一行；再把同一次提交同时发 30 遍；查找键背后的唯一索引；在会回滚的事务里复制自己的那一行，索引必须拒绝；再提交一个放不进列的值，它不能悄悄消失。合格的结果：每个键一行，没抢到的得到同样的结果或 409，并且有 `UNIQUE (no)`、`no` 为 NOT NULL。产生的数据会留下，请用测试库。",
            ),
            capabilities: vec![crate::reach_service(), crate::reach_database()],
            typical: Duration::from_secs(8),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "a unique key in the database stops retries",
            "数据库里的唯一键挡住了重试",
        ));
        let inputs = Inputs::draw(context);
        // Where it stopped is in the report.
        let _ = self.judge(context, &inputs, &mut report);
        report
    }
}

/// Everything that is sent, drawn before anything is.
struct Inputs {
    first: Values,
    different: Vec<Values>,
    races: Vec<Values>,
    oversized: Values,
}

impl Inputs {
    fn draw(context: &mut Context<'_>) -> Self {
        let mut draw = || Values::fresh(context.generator());
        Self {
            first: draw(),
            different: (0..DIFFERENT).map(|_| draw()).collect(),
            races: (0..ROUNDS).map(|_| draw()).collect(),
            oversized: draw(),
        }
    }
}

/// Where submissions end up.
struct Layout {
    schema: String,
    columns: Vec<Column>,
    /// The columns that held the key of the first submission, and those that held its token.
    keys: Vec<Place>,
    tokens: Vec<Place>,
}

/// The service and the database behind it.
struct Bench<'run, 'host> {
    service: Service,
    session: Session<'run, 'host>,
    paste: Text,
}

/// The service, with a record of what was asked.
struct Service {
    client: Client,
    lines: Vec<String>,
}

impl Service {
    fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        let answer = self.client.send(request);
        self.record(request, &answer);
        answer
    }

    fn send_all(&mut self, requests: &[Request]) -> Result<Vec<Result<Response, Failure>>, Failure> {
        let answers = self.client.send_all(requests, u32::try_from(requests.len()).unwrap_or(u32::MAX))?;
        for (request, answer) in requests.iter().zip(&answers) {
            self.record(request, answer);
        }
        Ok(answers)
    }

    fn record(&mut self, request: &Request, answer: &Result<Response, Failure>) {
        let told = match answer {
            Ok(answer) => format!(
                "{} in {} ms: {}",
                answer.status,
                answer.timing.total.as_millis(),
                excerpt(&answer.body)
            ),
            Err(failure) => failure.explain().en,
        };
        self.lines.push(format!("{} -> {told}", line_of(request)));
    }
}

impl UniqueGuard {
    fn judge(&self, context: &Context<'_>, inputs: &Inputs, report: &mut Report) -> Option<()> {
        let bench = report.judge("connect", Need::Must, self.open(context), |bench| {
            Text::new(
                format!("{} answers {}", bench.session.version(), self.user),
                format!("{} 接受了 {}", bench.session.version(), self.user),
            )
        });
        let mut bench = bench?;
        let outcome = self.judge_bench(&mut bench, inputs, report);
        report.measure(
            "requests",
            f64::from(u32::try_from(bench.service.lines.len()).unwrap_or(u32::MAX)),
            "1",
        );
        report.evidence("requests", bench.service.lines.join("\n"));
        outcome
    }

    fn open<'run, 'host>(&self, context: &'run Context<'host>) -> Result<Bench<'run, 'host>, Fault> {
        let paste = crate::account(ADVICE);
        let session = Session::open(context, Login { user: &self.user, password: &self.password });
        let session = session.map_err(|broken| broken.explain(&paste))?;
        let client = context.http(SERVICE, &Options::default())?;
        Ok(Bench { service: Service { client, lines: Vec::new() }, session, paste })
    }

    fn judge_bench(&self, bench: &mut Bench<'_, '_>, inputs: &Inputs, report: &mut Report) -> Option<()> {
        let layout =
            report.judge("first-is-stored", Need::Must, self.first(bench, &inputs.first), |layout| {
                let told: Vec<_> = layout.keys.iter().chain(&layout.tokens).map(Place::told).collect();
                let told = told.join(", ");
                Text::new(format!("a submission is stored in {told}"), format!("提交的内容存放在 {told}"))
            })?;
        let outcome = self.control(bench, &layout, &inputs.different);
        report.judge("control", Need::Must, outcome, |()| {
            Text::new(
                format!("{DIFFERENT} different submissions are {DIFFERENT} rows"),
                format!("{DIFFERENT} 次不同的提交就是 {DIFFERENT} 行"),
            )
        })?;
        let outcome = self.races(bench, &layout, &inputs.races);
        let races = report.judge("race", Need::Must, outcome, |races| {
            Text::new(
                format!("{RACERS} copies at once are one row: {}", races.join("; ")),
                format!("同时 {RACERS} 份只有一行：{}", races.join("；")),
            )
        });
        let outcome = self.guard(bench, &layout);
        let guard = report.judge("unique-index", Need::Must, outcome, |guard| Text::same(guard.told()));
        if let Some(guard) = &guard {
            let key = &inputs.first.key;
            let outcome =
                guard::refuses(&mut bench.session, &layout.schema, guard, &layout.columns, key, &bench.paste);
            report.judge("duplicate-refused", Need::Must, outcome, |error| Text::same(error.clone()));
        }
        let outcome = self.oversized(bench, &layout, &inputs.oversized);
        report.judge("errors-shown", Need::Must, outcome, |status| {
            Text::new(
                format!("what does not fit is answered {status} and not stored in part"),
                format!("放不下的内容返回 {status}，没有存下残缺的数据"),
            )
        });
        races.map(|_| ())
    }

    fn request(&self, values: &Values) -> Request {
        let mut request = self.op.fill(values);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.op.mentions("{key}") { request } else { request.header(&self.header, values.key.clone()) }
    }

    /// Success first: one submission is accepted, and the database shows it.
    fn first(&self, bench: &mut Bench<'_, '_>, values: &Values) -> Result<Layout, Fault> {
        let schema = schema::find(&mut bench.session, &self.schema, &bench.paste)?;
        let columns = schema::columns(&mut bench.session, &schema, &bench.paste)?;
        let request = self.request(values);
        let answer = bench.service.send(&request)?;
        if !is_accepted(&answer) {
            return Err(refused(&request, &answer, ADVICE));
        }
        let keys = search(&mut bench.session, &schema, &columns, &values.key, &bench.paste)?;
        let tokens = search(&mut bench.session, &schema, &columns, &values.token, &bench.paste)?;
        if keys.is_empty() && tokens.is_empty() {
            let hint = ADVICE.hint(
                "name the request that writes into this schema, with {key} and {token} where text of yours is stored; or name the schema it writes into:",
                "请写明向这个库写入的请求，在会存成文字的地方放 {key} 和 {token}；或写明它写入的库：",
            );
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{} was answered {}, but no text column of `{schema}` holds what was sent. {}",
                    line_of(&request),
                    answer.status,
                    hint.en
                ),
                format!(
                    "{} 返回 {}，但库 `{schema}` 的文字列里没有所发送的内容。{}",
                    line_of(&request),
                    answer.status,
                    hint.zh
                ),
            )));
        }
        Ok(Layout { schema, columns, keys, tokens })
    }

    /// Different submissions at the same moment are a row each: a service that refuses them all is not guarded, but shut.
    fn control(&self, bench: &mut Bench<'_, '_>, layout: &Layout, different: &[Values]) -> Result<(), Fault> {
        let requests: Vec<_> = different.iter().map(|values| self.request(values)).collect();
        for (answer, request) in bench.service.send_all(&requests)?.into_iter().zip(&requests) {
            let answer = answer?;
            if !is_accepted(&answer) {
                return Err(refused(request, &answer, ADVICE));
            }
        }
        for values in different {
            if let Some((place, rows)) = layout.uneven(bench, values)? {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "of {DIFFERENT} different submissions at once, one has {rows} rows in {}, so the view shows nothing",
                        place.told()
                    ),
                    format!("{DIFFERENT} 次不同的提交里，有一次在 {} 有 {rows} 行，看不出什么", place.told()),
                )));
            }
        }
        Ok(())
    }

    fn races(
        &self,
        bench: &mut Bench<'_, '_>,
        layout: &Layout,
        races: &[Values],
    ) -> Result<Vec<String>, Fault> {
        races.iter().map(|values| self.race(bench, layout, values)).collect()
    }

    /// Many copies at once: one row, an answer that a client understands for everyone, and one resource.
    fn race(&self, bench: &mut Bench<'_, '_>, layout: &Layout, values: &Values) -> Result<String, Fault> {
        let request = self.request(values);
        let answers = bench.service.send_all(&vec![request.clone(); RACERS])?;
        let told = tally(&answers);
        if let Some((place, rows)) = layout.uneven(bench, values)? {
            return Err(raced(
                &request,
                "stored-twice",
                &told,
                Text::new(
                    format!("one submission sent {RACERS} times at once is {rows} rows in {}", place.told()),
                    format!("同一次提交同时发送 {RACERS} 遍，在 {} 有 {rows} 行", place.told()),
                ),
            ));
        }
        let mut names = BTreeSet::new();
        for answer in &answers {
            let answer = answer.as_ref().map_err(|failure| Fault::from(failure.clone()))?;
            if is_accepted(answer) {
                names.extend(identity(answer));
            } else if answer.status >= 500 {
                return Err(raced(
                    &request,
                    "loser-broke",
                    &told,
                    Text::new(
                        format!("whoever came second was answered {}", answer.status),
                        format!("后到的请求返回 {}", answer.status),
                    ),
                ));
            } else if !matches!(answer.status, 409 | 425) {
                return Err(raced(
                    &request,
                    "loser-misled",
                    &told,
                    Text::new(
                        format!(
                            "whoever came second was answered {}, which does not say that it is done already",
                            answer.status
                        ),
                        format!("后到的请求返回 {}，没有说明已经完成", answer.status),
                    ),
                ));
            }
        }
        if answers.iter().flatten().all(|answer| !is_accepted(answer)) {
            return Err(raced(
                &request,
                "nobody-told",
                &told,
                Text::new("it was stored, and nobody was told so", "已经存下，却没有人得到成功的回应"),
            ));
        }
        if names.len() > 1 {
            return Err(raced(
                &request,
                "two-resources",
                &told,
                Text::new("copies were told of different resources", "同一次提交的副本得到了不同的资源"),
            ));
        }
        Ok(told)
    }

    fn guard(&self, bench: &mut Bench<'_, '_>, layout: &Layout) -> Result<Guard, Fault> {
        if layout.keys.is_empty() {
            let told: Vec<_> = layout.tokens.iter().map(Place::told).collect();
            let told = told.join(", ");
            return Err(Fault::fail(Text::new(
                format!(
                    "the submission is stored in {told}, but its key is in no text column of `{}`: no unique key can stop a retry",
                    layout.schema
                ),
                format!(
                    "提交的内容存放在 {told}，但库 `{}` 的文字列里没有它的键：没有唯一键能挡住重试",
                    layout.schema
                ),
            )));
        }
        guard::find(&mut bench.session, &layout.schema, &layout.keys, &self.columns, &bench.paste)
    }

    /// What fits no column is refused, or stored whole; `INSERT IGNORE` would cut it, and hide every other error as well.
    fn oversized(&self, bench: &mut Bench<'_, '_>, layout: &Layout, values: &Values) -> Result<u16, Fault> {
        if layout.tokens.is_empty() {
            return Err(Fault::skip(Text::new(
                "not tried: no field of the request takes {token} into a text column",
                "没有试：请求里没有会把 {token} 存进文字列的字段",
            )));
        }
        let mut long = values.clone();
        long.token = values.token.repeat(TOO_LONG / values.token.len());
        let request = self.request(&long);
        let answer = bench.service.send(&request)?;
        if !is_accepted(&answer) {
            return Ok(answer.status);
        }
        match layout.uneven(bench, &long)? {
            None => Ok(answer.status),
            Some((place, rows)) => Err(raced(
                &request,
                "hidden-error",
                &format!("{} for a text of {} characters", answer.status, long.token.len()),
                Text::new(
                    format!(
                        "a text that does not fit was answered {}, and {} has {rows} rows with it: an error was hidden",
                        answer.status,
                        place.told()
                    ),
                    format!(
                        "放不下的文字返回 {}，而 {} 里有 {rows} 行：错误被掩盖了",
                        answer.status,
                        place.told()
                    ),
                ),
            )),
        }
    }
}

impl Layout {
    /// The first place where a submission is not exactly one row.
    fn uneven(&self, bench: &mut Bench<'_, '_>, values: &Values) -> Result<Option<(Place, u64)>, Fault> {
        let keys = self.keys.iter().map(|place| (place, &values.key));
        let tokens = self.tokens.iter().map(|place| (place, &values.token));
        for (place, value) in keys.chain(tokens) {
            let rows = rows_with(&mut bench.session, &self.schema, place, value);
            let rows = rows.map_err(|broken| broken.explain(&bench.paste))?;
            if rows != 1 {
                return Ok(Some((place.clone(), rows)));
            }
        }
        Ok(None)
    }
}

/// Success, or a redirect to what was done.
fn is_accepted(answer: &Response) -> bool {
    (200..400).contains(&answer.status)
}

/// Statuses with their numbers, `201 x1, 409 x29`.
fn tally(answers: &[Result<Response, Failure>]) -> String {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let name =
            answer.as_ref().map_or_else(|failure| failure.explain().en, |answer| answer.status.to_string());
        *counts.entry(name).or_insert(0_u32) += 1;
    }
    counts.iter().map(|(name, times)| format!("{name} x{times}")).collect::<Vec<_>>().join(", ")
}

fn raced(request: &Request, code: &str, came: &str, summary: Text) -> Fault {
    let line = line_of(request);
    let message = Text::new(
        format!("sent {line} and got {came}. {}", summary.en),
        format!("发送 {line}，得到 {came}。{}", summary.zh),
    );
    let hint = Text::new(
        "INSERT under a unique key, catch error 1062 and nothing else, and answer it with the row that is there or 409; do not ask first whether it is there",
        "直接 INSERT，依靠唯一键；只捕获错误 1062，返回已有的那一行或 409；不要先查询有没有",
    );
    let finding = Finding::new(Severity::Problem, format!("sql-check.{code}"), message)
        .at(place_of(request))
        .hint(hint);
    Fault::fail(summary).with(finding)
}
