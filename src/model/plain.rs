//! Making text from elsewhere safe to show.

use std::borrow::Cow;
use std::str::Chars;

/// One line of visible text: `text` without what a terminal, an XML reader or a person's eye could be misled by.
///
/// Escape sequences and control strings (ECMA-48, 5.3 to 5.6) go whole, other control characters alone; line breaks and
/// tabs become one space; so that nothing is shown in another order than it is read, every character with the
/// `Bidi_Control` property goes (Unicode Standard Annex #9); so do the byte order mark, U+FFFE and U+FFFF, which XML 1.0
/// (section 2.2) does not allow. What is left is the same text; text that has none of these is not copied.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    // Looking for an end that is not there costs a pass over the text: at most one.
    let mut may_end = true;
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => escape(&mut rest, &mut may_end),
            '\u{9b}' => sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => string(&mut rest, &mut may_end),
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                if !shown.ends_with(' ') {
                    shown.push(' ');
                }
            }
            c if is_hidden(c) => {}
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Skips what belongs to an ESC that was just read.
fn escape(rest: &mut Chars<'_>, may_end: &mut bool) {
    let mut after = rest.clone();
    match after.next() {
        Some('[') => {
            *rest = after;
            sequence(rest);
        }
        Some('P' | 'X' | ']' | '^' | '_') => {
            *rest = after;
            string(rest, may_end);
        }
        Some(' '..='/') => {
            skip_while(rest, |c| matches!(c, ' '..='/'));
            skip_one(rest, |c| matches!(c, '0'..='~'));
        }
        Some('0'..='~') => *rest = after,
        _ => {}
    }
}

/// Skips parameters, intermediates and the final byte of a control sequence.
fn sequence(rest: &mut Chars<'_>) {
    skip_while(rest, |c| matches!(c, '0'..='?'));
    skip_while(rest, |c| matches!(c, ' '..='/'));
    skip_one(rest, |c| matches!(c, '@'..='~'));
}

/// Skips a control string with its end; where it has none, nothing: a text is not hidden by a missing byte.
fn string(rest: &mut Chars<'_>, may_end: &mut bool) {
    if !*may_end {
        return;
    }
    let text = rest.as_str();
    let ends = [("\u{7}", 1), ("\u{1b}\\", 2), ("\u{9c}", 2)];
    let end = ends.into_iter().filter_map(|(end, length)| Some(text.find(end)? + length)).min();
    *may_end = end.is_some();
    if let Some(end) = end {
        *rest = text[end..].chars();
    }
}

fn skip_while(rest: &mut Chars<'_>, belongs: impl Fn(char) -> bool) {
    while skip_one(rest, &belongs) {}
}

fn skip_one(rest: &mut Chars<'_>, belongs: impl Fn(char) -> bool) -> bool {
    let mut after = rest.clone();
    let found = after.next().is_some_and(belongs);
    if found {
        *rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["", "plain", "幂等接口，键", "é 🙂"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn escape_sequences_go_whole() {
        for (text, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}31mred", "red"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\b", "ab"),
            ("a\u{90}dcs\u{9c}b", "ab"),
            ("a\u{1b}(Bb", "ab"),
            ("a\u{1b}cb", "ab"),
            ("a\u{1b}", "a"),
            ("a\u{1b}[", "a"),
            ("a\u{1b}]no end", "ano end"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }

    #[test]
    fn lines_become_one_line() {
        assert_eq!(plain("a\r\nb\tc\u{2028}d"), "a b c d");
    }

    #[test]
    fn order_of_reading_can_not_be_changed() {
        assert_eq!(plain("a\u{202e}b\u{2066}c\u{2069}d\u{200f}"), "abcd");
    }

    #[test]
    fn many_strings_without_an_end_take_linear_time() {
        let text = "\u{1b}]".repeat(1 << 17);
        assert_eq!(plain(&text), "");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_ever_left(text in any::<String>()) {
            let shown = plain(&text).into_owned();
            prop_assert!(!shown.contains(is_hidden));
            prop_assert!(matches!(plain(&shown), Cow::Borrowed(_)));
        }
    }
}
