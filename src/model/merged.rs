//! What the partitions of one run saw, put together again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use semver::Version;
use thiserror::Error;

use super::{CheckId, CheckRecord, Digest, Division, ItemId, Partition, PluginId, Record, Selection};

/// What a run asks, of what, and with which plugins. Runs that stand on the same can be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The version of mustdo.
    pub version: Version,
    /// The learner's commit, with `+` where the tree had changes; none outside one.
    pub commit: Option<String>,
    /// The checklists and `mustdo.toml`.
    pub content: Digest,
    /// What the gate asks.
    pub policy: Digest,
    /// What was recorded before.
    pub progress: Digest,
    /// The plugins that the selected items use, those that are not there left out.
    pub plugins: BTreeMap<PluginId, Digest>,
}

/// What the partitions of one run have in common and another run has not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Difference {
    /// Another mustdo.
    #[error("its mustdo is {}, that of {beside} is {}", .versions.0, .versions.1)]
    Version {
        /// This and that.
        versions: (Version, Version),
        /// What "that" is.
        beside: String,
    },
    /// Another commit.
    #[error("it is of {}, and {beside} is of {}", commit(.commits.0.as_ref()), commit(.commits.1.as_ref()))]
    Commit {
        /// This and that.
        commits: (Option<String>, Option<String>),
        /// What "that" is.
        beside: String,
    },
    /// Another policy.
    #[error("its policy is another than that of {beside}")]
    Policy {
        /// What "that" is.
        beside: String,
    },
    /// Other content.
    #[error("its checklists or its mustdo.toml are others than those of {beside}")]
    Content {
        /// What "that" is.
        beside: String,
    },
    /// Other progress.
    #[error("it began from other progress than {beside}")]
    Progress {
        /// What "that" is.
        beside: String,
    },
    /// Another plugin of the same name.
    #[error("its plugin {plugin} is another than that of {beside}")]
    Plugin {
        /// Which.
        plugin: PluginId,
        /// What "that" is.
        beside: String,
    },
}

fn commit(commit: Option<&String>) -> String {
    match commit {
        Some(id) => {
            format!("commit {}{}", id.get(..9).unwrap_or(id), if id.ends_with('+') { "+" } else { "" })
        }
        None => "no commit".to_owned(),
    }
}

impl Basis {
    /// Everything in which `self` differs from `other`, which is called `beside`.
    #[must_use]
    pub fn differences(&self, other: &Self, beside: &str) -> Vec<Difference> {
        let Self { version, commit, content, policy, progress, plugins } = self;
        let beside = || beside.to_owned();
        let mut found = vec![];
        if *version != other.version {
            let versions = (version.clone(), other.version.clone());
            found.push(Difference::Version { versions, beside: beside() });
        }
        if *commit != other.commit {
            let commits = (commit.clone(), other.commit.clone());
            found.push(Difference::Commit { commits, beside: beside() });
        }
        if *policy != other.policy {
            found.push(Difference::Policy { beside: beside() });
        }
        if *content != other.content {
            found.push(Difference::Content { beside: beside() });
        }
        if *progress != other.progress {
            found.push(Difference::Progress { beside: beside() });
        }
        let both: BTreeSet<_> = plugins.keys().chain(other.plugins.keys()).collect();
        for plugin in both.into_iter().filter(|&id| plugins.get(id) != other.plugins.get(id)) {
            found.push(Difference::Plugin { plugin: plugin.clone(), beside: beside() });
        }
        found
    }
}

/// What one partition of a run saw: what `mustdo verify --partition` writes.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionResult {
    /// Which.
    pub partition: Partition,
    /// What it stands on.
    pub basis: Basis,
    /// The moment that its report would speak of.
    pub started: Timestamp,
    /// What was selected, all partitions together.
    pub selection: Selection,
    /// How the selected items were divided: [`Division::digest`].
    pub division: Digest,
    /// Its own items, those without a verdict too.
    pub items: BTreeSet<ItemId>,
    /// Whether checks that were asked for could not be run.
    pub missed: bool,
    /// What its checks concluded: only of its own items.
    pub checks: BTreeMap<ItemId, BTreeMap<CheckId, CheckRecord>>,
}

impl PartitionResult {
    /// Every record, by item and check.
    pub fn records(&self) -> impl Iterator<Item = (&ItemId, &CheckId, &Record)> {
        self.checks.iter().flat_map(|(item, checks)| {
            checks.iter().filter_map(move |(check, known)| Some((item, check, known.latest()?)))
        })
    }
}

