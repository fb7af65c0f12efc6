//! Loads plugins and runs their checks.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use semver::Version;
use thiserror::Error;
use wasmtime::component::Linker;
use wasmtime::{Engine, Store};

use crate::model::{Digest, Limits, PluginInfo, plain_line};
use crate::verify::{Reporter, Run, RunError, RunFault, Task, Trace, Verifier};

use super::cache::{Cache, CacheError, CachePolicy};
use super::compile::{self, CompileError, Compiler};
use super::component::{self, LoadError};
use super::contract::{RunError as Refusal, RunRequest, VerifierWithProcess, VerifierWithProcessPre};
use super::files::{SecretError, Secrets};
use super::limit::{DESCRIBE, LINE_CHARS};
use super::process::ProgramOptions;
use super::scratch;
use super::state::{Common, State};
use super::tape::{OnTape, Recorder, Tape, Taped};
use super::{description, engine, fault, verdict};

/// What a host is made with.
#[derive(Debug)]
pub struct HostOptions {
    /// Where compiled plugins are kept.
    pub cache: CachePolicy,
    /// Where foreign plugins are compiled.
    pub compiler: Compiler,
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
    /// Nothing but a cache: compiled in this process, the ordinary limits, no variable, no secret beside the built-in ones, no guard.
    #[must_use]
    pub fn new(cache: CachePolicy) -> Self {
        Self {
            cache,
            compiler: Compiler::Here,
            limits: Limits::default(),
            environment: BTreeMap::new(),
            secrets: vec![],
            programs: ProgramOptions::default(),
        }
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
    engine: Engine,
    linker: Linker<State>,
    cache: Cache,
    compiler: Compiler,
    common: Arc<Common>,
    plugins: RwLock<BTreeMap<Digest, Arc<Added>>>,
    recorder: Option<Recorder>,
}

struct Added {
    plugin: Plugin,
    version: Version,
}

impl Host {
    /// Starts the engine.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let HostOptions { cache, compiler, limits, environment, secrets, programs } = options;
        let secrets = Secrets::new(&secrets)?;
        let common = Arc::new(Common { environment, limits, secrets, programs, descriptors: Arc::default() });
        scratch::sweep();
        let fault = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engine = engine::start().map_err(fault)?;
        let linker = linker(&engine).map_err(fault)?;
        let cache = Cache::new(&engine, cache);
        Ok(Self { engine, linker, cache, compiler, common, plugins: RwLock::default(), recorder: None })
    }

    /// Compiles `bytes`, or takes what was compiled before, and links it. Compiling is bounded in time and, with
    /// [`Compiler::Process`], in memory.
    ///
    /// Blocks for as long as compiling takes: a tenth of a second for a plugin in Rust, ten for one with an interpreter.
    pub fn load(&self, bytes: &[u8]) -> Result<Loaded, LoadError> {
        self.load_with(bytes, || self.compiler.compile(&self.engine, bytes, &self.common.limits))
    }

    /// As [`Host::load`], for bytes that ship inside this very program: compiled here, and without bounds.
    pub fn load_own(&self, bytes: &[u8]) -> Result<Loaded, LoadError> {
        self.load_with(bytes, || compile::own(&self.engine, bytes))
    }

    fn load_with(
        &self,
        bytes: &[u8],
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> Result<Loaded, LoadError> {
        component::admit(bytes)?;
        let digest = Digest::of(bytes);
        let (component, warning) =
            self.cache.component(&self.engine, &digest, &self.common.limits, compile)?;
        let contract = component::contract_version(&self.engine, &component)?;
        let pre =
            self.linker.instantiate_pre(&component).and_then(VerifierWithProcessPre::new).map_err(
                |error| component::unlinked(&contract, plain_line(&format!("{error:#}"), LINE_CHARS)),
            )?;
        let sources = component::custom_section(bytes, "mustdo:sources")
            .map(|section| plain_line(&String::from_utf8_lossy(section), LINE_CHARS));
        Ok(Loaded { plugin: Plugin { digest, size: bytes.len(), contract, sources, pre }, warning })
    }

    /// Asks `plugin` what it is, with everything withheld from it.
    pub async fn describe(&self, plugin: &Plugin) -> Result<PluginInfo, DescribeError> {
        let state = State::withheld(plugin.digest.short(), DESCRIBE, plugin.size, self.common.clone());
        let mut store = engine::store(&self.engine, state);
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
        self.cache.recall(&format!("{}.{name}", digest.hex()))
    }

    /// Keeps a short text about the plugin of this digest beside its compiled form, where there is a place for it.
    pub fn remember(&self, digest: &Digest, name: &str, text: &str) {
        self.cache.remember(&format!("{}.{name}", digest.hex()), text);
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
        let mut store = engine::store(&self.engine, state);
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
            verdict::convert(given, &mut state.attachments)
        });
        // What was opened is told whatever came of it: a run that crashed is the one to look into.
        let Trace { elapsed: _, accesses, log } = state.trace();
        match verdict {
            Ok(verdict) => Ok(Run { verdict, elapsed, accesses, log }),
            Err(fault) => Err((fault, Box::new(Trace { elapsed, accesses, log }))),
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

/// Everything a plugin may import: the whole contract, and WASI with nothing granted, which plugins in Rust, Python and
/// JavaScript import whether they use it or not.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    VerifierWithProcess::add_to_linker::<_, OnTape>(&mut linker, |state: &mut State| Taped(state))?;
    Ok(linker)
}
