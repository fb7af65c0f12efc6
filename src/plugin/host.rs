//! Loads plugins and runs their checks.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use semver::Version;
use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{Engine, Store};

use crate::model::{Digest, Limits, PluginInfo, plain_line};
use crate::verify::{Reporter, Run, RunError, RunFault, Task, Trace, Verifier};

use super::cache::{CacheError, CachePolicy};
use super::compile::{self, CompileError, Compiler};
use super::component::{self, LoadError};
use super::contract::{RunError as Refusal, RunRequest, VerifierWithProcessPre};
use super::engine::Backend;
use super::files::{SecretError, Secrets};
use super::limit::{DESCRIBE, LINE_CHARS, WINCH_BYTES};
use super::process::ProgramOptions;
use super::scratch;
use super::stage::Stage;
use super::state::{Common, State};
use super::tape::{Recorder, Tape};
use super::upgrade::Upgrades;
use super::{description, engine, fault, verdict};

/// What a host is made with.
#[derive(Debug)]
pub struct HostOptions {
    /// Where compiled plugins are kept.
    pub cache: CachePolicy,
    /// Where foreign plugins are compiled.
    pub compiler: Compiler,
    /// By what they are compiled.
    pub backends: Backends,
    /// How much a plugin may use, and compiling one.
    pub limits: Limits,
    /// Environment variables that a plugin may be granted; nothing else of the environment reaches one.
    pub environment: BTreeMap<String, String>,
    /// Globs, relative to the root of a directory target, of files that no plugin reads, beside the built-in ones.
    pub secrets: Vec<String>,
    /// How programs are started.
    pub programs: ProgramOptions,
}

impl HostOptions {
    /// Nothing but a cache: compiled in this process by Cranelift, the ordinary limits, no variable, no secret beside the built-in ones, no guard.
    #[must_use]
    pub fn new(cache: CachePolicy) -> Self {
        Self {
            cache,
            compiler: Compiler::Here,
            backends: Backends::default(),
            limits: Limits::default(),
            environment: BTreeMap::new(),
            secrets: vec![],
            programs: ProgramOptions::default(),
        }
    }
}

/// Which compilers a host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backends {
    /// One for everything.
    Only(Backend),
    /// Winch for the first run of a large component, Cranelift for every later one, where Winch is a compiler of the first
    /// rank (x86-64) and there is a program to compile with; else Cranelift.
    WinchFirst,
}

impl Default for Backends {
    fn default() -> Self {
        Self::Only(Backend::Cranelift)
    }
}

/// Why there is no host.
#[derive(Debug, Error)]
pub enum HostError {
    /// The engine does not start here.
    #[error("the wasm engine does not start: {0}")]
    Engine(String),
    /// One of [`HostOptions::secrets`].
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// A plugin that is ready to run.
#[derive(Clone)]
pub struct Plugin {
    digest: Digest,
    size: usize,
    contract: Version,
    sources: Option<String>,
    pre: VerifierWithProcessPre<State>,
}

impl Plugin {
    /// Of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The version of the contract that it was built for.
    #[must_use]
    pub fn contract(&self) -> &Version {
        &self.contract
    }

    /// The interfaces that it imports, sorted: an upper bound of what it can ever ask for.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        let component = self.pre.instance_pre().component();
        let kind = component.component_type();
        let mut imports: Vec<_> =
            kind.imports(component.engine()).map(|(name, _)| plain_line(name, LINE_CHARS)).collect();
        imports.sort();
        imports
    }

    /// What it was compiled for; nothing else runs it.
    fn engine(&self) -> &Engine {
        self.pre.engine()
    }

