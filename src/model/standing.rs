//! The one rule that turns what is known of an item into its status.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use thiserror::Error;

use super::{CheckId, CheckRecord, Definition, Digest, Entry, Item, Outcome, Record, Span, TargetName};

/// Where an item stands. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Status {
    /// Neither claimed nor proven.
    #[default]
    Open,
    /// Ticked by hand, not proven.
    Claimed,
    /// A check saw that it does not hold.
    Failing,
    /// Every check saw it hold, and nothing has changed since.
    Proven,
    /// It was proven, and something has changed since.
    Stale,
    /// The learner says it does not count for now.
    Waived,
}

impl Status {
    /// Every status, in the order of a report.
    pub const ALL: [Self; 6] =
        [Self::Proven, Self::Claimed, Self::Failing, Self::Stale, Self::Open, Self::Waived];

    /// The word in files, selections and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed => "claimed",
            Self::Failing => "failing",
            Self::Proven => "proven",
            Self::Stale => "stale",
            Self::Waived => "waived",
        }
    }
}

/// A text that is not a status.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a status is \"open\", \"claimed\", \"failing\", \"proven\", \"stale\" or \"waived\"")]
pub struct ParseStatusError;

impl FromStr for Status {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, ParseStatusError> {
        Self::ALL.into_iter().find(|status| status.word() == text).ok_or(ParseStatusError)
    }
}

/// Why a proof no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staleness {
    /// It is older than it may be.
    Age {
        /// When it was proven.
        proven: Timestamp,
        /// How long a proof lasts.
        lasts: Span,
    },
    /// It is dated later than now: a wrong clock, or a hand that edited the file.
    Future {
        /// When it says it was proven.
        proven: Timestamp,
    },
    /// Another question was asked then: the item or its bindings have changed.
    Definition,
    /// Another version of the plugin answered.
    Plugin {
        /// The plugin's digest then.
        then: Digest,
    },
    /// Files that the proof depends on have changed, or there are none.
    Watched,
    /// Something else was judged then: a target is bound or started in another way.
    Target {
        /// Which.
        name: TargetName,
    },
}

impl Staleness {
    /// Whether it is about time alone.
    #[must_use]
    pub fn is_age(&self) -> bool {
        match self {
            Self::Age { .. } | Self::Future { .. } => true,
            Self::Definition | Self::Plugin { .. } | Self::Watched | Self::Target { .. } => false,
        }
    }
}

/// What is asked of one check today, and whether it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The question, all layers applied.
    pub definition: Definition,
    /// The plugin's bytes today; none where there is no such plugin.
    pub plugin: Option<Digest>,
    /// Workspace targets that it names and nothing is bound to.
    pub unbound: BTreeSet<TargetName>,
    /// The watched files as they are now; none where there are none.
    pub watched: Option<Digest>,
    /// What the bound targets are today, as [`Record::targets`] has them.
    pub targets: BTreeMap<TargetName, String>,
}

impl Asked {
    /// Whether a proof that `record` holds counts at `now`: it is not too old, and nothing that it speaks of has changed.
    #[must_use]
    pub fn is_fresh(&self, record: &Record, now: Timestamp) -> bool {
        staleness(self, record, now).next().is_none()
    }
}

/// An item's status with everything a report says beside it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// Where it stands.
    pub status: Status,
    /// Why it is stale, by check; empty unless it is.
    pub staleness: Vec<(CheckId, Staleness)>,
    /// Checks whose latest decision, whatever it was, was made on other evidence than there is today: the question, the
    /// plugin, the watched files or a target is another. Age is no part of it.
    pub changed: Vec<CheckId>,
    /// Checks whose latest attempt could not tell.
    pub inconclusive: Vec<CheckId>,
    /// Of these, checks that passed, after an attempt that could not tell.
    pub flaky: Vec<CheckId>,
    /// Whether every check has passed and nothing has changed since, though one at least was flaky.
    pub passed_at_last: bool,
    /// Checks that passed and whose plugin was not proven itself, as far as anybody wrote down.
    pub unproven: Vec<CheckId>,
    /// Workspace targets that its checks name and nothing is bound to.
    pub unbound: BTreeSet<TargetName>,
    /// The last day of a waiver that has run out.
    pub waiver_ended: Option<Date>,
}

/// A clock on another machine may be this much ahead before a proof from it is doubted.
const CLOCK_SKEW: Span = Span::days(1);

