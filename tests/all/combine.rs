//! Checklists that were changed here and where they came from: what comes of both changes, for any two of them.

use std::collections::{BTreeMap, BTreeSet};

use mustdo::model::Checklist;
use mustdo::syntax::{
    CombinedChecklist, Prefer, Source, checklist_base, combine_checklists, read_checklist, render,
};
use proptest::prelude::*;

/// A checklist as an author thinks of it: what can change on each side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Content {
    version: u8,
    title: u8,
    /// By the letter that each had at first.
    items: BTreeMap<u8, Thing>,
    /// In which order they stand; those that are not there are left out.
    order: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Thing {
    /// How often it was given another id.
    renamed: u8,
    weight: u8,
    fresh: Option<u8>,
    hints: Option<Vec<u8>>,
    /// In any order.
    tags: BTreeSet<u8>,
    /// By check, what it is asked with.
    checks: BTreeMap<u8, u8>,
    /// Means nothing.
    comment: u8,
}

/// What somebody does to a checklist.
#[derive(Debug, Clone)]
enum Deed {
    Title(u8),
    Weight(u8),
    Fresh(Option<u8>),
    Hints(Option<Vec<u8>>),
    Tag(u8),
    Check(u8, Option<u8>),
    Comment(u8),
    Rename,
    Remove,
    Add(u8),
    First,
}

fn deed() -> impl Strategy<Value = (u8, Deed)> {
    let deed = prop_oneof![
        1 => (1..4_u8).prop_map(Deed::Title),
        4 => (1..5_u8).prop_map(Deed::Weight),
        2 => prop::option::of(1..4_u8).prop_map(Deed::Fresh),
        2 => prop::option::of(prop::collection::vec(0..9_u8, 0..3)).prop_map(Deed::Hints),
        3 => (0..5_u8).prop_map(Deed::Tag),
        3 => (0..3_u8, prop::option::of(0..3_u8)).prop_map(|(check, with)| Deed::Check(check, with)),
        2 => (1..9_u8).prop_map(Deed::Comment),
        1 => Just(Deed::Rename),
        1 => Just(Deed::Remove),
        1 => (1..5_u8).prop_map(Deed::Add),
        1 => Just(Deed::First),
    ];
    (0..6_u8, deed)
}

fn base() -> Content {
    let thing = |weight| Thing {
        weight,
        tags: BTreeSet::from([0, 1, 2]),
        checks: BTreeMap::from([(0, 0)]),
        ..Thing::default()
    };
    Content {
        version: 1,
        title: 0,
        items: (0..4).map(|item| (item, thing(1 + item))).collect(),
        order: (0..4).collect(),
    }
}

/// Does one deed after another; new items of two sides have ids of their own.
fn after(base: &Content, deeds: &[(u8, Deed)], side: u8) -> Content {
    let mut content = base.clone();
    for (item, deed) in deeds {
        let added = 10 * side + item;
        let thing = content.items.get_mut(item);
        match (deed, thing) {
            (Deed::Title(title), _) => content.title = *title,
            (Deed::First, _) => content.order.sort_by_key(|other| other != item),
            (Deed::Add(weight), _) if !content.order.contains(&added) => {
                content.items.insert(added, Thing { weight: *weight, ..Thing::default() });
                content.order.push(added);
            }
            (Deed::Weight(weight), Some(thing)) => thing.weight = *weight,
            (Deed::Fresh(days), Some(thing)) => thing.fresh = *days,
            (Deed::Hints(hints), Some(thing)) => thing.hints.clone_from(hints),
            (Deed::Tag(tag), Some(thing)) => {
                // Whoever has it takes it out.
                if !thing.tags.remove(tag) {
                    thing.tags.insert(*tag);
                }
            }
            (Deed::Check(check, Some(with)), Some(thing)) => drop(thing.checks.insert(*check, *with)),
            (Deed::Check(check, None), Some(thing)) => drop(thing.checks.remove(check)),
            (Deed::Comment(comment), Some(thing)) => thing.comment = *comment,
            // Two sides that give one item two ids contradict, so each has its own.
            (Deed::Rename, Some(thing)) => thing.renamed = side,
            (Deed::Remove, Some(_)) => drop(content.items.remove(item)),
            (Deed::Add(_), _) | (_, None) => {}
        }
    }
    content
}

fn id(item: u8, renamed: u8) -> String {
    if renamed == 0 { format!("own.i{item}") } else { format!("own.i{item}-{renamed}") }
}

