//! `safe-get`: do GET and HEAD change nothing?
//!
//! RFC 9110 §9.2.1 calls GET and HEAD safe: a client does not ask for a change by them; §9.3.2 has HEAD answer as GET
//! would, without the content.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{
    Advice, Probe, Resource, Template, Values, excerpt, line_of, place_of, refused,
};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};
use serde_json::json;

use crate::observation::Observation;
use crate::observer::{Observer, SETTLE, TICK};
use crate::session::Session;

const ADVICE: Advice = Advice {
    item: "frontend.idempotent-request",
    with: "paths = [\"/\", \"/about\"]\nwrite = { method = \"POST\", path = \"/items\", body = { name = \"{token}\", price = \"{number}\" } }\nobserve = \"GET /items\"",
};

const SESSION_ADVICE: Advice = Advice {
    item: "frontend.idempotent-request",
    with: "login = { method = \"POST\", path = \"/login\", body = { user = \"{token}\" } }\nsession = \"GET /session\"",
};

/// A link that browsers and crawlers follow must not log anybody out.
const LOGOUT: &str = "/logout";

parameters! {
    /// What to read, and how to see that reading changed nothing.
    pub struct SafeGet {
        /// Paths that must answer 200 to GET. Without them: `/` if it answers, the collection and a row of `write`.
        paths: Vec<String> = Vec::new(),
        /// More paths that must change nothing, whatever below 500 they answer. `/logout`, the deletion of a row by GET and a row that does not exist are always tried.
        probes: Vec<String> = Vec::new(),
        /// A write that must change what is observed; `{token}` and `{number}` are filled with fresh values.
        write: Template = Template::new("POST", "/items").with_body(json!({"name": "{token}", "price": "{number}"})),
        /// Shows the stored rows. Without it: GET on the path of `write`.
        observe: Option<Template> = None,
        /// Logs in by a cookie. Without it: POST `/login` with `user`, if there is such a route.
        login: Option<Template> = None,
        /// Shows who is logged in. Without it: GET `/session`.
        session: Option<Template> = None,
        /// How often each path is read.
        #[range(2..=20)]
        n: u32 = 5,
        /// Counters that reading may raise, declared as analytics: field names, or paths such as `/items/*/views`.
        allow: Vec<String> = Vec::new(),
        /// Fields of the observation that do not count, written the same way.
        volatile: Vec<String> = Vec::new(),
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for SafeGet {
    const ID: &'static str = "safe-get";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("GET and HEAD change nothing", "GET 和 HEAD 不改变任何东西"),
            description: Text::new(
                "Writes a row and sees it, then reads each path by GET, HEAD, with a random query and as a prefetch, and tries links that should not act: /logout, deleting by GET, a row that does not exist. Passes when rows and session are as before. The check's rows are removed again.",
                "先写入一行并确认看得到，再用 GET、HEAD、随机查询参数和预取方式读取每个路径，并试探不该起作用的链接：/logout、用 GET 删除、不存在的数据。数据和登录状态都不变才算通过。检查会删除自己建的数据。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_millis(1_500),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "GET and HEAD left rows and session as they were",
            "GET 和 HEAD 之后，数据和登录状态都没有变",
        ));
        let opened = Probe::open(context, &self.headers).map_err(Fault::from);
        let Some(mut probe) = crate::opened(&mut report, opened) else { return report };
        self.judge(&mut probe, &mut report);
        crate::finish(&probe, &mut report);
        report
    }
}

/// What one path answered.
struct Reading {
    request: Request,
    gets: Vec<Response>,
    head: Response,
}

/// What the reads are compared against.
struct Ground {
    resource: Resource,
    observer: Observer,
    state: Observation,
}

