//! What a plugin may add to a program that the user named: texts with stars.

use thiserror::Error;

/// A text in which a star stands for any text, also none: `--port=*`. A star that is meant as one is written `\*`, and a
/// backslash before a star or another backslash `\\`; any other backslash is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    /// What stands before, between and behind the stars; one more than there are stars.
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern. Every text is one.
    #[must_use]
    pub fn new(written: &str) -> Self {
        let mut parts = vec![String::new()];
        let mut characters = written.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '*' => parts.push(String::new()),
                '\\' if matches!(characters.peek(), Some('*' | '\\')) => {
                    parts.last_mut().into_iter().for_each(|part| part.extend(characters.next()));
                }
                other => parts.last_mut().into_iter().for_each(|part| part.push(other)),
            }
        }
        Self { written: written.to_owned(), parts }
    }

    /// The one text that it matches; none where it has a star.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        let [only] = self.parts.as_slice() else { return None };
        Some(only)
    }

    /// Whether it matches the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = self.parts.as_slice() else { return self.literal() == Some(text) };
        let inside = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()));
        let Some(mut rest) = inside else { return false };
        // The first place that fits leaves the most for what follows.
        for part in between {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

/// The arguments of a command target: what its program always gets, and what a plugin may add.
///
/// The texts before the first one with a star come first, always. From there on each text is a [`Pattern`] for one
/// argument that the plugin gives, in this order, and none may be missing. Two stars alone, as the last, stand for any
/// number of arguments. Without a star a plugin may add nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    fixed: Vec<String>,
    open: Vec<Pattern>,
    rest: bool,
}

/// Why a plugin may not add these arguments.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArgumentError {
    /// It is not what stands at its place.
    #[error("the argument {given:?} does not match {pattern:?}")]
    Mismatch {
        /// What the plugin gave.
        given: String,
        /// What the user wrote.
        pattern: String,
    },
    /// There is no place for it.
    #[error("the argument {given:?} is one more than the target's `args` allow")]
    Unexpected {
        /// What the plugin gave.
        given: String,
    },
    /// Nothing was given for a place.
    #[error("an argument that matches {pattern:?} is missing")]
    Missing {
        /// What the user wrote.
        pattern: String,
    },
}

impl Arguments {
    /// Two stars alone.
    const REST: &str = "**";

    /// Reads the `args` of a command target.
    #[must_use]
    pub fn new(written: &[String]) -> Self {
        let (rest, written) = match written {
            [before @ .., last] if last == Self::REST => (true, before),
            all => (false, all),
        };
        let patterns: Vec<Pattern> = written.iter().map(|text| Pattern::new(text)).collect();
        let literal = |pattern: &Pattern| pattern.literal().map(str::to_owned);
        let fixed: Vec<String> = patterns.iter().map_while(literal).collect();
        let open = patterns.into_iter().skip(fixed.len()).collect();
        Self { fixed, open, rest }
    }

