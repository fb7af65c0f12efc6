//! Files, and the small services that reach outside: going on to an address, previewing one, pinging a host.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Component, Path};
use std::process::Command;
use std::time::Duration;

use http::StatusCode;
use percent_encoding::percent_decode_str;

use super::guard::Visitor;
use super::request::{Reply, Request};
use super::route::show_as;
use super::{App, Flaw, html};

impl App {
    /// A style sheet or the like: `path` begins with `/static`, not decoded.
    pub(super) fn asset(&self, path: &str, visitor: &Visitor) -> Reply {
        let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let folder = self.files.join("static");
        let file = match self.flaw {
            Some(Flaw::AliasOffBySlash) => {
                // `location /static { alias …/static/; }`: what follows is put behind the folder's own slash.
                let rest = decoded.strip_prefix("/static").unwrap_or_default();
                if !rest.starts_with('/') {
                    return self.file(Path::new(&format!("{}/{rest}", folder.display())), visitor);
                }
                rest.trim_start_matches('/').to_owned()
            }
            Some(Flaw::ChecksBeforeDecoding) if !path.contains("..") => {
                let rest = decoded.strip_prefix("/static/").unwrap_or_default().to_owned();
                return self.file(&folder.join(rest), visitor);
            }
            Some(Flaw::StripsDotsOnce) => {
                let rest = decoded.strip_prefix("/static/").unwrap_or_default().replace("../", "");
                return self.file(&folder.join(rest), visitor);
            }
            _ => decoded.strip_prefix("/static/").unwrap_or_default().to_owned(),
        };
        self.inside(&file, visitor)
    }

    pub(super) fn download(&self, request: &Request, visitor: &Visitor) -> Reply {
        let name = request.parameter("name");
        if self.is(Flaw::FileInPage) {
            let Ok(text) = std::fs::read_to_string(self.files.join("static").join(name)) else {
                return self.missing(visitor);
            };
            return Self::show(visitor, "File", &format!("<pre>{}</pre>", html::escape(&text)));
        }
        if self.is(Flaw::FileByPath) {
            return self.file(&self.files.join("static").join(name), visitor);
        }
        self.inside(name, visitor)
    }

    /// A file of the public folder: its name is plain, whatever was sent.
    fn inside(&self, name: &str, visitor: &Visitor) -> Reply {
        let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || name.contains(['\0', '\\']) {
            return self.missing(visitor);
        }
        self.file(&self.files.join("static").join(name), visitor)
    }

    fn file(&self, path: &Path, visitor: &Visitor) -> Reply {
        let media_type = if path.extension().is_some_and(|end| end == "css") {
            "text/css"
        } else {
            "text/plain; charset=utf-8"
        };
        match std::fs::read(path) {
            Ok(bytes) => Reply::of(StatusCode::OK, media_type, bytes),
            Err(_) => self.missing(visitor),
        }
    }

    /// Goes on to a page of this site.
    pub(super) fn go(&self, request: &Request) -> Reply {
        let next = request.parameter("next");
        let inside =
            next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\t', '\r', '\n']);
        let flawed = self.is(Flaw::OpenRedirect) && next.starts_with('/');
        Reply::see_other(if inside || flawed { next } else { "/" })
    }

    /// Shows what stands at an address; only hosts that the site knows are asked, and it knows none.
    pub(super) fn preview(&self, request: &Request, visitor: &Visitor) -> Reply {
        if self.is(Flaw::FetchesThenFails) {
            let _ = fetch(request.parameter("url"));
            return show_as(StatusCode::BAD_GATEWAY, visitor, "Preview", "<p>No preview.</p>");
        }
        if self.is(Flaw::FetchesByPost) {
            let field =
                html::form("/preview", &visitor.token, "<input name=\"url\" type=\"url\">", "Preview");
            let fetched = fetch(request.field("url")).unwrap_or_default();
            return Self::show(visitor, "Preview", &format!("{field}<pre>{}</pre>", html::escape(&fetched)));
        }
        let field =
            "<form action=\"/preview\"><input name=\"url\" type=\"url\"><button>Preview</button></form>";
        if self.is(Flaw::FetchesAnything) {
            let fetched = fetch(request.parameter("url")).unwrap_or_default();
            return Self::show(visitor, "Preview", &format!("{field}<pre>{}</pre>", html::escape(&fetched)));
        }
        Self::show(visitor, "Preview", &format!("{field}<p>This host is not known.</p>"))
    }

    pub(super) fn ping(&self, request: &Request, visitor: &Visitor) -> Reply {
        let host = request.parameter("host");
        let field = "<form action=\"/ping\"><input name=\"host\"><button>Ping</button></form>";
        let answer = if self.is(Flaw::RunsShell) {
            let output = Command::new("sh").arg("-c").arg(format!("echo pinging {host}")).output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
        } else {
            format!("pinging {host}")
        };
        Self::show(visitor, "Ping", &format!("{field}<pre>{}</pre>", html::escape(&answer)))
    }
}

/// The answer of an address of the form `http://ADDRESS:PORT/PATH`, as it comes.
fn fetch(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address: SocketAddr = authority.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    // What came until the time was over is shown.
    let _ = stream.take(4096).read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}
