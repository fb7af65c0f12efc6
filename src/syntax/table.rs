//! A typed reader over parsed TOML, so that a format's file reads like its documentation.
//!
//! A [`Table`] is asked for its keys one by one, then closed: what is missing and what nobody asked for is reported
//! then. A [`Field`] is a value that is asked to be something; where it is not, that is reported and nothing given.

use std::cell::RefCell;
use std::ops::Range;
use std::str::FromStr;

use semver::Version;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Code, Diagnostic, Read, Source, Spot};
use crate::model::{Language, Text, nearest, plain_text};

/// The format that this version reads and writes.
pub(super) const FORMAT: i64 = 1;

/// Past this, a file is no TOML with slips in it but something else.
const SYNTAX_ERRORS: usize = 20;

/// Reads a document with `read` and collects everything that is wrong with it.
pub(super) fn document<T>(source: &Source, read: impl FnOnce(Table<'_>) -> Option<T>) -> Read<T> {
    if let Some(at) = source.invalid {
        let message = "the file is not UTF-8 text: this byte belongs to no character";
        let spot = source.spot(at..at + char::REPLACEMENT_CHARACTER.len_utf8());
        let not_text = Diagnostic::new(Code::NotText, message, spot, "").help("save it as UTF-8");
        return Read { value: None, diagnostics: vec![not_text] };
    }
    let problems = Problems { source, found: RefCell::default(), sealed: RefCell::default() };
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let value = read(Table::new(&problems, document.get_ref(), document.span(), "the file"));
    let sealed = problems.sealed.into_inner();
    let mut diagnostics = match sealed {
        Some(only) => vec![only],
        None => beside_syntax(source, &errors, problems.found.into_inner()),
    };
    diagnostics.sort_by_key(|diagnostic| diagnostic.labels[0].span.start);
    Read { value, diagnostics }
}

/// The syntax errors and those of the other problems that are not merely their consequence: nothing is called missing,
/// and nothing on a line that could not be read is called wrong.
fn beside_syntax(source: &Source, errors: &[toml::de::Error], mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if errors.is_empty() {
        return found;
    }
    let line = |span: &Range<usize>| {
        let text = source.text.as_bytes();
        let (start, end) = (span.start.min(text.len()), span.end.min(text.len()));
        let from = text[..start].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let to = text[end..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| end + at);
        from..=to
    };
    let spans = errors.iter().take(SYNTAX_ERRORS).map(|error| error.span().unwrap_or_default());
    let spans: Vec<_> = spans.collect();
    let unread: Vec<_> = spans.iter().map(line).collect();
    found.retain(|diagnostic| {
        let start = diagnostic.labels[0].span.start;
        diagnostic.code != Code::MissingKey && !unread.iter().any(|line| line.contains(&start))
    });
    for (error, span) in errors.iter().zip(spans) {
        found.push(Diagnostic::new(Code::Syntax, error.message(), source.spot(span), ""));
    }
    if let Some(last) = found.last_mut().filter(|_| errors.len() > SYNTAX_ERRORS) {
        last.help = Some(format!("{} more syntax errors follow", errors.len() - SYNTAX_ERRORS));
    }
    found
}

/// What is wrong with one file.
pub(super) struct Problems<'a> {
    source: &'a Source,
    found: RefCell<Vec<Diagnostic>>,
    /// The one problem that makes all others meaningless.
    sealed: RefCell<Option<Diagnostic>>,
}

impl Problems<'_> {
    pub(super) fn push(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    fn spot(&self, span: Range<usize>) -> Spot {
        self.source.spot(span)
    }
}

/// A table that is being read.
pub(super) struct Table<'a> {
    problems: &'a Problems<'a>,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
    /// With its article: "an item".
    what: &'static str,
    asked: Vec<&'static str>,
    /// How many of the keys asked for were there.
    found: usize,
    missing: Vec<&'static str>,
    /// What to do about what is missing.
    help: Option<String>,
}

impl<'a> Table<'a> {
    fn new(
        problems: &'a Problems<'a>,
        entries: &'a DeTable<'a>,
        span: Range<usize>,
        what: &'static str,
    ) -> Self {
        Self {
            problems,
            entries,
            span,
            what,
            asked: Vec::with_capacity(16),
            found: 0,
            missing: vec![],
            help: None,
        }
    }

