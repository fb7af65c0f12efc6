//! `repeat-effect`: does repeating PUT and DELETE leave the same state as doing it once?
//!
//! RFC 9110 §9.2.2 calls a method idempotent when several identical requests are intended to have the same effect as
//! one; PUT (§9.3.4) and DELETE (§9.3.5) are.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{
    Advice, Probe, Resource, Template, Values, excerpt, expect_success, line_of, place_of, refused,
};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};
use serde_json::json;

use crate::observation::Observation;
use crate::observer::{Observer, SETTLE};

/// The wait before the last look after repeated PUTs: work that a service puts into a queue is done by then.
const LATE: Duration = Duration::from_secs(1);

const ADVICE: Advice = Advice {
    item: "idempotence.definition",
    with: "create = { method = \"POST\", path = \"/items\", body = { name = \"{token}\", price = \"{number}\" } }\nobserve = \"GET /items\"",
};

parameters! {
    /// How to make, change, remove and see one resource.
    pub struct RepeatEffect {
        /// Makes the resource; `{token}` and `{number}` are filled with fresh values.
        create: Template = Template::new("POST", "/items").with_body(json!({"name": "{token}", "price": "{number}"})),
        /// Replaces it; `{id}` is its id. Without it: PUT on its own path with the body of `create`.
        put: Option<Template> = None,
        /// Removes it. Without it: DELETE on its own path.
        delete: Option<Template> = None,
        /// Shows the stored rows. Without it: GET on the path of `create`.
        observe: Option<Template> = None,
        /// How often each request is repeated.
        #[range(1..=10)]
        repeats: u32 = 3,
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
        /// Fields of the observation that do not count: a name, or a path such as `/items/*/views`.
        volatile: Vec<String> = Vec::new(),
    }
}

impl Check for RepeatEffect {
    const ID: &'static str = "repeat-effect";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "Repeating PUT and DELETE changes nothing more",
                "重复 PUT 和 DELETE 不会再改变状态",
            ),
            description: Text::new(
                "Makes two rows, replaces one by PUT, repeats the same bytes, deletes it and repeats that. Passes when each first request has a visible effect and no repeat has any. The check's rows are removed again.",
                "新建两行数据，用 PUT 替换其中一行并原样重复，再 DELETE 并重复。每个请求第一次都要看得到效果，重复时不能再有任何变化。检查会删除自己建的数据。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_millis(2_500),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "repeating PUT and DELETE left the state as it was",
            "重复 PUT 和 DELETE 后状态不变",
        ));
        let opened = Probe::open(context, &self.headers).map_err(Fault::from);
        let Some(mut probe) = crate::opened(&mut report, opened) else { return report };
        self.judge(&mut probe, &mut report);
        crate::finish(&probe, &mut report);
        report
    }
}

/// The two rows that a run makes.
struct Rows {
    judged: Resource,
    /// Made before it: the one that a greedy DELETE would take next.
    bystander: Resource,
}

/// The rows as they are seen before the first PUT.
struct Ground {
    rows: Rows,
    observer: Observer,
    state: Observation,
}

/// A first PUT or DELETE that had its effect.
struct Done {
    request: Request,
    /// The token that the row carries now.
    token: String,
    state: Observation,
}