/// Results that are those of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// What all of them stand on.
    pub basis: Basis,
    /// The moment to speak of: when the last of them began.
    pub started: Timestamp,
    /// What was selected.
    pub selection: Selection,
    /// All items that were selected.
    pub items: BTreeSet<ItemId>,
    /// Whether checks that were asked for could not be run by any of them.
    pub missed: bool,
    /// What was concluded, by item and check.
    pub records: Vec<(ItemId, CheckId, Record)>,
}

/// Why results can not be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no result to merge")]
    Nothing,
    /// Two runs.
    #[error("{name} is not of the same run: {difference}")]
    Basis {
        /// The file.
        name: String,
        /// In what it differs.
        difference: Difference,
    },
    /// Divided into another number of parts.
    #[error("{name} is one of {is}, and {beside} is one of {of}")]
    Count {
        /// The file.
        name: String,
        /// How many it says there are.
        is: u16,
        /// The file beside.
        beside: String,
        /// How many that says.
        of: u16,
    },
    /// The same part twice.
    #[error("{name} and {beside} are both partition {partition}")]
    Twice {
        /// Which.
        partition: Partition,
        /// The file.
        name: String,
        /// The other file.
        beside: String,
    },
    /// Parts that are not there.
    #[error("{} missing: {}", if .partitions.len() == 1 { "a partition is" } else { "partitions are" }, list(.partitions))]
    Missing {
        /// Which; not empty.
        partitions: Vec<Partition>,
    },
    /// Other items were divided, or in another way.
    #[error("{name} divided other items than {beside}")]
    Division {
        /// The file.
        name: String,
        /// The other file.
        beside: String,
    },
    /// An item in two parts.
    #[error("{item} is in {name} and in {beside}")]
    Overlap {
        /// Which.
        item: ItemId,
        /// The file.
        name: String,
        /// The other file.
        beside: String,
    },
    /// The parts are not the whole.
    #[error("the results do not have all items that were selected, or have others")]
    Incomplete,
}