    /// Whether the file's `format` is one this version reads, and this version is as new as `needs-mustdo` asks. Where it
    /// is not, that is all that is said about the file.
    pub(super) fn format(&mut self) -> Option<()> {
        self.format_in("format")
    }

    /// The same where the format stands under another key.
    pub(super) fn format_in(&mut self, key: &'static str) -> Option<()> {
        let needs = self.optional("needs-mustdo").and_then(|field| Some((field.version()?, field)));
        if let Some((oldest, field)) = needs.filter(|(oldest, _)| *oldest > own_version()) {
            self.seal(format!("this file needs mustdo ≥ {oldest}; this is {}", own_version()), &field);
            return None;
        }
        let Some(field) = self.required(key) else {
            self.help = Some(format!("write {key} = {FORMAT} as the first line"));
            return Some(());
        };
        let format = field.integer()?;
        if format > FORMAT {
            let own = own_version();
            let message = format!(
                "this file has format {format} and needs mustdo > {own}, which reads format {FORMAT}"
            );
            self.seal(message, &field);
            return None;
        }
        if format < FORMAT {
            field.report(Code::Format, format!("there is no format {format}"), &format!("write {FORMAT}"));
        }
        Some(())
    }

    /// Says that the file is too new, and nothing else of it.
    fn seal(&self, message: String, field: &Field<'_>) {
        let newer = Diagnostic::new(Code::Format, message, field.spot(), "");
        *self.problems.sealed.borrow_mut() = Some(newer.help("update mustdo"));
    }

    /// The value of a key, where there is one. To be asked once for each key.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.asked.push(key);
        let field = self.peek(key);
        self.found += usize::from(field.is_some());
        field
    }

    /// The value of a key that is asked for elsewhere.
    pub(super) fn peek(&self, key: &str) -> Option<Field<'a>> {
        let (key, value) = self.entries.get_key_value(key)?;
        Some(Field { problems: self.problems, name: key.get_ref(), key: key.span(), value, entry: false })
    }

    /// The value of a key that has to be there.
    pub(super) fn required(&mut self, key: &'static str) -> Option<Field<'a>> {
        let field = self.optional(key);
        if field.is_none() {
            self.missing.push(key);
        }
        field
    }

    /// Every entry, for tables whose keys are names: sorted by key.
    pub(super) fn entries(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let problems = self.problems;
        self.entries.iter().map(move |(key, value)| Field {
            problems,
            name: key.get_ref(),
            key: key.span(),
            value,
            entry: false,
        })
    }

    /// Reports what is missing and what nobody asked for.
    pub(super) fn close(self) {
        // Nearly every table holds nothing else.
        let unknown = if self.found == self.entries.len() { None } else { Some(self.entries) };
        for (key, _) in unknown.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                let message = format!("{} has no key \"{name}\"", self.what);
                let unknown = Diagnostic::new(Code::UnknownKey, message, self.problems.spot(key.span()), "");
                self.problems.push(unknown.did_you_mean(nearest(name, self.asked.iter().copied())));
            }
        }
        self.close_open();
    }

    /// Reports what is missing; keys of a newer version are welcome.
    pub(super) fn close_open(self) {
        if !self.missing.is_empty() {
            let message = format!("{} needs {}", self.what, quoted(&self.missing, "and"));
            let spot = self.problems.spot(self.span);
            let missing = Diagnostic::new(Code::MissingKey, message, spot, "");
            self.problems.push(match self.help {
                Some(help) => missing.help(help),
                None => missing,
            });
        }
    }
}

/// A value that is being read.
#[derive(Clone)]
pub(super) struct Field<'a> {
    problems: &'a Problems<'a>,
    name: &'a str,
    key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
    /// Whether it is an entry of a list and not the value of the key itself.
    entry: bool,
}

impl<'a> Field<'a> {
    /// Its key; for an element of a list, the list's.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// What it is called in a message.
    pub(super) fn subject(&self) -> String {
        if self.entry { format!("an entry of \"{}\"", self.name) } else { format!("\"{}\"", self.name) }
    }

    /// Where its key is.
    pub(super) fn key(&self) -> Range<usize> {
        self.key.clone()
    }

