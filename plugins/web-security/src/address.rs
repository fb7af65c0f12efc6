//! Addresses inside the one site that is looked at.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a form leaves as it is (URL standard, application/x-www-form-urlencoded percent-encode set).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// What cannot stand in a request line; a browser escapes it in the addresses of a page (URL standard, path percent-encode
/// set, with the signs that some servers refuse besides).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'^')
    .add(b'\\');

/// A name or value of a query or a form body.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

/// `name=value&…`.
pub(crate) fn encode_pairs(pairs: &[(String, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// The path and query that a reference found at `base` leads to; none when it leaves the site or is no address of a page.
pub(crate) fn resolve(base: &str, reference: &str) -> Option<String> {
    let reference = reference.trim().split('#').next().unwrap_or_default();
    let base_path = base.split('?').next().unwrap_or_default();
    if let Some(rest) = reference.strip_prefix("//") {
        return of_this_machine(rest);
    }
    if let Some((scheme, rest)) = reference.split_once("://")
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return if matches!(scheme, "http" | "https") { of_this_machine(rest) } else { None };
    }
    if reference.starts_with('/') {
        return Some(normal(reference));
    }
    if reference.is_empty() {
        return Some(base.to_owned());
    }
    if reference.starts_with('?') {
        return Some(normal(&format!("{base_path}{reference}")));
    }
    let head = reference.split(['/', '?']).next().unwrap_or_default();
    if head.contains(':') {
        return None;
    }
    let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(normal(&format!("{folder}/{reference}")))
}

/// The path behind an authority of this machine.
fn of_this_machine(rest: &str) -> Option<String> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let near = ["localhost", "127.", "[::1]"].iter().any(|host| authority.starts_with(host));
    near.then(|| if path.starts_with('/') { normal(path) } else { format!("/{path}") })
}

/// Escapes what cannot be sent, and takes `.` and `..` out of the path (RFC 3986, section 5.2.4).
fn normal(address: &str) -> String {
    let address = utf8_percent_encode(address, PATH).to_string();
    let (path, query) = address.split_at(address.find('?').unwrap_or(address.len()));
    let mut parts: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            ".." => drop(parts.pop()),
            "." => {}
            other => {
                parts.push(other);
                continue;
            }
        }
        if last {
            parts.push("");
        }
    }
    format!("/{}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_inside_the_site() {
        let cases = [
            ("/a/b", "c", Some("/a/c")),
            ("/a/b", "../c?x=1#y", Some("/c?x=1")),
            ("/a/b", "", Some("/a/b")),
            ("/a/b?x", "?y", Some("/a/b?y")),
            ("/", "http://127.0.0.1:5000/login", Some("/login")),
            ("/", "//localhost/x", Some("/x")),
            ("/", "https://example.org/", None),
            ("/", "javascript:void(0)", None),
            ("/", "mailto:a@b", None),
            ("/a", "./", Some("/")),
            ("/", "k\" x='1' 字", Some("/k%22%20x='1'%20%E5%AD%97")),
        ];
        for (base, reference, expected) in cases {
            assert_eq!(resolve(base, reference).as_deref(), expected, "{base} {reference}");
        }
    }

    #[test]
    fn forms_encode_what_is_not_a_word() {
        let pairs = [("a b".to_owned(), "1&2".to_owned()), ("字".to_owned(), "-".to_owned())];
        assert_eq!(encode_pairs(&pairs), "a%20b=1%262&%E5%AD%97=-");
    }
}
