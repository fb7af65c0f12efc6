//! What two people, or one on two machines, recorded at once, put together.
//!
//! Of what only one side changed, that side's word is taken, also where it took something away. Of what both changed, the
//! newest verdict wins, claims and notes unite, and what one side took away and the other changed stays. In which order several
//! sides are merged does not matter.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckRecord, Claim, Entry, Outcome, Record, Waiver};

/// Puts both sides of an item together; `base` is what both began with.
#[must_use]
pub fn merge_entries(base: &Entry, ours: &Entry, theirs: &Entry) -> Entry {
    let Entry { claim, waiver, checks } = ours;
    let ids: BTreeSet<_> = checks.keys().chain(theirs.checks.keys()).collect();
    let mut merged = BTreeMap::new();
    for id in ids {
        let [base, ours, theirs] = [base, ours, theirs].map(|entry| entry.checks.get(id));
        if let Some(check) = three_way(base, ours, theirs, newest_check) {
            merged.insert(id.clone(), check);
        }
    }
    Entry {
        claim: three_way(base.claim.as_ref(), claim.as_ref(), theirs.claim.as_ref(), united),
        waiver: three_way(base.waiver.as_ref(), waiver.as_ref(), theirs.waiver.as_ref(), newest_waiver),
        checks: merged,
    }
}

fn three_way<T: Clone + PartialEq>(
    base: Option<&T>,
    ours: Option<&T>,
    theirs: Option<&T>,
    both: impl Fn(&T, &T) -> T,
) -> Option<T> {
    if ours == base {
        return theirs.cloned();
    }
    if theirs == base {
        return ours.cloned();
    }
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(both(ours, theirs)),
        // One took it away and the other changed it: what was just said is not lost.
        (one, other) => one.or(other).cloned(),
    }
}

/// The newest decision, and beside it the newest attempt after it that could not tell.
fn newest_check(ours: &CheckRecord, theirs: &CheckRecord) -> CheckRecord {
    let newest = |of: fn(&CheckRecord) -> &Option<Record>| {
        [of(ours), of(theirs)].into_iter().flatten().max_by(|one, other| order(one, other)).cloned()
    };
    let decided = newest(|check| &check.decided);
    let undecided = newest(|check| &check.undecided);
    let after = |attempt: &Record| decided.as_ref().is_none_or(|decided| attempt.at > decided.at);
    CheckRecord { undecided: undecided.filter(after), decided }
}

/// By time; of one moment, a failure counts more than a proof, and else any order that is the same on both sides.
fn order(one: &Record, other: &Record) -> std::cmp::Ordering {
    let failed = |record: &Record| record.verdict.outcome == Outcome::Fail;
    let by_time = one.at.cmp(&other.at).then_with(|| failed(one).cmp(&failed(other)));
    by_time.then_with(|| format!("{one:?}").cmp(&format!("{other:?}")))
}

fn newest_waiver(ours: &Waiver, theirs: &Waiver) -> Waiver {
    let key = |waiver: &Waiver| (waiver.at, waiver.until, waiver.why.clone());
    if key(ours) >= key(theirs) { ours.clone() } else { theirs.clone() }
}

/// One claim that says what both say: the links of both, and the paragraphs of both notes, each once.
fn united(ours: &Claim, theirs: &Claim) -> Claim {
    let links: BTreeSet<_> = ours.links.iter().chain(&theirs.links).collect();
    let links =
        if ours.links == theirs.links { ours.links.clone() } else { links.into_iter().cloned().collect() };
    Claim {
        at: ours.at.max(theirs.at),
        note: united_notes(ours.note.as_deref(), theirs.note.as_deref()),
        links,
    }
}

fn united_notes(ours: Option<&str>, theirs: Option<&str>) -> Option<String> {
    const BETWEEN: &str = "\n\n";
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return ours.or(theirs).map(str::to_owned) };
    if ours == theirs {
        return Some(ours.to_owned());
    }
    let paragraphs = |note: &'_ str| note.split(BETWEEN).map(str::to_owned).collect::<BTreeSet<String>>();
    let all: BTreeSet<String> = paragraphs(ours).union(&paragraphs(theirs)).cloned().collect();
    Some(all.into_iter().collect::<Vec<_>>().join(BETWEEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(at: &str, note: &str) -> Claim {
        Claim { at: at.parse().unwrap(), note: Some(note.to_owned()), links: vec![note.to_owned()] }
    }

    fn entry(claim: Option<Claim>) -> Entry {
        Entry { claim, ..Entry::default() }
    }

    #[test]
    fn notes_of_both_stay_and_none_is_said_twice() {
        let nothing = Entry::default();
        let one = entry(Some(claim("2026-01-01T00:00:00Z", "b")));
        let two = entry(Some(claim("2026-01-02T00:00:00Z", "a")));
        let merged = merge_entries(&nothing, &one, &two);
        assert_eq!(merged, merge_entries(&nothing, &two, &one));
        let found = merged.claim.clone().unwrap();
        assert_eq!(found.note.as_deref(), Some("a\n\nb"));
        assert_eq!(
            (found.at.to_string(), found.links),
            ("2026-01-02T00:00:00Z".to_owned(), vec!["a".into(), "b".into()])
        );
        assert_eq!(merge_entries(&nothing, &merged, &two), merged);
    }

    #[test]
    fn what_one_side_took_away_goes_unless_the_other_changed_it() {
        let base = entry(Some(claim("2026-01-01T00:00:00Z", "a")));
        let changed = entry(Some(claim("2026-01-02T00:00:00Z", "b")));
        let gone = Entry::default();
        assert_eq!(merge_entries(&base, &gone, &base), gone);
        assert_eq!(merge_entries(&base, &base, &gone), gone);
        assert_eq!(merge_entries(&base, &gone, &changed), changed);
        assert_eq!(merge_entries(&base, &changed, &gone), changed);
    }
}