    /// Where its value is.
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// Where its value is, with the file.
    pub(super) fn spot(&self) -> Spot {
        self.problems.spot(self.value.span())
    }

    /// The value as parsed.
    pub(super) fn raw(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// The same key with another value of it: an element of a list.
    pub(super) fn element(&self, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { value, entry: true, ..self.clone() }
    }

    /// Adds a problem.
    pub(super) fn push(&self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// Says what is wrong with the value.
    pub(super) fn report(&self, code: Code, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::new(code, message, self.spot(), "");
        self.problems.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    /// Says what is wrong with the key.
    pub(super) fn report_key(&self, code: Code, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::new(code, message, self.problems.spot(self.key()), "");
        self.problems.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn wrong_type(&self, expected: &str, help: &str) {
        let message = format!("{} must be {expected}, not {}", self.subject(), type_name(self.raw()));
        self.report(Code::WrongType, message, help);
    }

    /// Any text.
    pub(super) fn text(&self) -> Option<&'a str> {
        if let DeValue::String(text) = self.raw() {
            return Some(text);
        }
        self.wrong_type("a string", "");
        None
    }

    /// A text that is not blank.
    pub(super) fn words(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.report(Code::Empty, format!("{} is empty", self.subject()), "");
            return None;
        }
        Some(text)
    }

    /// A text that is written like a `T`.
    pub(super) fn parse<T>(&self, code: Code) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let parsed = self.text()?.parse();
        parsed.map_err(|error: T::Err| self.report(code, error.to_string(), "")).ok()
    }

    /// A semantic version.
    pub(super) fn version(&self) -> Option<Version> {
        let text = self.text()?;
        let version = text.parse();
        let report = |error| {
            let message = format!("\"{text}\" is not a semantic version: {error}");
            self.report(Code::BadVersion, message, "write three numbers: \"1.0.0\"");
        };
        version.map_err(report).ok()
    }

    /// The key as a `T`, for tables whose keys are names.
    pub(super) fn parse_key<T>(&self, code: Code) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let parsed = self.name.parse();
        parsed.map_err(|error: T::Err| self.report_key(code, error.to_string(), "")).ok()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        all: impl IntoIterator<Item = T>,
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text()?;
        let mut words = vec![];
        for value in all {
            if word(value) == text {
                return Some(value);
            }
            words.push(word(value));
        }
        let message = format!("{} can't be \"{text}\": it is {}", self.subject(), quoted(&words, "or"));
        let unknown = Diagnostic::new(Code::UnknownWord, message, self.spot(), "");
        self.problems.push(unknown.did_you_mean(nearest(text, words)));
        None
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        if let &DeValue::Boolean(value) = self.raw() {
            return Some(value);
        }
        self.wrong_type("true or false", "");
        None
    }

    /// A whole number.
    pub(super) fn integer(&self) -> Option<i64> {
        let DeValue::Integer(value) = self.raw() else {
            self.wrong_type("a whole number", "");
            return None;
        };
        let number = i64::from_str_radix(value.as_str(), value.radix()).ok();
        if number.is_none() {
            self.report(Code::OutOfRange, format!("{} does not fit into 64 bits", self.subject()), "");
        }
        number
    }

