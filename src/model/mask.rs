//! Secrets taken out of what leaves: also where something on the way encoded them.
//!
//! A text is looked at as it is and as it reads with its escapes undone (percent, JSON, HTML, folded lines, two of them
//! on top of each other), so that a secret is found however much or little of it was escaped. In each reading the secret
//! is looked for as it is, in hex and in base64 at each of the three places where it can begin in a group of three bytes.

use std::fmt;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::{plain, plain_line};

/// What stands for a secret. Shorter than every secret, so that masking what was masked ends.
const MARK: &str = "***";

/// How many escapes are undone on top of each other: a value in a URL in JSON has two.
const DEPTH: usize = 2;

/// Replaces secrets. The default has none and changes nothing.
#[derive(Clone, Default)]
pub struct Mask {
    forms: Vec<Form>,
    finder: Option<AhoCorasick>,
}

/// One way in which a secret is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    bytes: Vec<u8>,
    /// Whether the letter before, or behind, carries bits of the secret beside foreign ones, as base64 has it.
    before: bool,
    behind: bool,
}

impl Mask {
    /// Characters that a secret has at least: masking every "1" would leave nothing to read.
    pub const SHORTEST: usize = 4;

    /// Lines of a secret of several lines are secrets of their own from this length on: a log has it line by line.
    const SHORTEST_LINE: usize = 8;