    /// Everything that the program gets when a plugin gives `given`.
    pub fn with(&self, given: &[String]) -> Result<Vec<String>, ArgumentError> {
        for (position, pattern) in self.open.iter().enumerate() {
            let Some(given) = given.get(position) else {
                return Err(ArgumentError::Missing { pattern: pattern.written.clone() });
            };
            if !pattern.matches(given) {
                let (given, pattern) = (given.clone(), pattern.written.clone());
                return Err(ArgumentError::Mismatch { given, pattern });
            }
        }
        if let Some(more) = given.get(self.open.len()).filter(|_| !self.rest) {
            return Err(ArgumentError::Unexpected { given: more.clone() });
        }
        Ok(self.fixed.iter().chain(given).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn with(written: &[&str], given: &[&str]) -> Result<Vec<String>, String> {
        Arguments::new(&texts(written)).with(&texts(given)).map_err(|error| error.to_string())
    }

    #[test]
    fn star_is_any_text_within_one_argument() {
        for (pattern, yes, no) in [
            (
                "--port=*",
                &["--port=", "--port=80", "--port=8 0/*"][..],
                &["--port", "-port=1", "x--port=1"][..],
            ),
            ("*", &["", "anything", "--evil"], &[]),
            ("a*b*c", &["abc", "a--b--c", "abbc", "abcbc"], &["ab", "acb", "abcd", "xabc"]),
            ("*.py", &[".py", "a.py", "a.py.py"], &["py", "a.pyc"]),
            ("aa*aa", &["aaaa", "aaxaa"], &["aaa", "aa"]),
            ("plain", &["plain"], &["plain ", "", "*"]),
            (r"\*", &["*"], &["", "x", r"\*"]),
            (r"\\*", &[r"\", r"\x"], &["x", ""]),
            (r"\\\*", &[r"\*"], &[r"\x", "*"]),
            (r"\d+\", &[r"\d+\"], &["d+"]),
            ("**", &["", "two"], &[]),
        ] {
            let read = Pattern::new(pattern);
            for text in yes {
                assert!(read.matches(text), "{pattern} {text:?}");
            }
            for text in no {
                assert!(!read.matches(text), "{pattern} {text:?}");
            }
        }
    }

    #[test]
    fn plugin_adds_what_the_patterns_allow_and_nothing_else() {
        let test = ["test", "--port=*", "**"];
        assert_eq!(with(&test, &["--port=1"]), Ok(texts(&["test", "--port=1"])));
        assert_eq!(with(&test, &["--port=1", "-v", "-x"]), Ok(texts(&["test", "--port=1", "-v", "-x"])));
        assert_eq!(with(&["serve", "now"], &[]), Ok(texts(&["serve", "now"])));
        assert_eq!(with(&["**"], &[]), Ok(vec![]));
        // What follows a star is the plugin's to give, and must be given.
        assert_eq!(with(&["run", "*", "--safe"], &["x", "--safe"]), Ok(texts(&["run", "x", "--safe"])));
        // A star that is meant is no pattern.
        assert_eq!(with(&[r"\*", "**"], &["b"]), Ok(texts(&["*", "b"])));
    }

    #[test]
    fn error_names_the_argument_and_the_pattern() {
        let wrong = with(&["test", "--port=*"], &["--config=/etc"]);
        assert_eq!(wrong.unwrap_err(), r#"the argument "--config=/etc" does not match "--port=*""#);
        let more = with(&["test", "--port=*"], &["--port=1", "-x"]);
        assert_eq!(more.unwrap_err(), r#"the argument "-x" is one more than the target's `args` allow"#);
        assert!(with(&["test"], &[""]).is_err());
        let missing = with(&["run", "*", "--safe"], &["x"]);
        assert_eq!(missing.unwrap_err(), r#"an argument that matches "--safe" is missing"#);
    }

    proptest! {
        #[test]
        fn what_is_escaped_matches_itself_alone(text in r"[a*\\]{0,8}", other in r"[a*\\]{0,8}") {
            let escaped = text.replace('\\', r"\\").replace('*', r"\*");
            let pattern = Pattern::new(&escaped);
            prop_assert_eq!(pattern.literal(), Some(text.as_str()));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }

        #[test]
        fn star_matches_as_a_slow_reader_would(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|cut| slow(rest, &text[cut..])),
                    Some((byte, rest)) => text.first() == Some(byte) && slow(rest, &text[1..]),
                }
            }
            let expected = slow(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), expected);
        }

        #[test]
        fn fixed_arguments_always_come_first(
            fixed in proptest::collection::vec("[a-z]{0,4}", 0..4),
            given in proptest::collection::vec(".{0,6}", 0..4),
        ) {
            let mut written = fixed.clone();
            written.push("**".to_owned());
            let all = Arguments::new(&written).with(&given).unwrap();
            prop_assert_eq!(&all[..fixed.len()], &fixed[..]);
            prop_assert_eq!(&all[fixed.len()..], &given[..]);
            let closed = Arguments::new(&fixed).with(&given);
            prop_assert_eq!(closed.is_ok(), given.is_empty());
        }
    }
}
