//! The site: one page, and a page for everything that is not there.

use super::{Flaw, HOST};

/// What the door with TLS answers to the head of a request.
pub(super) fn over_tls(flaw: Option<Flaw>, head: &str) -> Vec<u8> {
    let is_page = path(head) == Some("/");
    let policy = match flaw {
        Some(Flaw::NoHsts) => "",
        Some(Flaw::HstsNotOnErrors) if !is_page => "",
        Some(Flaw::HstsForgets) => "Strict-Transport-Security: max-age=0\r\n",
        Some(Flaw::HstsShort) => "Strict-Transport-Security: max-age=86400\r\n",
        _ => "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n",
    };
    let cookie = match flaw {
        Some(Flaw::OpenCookie) => "Set-Cookie: session=secure; HttpOnly\r\n",
        _ => "Set-Cookie: session=1f; Secure; HttpOnly; SameSite=Lax\r\n",
    };
    let script = match flaw {
        Some(Flaw::Mixed) => "<script src=\"http://cdn.test/shop.js\"></script>",
        _ => "<script src=\"/shop.js\"></script><a href=\"http://other.test/\">others</a>",
    };
    if is_page {
        answer("200 OK", &format!("{policy}{cookie}"), &format!("<!DOCTYPE html><title>shop</title>{script}"))
    } else {
        answer("404 Not Found", policy, "<!DOCTYPE html><title>not here</title>")
    }
}

/// What the door without TLS answers; the other is on `port`.
pub(super) fn in_clear(flaw: Option<Flaw>, head: &str, port: u16) -> Vec<u8> {
    let path = path(head).unwrap_or("/");
    let (status, location) = match flaw {
        Some(Flaw::ServesBoth) => return answer("200 OK", "", "<!DOCTYPE html><title>shop</title>"),
        Some(Flaw::RedirectToRoot) => ("308 Permanent Redirect", format!("https://{HOST}:{port}/")),
        Some(Flaw::RedirectToHttp) => ("308 Permanent Redirect", format!("http://{HOST}:{port}{path}")),
        Some(Flaw::RedirectForNow) => ("302 Found", format!("https://{HOST}:{port}{path}")),
        _ => ("308 Permanent Redirect", format!("https://{HOST}:{port}{path}")),
    };
    let policy =
        if flaw == Some(Flaw::HstsOverHttp) { "Strict-Transport-Security: max-age=63072000\r\n" } else { "" };
    answer(status, &format!("Location: {location}\r\n{policy}"), "")
}

fn path(head: &str) -> Option<&str> {
    head.split(' ').nth(1)
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}
