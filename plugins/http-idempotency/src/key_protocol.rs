//! `key-protocol`: is it a full idempotency-key endpoint?
//!
//! The protocol is that of draft-ietf-httpapi-idempotency-key-header: the key is a quoted string of structured fields
//! (RFC 8941, now RFC 9651), a missing key is answered 400, a key in use 409, a key reused for another payload 422.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{
    Advice, Probe, Template, Values, excerpt, identity, line_of, location_path, place_of, refused,
};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};
use serde_json::{Value, json};

use crate::count::Counter;
use crate::double_submit::{expect_overlap, long_enough};
use crate::observation::{Moving, Observation};
use crate::operation::{Operation, Pace, Race, Submitted, is_accepted};
use crate::submission::{self, submission};

pub(crate) const ADVICE: Advice = Advice {
    item: "challenge.idempotent-api",
    with: "op = { method = \"POST\", path = \"/orders\", body = { sku = \"{token}\", quantity = \"{number}\" } }\nobserve = \"GET /orders\"",
};

/// The longest key that a service should take.
const LONGEST_KEY: usize = 255;

submission! {
    /// The keyed operation, how its effect is counted, and what the service promises beyond the core.
    pub struct KeyProtocol {
        /// A body that the service refuses with 4xx.
        invalid: Value = json!({}),
        /// Whether a request without a key must be refused.
        required: bool = true,
        /// Two callers, `{ headers = { Authorization = "Bearer …" } }` each, to see that the same key of both is kept apart.
        callers: Vec<Caller> = Vec::new(),
        /// Whether every `should` is a `must`.
        strict: bool = false,
        /// Fields and headers of a replayed answer that may differ from the first one.
        volatile: Vec<String> = Vec::new(),
        /// How often the service is killed in the middle of the operation and started again, where mustdo may do so. 0 leaves it out.
        #[range(0..=20)]
        pub(crate) crashes: u32 = 6,
        /// How many seconds a key stays locked after a crash, where locks end by themselves. 0: keys are free again when the service is.
        #[range(0..=60)]
        pub(crate) lease_s: u32 = 0,
    }
}

parameters! {
    /// One caller.
    pub struct Caller {
        /// What tells this caller from others: `{ Authorization = "Bearer …" }`.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl serde::Serialize for Caller {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([("headers", &self.headers)])
    }
}

