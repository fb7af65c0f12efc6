//! What one run may do and has done: the data of its store.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::model::{Capability, Endpoint, Limits, TargetName};
use crate::process::Supervised;
use crate::verify::{Reporter, Task, Trace};

use super::access::AccessLog;
use super::attachment::Attachments;
use super::contract::Failure;
use super::failure;
use super::files::Secrets;
use super::http::Allowance;
use super::limit::{self, Limiter};
use super::log::Log;
use super::network::{Descriptors, Network};
use super::output::Output;
use super::process::{ProgramOptions, Programs};
use super::scratch::Quota;
use super::tape::{self, Tape};

/// The store's data. One per run, never used again.
pub(super) struct State {
    /// Who runs; named in every refusal.
    pub(super) plugin: String,
    /// When the run began, by the monotonic clock.
    pub(super) origin: Instant,
    /// When the host stops it.
    pub(super) deadline: Instant,
    /// What the host keeps for the guest.
    pub(super) table: ResourceTable,
    /// How much of it [`State::keep`] put there.
    kept: usize,
    pub(super) limiter: Limiter,
    pub(super) log: Log,
    pub(super) accesses: AccessLog,
    pub(super) attachments: Attachments,
    /// What is left of the HTTP limits.
    pub(super) http: Allowance,
    /// Where targets are, and what is left of the network.
    pub(super) network: Network,
    /// Where progress goes, and when it last went there.
    pub(super) reporter: Option<Reporter>,
    pub(super) reported: Option<Instant>,
    /// What becomes of the calls.
    pub(super) tape: Tape,
    /// Shared by every run of a host.
    pub(super) common: Arc<Common>,
    /// What it has started. Below the table: handles on programs go before the folders that they share.
    pub(super) programs: Programs,
    /// What is left for its private folders.
    pub(super) scratch: Quota,
    /// The programs behind targets, where mustdo started them.
    pub(super) supervised: BTreeMap<TargetName, Arc<dyn Supervised>>,
    /// Nothing else uses its targets.
    pub(super) exclusive: bool,
    targets: BTreeMap<TargetName, Endpoint>,
    /// What the workspace calls them, by the plugin's names.
    names: BTreeMap<TargetName, TargetName>,
    pub(super) allowed: BTreeSet<Capability>,
    wasi: WasiCtx,
}

/// What every run of a host shares.
#[derive(Clone)]
pub(super) struct Common {
    /// The variables a plugin may be allowed to read.
    pub(super) environment: BTreeMap<String, String>,
    /// How much a plugin may use.
    pub(super) limits: Limits,
    /// The files no plugin reads.
    pub(super) secrets: Secrets,
    /// How programs are started.
    pub(super) programs: ProgramOptions,
    /// The sockets that plugins have open.
    pub(super) descriptors: Arc<Descriptors>,
}

impl State {
    /// The state of a run of `task`.
    pub(super) fn running(
        task: &Task,
        reporter: Reporter,
        component_bytes: usize,
        common: Arc<Common>,
        tape: Tape,
    ) -> Self {
        let plugin = task.check.plugin.to_string();
        let mut state = Self::on_tape(plugin, task.deadline, component_bytes, common, tape);
        state.targets.clone_from(&task.targets);
        state.names.clone_from(&task.names);
        state.allowed.clone_from(&task.allowed);
        state.supervised.clone_from(&task.supervised);
        state.exclusive = task.exclusive;
        state.reporter = Some(reporter);
        state
    }

    /// The state of a plugin that may do nothing.
    pub(super) fn withheld(
        plugin: String,
        limit: Duration,
        component_bytes: usize,
        common: Arc<Common>,
    ) -> Self {
        Self::on_tape(plugin, limit, component_bytes, common, Tape::Live)
    }

