//! `rest-crud`: create, read, update and delete, as REST means them.
//!
//! Nothing is judged before a row was created and read back (G1), every change is looked at through another request, and a
//! second row must stay as it is. Only rows that the check made are changed or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::service::{Probe, excerpt, line_of, refused};
use mustdo_plugin::verdict::{Need, Status};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::crud::{ADVICE, Collection, Row, fault};
use crate::json::difference;
use crate::profile::Profile;

/// Rows made at once in the full profile.
const AT_ONCE: usize = 30;

/// Steps of the kind `should` that may fail in the full profile.
const MISSES: usize = 3;

/// Words that make a path an action and not a thing.
const VERBS: [&str; 12] =
    ["get", "list", "create", "add", "new", "update", "edit", "delete", "remove", "save", "fetch", "do"];

parameters! {
    /// The collection and what a row of it looks like.
    pub struct RestCrud {
        /// `minimal`, or `full` with everything a REST service for others needs.
        profile: Profile = Profile::Minimal,
        /// The collection.
        path: String = "/items".to_owned(),
        /// A row as it is sent; `{token}` and `{number}` are filled with fresh values.
        item: Value = json!({"name": "{token}", "price": "{number}"}),
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for RestCrud {
    const ID: &'static str = "rest-crud";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Create, read, update, delete", "增删改查"),
            description: Text::new(
                "Makes rows in a collection, reads them back, lists, replaces, changes and removes them, and looks at each effect through another request; then asks for what does not exist and sends what is broken. A good answer: POST gives 201 with Location or an id, GET shows what was sent, PUT replaces, DELETE removes, 404 for what is gone, 400 for broken JSON. Only rows of its own are touched; use a test database all the same.",
                "在集合里新建资源、读回、列出、替换、修改、删除，每一步都用另一个请求核对；再访问不存在的资源、发送坏的内容。合格的回应：POST 返回 201 并带 Location 或 id，GET 显示所发送的内容，PUT 替换，DELETE 删除，删掉之后是 404，坏的 JSON 是 400。只改动自己新建的资源，但仍请用测试库。",
            ),
            capabilities: vec![crate::ask()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "rows are created, read, changed and removed as REST means it",
            "资源的增删改查符合 REST 的约定",
        ));
        let mut probe = match Probe::open(context, &self.headers) {
            Ok(probe) => probe,
            Err(failure) => {
                report.judge("create", Need::Must, Err::<(), _>(failure.into()), |()| Text::same(""));
                return report;
            }
        };
        let mut collection = Collection { probe: &mut probe, path: &self.path, item: &self.item };
        // Where it stopped is in the report.
        let _ = self.judge(&mut collection, &mut report);
        report.measure("requests", f64::from(probe.sent()), "1");
        report.evidence("requests", probe.record_text());
        report
    }
}

