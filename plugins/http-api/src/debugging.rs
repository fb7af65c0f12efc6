//! What a server says of itself that only a developer should see.

use mustdo_plugin::Text;
use mustdo_plugin::http::Response;

/// Names in `Server` of servers whose own documentation says that they are not for production.
const DEVELOPMENT: [(&str, &str); 4] = [
    ("werkzeug", "Werkzeug's development server (`flask run`, `app.run`)"),
    ("wsgiserver", "wsgiref, the reference server of Python (`runserver` of Django, too)"),
    ("simplehttp", "http.server of Python"),
    ("basehttp", "http.server of Python"),
];

/// Words that only a traceback or a debugger's page has.
const TRACES: [(&str, &str); 9] = [
    ("Traceback (most recent call last)", "a traceback of Python"),
    ("Werkzeug Debugger", "the debugger of Werkzeug"),
    ("__debugger__", "the debugger of Werkzeug"),
    ("DEBUG = True", "the debug page of Django"),
    ("at Object.<anonymous> (", "a stack trace of Node.js"),
    ("at Layer.handle", "a stack trace of Express"),
    ("(node:internal/", "a stack trace of Node.js"),
    ("panicked at ", "a panic of Rust"),
    ("goroutine 1 [", "a stack trace of Go"),
];

/// The development server that `Server` names.
pub(crate) fn development_server(response: &Response) -> Option<&'static str> {
    let names = response.header("server").unwrap_or_default().to_ascii_lowercase();
    DEVELOPMENT.iter().find(|(name, _)| names.contains(name)).map(|(_, what)| *what)
}

/// What of the inside of the program a page shows.
pub(crate) fn trace(response: &Response) -> Option<&'static str> {
    let page = response.text();
    TRACES.iter().find(|(words, _)| page.contains(words)).map(|(_, what)| *what)
}

/// What to run instead.
pub(crate) fn advice() -> Text {
    Text::new(
        "serve it with gunicorn, uvicorn, uWSGI or the like, with debug switched off, and nginx in front",
        "用 gunicorn、uvicorn、uWSGI 等来运行，关闭调试，前面放 nginx",
    )
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::http::Timing;

    use super::*;

    fn page(server: &str, body: &str) -> Response {
        Response {
            status: 200,
            headers: vec![("Server".to_owned(), server.to_owned())],
            body: body.as_bytes().to_vec(),
            body_bytes: body.len() as u64,
            truncated: false,
            timing: Timing::default(),
        }
    }

    #[test]
    fn development_servers_are_known_and_others_are_not() {
        assert!(development_server(&page("Werkzeug/3.1.3 Python/3.11.2", "")).is_some());
        assert!(development_server(&page("WSGIServer/0.2 CPython/3.11.2", "")).is_some());
        assert_eq!(development_server(&page("gunicorn", "")), None);
        assert_eq!(trace(&page("", "<h1>Internal Server Error</h1>")), None);
        assert!(trace(&page("", "Traceback (most recent call last):\n  File")).is_some());
    }
}
