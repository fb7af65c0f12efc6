//! `template-escape`: does the template engine escape by default?
//!
//! What `xss` asks of everything that users write, this asks of pages that need no account; and it holds that what is
//! escaped is escaped once, where it is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe, excerpt};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};
use serde_json::Value;

use crate::advice::{place, problem};
use crate::browser::Visit;
use crate::check::{reach, run};
use crate::page::{Node, Page};
use crate::sink::{self, Found, People, Sink, Written};
use crate::xss::{send, stays_text};

const ADVICE: Advice = Advice {
    item: "pyweb.mako",
    with: "sinks = [{ submit = \"/hello?name={text}\" }, { submit = { path = \"/notes\", body = \"note={text}\" }, view = \"/notes\" }]",
};

/// Attributes that show a text as it is; others, such as addresses, are written in ways of their own.
const SHOWING: [&str; 5] = ["value", "title", "alt", "placeholder", "aria-label"];

parameters! {
    /// Which values the templates show.
    pub struct TemplateEscape {
        /// Requests with `{text}`, each with the page that shows it, where it is not the answer itself. Without any: the forms that a visitor finds.
        pub(crate) sinks: Vec<Written> = Vec::new(),
        /// Pages on which a visitor begins to look for forms.
        pub(crate) pages: Vec<String> = vec!["/".to_owned()],
        /// Headers of every request, such as the cookie of somebody who is logged in.
        pub(crate) headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for TemplateEscape {
    const ID: &'static str = "template-escape";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Templates escape every value, once", "模板对每个值都转义，而且只转义一次"),
            description: Text::new(
                "Sends a plain word to each form or address that a visitor without an account finds, or that you name, and looks where a page shows it. Then it sends texts that would become an element, an attribute, a script or the result of an expression, and a legal text with quotes, ampersands and other letters. Passes when every page that shows them shows text, and the legal one reads back as it was written. In Mako: `TemplateLookup(directories=[…], default_filters=[\"h\"])`. Only what is sent can be seen: name every variable that a page shows.",
                "向没有帐号的访客能找到的（或你写明的）每个表单和地址发一个普通的词，看哪个页面显示它；再发会变成元素、属性、脚本或表达式结果的内容，以及带引号、& 和汉字的正常文字。凡是显示它们的页面都只有文字，正常文字读回来和写的一样，才算通过。Mako 的写法：`TemplateLookup(directories=[…], default_filters=[\"h\"])`。只能看到发出去的值：请写明页面显示的每个变量。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "every value is escaped once, where it is shown",
            "每个值都在显示的地方转义，且只转义一次",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl TemplateEscape {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let mut people = People::strangers(probe);
        let starts: Vec<&str> = self.pages.iter().map(String::as_str).collect();
        let found = sink::find(probe, &starts, &mut people, &self.sinks, ADVICE);
        let found = found.and_then(|found| self.complete(probe, &mut people, found));
        let found = report.judge("templates", Need::Must, found, |found| {
            let lines: Vec<String> = found
                .sinks
                .iter()
                .map(|sink| format!("{} {}", sink.line(), sink.field()).trim_end().to_owned())
                .collect();
            let list = lines.join("; ");
            Text::new(
                format!("a page shows a plain word from: {list}"),
                format!("页面会显示这些地方的词：{list}"),
            )
        })?;
        report.judge("forms-work", Need::Must, found.all_take_text(ADVICE), |()| {
            Text::new("every form that was found takes text", "找到的表单都接受文字")
        })?;
        let mut shown = 0;
        let outcome = found.sinks.iter().try_for_each(|sink| {
            shown += stays_text(probe, &mut people, sink)?;
            Ok(())
        });
        report.judge("escapes", Need::Must, outcome, |()| {
            Text::new(
                format!("{shown} hostile texts were shown, all of them as text"),
                format!("显示了 {shown} 段恶意内容，都只是文字"),
            )
        })?;
        let outcome = found.sinks.iter().try_for_each(|sink| reads_back(probe, &mut people, sink));
        report.judge("once", Need::Must, outcome, |()| {
            Text::new("a legal text reads back as it was written", "正常文字读回来和写的一样")
        })
    }

    /// What the learner wrote is shown in full, and some of it is shown by a template at all.
    fn complete(&self, probe: &mut Probe, people: &mut People, found: Found) -> Result<Found, Fault> {
        if found.sinks.len() < self.sinks.len() {
            let shown: Vec<String> = found.sinks.iter().map(Sink::line).collect();
            let unseen = self.sinks.iter().map(Written::line).find(|line| !shown.contains(line));
            return Err(unseen_sink(&unseen.unwrap_or_default()));
        }
        for sink in &found.sinks {
            let word = probe.generator().token(12);
            let text = sink.plain_text(probe, &mut people.writer.browser, &word)?;
            if send(probe, people, sink, &text, &word)?.iter().any(Visit::is_html) {
                return Ok(found);
            }
        }
        Err(Fault::inconclusive(Text::new(
            "what was sent is shown by no HTML page, so no template had to escape it",
            "发出去的内容没有一个 HTML 页面显示，看不出模板会不会转义",
        )))
    }
}

fn unseen_sink(line: &str) -> Fault {
    let summary = Text::new(
        format!("a plain word that was sent by {line} is not shown, or there are more than six to look at"),
        format!("用 {line} 发出的普通词没有显示，或者要看的地方超过六个"),
    );
    let message = Text::new(
        "only what is shown can be held against what was sent; every place that is named must be looked at",
        "只有显示出来的才能和发出去的对照；写明的每一处都要看到",
    );
    let hint = ADVICE.hint("name the page that shows it as `view`:", "用 view 写明显示它的页面：");
    Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.template-unseen", message).at(place(line)).hint(hint),
    )
}

/// A text that means no harm, with what a template has to escape and what it has to leave alone.
fn reads_back(probe: &mut Probe, people: &mut People, sink: &Sink) -> Result<(), Fault> {
    let marker = probe.generator().token(10);
    let plain = sink.plain_text(probe, &mut people.writer.browser, &marker)?;
    if plain != marker {
        // A field of an address takes no other text.
        return Ok(());
    }
    let text = format!("{marker} Tom & 王 <3 \"O'Brien\"");
    let visits = send(probe, people, sink, &text, &marker)?;
    if visits.is_empty() {
        return Err(changed(sink, &text, "/", "", How::Refused));
    }
    for visit in &visits {
        let wrong = if visit.is_html() {
            wrong_in_page(&visit.page(), &text, &marker)
        } else {
            wrong_elsewhere(visit, &text, &marker)
        };
        if let Some(seen) = wrong {
            let how = if has_entity(&seen) { How::Escaped } else { How::Changed };
            return Err(changed(sink, &text, &visit.path, &seen, how));
        }
    }
    Ok(())
}

/// What a reader of the page sees instead of the text, anywhere that has the marker.
fn wrong_in_page(page: &Page, text: &str, marker: &str) -> Option<String> {
    let seen = page.nodes().iter().flat_map(|node| match node {
        // A script has a notation of its own.
        Node::Text { within, .. } if matches!(within.as_str(), "script" | "style") => Vec::new(),
        Node::Text { text, .. } => vec![text.as_str()],
        Node::Start { attributes, .. } => attributes
            .iter()
            .filter(|(name, _)| SHOWING.contains(&name.as_str()))
            .map(|(_, value)| value.as_str())
            .collect(),
        Node::End(_) => Vec::new(),
    });
    seen.filter_map(|seen| seen.find(marker).map(|at| &seen[at..]))
        .map(|seen| seen.split_whitespace().collect::<Vec<_>>().join(" "))
        .find(|seen| !seen.starts_with(text) && !is_cut(seen, text))
}

/// Whether a template shortened it: the beginning, and dots.
fn is_cut(seen: &str, text: &str) -> bool {
    let kept = seen.trim_end_matches(['.', '…']).trim_end();
    kept.len() < seen.len() && text.starts_with(kept)
}

/// What an answer that is no page has instead of the text: its entities, which nothing but HTML turns back. Any other
/// notation is its own affair.
fn wrong_elsewhere(visit: &Visit, text: &str, marker: &str) -> Option<String> {
    let texts = match visit.response.json() {
        Some(document) => strings(&document),
        None => vec![visit.response.text().into_owned()],
    };
    let end = text.len() + 60;
    let seen = texts.iter().flat_map(|seen| seen.match_indices(marker).map(|(at, _)| &seen[at..]));
    seen.map(|seen| &seen[..seen.ceil_char_boundary(end.min(seen.len()))])
        .find(|seen| !seen.starts_with(text) && has_entity(seen))
        .map(str::to_owned)
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn has_entity(seen: &str) -> bool {
    ["&amp;", "&lt;", "&quot;", "&#"].iter().any(|entity| seen.contains(entity))
}

/// What became of a legal text.
#[derive(Debug, Clone, Copy)]
enum How {
    /// It shows as entities.
    Escaped,
    /// It lost or gained something else.
    Changed,
    /// It is not shown at all.
    Refused,
}

fn changed(sink: &Sink, text: &str, path: &str, seen: &str, how: How) -> Fault {
    let line = sink.line();
    let path = path.split('?').next().unwrap_or_default();
    let seen = excerpt(seen.as_bytes());
    let (summary, hint) = match how {
        How::Escaped => (
            Text::new(
                format!("text sent to {line} is escaped more than once, or before it is shown"),
                format!("发给 {line} 的文字被多次转义，或在显示之前就转义了"),
            ),
            Text::new(
                "keep what was written as it is, and let the template escape it once, where it is shown",
                "原样保存，只让模板在显示时转义一次",
            ),
        ),
        How::Changed => (
            Text::new(
                format!("legal text sent to {line} is not shown as it was written"),
                format!("发给 {line} 的正常文字没有原样显示"),
            ),
            Text::new(
                "take nothing out of the text, and let the template escape it",
                "不要删改文字，让模板去转义",
            ),
        ),
        How::Refused => (
            Text::new(
                format!("legal text sent to {line} is not shown, though a plain word is"),
                format!("发给 {line} 的正常文字没有显示，而普通的词会显示"),
            ),
            Text::new(
                "take text with quotes, ampersands and angle brackets, and let the template escape it",
                "接受带引号、& 和尖括号的文字，让模板去转义",
            ),
        ),
    };
    let message = match how {
        How::Refused => {
            Text::new(format!("sent {text}; no page shows it"), format!("发送 {text}；没有页面显示它"))
        }
        How::Escaped | How::Changed => Text::new(
            format!("sent {text}; a reader of {path} sees: {seen}"),
            format!("发送 {text}；{path} 的读者看到：{seen}"),
        ),
    };
    Fault::fail(summary).with(problem("web-security.template-escape", &line, message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "mark Tom & 王 <3 \"O'Brien\"";

    fn wrong(html: &str) -> Option<String> {
        wrong_in_page(&Page::parse(html.as_bytes()), TEXT, "mark")
    }

    #[test]
    fn a_text_reads_back_in_every_place() {
        let escaped = "mark Tom &amp; 王 &lt;3 &#34;O&#39;Brien&quot;";
        assert_eq!(wrong(&format!("<p title=\"{escaped}\">for {escaped} there</p>")), None);
        assert_eq!(
            wrong(&format!("<a href='/?q=mark%20Tom'>{escaped}</a><script>'mark Tom'</script>")),
            None
        );
        assert_eq!(wrong("<p>mark Tom &amp; 王…</p>"), None);
        assert_eq!(wrong("<p>mark Tom &amp;amp; 王 ...</p>").as_deref(), Some("mark Tom &amp; 王 ..."));
        assert_eq!(wrong("<input value='mark Tom  王'>").as_deref(), Some("mark Tom 王"));
        let twice = format!("<p>{escaped}</p><p>{}</p>", escaped.replace('&', "&amp;"));
        assert!(wrong(&twice).is_some_and(|seen| has_entity(&seen)));
    }
}
