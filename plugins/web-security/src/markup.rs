//! Where a text landed in a page, and whether it became more than text.

use crate::page::{Node, Page, attribute};

/// Attributes whose value is an address that a browser follows or loads.
const ADDRESSES: [&str; 8] =
    ["href", "src", "action", "formaction", "xlink:href", "data", "poster", "background"];

/// Schemes whose address is a program.
const ACTIVE: [&str; 3] = ["javascript:", "vbscript:", "data:text/html"];

/// What a text became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakout {
    /// An element of its own.
    Element,
    /// An attribute of the element around it.
    Attribute,
    /// Code of a script element.
    Script,
    /// Code of an event handler.
    Handler,
    /// An address that is a program.
    Address,
}

impl Breakout {
    /// In words, in English and Chinese: "the text became …".
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Element => ("an element of the page", "页面里的元素"),
            Self::Attribute => ("an attribute of the element around it", "所在元素的属性"),
            Self::Script => ("code of a script", "脚本里的代码"),
            Self::Handler => ("an event handler that runs it", "会执行的事件处理"),
            Self::Address => ("an address that runs as a program", "会当作程序执行的地址"),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(self) -> (&'static str, &'static str) {
        match self {
            Self::Element => (
                "escape < > & where the text is put out, by the template's automatic escaping",
                "在输出的地方转义 < > &，用模板的自动转义",
            ),
            Self::Attribute => {
                ("escape quotes as well and write attributes in quotes", "引号也要转义，属性值要加引号")
            }
            Self::Script => (
                "do not put text into scripts: put it into a data attribute, or as JSON with < > & written as \\u003c and so on",
                "不要把文字拼进脚本：放进 data 属性，或用 JSON 并把 < > & 写成 \\u003c 之类",
            ),
            Self::Handler => (
                "let users set no handlers: an allow-list of elements and attributes, or escaping",
                "不允许用户写事件处理：用元素和属性的白名单，或直接转义",
            ),
            Self::Address => (
                "take only http and https where an address is asked for",
                "要求填地址的地方只接受 http 和 https",
            ),
        }
    }
}

/// What became of payloads that would make an element, an attribute or a function called `name`. None: it stayed text.
pub(crate) fn breakout(page: &Page, name: &str) -> Option<Breakout> {
    let mut runs = false;
    for node in page.nodes() {
        match node {
            Node::Start { name: element, attributes } => {
                runs = element == "script" && is_program(attributes);
                if element == name {
                    return Some(Breakout::Element);
                }
                if let Some(found) = attributes.iter().find_map(|(key, value)| of_attribute(key, value, name))
                {
                    return Some(found);
                }
            }
            Node::Text { text, within } if within == "script" && runs => {
                if is_code(text, name) {
                    return Some(Breakout::Script);
                }
            }
            Node::Text { .. } | Node::End(_) => {}
        }
    }
    None
}

fn of_attribute(key: &str, value: &str, name: &str) -> Option<Breakout> {
    if key == name {
        return Some(Breakout::Attribute);
    }
    if !value.contains(name) {
        return None;
    }
    if key.starts_with("on") && is_code(value, name) {
        return Some(Breakout::Handler);
    }
    if key == "srcdoc" {
        return breakout(&Page::parse(value.as_bytes()), name);
    }
    // Browsers take out tabs and line ends, and what stands in front, before they look at the scheme (URL standard, 4.4).
    let address: String = value.chars().filter(|char| !matches!(char, '\t' | '\n' | '\r')).collect();
    let address = address.trim_start_matches(|char: char| char <= ' ').to_ascii_lowercase();
    let is_active = ACTIVE.iter().any(|scheme| address.starts_with(scheme));
    (ADDRESSES.contains(&key) && is_active).then_some(Breakout::Address)
}

/// Whether a script element is a program, and not data (HTML standard, 4.12.1).
fn is_program(attributes: &[(String, String)]) -> bool {
    let kind = attribute(attributes, "type").unwrap_or_default().trim().to_ascii_lowercase();
    kind.is_empty() || kind == "module" || kind.ends_with("javascript") || kind.ends_with("ecmascript")
}

/// What the lexer of a script is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// A string or template, by its quote.
    Quoted(char),
    LineComment,
    BlockComment,
}

/// Whether `name` stands in a script outside strings and comments.
fn is_code(script: &str, name: &str) -> bool {
    let mut within = Within::Code;
    // Where a template string goes on after `${…}`: how many braces were open then.
    let mut templates: Vec<usize> = Vec::new();
    let mut braces = 0;
    let mut rest = script;
    while let Some(char) = rest.chars().next() {
        if within == Within::Code && rest.starts_with(name) {
            return true;
        }
        let mut taken = char.len_utf8();
        within = match (within, char) {
            (Within::Code, '"' | '\'' | '`') => Within::Quoted(char),
            (Within::Code, '/') if rest.starts_with("//") => Within::LineComment,
            (Within::Code, '/') if rest.starts_with("/*") => Within::BlockComment,
            (Within::Code, '{') => {
                braces += 1;
                Within::Code
            }
            (Within::Code, '}') if templates.last() == Some(&braces) => {
                templates.pop();
                Within::Quoted('`')
            }
            (Within::Code, '}') => {
                braces = braces.saturating_sub(1);
                Within::Code
            }
            (Within::Quoted(_), '\\') => {
                taken += rest.chars().nth(1).map_or(0, char::len_utf8);
                within
            }
            (Within::Quoted('`'), '$') if rest.starts_with("${") => {
                taken += 1;
                templates.push(braces);
                Within::Code
            }
            (Within::Quoted(quote), _) if quote == char => Within::Code,
            // A line end ends a string that is not finished, as an error; what follows is read anew.
            (Within::Quoted('"' | '\'') | Within::LineComment, '\n') => Within::Code,
            (Within::BlockComment, '*') if rest.starts_with("*/") => {
                taken += 1;
                Within::Code
            }
            (other, _) => other,
        };
        rest = &rest[taken..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(html: &str) -> Option<Breakout> {
        breakout(&Page::parse(html.as_bytes()), "xq")
    }

    #[test]
    fn what_stays_text_is_no_breakout() {
        for html in [
            "<p>&lt;xq&gt; xq</p>",
            "<p title='\" xq=1'>k</p>",
            "<textarea><xq></textarea>",
            "<script>var a = \"xq();\\\"xq\"; // xq\n/* xq */ `xq` </script>",
            "<script type='application/json'>{\"a\": xq}</script>",
            "<a href='https://example.com/?javascript:xq'>k</a>",
            "<button onclick='say(\"xq\")'>k</button>",
        ] {
            assert_eq!(of(html), None, "{html}");
        }
    }

    #[test]
    fn what_becomes_more_than_text_is_named() {
        for (html, expected) in [
            ("<p><xq></p>", Breakout::Element),
            ("<p title='k' xq=''>k</p>", Breakout::Attribute),
            ("<p title=k xq=1>k</p>", Breakout::Attribute),
            ("<script>var a = \"k\";xq();//\"</script>", Breakout::Script),
            ("<script>var a = `k${xq()}`</script>", Breakout::Script),
            ("<ScRiPt>xq()</sCrIpT>", Breakout::Script),
            ("<img src=x onerror=xq()>", Breakout::Handler),
            ("<a href=' jAva\tscript:xq()'>k</a>", Breakout::Address),
            ("<iframe srcdoc='&lt;svg onload=xq()&gt;'></iframe>", Breakout::Handler),
        ] {
            assert_eq!(of(html), Some(expected), "{html}");
        }
    }
}
