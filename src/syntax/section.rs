//! Reading many versions of progress files, of which each differs from the one before in few items.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Diagnostic, Severity, Source, read_progress};
use crate::model::{ChecklistId, Entry, ItemId};

/// Reads progress files as [`read_progress`] does and parses no item's tables twice, in whatever files they stand.
///
/// A file as mustdo writes it is cut at the headers of its items. Where anything in it could make that mean something else,
/// such as a string of several lines, it is parsed whole.
#[derive(Debug, Default)]
pub struct ProgressReader {
    /// By the text of the tables; none where there is nothing to remember in them.
    sections: HashMap<Box<str>, Option<Rc<ItemProgress>>>,
}

/// What one version of a file knows of an item; the same allocation where the text is the same.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemProgress {
    /// Whose.
    pub id: ItemId,
    /// What.
    pub entry: Entry,
}

/// One version of a progress file.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressVersion {
    /// The checklist it belongs to.
    pub checklist: ChecklistId,
    /// By item id, sorted; only items that have any.
    pub items: Vec<Rc<ItemProgress>>,
}

impl ProgressReader {
    /// Reads one file; every error in it where it can not be used.
    pub fn read(&mut self, source: &Source) -> Result<ProgressVersion, Vec<Diagnostic>> {
        match cut(source).and_then(|parts| self.parts(source, &parts)) {
            Some(version) => Ok(version),
            None => whole(source),
        }
    }

    fn parts(&mut self, source: &Source, parts: &Parts<'_>) -> Option<ProgressVersion> {
        if !is_plain(parts.head) {
            return None;
        }
        let head = read_progress(&Source::new(source.name.clone(), parts.head)).value?;
        if !head.entries.is_empty() {
            return None;
        }
        let mut items = Vec::with_capacity(parts.sections.len());
        for &(id, section) in &parts.sections {
            if let Some(known) = self.sections.get(section) {
                items.extend(known.clone());
                continue;
            }
            // What is known already was plain when it was read.
            if !is_plain(section) {
                return None;
            }
            let text = format!("{}\n{section}", parts.head);
            let read = read_progress(&Source::new(source.name.clone(), text)).value?;
            let mut entries = read.entries.into_iter();
            let known = entries.next().map(|(id, entry)| Rc::new(ItemProgress { id, entry }));
            if entries.next().is_some() || known.as_ref().is_some_and(|known| known.id.as_str() != id) {
                return None;
            }
            items.extend(known.clone());
            self.sections.insert(section.into(), known);
        }
        Some(ProgressVersion { checklist: head.checklist, items })
    }
}

fn whole(source: &Source) -> Result<ProgressVersion, Vec<Diagnostic>> {
    let read = read_progress(source);
    let Some(progress) = read.value else {
        let errors = read.diagnostics.into_iter().filter(|found| found.severity == Severity::Error);
        return Err(errors.collect());
    };
    let item = |(id, entry)| Rc::new(ItemProgress { id, entry });
    Ok(ProgressVersion {
        checklist: progress.checklist,
        items: progress.entries.into_iter().map(item).collect(),
    })
}

/// A file in parts that mean the same alone as together.
struct Parts<'a> {
    /// What stands before the first header.
    head: &'a str,
    /// The id and the tables of each item, sorted.
    sections: Vec<(&'a str, &'a str)>,
}

/// Whether no string of several lines begins or ends in a part, which could hold a line that looks like a header, and no
/// carriage return stands in it.
fn is_plain(part: &str) -> bool {
    !part.contains("\"\"\"") && !part.contains("'''") && !part.contains('\r')
}

