//! Reading one file of content.

use std::ops::Range;

use semver::Version;

use super::mark::{CheckMarks, ChecklistMarks, GroupMarks, ItemMarks};
use super::parameter::{Writer, globs, parameters, targets};
use super::table::{Field, Table, document};
use super::{Code, Diagnostic, Read, Source, Spot};
use crate::model::{
    Card, CardForm, CheckUse, Checklist, Group, Item, ItemId, Kind, Level, Span, Text, Weight,
};

/// A checklist and where its parts are written.
#[derive(Debug, Clone)]
pub struct ChecklistFile {
    pub(super) checklist: Checklist,
    pub(super) source: Source,
    pub(super) marks: ChecklistMarks,
}

impl ChecklistFile {
    /// The checklist.
    #[must_use]
    pub fn checklist(&self) -> &Checklist {
        &self.checklist
    }

    /// The file it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Reads one file of content and holds it against every rule that needs no other file.
#[must_use]
pub fn read_checklist(source: &Source) -> Read<ChecklistFile> {
    document(source, |table| {
        let (checklist, marks) = checklist(table)?;
        Some(ChecklistFile { checklist, source: source.clone(), marks })
    })
}

fn checklist(mut table: Table<'_>) -> Option<(Checklist, ChecklistMarks)> {
    table.format()?;
    let id = table.required("id");
    let version_field = table.required("version");
    let version = version_field.as_ref().and_then(Field::version);
    let title = table.required("title").and_then(|field| field.bilingual());
    let (groups, group_marks) = all(table.optional("group"), group);
    let (items, item_marks) = all(table.optional("item"), item);
    table.close();
    let field = id?;
    let checklist = Checklist {
        id: field.parse(Code::BadName)?,
        version: version.unwrap_or_else(|| Version::new(0, 0, 0)),
        title: title.unwrap_or_default(),
        groups,
        items,
    };
    let marks = ChecklistMarks {
        id: field.span(),
        version: version_field.as_ref().map_or(field.span(), Field::span),
        groups: group_marks,
        items: item_marks,
    };
    Some((checklist, marks))
}

fn group(field: &Field<'_>) -> Option<(Group, GroupMarks)> {
    let mut table = field.table("a group")?;
    let id = table.required("id");
    let title = table.required("title").and_then(|field| field.bilingual());
    let parent = table.optional("parent");
    let source = source(&mut table);
    let (cards, card_marks) = all(table.optional("card"), card);
    table.close();
    let id = id?;
    let marks = GroupMarks {
        id: id.span(),
        parent: parent.as_ref().map_or(id.span(), Field::span),
        cards: card_marks,
    };
    let parent = parent.and_then(|field| field.parse(Code::BadName));
    let group =
        Group { id: id.parse(Code::BadName)?, parent, title: title.unwrap_or_default(), source, cards };
    Some((group, marks))
}

fn item(field: &Field<'_>) -> Option<(Item, ItemMarks)> {
    let mut table = field.table("an item")?;
    let id = table.required("id");
    let group = table.required("group");
    let title = table.required("title").and_then(|field| field.bilingual());
    let level = table.required("level").and_then(|field| field.word(Level::ALL, Level::word));
    let weight = table.required("weight").and_then(|field| field.integer_within(1, 5)).and_then(Weight::new);
    let kind = table.optional("kind").and_then(|field| field.word(Kind::ALL, Kind::word));
    let (needs, need_marks) = names(table.optional("needs"));
    let (tags, _) = names(table.optional("tags"));
    let (formerly, former_marks) = names(table.optional("formerly"));
    let fresh_for = table.optional("fresh-for").and_then(|field| lasting(&field));
    let source = source(&mut table);
    let (hints, _) = all(table.optional("hints"), |field| Some((field.bilingual()?, ())));
    let (checks, check_marks) = all(table.optional("check"), check);
    let (cards, card_marks) = all(table.optional("card"), card);
    table.close();
    let (id, group) = (id?, group?);
    let marks = ItemMarks {
        id: id.span(),
        group: group.span(),
        formerly: former_marks,
        needs: need_marks,
        checks: check_marks,
        cards: card_marks,
    };
    let (id, group) = (id.parse::<ItemId>(Code::BadName), group.parse(Code::BadName));
    let item = Item {
        id: id?,
        formerly,
        group: group?,
        title: title.unwrap_or_default(),
        level: level.unwrap_or(Level::Must),
        weight: weight.or(Weight::new(1))?,
        needs,
        tags,
        fresh_for,
        source,
        kind: kind.unwrap_or(Kind::Verify),
        hints,
        checks,
        cards,
    };
    Some((item, marks))
}

fn check(field: &Field<'_>) -> Option<(CheckUse, CheckMarks)> {
    let mut table = field.table("a check")?;
    let uses = table.required("uses");
    let (target, target_marks) = table.optional("target").map(|field| targets(&field)).unwrap_or_default();
    let (with, with_marks) =
        table.optional("with").map(|field| parameters(&field, Writer::Author)).unwrap_or_default();
    let watch = table.optional("watch").map(|field| globs(&field)).unwrap_or_default();
    table.close();
    let uses = uses?;
    let marks = CheckMarks { uses: uses.span(), target: target_marks, with: with_marks };
    Some((CheckUse { uses: uses.parse(Code::BadName)?, target, with, watch }, marks))
}

fn card(field: &Field<'_>) -> Option<(Card, Range<usize>)> {
    let mut table = field.table("a card")?;
    let id = table.required("id");
    let form = table.required("form").and_then(|field| field.word(CardForm::ALL, CardForm::word));
    let blanks = table.optional("blanks").and_then(|field| field.integer_within(1, i64::from(u8::MAX)));
    let ask = table.required("ask").and_then(|field| field.bilingual());
    let key = table.required("key").and_then(|field| field.words());
    let source = source(&mut table);
    table.close();
    let id = id?;
    let card = Card {
        id: id.parse(Code::BadName)?,
        form: form.unwrap_or(CardForm::Cloze),
        blanks: blanks.and_then(|blanks| u8::try_from(blanks).ok()).unwrap_or(1),
        ask: ask.unwrap_or_else(Text::default),
        key: key.unwrap_or_default().to_owned(),
        source,
    };
    Some((card, id.span()))
}

fn source(table: &mut Table<'_>) -> Option<String> {
    table.optional("source").and_then(|field| field.words()).map(str::to_owned)
}

/// How long a proof lasts; a proof that is stale at once would prove nothing.
pub(super) fn lasting(field: &Field<'_>) -> Option<Span> {
    let span: Span = field.parse(Code::BadSpan)?;
    if span.get().is_zero() {
        field.report(Code::OutOfRange, format!("\"{}\" must be longer than nothing", field.name()), "");
        return None;
    }
    Some(span)
}

/// Reads every element of a list with its mark; what can't be read is reported and left out of both.
fn all<T, M>(field: Option<Field<'_>>, read: impl Fn(&Field<'_>) -> Option<(T, M)>) -> (Vec<T>, Vec<M>) {
    field.and_then(|field| field.list()).into_iter().flatten().filter_map(|element| read(&element)).unzip()
}

/// Reads a list of names; one that is there already is worth a warning.
fn names<T>(field: Option<Field<'_>>) -> (Vec<T>, Vec<Range<usize>>)
where
    T: std::str::FromStr + Ord + Clone + std::fmt::Display,
    T::Err: std::fmt::Display,
{
    let (mut names, mut marks) = (vec![], vec![]);
    let mut seen = std::collections::BTreeMap::new();
    for element in field.and_then(|field| field.list()).into_iter().flatten() {
        let Some(name) = element.parse::<T>(Code::BadName) else { continue };
        if let Some(first) = seen.get(&name) {
            let message = format!("\"{name}\" is in \"{}\" twice", element.name());
            let repeated = Diagnostic::new(Code::Repeated, message, element.spot(), "");
            element.push(repeated.also(Spot::clone(first), "first here"));
            continue;
        }
        seen.insert(name.clone(), element.spot());
        names.push(name);
        marks.push(element.span());
    }
    (names, marks)
}
