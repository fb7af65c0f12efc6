//! What one run may do and has done: the data of its store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::model::{Capability, Endpoint, Limits, TargetKind, TargetName};
use crate::verify::{Reporter, Task};

use super::access::AccessLog;
use super::attachment::Attachments;
use super::contract::Failure;
use super::failure;
use super::files::Secrets;
use super::http::Allowance;
use super::limit::{self, Limiter};
use super::log::Log;
use super::output::Output;

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
    pub(super) limiter: Limiter,
    pub(super) log: Log,
    pub(super) accesses: AccessLog,
    pub(super) attachments: Attachments,
    /// What is left of the HTTP limits, and the targets that were resolved.
    pub(super) http: Allowance,
    /// Where progress goes, and when it last went there.
    pub(super) reporter: Option<Reporter>,
    pub(super) reported: Option<Instant>,
    /// Shared by every run of a host.
    pub(super) common: Arc<Common>,
    targets: BTreeMap<TargetName, Endpoint>,
    allowed: BTreeSet<Capability>,
    wasi: WasiCtx,
}

/// What every run of a host shares.
pub(super) struct Common {
    /// The variables a plugin may be allowed to read.
    pub(super) environment: BTreeMap<String, String>,
    /// How much a plugin may use.
    pub(super) limits: Limits,
    /// The files no plugin reads.
    pub(super) secrets: Secrets,
}

impl State {
    /// The state of a run of `task`.
    pub(super) fn running(
        task: &Task,
        reporter: Reporter,
        component_bytes: usize,
        common: Arc<Common>,
    ) -> Self {
        let mut state = Self::withheld(task.check.plugin.to_string(), task.deadline, component_bytes, common);
        state.targets.clone_from(&task.targets);
        state.allowed.clone_from(&task.allowed);
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
        let origin = Instant::now();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limit::RESOURCES);
        let log = Log::default();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Output::new("stdout", log.clone())).stderr(Output::new("stderr", log.clone()));
        Self {
            plugin,
            origin,
            deadline: origin + limit,
            table,
            limiter: Limiter::new(component_bytes, &common.limits),
            log,
            accesses: AccessLog::new(origin),
            attachments: Attachments::new(&common.limits),
            http: Allowance::new(&common.limits),
            reporter: None,
            reported: None,
            common,
            targets: BTreeMap::new(),
            allowed: BTreeSet::new(),
            wasi: wasi.build(),
        }
    }

    /// How long the run may still take.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether the user allows `capability`; the failure says what would.
    pub(super) fn permit(&self, capability: &Capability) -> Result<(), Failure> {
        if self.allowed.contains(capability) {
            Ok(())
        } else {
            Err(failure::denied(&self.plugin, capability))
        }
    }

    /// What `capability`, which touches the target called `name`, may touch. Denied comes before unbound: what is not
    /// allowed tells nothing of the workspace.
    pub(super) fn endpoint(
        &self,
        name: &str,
        kind: TargetKind,
        capability: impl FnOnce(TargetName) -> Capability,
    ) -> Result<Endpoint, Failure> {
        let target: TargetName =
            name.parse().map_err(|error| Failure::Unbound(format!("{error}: {name:?}")))?;
        self.permit(&capability(target.clone()))?;
        let endpoint = self.targets.get(&target).ok_or_else(|| {
            Failure::Unbound(format!("bind the target \"{target}\" under [targets] in mustdo.toml"))
        })?;
        if endpoint.kind() == kind {
            Ok(endpoint.clone())
        } else {
            Err(Failure::Unbound(format!(
                "the target \"{target}\" is bound to a {} target, the plugin needs {kind}",
                endpoint.kind()
            )))
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
