//! An answer read as a browser reads HTML: a flat list of tags and texts, by the tokenizer of the HTML standard.

use std::ops::Range;

use html5gum::{DefaultEmitter, HtmlString, Token, Tokenizer};

/// Elements whose content is text, not markup (HTML standard, 13.2.6.2 and following).
const RAW: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// One piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A start tag; names are lower case, values decoded, no name twice.
    Start { name: String, attributes: Vec<(String, String)> },
    /// An end tag.
    End(String),
    /// Text, decoded except inside `script` and `style`; `within` is the element of raw text around it, or empty.
    Text { text: String, within: String },
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    nodes: Vec<Node>,
}

impl Page {
    /// Reads any bytes: the standard has no page that cannot be read.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut emitter = DefaultEmitter::default();
        emitter.naively_switch_states(true);
        let mut nodes = Vec::new();
        let mut within = String::new();
        for token in Tokenizer::new_with_emitter(body, emitter) {
            let Ok(token) = token;
            match token {
                Token::StartTag(tag) => {
                    let name = text_of(&tag.name);
                    within = if RAW.contains(&name.as_str()) { name.clone() } else { String::new() };
                    let attributes = tag
                        .attributes
                        .iter()
                        .map(|(name, value)| (text_of(name), text_of(&value.value)))
                        .collect();
                    nodes.push(Node::Start { name, attributes });
                }
                Token::EndTag(tag) => {
                    within.clear();
                    nodes.push(Node::End(text_of(&tag.name)));
                }
                Token::String(text) => {
                    nodes.push(Node::Text { text: text_of(&text.value), within: within.clone() });
                }
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
        }
        Self { nodes }
    }

    /// The pieces in order.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A stretch of it, as a page of its own.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { nodes: self.nodes.get(range).unwrap_or_default().to_vec() }
    }

    /// What a reader sees, words apart by one space: no script, no style, and no values of fields.
    pub(crate) fn words(&self) -> String {
        let texts = self.nodes.iter().filter_map(|node| match node {
            Node::Text { text, within } if !matches!(within.as_str(), "script" | "style" | "textarea") => {
                Some(text.as_str())
            }
            Node::Text { .. } | Node::Start { .. } | Node::End(_) => None,
        });
        let text = texts.collect::<Vec<_>>().join(" ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The targets of `a`, with the words of each link.
    pub(crate) fn links(&self) -> Vec<(String, String)> {
        let mut links: Vec<(String, String)> = Vec::new();
        let mut open = false;
        for node in &self.nodes {
            match node {
                Node::Start { name, attributes } if name == "a" => {
                    let href = attribute(attributes, "href");
                    open = href.is_some();
                    links.extend(href.map(|href| (href.to_owned(), String::new())));
                }
                Node::End(name) if name == "a" => open = false,
                Node::Text { text, .. } if open => {
                    if let Some((_, words)) = links.last_mut() {
                        words.push_str(text);
                    }
                }
                Node::Start { .. } | Node::End(_) | Node::Text { .. } => {}
            }
        }
        links
    }

    /// Addresses of style sheets, scripts and images.
    pub(crate) fn assets(&self) -> Vec<String> {
        let asset = |node: &Node| match node {
            Node::Start { name, attributes } => match name.as_str() {
                "link" => attribute(attributes, "href").map(str::to_owned),
                "script" | "img" => attribute(attributes, "src").map(str::to_owned),
                _ => None,
            },
            Node::End(_) | Node::Text { .. } => None,
        };
        self.nodes.iter().filter_map(asset).collect()
    }
}

/// The value of an attribute.
pub(crate) fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn text_of(bytes: &HtmlString) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_browser_reads_it() {
        let page = Page::parse(b"<P Title='a&quot;b'>x &lt;b> y</p><script>if (a<b) '</i>'</script>");
        assert_eq!(
            page.nodes(),
            [
                Node::Start {
                    name: "p".to_owned(),
                    attributes: vec![("title".to_owned(), "a\"b".to_owned())]
                },
                Node::Text { text: "x <b> y".to_owned(), within: String::new() },
                Node::End("p".to_owned()),
                Node::Start { name: "script".to_owned(), attributes: Vec::new() },
                Node::Text { text: "if (a<b) '</i>'".to_owned(), within: "script".to_owned() },
                Node::End("script".to_owned()),
            ]
        );
        assert_eq!(page.words(), "x <b> y");
    }

    #[test]
    fn links_have_their_words() {
        let page = Page::parse(b"<a href=/x>go <b>on</b></a> then <a>no</a><img src='/i.png'>");
        assert_eq!(page.links(), [("/x".to_owned(), "go on".to_owned())]);
        assert_eq!(page.assets(), ["/i.png"]);
    }
}