    /// Hides `secrets`. Those that [`Mask::takes`] refuses are left as they are.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms = vec![];
        for secret in secrets.into_iter().filter(|secret| Self::takes(secret)) {
            add_forms(secret.trim(), &mut forms);
            // What is told is made fit to show before secrets are taken out of it.
            for shown in [plain(secret).into_owned(), plain_line(secret, usize::MAX)] {
                if Self::takes(&shown) {
                    add_forms(shown.trim(), &mut forms);
                }
            }
            let lines = secret.lines().map(str::trim);
            for line in lines.filter(|line| line.chars().count() >= Self::SHORTEST_LINE) {
                add_forms(line, &mut forms);
            }
        }
        forms.sort_unstable();
        forms.dedup();
        // Only a set of forms beyond every memory is refused, and then nothing is shown: see `bytes`.
        let finder = AhoCorasick::new(forms.iter().map(|form| &form.bytes)).ok();
        Self { forms, finder }
    }

    /// Whether `secret` is long enough to be told from ordinary words.
    #[must_use]
    pub fn takes(secret: &str) -> bool {
        secret.trim().chars().count() >= Self::SHORTEST
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` with every secret replaced. In a text that was cut, which ends in "…", also the part of a secret that is
    /// left at its end.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        let masked = self.bytes(text.as_bytes());
        // What is taken out begins and ends between characters, so that nothing is lost here.
        let masked = String::from_utf8_lossy(&masked);
        match masked.strip_suffix('…') {
            Some(kept) => format!("{}…", &kept[..self.torn(kept)]),
            None => masked.into_owned(),
        }
    }

    /// `bytes` with every secret replaced.
    #[must_use]
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = bytes.to_vec();
        if self.is_empty() {
            return masked;
        }
        let Some(finder) = &self.finder else { return MARK.into() };
        // What stands around a secret can be one together with its mark; each turn shortens, so this ends.
        loop {
            let Some(first) = Reading::of(&masked) else { return MARK.into() };
            let mut found = vec![];
            first.each(DEPTH, &mut |reading| self.find(finder, reading, &mut found));
            if found.is_empty() {
                return masked;
            }
            masked = replaced(&masked, found);
        }
    }

    /// Where secrets are in what was read from, also inside each other.
    fn find(&self, finder: &AhoCorasick, reading: &Reading, found: &mut Vec<Range<usize>>) {
        for hit in finder.find_overlapping_iter(&reading.bytes) {
            let form = &self.forms[hit.pattern().as_usize()];
            let letter = |at: usize| reading.bytes.get(at).is_some_and(|&byte| is_base64(byte));
            let before = form.before && hit.start() > 0 && letter(hit.start() - 1);
            let behind = form.behind && letter(hit.end());
            let first = hit.start() - usize::from(before);
            let last = hit.end() - 1 + usize::from(behind);
            let range = reading.source(first).start..reading.source(last).end;
            match found.last_mut() {
                // A text that is nothing but a secret again and again is one range.
                Some(open) if open.start <= range.start && range.start <= open.end => {
                    open.end = open.end.max(range.end);
                }
                _ => found.push(range),
            }
        }
    }

    /// Where in `text`, which goes on no further, the beginning of a secret stands at the end; else its length.
    fn torn(&self, text: &str) -> usize {
        // The last escape may have been cut in two; what precedes it is looked at too.
        let escape = text.bytes().rev().take(LONGEST_ESCAPE).position(|byte| b"%\\&".contains(&byte));
        let ends = [Some(text.len()), escape.map(|back| text.len() - back - 1)];
        let mut torn = text.len();
        for end in ends.into_iter().flatten() {
            let Some(first) = Reading::of(&text.as_bytes()[..end]) else { return 0 };
            first.each(DEPTH, &mut |reading| {
                for form in &self.forms {
                    let longest = form.bytes.len().min(reading.bytes.len());
                    let begun = (Self::SHORTEST..=longest)
                        .rev()
                        .find(|&length| reading.bytes.ends_with(&form.bytes[..length]));
                    if let Some(length) = begun {
                        let first = reading.bytes.len() - length;
                        let before = form.before && first > 0 && is_base64(reading.bytes[first - 1]);
                        torn = torn.min(reading.source(first - usize::from(before)).start);
                    }
                }
            });
        }
        // A character is left whole or taken whole.
        text.floor_char_boundary(torn)
    }
}

impl fmt::Debug for Mask {
    /// Never the secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mask").field("forms", &self.forms.len()).finish_non_exhaustive()
    }
}

/// `bytes` with one mark for each run of `ranges`.
fn replaced(bytes: &[u8], mut ranges: Vec<Range<usize>>) -> Vec<u8> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut masked = Vec::with_capacity(bytes.len());
    let (mut done, mut open) = (0, false);
    for range in ranges {
        if range.start > done || !open {
            masked.extend_from_slice(&bytes[done..range.start.max(done)]);
            masked.extend_from_slice(MARK.as_bytes());
            open = true;
        }
        done = done.max(range.end.min(bytes.len()));
    }
    masked.extend_from_slice(&bytes[done..]);
    masked
}

fn add_forms(secret: &str, forms: &mut Vec<Form>) {
    let bytes = secret.as_bytes();
    let mut whole = |bytes: Vec<u8>| forms.push(Form { bytes, before: false, behind: false });
    whole(bytes.to_vec());
    // As forms and queries write it (WHATWG URL, application/x-www-form-urlencoded).
    whole(secret.replace(' ', "+").into_bytes());
    whole(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
    whole(bytes.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect());
    for offset in 0..3 {
        for alphabet in [STANDARD, URL_SAFE] {
            forms.push(base64(bytes, offset, alphabet));
        }
    }
}

/// The two alphabets of RFC 4648 (tables 1 and 2).
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// The letters that `secret` alone decides where `offset` bytes stand before it in its group of three.
fn base64(secret: &[u8], offset: usize, alphabet: &[u8; 64]) -> Form {
    let bit = |index: usize| (secret[index / 8] >> (7 - index % 8)) & 1;
    let (foreign, bits) = (offset * 8, secret.len() * 8);
    let first = foreign.div_ceil(6) * 6 - foreign;
    let whole = (first..).step_by(6).take_while(|start| start + 6 <= bits);
    let letter = |start: usize| (start..start + 6).fold(0, |value, index| (value << 1) | bit(index));
    let bytes: Vec<u8> = whole.map(|start| alphabet[usize::from(letter(start))]).collect();
    Form { before: first > 0, behind: !(bits - first).is_multiple_of(6), bytes }
}

/// The longest escape that is undone, in bytes: `&#1114111;`.
const LONGEST_ESCAPE: usize = 10;

/// A text as it reads once escapes are undone, and where each byte of it comes from.
struct Reading {
    bytes: Vec<u8>,
    /// From where to where; none where nothing was undone. Small, for there are as many as bytes.
    sources: Option<Vec<(u32, u32)>>,
}

/// Undoes the escape at the beginning of the bytes: what it stands for and how many bytes it takes; none where there is
/// none there.
type Undo = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

impl Reading {
    /// The text as it is; none where it is longer than places can be told in.
    fn of(text: &[u8]) -> Option<Self> {
        u32::try_from(text.len()).ok().map(|_| Self { bytes: text.to_vec(), sources: None })
    }

    /// Shows every reading worth looking at, itself first. No more than one for each depth is there at a time.
    fn each(&self, depth: usize, show: &mut dyn FnMut(&Self)) {
        show(self);
        if depth > 0 {
            let undone: [Undo; 4] = [percent, json, html, fold];
            for undo in undone {
                if let Some(reading) = self.undone(undo) {
                    reading.each(depth - 1, show);
                }
            }
        }
    }

    fn source(&self, index: usize) -> Range<usize> {
        self.sources.as_ref().map_or(index..index + 1, |sources| {
            let (start, end) = sources[index];
            start as usize..end as usize
        })
    }

    /// None where there is nothing to undo.
    fn undone(&self, undo: Undo) -> Option<Self> {
        // The text is no longer than `of` lets it be.
        let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let small = |source: Range<usize>| (place(source.start), place(source.end));
        let first = (0..self.bytes.len()).find(|&at| undo(&self.bytes[at..]).is_some())?;
        let mut bytes = self.bytes[..first].to_vec();
        let mut sources: Vec<_> = (0..first).map(|index| small(self.source(index))).collect();
        let mut at = first;
        while at < self.bytes.len() {
            if let Some((read, taken)) = undo(&self.bytes[at..]) {
                let source = small(self.source(at).start..self.source(at + taken - 1).end);
                sources.extend(std::iter::repeat_n(source, read.len()));
                bytes.extend(read);
                at += taken;
            } else {
                sources.push(small(self.source(at)));
                bytes.push(self.bytes[at]);
                at += 1;
            }
        }
        Some(Self { bytes, sources: Some(sources) })
    }
}

/// RFC 3986, 2.1.
fn percent(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let [b'%', high, low, ..] = bytes else { return None };
    Some((vec![hex(&[*high, *low]).and_then(|code| u8::try_from(code).ok())?], 3))
}

/// RFC 8259, 7; and the quote that other languages escape.
fn json(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let [b'\\', kind, rest @ ..] = bytes else { return None };
    let plain = match kind {
        b'"' | b'\\' | b'/' | b'\'' => *kind,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let unit = |at: usize| hex(rest.get(at..at + 4)?).and_then(|code| u16::try_from(code).ok());
            let first = unit(0)?;
            let second = rest.get(4..6).filter(|next| next == b"\\u").and_then(|_| unit(6));
            let pair = [first, second.unwrap_or(0)];
            let c = char::decode_utf16(pair).next()?.ok()?;
            return Some((c.to_string().into_bytes(), if c.len_utf16() == 2 { 12 } else { 6 }));
        }
        _ => return None,
    };
    Some((vec![plain], 2))
}

