//! Foreign words made fit to show: what a plugin or a server wrote may not steer a terminal.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// `text` on one line: escape sequences, control characters and invisible directions are gone, a line break or a tab is
/// a space. A text that has none of these is not copied.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains("##") && !text.contains(|c: char| c.is_control() || is_invisible(c)) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for c in Plain(text.chars().peekable()) {
        match c {
            '\n' if line.ends_with(' ') => {}
            '\n' => line.push(' '),
            c => line.push(c),
        }
    }
    Cow::Owned(disarmed(&line).into_owned())
}

/// What a build server reads as an order in a log line, `##[add-mask]x` or `##vso[task.complete]`, taken apart so that
/// it is only words. The other kind, `::error::x`, counts at the start of a line only, and whoever prints lines sees to it.
#[must_use]
pub fn disarmed(text: &str) -> Cow<'_, str> {
    let order = |at: usize| {
        let rest = text[at + 2..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
        rest.starts_with('[')
    };
    let twice = |at: &usize| text[*at..].starts_with("##");
    let found: Vec<usize> =
        text.match_indices('#').map(|(at, _)| at).filter(twice).filter(|&at| order(at)).collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut apart = text.to_owned();
    for at in found.into_iter().rev() {
        apart.insert(at + 1, ' ');
    }
    Cow::Owned(apart)
}

/// `text` on one line of at most `limit` characters: escape sequences, control characters and invisible directions are
/// gone, every run of white space is one space. A text that was cut ends in "…".
#[must_use]
pub fn plain_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut gap = false;
    for c in Plain(text.chars().peekable()) {
        if c.is_whitespace() {
            gap = !line.is_empty();
        } else {
            if std::mem::take(&mut gap) {
                line.push(' ');
            }
            line.push(c);
        }
    }
    cut(disarmed(&line).into_owned(), limit)
}

/// `text` of at most `limit` characters with its line breaks kept (as "\n") and everything else as [`plain_line`] leaves
/// it, except that spaces stay as they are.
#[must_use]
pub fn plain_text(text: &str, limit: usize) -> String {
    let kept: String = Plain(text.chars().peekable()).collect();
    cut(disarmed(kept.trim_end()).into_owned(), limit)
}

fn cut(mut text: String, limit: usize) -> String {
    if text.chars().nth(limit).is_some() {
        let end = text.char_indices().nth(limit.saturating_sub(1)).map_or(0, |(at, _)| at);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The characters that may be shown, one by one.
struct Plain<'a>(Peekable<Chars<'a>>);

impl Iterator for Plain<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let c = self.0.next()?;
            match c {
                '\u{1b}' => self.skip_escape(),
                // The one-character forms of "ESC [" and of the strings that end in ST (ECMA-48, 8-bit C1).
                '\u{9b}' => self.skip_control_sequence(),
                '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => self.skip_string(),
                '\r' => {
                    self.0.next_if_eq(&'\n');
                    return Some('\n');
                }
                '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => return Some('\n'),
                '\t' => return Some(' '),
                c if c.is_control() || is_invisible(c) => {}
                c => return Some(c),
            }
        }
    }
}

impl Plain<'_> {
    fn skip_escape(&mut self) {
        match self.0.peek() {
            Some('[') => {
                self.0.next();
                self.skip_control_sequence();
            }
            Some(']' | 'P' | 'X' | '^' | '_') => {
                self.0.next();
                self.skip_string();
            }
            Some(_) => {
                // Intermediate bytes, then one final byte (ECMA-35).
                while self.0.next_if(|c| matches!(c, ' '..='/')).is_some() {}
                self.0.next_if(|c| matches!(c, '0'..='~'));
            }
            None => {}
        }
    }

    /// Parameter and intermediate bytes, then one final byte (ECMA-48, 5.4).
    fn skip_control_sequence(&mut self) {
        while self.0.next_if(|c| matches!(c, ' '..='?')).is_some() {}
        self.0.next_if(|c| matches!(c, '@'..='~'));
    }

    /// To the string terminator or, as terminals do, to BEL; to the end of the line where neither comes, so that an
    /// opened string can not swallow the rest of a report.
    fn skip_string(&mut self) {
        while let Some(&c) = self.0.peek() {
            if c == '\n' || c == '\r' {
                return;
            }
            self.0.next();
            match c {
                '\u{7}' | '\u{9c}' => return,
                '\u{1b}' if self.0.next_if_eq(&'\\').is_some() => return,
                _ => {}
            }
        }
    }
}

/// Whether `c` draws nothing and changes how others are drawn: directions (Unicode TR 9, explicit formatting), the
/// byte order mark, zero-width spaces and tags, and what XML 1.0 (section 2.2) does not allow. The joiner of emoji and scripts, U+200D, stays.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{2028}'..='\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_leave_nothing_behind() {
        for text in [
            "a\u{1b}[31mb",
            "a\u{1b}[38;5;1mb",
            "a\u{9b}2Jb",
            "a\u{1b}]0;title\u{7}b",
            "a\u{1b}]8;;http://x\u{1b}\\b",
            "a\u{1b}Pq#0\u{1b}\\b",
            "a\u{1b}(0b",
            "a\u{1b}cb",
            "a\u{0}\u{8}\u{7f}b",
            "a\u{202e}b",
            "a\u{2066}b\u{2069}",
        ] {
            assert_eq!(plain_line(text, 80), "ab", "{text:?}");
        }
    }

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["", "plain", "幂等接口，键", "é 🙂"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(plain("a\r\nb\tc\u{2028}d\u{202e}"), "a b c d");
    }

    #[test]
    fn unterminated_string_ends_with_its_line() {
        assert_eq!(plain_text("a\u{1b}]0;evil\nthe rest", 80), "a\nthe rest");
    }

    #[test]
    fn line_has_no_breaks_and_text_keeps_them() {
        assert_eq!(plain_line(" a\r\n\tb  c\u{2028}", 80), "a b c");
        assert_eq!(plain_text("a\r\nb\rc\n\n", 80), "a\nb\nc");
    }

    #[test]
    fn words_of_other_scripts_and_emoji_stay() {
        for text in ["幂等接口", "née", "👩\u{200d}💻"] {
            assert_eq!(plain_line(text, 80), text);
        }
    }

    #[test]
    fn orders_to_a_build_server_are_only_words() {
        for (text, shown) in [
            ("a ##[add-mask]b", "a # #[add-mask]b"),
            ("##vso[task.complete]", "# #vso[task.complete]"),
            ("##teamcity[x ##[group]", "# #teamcity[x # #[group]"),
            ("###[error]", "## #[error]"),
            ("#\u{200b}#[error]", "# #[error]"),
            ("## Heading [link]", "## Heading [link]"),
        ] {
            assert_eq!(plain_line(text, 80), shown);
            assert_eq!(plain_text(text, 80), shown);
            assert_eq!(plain(text), shown);
            assert_eq!(plain(shown), shown);
        }
    }

    #[test]
    fn cut_text_says_so_and_counts_characters() {
        assert_eq!(plain_line("幂等接口", 3), "幂等…");
        assert_eq!(plain_line("幂等接口", 4), "幂等接口");
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_survives(text in "\\PC*|[\\x00-\\x9f\\u{2028}\\u{202e}a-z;\\[\\]]*") {
            let line = plain_line(&text, 1_000);
            prop_assert!(!line.chars().any(|c| c.is_control() || is_invisible(c)));
            prop_assert_eq!(plain_line(&line, 1_000), line.clone());
            let once = plain(&text).into_owned();
            prop_assert_eq!(plain(&once), once.as_str());
            prop_assert!(plain_text(&text, 1_000).chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