impl SafeGet {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let outcome = self.prepare(probe);
        let mut ground = report.judge("write-is-seen", Need::Must, outcome, |_| {
            Text::new("a write is seen, and the view stands still", "写入看得到，而且视图自己不会变")
        })?;
        let judged = self.read_all(probe, report, &mut ground);
        // The check leaves nothing behind; how that is answered proves nothing.
        let _ = probe.send(Request::new("DELETE", &ground.resource.path));
        judged
    }

    fn read_all(&self, probe: &mut Probe, report: &mut Report, ground: &mut Ground) -> Option<()> {
        let mut session = self.log_in(probe);
        if let (Err(fault), Some(_)) = (&session, &self.login) {
            report.judge("session-kept", Need::Must, Err::<(), _>(fault.clone()), |()| Text::same(""));
            return None;
        }
        let mut login = session.as_mut().ok();

        probe.progress(0.3, "GET, HEAD");
        let outcome = self.read(probe, ground, &mut login);
        let readings =
            report.judge("reads-change-nothing", Need::Must, outcome, |readings: &Vec<Reading>| {
                let lines = readings
                    .iter()
                    .map(|reading| reading.request.path.as_str())
                    .collect::<Vec<_>>()
                    .join(", ");
                Text::new(
                    format!("reading {lines} changed nothing"),
                    format!("读取 {lines} 没有改变任何东西"),
                )
            })?;
        let outcome = readings.iter().try_for_each(Reading::is_alike);
        report.judge("head-like-get", Need::Must, outcome, |()| {
            Text::new("HEAD has the status and headers of GET", "HEAD 的状态码和响应头与 GET 一致")
        })?;
        let outcome = readings.iter().try_for_each(Reading::has_head);
        report
            .judge("head-answered", Need::Should, outcome, |()| Text::new("HEAD is supported", "支持 HEAD"));

        probe.progress(0.7, "links");
        let outcome = self.follow(probe, ground, &mut login);
        let logout = report.judge("links-change-nothing", Need::Must, outcome, |_| {
            Text::new("no link acts by GET", "没有链接会因 GET 而产生作用")
        })?;
        let outcome = match session {
            Ok(mut session) => kept(&mut session, probe),
            Err(why) => unseen_session(logout, &why),
        };
        let kept = report.judge("session-kept", Need::Must, outcome, |()| {
            Text::new("the login is still there", "登录状态还在")
        });
        let outcome = self.control(probe, ground);
        report.judge("control-after", Need::Must, outcome, |()| {
            Text::new("another write is still seen", "再次写入依然看得到")
        });
        kept
    }

    /// The positive control, and the view at rest.
    fn prepare(&self, probe: &mut Probe) -> Result<Ground, Fault> {
        let view = self.observe.clone().unwrap_or_else(|| Template::new("GET", self.write.collection()));
        let left_out: Vec<_> = self.volatile.iter().chain(&self.allow).cloned().collect();
        let mut observer = Observer::new(view.fill(&Values::default()), &left_out, ADVICE);
        let looks = [observer.look(probe)?, observer.look(probe)?, observer.look(probe)?];
        reading_acts(probe, &observer, &looks)?;
        let resource = Resource::create(probe, &self.write, ADVICE)?;
        let shown = observer.expect_shown(probe, &self.token(&resource)?)?;
        let own = Request::get(&resource.path);
        if probe.send(own.clone())?.is_success() {
            observer.add(own);
        }
        let state = observer.settle(probe)?;
        observer.expect_compared(&looks[2], &shown)?;
        Ok(Ground { resource, observer, state })
    }

    fn token(&self, resource: &Resource) -> Result<String, Fault> {
        if self.write.mentions("{token}") {
            return Ok(resource.values.token.clone());
        }
        Err(Fault::inconclusive(Text::new(
            "the body of `write` needs a field with \"{token}\", or its effect cannot be recognised",
            "write 的 body 里要有一个值为 \"{token}\" 的字段，否则认不出它的效果",
        )))
    }

    fn log_in(&self, probe: &mut Probe) -> Result<Session, Fault> {
        let login = self
            .login
            .clone()
            .unwrap_or_else(|| Template::new("POST", "/login").with_body(json!({"user": "{token}"})));
        let view = self.session.clone().unwrap_or_else(|| Template::new("GET", "/session"));
        Session::begin(probe, &login, &view, &self.volatile, SESSION_ADVICE)
    }

    /// Reads every path in every way.
    fn read(
        &self,
        probe: &mut Probe,
        ground: &mut Ground,
        session: &mut Option<&mut Session>,
    ) -> Result<Vec<Reading>, Fault> {
        let mut paths: Vec<(String, bool)> = self.paths.iter().map(|path| (path.clone(), true)).collect();
        let found = ["/", self.write.collection(), ground.resource.path.as_str()];
        for path in found.into_iter().filter(|path| *path != "/" || self.paths.is_empty()) {
            if paths.iter().all(|(named, _)| named != path) {
                paths.push((path.to_owned(), false));
            }
        }
        probe.generator().shuffle(&mut paths);
        let mut readings = Vec::new();
        for (path, named) in paths {
            let first = get(probe, session, Request::get(&path))?;
            // Nothing says that a path which was not named exists; a client that is turned away says nothing at all.
            let is_elsewhere = !matches!(first.status, 200 | 401 | 403 | 429) && first.status < 500;
            if is_elsewhere && !named {
                continue;
            }
            readings.push(self.read_path(probe, ground, session, &path, first)?);
        }
        if readings.is_empty() {
            return Err(Fault::inconclusive(Text::new(
                "no path answers 200 to GET, so there is nothing to read; name some in `paths`",
                "没有任何路径对 GET 返回 200，无从判断；请在 paths 里写几个",
            )));
        }
        settled(probe, ground)?;
        Ok(readings)
    }

    /// Reads one path in every way; HEAD last and by itself, so that the culprit has a name.
    fn read_path(
        &self,
        probe: &mut Probe,
        ground: &mut Ground,
        session: &mut Option<&mut Session>,
        path: &str,
        first: Response,
    ) -> Result<Reading, Fault> {
        let request = Request::get(path);
        answered(&request, &first)?;
        let mut gets = vec![first];
        for _ in 1..self.n {
            let response = get(probe, session, request.clone())?;
            answered(&request, &response)?;
            gets.push(response);
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        let token = probe.generator().token(8);
        let variants =
            [Request::get(format!("{path}{mark}{token}=1")), request.clone().header("Purpose", "prefetch")];
        for variant in variants {
            let response = get(probe, session, variant.clone())?;
            if response.status == 429 || response.status >= 500 {
                return Err(unfit(&variant, &response));
            }
        }
        unchanged(probe, ground, &line_of(&request))?;
        let head = Request::new("HEAD", path);
        let line = line_of(&head);
        let head = get(probe, session, head)?;
        unchanged(probe, ground, &line)?;
        Ok(Reading { request, gets, head })
    }

    /// Follows links that should not act. Returns what `/logout` was answered.
    fn follow(
        &self,
        probe: &mut Probe,
        ground: &mut Ground,
        session: &mut Option<&mut Session>,
    ) -> Result<u16, Fault> {
        let own = ground.resource.path.trim_end_matches('/').to_owned();
        let missing = missing_beside(&ground.resource, probe);
        let slash = ground.resource.slash();
        let mut links = vec![format!("{own}/delete{slash}"), missing, LOGOUT.to_owned()];
        links.extend(self.probes.iter().map(|path| ground.resource.values.put_into(path)));
        probe.generator().shuffle(&mut links);
        let mut logout = 0;
        for path in links {
            for request in [Request::get(&path), Request::new("HEAD", &path)] {
                let line = line_of(&request);
                let response = get(probe, session, request.clone())?;
                // 501 refuses the method as 405 does; any other error means that following a link broke something.
                if response.status == 429 || (response.status >= 500 && response.status != 501) {
                    return Err(unfit(&request, &response));
                }
                if path == LOGOUT && request.method == "GET" {
                    logout = response.status;
                }
                unchanged(probe, ground, &line)?;
            }
        }
        settled(probe, ground)?;
        Ok(logout)
    }

    /// The observer must still see at the end.
    fn control(&self, probe: &mut Probe, ground: &Ground) -> Result<(), Fault> {
        let resource = Resource::create(probe, &self.write, ADVICE)?;
        let seen = ground.observer.expect_shown(probe, &self.token(&resource)?);
        let _ = probe.send(Request::new("DELETE", &resource.path));
        ground.observer.expect_compared(&ground.state, &seen?)
    }
}