/// The file.
fn written(content: &Content) -> String {
    let Content { version, title, items, order } = content;
    let mut text = format!(
        "# A list of the team's.\n\nformat = 1\nid = \"own\"\nversion = \"{version}.0.0\"\n\
         title = {{ zh = \"甲{title}\", en = \"A{title}\" }}\n\n[[group]]\nid = \"own\"\ntitle = {{ zh = \"组\", en = \"G\" }}\n"
    );
    for (item, thing) in order.iter().filter_map(|item| Some((item, items.get(item)?))) {
        let Thing { renamed, weight, fresh, hints, tags, checks, comment } = thing;
        let note = if *comment > 0 { format!("# note {item}-{comment}\n") } else { String::new() };
        let id = id(*item, *renamed);
        text.push_str(&format!("\n{note}[[item]]\nid = \"{id}\"\n"));
        if *renamed > 0 {
            text.push_str(&format!("formerly = [\"{}\"]\n", self::id(*item, 0)));
        }
        text.push_str(&format!(
            "group = \"own\"\ntitle = {{ zh = \"项\", en = \"I\" }}\nlevel = \"must\"\nweight = {weight}\n"
        ));
        // Some write them in one line, others below each other.
        let tags = tags.iter().map(|tag| format!("\"t{tag}\","));
        text.push_str(&if item % 2 == 0 {
            format!("tags = [{}]\n", tags.collect::<String>().replace(',', ", ").trim_end_matches(", "))
        } else {
            format!("tags = [\n{}]\n", tags.map(|tag| format!("  {tag}\n")).collect::<String>())
        });
        if let Some(days) = fresh {
            text.push_str(&format!("fresh-for = \"{days}d\" # days\n"));
        }
        if let Some(hints) = hints {
            let hints = hints.iter().map(|hint| format!("    {{ zh = \"{hint}\", en = \"{hint}\" }},\n"));
            text.push_str(&format!("hints = [ # [[item]]\n{}]\n", hints.collect::<String>()));
        }
        for (check, with) in checks {
            text.push_str(&format!("\n[[item.check]]\nuses = \"p/c{check}\"\nwith = {{ n = {with} }}\n"));
        }
    }
    text
}

/// The same as `Content` from a file, without what means nothing.
fn read(text: &str) -> Content {
    let read = read_checklist(&Source::new("own.toml", text));
    assert!(read.diagnostics.is_empty(), "{}\n{text}", render(&read.diagnostics, false));
    content(read.value.unwrap().checklist())
}

fn content(checklist: &Checklist) -> Content {
    let number = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
    let items = checklist.items.iter().map(|item| {
        let rest = item.id.as_str().strip_prefix("own.i").unwrap();
        let (letter, renamed) = rest.split_once('-').unwrap_or((rest, "0"));
        let checks = item.checks.iter().map(|check| {
            let with = format!("{:?}", check.with["n"]);
            (number(check.uses.to_string().as_str()), number(&with))
        });
        let hints = item.hints.iter().map(|hint| number(&hint.en)).collect::<Vec<u8>>();
        let thing = Thing {
            renamed: number(renamed),
            weight: u8::try_from(item.weight.get()).unwrap(),
            fresh: item.fresh_for.map(|span| number(&span.to_string())),
            // An empty list and none mean the same.
            hints: (!hints.is_empty()).then_some(hints),
            tags: item.tags.iter().map(|tag| number(tag.as_str())).collect(),
            checks: checks.collect(),
            comment: 0,
        };
        (number(letter), thing)
    });
    Content {
        version: u8::try_from(checklist.version.major).unwrap(),
        title: number(&checklist.title.en),
        items: items.collect(),
        order: vec![],
    }
}

/// What both sides made of a value; none where they contradict.
fn three<T: PartialEq + Clone>(base: &T, ours: &T, theirs: &T) -> Option<T> {
    if ours == theirs || base == theirs { Some(ours.clone()) } else { (base == ours).then(|| theirs.clone()) }
}