impl Standing {
    /// The standing of `item` at `now`: `asked` are its checks today, in the item's order, and `entry` is what is known.
    ///
    /// A waiver that holds wins; then a check that fails, whatever was proven before; then proofs: all of them fresh is
    /// proven, all of them there but one out of date is stale; then a claim. An item without checks is never proven.
    #[must_use]
    pub fn of(item: &Item, asked: &[Asked], entry: Option<&Entry>, now: Timestamp) -> Self {
        let mut standing = Self::default();
        let mut decisions = Vec::with_capacity(item.checks.len());
        let mut passed_at_last = true;
        for asked in asked {
            let id = &asked.definition.uses;
            standing.unbound.extend(asked.unbound.iter().cloned());
            let known = entry.and_then(|entry| entry.checks.get(id));
            if known.is_some_and(|known| known.undecided.is_some()) {
                standing.inconclusive.push(id.clone());
            }
            let latest = known.and_then(CheckRecord::latest);
            let of = |outcome| latest.is_some_and(|record| record.verdict.outcome == outcome);
            if of(Outcome::Flaky) {
                standing.flaky.push(id.clone());
            }
            passed_at_last &= (of(Outcome::Pass) || of(Outcome::Flaky))
                && latest.is_some_and(|record| asked.is_fresh(record, now));
            let decided = known.and_then(|known| known.decided.as_ref());
            decisions.push(decided.map(|record| record.verdict.outcome));
            let changed =
                decided.is_some_and(|record| staleness(asked, record, now).any(|why| !why.is_age()));
            standing.changed.extend(changed.then(|| id.clone()));
            if let Some(record) = decided.filter(|record| record.verdict.outcome == Outcome::Pass) {
                standing.staleness.extend(staleness(asked, record, now).map(|why| (id.clone(), why)));
                if record.proven != Some(true) {
                    standing.unproven.push(id.clone());
                }
            }
        }
        let proven =
            !decisions.is_empty() && decisions.iter().all(|decision| *decision == Some(Outcome::Pass));
        standing.status = if decisions.contains(&Some(Outcome::Fail)) {
            Status::Failing
        } else if proven && standing.staleness.is_empty() {
            Status::Proven
        } else if proven {
            Status::Stale
        } else if entry.is_some_and(|entry| entry.claim.is_some()) {
            Status::Claimed
        } else {
            Status::Open
        };
        if standing.status != Status::Stale {
            standing.staleness.clear();
        }
        // A failure is only taken back by a proof.
        standing.passed_at_last =
            passed_at_last && !standing.flaky.is_empty() && standing.status != Status::Failing;
        if let Some(waiver) = entry.and_then(|entry| entry.waiver.as_ref()) {
            if now.to_zoned(jiff::tz::TimeZone::UTC).date() <= waiver.until {
                standing.status = Status::Waived;
                standing.staleness.clear();
            } else {
                standing.waiver_ended = Some(waiver.until);
            }
        }
        standing
    }
}

/// The moments at which time alone may change the standing that [`Standing::of`] gives, sorted: from one of them until
/// just before the next it is the same.
#[must_use]
pub fn turns(asked: &[Asked], entry: Option<&Entry>) -> Vec<Timestamp> {
    let Some(entry) = entry else { return vec![] };
    let mut turns = vec![];
    for asked in asked {
        let decided = entry.checks.get(&asked.definition.uses).and_then(|known| known.decided.as_ref());
        if let Some(record) = decided {
            // A proof is too old after its last moment, and too far ahead before a clock may differ so much.
            let old = record.at.checked_add(asked.definition.fresh_for.get()).ok();
            turns.extend(old.and_then(|old| old.checked_add(jiff::SignedDuration::from_nanos(1)).ok()));
            turns.extend(record.at.checked_sub(CLOCK_SKEW.get()).ok());
        }
    }
    if let Some(waiver) = &entry.waiver {
        let ended = waiver.until.tomorrow().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
        turns.extend(ended.ok().map(|day| day.timestamp()));
    }
    turns.sort_unstable();
    turns
}