impl RestCrud {
    fn judge(&self, rows: &mut Collection, report: &mut Report) -> Option<()> {
        let (row, made) = report.judge("create", Need::Must, rows.create(), |(row, _)| {
            Text::new(
                format!("POST {} made {}", self.path, row.path),
                format!("POST {} 新建了 {}", self.path, row.path),
            )
        })?;
        let outcome = rows.create().map(|(row, _)| row);
        let other =
            report.judge("create-another", Need::Must, outcome, |row| Text::same(row.path.clone()))?;
        let outcome = read(rows, &row, &other);
        let shown = report.judge("read", Need::Must, outcome, |_| {
            Text::new("each row shows what was sent", "每个资源都显示所发送的内容")
        })?;
        let outcome = listed(rows, &[&row, &other], None);
        report.judge("list", Need::Must, outcome, |count| {
            Text::new(format!("the list shows both, among {count}"), format!("列表里两个都有，共 {count} 个"))
        });
        let outcome = update(rows, &row, &other);
        let row = report.judge("update", Need::Must, outcome, |_| {
            Text::new("a change shows, and only in its row", "修改生效，而且只影响这一个资源")
        })?;
        let outcome = missing(rows, &row);
        report.judge("unknown-id", Need::Must, outcome, |status| Text::same(status.to_string()));
        let malformed = report.judge("malformed", Need::Must, malformed(rows), |response| {
            Text::new(
                format!("broken JSON is answered {}", response.status),
                format!("坏的 JSON 返回 {}", response.status),
            )
        });
        let strict = if self.profile == Profile::Full { Need::Must } else { Need::Should };
        report.judge("put-replaces", strict, put_replaces(rows), Clone::clone);
        let mut wishes = self.wishes(rows, &made, &shown, &other);
        if self.profile == Profile::Full {
            report.judge("at-once", Need::Must, at_once(rows), |()| {
                Text::new(
                    format!("{AT_ONCE} rows made at once have {AT_ONCE} ids"),
                    format!("同时新建 {AT_ONCE} 个资源，得到 {AT_ONCE} 个 id"),
                )
            });
            wishes.extend(self.full_wishes(rows, &shown, &other, malformed.as_ref()));
        }
        let outcome = delete(rows, &row, &other);
        report.judge("delete", Need::Must, outcome, |()| {
            Text::new("what was removed is gone, and only that", "删除的资源不在了，其他的还在")
        });
        let missed = wishes
            .iter()
            .filter(|(_, wish)| wish.as_ref().is_err_and(|fault| fault.status() == Status::Fail))
            .count();
        for (id, wish) in wishes {
            report.judge(id, Need::Should, wish, Clone::clone);
        }
        if self.profile == Profile::Full {
            report.judge("few-misses", Need::Must, few(missed), |()| {
                Text::new(
                    format!("{missed} of the wishes missed, {MISSES} may be"),
                    format!("未满足的“应当”有 {missed} 项，允许 {MISSES} 项"),
                )
            });
        }
        rows.sweep(&[other]);
        Some(())
    }

    /// What a good service does beside.
    fn wishes(&self, rows: &mut Collection, made: &Response, shown: &Response, row: &Row) -> Vec<Wish> {
        vec![
            ("created", created(made)),
            ("patch", patch(rows)),
            ("wrong-type", wrong_type(rows)),
            ("wrong-method", wrong_method(rows, row)),
            ("content-type", content_type(shown)),
            ("nouns", nouns(&self.path)),
        ]
    }

    fn full_wishes(
        &self,
        rows: &mut Collection,
        shown: &Response,
        row: &Row,
        malformed: Option<&Response>,
    ) -> Vec<Wish> {
        vec![
            ("media-type", media_type(rows)),
            ("accept", accept(rows, row)),
            ("etag", etag(rows, shown, row)),
            ("stale-write", stale_write(rows, shown, row)),
            ("error-shape", error_shape(rows, malformed, &self.path)),
        ]
    }
}

