//! Compiled plugins on disk.
//!
//! A compiled plugin is native code: whoever can write it here can run code as the user. So the directory belongs to
//! the user and nobody else may write to it or to its parent, an entry is a regular file of the user's and no link, and
//! whatever does not hold means compiling in memory. Entries are written aside and renamed over; one that wasmtime does
//! not take (another version, another processor, half a file) is compiled again and replaced.

use std::fs::File;
use std::hash::Hash;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, open, openat, unlinkat,
};
use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::model::{Digest, Hasher, Limits, plain_line};

use super::attempt::Attempt;
use super::compile::CompileError;
use super::engine::Backend;
use super::limit::LINE_CHARS;

/// How often an entry is tried to be made in the background: a process can be ended by a machine that is switched off, and
/// then by another; a component that ends three does not become native code here.
const ATTEMPTS: u64 = 3;

/// Bytes of a text in the cache.
const NOTE_BYTES: u64 = 4 << 10;

/// Where compiled plugins are kept.
#[derive(Debug, Clone)]
pub enum CachePolicy {
    /// Nowhere: every process compiles for itself.
    Off,
    /// In this directory, of the user's own and outside every workspace; it is made when it is needed.
    Directory(PathBuf),
}

/// Why a compiled plugin was not kept. The plugin works all the same; it is compiled anew every time.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Somebody else could put native code there.
    #[error("`{path}` is not used as a cache: {why}")]
    Unsafe {
        /// The directory or the entry.
        path: PathBuf,
        /// What has to change.
        why: &'static str,
    },
    /// The system said no.
    #[error("`{path}` can not be used as a cache")]
    Io {
        /// The directory or the entry.
        path: PathBuf,
        /// Its words.
        #[source]
        cause: io::Error,
    },
}

/// The compiled form of components, for one engine.
pub(super) struct Cache {
    policy: CachePolicy,
    /// What an artefact depends on besides the component: wasmtime's version, the processor, the settings, the compiler.
    fingerprint: String,
}

impl Cache {
    /// A cache for what `engine`, which has this backend, compiles.
    pub(super) fn new(engine: &Engine, backend: Backend, policy: CachePolicy) -> Self {
        let mut fingerprint = Fingerprint(Hasher::default());
        engine.precompile_compatibility_hash().hash(&mut fingerprint);
        fingerprint.0.field(backend.name());
        Self { policy, fingerprint: fingerprint.0.finish().short() }
    }

    /// The component whose bytes have this digest, where it was kept.
    pub(super) fn kept(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        self.directory()?.load(engine, &self.name(digest)).ok()?
    }

    /// Compiles the component whose bytes have this digest and keeps it, where it is not kept yet. Processes that do this
    /// in one directory wait for each other, so each finds what the one before it made.
    pub(super) fn fill(
        &self,
        engine: &Engine,
        digest: &Digest,
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> io::Result<()> {
        let Some(directory) = self.directory() else { return Ok(()) };
        // Given back by the system when this process ends, however it ends.
        flock(&directory.fd, FlockOperation::LockExclusive)?;
        let name = self.name(digest);
        if matches!(directory.load(engine, &name), Ok(Some(_))) || directory.began(&name) >= ATTEMPTS {
            return Ok(());
        }
        directory.begin(&name)?;
        let compiled = compile().map_err(io::Error::other)?;
        directory.write(&directory.path.join(&name), &compiled)?;
        unlinkat(&directory.fd, tries(&name), AtFlags::empty())?;
        Ok(())
    }

    /// Whether [`Cache::fill`] does nothing for this component any more.
    pub(super) fn given_up(&self, digest: &Digest) -> bool {
        self.directory().is_none_or(|directory| directory.began(&self.name(digest)) >= ATTEMPTS)
    }

    fn directory(&self) -> Option<Directory<'_>> {
        match &self.policy {
            CachePolicy::Off => None,
            CachePolicy::Directory(directory) => Directory::open(directory).ok(),
        }
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{}-{}.cwasm", digest.hex(), self.fingerprint)
    }