    fn on_tape(
        plugin: String,
        limit: Duration,
        component_bytes: usize,
        common: Arc<Common>,
        tape: Tape,
    ) -> Self {
        let origin = Instant::now();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limit::TABLE_ENTRIES);
        let log = Log::default();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Output::new("stdout", log.clone())).stderr(Output::new("stderr", log.clone()));
        tape::on_tape(&mut wasi, &tape);
        Self {
            plugin,
            origin,
            deadline: origin + limit,
            table,
            kept: 0,
            limiter: Limiter::new(component_bytes, &common.limits),
            log,
            accesses: AccessLog::new(origin),
            attachments: Attachments::new(&common.limits),
            http: Allowance::new(&common.limits),
            network: Network::new(common.descriptors.clone()),
            reporter: None,
            reported: None,
            tape,
            common,
            programs: Programs::default(),
            scratch: Quota::default(),
            supervised: BTreeMap::new(),
            exclusive: false,
            targets: BTreeMap::new(),
            names: BTreeMap::new(),
            allowed: BTreeSet::new(),
            wasi: wasi.build(),
        }
    }

    /// What the run did until now; what it does afterwards is told by nobody.
    pub(super) fn trace(&mut self) -> Trace {
        let accesses = mem::replace(&mut self.accesses, AccessLog::new(self.origin));
        Trace {
            elapsed: self.origin.elapsed(),
            accesses: accesses.finish(),
            log: self.log.finish(),
            attempts: vec![],
        }
    }

    /// How long the run may still take.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether the user allows `capability`; the failure says what would.
    pub(super) fn permit(&self, capability: &Capability) -> Result<(), Failure> {
        if self.allowed.contains(capability) {
            self.accesses.use_of(capability);
            Ok(())
        } else {
            let name = capability.target().and_then(|target| self.names.get(target));
            Err(match name {
                Some(name) => failure::denied(&self.plugin, &capability.on(name)),
                None => failure::denied(&self.plugin, capability),
            })
        }
    }

    /// What `capability`, which touches the target called `name`, may touch. Denied comes before unbound: what is not
    /// allowed tells nothing of the workspace.
    pub(super) fn endpoint(
        &self,
        name: &str,
        capability: impl FnOnce(TargetName) -> Capability,
    ) -> Result<Endpoint, Failure> {
        self.bound(name, capability).map(|(_, endpoint)| endpoint)
    }

    /// The same, with the name that the text is.
    pub(super) fn bound(
        &self,
        name: &str,
        capability: impl FnOnce(TargetName) -> Capability,
    ) -> Result<(TargetName, Endpoint), Failure> {
        let target: TargetName =
            name.parse().map_err(|error| Failure::Unbound(format!("{error}: {name:?}")))?;
        let capability = capability(target.clone());
        self.permit(&capability)?;
        let endpoint = self.targets.get(&target).ok_or_else(|| {
            Failure::Unbound(format!("bind the target \"{target}\" under [targets] in mustdo.toml"))
        })?;
        let kinds = capability.kinds();
        if kinds.contains(&endpoint.kind()) {
            Ok((target, endpoint.clone()))
        } else {
            let needed: Vec<_> = kinds.iter().map(ToString::to_string).collect();
            Err(Failure::Unbound(format!(
                "the target \"{target}\" is bound to a {} target, the plugin needs {}",
                endpoint.kind(),
                needed.join(" or ")
            )))
        }
    }

    /// Keeps something for the guest, until [`State::release`]. Sockets are counted where they are opened
    /// (`network::Network::take`) and go into the table by themselves.
    pub(super) fn keep<T: Send + 'static>(&mut self, thing: T) -> wasmtime::Result<Resource<T>> {
        if self.kept == limit::RESOURCES {
            return Err(ResourceTableError::Full.into());
        }
        let handle = self.table.push(thing)?;
        self.kept += 1;
        Ok(handle)
    }

    /// Drops what was kept.
    pub(super) fn release<T: 'static>(&mut self, handle: Resource<T>) -> wasmtime::Result<()> {
        drop(self.table.delete(handle)?);
        self.kept -= 1;
        Ok(())
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

#[cfg(test)]
impl Common {
    /// What runs share where nothing is given to them.
    pub(super) fn bare() -> Arc<Self> {
        let secrets = Secrets::new(&[]).unwrap();
        let programs = ProgramOptions::default();
        Arc::new(Self {
            environment: BTreeMap::new(),
            limits: Limits::default(),
            secrets,
            programs,
            descriptors: Arc::default(),
        })
    }
}

#[cfg(test)]
impl State {
    /// The state of a plugin that may do what `allowed` says with what `targets` are bound to.
    pub(super) fn with(allowed: &[&str], targets: &[(&str, Endpoint)]) -> Self {
        let mut state = Self::withheld("probe".to_owned(), Duration::from_mins(1), 1, Common::bare());
        state.allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        state.targets = targets.iter().map(|(name, bound)| (name.parse().unwrap(), bound.clone())).collect();
        state
    }
}