type Wish = (&'static str, Result<Text, Fault>);

fn missed(en: impl Into<String>, zh: impl Into<String>) -> Fault {
    Fault::fail(Text::new(en, zh))
}

fn few(missed: usize) -> Result<(), Fault> {
    if missed <= MISSES {
        return Ok(());
    }
    Err(self::missed(
        format!("{missed} of the `should` steps failed; in the full profile {MISSES} may"),
        format!("有 {missed} 项“应当”没有满足；完整档最多允许 {MISSES} 项"),
    ))
}

fn read(rows: &mut Collection, row: &Row, other: &Row) -> Result<Response, Fault> {
    let why = Text::new("what was created is not what is read back", "读回来的与新建时发送的不一样");
    let shown = rows.expect(row, "not-stored", &why)?;
    rows.expect(other, "not-stored", &why)?;
    Ok(shown)
}

/// The list shows all of these and not the one that is gone.
fn listed(rows: &mut Collection, there: &[&Row], gone: Option<&Row>) -> Result<usize, Fault> {
    let listing = rows.listed()?;
    let request = Request::get(rows.path);
    if let Some(gone) = gone.filter(|gone| listing.shows(gone)) {
        let summary = Text::new("the list still shows a row that was removed", "列表里还有已经删除的资源");
        let message = Text::new(
            format!("{} was removed, and {} still lists its id {}", gone.path, line_of(&request), gone.id),
            format!("{} 已删除，但 {} 仍列出它的 id {}", gone.path, line_of(&request), gone.id),
        );
        return Err(fault("list-leaks", &request, summary, message));
    }
    let Some(hidden) = there.iter().find(|row| !listing.shows(row)) else { return Ok(listing.len()) };
    if listing.is_partial() {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "the list is a page and does not show {}; make the page larger by `path`, for example \"{}?limit=1000\"",
                hidden.id, rows.path
            ),
            format!(
                "列表只是一页，看不到 {}；请在 `path` 里让一页更大，例如 \"{}?limit=1000\"",
                hidden.id, rows.path
            ),
        )));
    }
    let summary = Text::new("the list does not show a row that exists", "列表里没有已存在的资源");
    let message = Text::new(
        format!(
            "{} exists, and {} with {} rows does not show its id {}",
            hidden.path,
            line_of(&request),
            listing.len(),
            hidden.id
        ),
        format!(
            "{} 存在，但 {} 的 {} 行里没有它的 id {}",
            hidden.path,
            line_of(&request),
            listing.len(),
            hidden.id
        ),
    );
    Err(fault("list-lacks", &request, summary, message))
}

/// A service may offer PUT, PATCH or both; one of them must work.
fn update(rows: &mut Collection, row: &Row, other: &Row) -> Result<Row, Fault> {
    let fields = rows.fields();
    let mut response = None;
    for method in ["PUT", "PATCH"] {
        let request = Request::new(method, &row.path).json(&fields);
        let answer = rows.probe.send(request.clone())?;
        if answer.is_success() {
            let changed = Row { fields: fields.clone(), ..row.clone() };
            let why =
                Text::new("a change was answered as done, but does not show", "修改返回成功，但没有生效");
            rows.expect(&changed, "update-lost", &why)?;
            let why = Text::new("changing one row changed another", "修改一个资源，却影响了另一个");
            rows.expect(other, "update-spread", &why)?;
            return Ok(changed);
        }
        let offered = !matches!(answer.status, 404 | 405 | 501);
        response = Some((request, answer));
        if offered {
            break;
        }
    }
    let Some((request, answer)) = response else {
        return Err(Fault::inconclusive(Text::new("no change was tried", "没有试修改")));
    };
    if matches!(answer.status, 404 | 405 | 501) {
        let summary =
            Text::new("a row can be changed neither with PUT nor with PATCH", "PUT 和 PATCH 都不能修改资源");
        let message = Text::new(
            format!("{} was answered {}", line_of(&request), answer.status),
            format!("{} 返回 {}", line_of(&request), answer.status),
        );
        return Err(fault("no-update", &request, summary, message));
    }
    Err(refused(&request, &answer, ADVICE))
}

/// PUT replaces the whole (RFC 9110, section 9.3.4): a field that is left out does not keep its old value.
fn put_replaces(rows: &mut Collection) -> Result<Text, Fault> {
    let (row, _) = rows.create()?;
    let outcome = put_without_a_field(rows, &row);
    rows.sweep(&[row]);
    outcome
}