/// Cuts a file at the headers of its items; none where it is not surely what mustdo writes: a table could be something else than
/// an item's, and an item's tables could stand apart. Whether the parts are what they seem is for [`is_plain`] to say of
/// each.
fn cut(source: &Source) -> Option<Parts<'_>> {
    let text: &str = &source.text;
    if source.invalid.is_some() {
        return None;
    }
    let mut head = text.len();
    let mut starts: Vec<(&str, usize)> = vec![];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with('[') {
            let rest = line.strip_prefix("[item.\"")?;
            let (id, rest) = rest.split_once('"')?;
            let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
            if !id.bytes().all(plain) || !rest.starts_with([']', '.']) {
                return None;
            }
            head = head.min(at);
            match starts.last() {
                Some((last, _)) if *last == id => {}
                Some((last, _)) if *last > id => return None,
                _ => starts.push((id, at)),
            }
        } else if line.starts_with([' ', '\t']) && line.trim_start().starts_with('[') {
            return None;
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([text.len()]);
    let sections = starts.iter().zip(ends).map(|(&(id, start), end)| (id, &text[start..end])).collect();
    Some(Parts { head: &text[..head], sections })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "format = 1\nchecklist = \"a\"\n";

    fn source(text: &str) -> Source {
        Source::new("progress/a.toml", text)
    }

    fn claim(id: &str, note: &str) -> String {
        format!("\n[item.\"{id}\"]\nclaim = {{ at = \"2026-01-01T00:00:00Z\", note = {note} }}\n")
    }

    #[test]
    fn item_that_did_not_change_is_the_same_allocation() {
        let mut reader = ProgressReader::default();
        let one = format!("{HEAD}{}{}", claim("a.x", "\"one\""), claim("a.y", "\"y\""));
        let two = format!("{HEAD}{}{}", claim("a.x", "\"two\""), claim("a.y", "\"y\""));
        let (one, two) = (reader.read(&source(&one)).unwrap(), reader.read(&source(&two)).unwrap());
        assert!(!Rc::ptr_eq(&one.items[0], &two.items[0]) && Rc::ptr_eq(&one.items[1], &two.items[1]));
    }

    /// What a reader makes of a text that it can not cut, or can, and what is right.
    fn assert_whole(reader: &mut ProgressReader, text: &str) {
        let source = source(text);
        let parts = cut(&source).and_then(|parts| reader.parts(&source, &parts));
        assert!(parts.is_none(), "{text}");
        let read = read_progress(&source).value.map(|progress| progress.entries.len());
        assert_eq!(reader.read(&source).ok().map(|version| version.items.len()), read, "{text}");
    }

    #[test]
    fn what_could_mean_something_else_is_read_whole() {
        let header = "\"\"\"\n[item.\"a.z\"]\nclaim = 1\n\"\"\"";
        let apart = format!("{}{}\n[item.\"a.x\".check]\n", claim("a.x", "\"\""), claim("a.y", "\"\""));
        let literal = header.replace('"', "'").replace("'a.z'", "\"a.z\"");
        for text in [
            claim("a.x", header),
            claim("a.x", &literal),
            claim("a.x", "\"\"").replace('\n', "\r\n"),
            apart,
            format!("\n[other]{}", claim("a.x", "\"\"")),
        ] {
            assert_whole(&mut ProgressReader::default(), &format!("{HEAD}{text}"));
        }
    }

    #[test]
    fn string_that_swallows_items_known_before_is_seen() {
        let mut reader = ProgressReader::default();
        let (x, y, z) = (claim("a.x", "\"\""), claim("a.y", "\"\""), claim("a.z", "\"\""));
        assert_eq!(reader.read(&source(&format!("{HEAD}{x}{y}{z}"))).unwrap().items.len(), 3);
        // The middle is word for word what is known, and here it is part of a text.
        let begin = "\n[item.\"a.x\"]\nclaim = { at = \"2026-01-01T00:00:00Z\", note = '''\n";
        let end = "\n[item.\"a.z\"]\n''' }\n";
        assert_whole(&mut reader, &format!("{HEAD}{begin}{y}{end}"));
    }

    #[test]
    fn errors_are_those_of_the_whole_file() {
        let text = format!("{HEAD}{}\n[item.\"a.y\"]\nclaim = 1\n", claim("a.x", "\"\""));
        let mut reader = ProgressReader::default();
        let found = reader.read(&source(&text)).unwrap_err();
        assert_eq!(found, read_progress(&source(&text)).diagnostics);
        assert!(!found.is_empty());
    }
}