impl Check for KeyProtocol {
    const ID: &'static str = "key-protocol";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A full idempotency-key endpoint", "完整的幂等键接口"),
            description: Text::new(
                "With fresh keys: a replay gets the same status and body; the key under another payload is refused and not carried out; concurrent copies act once; and, for a better score, replays of errors, missing keys, long and quoted keys, keys of two callers. Where it is allowed to, it kills the service (SIGKILL) at several moments of the operation, starts it again and retries: the effect must be there exactly once. The rows stay: use a test database.",
                "用全新的键依次试：重放得到同样的状态码和正文；同一个键换了内容要被拒绝且不执行；并发的副本只执行一次；另外还看错误的重放、缺少键、超长和带引号的键、两个调用者各自的键，这些影响得分。得到许可时，还会在操作进行中的不同时刻用 SIGKILL 杀掉服务，重启后重试：效果必须恰好一次。产生的数据会留下，请用测试库。",
            ),
            capabilities: vec![crate::reach(), crate::restart()],
            typical: Duration::from_secs(20),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "keys are kept, compared and raced as the protocol asks",
            "键的保存、比对和并发都符合协议",
        );
        submission::run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl KeyProtocol {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let should = if self.strict { Need::Must } else { Need::Should };
        let operation = self.operation();
        let (first, values, pace) = submission::begin(probe, report, &operation)?;
        let outcome = self.replay(probe, &operation, &first);
        let replayed = report.judge("replay", Need::Must, outcome, |()| {
            Text::new("a replay got the same answer and added nothing", "重放得到同样的回应，没有多出数据")
        });
        probe.progress(0.3, "other payload");
        self.judge_reuse(probe, report, &operation, &first, &values, should);
        probe.progress(0.45, "concurrent copies");
        self.judge_race(probe, report, &operation, pace, should);
        probe.progress(0.6, "errors and odd keys");
        let outcome = self.replay_refusal(probe, &operation);
        report.judge("replay-refusal", should, outcome, |status| {
            Text::new(
                format!("an invalid request is refused with {status} again and not stored"),
                format!("无效的请求再次得到 {status}，没有存下数据"),
            )
        });
        let outcome = self.without_key(probe, &operation);
        report.judge("missing-key", should, outcome, |()| {
            Text::new("a request without a key is refused with 400", "缺少键的请求返回 400")
        });
        let outcome = self.long_keys(probe, &operation);
        report.judge("long-key", should, outcome, |()| {
            Text::new(
                "keys of 255 characters work and are told apart by the last one",
                "255 个字符的键可用，最后一个字符不同也能区分",
            )
        });
        let outcome = self.quoted_key(probe, &operation);
        report.judge("quoted-key", should, outcome, |()| {
            Text::new("a quoted key (sf-string) works", "带引号的键（sf-string）可用")
        });
        let outcome = cased_key(probe, &operation);
        report.judge("key-case", should, outcome, |()| {
            Text::new("keys that differ in case are told apart", "大小写不同的键能区分")
        });
        // The draft leaves the scope of a key to the service; but a caller who is shown another's reply is a leak, so
        // whoever names two callers asks for a decision.
        let outcome = self.two_callers(probe, &operation);
        report.judge("callers-apart", Need::Must, outcome, |()| {
            Text::new("two callers can use the same key", "两个调用者可以用同一个键")
        });
        if replayed.is_some() {
            let outcome = self.replay(probe, &operation, &first);
            report.judge("replay-later", Need::Must, outcome, |()| {
                Text::new("the first key is still known at the end", "到最后，第一个键依然记得")
            });
        }
        let outcome = operation.still_counts(probe);
        report.judge("control-after", Need::Must, outcome, |()| {
            Text::new("another submission is still counted", "再次提交依然数得到")
        });
        // Last, because a crash may take more with it than the keys. Where a replay fails anyway, there is no question.
        if replayed.is_some() {
            probe.progress(0.7, "kill and restart");
            self.judge_crashes(probe, report, &operation, &first, pace);
        }
        Some(())
    }

    /// Same key, same bytes: same status, same body, nothing added.
    pub(crate) fn replay(
        &self,
        probe: &mut Probe,
        operation: &Operation,
        first: &Submitted,
    ) -> Result<(), Fault> {
        let before = operation.counter.before(probe)?;
        let again = probe.send(first.request.clone())?;
        let count = operation.counter.settled(probe)?;
        if matches!(again.status, 401 | 403 | 429) {
            return Err(refused(&first.request, &again, ADVICE));
        }
        let line = line_of(&first.request);
        let summary = if count != before {
            Text::new(
                format!("{line} sent again with the same key was carried out again"),
                format!("用同一个键重发 {line}，又执行了一遍"),
            )
        } else if let Some(difference) = self.answer_difference(&first.response, &again) {
            Text::new(
                format!("{line} sent again with the same key got another answer: {}", difference.en),
                format!("用同一个键重发 {line}，得到的回应不同：{}", difference.zh),
            )
        } else {
            return Ok(());
        };
        let (was, is) = (excerpt(&first.response.body), excerpt(&again.body));
        let message = Text::new(
            format!(
                "the first answer was {} with: {was}; the second was {} with: {is}; there were {before} rows between them and {count} after",
                first.response.status, again.status
            ),
            format!(
                "第一次返回 {}，内容：{was}；第二次返回 {}，内容：{is}；两次之间有 {before} 行，之后 {count} 行",
                first.response.status, again.status
            ),
        );
        let hint = Text::new(
            "store status and body under the key when the work is done, and send exactly those to a repetition",
            "执行完成后把状态码和正文存在键下，重复时原样返回",
        );
        Err(problem(&first.request, "replay-differs", summary, message, hint))
    }

    /// What of a replayed answer is not as it was. Of the headers only those that describe the result count: the
    /// others (Date, Age, cookies, request ids) belong to the exchange.
    pub(crate) fn answer_difference(&self, first: &Response, again: &Response) -> Option<Text> {
        if first.status != again.status {
            return Some(Text::new(
                format!("status {}, not {}", again.status, first.status),
                format!("状态码是 {}，不是 {}", again.status, first.status),
            ));
        }
        let counts = |name: &str| !self.volatile.iter().any(|left_out| left_out.eq_ignore_ascii_case(name));
        if counts("location") && location_path(first) != location_path(again) {
            return Some(Text::new("another Location", "Location 不同"));
        }
        let moving = Moving::declared(&self.volatile);
        let shown = |response: &Response| {
            let body = response.json().unwrap_or_else(|| Observation::lines(&response.text()));
            Observation::new([(String::new(), response.status, body)])
        };
        let paths = shown(first).difference(&shown(again), &moving);
        if paths.is_empty() {
            return None;
        }
        let paths = paths.iter().map(|path| path.trim_start_matches("//body")).collect::<Vec<_>>().join(", ");
        Some(Text::new(format!("another body (at {paths})"), format!("正文不同（{paths}）")))
    }

    /// Same key, other payload: refused, not carried out, and the first answer still stands.
    fn judge_reuse(
        &self,
        probe: &mut Probe,
        report: &mut Report,
        operation: &Operation,
        first: &Submitted,
        values: &Values,
        should: Need,
    ) {
        let outcome = self.reuse(probe, operation, first, values);
        let status = report.judge("other-payload", Need::Must, outcome, |status| {
            Text::new(
                format!("the key under another payload is refused with {status} and not carried out"),
                format!("同一个键换了内容，返回 {status}，没有执行"),
            )
        });
        let Some(status) = status else { return };
        let outcome = if status == 422 {
            Ok(())
        } else {
            Err(Fault::fail(Text::new(
                format!("a key reused for another payload was answered {status}; 422 says it plainly"),
                format!("同一个键换了内容，返回 {status}；422 更明确"),
            )))
        };
        report.judge("other-payload-status", should, outcome, |()| {
            Text::new("it is answered 422", "返回的是 422")
        });
    }

    fn reuse(
        &self,
        probe: &mut Probe,
        operation: &Operation,
        first: &Submitted,
        values: &Values,
    ) -> Result<u16, Fault> {
        // One value at a time: a fingerprint may leave out a field.
        let token = Values { token: probe.generator().token(values.token.len()), ..values.clone() };
        let number = Values { number: values.number % 99 + 1, ..values.clone() };
        let requests = [token, number].map(|other| operation.request(&other));
        let is_other = |request: &&Request| {
            request.body != first.request.body
                || request.path != first.request.path
                || request.headers != first.request.headers
        };
        let mut refused_with = None;
        for request in requests.iter().filter(is_other) {
            refused_with = Some(reuse_once(probe, operation, request)?);
        }
        let Some(status) = refused_with else {
            return Err(Fault::inconclusive(Text::new(
                "`op` has neither {token} nor {number}, so there is no other payload to send",
                "op 里没有 {token} 或 {number}，无法换一份内容",
            )));
        };
        self.replay(probe, operation, first)?;
        Ok(status)
    }

    /// Concurrent copies, as in `double-submit`.
    fn judge_race(
        &self,
        probe: &mut Probe,
        report: &mut Report,
        operation: &Operation,
        pace: Pace,
        should: Need,
    ) {
        let outcome = long_enough(pace.quickest, self.slow_ms).and_then(|()| {
            let race = self.race(probe, operation, pace, Duration::from_millis(1))?;
            self.race(probe, operation, pace, Duration::ZERO)?;
            Ok(race)
        });
        let race = report.judge("concurrent", Need::Must, outcome, |race| {
            let seen = race.statuses();
            Text::new(
                format!("concurrent copies acted once ({seen})"),
                format!("并发的副本只执行一次（{seen}）"),
            )
        });
        let Some(race) = race else { return };
        report.judge("in-flight-conflict", should, race.turned_away_with_conflict(), |()| {
            Text::new("copies of a running request are answered 409", "执行中的副本返回 409")
        });
    }

    fn race(
        &self,
        probe: &mut Probe,
        operation: &Operation,
        pace: Pace,
        stagger: Duration,
    ) -> Result<Race, Fault> {
        let values = Values::fresh(probe.generator());
        let race = operation.race(probe, &values, self.n, stagger)?;
        operation.happened_once(probe, &race)?;
        pace.expect_concurrent()?;
        expect_overlap(&race, self.slow_ms)?;
        Ok(race)
    }

    /// An invalid request is refused, and refused again in the same way.
    fn replay_refusal(&self, probe: &mut Probe, operation: &Operation) -> Result<u16, Fault> {
        let before = operation.counter.before(probe)?;
        let values = Values::fresh(probe.generator());
        let invalid = Template { body: Some(self.invalid.clone()), ..self.op.clone() };
        let request = Operation {
            op: &invalid,
            header: operation.header,
            counter: Operation::counter(&self.op, self.observe.as_ref(), &self.count, ADVICE),
            advice: ADVICE,
        };
        let request = request.request(&values);
        let first = probe.send(request.clone())?;
        if is_accepted(&first) {
            return Err(Fault::skip(Text::new(
                "the service accepts the invalid body; name one that it refuses as `invalid`",
                "服务接受了这个无效的内容；请用 invalid 写一个它会拒绝的",
            )));
        }
        let again = probe.send(request.clone())?;
        let after = operation.counter.settled(probe)?;
        if first.status == 429 || again.status == 429 {
            return Err(refused(&request, if first.status == 429 { &first } else { &again }, ADVICE));
        }
        if first.status == again.status && first.status < 500 && after == before {
            return Ok(first.status);
        }
        let (then, now) = (first.status, again.status);
        Err(Fault::fail(if after != before {
            Text::new(
                format!("an invalid request was refused with {then}, and yet something was stored"),
                format!("无效的请求返回 {then}，却还是存下了数据"),
            )
        } else if then == now {
            Text::new(
                format!("an invalid request broke the service ({then}); refuse it with 4xx"),
                format!("无效的请求让服务出错（{then}）；应返回 4xx"),
            )
        } else {
            Text::new(
                format!("an invalid request was refused with {then}, and with {now} when it was sent again"),
                format!("无效的请求第一次返回 {then}，重发却返回 {now}"),
            )
        }))
    }

    fn without_key(&self, probe: &mut Probe, operation: &Operation) -> Result<(), Fault> {
        if !operation.keyed_by_header() {
            return Err(Fault::skip(Text::new("the key is a part of the request", "键是请求内容的一部分")));
        }
        if !self.required {
            return Err(Fault::skip(Text::new("the key is declared optional", "已声明键可以省略")));
        }
        let before = operation.counter.before(probe)?;
        let request = self.op.fill(&Values::fresh(probe.generator()));
        let response = probe.send(request)?;
        let after = operation.counter.settled(probe)?;
        if response.status == 400 && after == before {
            return Ok(());
        }
        let status = response.status;
        let (what_en, what_zh) = if after == before {
            ("a request without a key was not refused with 400", "缺少键的请求没有返回 400")
        } else {
            ("a request without a key was carried out", "缺少键的请求被执行了")
        };
        Err(Fault::fail(Text::new(
            format!("{what_en} ({status}); answer 400 and do nothing"),
            format!("{what_zh}（{status}）；应返回 400，什么也不做"),
        )))
    }

    /// Two keys that differ in their last character only, and a replay of the first.
    fn long_keys(&self, probe: &mut Probe, operation: &Operation) -> Result<(), Fault> {
        let stem = probe.generator().token(LONGEST_KEY - 1);
        let values = Values::fresh(probe.generator());
        let one = keyed(probe, operation, &values.with_key(format!("{stem}a")))?;
        let replayed = self.replay(probe, operation, &one);
        replayed.map_err(|fault| with_such_a_key(fault, "a key of 255 characters", "255 个字符的键"))?;
        let other = Values::fresh(probe.generator()).with_key(format!("{stem}b"));
        keyed(probe, operation, &other).map(drop)
    }

    /// A key as the draft writes it: a string of structured fields, in quotes.
    fn quoted_key(&self, probe: &mut Probe, operation: &Operation) -> Result<(), Fault> {
        if !operation.keyed_by_header() {
            return Err(Fault::skip(Text::new("the key is a part of the request", "键是请求内容的一部分")));
        }
        let key = format!("\"{}\"", probe.generator().token(20));
        let values = Values::fresh(probe.generator()).with_key(key);
        let first = keyed(probe, operation, &values)?;
        let replayed = self.replay(probe, operation, &first);
        replayed.map_err(|fault| with_such_a_key(fault, "a quoted key", "带引号的键"))
    }

    /// The same key and payload of two callers are two submissions, and neither sees the other's reply.
    fn two_callers(&self, probe: &mut Probe, operation: &Operation) -> Result<(), Fault> {
        let [one, two] = self.callers.as_slice() else {
            let hint = Advice {
                with: "callers = [{ headers = { Authorization = \"Bearer …\" } }, { headers = { Authorization = \"Bearer …\" } }]",
                ..ADVICE
            };
            let lines = hint.lines();
            return Err(Fault::skip(Text::new(
                format!("not tried: it needs the credentials of two callers:\n{lines}"),
                format!("没有试：需要两个调用者的凭据：\n{lines}"),
            )));
        };
        if one.headers == two.headers {
            return Err(Fault::inconclusive(Text::new(
                "the two `callers` are the same",
                "callers 里的两个调用者是同一个",
            )));
        }
        // Each must be able to submit at all: a caller who is turned away would look well separated.
        let [own_of_one, own_of_two] = [own_view(probe, operation, one)?, own_view(probe, operation, two)?];
        let seen_by_one = own_of_one.as_ref().unwrap_or(&operation.counter);
        let seen_by_two = own_of_two.as_ref().unwrap_or(&operation.counter);
        let values = Values::fresh(probe.generator());
        let mine = submit_as(probe, operation, seen_by_one, one, &values)?;
        let before = seen_by_two.settled(probe)?;
        let request = as_caller(operation.request(&values), two);
        let response = probe.send(request.clone())?;
        let count = seen_by_two.settled(probe)?;
        let same =
            identity(&mine.response).zip(identity(&response)).is_some_and(|(mine, theirs)| mine == theirs);
        if is_accepted(&response) && count == before + 1 && !same {
            return Ok(());
        }
        let (line, status) = (line_of(&request), response.status);
        let summary = Text::new(
            format!(
                "a second caller with the same key was answered {status}{}",
                if same { " with the first caller's reply" } else { "" }
            ),
            format!(
                "另一个调用者用同一个键，返回 {status}{}",
                if same { "，得到的是别人的回应" } else { "" }
            ),
        );
        let message = Text::new(
            format!(
                "sent {line} as one caller, then the same with the same key as another; the second answer was: {}. There were {before} rows between them and {count} after, where one more would be right",
                excerpt(&response.body)
            ),
            format!(
                "先以一个调用者发送 {line}，再以另一个调用者用同一个键发送同样的内容；第二次的回应是：{}。两次之间有 {before} 行，之后 {count} 行，应当多一行",
                excerpt(&response.body)
            ),
        );
        let hint = Text::new(
            "make the caller a part of the key: a unique constraint on (caller, key)",
            "把调用者作为键的一部分：在 (caller, key) 上建唯一约束",
        );
        Err(problem(&request, "key-shared", summary, message, hint))
    }
}