fn put_without_a_field(rows: &mut Collection, row: &Row) -> Result<Text, Fault> {
    let mut fields = rows.fields();
    let left_out = match fields.as_object_mut() {
        Some(map) if map.len() > 1 => {
            map.keys().next_back().cloned().and_then(|name| map.remove_entry(&name))
        }
        _ => None,
    };
    let Some((name, _)) = left_out else {
        return Err(Fault::skip(Text::new("a row has one field only", "资源只有一个字段")));
    };
    let request = Request::new("PUT", &row.path).json(&fields);
    let answer = rows.probe.send(request.clone())?;
    if !answer.is_success() {
        return match answer.status {
            400 | 409 | 422 => Ok(Text::new("PUT wants the whole row", "PUT 要求完整的内容")),
            404 | 405 | 501 => Err(Fault::skip(Text::new("PUT is not offered", "没有提供 PUT"))),
            _ => Err(refused(&request, &answer, ADVICE)),
        };
    }
    let replaced = Row { fields, ..row.clone() };
    let why = Text::new("a change was answered as done, but does not show", "修改返回成功，但没有生效");
    let shown = rows.expect(&replaced, "update-lost", &why)?;
    let old = json!({ &name: row.fields[&name] });
    if shown.json().is_some_and(|shown| difference(&old, &shown).is_some()) {
        return Ok(Text::new("PUT replaces the whole row", "PUT 替换整个资源"));
    }
    let summary = Text::new(
        format!("PUT without `{name}` keeps its old value: that is PATCH"),
        format!("PUT 没有带 `{name}`，旧值却还在：这是 PATCH 的行为"),
    );
    let message = Text::new(
        format!(
            "{} with {} left `{name}` as {}; PUT replaces the state of the resource (RFC 9110, section 9.3.4)",
            line_of(&request),
            replaced.fields,
            row.fields[&name]
        ),
        format!(
            "{} 发送 {}，`{name}` 仍是 {}；PUT 应替换资源的全部状态（RFC 9110 第 9.3.4 节）",
            line_of(&request),
            replaced.fields,
            row.fields[&name]
        ),
    );
    Err(fault("put-merges", &request, summary, message))
}

/// PATCH changes what it names and nothing else (RFC 5789).
fn patch(rows: &mut Collection) -> Result<Text, Fault> {
    let (row, _) = rows.create()?;
    let fresh = rows.fields();
    let Some((name, value)) = fresh.as_object().and_then(|map| map.iter().next()) else {
        return Err(Fault::skip(Text::new("a row has no fields", "资源没有字段")));
    };
    let request = Request::new("PATCH", &row.path).json(&json!({ name: value }));
    let answer = rows.probe.send(request.clone())?;
    if matches!(answer.status, 400 | 404 | 405 | 415 | 501) {
        rows.sweep(&[row]);
        return Err(Fault::skip(Text::new("PATCH is not offered", "没有提供 PATCH")));
    }
    let mut fields = row.fields.clone();
    fields[name] = value.clone();
    let changed = Row { fields, ..row };
    let why = Text::new("PATCH changed more, or less, than it names", "PATCH 改动的与它所写的不一致");
    let outcome = rows.expect(&changed, "patch-spread", &why);
    rows.sweep(&[changed]);
    outcome.map(|_| Text::new("PATCH changes what it names", "PATCH 只改它写明的字段"))
}

fn delete(rows: &mut Collection, row: &Row, other: &Row) -> Result<(), Fault> {
    let request = Request::new("DELETE", &row.path);
    let answer = rows.probe.send(request.clone())?;
    if !answer.is_success() {
        let summary = Text::new(
            format!("DELETE of a row that exists is answered {}", answer.status),
            format!("删除存在的资源返回 {}", answer.status),
        );
        let message = Text::new(
            format!("{} was answered: {}", line_of(&request), excerpt(&answer.body)),
            format!("{} 的回应：{}", line_of(&request), excerpt(&answer.body)),
        );
        return Err(fault("no-delete", &request, summary, message));
    }
    let request = Request::get(&row.path);
    let answer = rows.probe.send(request.clone())?;
    if !matches!(answer.status, 404 | 410) {
        let summary = Text::new(
            format!("a row that was removed is answered {}", answer.status),
            format!("已删除的资源返回 {}", answer.status),
        );
        let message = Text::new(
            format!(
                "after DELETE, {} was answered {}: {}",
                line_of(&request),
                answer.status,
                excerpt(&answer.body)
            ),
            format!("DELETE 之后，{} 返回 {}：{}", line_of(&request), answer.status, excerpt(&answer.body)),
        );
        return Err(fault("not-gone", &request, summary, message));
    }
    let why = Text::new("removing one row removed another", "删除一个资源，却影响了另一个");
    rows.expect(other, "delete-spread", &why)?;
    listed(rows, &[other], Some(row)).map(|_| ())
}