/// What should come of both, by value; none where anything contradicts.
fn expected(base: &Content, ours: &Content, theirs: &Content) -> Option<Content> {
    let mut items = BTreeMap::new();
    let names: BTreeSet<_> = [base, ours, theirs].iter().flat_map(|content| content.items.keys()).collect();
    for name in names {
        let of = |content: &Content| content.items.get(name).cloned();
        let (old, here, there) = (of(base), of(ours), of(theirs));
        let merged = match (old, here, there) {
            (old, Some(here), Some(there)) => {
                let old = old.unwrap_or_default();
                let checks = [&old, &here, &there].into_iter().flat_map(|thing| thing.checks.keys());
                let mut merged = BTreeMap::new();
                for check in checks.collect::<BTreeSet<_>>() {
                    let [old, here, there] = [&old, &here, &there].map(|thing| thing.checks.get(check));
                    merged.extend(three(&old, &here, &there)?.map(|with| (*check, *with)));
                }
                Some(Thing {
                    renamed: three(&old.renamed, &here.renamed, &there.renamed)?,
                    weight: three(&old.weight, &here.weight, &there.weight)?,
                    fresh: three(&old.fresh, &here.fresh, &there.fresh)?,
                    hints: three(&old.hints, &here.hints, &there.hints)?.filter(|hints| !hints.is_empty()),
                    tags: (0..9)
                        .filter(|tag| {
                            let [old, here, there] =
                                [&old, &here, &there].map(|thing| thing.tags.contains(tag));
                            three(&old, &here, &there).unwrap_or_default()
                        })
                        .collect(),
                    checks: merged,
                    comment: 0,
                })
            }
            (None, here, there) => here.or(there),
            // A comment of the user's is a change, a comment of the others' is none.
            (Some(old), Some(here), None) if here != old => return None,
            (Some(mut old), None, Some(there)) => {
                old.comment = there.comment;
                if there != old {
                    return None;
                }
                None
            }
            (Some(_), _, _) => None,
        };
        items.extend(merged.map(|mut thing| {
            thing.comment = 0;
            thing.hints = thing.hints.filter(|hints| !hints.is_empty());
            (*name, thing)
        }));
    }
    Some(Content {
        version: three(&base.version, &ours.version, &theirs.version)
            .unwrap_or(ours.version.max(theirs.version)),
        title: three(&base.title, &ours.title, &theirs.title)?,
        items,
        order: vec![],
    })
}

fn combine(base: Option<&str>, ours: &str, theirs: &str, prefer: Option<Prefer>) -> CombinedChecklist {
    let (ours, theirs) = (Source::new("own.toml", ours), Source::new("team/own.toml", theirs));
    combine_checklists("own", base, &ours, &theirs, prefer)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Each value is that of the side that changed it, whatever the other did; what contradicts is told and nothing else; a second
    /// update changes nothing; sides that do not contradict may come in any order.
    #[test]
    fn no_change_is_lost_and_none_is_made_up(
        here in prop::collection::vec(deed(), 0..6),
        there in prop::collection::vec(deed(), 0..6),
        versions in (1..4_u8, 1..4_u8),
    ) {
        let old = base();
        let (mut ours, mut theirs) = (after(&old, &here, 1), after(&old, &there, 2));
        (ours.version, theirs.version) = versions;
        let texts = [&old, &ours, &theirs].map(written);
        let [base, mine, other] = texts.each_ref().map(String::as_str);
        let combined = combine(Some(base), mine, other, None);
        let Some(expected) = expected(&old, &ours, &theirs) else {
            prop_assert!(!combined.conflicts.is_empty(), "{mine}\n----\n{other}\n----\n{}", combined.text);
            // What does not contradict is taken whatever is preferred, and then nothing is asked again.
            for prefer in [Prefer::Ours, Prefer::Theirs] {
                let settled = combine(Some(base), mine, other, Some(prefer));
                prop_assert!(settled.conflicts.is_empty() && !settled.marked);
                read(&settled.text);
                let again = combine(Some(other), &settled.text, other, None);
                prop_assert_eq!(&again.text, &settled.text);
            }
            let both = combine(Some(base), mine, other, Some(Prefer::Both));
            prop_assert!(both.marked && both.conflicts.is_empty());
            return Ok(());
        };
        prop_assert_eq!(&combined.conflicts, &vec![], "{}", render(&combined.conflicts, false));
        prop_assert_eq!(read(&combined.text), expected.clone(), "{}\n----\n{}\n----\n{}", mine, other, combined.text);
        // Comments of the user's stay.
        for line in mine.lines().filter(|line| line.starts_with("# ")) {
            prop_assert!(combined.text.contains(line), "{line}\n{}", combined.text);
        }
        // A kill before the lock was written, and a second update after it.
        for known in [base, other] {
            let again = combine(Some(known), &combined.text, other, None);
            prop_assert_eq!(&again.text, &combined.text);
            prop_assert_eq!(&again.conflicts, &vec![]);
        }
        let swapped = combine(Some(base), other, mine, None);
        // Of two comments one stays; that a comment was changed where the item went is asked of the user alone.
        if swapped.conflicts.is_empty() {
            prop_assert_eq!(read(&swapped.text), expected);
        }
    }

    /// One update after the other comes to the same as the last alone.
    #[test]
    fn updates_that_were_left_out_make_no_difference(
        here in prop::collection::vec(deed(), 0..4),
        first in prop::collection::vec(deed(), 0..4),
        then in prop::collection::vec(deed(), 0..4),
    ) {
        let old = base();
        let ours = after(&old, &here, 1);
        let middle = after(&old, &first, 2);
        let last = after(&middle, &then, 2);
        let [base, mine, middle, last] = [&old, &ours, &middle, &last].map(written);
        let step = combine(Some(&base), &mine, &middle, None);
        let both = combine(Some(&middle), &step.text, &last, None);
        let once = combine(Some(&base), &mine, &last, None);
        if [&step, &both, &once].iter().all(|combined| combined.conflicts.is_empty()) {
            prop_assert_eq!(read(&both.text), read(&once.text));
        }
    }
}

