//! Changing a text without touching what does not change.

use thiserror::Error;
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::model::Text;

/// A text that can't be edited: it is not TOML, or has something else where tables belong. A reader says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file is not what mustdo can edit: mend it first")]
pub struct BrokenText;

/// Applies a change to a text, keeping its byte order mark and its line endings.
pub(super) fn edit(
    text: &str,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), BrokenText>,
) -> Result<String, BrokenText> {
    let (shape, plain) = Shape::of(text);
    let mut document: DocumentMut = plain.parse().map_err(|_| BrokenText)?;
    change(&mut document)?;
    Ok(shape.dress(&document.to_string()))
}

/// How a text is dressed that means the same without: its byte order mark and its line endings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    marked: bool,
    windows: bool,
}

impl Shape {
    const MARK: &str = "\u{feff}";

    /// The shape of a text, and the text without it.
    pub(super) fn of(text: &str) -> (Self, String) {
        let body = text.strip_prefix(Self::MARK);
        let (marked, body) = (body.is_some(), body.unwrap_or(text));
        let newlines = body.matches('\n').count();
        let windows = newlines > 0 && body.matches("\r\n").count() == newlines;
        (Self { marked, windows }, if windows { body.replace("\r\n", "\n") } else { body.to_owned() })
    }

    /// Such a text in this shape.
    pub(super) fn dress(self, text: &str) -> String {
        let mark = if self.marked { Self::MARK } else { "" };
        format!("{mark}{}", if self.windows { text.replace('\n', "\r\n") } else { text.to_owned() })
    }
}

/// The table below `parent` called `key`, made where it is not there yet. A new one has no header of its own until
/// there is a value in it.
pub(super) fn child<'a>(
    parent: &'a mut dyn TableLike,
    key: &str,
) -> Result<&'a mut dyn TableLike, BrokenText> {
    let item = parent.entry(key).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    item.as_table_like_mut().ok_or(BrokenText)
}

/// Sets a value or takes it away, keeping the spaces and the comment around the old one.
pub(super) fn put(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    let Some(mut value) = value else {
        table.remove(key);
        return;
    };
    match table.get_mut(key) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// A basic string on one line whatever is in it, so that a change of it stays a change of one line. Source: TOML 1.0,
/// "String"; what JSON escapes is escaped there in the same way, and TOML also wants U+007F escaped.
pub(super) fn line(text: &str) -> Value {
    let quoted = serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f");
    quoted.parse().unwrap_or_else(|_| Value::from(text))
}

/// `"…"` where both languages say the same, else `{ en = "…", zh = "…" }`.
pub(super) fn bilingual(text: &Text) -> Value {
    if text.en == text.zh {
        return line(&text.en);
    }
    inline([("en", Some(line(&text.en))), ("zh", Some(line(&text.zh)))])
}

/// `{ key = value, … }` of those that there are.
pub(super) fn inline<'a>(entries: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    let present = entries.into_iter().filter_map(|(key, value)| Some((key, value?)));
    Value::InlineTable(present.collect::<InlineTable>())
}

/// A list with one element on each line.
pub(super) fn lines(values: impl IntoIterator<Item = Value>) -> Value {
    let mut array = toml_edit::Array::new();
    for mut value in values {
        value.decor_mut().set_prefix("\n    ");
        array.push_formatted(value);
    }
    if !array.is_empty() {
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    Value::Array(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_and_the_byte_order_mark_survive() {
        let old = "\u{feff}# x\r\na = 1\r\n";
        let new = edit(old, |document| {
            document["b"] = toml_edit::value(2);
            Ok(())
        });
        assert_eq!(new.as_deref(), Ok("\u{feff}# x\r\na = 1\r\nb = 2\r\n"));
    }

    #[test]
    fn nasty_strings_stay_on_one_line_and_mean_the_same() {
        for text in ["", "a\nb", "\"\"\"", "'''", "\\", "\u{7f}\u{0}\u{1b}", "\u{feff}\u{2028}", "灰度", "\r"]
        {
            let written = format!("a = {}", line(text));
            assert_eq!(written.lines().count(), 1, "{text:?}");
            let table: toml::Table = written.parse().unwrap();
            assert_eq!(table["a"].as_str(), Some(text));
        }
    }
}
