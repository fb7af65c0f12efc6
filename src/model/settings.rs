//! The learner's own settings: `mustdo.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use super::{
    Capability, CheckId, CheckUse, Digest, Item, ItemId, Language, Limits, PluginId, Policy, Span,
    TargetKind, TargetName, Value,
};

/// What `mustdo.toml` says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// The language of content; none for the locale's.
    pub language: Option<Language>,
    /// How long a proof lasts where the item does not say; none for [`Settings::FRESH_FOR`].
    pub fresh_for: Option<Span>,
    /// By name.
    pub targets: BTreeMap<TargetName, Target>,
    /// The learner's bindings over the checklists', by item.
    pub bindings: BTreeMap<ItemId, ItemBinding>,
    /// What plugins may do, by plugin.
    pub grants: BTreeMap<PluginId, Grant>,
    /// What no plugin sees and no report shows.
    pub secrets: Secrets,
    /// What the gate asks.
    pub policy: Policy,
    /// Commit progress to git after each command that changes it; none for no.
    pub commit: Option<bool>,
    /// How many checks run at once; none for the number of processors.
    pub jobs: Option<usize>,
    /// Longest time for one check; none for the plugin's own guess times five.
    pub timeout: Option<Span>,
    /// How much a plugin may use.
    pub limits: Limits,
}

impl Settings {
    /// How long a proof lasts where neither item nor workspace says.
    pub const FRESH_FOR: Span = Span::days(120);

    /// An item's checks with the learner's bindings laid over them, in the item's order.
    #[must_use]
    pub fn definitions(&self, item: &Item) -> Vec<Definition> {
        let binding = self.bindings.get(&item.id);
        item.checks.iter().map(|check| Definition::new(check, binding, self.fresh_for(item))).collect()
    }

    fn fresh_for(&self, item: &Item) -> Span {
        let own = self.bindings.get(&item.id).and_then(|binding| binding.fresh_for);
        own.or(item.fresh_for).or(self.fresh_for).unwrap_or(Self::FRESH_FOR)
    }
}

/// What the learner binds a target name to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub place: Place,
    /// How mustdo starts it; none when it is already running or needs no start.
    pub launch: Option<Launch>,
}

impl Target {
    /// What the user adds to the environment of the program behind it; empty where there is none.
    pub fn env(&self) -> impl Iterator<Item = (&String, &String)> {
        let own = match &self.place {
            Place::Command { env, .. } => Some(env),
            Place::Http { .. } | Place::Tcp(_) | Place::Udp(_) | Place::Dir(_) => None,
        };
        own.into_iter().chain(self.launch.as_ref().map(|launch| &launch.env)).flatten()
    }
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An HTTP/1.1 service in clear text.
    Http {
        /// Where it listens.
        address: Address,
        /// Empty, or begins with "/" and does not end with it.
        prefix: String,
    },
    /// A server of byte streams.
    Tcp(Address),
    /// A server of datagrams.
    Udp(Address),
    /// A directory, relative to the workspace.
    Dir(String),
    /// A program.
    Command {
        /// A path, or a name to look up in `PATH` when it is granted.
        program: String,
        /// What it is told, and what a plugin may add: see [`Arguments`](super::Arguments).
        args: Vec<String>,
        /// Its environment, beside what every program gets: a [`Pattern`](super::Pattern) with a star is for a plugin to
        /// fill in.
        env: BTreeMap<String, String>,
        /// Where it runs, relative to the workspace; none for an empty folder.
        cwd: Option<String>,
    },
}

impl Place {
    /// What kind of target it is.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Http { .. } => TargetKind::Http,
            Self::Tcp(_) => TargetKind::Tcp,
            Self::Udp(_) => TargetKind::Udp,
            Self::Dir(_) => TargetKind::Dir,
            Self::Command { .. } => TargetKind::Command,
        }
    }

    /// The address, where it has one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Http { address, .. } | Self::Tcp(address) | Self::Udp(address) => Some(address),
            Self::Dir(_) | Self::Command { .. } => None,
        }
    }

    /// Whether it is a directory whose path, by its words alone, never leaves the workspace. Links are not followed here:
    /// whoever opens the directory refuses one that leads out.
    #[must_use]
    pub fn stays_inside(&self) -> bool {
        let Self::Dir(path) = self else { return false };
        let mut depth = 0_usize;
        for part in Path::new(path).components() {
            match part {
                Component::CurDir => {}
                Component::Normal(_) => depth += 1,
                Component::ParentDir if depth > 0 => depth -= 1,
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
            }
        }
        true
    }
}

/// A host and a port that may still have to be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port; none for `{port}`: a free one is chosen when the target is started.
    pub port: Option<u16>,
}

