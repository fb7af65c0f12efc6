//! Content: what an author writes.

use std::collections::BTreeMap;

use semver::Version;

use super::{
    CardId, CheckId, ChecklistId, GroupId, ItemId, Level, Span, Tag, TargetName, Text, Value, Weight,
};

/// One file of content.
#[derive(Debug, Clone, PartialEq)]
pub struct Checklist {
    /// Also the name of its progress file.
    pub id: ChecklistId,
    /// Major: an item removed or a proof made stricter; minor: an item added; patch: words.
    pub version: Version,
    /// Its name for people.
    pub title: Text,
    /// In file order; every item's group is among them.
    pub groups: Vec<Group>,
    /// In file order.
    pub items: Vec<Item>,
}

/// A heading. Its state is computed from the items below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Unique in the workspace.
    pub id: GroupId,
    /// The heading above; none at the top.
    pub parent: Option<GroupId>,
    /// Its name for people.
    pub title: Text,
    /// Where it comes from.
    pub source: Option<String>,
    /// Quiz cards on the heading as a whole.
    pub cards: Vec<Card>,
}

/// How an item is meant to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// By a check against the learner's work.
    Verify,
    /// By recalling it.
    Quiz,
    /// By something the learner made that no program can judge whole.
    Evidence,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Verify, Self::Quiz, Self::Evidence];

    /// The word in files and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Quiz => "quiz",
            Self::Evidence => "evidence",
        }
    }
}

/// One thing to be ready in.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Unique in the workspace, never reused.
    pub id: ItemId,
    /// Ids it had before; progress under them is its own.
    pub formerly: Vec<ItemId>,
    /// The heading it stands under, of the same file.
    pub group: GroupId,
    /// Its name for people.
    pub title: Text,
    /// How much readiness asks for it.
    pub level: Level,
    /// How much it counts.
    pub weight: Weight,
    /// Items to be proven first; acyclic.
    pub needs: Vec<ItemId>,
    /// Words it is selected by.
    pub tags: Vec<Tag>,
    /// How long a proof lasts; none for the workspace's default.
    pub fresh_for: Option<Span>,
    /// Where it comes from: `seed:127`.
    pub source: Option<String>,
    /// How it is meant to be shown.
    pub kind: Kind,
    /// Shown one at a time.
    pub hints: Vec<Text>,
    /// The checks that prove it: all of them must pass.
    pub checks: Vec<CheckUse>,
    /// Quiz cards.
    pub cards: Vec<Card>,
}

/// How an item uses a check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckUse {
    /// The question.
    pub uses: CheckId,
    /// The plugin's target name to the workspace's.
    pub target: BTreeMap<TargetName, TargetName>,
    /// Parameters over the plugin's defaults, by name.
    pub with: BTreeMap<String, Value>,
    /// Globs of the learner's files that the proof depends on; a change makes it stale.
    pub watch: Vec<String>,
}

/// The forms a quiz card is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardForm {
    /// Fill in what is left out.
    Cloze,
    /// Put what belongs together together.
    Match,
    /// Pick the right one.
    Choose,
    /// Put in order.
    Order,
}

impl CardForm {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Cloze, Self::Match, Self::Choose, Self::Order];

    /// The word in files and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cloze => "cloze",
            Self::Match => "match",
            Self::Choose => "choose",
            Self::Order => "order",
        }
    }
}

/// A question whose answer is a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Unique in the workspace.
    pub id: CardId,
    /// How it is asked.
    pub form: CardForm,
    /// How many parts of the key are asked for; at least 1.
    pub blanks: u8,
    /// The question.
    pub ask: Text,
    /// The answer, in the words of the source.
    pub key: String,
    /// Where it comes from, when it is not where its item does.
    pub source: Option<String>,
}