/// An id of the same kind that nobody has.
fn missing(rows: &mut Collection, row: &Row) -> Result<u16, Fault> {
    let id = if row.id.bytes().all(|byte| byte.is_ascii_digit()) {
        rows.probe.generator().number(1_900_000_000..2_000_000_000).to_string()
    } else {
        let fresh = rows.probe.generator().token(64);
        let mut fresh =
            fresh.bytes().map(|byte| char::from(if byte.is_ascii_digit() { byte } else { b'a' + byte % 6 }));
        row.id
            .chars()
            .map(|kept| if kept.is_ascii_alphanumeric() { fresh.next().unwrap_or('a') } else { kept })
            .collect()
    };
    let request = Request::get(row.path.replacen(&row.id, &id, 1));
    let answer = rows.probe.send(request.clone())?;
    match answer.status {
        404 | 410 => Ok(answer.status),
        200..=399 | 500..=599 => {
            let summary = Text::new(
                format!("a row that does not exist is answered {}", answer.status),
                format!("不存在的资源返回 {}", answer.status),
            );
            let message = Text::new(
                format!(
                    "{} was answered {} with: {}; 404 says that it is not there",
                    line_of(&request),
                    answer.status,
                    excerpt(&answer.body)
                ),
                format!(
                    "{} 返回 {}，内容：{}；应为 404",
                    line_of(&request),
                    answer.status,
                    excerpt(&answer.body)
                ),
            );
            Err(fault("unknown-found", &request, summary, message))
        }
        status => Err(Fault::inconclusive(Text::new(
            format!(
                "{} was answered {status}, which says nothing about what is not there",
                line_of(&request)
            ),
            format!("{} 返回 {status}，说明不了资源是否存在", line_of(&request)),
        ))),
    }
}

/// Broken JSON is the client's fault, and is told so.
fn malformed(rows: &mut Collection) -> Result<Response, Fault> {
    let token = rows.probe.generator().token(12);
    let broken = format!("{{\"name\": \"{token}\", ");
    let request =
        Request::new("POST", rows.path).header("Content-Type", "application/json").body(broken.clone());
    let answer = rows.probe.send(request.clone())?;
    if (400..500).contains(&answer.status) {
        return Ok(answer);
    }
    let summary = Text::new(
        format!("broken JSON is answered {}", answer.status),
        format!("坏的 JSON 返回 {}", answer.status),
    );
    let message = Text::new(
        format!(
            "sent {broken} to {} and got {} with: {}; 400 says that the request is wrong",
            line_of(&request),
            answer.status,
            excerpt(&answer.body)
        ),
        format!(
            "向 {} 发送 {broken}，返回 {}，内容：{}；应为 400",
            line_of(&request),
            answer.status,
            excerpt(&answer.body)
        ),
    );
    Err(fault("malformed", &request, summary, message))
}