/// The references that every writer of HTML and XML uses, and those by number.
fn html(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let name = bytes.strip_prefix(b"&")?;
    let end = name.iter().take(LONGEST_ESCAPE).position(|&byte| byte == b';')?;
    let c = match &name[..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some((c.to_string().into_bytes(), end + 2))
}

/// White space: base64 is folded into lines (RFC 2045, 6.8), and long lines are broken.
fn fold(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    // What stands at the end separates nothing; it goes with whatever precedes it.
    (length > 0).then_some((vec![], length))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Base64 as everybody writes it, to hold the shifted forms against.
    fn encoded(bytes: &[u8], alphabet: &[u8; 64], padded: bool) -> String {
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let value = (0..3)
                .fold(0_u32, |value, index| (value << 8) | u32::from(group.get(index).copied().unwrap_or(0)));
            for index in 0..4 {
                match (index <= group.len(), padded) {
                    (true, _) => {
                        text.push(char::from(alphabet[(value >> (18 - 6 * index)) as usize & 63]));
                    }
                    (false, true) => text.push('='),
                    (false, false) => {}
                }
            }
        }
        text
    }

    fn percent_encoded(text: &str, all: bool, upper: bool) -> String {
        let escaped = |byte: u8| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let letter = |byte| if !all && kept(byte) { char::from(byte).to_string() } else { escaped(byte) };
        text.bytes().map(letter).collect()
    }

    fn unicode_escaped(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    }

    #[test]
    fn a_password_is_masked_where_a_header_carries_it_encoded() {
        let mask = Mask::new(["secret"]);
        assert_eq!(mask.text("Authorization: Basic dXNlcjpzZWNyZXQ="), "Authorization: Basic dXNlcj***=");
        let mask = Mask::new(["p@ss w&rd"]);
        for (text, masked) in [
            ("say p@ss w&rd!", "say ***!"),
            ("/login?p=p%40ss+w%26rd&x=1", "/login?p=***&x=1"),
            ("/login?p=p%40ss%20w%26rd&x=1", "/login?p=***&x=1"),
            ("<b>p@ss w&amp;rd</b>", "<b>***</b>"),
            ("<b>p&#64;ss w&#x26;rd</b>", "<b>***</b>"),
            ("{\"url\":\"\\/a?p=p%2540ss%2520w%2526rd\"}", "{\"url\":\"\\/a?p=***\"}"),
            ("704073732077267264", "***"),
            ("nothing to hide", "nothing to hide"),
        ] {
            assert_eq!(mask.text(text), masked);
        }
    }

    #[test]
    fn folded_base64_and_single_lines_of_a_key_are_masked() {
        let key = "-----BEGIN KEY-----\nQUJDREVGR0hJSktM\nTU5PUA==\n-----END KEY-----\n";
        let mask = Mask::new([key]);
        assert_eq!(mask.text("info: QUJDREVGR0hJSktM"), "info: ***");
        let folded: String = encoded(key.as_bytes(), STANDARD, true)
            .as_bytes()
            .chunks(16)
            .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
            .collect();
        // What is left encodes the line break at the end of the file.
        assert_eq!(mask.text(&folded), "***Cg==\r\n");
    }

    #[test]
    fn a_secret_that_was_cut_leaves_no_beginning() {
        let mask = Mask::new(["correct horse battery"]);
        assert_eq!(mask.text("it said correct horse b…"), "it said …");
        assert_eq!(mask.text("it said correct horse b"), "it said correct horse b");
        assert_eq!(mask.text("it said cor…"), "it said cor…");
        assert_eq!(mask.text("…"), "…");
        let mask = Mask::new(["p@ss w&rd"]);
        for cut in ["p%40ss%20…", "p%40ss%…", "p%40ss%2…", "p@ss w&am…", "p\\u0040ss \\u00…", "p@ss…"]
        {
            assert_eq!(mask.text(&format!("it said {cut}")), "it said …", "{cut}");
        }
        // The end of base64 that was cut, in the middle of its group.
        assert_eq!(Mask::new(["secret-word"]).text("Basic dXNlcjpzZWNyZXQtd…"), "Basic dXNlcj…");
    }

    #[test]
    fn a_flood_of_escapes_and_secrets_is_masked_in_bounded_memory() {
        let mask = Mask::new(["aaaa", "&amp"]);
        assert_eq!(mask.text(&"a".repeat(100_000)), MARK);
        let nasty = "%25\\n&amp; a".repeat(2_000);
        assert!(!mask.text(&nasty).contains("&amp"));
    }

    #[test]
    fn a_secret_is_masked_as_it_is_shown() {
        for secret in
            ["two  spaces", "a\ttab", "soft\u{ad}hyphen", "##[group]", "zero\u{200b}width", "a\u{1b}[1mbold"]
        {
            let mask = Mask::new([secret]);
            for shown in [plain_line(secret, 100), plain(secret).into_owned()] {
                assert_eq!(mask.text(&format!("it is {shown}.")), "it is ***.", "{secret:?}");
            }
        }
    }

    #[test]
    fn short_values_are_no_secrets() {
        assert!(!Mask::takes("1") && !Mask::takes(" abc\n") && Mask::takes("密码密码"));
        let mask = Mask::new(["1", "", "abc"]);
        assert!(mask.is_empty());
        assert_eq!(mask.text("1 abc"), "1 abc");
    }

    #[test]
    fn secrets_inside_and_across_each_other_are_masked_whole() {
        let mask = Mask::new(["abcd", "cdef", "abcdefgh"]);
        assert_eq!(mask.text("x abcdef y abcdefgh z cdef"), "x *** y *** z ***");
        // What is left around a mark may not be the secret.
        assert_eq!(Mask::new(["a***", "wxyz"]).text("-awxyz-"), "-***-");
        assert_eq!(Mask::new(["****"]).text("*******"), "***");
    }

    #[test]
    fn neither_secrets_nor_their_forms_are_in_debug_output() {
        assert_eq!(format!("{:?}", Mask::new(["hunter22"])), "Mask { forms: 6, .. }");
    }

    #[test]
    fn bytes_that_are_no_text_keep_everything_else() {
        let mask = Mask::new(["hunter22"]);
        assert_eq!(mask.bytes(b"\xff\0hunter22\xfe"), b"\xff\0***\xfe");
    }

    fn secret() -> impl Strategy<Value = String> {
        "[!-~]{4,24}|[ -~]{4,24}|[a-z]{4}|\\PC{4,12}".prop_filter("long enough", |text| Mask::takes(text))
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_survives(
            secret in secret(),
            before in "\\PC{0,8}",
            behind in "\\PC{0,8}",
            offset in 0_usize..3,
        ) {
            let mask = Mask::new([secret.as_str()]);
            let secret = secret.trim();
            let inside = [&b"abc"[..offset], secret.as_bytes(), &before.as_bytes()[..before.len().min(1)]].concat();
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let quoted = serde_json::to_string(secret).unwrap();
            let forms = [
                secret.to_owned(),
                percent_encoded(secret, false, true),
                percent_encoded(secret, false, false),
                percent_encoded(secret, true, true),
                percent_encoded(secret, false, true).replace("%20", "+"),
                unicode_escaped(secret),
                quoted[1..quoted.len() - 1].to_owned(),
                hex.clone(),
                hex.to_uppercase(),
            ];
            for form in forms.into_iter().filter(|form| !form.is_empty()) {
                let text = mask.text(&format!("{before} {form} {behind}"));
                prop_assert!(!text.contains(&form), "{form:?} in {text:?}");
                prop_assert!(!text.contains(secret), "{secret:?} in {text:?}");
            }
            for (alphabet, padded) in [(STANDARD, true), (STANDARD, false), (URL_SAFE, true), (URL_SAFE, false)] {
                let whole = encoded(&inside, alphabet, padded);
                let text = mask.text(&format!("{before} {whole} {behind}"));
                let core = String::from_utf8(base64(secret.as_bytes(), offset, alphabet).bytes).unwrap();
                prop_assert!(whole.contains(&core), "{core} is not in {whole}");
                prop_assert!(!text.contains(&core), "{core} in {text:?}");
                // The letters that carry some of its bits are gone too.
                let kept = text.split(' ').find(|word| word.contains(MARK)).unwrap_or_default();
                prop_assert!(kept.trim_end_matches('=').len() <= before.len() + offset + 1 + MARK.len() + 2, "{kept}");
            }
        }

        #[test]
        fn text_without_the_secret_is_left_alone(text in "[a-m %&\\\\;0-9]{0,40}") {
            prop_assert_eq!(Mask::new(["zyxwvut"]).text(&text), text.clone());
            prop_assert_eq!(Mask::default().text(&text), text);
        }

        #[test]
        fn masking_twice_is_masking_once(text in "[ab*%6\\\\u0-9]{0,40}", secret in "[ab*]{4,6}") {
            let mask = Mask::new([secret.as_str()]);
            let once = mask.text(&text);
            prop_assert_eq!(mask.text(&once), once);
        }
    }
}
