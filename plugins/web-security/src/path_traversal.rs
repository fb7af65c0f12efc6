//! `path-traversal`: can I read files outside of those that are served?

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe, TARGET, excerpt};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Report, Text, tcp};

use crate::address::{encode, resolve};
use crate::advice::problem;
use crate::browser::Browser;
use crate::check::{reach, run, visiting};
use crate::crawl;
use crate::csrf::address;
use crate::flow::Flow;

const ADVICE: Advice = Advice {
    item: "challenge.web-security",
    with: "endpoints = [\"/static/style.css\", \"/files?name=guide.txt\"]",
};

/// Addresses that are tried, and bytes of an answer that are read.
const ENDPOINTS: usize = 4;
const ANSWER: usize = 64 << 10;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names of parameters that often hold a file.
const PARAMETERS: [&str; 10] =
    ["file", "filename", "name", "path", "page", "doc", "document", "download", "template", "image"];

/// What the files above a served folder say: every system has the first, every workspace of mustdo the second.
const CANARIES: [Canary; 2] = [
    Canary { target: "etc/passwd", place: of_superuser },
    Canary { target: "mustdo.toml", place: |body| body.find("[targets") },
];

/// A file that is not served, and where a body shows it: it may stand in the middle of a page or of JSON.
struct Canary {
    target: &'static str,
    place: fn(&str) -> Option<usize>,
}

/// Where the account of the superuser stands: `root:x:0:0:` (passwd(5)).
fn of_superuser(body: &str) -> Option<usize> {
    const NAME: &str = "root:";
    body.match_indices(NAME)
        .map(|(at, _)| at)
        .find(|at| body[at + NAME.len()..].split_once(':').is_some_and(|(_, ids)| ids.starts_with("0:0:")))
}

visiting! {
    /// What is served from files.
    pub struct PathTraversal advised by ADVICE {}
}

impl Check for PathTraversal {
    const ID: &'static str = "path-traversal";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("No file outside the served folder can be read", "读不到目录以外的文件"),
            description: Text::new(
                "Fetches files that are served, then asks for others through them: with ../ in many spellings, absolute paths and broken encodings, as bytes that no browser would send. Passes when the file is served and neither /etc/passwd nor the workspace's own mustdo.toml ever is, and nothing breaks.",
                "先取到正常提供的文件，再借它们去要别的：各种写法的 ../、绝对路径、错误的编码，都是浏览器不会发的字节。文件照常提供，/etc/passwd 和工作区的 mustdo.toml 一次也读不到，服务也不出错，才算通过。",
            ),
            capabilities: vec![reach(), address()],
            typical: Duration::from_secs(4),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new("files are served, and nothing beside them", "只提供该提供的文件");
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// A file that is served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Endpoint {
    /// Up to the file's name: `/static/` or `/files?name=`.
    prefix: String,
    file: String,
    /// Sent along with every request, for files of logged-in users.
    cookies: Option<String>,
}

impl Endpoint {
    /// Splits an address at the file that it names.
    fn of(path: &str, cookies: Option<String>) -> Option<Self> {
        let cut = if let Some((_, query)) = path.split_once('?') {
            let (name, value) = query.split('&').next()?.split_once('=')?;
            let is_file = PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) || value.contains('.');
            if !is_file || value.is_empty() {
                return None;
            }
            path.find('=')? + 1
        } else {
            path.rfind('/')? + 1
        };
        let (prefix, file) = path.split_at(cut);
        (file.contains('.') && !file.is_empty()).then(|| Self {
            prefix: prefix.to_owned(),
            file: file.to_owned(),
            cookies,
        })
    }

    fn is_parameter(&self) -> bool {
        self.prefix.contains('?')
    }
}

