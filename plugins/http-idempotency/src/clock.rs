//! Times of day as services write them. A row is often stamped on every write, which is no effect of its own.
//!
//! A date alone is none: it says nothing about one write rather than another.

use serde_json::Value;

/// What stands where a time was.
pub(crate) const BLURRED: &str = "(a time)";

/// Seconds since 1970 of the years 2020 to 2100.
const EPOCH: std::ops::Range<f64> = 1_577_836_800.0..4_102_444_800.0;

/// Seconds, milliseconds, microseconds and nanoseconds.
const UNITS: [f64; 4] = [1.0, 1e3, 1e6, 1e9];

/// Whether a value is a time and nothing else.
pub(crate) fn is_clock(value: &Value) -> bool {
    match value {
        Value::String(text) => time_at(text).is_some_and(|length| length == text.len()),
        Value::Number(number) => {
            number.as_f64().is_some_and(|number| UNITS.iter().any(|unit| EPOCH.contains(&(number / unit))))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A text with its times left out, and all else in place.
pub(crate) fn blur(text: &str) -> String {
    let mut blurred = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let inside_number = blurred.ends_with(|last: char| last.is_ascii_digit());
        if let Some(length) = time_at(rest).filter(|_| !inside_number) {
            blurred.push_str(BLURRED);
            rest = &rest[length..];
        } else {
            blurred.push(char);
            rest = &rest[char.len_utf8()..];
        }
    }
    blurred
}

/// The bytes of the time that a text begins with.
fn time_at(text: &str) -> Option<usize> {
    let dated = [iso, compact, cjk, http_date, asctime];
    dated.iter().find_map(|form| {
        let mut reader = Reader { rest: text };
        form(&mut reader)?;
        let is_whole = !reader.rest.starts_with(|next: char| next.is_ascii_digit());
        is_whole.then(|| text.len() - reader.rest.len())
    })
}

/// RFC 3339 §5.6 and its cousins: with a space, with slashes or dots in the date, without a zone.
fn iso(reader: &mut Reader<'_>) -> Option<()> {
    reader.digits(4, 4)?;
    let separator = ["-", "/", "."].into_iter().find(|separator| reader.rest.starts_with(separator))?;
    reader.word(&[separator])?;
    reader.digits(2, 2)?;
    reader.word(&[separator])?;
    reader.digits(2, 2)?;
    reader.word(&["T", "t", " "])?;
    time_of_day(reader)?;
    zone(reader);
    Some(())
}

/// The basic format of ISO 8601: `20260102T030405Z`.
fn compact(reader: &mut Reader<'_>) -> Option<()> {
    reader.digits(8, 8)?;
    reader.word(&["T"])?;
    reader.digits(6, 6)?;
    fraction(reader);
    zone(reader);
    Some(())
}

/// `2026年1月2日 03:04:05` and `2026年1月2日 3时4分5秒`, with the Japanese and Korean signs as well.
fn cjk(reader: &mut Reader<'_>) -> Option<()> {
    reader.digits(4, 4)?;
    reader.word(&["年", "년"])?;
    reader.spaces();
    reader.digits(1, 2)?;
    reader.word(&["月", "월"])?;
    reader.spaces();
    reader.digits(1, 2)?;
    reader.word(&["日", "일"])?;
    reader.spaces();
    reader.word(&["上午", "下午", "午前", "午後", "오전", "오후"]);
    reader.spaces();
    let clock = *reader;
    if time_of_day(reader).is_none() {
        *reader = clock;
        reader.digits(1, 2)?;
        reader.word(&["时", "時", "点", "시"])?;
        reader.spaces();
        reader.digits(1, 2)?;
        reader.word(&["分", "분"])?;
        reader.spaces();
        let minute = *reader;
        if reader.digits(1, 2).and_then(|()| reader.word(&["秒", "초"])).is_none() {
            *reader = minute;
        }
    }
    zone(reader);
    Some(())
}

/// `IMF-fixdate` of RFC 9110 §5.6.7, and the mail date that differs in its zone.
fn http_date(reader: &mut Reader<'_>) -> Option<()> {
    reader.letters(3)?;
    reader.word(&[", "])?;
    reader.digits(1, 2)?;
    reader.word(&[" "])?;
    reader.letters(3)?;
    reader.word(&[" "])?;
    reader.digits(4, 4)?;
    reader.word(&[" "])?;
    time_of_day(reader)?;
    zone(reader);
    Some(())
}

/// `asctime-date` of RFC 9110 §5.6.7.
fn asctime(reader: &mut Reader<'_>) -> Option<()> {
    reader.letters(3)?;
    reader.word(&[" "])?;
    reader.letters(3)?;
    reader.word(&[" "])?;
    reader.spaces();
    reader.digits(1, 2)?;
    reader.word(&[" "])?;
    time_of_day(reader)?;
    reader.word(&[" "])?;
    reader.digits(4, 4)
}

/// `03:04`, `03:04:05`, `03:04:05.678`.
fn time_of_day(reader: &mut Reader<'_>) -> Option<()> {
    reader.digits(1, 2)?;
    reader.word(&[":"])?;
    reader.digits(2, 2)?;
    let minute = *reader;
    if reader.word(&[":"]).and_then(|()| reader.digits(2, 2)).is_some() {
        fraction(reader);
    } else {
        *reader = minute;
    }
    Some(())
}

/// Of a second. A comma that something else follows separates columns.
fn fraction(reader: &mut Reader<'_>) {
    let second = *reader;
    let point = reader.word(&[".", ","]).is_some();
    let comma = second.rest.starts_with(',');
    // ISO 8601 allows the comma; log files write three digits after it.
    let read = if comma { reader.digits(3, 3) } else { reader.digits(1, usize::MAX) };
    let ends = !comma || !reader.rest.starts_with([',', ';', '.']);
    if !(point && read.is_some() && ends) {
        *reader = second;
    }
}

/// `Z`, `+08:00`, ` GMT`, or nothing.
fn zone(reader: &mut Reader<'_>) {
    let local = *reader;
    reader.spaces();
    if reader.word(&["Z", "z", "GMT", "UTC"]).is_some() {
        return;
    }
    let offset = reader.word(&["+", "-"]).and_then(|()| reader.digits(2, 2));
    if offset.is_none() {
        *reader = local;
        return;
    }
    let hours = *reader;
    reader.word(&[":"]);
    if reader.digits(2, 2).is_none() {
        *reader = hours;
    }
}

/// What is left of a text.
#[derive(Clone, Copy)]
struct Reader<'text> {
    rest: &'text str,
}

impl Reader<'_> {
    /// As many digits as there are, within these bounds.
    fn digits(&mut self, least: usize, most: usize) -> Option<()> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        self.rest = &self.rest[count..];
        (count >= least).then_some(())
    }

    fn letters(&mut self, count: usize) -> Option<()> {
        let letters = self.rest.get(..count)?;
        self.rest = &self.rest[count..];
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some(())
    }

    fn word(&mut self, words: &[&str]) -> Option<()> {
        self.rest = words.iter().find_map(|word| self.rest.strip_prefix(word))?;
        Some(())
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_known_in_every_spelling() {
        for time in [
            "2026-11-23T07:00:00Z",
            "2026-11-23T07:00:00.123456789+08:00",
            "2026-11-23 07:00",
            "2026-11-23 07:00:00,123",
            "2026-11-23 07:00:00.123 +0000",
            "2026/11/23 07:00:00.123",
            "20261123T070000Z",
            "2026年11月23日 07:00:00",
            "2026年1月3日 下午3时04分05秒",
            "2026년 11월 23일 07:00",
            "Mon, 23 Nov 2026 07:00:00 GMT",
            "Mon Nov 23 07:00:00 2026",
        ] {
            assert!(is_clock(&json!(time)), "{time}");
            assert_eq!(blur(&format!("at {time} 7")), "at (a time) 7", "{time}");
        }
        for epoch in [1_800_000_000_u64, 1_800_000_000_123, 1_800_000_000_123_456, 1_800_000_000_123_456_789]
        {
            assert!(is_clock(&json!(epoch)), "{epoch}");
        }
        assert!(is_clock(&json!(1_800_000_000.25)));
    }

    #[test]
    fn what_only_begins_like_a_time_is_none() {
        for text in [
            "2026-11-23T07:00:00Z,1,pen,5",
            "2026-11-23",
            "2026年11月23日",
            "12026-11-23T07:00:00Z",
            "12:30",
            "v2026.11.23",
            "Mon, 23 pens",
            "",
        ] {
            assert!(!is_clock(&json!(text)), "{text}");
        }
        assert!(!is_clock(&json!(42)) && !is_clock(&json!(true)) && !is_clock(&json!("1800000000")));
    }

    #[test]
    fn blurring_keeps_what_stands_beside_a_time() {
        assert_eq!(blur("2026-11-23T07:00:00Z,1,笔,5"), "(a time),1,笔,5");
        assert_eq!(blur("2026-11-23 07:00:00,101,pen"), "(a time),101,pen");
        assert_eq!(blur("a 12026-11-23T07:00:00Z"), "a 12026-11-23T07:00:00Z");
        assert_eq!(blur("sent 2026-11-23 07:00, read 2026-11-23 07:01"), "sent (a time), read (a time)");
    }
}