fn wrong_type(rows: &mut Collection) -> Result<Text, Fault> {
    let mut fields = rows.fields();
    let number = fields.as_object_mut().and_then(|map| map.values_mut().find(|value| value.is_number()));
    let Some(number) = number else {
        return Err(Fault::skip(Text::new("a row has no number", "资源没有数字字段")));
    };
    *number = json!({ "not": "a number" });
    let request = rows.post(&fields);
    let answer = rows.probe.send(request.clone())?;
    if matches!(answer.status, 400 | 422) {
        return Ok(Text::new("a field of the wrong type is refused", "类型不对的字段被拒绝"));
    }
    if let Some((id, path)) = rows.name(&answer).filter(|_| answer.is_success()) {
        rows.sweep(&[Row { id, path, fields: fields.clone() }]);
    }
    Err(missed(
        format!(
            "{} with {fields} was answered {}; 400 or 422 says that the type is wrong",
            line_of(&request),
            answer.status
        ),
        format!("{} 发送 {fields}，返回 {}；应为 400 或 422", line_of(&request), answer.status),
    ))
}

/// POST to a row is no operation of a collection: 405, with Allow.
fn wrong_method(rows: &mut Collection, row: &Row) -> Result<Text, Fault> {
    let request = Request::new("POST", &row.path).json(&row.fields);
    let answer = rows.probe.send(request.clone())?;
    match (answer.status, answer.header("allow")) {
        (405, Some(allow)) => Ok(Text::same(format!("Allow: {allow}"))),
        (405, None) => Err(missed(
            format!("{} was answered 405 without Allow (RFC 9110, section 15.5.6)", line_of(&request)),
            format!("{} 返回 405，但没有 Allow（RFC 9110 第 15.5.6 节）", line_of(&request)),
        )),
        (status, _) => Err(missed(
            format!(
                "{} was answered {status}; 405 with Allow says that the method is wrong",
                line_of(&request)
            ),
            format!("{} 返回 {status}；应为带 Allow 的 405", line_of(&request)),
        )),
    }
}

fn created(made: &Response) -> Result<Text, Fault> {
    if made.status == 201 {
        return Ok(Text::new("creating is answered 201", "新建返回 201"));
    }
    Err(missed(
        format!("creating is answered {}; 201 says that something was made", made.status),
        format!("新建返回 {}；应为 201", made.status),
    ))
}

fn content_type(shown: &Response) -> Result<Text, Fault> {
    let kind = shown.header("content-type").unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(Text::same(essence));
    }
    Err(missed(
        format!("JSON is sent as `{kind}`, not as application/json"),
        format!("JSON 的类型写成了 `{kind}`，应为 application/json"),
    ))
}

fn nouns(path: &str) -> Result<Text, Fault> {
    let verb = path.split('/').find(|part| {
        let word: String = part.chars().take_while(char::is_ascii_lowercase).collect();
        VERBS.contains(&word.as_str())
    });
    match verb {
        None => Ok(Text::new("the path names things", "路径写的是事物")),
        Some(verb) => Err(missed(
            format!("`{verb}` in the path is an action; a path names a thing, the method says what is done"),
            format!("路径里的 `{verb}` 是动作；路径写事物，动作由方法表示"),
        )),
    }
}

fn media_type(rows: &mut Collection) -> Result<Text, Fault> {
    let token = rows.probe.generator().token(12);
    let request = Request::new("POST", rows.path).header("Content-Type", "text/plain").body(token);
    let answer = rows.probe.send(request)?;
    match answer.status {
        415 => {
            Ok(Text::new("a media type that it does not take is answered 415", "不接受的内容类型返回 415"))
        }
        status => Err(missed(
            format!("text/plain was answered {status}; 415 says that the media type is wrong"),
            format!("text/plain 返回 {status}；应为 415"),
        )),
    }
}

fn accept(rows: &mut Collection, row: &Row) -> Result<Text, Fault> {
    let answer = rows.probe.send(Request::get(&row.path).header("Accept", "application/x-unheard-of"))?;
    match answer.status {
        200 | 406 => Ok(Text::same(answer.status.to_string())),
        status => Err(missed(
            format!(
                "a client that accepts something unheard of was answered {status}; 406, or JSON all the same"
            ),
            format!("客户端只接受陌生的类型，返回 {status}；应为 406，或者照样给 JSON"),
        )),
    }
}