fn list(partitions: &[Partition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Merged {
    /// Puts results together, each with the name of its file; every reason why they can not be, or a list that is never
    /// empty.
    pub fn new(results: &[(String, PartitionResult)]) -> Result<Self, Vec<MergeError>> {
        let Some((first_name, first)) = results.first() else { return Err(vec![MergeError::Nothing]) };
        let mut errors = vec![];
        let mut seen: BTreeMap<Partition, &str> = BTreeMap::new();
        let mut owners: BTreeMap<&ItemId, &str> = BTreeMap::new();
        for (name, result) in results {
            let differences = result.basis.differences(&first.basis, first_name);
            let same = differences.is_empty();
            let basis = |difference| MergeError::Basis { name: name.clone(), difference };
            errors.extend(differences.into_iter().map(basis));
            let (is, of) = (result.partition.of(), first.partition.of());
            if is != of {
                errors.push(MergeError::Count { name: name.clone(), is, beside: first_name.clone(), of });
            } else if let Some(beside) = seen.insert(result.partition, name) {
                let beside = beside.to_owned();
                errors.push(MergeError::Twice { partition: result.partition, name: name.clone(), beside });
                continue;
            } else if same && (result.division != first.division || result.selection != first.selection) {
                errors.push(MergeError::Division { name: name.clone(), beside: first_name.clone() });
            }
            for item in &result.items {
                if let Some(beside) = owners.insert(item, name) {
                    let beside = beside.to_owned();
                    errors.push(MergeError::Overlap { item: item.clone(), name: name.clone(), beside });
                }
            }
        }
        let of = first.partition.of();
        let all = (1..=of).filter_map(|index| Partition::new(index, of));
        let partitions: Vec<_> = all.filter(|partition| !seen.contains_key(partition)).collect();
        if !partitions.is_empty() && results.iter().all(|(_, result)| result.partition.of() == of) {
            errors.push(MergeError::Missing { partitions });
        }
        if errors.is_empty() {
            let shares = results.iter().flat_map(|(_, result)| {
                result.items.iter().map(|item| (item.clone(), result.partition.index()))
            });
            let inside = |(_, result): &(String, PartitionResult)| {
                result.checks.keys().all(|item| result.items.contains(item))
            };
            let whole = Division::of_shares(shares.collect()).digest() == first.division;
            if !whole || !results.iter().all(inside) {
                errors.push(MergeError::Incomplete);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut records: Vec<_> = results
            .iter()
            .flat_map(|(_, result)| result.records())
            .map(|(item, check, record)| (item.clone(), check.clone(), record.clone()))
            .collect();
        records.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
        Ok(Self {
            basis: first.basis.clone(),
            started: results.iter().map(|(_, result)| result.started).max().unwrap_or(first.started),
            selection: first.selection.clone(),
            items: owners.into_keys().cloned().collect(),
            missed: results.iter().any(|(_, result)| result.missed),
            records,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ItemId {
        name.parse().unwrap()
    }

    fn basis() -> Basis {
        Basis {
            version: Version::new(0, 1, 0),
            commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            content: Digest::of(b"content"),
            policy: Digest::of(b"policy"),
            progress: Digest::of(b"progress"),
            plugins: [("probe".parse().unwrap(), Digest::of(b"probe"))].into(),
        }
    }

    const SHARES: [&[&str]; 3] = [&["a", "d"], &["b"], &[]];

    /// Three partitions of three, the last of them with nothing to do.
    fn results() -> Vec<(String, PartitionResult)> {
        let shares =
            SHARES.iter().zip(1..).flat_map(|(items, index)| items.iter().map(move |item| (id(item), index)));
        let division = Division::of_shares(shares.collect()).digest();
        let result = |(items, index): (&&[&str], u16)| PartitionResult {
            partition: Partition::new(index, 3).unwrap(),
            basis: basis(),
            started: Timestamp::from_second(i64::from(index)).unwrap(),
            selection: Selection::default(),
            division,
            items: items.iter().map(|item| id(item)).collect(),
            missed: index == 2,
            checks: BTreeMap::new(),
        };
        SHARES
            .iter()
            .zip(1..)
            .map(result)
            .enumerate()
            .map(|(place, result)| (format!("{}.toml", place + 1), result))
            .collect()
    }

    /// Why results are refused after a change of one of them.
    fn refused(change: impl FnOnce(&mut Vec<(String, PartitionResult)>)) -> Vec<String> {
        let mut results = results();
        change(&mut results);
        Merged::new(&results).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_parts_of_one_run_are_the_run() {
        let mut results = results();
        let merged = Merged::new(&results).unwrap();
        assert_eq!(merged.items, ["a", "b", "d"].map(id).into());
        assert_eq!(merged.started, Timestamp::from_second(3).unwrap(), "the last one that began");
        assert!(merged.missed);
        results.rotate_left(1);
        assert_eq!(Merged::new(&results).unwrap(), merged, "whatever their order");
    }

    #[test]
    fn parts_that_are_not_all_or_not_one_run_are_refused_in_words() {
        assert_eq!(Merged::new(&[]).unwrap_err(), [MergeError::Nothing]);
        assert_eq!(refused(|all| drop(all.pop())), ["a partition is missing: 3/3"]);
        assert_eq!(refused(|all| all.truncate(1)), ["partitions are missing: 2/3, 3/3"]);
        let twice = refused(|all| all.push(("again.toml".to_owned(), all[1].1.clone())));
        assert_eq!(twice, ["again.toml and 2.toml are both partition 2/3"]);
        let other = refused(|all| all[2].1.partition = Partition::new(3, 4).unwrap());
        assert_eq!(other, ["3.toml is one of 4, and 1.toml is one of 3"]);
        let shared = refused(|all| {
            let _ = all[1].1.items.insert(id("a"));
        });
        assert_eq!(shared, ["a is in 2.toml and in 1.toml"]);
        let lost = refused(|all| {
            let _ = all[0].1.items.remove(&id("d"));
        });
        assert_eq!(lost, ["the results do not have all items that were selected, or have others"]);
        let others = refused(|all| all[1].1.selection.names.push("xss".to_owned()));
        assert_eq!(others, ["2.toml divided other items than 1.toml"]);
        let stray = refused(|all| {
            let _ = all[1].1.checks.insert(id("z"), BTreeMap::new());
        });
        assert_eq!(stray, ["the results do not have all items that were selected, or have others"]);
    }

    #[test]
    fn results_of_different_runs_say_in_what_they_differ() {
        let told = |change: fn(&mut Basis)| refused(|all| change(&mut all[1].1.basis)).join("\n");
        let begin = "2.toml is not of the same run: ";
        let version = told(|basis| basis.version = Version::new(0, 2, 0));
        assert_eq!(version, format!("{begin}its mustdo is 0.2.0, that of 1.toml is 0.1.0"));
        let commit = told(|basis| basis.commit = Some(format!("{}+", "f".repeat(40))));
        assert_eq!(commit, format!("{begin}it is of commit fffffffff+, and 1.toml is of commit 012345678"));
        assert!(told(|basis| basis.commit = None).contains("no commit"));
        assert!(told(|basis| basis.content = Digest::of(b"")).contains("its checklists or its mustdo.toml"));
        assert!(told(|basis| basis.policy = Digest::of(b"")).contains("its policy is another"));
        assert!(told(|basis| basis.progress = Digest::of(b"")).contains("other progress"));
        assert!(told(|basis| basis.plugins.clear()).contains("its plugin probe is another"));
    }
}