impl RepeatEffect {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let mut made = Vec::new();
        let outcome = self.make(probe, &mut made);
        let judged = report
            .judge("create-is-seen", Need::Must, outcome, |_| {
                Text::new("a new row is seen", "新建的数据看得到")
            })
            .and_then(|ground| self.repeat(probe, report, &ground));
        // The check leaves nothing behind; how that is answered proves nothing.
        for resource in made {
            let _ = probe.send(self.delete_of(&resource));
        }
        judged
    }

    fn repeat(&self, probe: &mut Probe, report: &mut Report, ground: &Ground) -> Option<()> {
        let Ground { rows, observer, state } = ground;
        probe.progress(0.3, "PUT");
        let outcome = self.put_first(probe, rows, observer, state);
        let put = report.judge("put-is-seen", Need::Must, outcome, |_| {
            Text::new("the first PUT replaced the row", "第一次 PUT 替换了数据")
        })?;
        let outcome = self.repeated(probe, &put, observer, LATE);
        let statuses = report.judge("put-repeat", Need::Must, outcome, |_| {
            Text::new("repeating the PUT changed nothing", "重复 PUT 没有再改变状态")
        })?;
        usual_answers(report, "put-repeat-answer", &put.request, &statuses, &[409, 412]);

        let outcome = self.put_first(probe, rows, observer, &put.state);
        let control = report.judge("put-control", Need::Must, outcome, |_| {
            Text::new(
                "another PUT is seen, so the observer sees changes",
                "换一个 PUT 看得到变化，说明观察有效",
            )
        })?;

        probe.progress(0.7, "DELETE");
        let outcome = self.delete_first(probe, rows, observer, control);
        let delete = report.judge("delete-is-seen", Need::Must, outcome, |_| {
            Text::new("the first DELETE removed the row and no other", "第一次 DELETE 只删除了这行数据")
        })?;
        let outcome = self.repeated(probe, &delete, observer, SETTLE);
        let statuses = report.judge("delete-repeat", Need::Must, outcome, |_| {
            Text::new("repeating the DELETE changed nothing", "重复 DELETE 没有再改变状态")
        })?;
        usual_answers(report, "delete-repeat-answer", &delete.request, &statuses, &[404, 409, 410, 412]);
        Some(())
    }

    /// Makes both rows and an observer that is seen to show them.
    fn make(&self, probe: &mut Probe, made: &mut Vec<Resource>) -> Result<Ground, Fault> {
        let token = |resource: &Resource| mark(&self.create, &resource.values);
        let observe = self.observe.clone().unwrap_or_else(|| Template::new("GET", self.create.collection()));
        let mut listed = None;
        if !observe.mentions("{id}") {
            let mut list = Observer::new(observe.fill(&Values::default()), &self.volatile, ADVICE);
            let empty = list.settle(probe)?;
            listed = Some((list, empty));
        }
        let mut create = |probe: &mut Probe| {
            let resource = Resource::create(probe, &self.create, ADVICE)?;
            made.push(resource.clone());
            Ok::<_, Fault>(resource)
        };
        let rows = Rows { bystander: create(probe)?, judged: create(probe)? };
        let (mut observer, before) = if let Some((list, before)) = listed {
            (list, Some(before))
        } else {
            let mut both = Observer::new(observe.fill(&rows.judged.values), &self.volatile, ADVICE);
            both.add(observe.fill(&rows.bystander.values));
            (both, None)
        };
        let shown = observer.expect_shown(probe, &token(&rows.judged)?)?;
        // A row's own page often shows more than the list does; where there is none, the list has to do.
        for row in [&rows.judged, &rows.bystander] {
            let own = Request::get(&row.path);
            if probe.send(own.clone())?.is_success() {
                observer.add(own);
            }
        }
        let state = observer.settle(probe)?;
        if let Some(before) = before {
            observer.expect_compared(&before, &shown)?;
        }
        Ok(Ground { rows, observer, state })
    }

    /// Replaces the row by fresh values, which must be seen.
    fn put_first(
        &self,
        probe: &mut Probe,
        rows: &Rows,
        observer: &Observer,
        before: &Observation,
    ) -> Result<Done, Fault> {
        let values = Values::fresh(probe.generator()).with_id(&rows.judged.id);
        let put = self.put.clone().unwrap_or_else(|| Template {
            method: "PUT".to_owned(),
            path: rows.judged.path.clone(),
            ..self.create.clone()
        });
        let token = mark(&put, &values)?;
        let request = put.fill(&values);
        let response = probe.send(request.clone())?;
        expect_success(&request, &response, ADVICE)?;
        let state = observer.expect_shown(probe, &token)?;
        observer.expect_compared(before, &state)?;
        Ok(Done { request, token, state })
    }

    /// Removes the row, which must be seen, and nothing else.
    fn delete_first(
        &self,
        probe: &mut Probe,
        rows: &Rows,
        observer: &Observer,
        last: Done,
    ) -> Result<Done, Fault> {
        let bystander = mark(&self.create, &rows.bystander.values)?;
        let request = self.delete_of(&rows.judged);
        let response = probe.send(request.clone())?;
        expect_success(&request, &response, ADVICE)?;
        let state = observer.expect_gone(probe, &request, &last.token, &last.state)?;
        if last.state.loses(&state, &bystander) {
            let line = line_of(&request);
            return Err(Fault::fail(Text::new(
                format!("{line} removed another row as well"),
                format!("{line} 把另一行数据也删了"),
            )));
        }
        observer.expect_compared(&last.state, &state)?;
        let own = Request::get(&rows.bystander.path);
        match observer.changes_at(&own, &last.state, &state).first() {
            Some(path) => Err(touched(&request, path)),
            None => Ok(Done { request, token: last.token, state }),
        }
    }

    fn delete_of(&self, resource: &Resource) -> Request {
        match &self.delete {
            Some(delete) => delete.fill(&resource.values),
            None => Request::new("DELETE", &resource.path),
        }
    }

    /// Sends the same bytes again, several times, and compares the state with the one after the first: after each
    /// time, for effects may cancel each other out, and after a `wait`.
    fn repeated(
        &self,
        probe: &mut Probe,
        first: &Done,
        observer: &Observer,
        wait: Duration,
    ) -> Result<Vec<u16>, Fault> {
        let mut statuses = Vec::new();
        for _ in 0..self.repeats {
            let response = probe.send(first.request.clone())?;
            if response.status >= 500 {
                return Err(broke(&first.request, &response));
            }
            if matches!(response.status, 401 | 403 | 429) {
                return Err(refused(&first.request, &response, ADVICE));
            }
            statuses.push(response.status);
            if !observer.is_same(&first.state, &observer.look(probe)?) {
                break;
            }
        }
        let changed = observer.changes(probe, &first.state, wait)?;
        if changed.is_empty() {
            Ok(statuses)
        } else {
            Err(changed_again(&first.request, &statuses, &changed))
        }
    }
}