    /// The component whose bytes have this digest, and which `compile` compiles where it was not kept; beside it why it
    /// could not be kept, if it could not. One that was given up is not compiled again within the same `limits`.
    pub(super) fn component(
        &self,
        engine: &Engine,
        digest: &Digest,
        limits: &Limits,
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> Result<(Component, Option<CacheError>), CompileError> {
        let directory = match &self.policy {
            CachePolicy::Off => return Ok((revive(engine, &compile()?)?, None)),
            CachePolicy::Directory(directory) => directory,
        };
        let name = self.name(digest);
        let stem = name.trim_end_matches(".cwasm");
        match Directory::open(directory) {
            Err(error) => Ok((revive(engine, &compile()?)?, Some(error))),
            Ok(directory) => match directory.load(engine, &name) {
                Ok(Some(component)) => Ok((component, None)),
                Ok(None) => {
                    let compiled = directory.attempt(&format!("{stem}.failed"), limits, compile)?;
                    directory.keep(engine, &name, &compiled)
                }
                Err(error) => Ok((revive(engine, &compile()?)?, Some(error))),
            },
        }
    }

    /// Where it is.
    pub(super) fn policy(&self) -> &CachePolicy {
        &self.policy
    }
}

impl CachePolicy {
    /// What [`CachePolicy::remember`] wrote under this name about the plugin of this digest; none where nobody did, or
    /// where others could have. Needs no engine, and makes nothing.
    #[must_use]
    pub fn recall(&self, digest: &Digest, name: &str) -> Option<String> {
        let Self::Directory(directory) = self else { return None };
        if !directory.is_dir() {
            return None;
        }
        Directory::open(directory).ok()?.text(&note(digest, name))
    }

    /// Keeps a short text that can be found out again about the plugin of this digest; where it can not be written, it is.
    pub fn remember(&self, digest: &Digest, name: &str, text: &str) {
        let Self::Directory(directory) = self else { return };
        if let Ok(directory) = Directory::open(directory) {
            let _ = directory.write(&directory.path.join(note(digest, name)), text.as_bytes());
        }
    }
}

/// The file of a text about a plugin: it depends on no engine.
fn note(digest: &Digest, name: &str) -> String {
    format!("{}.{name}", digest.hex())
}

/// The file beside an entry whose length is the number of attempts to make it.
fn tries(name: &str) -> String {
    format!("{name}.tries")
}

/// A directory that only the user can write to.
struct Directory<'a> {
    path: &'a Path,
    fd: OwnedFd,
}