impl PathTraversal {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = self.find(probe);
        let endpoints = report.judge("files", Need::Must, found, |endpoints| {
            let list = endpoints
                .iter()
                .map(|one| format!("{}{}", one.prefix, one.file))
                .collect::<Vec<_>>()
                .join(", ");
            Text::new(format!("served: {list}"), format!("提供的文件：{list}"))
        })?;
        let mut tried = 0;
        let outcome = endpoints.iter().try_for_each(|endpoint| {
            tried += stays_inside(probe, endpoint)?;
            Ok(())
        });
        report.judge("stays-inside", Need::Must, outcome, |()| {
            Text::new(format!("{tried} ways out led nowhere"), format!("{tried} 种越界的写法都读不到"))
        });
        let outcome = endpoints.iter().try_for_each(|endpoint| still_served(probe, endpoint));
        report.judge("still-served", Need::Must, outcome, |()| {
            Text::new("the files are served as before", "文件照常提供")
        })
    }

    /// Files that answer 200, from what the learner wrote or what pages link to.
    fn find(&self, probe: &mut Probe) -> Result<Vec<Endpoint>, Fault> {
        let mut browser = Browser::default();
        let mut paths: Vec<String> = self.doors().features.endpoints.to_vec();
        if paths.is_empty() {
            let mut pages = crawl::walk(probe, &mut browser, &["/"])?;
            // A site without accounts has files as well.
            if let Ok((flow, member)) = Flow::find(probe, self.doors()) {
                browser = member.browser;
                pages.extend(crawl::walk(probe, &mut browser, &["/", &flow.whoami])?);
            }
            for visit in pages {
                paths.extend(visit.page().assets().iter().filter_map(|asset| resolve(&visit.path, asset)));
                paths.extend(crawl::links(&visit));
                paths.push(visit.path);
            }
        }
        let mut known = BTreeSet::new();
        let mut endpoints = Vec::new();
        for path in paths {
            let request = browser.dress(mustdo_plugin::http::Request::get(&path), crate::jar::From::SameSite);
            let cookies =
                request.headers.iter().find(|(name, _)| name == "Cookie").map(|(_, value)| value.clone());
            let Some(endpoint) = Endpoint::of(&path, cookies) else { continue };
            if endpoints.len() == ENDPOINTS || !known.insert(endpoint.prefix.clone()) {
                continue;
            }
            if raw(probe, &endpoint, &path)?.0 == 200 {
                endpoints.push(endpoint);
            }
        }
        if endpoints.is_empty() { Err(nothing_served()) } else { Ok(endpoints) }
    }
}

/// Ways to another file, from the folder that `endpoint` serves. Each climbs as far as the root, or a few folders.
fn ways(endpoint: &Endpoint, target: &str) -> Vec<String> {
    let mut ways = Vec::new();
    let prefix = &endpoint.prefix;
    let climbs: &[usize] = if target.starts_with("etc") { &[12] } else { &[1, 2, 3] };
    for climb in climbs {
        for step in [
            "../",
            "..%2f",
            "%2e%2e/",
            "%2e%2e%2f",
            "..\\",
            "..%5c",
            "%252e%252e%252f",
            "....//",
            "..././",
            "..;/",
        ] {
            ways.push(format!("{prefix}{}{target}", step.repeat(*climb)));
        }
        ways.push(format!("{prefix}{}/../{}{target}", endpoint.file, "../".repeat(*climb)));
        if !endpoint.is_parameter() {
            // Without the slash: what follows the prefix is put behind the folder's name.
            let bare = prefix.trim_end_matches('/');
            ways.push(format!("{bare}../{}{target}", "../".repeat(climb - 1)));
            ways.push(format!("{bare}..%2f{}{target}", "..%2f".repeat(climb - 1)));
        }
    }
    if target.starts_with("etc") {
        ways.push(format!("{prefix}/{target}"));
        ways.push(format!("{prefix}%2f{target}"));
        ways.push(format!("{prefix}file:///{target}"));
        if endpoint.is_parameter() {
            ways.push(format!("{prefix}{}", encode(&format!("/{target}"))));
            ways.push(format!("{prefix}{}%00.txt", encode(&format!("{}{target}", "../".repeat(12)))));
        }
    }
    ways
}

