//! What a registry says when it wants a token: `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.
//!
//! Sources: RFC 9110, 11.6.1; RFC 6750, 3; the token flow that every public registry speaks (distribution, "Token
//! Authentication Specification").

/// Where a token is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// Reads one; none where it is not of this kind, as where a registry asks for a password.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        loop {
            rest = rest.trim_start_matches([' ', ',', '\t']);
            let Some((key, after)) = rest.split_once('=') else { break };
            let (value, after) = value(after)?;
            match key.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
            rest = after;
        }
        Some(Self { realm: realm?, service, scope })
    }

    /// The address that gives a token.
    pub(super) fn url(&self) -> String {
        let mut url = self.realm.clone();
        let mut separator = if url.contains('?') { '&' } else { '?' };
        for (key, value) in [("service", &self.service), ("scope", &self.scope)] {
            if let Some(value) = value {
                url.push_str(&format!("{separator}{key}={}", encoded(value)));
                separator = '&';
            }
        }
        url
    }
}

/// A token or a quoted string (RFC 9110, 5.6), and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, found)) = characters.next() {
        match found {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(found),
        }
    }
    None
}

/// For a query: everything but what RFC 3986, 2.3 leaves free, and `:` and `/`, which some registries want as they are.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_registries_are_read() {
        let header =
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:acme/x:pull""#;
        assert_eq!(
            Challenge::parse(header).unwrap().url(),
            "https://ghcr.io/token?service=ghcr.io&scope=repository:acme/x:pull"
        );
        let spaced = r#"bearer scope="a b&c", error="invalid, token", realm="https://r/t?x=1""#;
        assert_eq!(Challenge::parse(spaced).unwrap().url(), "https://r/t?x=1&scope=a%20b%26c");
        let bare = r"Bearer realm=https://r/t,service=r";
        assert_eq!(Challenge::parse(bare).unwrap().url(), "https://r/t?service=r");
        let escaped = r#"Bearer realm="https://r/\"t""#;
        assert_eq!(Challenge::parse(escaped).unwrap().url(), "https://r/\"t");
    }

    #[test]
    fn other_challenges_are_none() {
        for header in [
            "Basic realm=\"x\"",
            "Bearer",
            "Bearer scope=\"x\"",
            "Bearer realm=\"open",
            "",
            "Bearer realm=\"a\\",
        ] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }
}