/// Sends another payload under a key that was used; returns the status of the refusal.
fn reuse_once(probe: &mut Probe, operation: &Operation, request: &Request) -> Result<u16, Fault> {
    let before = operation.counter.before(probe)?;
    let response = probe.send(request.clone())?;
    let count = operation.counter.settled(probe)?;
    if matches!(response.status, 401 | 403 | 429) {
        return Err(refused(request, &response, ADVICE));
    }
    if count == before && (400..500).contains(&response.status) {
        return Ok(response.status);
    }
    let (line, status) = (line_of(request), response.status);
    let summary = if count != before {
        Text::new(
            format!("the same key with another payload was carried out ({status}) instead of refused"),
            format!("同一个键换了内容，没有被拒绝，反而执行了（{status}）"),
        )
    } else if is_accepted(&response) {
        Text::new(
            format!("the same key with another payload was accepted ({status}) instead of refused"),
            format!("同一个键换了内容，没有被拒绝，反而返回成功（{status}）"),
        )
    } else {
        Text::new(
            format!("the same key with another payload was answered {status}, which is no refusal"),
            format!("同一个键换了内容，返回 {status}，这不算拒绝"),
        )
    };
    let body = excerpt(&response.body);
    let message = Text::new(
        format!(
            "the key of a finished {line} went out with other values; the answer was: {body}. There were {before} rows before and {count} after. A client that reuses a key by mistake would believe that its new request was done"
        ),
        format!(
            "把一个已完成的 {line} 的键用在别的内容上，回应是：{body}。之前有 {before} 行，之后 {count} 行。误用旧键的客户端会以为新的请求办成了"
        ),
    );
    let hint = Text::new(
        "store a fingerprint of the payload with the key, and answer 422 when it does not match",
        "把请求内容的指纹和键存在一起，对不上时返回 422",
    );
    Err(problem(request, "key-reused", summary, message, hint))
}