fn stays_inside(probe: &mut Probe, endpoint: &Endpoint) -> Result<u32, Fault> {
    let mut tried = 0;
    let (_, served) = raw(probe, endpoint, &format!("{}{}", endpoint.prefix, endpoint.file))?;
    for Canary { target, place } in CANARIES {
        // What the served file says itself tells nothing of another one.
        if place(body_of(&served)).is_some() {
            continue;
        }
        for path in ways(endpoint, target) {
            tried += 1;
            let (status, answer) = raw(probe, endpoint, &path)?;
            let line = format!("GET {path}");
            if let Some(at) = place(body_of(&answer)) {
                return Err(read(&line, &answer, at));
            }
            if status == 500 {
                return Err(broke(&line, &answer));
            }
        }
    }
    Ok(tried)
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// Sends a request line as it is, byte for byte, and gives the status and the whole answer.
fn raw(probe: &mut Probe, endpoint: &Endpoint, path: &str) -> Result<(u16, String), Fault> {
    let options = tcp::Options { timeout: PATIENCE, ..tcp::Options::default() };
    let connection = probe.context().tcp(TARGET, &options)?;
    let host = connection.peer();
    let cookies = endpoint.cookies.as_ref().map(|value| format!("Cookie: {value}\r\n")).unwrap_or_default();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookies}Connection: close\r\n\r\n");
    connection.send(head.as_bytes())?;
    let mut answer = Vec::new();
    while answer.len() < ANSWER {
        match connection.receive(16 << 10) {
            Ok(more) if more.is_empty() => break,
            Ok(more) => answer.extend(more),
            // A server may cut the connection instead of answering what no client sends.
            Err(Failure::Unreachable(_)) => break,
            Err(Failure::TimedOut) if !answer.is_empty() => break,
            Err(other) => return Err(other.into()),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status =
        answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok()).unwrap_or_default();
    Ok((status, answer))
}

fn still_served(probe: &mut Probe, endpoint: &Endpoint) -> Result<(), Fault> {
    let path = format!("{}{}", endpoint.prefix, endpoint.file);
    let (status, _) = raw(probe, endpoint, &path)?;
    if status == 200 {
        return Ok(());
    }
    Err(Fault::inconclusive(Text::new(
        format!("{path} was served before and is answered {status} now, so its refusals say nothing"),
        format!("{path} 之前能取到，现在返回 {status}，它的拒绝说明不了什么"),
    )))
}

fn read(line: &str, answer: &str, at: usize) -> Fault {
    let body = body_of(answer);
    let shown = excerpt(&body.as_bytes()[at..(at + 24).min(body.len())]);
    let summary = Text::new(format!("{line} reads a file outside"), format!("{line} 读到了目录以外的文件"));
    let message = Text::new(
        format!(
            "sent {line}, and the answer has {shown}, which is not in the served file. Whoever can do that reads every file that the server can"
        ),
        format!("发送 {line}，回应里有 {shown}，原来的文件里没有。能这样做，就能读服务器能读的任何文件"),
    );
    let hint = Text::new(
        "decode first, join the name to the folder, make the path absolute, and refuse it unless it still lies inside; better, let the framework serve files",
        "先解码，再和目录拼接、求出绝对路径，不在目录里就拒绝；最好用框架自带的文件服务",
    );
    Fault::fail(summary).with(problem("web-security.path-traversal", line, message, hint))
}

fn broke(line: &str, answer: &str) -> Fault {
    let shown = excerpt(body_of(answer).as_bytes());
    let summary = Text::new(format!("{line} breaks the server (500)"), format!("{line} 让服务器出错（500）"));
    let message = Text::new(
        format!("the answer was: {shown}. A name that does not exist is answered 404, however it is written"),
        format!("回应是：{shown}。不存在的名字，无论怎么写都应返回 404"),
    );
    let hint = Text::new("answer 404 or 400 to names that lead nowhere", "找不到的名字返回 404 或 400");
    Fault::fail(summary).with(problem("web-security.path-error", line, message, hint))
}

fn nothing_served() -> Fault {
    let summary = Text::new(
        "no file was found that the site serves: neither a style sheet nor a download",
        "没有找到网站提供的文件：既没有样式表也没有下载",
    );
    let message = Text::new(
        "followed the links of / and looked for files in paths and in parameters such as file or name",
        "走遍 / 上的链接，找路径里和 file、name 之类参数里的文件",
    );
    let hint = ADVICE
        .hint("name addresses of files that are served, for example:", "写上几个提供文件的地址，例如：");
    Fault::inconclusive(summary)
        .with(Finding::new(Severity::Warning, "web-security.no-file", message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_in_paths_and_parameters() {
        let of = |path| Endpoint::of(path, None).map(|endpoint| (endpoint.prefix, endpoint.file));
        let pair = |prefix: &str, file: &str| Some((prefix.to_owned(), file.to_owned()));
        assert_eq!(of("/static/css/a.css"), pair("/static/css/", "a.css"));
        assert_eq!(of("/files?name=a.txt"), pair("/files?name=", "a.txt"));
        assert_eq!(of("/posts"), None);
        assert_eq!(of("/search?q=word"), None);
    }

    #[test]
    fn the_superuser_is_found_inside_a_page_and_nobody_else_is() {
        for body in ["root:x:0:0:root:/root:/bin/sh", "<pre>root:*:0:0:", "{\"text\":\"a\\nroot::0:0:r"] {
            assert!(of_superuser(body).is_some(), "{body}");
        }
        for body in ["root: not found", "/root:0:0", "root:x:1:1:", ""] {
            assert_eq!(of_superuser(body), None, "{body}");
        }
    }

    #[test]
    fn ways_leave_the_folder() {
        let endpoint = Endpoint::of("/static/a.css", None).unwrap();
        let ways = ways(&endpoint, "mustdo.toml");
        for way in [
            "/static/../mustdo.toml",
            "/static..%2fmustdo.toml",
            "/static/....//mustdo.toml",
            "/static/%2e%2e%2fmustdo.toml",
        ] {
            assert!(ways.iter().any(|known| known == way), "{way}");
        }
    }
}
