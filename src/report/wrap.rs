//! Breaking text into lines that fit, in columns of a terminal.

use unicode_width::UnicodeWidthChar as _;

/// The lines of `text`, none wider than `width` columns, which is at least 2. Never empty: an empty text is one empty line.
///
/// Lines break at spaces and beside characters that are two columns wide, but never before punctuation that closes or
/// after punctuation that opens; a word wider than a line is cut.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    broken(text, width, Wide::Cut)
}

/// Lines that begin with `head` and have `text` from `column` on, each ended by a line break, broken at `width` columns; none
/// for no limit. A word wider than a line stays whole: an address or a digest is there to be copied. Where the column
/// leaves the text too little room, or the head reaches into it, the text stands below the head, less far in.
#[must_use]
pub fn paragraph(head: &str, text: &str, column: usize, width: Option<u16>) -> String {
    /// Columns that a text gets at least.
    const LEAST: usize = 32;
    /// How far in a text stands below a head.
    const BELOW: usize = 4;
    let room = width.map_or(usize::MAX, usize::from);
    let column = if room.saturating_sub(column) < LEAST { column.min(BELOW) } else { column };
    let lines = broken(text, room.saturating_sub(column).max(2), Wide::Whole);
    let mut lines = lines.into_iter().filter(|line| !line.is_empty());
    let mut shown = String::new();
    if !head.is_empty() {
        let gap = column.saturating_sub(self::width(head));
        let first = if gap > 0 { lines.next() } else { None };
        let line = format!("{head}{:gap$}{}", "", first.unwrap_or_default());
        shown.push_str(&format!("{}\n", line.trim_end()));
    }
    for line in lines {
        shown.push_str(&format!("{:column$}{line}\n", ""));
    }
    shown
}

/// What becomes of a word that is wider than a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    Cut,
    Whole,
}

fn broken(text: &str, width: usize, wide: Wide) -> Vec<String> {
    let mut lines = vec![];
    let mut line = Line::default();
    let mut previous = None;
    for c in text.chars() {
        if line.text.is_empty() && c == ' ' {
            continue;
        }
        if previous.is_some_and(|previous| may_break(previous, c)) {
            line.mark();
        }
        let may_cut = |line: &Line| wide == Wide::Cut || line.rest.is_some_and(|(at, _)| at > 0);
        while line.width + columns(c) > width && !line.text.is_empty() && may_cut(&line) {
            lines.push(line.cut());
        }
        if !(line.text.is_empty() && c == ' ') {
            line.push(c);
        }
        previous = Some(c);
    }
    lines.push(line.text.trim_end().to_owned());
    lines
}

/// Columns that `text` takes; never less than a terminal uses.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

#[derive(Default)]
struct Line {
    text: String,
    width: usize,
    /// Where the part begins that may go to the next line: its byte and the columns before it.
    rest: Option<(usize, usize)>,
}

impl Line {
    fn mark(&mut self) {
        self.rest = Some((self.text.len(), self.width));
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
        self.width += columns(c);
    }

    /// Takes the line as far as it may be broken and keeps the rest.
    fn cut(&mut self) -> String {
        let (at, before) =
            self.rest.take().filter(|&(at, _)| at > 0).unwrap_or((self.text.len(), self.width));
        let rest = self.text.split_off(at);
        let line = std::mem::replace(&mut self.text, rest);
        self.width -= before;
        line.trim_end().to_owned()
    }
}

/// U+FE0F asks for an emoji, which is two columns wide where the character before it alone is one.
fn columns(c: char) -> usize {
    if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or_default() }
}

fn may_break(before: char, after: char) -> bool {
    if after == ' ' || columns(after) == 0 {
        return after == ' ';
    }
    let closes = matches!(after, ',' | '.' | ':' | ';' | '!' | '?' | ')' | ']' | '}' | '%')
        || "，。！？；：、）》」』】”’…".contains(after);
    let opens = matches!(before, '(' | '[' | '{') || "（《「『【“‘".contains(before);
    before == ' ' || (!closes && !opens && (columns(before) == 2 || columns(after) == 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(wrap("a abcdefghij b", 4), ["a", "abcd", "efgh", "ij b"]);
    }

    #[test]
    fn chinese_breaks_anywhere_but_beside_punctuation_that_belongs() {
        assert_eq!(wrap("同一个键，同样的内容", 8), ["同一个", "键，同样", "的内容"]);
        assert_eq!(wrap("用 Idempotency-Key（幂等键）", 16), ["用", "Idempotency-Key", "（幂等键）"]);
    }

    #[test]
    fn paragraph_hangs_below_its_head_and_keeps_long_words_whole() {
        assert_eq!(paragraph("  a", "one two", 6, None), "  a   one two\n");
        assert_eq!(paragraph("", "one two", 2, None), "  one two\n");
        assert_eq!(paragraph("head", "", 6, None), "head\n");
        let words = "words that have to go on in another line";
        assert_eq!(
            paragraph("  a", words, 6, Some(41)),
            "  a   words that have to go on in another\n      line\n"
        );
        assert_eq!(
            paragraph("  too-long", words, 6, Some(41)),
            "  too-long\n      words that have to go on in another\n      line\n"
        );
        // Too little room beside the head: below it.
        assert_eq!(
            paragraph("  http:web", words, 21, Some(41)),
            "  http:web\n    words that have to go on in another\n    line\n"
        );
        let digest = "a".repeat(60);
        assert_eq!(
            paragraph("", &format!("sha256 {digest} b"), 0, Some(40)),
            format!("sha256\n{digest}\nb\n")
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_nothing_is_lost(text in "[a-z 键，（）🙂❤️é]{0,60}", limit in 2_usize..30) {
            let lines = wrap(&text, limit);
            for line in &lines {
                prop_assert!(line.width() <= limit && width(line) <= limit, "{line:?}");
            }
            let shown = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(shown(&lines.concat()), shown(&text));
        }
    }
}