impl<'a> Directory<'a> {
    fn open(path: &'a Path) -> Result<Self, CacheError> {
        let fault = |path: &Path, cause: io::Error| CacheError::Io { path: path.to_owned(), cause };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| fault(path, cause))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if let Some(parent) = path.parent() {
            let parent_fd =
                open(parent, flags, Mode::empty()).map_err(|cause| fault(parent, cause.into()))?;
            owned(parent, &stat(parent, &parent_fd)?)?;
        }
        let fd =
            open(path, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|cause| fault(path, cause.into()))?;
        owned(path, &stat(path, &fd)?)?;
        Ok(Self { path, fd })
    }

    /// The entry, or none where there is none that this engine takes.
    fn load(&self, engine: &Engine, name: &str) -> Result<Option<Component>, CacheError> {
        let entry = self.entry(name)?;
        Ok(entry.and_then(|_| deserialize(engine, &self.path.join(name)).ok()))
    }

    /// The entry, which only this user can have written; none where there is none.
    fn entry(&self, name: &str) -> Result<Option<File>, CacheError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let entry = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(entry) => entry,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(cause) => return Err(CacheError::Io { path, cause: cause.into() }),
        };
        let found = stat(&path, &entry)?;
        owned(&path, &found)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(CacheError::Unsafe { path, why: "it is not a regular file" });
        }
        Ok(Some(entry.into()))
    }

    /// How often [`Cache::fill`] began to make the entry since it was last there.
    fn began(&self, name: &str) -> u64 {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let found = openat(&self.fd, tries(name), flags, Mode::empty()).and_then(fstat);
        found.map_or(0, |found| found.st_size.unsigned_abs())
    }

    /// Adds one, before anything is tried: what ends this process could not be told afterwards.
    fn begin(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        File::from(openat(&self.fd, tries(name), flags, mode)?).write_all(b".")
    }

    /// Compiles, unless the entry `note` says that it was tried within limits like these. What can not be noted is tried
    /// again.
    fn attempt(
        &self,
        note: &str,
        limits: &Limits,
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> Result<Vec<u8>, CompileError> {
        if let Some(failure) = self.text(note).and_then(|text| Attempt::parse(&text)?.again(limits)) {
            return Err(CompileError::Remembered { failure: failure.into(), note: self.path.join(note) });
        }
        let compiled = compile();
        match compiled.as_ref().err().map(Attempt::of) {
            Some(Some(attempt)) => {
                let _tried_again = self.write(&self.path.join(note), attempt.text().as_bytes());
            }
            Some(None) => {}
            // It was too much once, and is not any more.
            None => drop(unlinkat(&self.fd, note, AtFlags::empty())),
        }
        compiled
    }

    /// A short text that was kept; none where there is none that can be trusted.
    fn text(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        self.entry(name).ok()??.take(NOTE_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn keep(
        &self,
        engine: &Engine,
        name: &str,
        compiled: &[u8],
    ) -> Result<(Component, Option<CacheError>), CompileError> {
        let path = self.path.join(name);
        let error = match self.write(&path, compiled) {
            Ok(()) => match self.load(engine, name) {
                Ok(Some(component)) => return Ok((component, None)),
                Ok(None) => None,
                Err(error) => Some(error),
            },
            Err(cause) => Some(CacheError::Io { path, cause }),
        };
        Ok((revive(engine, compiled)?, error))
    }

    /// A process that has the old entry mapped keeps the old file; one that looks now sees one or the other, whole.
    fn write(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        let mut aside = tempfile::Builder::new().prefix(".new-").tempfile_in(self.path)?;
        aside.write_all(compiled)?;
        aside.as_file().sync_data()?;
        aside.persist(path)?;
        Ok(())
    }
}

/// What was just compiled, made ready to run from memory.
#[expect(unsafe_code, reason = "there is no safe way to run what another process compiled")]
fn revive(engine: &Engine, compiled: &[u8]) -> Result<Component, CompileError> {
    // SAFETY: the bytes must be what `precompile_component` gave. They are: `compile` called it, here or in a process of
    // this same program whose pipe nobody else holds, and they have been nowhere since. What another version of this
    // program compiled, replaced on disk while we run, is legal input and gives an error.
    unsafe { Component::deserialize(engine, compiled) }
        .map_err(|error| CompileError::Broken(plain_line(&format!("{error:#}"), LINE_CHARS)))
}

#[expect(unsafe_code, reason = "there is no safe way to run what was compiled before")]
fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file must hold what `precompile_component` wrote, unchanged while it is mapped. `Directory` has seen
    // that it and its directories belong to this user and that nobody else may write to them, and this module never
    // changes an entry in place: it renames a new file over the old one. Whoever is this user can run code as this user
    // without our help. A file of another wasmtime version or configuration is legal input and gives an error.
    unsafe { Component::deserialize_file(engine, path) }
}

fn stat(path: &Path, fd: impl AsFd) -> Result<Stat, CacheError> {
    fstat(fd).map_err(|cause| CacheError::Io { path: path.to_owned(), cause: cause.into() })
}

fn owned(path: &Path, found: &Stat) -> Result<(), CacheError> {
    let unsafe_because = |why| Err(CacheError::Unsafe { path: path.to_owned(), why });
    if found.st_uid != rustix::process::geteuid().as_raw() {
        unsafe_because("it belongs to another user")
    } else if Mode::from_raw_mode(found.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        unsafe_because("others may write to it; run chmod go-w on it")
    } else {
        Ok(())
    }
}

/// Feeds what hashes itself into SHA-256: the standard library's own hasher may change between versions of Rust.
struct Fingerprint(Hasher);

impl std::hash::Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.field(bytes);
    }

    fn finish(&self) -> u64 {
        // Only the digest is read.
        0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::model::Limit;
    use crate::plugin::{compile, engine};

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn entries(directory: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn load(directory: &Path) -> Option<CacheError> {
        let engine = engine::start(Backend::Cranelift).unwrap();
        let cache = Cache::new(&engine, Backend::Cranelift, CachePolicy::Directory(directory.to_owned()));
        let limits = Limits::default();
        cache.component(&engine, &Digest::of(EMPTY), &limits, || compile::own(&engine, EMPTY)).unwrap().1
    }

    fn overwrite(path: &Path, bytes: &[u8]) {
        File::create(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn second_load_takes_the_entry_of_the_first() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("mustdo/cwasm-v1");
        assert!(load(&directory).is_none());
        let first = entries(&directory);
        assert_eq!(first.len(), 1);
        let made = first[0].metadata().unwrap().modified().unwrap();
        assert!(load(&directory).is_none());
        assert_eq!(entries(&directory), first);
        assert_eq!(first[0].metadata().unwrap().modified().unwrap(), made);
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn broken_entry_is_compiled_again_and_replaced() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        assert!(load(&directory).is_none());
        let entry = entries(&directory).remove(0);
        let whole = entry.metadata().unwrap().len();
        for bytes in [&b""[..], b"not native code", b"\x7fELF"] {
            overwrite(&entry, bytes);
            assert!(load(&directory).is_none());
            assert_eq!(entry.metadata().unwrap().len(), whole);
        }
    }

    #[test]
    fn component_that_was_given_up_is_compiled_again_when_more_is_allowed_and_not_before() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        let engine = engine::start(Backend::Cranelift).unwrap();
        let cache = Cache::new(&engine, Backend::Cranelift, CachePolicy::Directory(directory.clone()));
        let tried = std::cell::Cell::new(0);
        let load = |seconds: u32, end: fn(&Engine) -> Result<Vec<u8>, CompileError>| {
            let mut limits = Limits::default();
            assert!(limits.choose(Limit::CompileTime, seconds));
            cache.component(&engine, &Digest::of(EMPTY), &limits, || {
                tried.set(tried.get() + 1);
                end(&engine)
            })
        };
        let late = |_: &Engine| Err(CompileError::Time { limit: 120 });
        assert!(matches!(load(120, late), Err(CompileError::Time { limit: 120 })));
        for seconds in [120, 5] {
            let error = load(seconds, late).err().unwrap();
            let CompileError::Remembered { note, .. } = &error else { panic!("{error}") };
            let words = error.to_string();
            assert!(
                words.starts_with("takes longer than 120 s to compile; compile-seconds under"),
                "{words}"
            );
            assert!(words.ends_with(&format!("to try, delete {}", note.display())), "{words}");
        }
        assert_eq!(tried.get(), 1);
        // Deleted, it is tried; so it is with more time, and what succeeds leaves no note.
        std::fs::remove_file(entries(&directory).remove(0)).unwrap();
        assert!(matches!(load(120, late), Err(CompileError::Time { .. })));
        assert!(load(121, |engine| compile::own(engine, EMPTY)).is_ok());
        assert_eq!(tried.get(), 3);
        let left = entries(&directory);
        assert!(left.len() == 1 && left[0].extension().is_some_and(|end| end == "cwasm"), "{left:?}");
        // What the component is not to blame for is no reason to leave it.
        std::fs::remove_file(&left[0]).unwrap();
        for _ in 0..2 {
            let broken = load(120, |_| Err(CompileError::Broken("no process".to_owned())));
            assert!(matches!(broken, Err(CompileError::Broken(_))));
        }
        assert_eq!(tried.get(), 5);
    }

    #[test]
    fn directory_that_others_may_write_to_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        assert!(load(&directory).is_none());
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o770)).unwrap();
        assert!(matches!(load(&directory), Some(CacheError::Unsafe { path, .. }) if path == directory));
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(matches!(load(&directory), Some(CacheError::Unsafe { path, .. }) if path == root.path()));
    }

    #[test]
    fn entry_that_is_a_link_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        assert!(load(&directory).is_none());
        let entry = entries(&directory).remove(0);
        let elsewhere = root.path().join("planted");
        std::fs::rename(&entry, &elsewhere).unwrap();
        symlink(&elsewhere, &entry).unwrap();
        assert!(matches!(load(&directory), Some(CacheError::Io { path, .. }) if path == entry));
    }

    #[test]
    fn what_one_compiler_made_is_not_taken_for_what_another_makes() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        let [winch, cranelift] = [Backend::Winch, Backend::Cranelift].map(|backend| {
            let engine = engine::compiler(backend).unwrap();
            let cache = Cache::new(&engine, backend, CachePolicy::Directory(directory.clone()));
            (engine, cache)
        });
        let digest = Digest::of(EMPTY);
        let (made, warning) = winch
            .1
            .component(&winch.0, &digest, &Limits::default(), || compile::own(&winch.0, EMPTY))
            .unwrap();
        drop(made);
        assert!(warning.is_none() && winch.1.kept(&winch.0, &digest).is_some());
        assert!(cranelift.1.kept(&cranelift.0, &digest).is_none());
        // Nor does it help to give it the other's name.
        std::fs::copy(&entries(&directory)[0], directory.join(cranelift.1.name(&digest))).unwrap();
        assert!(cranelift.1.kept(&cranelift.0, &digest).is_none());
    }

    #[test]
    fn entry_that_is_never_made_is_tried_three_times() {
        let root = tempfile::tempdir().unwrap();
        let policy = CachePolicy::Directory(root.path().join("cache"));
        let engine = engine::compiler(Backend::Cranelift).unwrap();
        let cache = Cache::new(&engine, Backend::Cranelift, policy);
        let digest = Digest::of(EMPTY);
        let broken = || Err(CompileError::Broken("for a test".to_owned()));
        for _ in 0..ATTEMPTS - 1 {
            assert!(cache.fill(&engine, &digest, broken).is_err() && !cache.given_up(&digest));
        }
        // One that succeeds leaves nothing of those that did not.
        cache.fill(&engine, &digest, || compile::own(&engine, EMPTY)).unwrap();
        assert!(cache.kept(&engine, &digest).is_some());
        assert_eq!(entries(&root.path().join("cache")).len(), 1);
        cache.fill(&engine, &digest, || panic!("it is there")).unwrap();
        std::fs::remove_file(&entries(&root.path().join("cache"))[0]).unwrap();
        for _ in 0..ATTEMPTS {
            assert!(cache.fill(&engine, &digest, broken).is_err());
        }
        assert!(cache.given_up(&digest));
        cache.fill(&engine, &digest, || panic!("it is not tried again")).unwrap();
    }

    #[test]
    fn directory_that_can_not_be_made_is_a_warning() {
        let root = tempfile::tempdir().unwrap();
        overwrite(&root.path().join("file"), b"");
        assert!(matches!(load(&root.path().join("file/cache")), Some(CacheError::Io { .. })));
    }
}
