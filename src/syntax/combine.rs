//! A checklist that was changed here and where it came from: both changes in one text.
//!
//! Items, groups, checks and cards are told apart by their ids, and what stands in them by its keys ([`part`](super::part)).
//! What one side alone changed is taken from there byte for byte; comments of the user's stay. Of lists whose order means nothing
//! ([`SETS`]), each entry is a thing of its own. Where both changed one other value, or one changed what the other took away, nobody
//! but the user knows what is right.

use std::collections::{HashMap, HashSet};
use std::mem;

use semver::Version;
use toml_edit::{Array, Value};

use super::edit::Shape;
use super::part::{Body, Name, Part, Parted};
use super::{Code, Diagnostic, Source};

/// Keys of blocks whose list may stand in any order and mean the same.
const SETS: [(&str, &str); 4] =
    [("item ", "tags "), ("item ", "needs "), ("item ", "formerly "), ("check ", "watch ")];

/// What to write where both sides changed one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    /// What stands here.
    Ours,
    /// What stands where it came from.
    Theirs,
    /// Both, between the marks that git uses, for the user to choose.
    Both,
}

/// What came of two changed texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombinedChecklist {
    /// Both changes; of what contradicts, this side's, unless something else was preferred. It need not be a checklist: two
    /// changes that are right alone can be wrong together.
    pub text: String,
    /// What contradicts, where nothing was preferred.
    pub conflicts: Vec<Diagnostic>,
    /// Whether marks of both sides stand in the text.
    pub marked: bool,
}

/// The text whose digest is remembered of a checklist: without a byte order mark, with Unix line endings and one at the end,
/// so that git's conversion of line endings is no change.
#[must_use]
pub fn checklist_base(text: &str) -> String {
    let (_, mut text) = Shape::of(text);
    if !(text.is_empty() || text.ends_with('\n')) {
        text.push('\n');
    }
    text
}

/// Puts the changes of `ours` and of `theirs` together, both made of `base`; none where nobody knows what that was.
///
/// The line endings are those of `ours`. Of two version numbers that both changed, the higher one is right. `name` is what the
/// checklist is called.
#[must_use]
pub fn combine_checklists(
    name: &str,
    base: Option<&str>,
    ours: &Source,
    theirs: &Source,
    prefer: Option<Prefer>,
) -> CombinedChecklist {
    let (shape, _) = Shape::of(&ours.text);
    let base = base.map(checklist_base);
    let [ours, theirs] =
        [ours, theirs].map(|side| Source::new(side.name.clone(), checklist_base(&side.text)));
    let mut work = Work { name, ours: &ours, theirs: &theirs, prefer, conflicts: vec![], marked: false };
    let text = work.whole(base.as_deref());
    let Work { conflicts, marked, .. } = work;
    CombinedChecklist { text: shape.dress(&text), conflicts, marked }
}

struct Work<'a> {
    name: &'a str,
    ours: &'a Source,
    theirs: &'a Source,
    prefer: Option<Prefer>,
    conflicts: Vec<Diagnostic>,
    marked: bool,
}

/// A part and the text it is of.
#[derive(Clone, Copy)]
struct Piece<'a> {
    part: &'a Part,
    text: &'a str,
}

impl<'a> Piece<'a> {
    fn all(self) -> &'a str {
        &self.text[self.part.span()]
    }

    fn lead(self) -> &'a str {
        &self.text[self.part.lead.clone()]
    }

    /// What stands before the value of a statement, or the line of a block's header.
    fn header(self) -> &'a str {
        match &self.part.body {
            Body::Statement { key: span, .. } | Body::Block { header: span, .. } => &self.text[span.clone()],
        }
    }

    /// The value of a statement.
    fn value(self) -> &'a str {
        match &self.part.body {
            Body::Statement { value, .. } => &self.text[value.clone()],
            Body::Block { .. } => "",
        }
    }

    /// What stands behind it.
    fn rest(self) -> &'a str {
        match &self.part.body {
            Body::Statement { rest, .. } => &self.text[rest.clone()],
            Body::Block { .. } => "",
        }
    }

    /// The parts of a block.
    fn parts(self) -> &'a [Part] {
        match &self.part.body {
            Body::Statement { .. } => &[],
            Body::Block { parts, .. } => parts,
        }
    }
}