impl Address {
    /// Whether the host, as written, is this very machine. Of names only `localhost` is: any other could be made to
    /// resolve to anything later.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let literal = |address: IpAddr| address.is_loopback();
        self.host.eq_ignore_ascii_case("localhost") || self.host.parse().is_ok_and(literal)
    }
}

/// How mustdo starts a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments; not empty; `{port}` stands for the chosen port.
    pub run: Vec<String>,
    /// Where it runs, relative to the workspace.
    pub cwd: Option<String>,
    /// Added to its environment; `{port}` stands for the chosen port.
    pub env: BTreeMap<String, String>,
    /// For http: the path that answers 2xx or 3xx once it is ready; none where accepting a connection is enough.
    pub ready: Option<String>,
    /// How long it may take to be ready.
    pub ready_timeout: Span,
}

impl Launch {
    /// Long enough for a cold interpreter on a busy machine.
    pub const READY_TIMEOUT: Span = Span::seconds(30);
}

/// The learner's own bindings for one item.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemBinding {
    /// Over the checklist's: the plugin's target name to the workspace's.
    pub target: BTreeMap<TargetName, TargetName>,
    /// Over the checklist's parameters.
    pub with: BTreeMap<String, Value>,
    /// Instead of the checklist's, where given.
    pub watch: Option<Vec<String>>,
    /// Instead of the item's, where given.
    pub fresh_for: Option<Span>,
}

/// What the user keeps to themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Environment variables whose values are masked in everything mustdo writes.
    pub env: BTreeSet<String>,
    /// Variables of a target's `env` whose values are no secrets, beside those that are never one.
    pub plain: BTreeSet<String>,
    /// Globs, relative to the root of a directory target, of files that no plugin reads, beside the built-in ones.
    pub files: Vec<String>,
}

/// The user's permission for one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The plugin it was given to.
    pub digest: Digest,
    /// What it may do, by the workspace's target names.
    pub allow: BTreeSet<Capability>,
    /// The absolute programs that `process:TARGET` was granted for, by the workspace's names of command targets.
    pub programs: BTreeMap<TargetName, PathBuf>,
}

/// Whether a grant allows something today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// It does.
    Holds,
    /// It never did.
    Missing,
    /// It was given to other bytes of the plugin.
    OtherBytes,
    /// It was given for another program, this one.
    OtherProgram(PathBuf),
}

impl Grant {
    /// No permission yet.
    #[must_use]
    pub fn new(digest: Digest) -> Self {
        Self { digest, allow: BTreeSet::new(), programs: BTreeMap::new() }
    }

    /// Whether it allows `capability`, which touches `target`, to the bytes of `plugin` today. `program` is where the
    /// program of a command target is today; none where it is not found.
    ///
    /// What keeps a plugin inside the sandbox holds for any bytes of that plugin: whatever they do, they can do no more than
    /// was allowed. What lets it start programs holds for the bytes that the user saw, and only while the target leads to the
    /// program that the user saw. A program that is not there starts nothing, and is no reason to ask.
    #[must_use]
    pub fn permit(
        &self,
        capability: &Capability,
        plugin: Digest,
        target: Option<&Target>,
        program: Option<&Path>,
    ) -> Permit {
        if !self.allow.contains(capability) {
            return Permit::Missing;
        }
        let Capability::Process(name) = capability else { return Permit::Holds };
        if self.digest != plugin {
            return Permit::OtherBytes;
        }
        if target.is_none_or(|target| target.place.kind() != TargetKind::Command) {
            return Permit::Holds;
        }
        match self.programs.get(name) {
            None => Permit::Missing,
            Some(seen) if program.is_some_and(|today| today != seen) => Permit::OtherProgram(seen.clone()),
            Some(_) => Permit::Holds,
        }
    }

    /// Makes it a grant to the bytes of `plugin`: of what was given to others, only what holds for these stays.
    pub fn renew(&mut self, plugin: Digest) {
        if self.digest != plugin {
            self.allow.retain(|capability| !matches!(capability, Capability::Process(_)));
            self.programs.clear();
            self.digest = plugin;
        }
    }

    /// Takes a permission back; true where there was one.
    pub fn revoke(&mut self, capability: &Capability) -> bool {
        if let Capability::Process(target) = capability {
            self.programs.remove(target);
        }
        self.allow.remove(capability)
    }
}

/// What is asked of one check of one item, all layers applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The question.
    pub uses: CheckId,
    /// The plugin's target name to the workspace's.
    pub target: BTreeMap<TargetName, TargetName>,
    /// Parameters, by name.
    pub with: BTreeMap<String, Value>,
    /// Globs of the learner's files that the proof depends on.
    pub watch: Vec<String>,
    /// How long a proof lasts.
    pub fresh_for: Span,
}