impl Reading {
    /// HEAD must tell what GET tells, but for the content, which no client reads after HEAD; headers that GET itself changes from answer to answer are left out.
    fn is_alike(&self) -> Result<(), Fault> {
        let (head, first) = (&self.head, &self.gets[0]);
        if matches!(head.status, 405 | 501) {
            return Ok(());
        }
        if head.status >= 500 || head.status == 429 {
            return Err(unfit(&Request::new("HEAD", &self.request.path), head));
        }
        let media_type = |response: &Response| {
            response
                .header("content-type")
                .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        };
        let tag = |response: &Response| response.header("etag").map(str::to_owned);
        let steady_tag = self.gets.iter().all(|response| tag(response) == tag(first));
        let wrong = if head.status != first.status {
            format!("{} / {}", first.status, head.status)
        } else if media_type(head) != media_type(first) {
            format!("Content-Type {:?} / {:?}", first.header("content-type"), head.header("content-type"))
        } else if steady_tag && tag(head) != tag(first) {
            format!("ETag {:?} / {:?}", tag(first), tag(head))
        } else {
            return Ok(());
        };
        let path = &self.request.path;
        let summary = Text::new(
            format!("HEAD {path} does not answer as GET does ({wrong})"),
            format!("HEAD {path} 的回应和 GET 不一致（{wrong}）"),
        );
        let message = Text::new(
            format!(
                "sent GET and HEAD to {path} and compared: {wrong}; HEAD must send the same status and headers"
            ),
            format!("对 {path} 发送 GET 和 HEAD 并比较：{wrong}；HEAD 应返回同样的状态码和响应头"),
        );
        let hint = Text::new(
            "let the GET handler answer HEAD and drop the body",
            "让 GET 的处理函数来回应 HEAD，只去掉正文",
        );
        let finding = Finding::new(Severity::Problem, "http-idempotency.head-differs", message);
        Err(Fault::fail(summary).with(finding.at(place_of(&self.request)).hint(hint)))
    }