/// The same part as it was, is here, and is there.
#[derive(Clone, Copy)]
struct Three<T> {
    base: T,
    ours: T,
    theirs: T,
}

impl<'a> Three<Option<Piece<'a>>> {
    fn map<T>(self, of: impl Fn(Piece<'a>) -> T) -> Three<Option<T>> {
        Three { base: self.base.map(&of), ours: self.ours.map(&of), theirs: self.theirs.map(&of) }
    }
}

impl<T: PartialEq> Three<T> {
    /// The side that alone changed it, or that both agree on; none where they contradict.
    fn settled(self) -> Option<T> {
        if self.ours == self.theirs || self.base == self.theirs {
            Some(self.ours)
        } else if self.base == self.ours {
            Some(self.theirs)
        } else {
            None
        }
    }

    /// What does not matter enough to ask: the user's word, where the user said anything.
    fn or_ours(self) -> T {
        if self.base == self.ours { self.theirs } else { self.ours }
    }
}

impl Work<'_> {
    fn whole(&mut self, base: Option<&str>) -> String {
        let (ours, theirs) = (self.ours, self.theirs);
        if ours.text == theirs.text || base == Some(&*theirs.text) {
            return ours.text.to_string();
        }
        if base == Some(&*ours.text) {
            return theirs.text.to_string();
        }
        let parted = [base.unwrap_or_default(), &ours.text, &theirs.text].map(Parted::of);
        match (base, self.prefer, parted) {
            (Some(_), _, [Some(base), Some(ours), Some(theirs)]) => self.document(&base, &ours, &theirs),
            (None, Some(Prefer::Both), [Some(base), Some(ours), Some(theirs)]) => {
                self.document(&base, &ours, &theirs)
            }
            (None, ..) => {
                let message =
                    format!("{} was changed here, and what it was changed from is not known", self.name);
                let lost = Diagnostic::new(Code::LostBase, message, ours.spot(0..0), "");
                self.conflict(lost.also(theirs.spot(0..0), "what it came from has this now"));
                self.preferred(&ours.text, &theirs.text)
            }
            (Some(_), ..) => {
                let message = format!("{} was changed here and in {}", self.name, theirs.name);
                let conflict = Diagnostic::new(Code::Conflict, message, ours.spot(0..0), "");
                self.conflict(conflict.also(theirs.spot(0..0), "there"));
                self.preferred(&ours.text, &theirs.text)
            }
        }
    }

    fn document(&mut self, base: &Parted<'_>, ours: &Parted<'_>, theirs: &Parted<'_>) -> String {
        let sides = Three { base, ours, theirs };
        let parts = Three { base: &*base.parts, ours: &*ours.parts, theirs: &*theirs.parts };
        let mut text = self.parts(sides, parts, "");
        text.push_str(Three { base: base.end(), ours: ours.end(), theirs: theirs.end() }.or_ours());
        text
    }

    /// The parts of all sides below one heading, in an order that all agree with who did not change it.
    fn parts(&mut self, sides: Three<&Parted<'_>>, parts: Three<&[Part]>, above: &str) -> String {
        let base: Vec<_> = parts.base.iter().map(|part| (part.name.clone(), part)).collect();
        let (ours, theirs) = (named(parts.ours, parts.base), named(parts.theirs, parts.base));
        let order = order(&names(&base), &names(&ours), &names(&theirs));
        let find = Three { base: table(&base), ours: table(&ours), theirs: table(&theirs) };
        let (mut statements, mut blocks) = (String::new(), String::new());
        for name in order {
            let three = Three {
                base: find.base.get(name).map(|part| Piece { part, text: sides.base.text }),
                ours: find.ours.get(name).map(|part| Piece { part, text: sides.ours.text }),
                theirs: find.theirs.get(name).map(|part| Piece { part, text: sides.theirs.text }),
            };
            let text = self.part(sides, three, above);
            // In a table, what stands behind a header is the header's.
            match name {
                Name::Key(_) => statements.push_str(&text),
                Name::Block(..) => blocks.push_str(&text),
            }
        }
        statements + &blocks
    }