/// Two keys that differ in case only: a text column that ignores case takes them for one.
fn cased_key(probe: &mut Probe, operation: &Operation) -> Result<(), Fault> {
    let stem = probe.generator().token(19);
    let lower = Values::fresh(probe.generator()).with_key(format!("k{stem}").to_ascii_lowercase());
    keyed(probe, operation, &lower)?;
    let upper = lower.with_key(lower.key.to_ascii_uppercase());
    let told_apart = keyed(probe, operation, &upper).map(drop);
    told_apart.map_err(|fault| with_such_a_key(fault, "a key that differs in case only", "仅大小写不同的键"))
}

/// Submits under an unusual key, which must work like any other.
fn keyed(probe: &mut Probe, operation: &Operation, values: &Values) -> Result<Submitted, Fault> {
    let before = operation.counter.before(probe)?;
    let request = operation.request(values);
    let response = probe.send(request.clone())?;
    if response.status == 429 {
        return Err(refused(&request, &response, ADVICE));
    }
    let count = operation.counter.settled(probe)?;
    if is_accepted(&response) && count == before + 1 {
        return Ok(Submitted { request, response, count });
    }
    if is_accepted(&response) && count == before {
        operation.still_counts(probe)?;
    }
    let (length, status) = (values.key.len(), response.status);
    Err(Fault::fail(if is_accepted(&response) && count == before {
        Text::new(
            format!("a new key of {length} characters was taken for an older one: nothing was stored"),
            format!("一个 {length} 个字符的新键被当成了用过的键：什么也没有存下"),
        )
    } else {
        Text::new(
            format!(
                "a request with a new key of {length} characters was answered {status}; it should work like any other"
            ),
            format!("带 {length} 个字符的新键的请求返回 {status}；它应当和别的键一样可用"),
        )
    }))
}

