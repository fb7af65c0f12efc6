//! A checklist's text in parts that can be told apart by name: its statements and its blocks.
//!
//! Nothing is lost: the parts one after the other, and the end, are the text. Comments and blank lines belong to the part that
//! follows them, a comment behind a value to that value.

use std::collections::HashSet;
use std::ops::Range;

use toml_edit::{Document, Item, Table, Value};

/// A text and its parts. The text has Unix line endings and ends with one.
#[derive(Debug)]
pub(super) struct Parted<'a> {
    pub(super) text: &'a str,
    pub(super) parts: Vec<Part>,
}

/// What a part is called among its neighbours, where no two have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    /// The key of a statement; its parts joined by dots.
    Key(String),
    /// A table, by the last part of its header; one of several by its `id` or by the check that it `uses`.
    Block(String, Option<String>),
}

impl Name {
    /// In words.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::Block(kind, None) => format!("[{kind}]"),
            Self::Block(kind, Some(id)) => format!("{kind} \"{id}\""),
        }
    }
}

/// A statement or a block, with the comments before it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: Name,
    /// Comments and blank lines before it.
    pub(super) lead: Range<usize>,
    pub(super) body: Body,
}

/// What stands in a part.
#[derive(Debug)]
pub(super) enum Body {
    /// `key = `, a value, and the rest of its last line.
    Statement { key: Range<usize>, value: Range<usize>, rest: Range<usize> },
    /// The line of a header, and what stands below it: statements first, then blocks.
    Block { header: Range<usize>, parts: Vec<Part>, formerly: Vec<String> },
}

impl Part {
    /// All of it.
    pub(super) fn span(&self) -> Range<usize> {
        self.lead.start..self.end()
    }

    fn end(&self) -> usize {
        match &self.body {
            Body::Statement { rest, .. } => rest.end,
            Body::Block { header, parts, .. } => parts.last().map_or(header.end, Part::end),
        }
    }

    /// Where to point at.
    pub(super) fn spot(&self, text: &str) -> Range<usize> {
        match &self.body {
            Body::Statement { value, .. } => value.clone(),
            Body::Block { header, .. } => header.start..header.start + text[header.clone()].trim_end().len(),
        }
    }

    /// What it means, whatever comments stand around it and in which order its statements stand.
    pub(super) fn meaning(&self, text: &str) -> Vec<(Vec<Name>, String)> {
        let mut found = match &self.body {
            Body::Statement { value, .. } => vec![(vec![], text[value.clone()].to_owned())],
            Body::Block { parts, .. } => parts.iter().flat_map(|part| part.meaning(text)).collect(),
        };
        for (path, _) in &mut found {
            path.insert(0, self.name.clone());
        }
        found.sort();
        found
    }
}

impl<'a> Parted<'a> {
    /// Takes a text apart. None where it is no TOML, where two neighbours have one name, or where a block stands apart from
    /// the one it belongs to.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        if !(text.is_empty() || text.ends_with('\n')) || text.contains('\r') {
            return None;
        }
        let document = Document::parse(text).ok()?;
        let mut lines = vec![];
        collect(document.as_table(), &[], &[], &mut lines)?;
        lines.sort_by_key(|line| line.at);
        let mut reader = Reader { text, lines: &lines, read: 0 };
        let parts = reader.parts(&[])?;
        // Else there is a header that no open block could take.
        reader.lines.is_empty().then_some(Self { text, parts })
    }

    /// What stands behind the last part.
    pub(super) fn end(&self) -> &'a str {
        &self.text[self.parts.last().map_or(0, Part::end)..]
    }
}

/// A statement or a header, found in the parsed text.
struct Line {
    at: usize,
    kind: LineKind,
}

enum LineKind {
    Statement { key: String, value: Range<usize>, string: Option<String>, strings: Vec<String> },
    Header { path: Vec<String>, several: bool },
}

/// Finds what stands in a table; `prefix` is what dotted keys begin with in it.
fn collect(table: &Table, path: &[&str], prefix: &[&str], lines: &mut Vec<Line>) -> Option<()> {
    for (name, item) in table {
        let below = [path, &[name]].concat();
        match item {
            Item::None => {}
            Item::Value(value) => {
                let at = table.key(name)?.span()?.start;
                let strings = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                let strings = strings.map(str::to_owned).collect();
                let string = value.as_str().map(str::to_owned);
                let key = [prefix, &[name]].concat().join(".");
                let kind = LineKind::Statement { key, value: value.span()?, string, strings };
                lines.push(Line { at, kind });
            }
            Item::Table(table) if table.is_dotted() => {
                collect(table, &below, &[prefix, &[name]].concat(), lines)?;
            }
            Item::Table(table) => {
                if !table.is_implicit() {
                    lines.push(header(table, &below, false)?);
                }
                collect(table, &below, &[], lines)?;
            }
            Item::ArrayOfTables(tables) => {
                for table in tables {
                    lines.push(header(table, &below, true)?);
                    collect(table, &below, &[], lines)?;
                }
            }
        }
    }
    Some(())
}

fn header(table: &Table, path: &[&str], several: bool) -> Option<Line> {
    let path = path.iter().map(|&name| name.to_owned()).collect();
    Some(Line { at: table.span()?.start, kind: LineKind::Header { path, several } })
}