    fn part(&mut self, sides: Three<&Parted<'_>>, three: Three<Option<Piece<'_>>>, above: &str) -> String {
        if let Some(settled) = three.map(Piece::all).settled() {
            return settled.unwrap_or_default().to_owned();
        }
        let Three { base, ours, theirs } = three;
        let told = |piece: Piece<'_>| {
            let own = piece.part.name.told();
            if above.is_empty() { own } else { format!("{own} of {above}") }
        };
        match (ours, theirs) {
            (Some(one), Some(_)) => match &one.part.body {
                Body::Statement { .. } => self.statement(three, above, &told(one)),
                Body::Block { .. } => self.block(sides, three, &told(one)),
            },
            (Some(ours), None) => {
                let message = format!("{} was changed here and removed in {}", told(ours), self.theirs.name);
                let spot = self.ours.spot(ours.part.spot(ours.text));
                self.conflict(Diagnostic::new(Code::Conflict, message, spot, "yours"));
                self.preferred(ours.all(), "")
            }
            (None, Some(theirs)) => {
                let changed =
                    base.is_none_or(|base| base.part.meaning(base.text) != theirs.part.meaning(theirs.text));
                if !changed {
                    return String::new();
                }
                let message =
                    format!("{} was removed here and changed in {}", told(theirs), self.theirs.name);
                let spot = self.theirs.spot(theirs.part.spot(theirs.text));
                self.conflict(Diagnostic::new(Code::Conflict, message, spot, "what it is there"));
                self.preferred("", theirs.all())
            }
            (None, None) => String::new(),
        }
    }

    fn block(&mut self, sides: Three<&Parted<'_>>, three: Three<Option<Piece<'_>>>, told: &str) -> String {
        let [lead, header] = [three.map(Piece::lead), three.map(Piece::header)]
            .map(|three| three.or_ours().unwrap_or_default());
        let parts = three.map(Piece::parts);
        let [base, ours, theirs] = [parts.base, parts.ours, parts.theirs].map(Option::unwrap_or_default);
        let body = self.parts(sides, Three { base, ours, theirs }, told);
        format!("{lead}{header}{body}")
    }

    fn statement(&mut self, three: Three<Option<Piece<'_>>>, above: &str, told: &str) -> String {
        let [lead, key, rest] = [three.map(Piece::lead), three.map(Piece::header), three.map(Piece::rest)]
            .map(|three| three.or_ours().unwrap_or_default());
        let values = three.map(Piece::value);
        let higher = || if above.is_empty() && told == "version" { highest(values) } else { None };
        if let Some(value) = values.settled().flatten().or_else(higher) {
            return format!("{lead}{key}{value}{rest}");
        }
        let is_set = SETS.iter().any(|(kind, key)| above.starts_with(kind) && told.starts_with(key));
        if let Some(value) = is_set.then(|| entries(values)).flatten() {
            return format!("{lead}{key}{value}{rest}");
        }
        let (Some(ours), Some(theirs)) = (three.ours, three.theirs) else { return String::new() };
        let message = format!("{told} was changed here and in {}", self.theirs.name);
        let conflict =
            Diagnostic::new(Code::Conflict, message, self.ours.spot(ours.part.spot(ours.text)), "yours");
        self.conflict(conflict.also(self.theirs.spot(theirs.part.spot(theirs.text)), "theirs"));
        let [ours, theirs] = [ours, theirs].map(|piece| &piece.all()[piece.lead().len()..]);
        format!("{lead}{}", self.preferred(ours, theirs))
    }

    fn conflict(&mut self, conflict: Diagnostic) {
        if self.prefer.is_none() {
            self.conflicts.push(conflict);
        }
    }

    fn preferred(&mut self, ours: &str, theirs: &str) -> String {
        match self.prefer {
            None | Some(Prefer::Ours) => ours.to_owned(),
            Some(Prefer::Theirs) => theirs.to_owned(),
            Some(Prefer::Both) => {
                self.marked = true;
                format!("<<<<<<< yours\n{ours}=======\n{theirs}>>>>>>> {}\n", self.theirs.name)
            }
        }
    }
}

/// The higher of two versions; none where one is no version.
fn highest(values: Three<Option<&str>>) -> Option<&str> {
    let version = |value: &str| value.trim_matches(['"', '\'']).parse::<Version>().ok();
    let (ours, theirs) = (values.ours?, values.theirs?);
    Some(if version(ours)? >= version(theirs)? { ours } else { theirs })
}

