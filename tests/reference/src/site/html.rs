//! Pages as text.

/// Text inside an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A JSON value inside a script element: nothing in it can end the element (OWASP XSS prevention, rule for JSON).
pub(super) fn json_in_script(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A form that is posted.
pub(super) fn form(action: &str, token: &str, fields: &str, button: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"csrf_token\" value=\"{token}\">{fields}<button>{button}</button></form>"
    )
}

/// A page around its content.
pub(super) fn page(title: &str, user: Option<&str>, token: &str, content: &str) -> String {
    let person = match user {
        Some(name) => format!(
            "<p>Signed in as {} <a href=\"/notes\">Notes</a> <a href=\"/account\">Account</a></p>{}",
            escape(name),
            form("/logout", token, "", "Log out")
        ),
        None => "<p><a href=\"/register\">Register</a> <a href=\"/login\">Log in</a></p>".to_owned(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/static/style.css\"></head><body>\
         <nav><a href=\"/\">Home</a> <a href=\"/posts\">Posts</a> <a href=\"/search\">Search</a> \
         <a href=\"/files?name=guide.txt\">Guide</a></nav>{person}<h1>{title}</h1>{content}</body></html>"
    )
}
