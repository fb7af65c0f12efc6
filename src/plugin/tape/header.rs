//! The first line of a recording: what was run, and on what.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use semver::Version;
use serde_json::{Value, json};

use crate::model::{Capability, CheckId, Digest, ItemId, Mask, TargetKind, TargetName};
use crate::plugin::contract::{self, RunRequest};
use crate::verify::Task;

use super::written::{Unreadable, Written, entry};

/// The format of recordings that this version writes.
pub(super) const FORMAT: u64 = 1;

/// What a recording is of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// The version of mustdo that wrote it.
    pub(super) mustdo: Version,
    /// The version of the contract that the calls are written in.
    pub(super) contract: Version,
    /// The plugin's version.
    pub(super) version: Version,
    /// Its bytes.
    pub(super) digest: Digest,
    /// The item.
    pub(super) item: ItemId,
    /// The plugin and the check.
    pub(super) check: CheckId,
    /// JSON text.
    pub(super) params: String,
    /// The targets it could name. Where they were is not in a recording.
    pub(super) targets: BTreeMap<TargetName, TargetKind>,
    /// What it was allowed.
    pub(super) allowed: BTreeSet<Capability>,
    /// What its choices came from.
    pub(super) seed: u64,
    /// What else it was told.
    pub(super) extras: Vec<(String, String)>,
    /// When the host would have stopped it.
    pub(super) deadline: Duration,
    /// When mustdo was started.
    pub(super) started: Timestamp,
}

impl Header {
    /// What is recorded of `task`, run by a plugin of this version.
    pub(super) fn new(task: &Task, version: &Version, request: &RunRequest, started: Timestamp) -> Self {
        Self {
            mustdo: own_version(),
            contract: contract::VERSION,
            version: version.clone(),
            digest: task.plugin,
            item: task.item.clone(),
            check: task.check.clone(),
            params: task.params.clone(),
            targets: task.targets.iter().map(|(name, endpoint)| (name.clone(), endpoint.kind())).collect(),
            allowed: task.allowed.clone(),
            seed: task.seed,
            extras: request.extras.clone(),
            deadline: task.deadline,
            started,
        }
    }

    /// What the plugin is asked.
    pub(super) fn request(&self) -> RunRequest {
        RunRequest {
            check: self.check.check.to_string(),
            params: self.params.clone(),
            targets: self.targets.keys().map(ToString::to_string).collect(),
            seed: self.seed,
            extras: self.extras.clone(),
        }
    }

    /// The line.
    pub(super) fn write(&self, mask: &Mask) -> String {
        let Self {
            mustdo,
            contract,
            version,
            digest,
            item,
            check,
            params,
            targets,
            allowed,
            seed,
            extras,
            deadline,
            started,
        } = self;
        let targets: BTreeMap<_, _> =
            targets.iter().map(|(name, kind)| (name.to_string(), kind.word())).collect();
        let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        let plugin = json!({
            "id": check.plugin.as_str(),
            "version": version.to_string(),
            "digest": digest.to_string(),
        });
        // In the order in which a person reads it, the format first.
        let entries = [
            ("format", FORMAT.into()),
            ("mustdo", mustdo.to_string().into()),
            ("contract", contract.to_string().into()),
            ("plugin", plugin),
            ("item", item.as_str().into()),
            ("check", check.check.as_ref().into()),
            ("params", params.write(mask)),
            ("targets", json!(targets)),
            ("allowed", allowed.into()),
            ("seed", format!("{seed:016x}").into()),
            ("extras", extras.write(mask)),
            ("deadline_millis", u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX).into()),
            ("started_at", started.to_string().into()),
        ];
        let entries: Vec<_> =
            entries.iter().map(|(name, value): &(_, Value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}\n", entries.join(","))
    }

    /// The header that a line holds.
    pub(super) fn read(value: &Value) -> Result<Self, Unreadable> {
        let plugin = entry(value, "plugin")?;
        let id = String::read(entry(plugin, "id")?)?;
        let check = String::read(entry(value, "check")?)?;
        let targets = entry(value, "targets")?.as_object().ok_or("\"targets\" is an object")?;
        let target = |(name, kind): (&String, &Value)| {
            let kind = TargetKind::ALL.into_iter().find(|known| Some(known.word()) == kind.as_str());
            let kind = kind.ok_or_else(|| format!("the target {name:?} is of no kind"))?;
            Ok((parse(name)?, kind))
        };
        let allowed: Vec<String> = Written::read(entry(value, "allowed")?)?;
        let seed = String::read(entry(value, "seed")?)?;
        Ok(Self {
            mustdo: parsed(value, "mustdo")?,
            contract: parsed(value, "contract")?,
            version: parsed(plugin, "version")?,
            digest: parsed(plugin, "digest")?,
            item: parsed(value, "item")?,
            check: parse(&format!("{id}/{check}"))?,
            params: Written::read(entry(value, "params")?)?,
            targets: targets.iter().map(target).collect::<Result<_, Unreadable>>()?,
            allowed: allowed.iter().map(|text| parse(text)).collect::<Result<_, _>>()?,
            seed: u64::from_str_radix(&seed, 16).map_err(|_| "\"seed\" is 16 hexadecimal digits")?,
            extras: Written::read(entry(value, "extras")?)?,
            deadline: Duration::from_millis(u64::read(entry(value, "deadline_millis")?)?),
            started: parsed(value, "started_at")?,
        })
    }
}

fn parsed<T: FromStr<Err: ToString>>(value: &Value, name: &str) -> Result<T, Unreadable> {
    let text = String::read(entry(value, name)?).map_err(|error| format!("{error} as \"{name}\""))?;
    parse(&text).map_err(|error| format!("\"{name}\": {error}"))
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// The version of this program.
pub(super) fn own_version() -> Version {
    env!("CARGO_PKG_VERSION").parse().unwrap_or(Version::new(0, 0, 0))
}
