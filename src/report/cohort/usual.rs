//! The checklists as most learners have them: what the others' are held against, so that nobody's easier list goes unseen.

use std::collections::{BTreeMap, HashMap};

use super::{ChecklistLine, ItemLine, LearnerInput, Mark, Seen, SeenChecklist};
use crate::model::{Checklist, ChecklistId, Digest, ItemId, Text, plain};

/// What most have.
pub(super) struct Usual {
    /// In the order of the first learner that has each.
    checklists: Vec<UsualChecklist>,
    /// How many learners were read.
    learners: usize,
}

struct UsualChecklist {
    id: ChecklistId,
    version: String,
    digest: Digest,
    title: Text,
    /// How many have it at all, and how many have it so.
    holders: (usize, usize),
    asked_for: bool,
    items: Vec<ItemLine>,
}

impl Usual {
    pub(super) fn of(wanted: &[ChecklistId], learners: &[LearnerInput]) -> Self {
        let read = || learners.iter().filter_map(|learner| learner.seen.as_ref().ok());
        let mut order: Vec<&ChecklistId> = vec![];
        let mut variants: BTreeMap<&ChecklistId, BTreeMap<Digest, Vec<&Checklist>>> = BTreeMap::new();
        for seen in read() {
            for own in &seen.checklists {
                let Some(checklist) = seen.catalog.checklist(&own.id) else { continue };
                if !variants.contains_key(&own.id) {
                    order.push(&own.id);
                }
                variants.entry(&own.id).or_default().entry(own.digest).or_default().push(checklist);
            }
        }
        let checklists = order.into_iter().filter_map(|id| {
            let variants = variants.get(id)?;
            let holders = variants.values().map(Vec::len).sum();
            // Of two that equally many have, the later version.
            let (digest, same) = variants
                .iter()
                .max_by_key(|(_, same)| (same.len(), same.first().map(|list| &list.version)))?;
            let list = same.first()?;
            let item = |item: &crate::model::Item| ItemLine {
                id: item.id.clone(),
                checklist: id.clone(),
                title: clean(&item.title),
                level: item.level,
                stands: vec![None; learners.len()],
            };
            Some(UsualChecklist {
                id: id.clone(),
                version: list.version.to_string(),
                digest: *digest,
                title: clean(&list.title),
                holders: (holders, same.len()),
                asked_for: wanted.contains(id),
                items: list.items.iter().map(item).collect(),
            })
        });
        let mut usual = Self { checklists: checklists.collect(), learners: read().count() };
        for id in wanted {
            if usual.checklists.iter().any(|usual| usual.id == *id) {
                continue;
            }
            usual.checklists.push(UsualChecklist {
                id: id.clone(),
                version: String::new(),
                digest: Digest::of(b""),
                title: Text::same(id.as_str()),
                holders: (0, 0),
                asked_for: true,
                items: vec![],
            });
        }
        usual
    }

    /// Whether it is one learner's alone, where others were read too.
    fn is_own(&self, checklist: &UsualChecklist) -> bool {
        checklist.holders.0 == 1 && self.learners > 1 && !checklist.asked_for
    }

    fn shared(&self) -> impl Iterator<Item = &UsualChecklist> {
        self.checklists.iter().filter(|checklist| !self.is_own(checklist))
    }

    pub(super) fn lines(self) -> Vec<ChecklistLine> {
        let lines = self.shared().map(|checklist| ChecklistLine {
            id: checklist.id.clone(),
            title: checklist.title.clone(),
            version: checklist.version.clone(),
            learners: checklist.holders.1,
        });
        lines.collect()
    }

    /// The items that are usual, with where each stands for each learner.
    pub(super) fn items(&self, learners: &[LearnerInput]) -> Vec<ItemLine> {
        let mut lines: Vec<ItemLine> =
            self.shared().flat_map(|checklist| checklist.items.iter().cloned()).collect();
        let places: HashMap<ItemId, usize> =
            lines.iter().enumerate().map(|(index, line)| (line.id.clone(), index)).collect();
        for (column, learner) in learners.iter().enumerate() {
            let Ok(seen) = &learner.seen else { continue };
            for SeenChecklist { id, digest: _, stands } in &seen.checklists {
                let Some(checklist) = seen.catalog.checklist(id) else { continue };
                for (item, stand) in checklist.items.iter().zip(stands) {
                    let line = places.get(&item.id).and_then(|&index| lines.get_mut(index));
                    // The same id in another checklist is another item.
                    if let Some(line) = line.filter(|line| line.checklist == *id) {
                        line.stands[column] = Some(*stand);
                    }
                }
            }
        }
        lines
    }

    /// In what a learner's checklists are not the usual ones.
    pub(super) fn marks(&self, seen: &Seen) -> Vec<Mark> {
        let mut marks = vec![];
        for usual in &self.checklists {
            let checklist = usual.id.clone();
            let own = seen.checklists.iter().find(|own| own.id == usual.id);
            let version = seen.catalog.checklist(&usual.id).map(|list| list.version.to_string());
            match (own, version) {
                (Some(_), Some(_)) if self.is_own(usual) => marks.push(Mark::Own { checklist }),
                (Some(own), Some(_)) if own.digest == usual.digest => {}
                (Some(_), Some(version)) if version == usual.version => {
                    marks.push(Mark::Changed { checklist, version });
                }
                (Some(_), Some(own)) => {
                    marks.push(Mark::Version { checklist, own, usual: usual.version.clone() });
                }
                _ if usual.asked_for || usual.holders.0 * 2 > self.learners => {
                    marks.push(Mark::Missing { checklist });
                }
                _ => {}
            }
        }
        marks
    }
}

fn clean(text: &Text) -> Text {
    Text::new(plain(&text.en), plain(&text.zh))
}