    fn has_head(&self) -> Result<(), Fault> {
        let (path, status) = (&self.request.path, self.head.status);
        if !matches!(status, 405 | 501) {
            return Ok(());
        }
        Err(Fault::fail(Text::new(
            format!("HEAD {path} was answered {status}; servers must support HEAD wherever they support GET"),
            format!("HEAD {path} 返回 {status}；支持 GET 的地方都应支持 HEAD"),
        )))
    }
}

fn get(probe: &mut Probe, session: &mut Option<&mut Session>, request: Request) -> Result<Response, Fault> {
    let Some(session) = session else { return Ok(probe.send(request)?) };
    let response = probe.send(session.attach(request))?;
    session.absorb(&response);
    Ok(response)
}

/// A path to read must answer 200.
fn answered(request: &Request, response: &Response) -> Result<(), Fault> {
    if response.status == 200 { Ok(()) } else { Err(unfit(request, response)) }
}

fn unfit(request: &Request, response: &Response) -> Fault {
    if response.is_success() {
        let (line, status) = (line_of(request), response.status);
        return Fault::inconclusive(Text::new(
            format!("{line} was answered {status}, not 200; name paths that have content"),
            format!("{line} 返回 {status} 而不是 200；请写有内容的路径"),
        ));
    }
    if response.status < 500 {
        return refused(request, response, ADVICE);
    }
    let (line, status) = (line_of(request), response.status);
    let summary = Text::new(format!("{line} was answered {status}"), format!("{line} 返回 {status}"));
    let message = Text::new(
        format!(
            "sent {line}, got {status} with: {}; reading must never break the service",
            excerpt(&response.body)
        ),
        format!("发送 {line}，返回 {status}，内容：{}；读取不应让服务出错", excerpt(&response.body)),
    );
    let hint = Text::new("read the service's log for this request", "查看服务日志里的这个请求");
    let finding = Finding::new(Severity::Problem, "http-idempotency.read-broke", message);
    Fault::fail(summary).with(finding.at(place_of(request)).hint(hint))
}

/// Compares at once, to name the request that did it.
fn unchanged(probe: &mut Probe, ground: &mut Ground, line: &str) -> Result<(), Fault> {
    let now = ground.observer.look(probe)?;
    if ground.observer.is_same(&ground.state, &now) {
        return Ok(());
    }
    // Looks twice before it blames.
    let changed = ground.observer.changes(probe, &ground.state, SETTLE)?;
    if changed.is_empty() { Ok(()) } else { Err(acted(ground, line, &changed)) }
}

/// Compares once more, after an effect that came late would be seen.
fn settled(probe: &mut Probe, ground: &mut Ground) -> Result<(), Fault> {
    let changed = ground.observer.changes(probe, &ground.state, SETTLE)?;
    if changed.is_empty() { Ok(()) } else { Err(acted(ground, "GET, HEAD", &changed)) }
}

fn acted(ground: &Ground, line: &str, changed: &[String]) -> Fault {
    let view = ground.observer.line();
    let paths = changed.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let summary =
        Text::new(format!("{line} changed what {view} shows"), format!("{line} 改变了 {view} 的内容"));
    let message = Text::new(
        format!(
            "read {view}, sent only {line}, read {view} again: {paths} differ. A prefetching browser or a crawler would do the same"
        ),
        format!(
            "先读 {view}，只发送 {line}，再读 {view}：{paths} 不一样了。浏览器预取或爬虫也会造成同样的后果"
        ),
    );
    let hint = Text::new(
        "do it by POST, PUT or DELETE only; if it is a counter of views kept for analytics, name it in `allow`",
        "改成只用 POST、PUT 或 DELETE；如果只是统计访问量的计数，请写进 `allow`",
    );
    let finding = Finding::new(Severity::Problem, "http-idempotency.read-acted", message);
    Fault::fail(summary).with(finding.at(mustdo_plugin::verdict::Location::Note(line.to_owned())).hint(hint))
}