    /// A whole number between two others, both included.
    pub(super) fn integer_within(&self, least: i64, most: i64) -> Option<i64> {
        let number = self.integer()?;
        if (least..=most).contains(&number) {
            return Some(number);
        }
        let message = format!("{} must be from {least} to {most}, not {number}", self.subject());
        self.report(Code::OutOfRange, message, "");
        None
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match self.raw() {
            DeValue::Float(value) => value.as_str().parse().ok(),
            DeValue::Integer(value) if value.radix() == 10 => value.as_str().parse().ok(),
            DeValue::Integer(_)
            | DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type("a number", "");
                return None;
            }
        };
        let finite = number.filter(|number: &f64| number.is_finite());
        if finite.is_none() {
            self.report(Code::OutOfRange, format!("{} must be a finite number", self.subject()), "");
        }
        finite
    }

    /// The elements of a list.
    pub(super) fn list(&self) -> Option<Vec<Field<'a>>> {
        if let DeValue::Array(values) = self.raw() {
            return Some(values.iter().map(|value| self.element(value)).collect());
        }
        let help = if matches!(self.raw(), DeValue::Table(_)) {
            format!("write [[{}]] with two brackets", self.name)
        } else {
            String::new()
        };
        self.wrong_type("a list", &help);
        None
    }

    /// The strings of a list; elements that are none are reported and left out.
    pub(super) fn texts(&self) -> Vec<String> {
        self.list().into_iter().flatten().filter_map(|field| field.text()).map(str::to_owned).collect()
    }

    /// A table to read on in; `what` with its article.
    pub(super) fn table(&self, what: &'static str) -> Option<Table<'a>> {
        if let DeValue::Table(entries) = self.raw() {
            return Some(Table::new(self.problems, entries, self.span(), what));
        }
        self.wrong_type("a table", "");
        None
    }

    /// A text in every language.
    pub(super) fn bilingual(&self) -> Option<Text> {
        const HELP: &str = "write { zh = \"…\", en = \"…\" }";
        if matches!(self.raw(), DeValue::String(_)) {
            let message = format!("{} must be written in every language", self.subject());
            self.report(Code::MissingLanguage, message, HELP);
            return None;
        }
        let mut table = self.table("a text")?;
        let mut whole = true;
        let mut read = |language: Language| {
            let code = language.code();
            let Some(field) = table.optional(code) else {
                whole = false;
                self.report(Code::MissingLanguage, format!("{} has no \"{code}\"", self.subject()), HELP);
                return String::new();
            };
            // A checklist is somebody else's, and TOML can write any character.
            let words = plain_text(field.text().unwrap_or_default(), usize::MAX);
            if words.trim().is_empty() {
                whole = false;
                if matches!(field.raw(), DeValue::String(_)) {
                    field.report(Code::Empty, format!("{} is empty in \"{code}\"", self.subject()), "");
                }
            }
            words
        };
        let text = Text { en: read(Language::En), zh: read(Language::Zh) };
        table.close();
        Some(text).filter(|_| whole)
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `"a", "b" and "c"`.
pub(super) fn quoted(words: &[&str], last: &str) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            text.push_str(if index + 1 == words.len() { " " } else { ", " });
            if index + 1 == words.len() {
                text.push_str(last);
                text.push(' ');
            }
        }
        text.push('"');
        text.push_str(word);
        text.push('"');
    }
    text
}

/// Of this program.
fn own_version() -> Version {
    let part = |text: &str| text.parse().unwrap_or_default();
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")]
            .map(part);
    Version::new(major, minor, patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str, read: impl FnOnce(Table<'_>) -> Option<()>) -> Vec<String> {
        let found = document(&Source::new("x.toml", text), read).diagnostics;
        found.into_iter().map(|diagnostic| format!("{} {}", diagnostic.code, diagnostic.message)).collect()
    }

    #[test]
    fn everything_missing_is_said_once_and_everything_unknown_each() {
        let found = messages("wieght = 1\nb = 2", |mut table| {
            table.required("weight");
            table.required("level");
            table.optional("needs");
            table.close();
            Some(())
        });
        assert_eq!(
            found,
            [
                "E0103 the file has no key \"wieght\"",
                "E0104 the file needs \"weight\" and \"level\"",
                "E0103 the file has no key \"b\""
            ]
        );
    }

    #[test]
    fn broken_line_is_not_also_called_wrong_and_others_still_are() {
        let found = messages("a = \nb = true", |mut table| {
            table.required("a")?.integer();
            table.required("b")?.integer();
            table.required("c");
            table.close();
            Some(())
        });
        assert_eq!(
            found,
            [
                "E0101 string values must be quoted, expected literal string",
                "E0105 \"b\" must be a whole number, not true or false"
            ]
        );
    }

    #[test]
    fn newer_format_is_all_that_is_said() {
        let found = messages("format = 2\nnew = 1\nbroken", |mut table| {
            table.format()?;
            table.close();
            Some(())
        });
        assert_eq!(found, ["E0102 this file has format 2 and needs mustdo > 0.1.0, which reads format 1"]);
    }

    #[test]
    fn rubbish_gives_a_bounded_number_of_syntax_errors() {
        let found = messages(&"? = \n".repeat(1000), |table| {
            table.close();
            Some(())
        });
        assert_eq!(found.iter().filter(|message| message.starts_with("E0101")).count(), SYNTAX_ERRORS);
    }
}
