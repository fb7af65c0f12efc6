//! Readiness over the versions of a workspace.

use jiff::Timestamp;

use super::{CheckId, Entry, ItemId, Outcome, Staleness, Standing, Status, Tally};

/// Where everything stood in one version of a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The commit; none for the work tree as it is now.
    pub revision: Option<String>,
    /// When it was committed.
    pub at: Timestamp,
    /// The first line of the commit's message.
    pub summary: String,
    /// All items counted, or why they can not be: a file of that version can not be read.
    pub tally: Result<Tally, String>,
    /// What changed since the version before, in file order. What was open when it came or went is left out.
    pub changes: Vec<Change>,
}

/// An item that stands elsewhere than in the version before.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Under the id of today.
    pub item: ItemId,
    /// Where it stood; none where there was no such item.
    pub from: Option<Status>,
    /// Where it stands; none where there is no such item any more.
    pub to: Option<Status>,
    /// When that came about: the moment of the verdict, the end of a proof that grew old, else when it was committed.
    pub at: Timestamp,
    /// Why it is stale, by check; empty unless it is.
    pub staleness: Vec<(CheckId, Staleness)>,
}

impl Change {
    /// What changed from one standing to the next; none where the status is the same, or where an open item came or went.
    /// `entry` is what is known of it now, `committed` when that was committed.
    #[must_use]
    pub fn between(
        item: &ItemId,
        from: Option<Status>,
        standing: Option<&Standing>,
        entry: Option<&Entry>,
        committed: Timestamp,
    ) -> Option<Self> {
        let to = standing.map(|standing| standing.status);
        if from.unwrap_or_default() == to.unwrap_or_default() {
            return None;
        }
        let staleness = standing.map(|standing| standing.staleness.clone()).unwrap_or_default();
        Some(Self { item: item.clone(), from, to, at: moment(to, &staleness, entry, committed), staleness })
    }
}

/// When a standing came about.
fn moment(
    to: Option<Status>,
    staleness: &[(CheckId, Staleness)],
    entry: Option<&Entry>,
    committed: Timestamp,
) -> Timestamp {
    let decided = |outcome| {
        let records = entry.into_iter().flat_map(|entry| entry.checks.values());
        let records = records.filter_map(|check| check.decided.as_ref());
        records.filter(move |record| record.verdict.outcome == outcome).map(|record| record.at).max()
    };
    let found = match to {
        Some(Status::Proven) => decided(Outcome::Pass),
        Some(Status::Failing) => decided(Outcome::Fail),
        Some(Status::Claimed) => entry.and_then(|entry| entry.claim.as_ref()).map(|claim| claim.at),
        Some(Status::Waived) => entry.and_then(|entry| entry.waiver.as_ref()).map(|waiver| waiver.at),
        // Where anything but age is a reason, nobody knows more than the commit that shows it.
        Some(Status::Stale) => staleness.iter().map(|(_, why)| end(why)).min().flatten(),
        Some(Status::Open) | None => None,
    };
    // What was recorded before the version before it was committed may come to light only now: a merge, a clock.
    found.filter(|at| *at <= committed).unwrap_or(committed)
}

/// When a proof grew too old; none where it is stale for another reason, which sorts first.
fn end(why: &Staleness) -> Option<Timestamp> {
    match why {
        Staleness::Age { proven, lasts } => proven.checked_add(lasts.get()).ok(),
        Staleness::Future { .. }
        | Staleness::Definition
        | Staleness::Plugin { .. }
        | Staleness::Watched
        | Staleness::Target { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Claim, Span};

    const THEN: &str = "2026-03-01T00:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn change(from: Option<Status>, standing: Option<&Standing>, entry: Option<&Entry>) -> Option<Change> {
        Change::between(&"a.b".parse().unwrap(), from, standing, entry, at(THEN))
    }

    fn standing(status: Status, staleness: &[Staleness]) -> Standing {
        let check: CheckId = "a/b".parse().unwrap();
        let staleness = staleness.iter().map(|why| (check.clone(), why.clone())).collect();
        Standing { status, staleness, ..Standing::default() }
    }

    #[test]
    fn open_item_that_comes_or_goes_is_no_change_of_progress() {
        let open = standing(Status::Open, &[]);
        assert_eq!(change(None, Some(&open), None), None);
        assert_eq!(change(Some(Status::Open), None, None), None);
        assert!(change(Some(Status::Proven), None, None).is_some());
    }

    #[test]
    fn proof_goes_stale_by_age_when_it_ends_and_else_when_it_shows() {
        let age = Staleness::Age { proven: at("2026-01-01T00:00:00Z"), lasts: Span::days(30) };
        let moment = |staleness: &[Staleness]| {
            change(Some(Status::Proven), Some(&standing(Status::Stale, staleness)), None).unwrap().at
        };
        assert_eq!(moment(std::slice::from_ref(&age)), at("2026-01-31T00:00:00Z"));
        assert_eq!(moment(&[age, Staleness::Definition]), at(THEN));
    }

    #[test]
    fn claim_counts_from_its_own_moment_unless_that_is_still_to_come() {
        for (claimed, shown) in
            [("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"), ("2027-01-01T00:00:00Z", THEN)]
        {
            let entry = Entry {
                claim: Some(Claim { at: at(claimed), note: None, links: vec![] }),
                ..Entry::default()
            };
            let found = change(None, Some(&standing(Status::Claimed, &[])), Some(&entry)).unwrap();
            assert_eq!(found.at, at(shown));
        }
    }
}
