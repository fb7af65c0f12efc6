//! What every page is made with: a template that is filled in, texts that can not leave their place, and a policy that lets
//! nothing else run.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::{Digest, Language};

/// `template` with what `fill` gives for each name between two braces; nothing for a name that it does not know.
pub(in crate::report) fn filled(template: &str, fill: impl Fn(&str) -> Option<String>) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        // What is filled in is not looked through again: a text with braces is only a text.
        page.push_str(&fill(name).unwrap_or_default());
        rest = after;
    }
    page.push_str(rest);
    page
}

/// A word of the page: as a text (`t`), as the label or as the placeholder of an element, which the script changes with the
/// language.
pub(in crate::report) fn worded(
    kind: &str,
    name: &str,
    words: [&str; 2],
    language: Language,
) -> Option<String> {
    let [en, zh] = words;
    let shown = escape(if language == Language::En { en } else { zh });
    match kind {
        "t" => Some(both(en, zh)),
        "label" => Some(format!(r#"aria-label="{shown}" data-label="{name}""#)),
        "placeholder" => Some(format!(r#"placeholder="{shown}" data-placeholder="{name}""#)),
        _ => None,
    }
}

/// Nothing is fetched, nothing is sent, and no script or style runs but these two (Content Security Policy Level 3).
pub(in crate::report) fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Digest::of(text.as_bytes()).as_bytes()));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    )
}

pub(in crate::report) fn other(language: Language) -> Language {
    match language {
        Language::En => Language::Zh,
        Language::Zh => Language::En,
    }
}

/// `text` as HTML shows it, in an element or in a quoted attribute.
pub(in crate::report) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// A text in both languages, of which one is seen.
pub(in crate::report) fn both(en: &str, zh: &str) -> String {
    if en == zh {
        return escape(en).into_owned();
    }
    format!(r#"<span lang="en">{}</span><span lang="zh">{}</span>"#, escape(en), escape(zh))
}

/// What is said in each language.
pub(in crate::report) fn said(words: impl Fn(Language) -> String) -> String {
    both(&words(Language::En), &words(Language::Zh))
}

/// Adds to a string, which can not fail.
pub(in crate::report) fn add(text: &mut String, more: fmt::Arguments<'_>) {
    let _written = text.write_fmt(more);
}

/// An option in one language: what is inside one can not be seen in parts.
pub(in crate::report) fn option(value: &str, [en, zh]: [&str; 2], language: Language) -> String {
    let shown = if language == Language::En { en } else { zh };
    format!(
        r#"<option value="{}" data-en="{}" data-zh="{}">{}</option>"#,
        escape(value),
        escape(en),
        escape(zh),
        escape(shown)
    )
}