/// The list that has what either side added and nothing that either took out, laid out as this side's; none where a side is no list
/// of different strings, or where a comment would be lost.
fn entries(values: Three<Option<&str>>) -> Option<String> {
    let strings = |array: &Array| -> Option<Vec<String>> {
        let found: Option<Vec<_>> = array.iter().map(|entry| entry.as_str().map(str::to_owned)).collect();
        let found = found?;
        (found.iter().collect::<HashSet<_>>().len() == found.len()).then_some(found)
    };
    let array = |value: &str| value.parse::<Value>().ok()?.as_array().cloned();
    let mut list = array(values.ours?)?;
    let base = values.base.map_or(Some(vec![]), |base| strings(&array(base)?))?;
    let (ours, theirs) = (strings(&list)?, strings(&array(values.theirs?)?)?);
    for (at, _) in
        ours.iter().enumerate().rev().filter(|(_, entry)| base.contains(entry) && !theirs.contains(entry))
    {
        if list.remove(at).to_string().contains('#') {
            return None;
        }
    }
    // What is new stands as the last entry does, without its comments; an entry that became the first, as the first did.
    let before = |entry: &Value| {
        entry.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned()
    };
    let last = list.iter().last().map(before).unwrap_or_default();
    let indent = last.rfind('\n').map_or(" ", |at| &last[at..]);
    if let Some(first) = list.get_mut(0).filter(|first| before(first).trim_start_matches(' ').is_empty()) {
        first.decor_mut().set_prefix("");
    }
    // A comment behind the last entry stays there.
    let end = list.trailing().as_str().unwrap_or_default().to_owned();
    let (mut comment, end) = end.split_at(end.rfind('\n').filter(|_| end.contains('#')).unwrap_or(0));
    for entry in theirs.iter().filter(|entry| !ours.contains(entry) && !base.contains(entry)) {
        let mut entry = Value::from(entry.as_str());
        let indent = if list.is_empty() { "" } else { indent };
        entry.decor_mut().set_prefix(format!("{}{indent}", mem::take(&mut comment)));
        list.set_trailing(end);
        list.push_formatted(entry);
    }
    Some(list.to_string())
}

/// The parts of a side by the names they have in `base`: an item that was given another id is the one it was.
fn named<'a>(parts: &'a [Part], base: &[Part]) -> Vec<(Name, &'a Part)> {
    let before: HashSet<&Name> = base.iter().map(|part| &part.name).collect();
    let mut taken: HashSet<Name> = parts.iter().map(|part| part.name.clone()).collect();
    let mut renamed = |part: &Part| {
        let (Name::Block(kind, Some(_)), Body::Block { formerly, .. }) = (&part.name, &part.body) else {
            return None;
        };
        if before.contains(&part.name) {
            return None;
        }
        let names = formerly.iter().map(|id| Name::Block(kind.clone(), Some(id.clone())));
        names.into_iter().find(|name| before.contains(name) && taken.insert(name.clone()))
    };
    parts.iter().map(|part| (renamed(part).unwrap_or_else(|| part.name.clone()), part)).collect()
}

fn names<'a>(parts: &'a [(Name, &Part)]) -> Vec<&'a Name> {
    parts.iter().map(|(name, _)| name).collect()
}

fn table<'a, 'b>(parts: &'b [(Name, &'a Part)]) -> HashMap<&'b Name, &'a Part> {
    parts.iter().map(|(name, part)| (name, *part)).collect()
}

/// Every name in the order of the side that changed it, else of this side; what only the other side has stands there behind
/// what it stands behind on its own side.
fn order<'a>(base: &[&'a Name], ours: &[&'a Name], theirs: &[&'a Name]) -> Vec<&'a Name> {
    let at: HashMap<_, _> = base.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let follows = |side: &[&Name]| side.iter().filter_map(|name| at.get(name)).is_sorted();
    let (main, other) = if follows(ours) && !follows(theirs) { (theirs, ours) } else { (ours, theirs) };
    let known: HashSet<_> = main.iter().collect();
    let mut behind: HashMap<Option<&Name>, Vec<&'a Name>> = HashMap::new();
    let mut last = None;
    for name in other {
        if known.contains(name) {
            last = Some(*name);
        } else {
            behind.entry(last).or_default().push(name);
        }
    }
    let mut order = behind.remove(&None).unwrap_or_default();
    for name in main {
        order.push(name);
        order.extend(behind.remove(&Some(*name)).unwrap_or_default());
    }
    order
}