struct Reader<'a> {
    text: &'a str,
    /// Those that are still to be read.
    lines: &'a [Line],
    /// How far parts were made of the text.
    read: usize,
}

impl Reader<'_> {
    /// The statements and blocks of the table at `path`, from here on.
    fn parts(&mut self, path: &[String]) -> Option<Vec<Part>> {
        let (mut parts, mut names) = (vec![], HashSet::new());
        while let Some((line, rest)) = self.lines.split_first() {
            let start = self.text[..line.at].rfind('\n').map_or(0, |at| at + 1);
            let lead = self.read..start;
            if lead.end < lead.start {
                return None;
            }
            let part = match &line.kind {
                LineKind::Statement { key, value, .. } => {
                    let end = self.line_end(value.end);
                    (self.lines, self.read) = (rest, end);
                    let (key, value) = (key.clone(), value.clone());
                    let body = Body::Statement { key: start..value.start, rest: value.end..end, value };
                    Part { name: Name::Key(key), lead, body }
                }
                LineKind::Header { path: below, several }
                    if below.len() == path.len() + 1 && below.starts_with(path) =>
                {
                    let end = self.line_end(line.at);
                    (self.lines, self.read) = (rest, end);
                    let (id, formerly) = self.identity();
                    let name = Name::Block(below.last()?.clone(), id.filter(|_| *several));
                    let body = Body::Block { header: start..end, parts: self.parts(below)?, formerly };
                    Part { name, lead, body }
                }
                LineKind::Header { .. } => break,
            };
            if !names.insert(part.name.clone()) {
                return None;
            }
            parts.push(part);
        }
        Some(parts)
    }

    /// What the statements of the block that begins here say of who it is, and who it was.
    fn identity(&self) -> (Option<String>, Vec<String>) {
        let (mut id, mut uses, mut formerly) = (None, None, vec![]);
        for line in self.lines {
            match &line.kind {
                LineKind::Statement { key, string, .. } if key == "id" => id.clone_from(string),
                LineKind::Statement { key, string, .. } if key == "uses" => uses.clone_from(string),
                LineKind::Statement { key, strings, .. } if key == "formerly" => formerly.clone_from(strings),
                LineKind::Statement { .. } => {}
                LineKind::Header { .. } => break,
            }
        }
        (id.or(uses), formerly)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# head\nformat = 1 # one\ntitle = { zh = \"甲\", en = \"A\" }\n\n# a group\n[[group]]\nid = \"g\"\n\
                        \n[[item]]\nid = \"a\"\nneeds = [ # why\n  \"x\",\n  # [[item]]\n]\nnote.deep = \"\"\"\n[[item]]\n\"\"\"\n\
                        \n[[item.check]] # asked\nuses = \"p/q\"\n[item.check.with]\nn = 1\n\n[[item]]\nid = \"b\"\n# the end\n";

    /// Every part by its names, and the text it was cut from.
    fn told(parts: &[Part], text: &str, above: &str, found: &mut Vec<(String, String)>) {
        for part in parts {
            let name = format!("{above}/{}", part.name.told());
            found.push((name.clone(), text[part.span()].to_owned()));
            if let Body::Block { parts, .. } = &part.body {
                told(parts, text, &name, found);
            }
        }
    }

    #[test]
    fn parts_have_names_and_are_the_whole_text() {
        let parted = Parted::of(TEXT).unwrap();
        let mut found = vec![];
        told(&parted.parts, TEXT, "", &mut found);
        let names: Vec<_> = found.iter().map(|(name, _)| &**name).collect();
        let (item, check) = ("/item \"a\"", "/item \"a\"/check \"p/q\"");
        let expected = [
            "/format",
            "/title",
            "/group \"g\"",
            "/group \"g\"/id",
            item,
            &format!("{item}/id"),
            &format!("{item}/needs"),
            &format!("{item}/note.deep"),
            check,
            &format!("{check}/uses"),
            &format!("{check}/[with]"),
            &format!("{check}/[with]/n"),
            "/item \"b\"",
            "/item \"b\"/id",
        ];
        assert_eq!(names, expected);
        let joined: String = parted.parts.iter().map(|part| &TEXT[part.span()]).collect();
        assert_eq!(joined + parted.end(), TEXT);
        assert_eq!(parted.end(), "# the end\n");
        assert!(found[2].1.starts_with("\n# a group\n[[group]]"), "{:?}", found[2]);
    }

    #[test]
    fn what_can_not_be_told_apart_is_not_taken_apart() {
        for text in [
            "a = ",
            "[[item]]\nid = \"a\"\n[[item]]\nid = \"a\"\n",
            "[[item]]\n[[item]]\n",
            "[[item]]\nid = \"a\"\n[[group]]\nid = \"g\"\n[[item.check]]\nuses = \"p/q\"\n",
            "[a.b]\n",
            "a = 1\r\n",
            "a = 1",
        ] {
            assert!(Parted::of(text).is_none(), "{text}");
        }
        assert!(Parted::of("").is_some_and(|parted| parted.parts.is_empty()));
    }
}