    /// The digest of its sources, where its build left one.
    #[must_use]
    pub fn sources(&self) -> Option<&str> {
        self.sources.as_deref()
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("digest", &self.digest)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A plugin that was loaded, and what is worth telling the user about it.
#[derive(Debug)]
pub struct Loaded {
    /// The plugin.
    pub plugin: Plugin,
    /// Why it was compiled and not kept, if so.
    pub warning: Option<CacheError>,
}

/// Why a plugin does not describe itself.
#[derive(Debug, Error)]
pub enum DescribeError {
    /// It crashed, hung or went over a limit.
    #[error("while it described itself, it {0}")]
    Fault(RunFault),
    /// What it says can not be.
    #[error("describes itself wrongly: {0}")]
    Contract(String),
}

/// Runs the checks of plugins: [`Host::load`] and [`Host::describe`] them, [`Host::add`] them, and it is a
/// [`Verifier`].
pub struct Host {
    /// Where plugins run.
    stage: Stage,
    backend: Backend,
    /// Where those run that nothing better is kept of.
    first: Option<First>,
    compiler: Compiler,
    common: Arc<Common>,
    plugins: RwLock<BTreeMap<Digest, Arc<Added>>>,
    recorder: Option<Recorder>,
}

/// What large components run on at first.
struct First {
    policy: CachePolicy,
    /// Started when it is needed; none where it does not start.
    stage: OnceLock<Option<Stage>>,
    /// None where nothing is kept: then each run is the first.
    upgrades: Option<Upgrades>,
}

impl First {
    fn stage(&self) -> Option<&Stage> {
        self.stage.get_or_init(|| Stage::start(Backend::Winch, self.policy.clone()).ok()).as_ref()
    }
}

/// Who made a component that is to be compiled.
#[derive(Clone, Copy)]
enum Maker {
    /// We.
    Ourselves,
    /// Somebody else.
    Somebody,
}

struct Added {
    plugin: Plugin,
    version: Version,
}

impl Host {
    /// Starts the engine.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let HostOptions { cache, compiler, backends, limits, environment, secrets, programs } = options;
        let secrets = Secrets::new(&secrets)?;
        let common = Arc::new(Common { environment, limits, secrets, programs, descriptors: Arc::default() });
        scratch::sweep();
        let fault = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let (backend, first) = match (backends, &compiler) {
            (Backends::Only(backend), _) => (backend, None),
            (Backends::WinchFirst, Compiler::Process { program, compile: _, optimise })
                if cfg!(target_arch = "x86_64") =>
            {
                let upgrades = match &cache {
                    CachePolicy::Off => None,
                    CachePolicy::Directory(path) => {
                        Some(Upgrades::new(program, optimise, path, &common.limits))
                    }
                };
                let first = First { policy: cache.clone(), stage: OnceLock::new(), upgrades };
                (Backend::Cranelift, Some(first))
            }
            (Backends::WinchFirst, _) => (Backend::Cranelift, None),
        };
        let stage = Stage::start(backend, cache).map_err(fault)?;
        Ok(Self { stage, backend, first, compiler, common, plugins: RwLock::default(), recorder: None })
    }

    /// Compiles `bytes`, or takes what was compiled before, and links it. Compiling is bounded in time and, with
    /// [`Compiler::Process`], in memory.
    ///
    /// Blocks for as long as compiling takes: a tenth of a second for a small plugin, two for one with an interpreter.
    pub fn load(&self, bytes: &[u8]) -> Result<Loaded, LoadError> {
        self.link(bytes, Digest::of(bytes), Maker::Somebody)
    }

    /// As [`Host::load`], for bytes that ship inside this very program and have this digest: compiled here, and without
    /// bounds.
    pub fn load_own(&self, bytes: &[u8], digest: Digest) -> Result<Loaded, LoadError> {
        self.link(bytes, digest, Maker::Ourselves)
    }

    fn link(&self, bytes: &[u8], digest: Digest, maker: Maker) -> Result<Loaded, LoadError> {
        component::admit(bytes)?;
        let (stage, component, warning) = self.component(bytes, &digest, maker)?;
        let contract = component::contract_version(&stage.engine, &component)?;
        let pre =
            stage.linker.instantiate_pre(&component).and_then(VerifierWithProcessPre::new).map_err(
                |error| component::unlinked(&contract, plain_line(&format!("{error:#}"), LINE_CHARS)),
            )?;
        let sources = component::custom_section(bytes, "mustdo:sources")
            .map(|section| plain_line(&String::from_utf8_lossy(section), LINE_CHARS));
        Ok(Loaded { plugin: Plugin { digest, size: bytes.len(), contract, sources, pre }, warning })
    }

    /// Native code of a component, and where it runs.
    fn component(
        &self,
        bytes: &[u8],
        digest: &Digest,
        maker: Maker,
    ) -> Result<(&Stage, Component, Option<CacheError>), CompileError> {
        let compile = |stage: &Stage, backend| match maker {
            Maker::Ourselves => compile::own(&stage.engine, bytes),
            Maker::Somebody => self.compiler.compile(backend, &stage.engine, bytes, &self.common.limits),
        };
        if let Some(first) = self.first.as_ref().filter(|_| bytes.len() >= WINCH_BYTES) {
            if let Some(component) = self.stage.kept(digest) {
                return Ok((&self.stage, component, None));
            }
            if let Some(stage) = first.stage() {
                match stage.component(digest, &self.common.limits, || compile(stage, Backend::Winch)) {
                    Ok((component, warning)) => {
                        // One that can not be remembered is remembered by the next start.
                        let wanted = first.upgrades.as_ref().filter(|_| warning.is_none());
                        let _ =
                            wanted.filter(|_| !self.stage.cache.given_up(digest)).map(|all| all.add(bytes));
                        return Ok((stage, component, warning));
                    }
                    // Winch does not know every proposal that Cranelift knows, which has the last word.
                    Err(CompileError::Invalid(_) | CompileError::Broken(_)) => {}
                    Err(over) => return Err(over),
                }
            }
        }
        let (component, warning) =
            self.stage.component(digest, &self.common.limits, || compile(&self.stage, self.backend))?;
        Ok((&self.stage, component, warning))
    }

    /// Asks `plugin` what it is, with everything withheld from it.
    pub async fn describe(&self, plugin: &Plugin) -> Result<PluginInfo, DescribeError> {
        let state = State::withheld(plugin.digest.short(), DESCRIBE, plugin.size, self.common.clone());
        let mut store = engine::store(plugin.engine(), state);
        let call = async {
            let instance = plugin.pre.instantiate_async(&mut store).await?;
            instance.mustdo_verifier_plugin().call_describe(&mut store).await
        };
        match tokio::time::timeout(DESCRIBE, call).await {
            Err(_) => Err(DescribeError::Fault(RunFault::TimedOut { limit: DESCRIBE })),
            Ok(Err(error)) => Err(DescribeError::Fault(fault::of(&error, store.data()))),
            Ok(Ok(info)) => description::convert(info)
                .map_err(|why| DescribeError::Contract(plain_line(&why, LINE_CHARS))),
        }
    }

    /// Makes `plugin`, which describes itself as `info`, available to tasks that name its digest.
    pub fn add(&self, plugin: Plugin, info: &PluginInfo) {
        let added = Added { plugin, version: info.version.clone() };
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.insert(added.plugin.digest, Arc::new(added));
    }

    /// What was found out about the plugin of this digest under this name; none where it has to be found out.
    #[must_use]
    pub fn recall(&self, digest: &Digest, name: &str) -> Option<String> {
        self.stage.cache.policy().recall(digest, name)
    }

    /// Keeps a short text about the plugin of this digest beside its compiled form, where there is a place for it.
    pub fn remember(&self, digest: &Digest, name: &str, text: &str) {
        self.stage.cache.policy().remember(digest, name, text);
    }

    /// Replaces the variables that plugins may be granted by those that they were granted.
    pub fn set_environment(&mut self, environment: BTreeMap<String, String>) {
        Arc::make_mut(&mut self.common).environment = environment;
    }

    fn added(&self, digest: &Digest) -> Option<Arc<Added>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Records every run from now on.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Runs `task`, its calls going to `tape`; the plugin is asked what `request` says.
    pub(super) async fn verify_on(
        &self,
        tape: Tape,
        task: &Task,
        request: RunRequest,
        reporter: Reporter,
    ) -> Result<Run, RunError> {
        let plugin = task.check.plugin.clone();
        let Some(added) = self.added(&task.plugin) else {
            let fault = RunFault::Host(format!("{} is not loaded", task.plugin));
            return Err(RunError { plugin, version: Version::new(0, 0, 0), fault, trace: Box::default() });
        };
        let run = self.run(&added.plugin, task, request, reporter, tape).await;
        run.map_err(|(fault, trace)| RunError { plugin, version: added.version.clone(), fault, trace })
    }

    async fn run(
        &self,
        plugin: &Plugin,
        task: &Task,
        request: RunRequest,
        reporter: Reporter,
        tape: Tape,
    ) -> Result<Run, (RunFault, Box<Trace>)> {
        let state = State::running(task, reporter, plugin.size, self.common.clone(), tape.clone());
        let deadline = state.deadline;
        let mut store = engine::store(plugin.engine(), state);
        let mut unfinished = Unfinished { store: &mut store, ended: false };
        let call = async {
            let store = &mut *unfinished.store;
            let instance = plugin.pre.instantiate_async(&mut *store).await?;
            instance.mustdo_verifier_plugin().call_run(store, &request).await
        };
        // The epoch makes wasm give way, and only this ends it; it also ends a host call that waits.
        let called = tokio::time::timeout_at(deadline.into(), call).await;
        unfinished.ended = true;
        drop(unfinished);
        let elapsed = store.data().origin.elapsed();
        let answer = match (tape.fault(), called) {
            (Some(fault), _) => Err(fault),
            (None, Err(_)) => Err(RunFault::TimedOut { limit: task.deadline }),
            (None, Ok(Err(error))) => Err(fault::of(&error, store.data())),
            (None, Ok(Ok(answer))) => {
                tape.returned(&answer);
                Ok(answer)
            }
        };
        let mut state = store.into_data();
        let verdict = answer.and_then(|answer| {
            let given = answer.map_err(|refusal| match refusal {
                Refusal::UnknownCheck(check) => RunFault::UnknownCheck(plain_line(&check, LINE_CHARS)),
                Refusal::BadParams(why) => RunFault::Params(plain_line(&why, LINE_CHARS)),
                Refusal::Internal(why) => RunFault::Internal(plain_line(&why, LINE_CHARS)),
            })?;
            verdict::convert(given, &task.item, &mut state.attachments)
        });
        // What was opened is told whatever came of it: a run that crashed is the one to look into.
        let Trace { elapsed: _, accesses, log, attempts } = state.trace();
        match verdict {
            Ok(verdict) => Ok(Run { verdict, elapsed, accesses, log, attempts }),
            Err(fault) => Err((fault, Box::new(Trace { elapsed, accesses, log, attempts }))),
        }
    }
}

/// A run that may be stopped from outside: its future is dropped while it waits, and then this tells what it did.
struct Unfinished<'a> {
    store: &'a mut Store<State>,
    ended: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let state = self.store.data_mut();
            let trace = state.trace();
            if let Some(reporter) = &state.reporter {
                reporter.stopped(trace);
            }
        }
    }
}

impl Verifier for Host {
    async fn verify(&self, task: &Task, reporter: Reporter) -> Result<Run, RunError> {
        let request = RunRequest {
            check: task.check.check.to_string(),
            params: task.params.clone(),
            targets: task.targets.keys().map(ToString::to_string).collect(),
            seed: task.seed,
            extras: vec![("mustdo.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())],
        };
        let (Some(recorder), Some(added)) = (&self.recorder, self.added(&task.plugin)) else {
            return self.verify_on(Tape::Live, task, request, reporter).await;
        };
        let tape = recorder.start(task, &added.version, &request);
        let run = self.verify_on(tape.clone(), task, request, reporter).await;
        recorder.finish(&tape, task, run.as_ref().err().map(|error| &error.fault)).await;
        run
    }
}
