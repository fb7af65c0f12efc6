//! Merging progress files that two sides changed.

use std::collections::BTreeSet;

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::edit::{child, edit};
use super::write::{entry, settle};
use super::{BrokenText, Source, read_progress};
use crate::model::{Entry, ItemId, Progress, merge_entries};

/// The text that holds what both sides recorded since `base`, by the rules of [`merge_entries`]; an empty text is no file.
///
/// An item that one side alone changed is taken from there byte for byte, with its comments and its keys of a newer version;
/// where both changed it, such keys of both stay. [`BrokenText`] where one of the texts can not be read, or where the sides are of
/// two checklists.
pub fn merge_progress(base: &str, ours: &str, theirs: &str) -> Result<String, BrokenText> {
    for text in [ours, theirs] {
        known(text)?;
    }
    if ours == theirs || base == theirs {
        return Ok(ours.to_owned());
    }
    if base == ours {
        return Ok(theirs.to_owned());
    }
    let (old, one, other) = (known(base)?, known(ours)?, known(theirs)?);
    let (base, theirs) = (document(base)?, document(theirs)?);
    if one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| one.checklist != other.checklist) {
        return Err(BrokenText);
    }
    edit(ours, |document| {
        let root = document.as_table_mut();
        unite(root, base.as_table(), theirs.as_table(), &["item"]);
        let nothing = Entry::default();
        let of = |progress: &Option<Progress>, id: &ItemId| {
            progress.as_ref().and_then(|progress| progress.entries.get(id)).cloned().unwrap_or_default()
        };
        let ids: BTreeSet<String> =
            [&*root, base.as_table(), theirs.as_table()].into_iter().flat_map(items).collect();
        for name in ids {
            let [before, here, there] =
                [base.as_table(), &*root, theirs.as_table()].map(|root| item(root, &name));
            if same(here, there) || same(before, there) {
                continue;
            }
            if same(before, here) {
                let there = there.cloned();
                let items = child(root, "item")?;
                items.remove(&name);
                if let Some(there) = there {
                    items.insert(&name, there);
                }
                continue;
            }
            let id: ItemId = name.parse().map_err(|_| BrokenText)?;
            let (before, here, there) = (before.cloned(), of(&one, &id), there.cloned());
            let merged = merge_entries(&of(&old, &id), &here, &of(&other, &id));
            let items = child(root, "item")?;
            let table = items.entry(&name).or_insert_with(|| Item::Table(Table::new()));
            let table = table.as_table_like_mut().ok_or(BrokenText)?;
            entry(table, if here == merged { &merged } else { &here }, &merged)?;
            if let Some(there) = there.as_ref().and_then(Item::as_table_like) {
                let empty = Table::new();
                let before = before.as_ref().and_then(Item::as_table_like).unwrap_or(&empty);
                unite(table, before, there, &["claim", "waiver", "check"]);
            }
            if merged == nothing && table.is_empty() {
                items.remove(&name);
            }
        }
        settle(root);
        Ok(())
    })
}

/// What stands in a text; none where there is no text.
fn known(text: &str) -> Result<Option<Progress>, BrokenText> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    read_progress(&Source::new("", text)).value.map(Some).ok_or(BrokenText)
}

fn document(text: &str) -> Result<DocumentMut, BrokenText> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    text.parse().map_err(|_| BrokenText)
}

fn items(root: &Table) -> Vec<String> {
    let items = root.get("item").and_then(Item::as_table_like);
    items.into_iter().flat_map(|items| items.iter().map(|(name, _)| name.to_owned())).collect()
}

fn item<'a>(root: &'a Table, name: &str) -> Option<&'a Item> {
    root.get("item")?.as_table_like()?.get(name)
}

fn same(one: Option<&Item>, other: Option<&Item>) -> bool {
    // The text, so that comments and keys that nobody here knows count too.
    let text = |item: Option<&Item>| item.map(written);
    text(one) == text(other)
}

/// A table as it stands in a file, whatever stands before it.
fn written(item: &Item) -> String {
    let mut alone = DocumentMut::new();
    alone.insert("item", item.clone());
    alone.to_string()
}

/// Takes from `theirs` what mustdo does not know: keys that `ours` does not have or has as `base` has them. What stands under
/// `known` keys is merged elsewhere.
fn unite(ours: &mut dyn TableLike, base: &dyn TableLike, theirs: &dyn TableLike, known: &[&str]) {
    for (key, value) in theirs.iter().filter(|(key, _)| !known.contains(key)) {
        if same(base.get(key), ours.get(key)) {
            ours.insert(key, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "format = 1\nchecklist = \"own\"\n";

    fn claim(item: &str, note: &str, more: &str) -> String {
        format!(
            "\n[item.\"own.{item}\"]\nclaim = {{ at = \"2026-01-01T00:00:00Z\", note = \"{note}\" }}\n{more}"
        )
    }

    #[test]
    fn neighbours_that_both_add_stay_apart_with_every_byte() {
        let (one, two) = (claim("a", "one", ""), claim("b", "two", "# mine\nnewer = [1]\n"));
        let ours = format!("{BASE}{one}");
        let theirs = format!("{BASE}{two}");
        let merged = merge_progress(BASE, &ours, &theirs).unwrap();
        assert_eq!(merged, format!("{BASE}{one}{two}"));
        assert_eq!(merge_progress(BASE, &theirs, &ours).unwrap(), merged);
    }

    #[test]
    fn keys_of_a_newer_version_stay_where_both_changed_an_item() {
        let ours = format!("{BASE}{}", claim("a", "one", "mine = 1\n"));
        let theirs = format!("other = 2\n{BASE}{}", claim("a", "two", "yours = 2\n"));
        let merged = merge_progress(BASE, &ours, &theirs).unwrap();
        for part in ["mine = 1", "yours = 2", "other = 2", "one\\n\\ntwo"] {
            assert!(merged.contains(part), "{part}\n{merged}");
        }
    }

    #[test]
    fn item_that_one_side_removed_goes_and_nothing_is_written_over_what_can_not_be_read() {
        let base = format!("{BASE}{}{}", claim("a", "one", ""), claim("b", "two", ""));
        let ours = format!("{BASE}{}", claim("b", "two", ""));
        let theirs = format!("{BASE}{}{}", claim("a", "one", ""), claim("b", "other", ""));
        let merged = merge_progress(&base, &ours, &theirs).unwrap();
        assert_eq!(merged, format!("{BASE}{}", claim("b", "other", "")));
        assert!(merge_progress(&base, &ours, "<<<<<<<").is_err());
        assert!(merge_progress(&base, &ours, "format = 2\nchecklist = \"own\"\n").is_err());
        assert!(merge_progress(&base, &ours, "format = 1\nchecklist = \"other\"\n").is_err());
    }

    #[test]
    fn file_that_both_add_needs_no_base() {
        let (ours, theirs) =
            (format!("{BASE}{}", claim("a", "one", "")), format!("{BASE}{}", claim("b", "two", "")));
        let merged = merge_progress("", &ours, &theirs).unwrap();
        assert_eq!(merged, format!("{ours}{}", claim("b", "two", "")));
    }
}