fn team() -> String {
    written(&base())
}

#[test]
fn what_one_side_changed_is_taken_byte_for_byte() {
    let base = team();
    let ours =
        base.replace("weight = 2\n", "weight  =  5   # mine\n").replace("[[group]]", "# above\n[[group]]");
    let theirs = base.replace("level = \"must\"\nweight = 2", "level = \"should\"\nweight = 2");
    let combined = combine(Some(&base), &ours, &theirs, None);
    let expected = ours.replace("level = \"must\"\nweight  =  5", "level = \"should\"\nweight  =  5");
    assert_eq!((combined.text, combined.conflicts), (expected, vec![]));
}

#[test]
fn entries_of_a_list_without_an_order_are_things_of_their_own() {
    let merged = |base: &str, ours: &str, theirs: &str| {
        let text = |tags: &str| team().replace("tags = [\"t0\", \"t1\", \"t2\"]", tags);
        let [base, ours, theirs] = [base, ours, theirs].map(text);
        let combined = combine(Some(&base), &ours, &theirs, None);
        combined.conflicts.is_empty().then(|| {
            let from = combined.text.find("level = \"must\"\nweight = 1\n").unwrap();
            let list = combined.text[from..].split("weight = 1\n").nth(1).unwrap();
            list.split("\n\n").next().unwrap().to_owned()
        })
    };
    let base = "tags = [\"a\", \"b\"]";
    for (ours, theirs, expected) in [
        (
            "tags = [\"a\", \"b\", \"mine\"] # m",
            "tags = [\"z\", \"b\", \"a\"]",
            "tags = [\"a\", \"b\", \"mine\", \"z\"] # m",
        ),
        ("tags = [\"b\", \"a\"]", "tags = [\"b\"]", "tags = [\"b\"]"),
        ("tags = [\"a\"]", "tags = [\"b\"]", "tags = []"),
        ("tags = []", "tags = [\"a\", \"b\", \"z\"]", "tags = [\"z\"]"),
        (
            "tags = [\n  # why\n  \"a\",\n  \"b\", # and\n]",
            "tags = [\"a\", \"b\", \"z\"]",
            "tags = [\n  # why\n  \"a\",\n  \"b\", # and\n  \"z\",\n]",
        ),
    ] {
        assert_eq!(merged(base, ours, theirs).as_deref(), Some(expected), "{ours}");
    }
    // A comment on what goes, an entry that is there twice, and a list in order are asked about.
    assert_eq!(merged(base, "tags = [\n  # mine\n  \"a\",\n]", "tags = [\"b\", \"z\"]"), None);
    assert_eq!(merged(base, "tags = [\"a\", \"a\"]", "tags = [\"b\", \"z\"]"), None);
    let hint = |text: &str| format!("hints = [{{ zh = \"{text}\", en = \"{text}\" }}]");
    assert_eq!(merged(&hint("1"), &hint("2"), &hint("3")), None);
}

#[test]
fn line_endings_are_those_of_the_user_and_no_change() {
    let base = team();
    let ours = base.replace('\n', "\r\n");
    let theirs = base.replace("weight = 2", "weight = 4");
    let combined = combine(Some(&base), &ours, &theirs, None);
    assert_eq!(combined.text, theirs.replace('\n', "\r\n"));
    assert_eq!(checklist_base(&format!("\u{feff}{ours}")), base);
    let edited = ours.replace("weight = 1", "weight = 5");
    let combined = combine(Some(&base), &edited, &theirs, None);
    assert_eq!(combined.text, theirs.replace("weight = 1", "weight = 5").replace('\n', "\r\n"));
}