fn etag(rows: &mut Collection, shown: &Response, row: &Row) -> Result<Text, Fault> {
    let Some(tag) = shown.header("etag") else {
        return Err(missed("rows carry no ETag", "资源没有 ETag"));
    };
    // The tag of this row, as it is now.
    let now = rows.probe.send(Request::get(&row.path))?;
    let tag = now.header("etag").unwrap_or(tag).to_owned();
    let answer = rows.probe.send(Request::get(&row.path).header("If-None-Match", tag))?;
    match answer.status {
        304 => Ok(Text::new("an unchanged row is answered 304", "没有变化的资源返回 304")),
        status => Err(missed(
            format!("If-None-Match with the row's own ETag was answered {status}, not 304"),
            format!("带着资源自己的 ETag 发 If-None-Match，返回 {status}，而不是 304"),
        )),
    }
}

/// A write that was made from an old state is refused (RFC 9110, section 13.1.1).
fn stale_write(rows: &mut Collection, shown: &Response, row: &Row) -> Result<Text, Fault> {
    if shown.header("etag").is_none() {
        return Err(Fault::skip(Text::new("no ETag is offered", "没有提供 ETag")));
    }
    let stale = format!("\"{}\"", rows.probe.generator().token(16));
    let request = Request::new("PUT", &row.path).json(&row.fields).header("If-Match", stale);
    let answer = rows.probe.send(request)?;
    match answer.status {
        412 => Ok(Text::new("a write to an old state is refused with 412", "基于旧状态的写入返回 412")),
        status => Err(missed(
            format!("a write with an ETag of another state was answered {status}, not 412"),
            format!("带着别的状态的 ETag 写入，返回 {status}，而不是 412"),
        )),
    }
}

/// Errors have one shape: problem details (RFC 9457), or the same fields each time.
fn error_shape(rows: &mut Collection, malformed: Option<&Response>, path: &str) -> Result<Text, Fault> {
    let nobody = rows.probe.generator().number(1_900_000_000..2_000_000_000);
    let unknown = rows.probe.send(Request::get(format!("{path}/{nobody}")))?;
    let names = |response: &Response| -> Option<BTreeSet<String>> {
        Some(response.json()?.as_object()?.keys().cloned().collect())
    };
    match (names(&unknown), malformed.and_then(names)) {
        (Some(one), Some(other)) if one == other || (one.contains("title") && other.contains("title")) => {
            Ok(Text::new("errors have one shape", "错误的格式统一"))
        }
        (one, other) => Err(missed(
            format!(
                "errors differ in shape: {one:?} for what is not there, {other:?} for broken JSON; RFC 9457 has one for all"
            ),
            format!("错误的格式不统一：不存在时是 {one:?}，坏的 JSON 是 {other:?}；RFC 9457 有统一的格式"),
        )),
    }
}

/// Rows made at the same moment have ids of their own.
fn at_once(rows: &mut Collection) -> Result<(), Fault> {
    let fields: Vec<Value> = (0..AT_ONCE).map(|_| rows.fields()).collect();
    let requests: Vec<_> = fields.iter().map(|fields| rows.post(fields)).collect();
    let mut made = Vec::new();
    for ((answer, fields), request) in
        rows.probe.send_all(requests.clone())?.into_iter().zip(fields).zip(&requests)
    {
        let answer = answer?;
        if !answer.is_success() {
            return Err(refused(request, &answer, ADVICE));
        }
        if let Some((id, path)) = rows.name(&answer) {
            made.push(Row { id, path, fields });
        }
    }
    let ids: BTreeSet<_> = made.iter().map(|row| &row.id).collect();
    let count = ids.len();
    rows.sweep(&made);
    if count == AT_ONCE {
        return Ok(());
    }
    Err(missed(
        format!("{AT_ONCE} rows made at once have only {count} different ids"),
        format!("同时新建 {AT_ONCE} 个资源，只有 {count} 个不同的 id"),
    ))
}