impl Definition {
    fn new(check: &CheckUse, binding: Option<&ItemBinding>, fresh_for: Span) -> Self {
        let mut definition = Self {
            uses: check.uses.clone(),
            target: check.target.clone(),
            with: check.with.clone(),
            watch: check.watch.clone(),
            fresh_for,
        };
        if let Some(binding) = binding {
            definition.target.extend(binding.target.clone());
            for (name, value) in &binding.with {
                let merged = match definition.with.remove(name) {
                    Some(below) => below.overlaid(value),
                    None => value.clone(),
                };
                definition.with.insert(name.clone(), merged);
            }
            if let Some(watch) = &binding.watch {
                definition.watch.clone_from(watch);
            }
        }
        definition
    }

    /// Every environment variable that its parameters name.
    #[must_use]
    pub fn variables(&self) -> BTreeSet<&str> {
        self.with.values().flat_map(Value::variables).collect()
    }

    /// Identifies what was asked: a proof of another definition is stale. How long a proof lasts and which files it
    /// watches are judged on their own and are no part of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = super::Hasher::default();
        hasher.field("check").field(self.uses.to_string());
        for (plugin, workspace) in &self.target {
            hasher.field("target").field(plugin.as_str()).field(workspace.as_str());
        }
        for (name, value) in &self.with {
            hasher.field("with").field(name);
            value.digest(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_bytes_keep_what_stays_in_the_sandbox_and_start_no_program() {
        let place =
            Place::Command { program: "celery".to_owned(), args: vec![], env: BTreeMap::new(), cwd: None };
        let target = Target { place, launch: None };
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let allow = ["http:web", "env:TOKEN", "process:worker"].map(|text| text.parse().unwrap());
        let mut grant = Grant { allow: allow.into(), ..Grant::new(old) };
        grant.programs.insert("worker".parse().unwrap(), "/usr/bin/celery".into());
        let permit = |grant: &Grant, capability: &str, digest, program: &str| {
            grant.permit(&capability.parse().unwrap(), digest, Some(&target), Some(Path::new(program)))
        };
        for capability in ["http:web", "env:TOKEN", "process:worker"] {
            assert_eq!(permit(&grant, capability, old, "/usr/bin/celery"), Permit::Holds, "{capability}");
        }
        assert_eq!(permit(&grant, "http:web", new, ""), Permit::Holds);
        assert_eq!(permit(&grant, "http:db", new, ""), Permit::Missing);
        assert_eq!(permit(&grant, "process:worker", new, "/usr/bin/celery"), Permit::OtherBytes);
        let seen = Permit::OtherProgram("/usr/bin/celery".into());
        assert_eq!(permit(&grant, "process:worker", old, "/tmp/celery"), seen);
        let worker: Capability = "process:worker".parse().unwrap();
        assert_eq!(grant.permit(&worker, old, Some(&target), None), Permit::Holds);

        let mut renewed = grant.clone();
        renewed.renew(old);
        assert_eq!(renewed, grant);
        renewed.renew(new);
        assert_eq!(renewed.allow, ["http:web", "env:TOKEN"].map(|text| text.parse().unwrap()).into());
        assert!(renewed.programs.is_empty() && renewed.digest == new);

        assert!(grant.revoke(&worker) && grant.programs.is_empty());
        assert!(!grant.revoke(&worker));
    }

    fn definition(binding: Option<&ItemBinding>) -> Definition {
        let check = CheckUse {
            uses: "http-idempotency/safe-get".parse().unwrap(),
            target: [("api".parse().unwrap(), "web".parse().unwrap())].into(),
            with: [("n".to_owned(), Value::Integer(5))].into(),
            watch: vec!["app/**".to_owned()],
        };
        Definition::new(&check, binding, Settings::FRESH_FOR)
    }

    #[test]
    fn learner_binding_wins_over_the_checklist() {
        let binding = ItemBinding {
            target: [("api".parse().unwrap(), "shop".parse().unwrap())].into(),
            with: [("n".to_owned(), Value::Integer(9))].into(),
            ..ItemBinding::default()
        };
        let bound = definition(Some(&binding));
        assert_eq!(bound.target["api"].as_str(), "shop");
        assert_eq!(bound.with["n"], Value::Integer(9));
        assert_eq!(bound.watch, ["app/**"]);
    }

    #[test]
    fn digest_changes_with_what_is_asked_and_with_nothing_else() {
        let plain = definition(None).digest();
        let asked =
            ItemBinding { with: [("n".to_owned(), Value::Float(5.0))].into(), ..ItemBinding::default() };
        let kept =
            ItemBinding { watch: Some(vec![]), fresh_for: Some(Span::days(1)), ..ItemBinding::default() };
        assert_ne!(definition(Some(&asked)).digest(), plain);
        assert_eq!(definition(Some(&kept)).digest(), plain);
    }
}