#[test]
fn contradiction_is_told_with_both_places() {
    let base = team();
    let (ours, theirs) = (base.replace("weight = 2", "weight = 3"), base.replace("weight = 2", "weight = 4"));
    let combined = combine(Some(&base), &ours, &theirs, None);
    let told = render(&combined.conflicts, false);
    for words in [
        "E0801",
        "weight of item \"own.i1\" was changed here and in team/own.toml",
        "weight = 3",
        "weight = 4",
        "own.toml:",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    let resolved = |prefer| combine(Some(&base), &ours, &theirs, Some(prefer)).text;
    assert_eq!((resolved(Prefer::Ours), resolved(Prefer::Theirs)), (ours.clone(), theirs.clone()));
    let marks = "<<<<<<< yours\nweight = 3\n=======\nweight = 4\n>>>>>>> team/own.toml\n";
    assert_eq!(resolved(Prefer::Both), base.replace("weight = 2\n", marks));
}

#[test]
fn item_that_one_side_removed_and_the_other_changed_is_asked_about() {
    let base = team();
    let item = base.split("\n\n").find(|block| block.contains("own.i1")).unwrap();
    let without =
        base.replace(&format!("\n\n{item}\n\n[[item.check]]\nuses = \"p/c0\"\nwith = {{ n = 0 }}"), "");
    assert!(!without.contains("own.i1"), "{without}");
    let changed = base.replace("weight = 2", "weight = 4");
    for (ours, theirs, words) in [
        (&without, &changed, "removed here and changed in"),
        (&changed, &without, "changed here and removed in"),
    ] {
        let combined = combine(Some(&base), ours, theirs, None);
        let told = render(&combined.conflicts, false);
        assert!(told.contains(words) && told.contains("own.i1"), "{told}");
        assert_eq!(&combine(Some(&base), ours, theirs, Some(Prefer::Ours)).text, ours);
        assert_eq!(&combine(Some(&base), ours, theirs, Some(Prefer::Theirs)).text, theirs);
    }
    // What was removed here and is as it was there stays removed.
    let elsewhere = base.replace("weight = 1", "weight = 4");
    let combined = combine(Some(&base), &without, &elsewhere, None);
    assert_eq!(combined.text, without.replace("weight = 1", "weight = 4"));
}

#[test]
fn change_here_follows_an_item_that_was_renamed_there() {
    let base = team();
    let ours = base.replace("weight = 2\n", "weight = 2\nfresh-for = \"9d\"\n");
    let theirs = base.replace("id = \"own.i1\"", "id = \"own.new\"\nformerly = [\"own.i1\"]");
    let combined = combine(Some(&base), &ours, &theirs, None);
    let expected = theirs.replace("weight = 2\n", "weight = 2\nfresh-for = \"9d\"\n");
    assert_eq!((combined.text, combined.conflicts), (expected, vec![]));
}

#[test]
fn without_a_base_nothing_is_decided_and_nothing_lost() {
    let (base, other) = (team(), team().replace("weight = 2", "weight = 4"));
    assert_eq!(combine(None, &base, &base, None).conflicts, []);
    let combined = combine(None, &base, &other, None);
    assert_eq!(combined.text, base);
    let told = render(&combined.conflicts, false);
    assert!(told.contains("E0802"), "{told}");
    assert_eq!(combine(None, &base, &other, Some(Prefer::Ours)).text, base);
    assert_eq!(combine(None, &base, &other, Some(Prefer::Theirs)).text, other);
    let both = combine(None, &base, &other, Some(Prefer::Both));
    assert!(
        both.marked && both.text.contains("<<<<<<< yours\nweight = 2\n=======\nweight = 4\n"),
        "{}",
        both.text
    );
    assert_eq!(both.text.matches("<<<<<<<").count(), 1, "only what differs is asked");
}

#[test]
fn what_can_not_be_taken_apart_is_a_whole() {
    let base = team();
    let twice = base.clone() + "\n[[item]]\nid = \"own.i1\"\n";
    let other = base.replace("weight = 2", "weight = 4");
    assert_eq!(combine(Some(&base), &twice, &base, None).text, twice);
    let combined = combine(Some(&base), &twice, &other, None);
    assert_eq!((combined.text, combined.conflicts.len()), (twice, 1));
}

#[test]
fn what_stands_at_the_top_stays_above_what_is_new_there() {
    let base = team();
    let title = "title = { zh = \"甲0\", en = \"A0\" }\n";
    let ours = base.replace(title, &format!("{title}needs-mustdo = \"0.1.0\"\n"));
    let group = "\n[[group]]\nid = \"zero\"\ntitle = { zh = \"零\", en = \"Zero\" }\n";
    let theirs = base.replace(title, &format!("{title}{group}"));
    let combined = combine(Some(&base), &ours, &theirs, None);
    let expected = base.replace(title, &format!("{title}needs-mustdo = \"0.1.0\"\n{group}"));
    assert_eq!((combined.text, combined.conflicts), (expected, vec![]));
}