/// Where the caller's submissions are counted, if not in the view as it was named: where people see their own rows only, it
/// is as the caller sees it. A submission of the caller shows which.
fn own_view(probe: &mut Probe, operation: &Operation, caller: &Caller) -> Result<Option<Counter>, Fault> {
    let named = &operation.counter;
    let own = named.in_view(|view| as_caller(view, caller));
    let before = named.before(probe)?;
    // Who may not look at the view at all is counted in the one that was named.
    let before_own = own.before(probe).ok();
    let request = as_caller(operation.request(&Values::fresh(probe.generator())), caller);
    let response = probe.send(request.clone())?;
    if !is_accepted(&response) {
        return Err(refused(&request, &response, ADVICE));
    }
    match before_own {
        Some(before_own) if named.settled(probe)? == before => {
            own.expect(probe, before_own, 1)?;
            Ok(Some(own))
        }
        _ => {
            named.expect(probe, before, 1)?;
            Ok(None)
        }
    }
}

fn submit_as(
    probe: &mut Probe,
    operation: &Operation,
    counter: &Counter,
    caller: &Caller,
    values: &Values,
) -> Result<Submitted, Fault> {
    let before = counter.settled(probe)?;
    let request = as_caller(operation.request(values), caller);
    let response = probe.send(request.clone())?;
    if !is_accepted(&response) {
        return Err(refused(&request, &response, ADVICE));
    }
    let count = counter.expect(probe, before, 1)?;
    Ok(Submitted { request, response, count })
}

fn as_caller(mut request: Request, caller: &Caller) -> Request {
    for (name, value) in &caller.headers {
        request.headers.retain(|(set, _)| !set.eq_ignore_ascii_case(name));
        request = request.header(name, value);
    }
    request
}

/// The finding of a `should` step would read like the core's own; its line says what was special.
fn with_such_a_key(fault: Fault, en: &str, zh: &str) -> Fault {
    let Text { en: what_en, zh: what_zh } = fault.summary().clone();
    fault.retold(Text::new(format!("{en}: {what_en}"), format!("{zh}：{what_zh}")))
}

pub(crate) fn problem(request: &Request, code: &str, summary: Text, message: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("http-idempotency.{code}"), message);
    Fault::fail(summary).with(finding.at(place_of(request)).hint(hint))
}