/// Whether the view itself changes by being read: rows that pile up are an effect; a counter may be one.
fn reading_acts(probe: &mut Probe, observer: &Observer, looks: &[Observation; 3]) -> Result<(), Fault> {
    let line = observer.line();
    let mut sizes = looks.each_ref().map(Observation::size).to_vec();
    if sizes.is_sorted_by(|one, next| one < next) {
        // Somebody else may be writing, or the answers be random. Only what grows by the same amount with each read, and
        // not with the time between, is the doing of the reads.
        probe.sleep(TICK);
        for _ in 0..5 {
            sizes.push(observer.look(probe)?.size());
        }
        // An empty list counts as a value of its own, so the first step may be another one.
        let step = sizes[2] - sizes[1];
        if !sizes[1..].is_sorted_by(|one, next| one + step == *next) {
            return Err(observer.unsteady());
        }
        let summary = Text::new(
            format!("reading {line} adds to what it shows"),
            format!("每读一次 {line}，内容就多一些"),
        );
        let message = Text::new(
            format!("only read {line}, several times; the number of values in it was {sizes:?}"),
            format!("只是读了几次 {line}；看到的值的个数依次是 {sizes:?}"),
        );
        let hint = Text::new("do not store anything in a GET handler", "不要在 GET 的处理函数里存数据");
        return Err(Fault::fail(summary)
            .with(Finding::new(Severity::Problem, "http-idempotency.read-acted", message).hint(hint)));
    }
    let Some(counter) = observer.counter_of_reads(looks) else { return Ok(()) };
    Err(Fault::inconclusive(Text::new(
        format!(
            "{counter} rises with each read; if it only counts views, name it in `allow`, else it is an effect of GET"
        ),
        format!("{counter} 每读一次就增加；如果只是访问计数，请写进 allow，否则它就是 GET 的副作用"),
    )))
}

fn kept(session: &mut Session, probe: &mut Probe) -> Result<(), Fault> {
    if session.is_kept(probe)? {
        return Ok(());
    }
    let summary = Text::new("a GET ended or changed the login", "某个 GET 结束或改变了登录状态");
    let message = Text::new(
        "logged in, sent only GET and HEAD (GET /logout among them), then the session's page no longer showed the login. Any page could log a visitor out with an image",
        "登录后只发了 GET 和 HEAD（包括 GET /logout），会话页面就不再显示已登录。任何网页都能用一张图片把访客踢下线",
    );
    let hint = Text::new(
        "let only POST /logout end the session, and answer GET with 405",
        "只让 POST /logout 结束会话，GET 返回 405",
    );
    let finding = Finding::new(Severity::Problem, "http-idempotency.get-logout", message).hint(hint);
    Err(Fault::fail(summary).with(finding))
}

/// No session could be observed. That matters only where a GET might have ended one.
fn unseen_session(logout: u16, why: &Fault) -> Result<(), Fault> {
    if matches!(logout, 404 | 405 | 501) {
        return Err(Fault::skip(Text::new(
            format!("no session was tried ({}); GET {LOGOUT} is refused with {logout}", why.summary().en),
            format!("没有试登录状态（{}）；GET {LOGOUT} 被拒绝，返回 {logout}", why.summary().zh),
        )));
    }
    let hint = SESSION_ADVICE.hint(
        "say how to log in and where the login is seen, for example:",
        "写明怎样登录、在哪里能看到登录状态，例如：",
    );
    let summary = Text::new(
        format!(
            "GET {LOGOUT} was answered {logout}, and without a login it cannot be seen whether it ended one"
        ),
        format!("GET {LOGOUT} 返回 {logout}；没有登录，就看不出它是否结束了会话"),
    );
    let message = Text::new(
        format!("tried to log in: {}", why.summary().en),
        format!("尝试登录：{}", why.summary().zh),
    );
    Err(Fault::inconclusive(summary)
        .with(Finding::new(Severity::Warning, "http-idempotency.session-unseen", message).hint(hint)))
}

/// The path of a row that does not exist, with an id of the kind that the service gives.
fn missing_beside(resource: &Resource, probe: &mut Probe) -> String {
    let id = &resource.id;
    let is_uuid = id.len() == 36 && id.matches('-').count() == 4;
    let missing = if id.bytes().all(|byte| byte.is_ascii_digit()) {
        probe.generator().number(1_000_000_000..2_000_000_000).to_string()
    } else if is_uuid {
        let [high, low] = [0, 0].map(|_: u8| probe.generator().number(0..u64::MAX));
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high & 0xffff,
            (high >> 16) & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    } else {
        probe.generator().token(id.len().max(12))
    };
    let parent = resource.path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("{parent}/{missing}{}", resource.slash())
}