/// The token by which the check recognises what it wrote.
fn mark(template: &Template, values: &Values) -> Result<String, Fault> {
    if template.mentions("{token}") {
        return Ok(values.token.clone());
    }
    Err(Fault::inconclusive(Text::new(
        format!(
            "the body of {} {} needs a field with \"{{token}}\", or its effect cannot be recognised",
            template.method, template.path
        ),
        format!(
            "{} {} 的 body 里要有一个值为 \"{{token}}\" 的字段，否则认不出它的效果",
            template.method, template.path
        ),
    )))
}

fn usual_answers(report: &mut Report, id: &str, request: &Request, statuses: &[u16], usual: &[u16]) {
    let odd = statuses.iter().find(|status| !(200..300).contains(*status) && !usual.contains(status));
    let outcome = odd.map_or(Ok(()), |odd| {
        let line = line_of(request);
        Err(Fault::fail(Text::new(
            format!("a repeated {line} was answered {odd}, which tells a retrying client that it went wrong"),
            format!("重复的 {line} 返回 {odd}，会让重试的客户端以为失败了"),
        )))
    });
    report.judge(id, Need::Should, outcome, |()| {
        Text::new(format!("repeats were answered {statuses:?}"), format!("重复请求返回 {statuses:?}"))
    });
}

fn broke(request: &Request, response: &Response) -> Fault {
    let (line, status) = (line_of(request), response.status);
    let summary =
        Text::new(format!("a repeated {line} was answered {status}"), format!("重复的 {line} 返回 {status}"));
    let message = Text::new(
        format!(
            "sent {line} a second time, got {status} with: {}; a client that retries after a lost answer meets an error",
            excerpt(&response.body)
        ),
        format!(
            "第二次发送 {line}，返回 {status}，内容：{}；丢了回应而重试的客户端会遇到错误",
            excerpt(&response.body)
        ),
    );
    let hint = Text::new(
        "make the handler expect that its work is already done: answer 404 or 204 to a DELETE of what is gone",
        "处理函数要考虑“已经做过了”的情况：删除不存在的资源时返回 404 或 204",
    );
    Fault::fail(summary).with(
        Finding::new(Severity::Problem, "http-idempotency.repeat-broke", message)
            .at(place_of(request))
            .hint(hint),
    )
}

/// The first DELETE changed the page of a row that it did not name. Nothing forbids a page to tell of its neighbours.
fn touched(request: &Request, path: &str) -> Fault {
    let line = line_of(request);
    Fault::inconclusive(Text::new(
        format!(
            "{line} also changed {path}, the page of another row; if that only follows from the deletion, name the field in `volatile`"
        ),
        format!(
            "{line} 还改变了另一行数据的页面 {path}；如果这只是删除带来的显示变化，请把该字段写进 volatile"
        ),
    ))
}

fn changed_again(request: &Request, statuses: &[u16], changed: &[String]) -> Fault {
    let line = line_of(request);
    let paths = changed.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let summary =
        Text::new(format!("repeating {line} changed the state again"), format!("重复 {line} 又改变了状态"));
    let message = Text::new(
        format!(
            "sent the same {line} again (answered {statuses:?}), then looked: {paths} differ from the state after the first one"
        ),
        format!("把同样的 {line} 又发了几次（返回 {statuses:?}），再看状态：{paths} 和第一次之后不一样"),
    );
    let hint = Text::new(
        "set the row to what the request says instead of adding to it; if the field is only a clock or a counter of reads, name it in `volatile`",
        "按请求的内容直接设置，不要追加或累加；如果这个字段只是时间或访问计数，请写进 `volatile`",
    );
    Fault::fail(summary).with(
        Finding::new(Severity::Problem, "http-idempotency.repeat-changed", message)
            .at(place_of(request))
            .hint(hint),
    )
}
