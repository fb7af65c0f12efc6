//! How the learner's server is spoken to: what a request is, and what its reply must be.

use mustdo_plugin::Parameter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Lines up to here are fair: asyncio's readers and Redis' inline commands end at 64 KiB, and much is built with less.
const LONGEST_LINE: usize = 16 << 10;

/// The protocol of the server. A body, which the check makes, goes into the request; the reply must carry it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Dialect {
    /// One of the three usual ones.
    Named(Named),
    /// Any other, by what surrounds the body.
    Template(Template),
}

/// The usual dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Named {
    /// Every line is answered with the same line; a line ends with LF.
    Line,
    /// Every byte comes back as it came (RFC 862); there are no messages.
    Echo,
    /// Four bytes of length, most significant first, and as many bytes of body; the reply is framed alike.
    Len32,
}

/// A request and its reply as text, with `{text}` for the body and `{length}` for its number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    /// What is sent.
    pub(crate) request: String,
    /// What must come back.
    pub(crate) reply: String,
}

/// What a dialect can carry as a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Any byte.
    Bytes,
    /// UTF-8 text of one line.
    Text,
    /// One word of letters and digits.
    Word,
}

impl Dialect {
    /// The bytes of a request.
    pub(crate) fn request(&self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Named(named) => named.frame(body),
            Self::Template(template) => fill(&template.request, body),
        }
    }

    /// The bytes of the only right reply to it.
    pub(crate) fn reply(&self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Named(named) => named.frame(body),
            Self::Template(template) => fill(&template.reply, body),
        }
    }

    /// Whether there are messages with borders, so that half of one is not yet one.
    pub(crate) fn has_borders(&self) -> bool {
        *self != Self::Named(Named::Echo)
    }

    pub(crate) fn body(&self) -> Body {
        match self {
            Self::Named(Named::Line) => Body::Text,
            Self::Named(Named::Echo | Named::Len32) => Body::Bytes,
            Self::Template(template) if template.request.contains("{length}") => Body::Bytes,
            Self::Template(_) => Body::Word,
        }
    }

    /// The longest body that every good server of this dialect takes.
    pub(crate) fn longest(&self) -> usize {
        match self.body() {
            Body::Bytes => 1 << 20,
            Body::Text | Body::Word => LONGEST_LINE,
        }
    }

    /// Whether the reply shows which request it is for: one that does not could be a constant.
    pub(crate) fn carries_the_body(&self) -> bool {
        match self {
            Self::Named(_) => true,
            Self::Template(template) => {
                template.request.contains("{text}") && template.reply.contains("{text}")
            }
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::Named(Named::Line)
    }
}

impl Named {
    fn frame(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Line => [body, b"\n"].concat(),
            Self::Echo => body.to_vec(),
            Self::Len32 => {
                let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
                [&length.to_be_bytes(), body].concat()
            }
        }
    }
}

fn fill(template: &str, body: &[u8]) -> Vec<u8> {
    let text = template.replace("{length}", &body.len().to_string());
    let mut parts = text.split("{text}");
    let mut filled = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        filled.extend_from_slice(body);
        filled.extend_from_slice(part.as_bytes());
    }
    filled
}

impl Parameter for Dialect {
    fn schema() -> Value {
        json!({ "anyOf": [
            { "enum": ["line", "echo", "len32"] },
            {
                "type": "object",
                "properties": { "request": { "type": "string" }, "reply": { "type": "string" } },
                "required": ["request", "reply"],
                "additionalProperties": false,
            },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis() -> Dialect {
        serde_json::from_value(json!({
            "request": "*2\r\n$4\r\nECHO\r\n${length}\r\n{text}\r\n",
            "reply": "${length}\r\n{text}\r\n",
        }))
        .unwrap()
    }

    #[test]
    fn a_name_stands_for_its_framing() {
        let read = |name: &str| serde_json::from_value::<Dialect>(json!(name)).unwrap();
        assert_eq!(read("line").request(b"ab"), b"ab\n");
        assert_eq!(read("echo").reply(b"ab"), b"ab");
        assert_eq!(read("len32").request(b"ab"), b"\0\0\0\x02ab");
        assert!(!read("echo").has_borders());
        assert!(serde_json::from_value::<Dialect>(json!("http")).is_err());
    }

    #[test]
    fn a_template_puts_the_body_where_it_says() {
        assert_eq!(redis().request(b"a{length}\0"), b"*2\r\n$4\r\nECHO\r\n$10\r\na{length}\0\r\n");
        assert_eq!(redis().reply(b"{text}"), b"$6\r\n{text}\r\n");
        assert_eq!(redis().body(), Body::Bytes);
    }

    #[test]
    fn what_ends_with_a_mark_carries_no_bytes_and_no_megabytes() {
        let inline: Dialect =
            serde_json::from_value(json!({"request": "GET {text}\r\n", "reply": "{text}"})).unwrap();
        assert_eq!((inline.body(), inline.longest()), (Body::Word, LONGEST_LINE));
        let constant: Dialect =
            serde_json::from_value(json!({"request": "PING\r\n", "reply": "+PONG\r\n"})).unwrap();
        assert!(!constant.carries_the_body());
    }
}