fn staleness(asked: &Asked, record: &Record, now: Timestamp) -> impl Iterator<Item = Staleness> {
    let age = std::time::Duration::try_from(now.duration_since(record.at)).ok();
    let ahead = std::time::Duration::try_from(record.at.duration_since(now)).ok();
    let lasts = asked.definition.fresh_for;
    let old = age.is_some_and(|age| age > lasts.get()).then_some(Staleness::Age { proven: record.at, lasts });
    let future = ahead
        .is_some_and(|ahead| ahead > CLOCK_SKEW.get())
        .then_some(Staleness::Future { proven: record.at });
    let definition = (asked.definition.digest() != record.definition).then_some(Staleness::Definition);
    let plugin = (asked.plugin != Some(record.plugin)).then_some(Staleness::Plugin { then: record.plugin });
    let watches = !asked.definition.watch.is_empty();
    let same_files = asked.watched.is_some() && asked.watched == record.watched;
    let watched = (watches && !same_files).then_some(Staleness::Watched);
    let other = |(name, was): &(&TargetName, &String)| asked.targets.get(*name) != Some(*was);
    let target = record.targets.iter().find(other).map(|(name, _)| Staleness::Target { name: name.clone() });
    [old, future, definition, plugin, watched, target].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;
    use semver::Version;

    use super::*;
    use crate::model::{CheckRecord, CheckUse, Claim, Kind, Level, Settings, Text, Verdict, Waiver, Weight};

    const DAY: i64 = 86_400;

    struct Case {
        item: Item,
        asked: Vec<Asked>,
        entry: Entry,
        now: Timestamp,
    }

    impl Case {
        fn new(checks: &[&str]) -> Self {
            let checks = checks.iter().map(|uses| CheckUse {
                uses: uses.parse().unwrap(),
                target: BTreeMap::new(),
                with: BTreeMap::new(),
                watch: vec![],
            });
            let item = Item {
                id: "challenge.idempotent-api".parse().unwrap(),
                formerly: vec![],
                group: "challenge".parse().unwrap(),
                title: Text::same("title"),
                level: Level::Must,
                weight: Weight::new(1).unwrap(),
                needs: vec![],
                tags: vec![],
                fresh_for: Some(Span::days(90)),
                source: None,
                kind: Kind::Verify,
                hints: vec![],
                checks: checks.collect(),
                cards: vec![],
            };
            let asked = Settings::default().definitions(&item).into_iter().map(|definition| Asked {
                definition,
                plugin: Some(Digest::of(b"plugin")),
                unbound: BTreeSet::new(),
                watched: None,
                targets: BTreeMap::new(),
            });
            Self {
                asked: asked.collect(),
                item,
                entry: Entry::default(),
                now: "2026-06-01T12:00:00Z".parse().unwrap(),
            }
        }

        fn remember(mut self, check: usize, outcome: Outcome, days_ago: i64) -> Self {
            let asked = &self.asked[check];
            let record = Record {
                verdict: Verdict {
                    outcome,
                    summary: Text::default(),
                    score: None,
                    steps: vec![],
                    findings: vec![],
                    evidence: vec![],
                    measurements: vec![],
                },
                fault: false,
                at: self.now - SignedDuration::from_secs(days_ago * DAY),
                plugin: Digest::of(b"plugin"),
                version: Version::new(0, 1, 0),
                proven: Some(true),
                definition: asked.definition.digest(),
                seed: 1,
                commit: None,
                watched: None,
                targets: BTreeMap::new(),
                elapsed: std::time::Duration::ZERO,
                evidence: vec![],
                attempts: vec![],
            };
            let known: &mut CheckRecord = self.entry.checks.entry(asked.definition.uses.clone()).or_default();
            known.remember(record);
            self
        }

        fn claim(mut self) -> Self {
            self.entry.claim = Some(Claim { at: self.now, note: None, links: vec![] });
            self
        }

        fn waive(mut self, until: &str) -> Self {
            self.entry.waiver =
                Some(Waiver { at: self.now, why: "later".into(), until: until.parse().unwrap() });
            self
        }

        fn standing(&self) -> Standing {
            Standing::of(&self.item, &self.asked, Some(&self.entry), self.now)
        }

        fn status(&self) -> Status {
            self.standing().status
        }
    }

    #[test]
    fn tick_is_a_claim_and_a_claim_is_no_proof() {
        assert_eq!(Case::new(&["a/b"]).status(), Status::Open);
        assert_eq!(Case::new(&["a/b"]).claim().status(), Status::Claimed);
        assert_eq!(Case::new(&[]).claim().status(), Status::Claimed);
    }

    #[test]
    fn item_without_checks_is_never_proven() {
        assert_eq!(Case::new(&[]).status(), Status::Open);
    }

    #[test]
    fn every_check_must_pass() {
        let one = Case::new(&["a/b", "a/c"]).remember(0, Outcome::Pass, 0);
        assert_eq!(one.status(), Status::Open);
        assert_eq!(one.remember(1, Outcome::Pass, 0).status(), Status::Proven);
    }

    #[test]
    fn latest_fail_wins_over_an_earlier_proof_and_over_a_claim() {
        let case = Case::new(&["a/b"]).claim().remember(0, Outcome::Pass, 2).remember(0, Outcome::Fail, 1);
        assert_eq!(case.status(), Status::Failing);
    }

    #[test]
    fn inconclusive_leaves_the_status_and_is_shown_beside_it() {
        let case = Case::new(&["a/b"]).remember(0, Outcome::Pass, 2).remember(0, Outcome::Inconclusive, 1);
        assert_eq!(case.status(), Status::Proven);
        assert_eq!(case.standing().inconclusive, ["a/b".parse().unwrap()]);
        assert_eq!(Case::new(&["a/b"]).remember(0, Outcome::Inconclusive, 1).status(), Status::Open);
    }

    #[test]
    fn stale_after_ninety_days() {
        assert_eq!(Case::new(&["a/b"]).remember(0, Outcome::Pass, 90).status(), Status::Proven);
        let case = Case::new(&["a/b"]).remember(0, Outcome::Pass, 91);
        assert_eq!(case.status(), Status::Stale);
        assert!(matches!(case.standing().staleness[..], [(_, Staleness::Age { .. })]));
    }

    #[test]
    fn between_two_turns_time_changes_nothing() {
        let case = Case::new(&["a/b", "a/c"])
            .remember(0, Outcome::Pass, 10)
            .remember(1, Outcome::Pass, -3)
            .waive("2026-06-20");
        let turns = turns(&case.asked, Some(&case.entry));
        let mut seen = BTreeSet::new();
        let mut now = case.now - SignedDuration::from_hours(24 * 30);
        let standing = |now| Standing::of(&case.item, &case.asked, Some(&case.entry), now);
        while now < case.now + SignedDuration::from_hours(24 * 150) {
            let begun = turns.iter().rev().find(|turn| **turn <= now);
            if let Some(begun) = begun {
                assert_eq!(standing(*begun), standing(now), "{now}");
            }
            seen.insert(begun);
            now += SignedDuration::from_hours(7);
        }
        assert_eq!(seen.len(), 6, "before and after each of five turns");
        let statuses: BTreeSet<_> = turns.iter().map(|turn| standing(*turn).status).collect();
        assert_eq!(statuses, [Status::Stale, Status::Proven, Status::Waived].into());
    }

    #[test]
    fn stale_when_dated_in_the_future() {
        let case = Case::new(&["a/b"]).remember(0, Outcome::Pass, -2);
        assert!(matches!(case.standing().staleness[..], [(_, Staleness::Future { .. })]));
    }

    #[test]
    fn stale_when_the_question_the_plugin_or_the_tree_changed() {
        let mut question = Case::new(&["a/b"]).remember(0, Outcome::Pass, 1);
        question.asked[0].definition.with.insert("n".into(), crate::model::Value::Integer(9));
        assert!(matches!(question.standing().staleness[..], [(_, Staleness::Definition)]));

        let mut plugin = Case::new(&["a/b"]).remember(0, Outcome::Pass, 1);
        plugin.asked[0].plugin = Some(Digest::of(b"newer"));
        assert!(matches!(plugin.standing().staleness[..], [(_, Staleness::Plugin { .. })]));
        plugin.asked[0].plugin = None;
        assert_eq!(plugin.status(), Status::Stale);

        let mut tree = Case::new(&["a/b"]).remember(0, Outcome::Pass, 1);
        tree.asked[0].definition.watch.push("app/**".into());
        assert!(matches!(tree.standing().staleness[..], [(_, Staleness::Watched)]));
    }

    #[test]
    fn failure_on_other_evidence_is_changed_and_an_old_one_is_not() {
        let mut case =
            Case::new(&["a/b", "a/c"]).remember(0, Outcome::Fail, 400).remember(1, Outcome::Pass, 1);
        assert_eq!(case.standing().changed, []);
        case.asked[0].plugin = Some(Digest::of(b"newer"));
        let standing = case.standing();
        assert_eq!(
            (standing.status, &standing.changed[..]),
            (Status::Failing, &["a/b".parse().unwrap()][..])
        );
        assert_eq!(standing.staleness, []);
    }

    #[test]
    fn stale_when_another_target_is_bound() {
        let mut case = Case::new(&["a/b"]).remember(0, Outcome::Pass, 1);
        let uses = case.asked[0].definition.uses.clone();
        let web: TargetName = "web".parse().unwrap();
        let decided = case.entry.checks.get_mut(&uses).unwrap().decided.as_mut().unwrap();
        decided.targets.insert(web.clone(), "started: good".to_owned());
        case.asked[0].targets.insert(web.clone(), "started: good".to_owned());
        assert_eq!(case.status(), Status::Proven);
        case.asked[0].targets.insert(web, "started: other".to_owned());
        assert!(matches!(case.standing().staleness[..], [(_, Staleness::Target { .. })]));
    }

    #[test]
    fn waiver_holds_until_its_last_day_and_not_after() {
        let failing = Case::new(&["a/b"]).remember(0, Outcome::Fail, 1);
        let held = failing.waive("2026-06-01");
        assert_eq!(held.status(), Status::Waived);
        let ended = held.waive("2026-05-31");
        assert_eq!(ended.status(), Status::Failing);
        assert!(ended.standing().waiver_ended.is_some());
    }
}
