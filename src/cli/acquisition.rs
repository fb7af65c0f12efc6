//! Getting a plugin from where it comes from, and putting it into the workspace: its file and `mustdo.lock`, both or
//! none.

use std::path::Path;

use super::context::Context;
use super::failure::Failure;
use super::plugins::{Opened, Unusable, inspect};
use super::shelf::read_lock;
use crate::fetch::{FetchError, Fetched, Limits, fetch};
use crate::model::{Digest, Lock, LockedPlugin, PluginId, PluginSource, Settings, SourcePlace};
use crate::plugin::{COMPONENT_BYTES, LoadError};
use crate::store::{PLUGINS, StoreError, Workspace, WriteLock, read_at_most};
use crate::syntax;

/// A plugin as it is where it comes from, opened and not yet trusted with anything.
#[derive(Debug)]
pub(crate) struct Acquired {
    /// The component.
    pub(crate) bytes: Vec<u8>,
    /// What it is.
    pub(crate) opened: Opened,
}

/// How much a download may take.
pub(crate) fn limits() -> Limits {
    Limits::of(COMPONENT_BYTES)
}

/// Reads what `source` names, a file relative to `base`, holds it against the digest that it must have, and opens it.
pub(crate) async fn acquire(
    context: &Context,
    settings: &Settings,
    source: &PluginSource,
    base: &Path,
) -> Result<Acquired, Failure> {
    let Fetched { bytes, media_type, .. } = match &source.place {
        SourcePlace::File(path) => {
            let bytes = read_at_most(&base.join(path), COMPONENT_BYTES)?;
            let found = Digest::of(&bytes);
            match source.digest {
                Some(wanted) if wanted != found => {
                    let error = FetchError::Digest { what: "the file", wanted, found };
                    return Err(explain(source, error));
                }
                _ => Fetched { bytes, media_type: None, pin: found },
            }
        }
        SourcePlace::Remote(remote) => {
            context.printer.note(&format!("fetching {}", source.pinned(None)));
            let fetched = fetch(remote, source.digest.as_ref(), limits()).await;
            fetched.map_err(|error| explain(source, error))?
        }
    };
    let opened = inspect(context, settings, &source.to_string(), &bytes).await?;
    let opened = opened.map_err(|error| unusable(source, media_type.as_deref(), &error))?;
    Ok(Acquired { bytes, opened })
}

/// A fetch that failed, with the way out.
pub(crate) fn explain(source: &PluginSource, error: FetchError) -> Failure {
    let place = source.pinned(None);
    let (failure, hint): (fn(FetchError) -> Failure, _) = match &error {
        FetchError::NoHost { .. }
        | FetchError::Connect { .. }
        | FetchError::Talk { .. }
        | FetchError::TimedOut { .. } => {
            (Failure::undecided, "fetch it another way, then: mustdo plugin add FILE".to_owned())
        }
        FetchError::NoTrust => (
            Failure::undecided,
            "install the system's ca-certificates, or name a list of certificates in SSL_CERT_FILE"
                .to_owned(),
        ),
        FetchError::Status { .. } => {
            (Failure::undecided, "is the address right, and is the plugin for everybody to read?".to_owned())
        }
        FetchError::PlainHttp { .. } => (
            Failure::usage,
            format!("use https, or say which bytes must arrive: mustdo plugin add {place}@sha256:…"),
        ),
        FetchError::Unpinned { now } => (Failure::usage, format!("mustdo plugin add {place}@{now}")),
        FetchError::Digest { what: "the layer", .. } => (
            Failure::usage,
            "the registry is broken, or somebody changed what it holds: tell its owner".to_owned(),
        ),
        FetchError::Digest { found, .. } => (
            Failure::usage,
            format!("nothing was written; if you trust what is there now: mustdo plugin add {place}@{found}"),
        ),
        FetchError::Login { .. } => (
            Failure::usage,
            "fetch it with a client that logs in, such as oras pull, then: mustdo plugin add FILE".to_owned(),
        ),
        FetchError::Address { .. }
        | FetchError::Refused { .. }
        | FetchError::Redirect { .. }
        | FetchError::TooLarge { .. }
        | FetchError::Manifest { .. } => {
            (Failure::usage, "ask for the plugin's own address where it is published".to_owned())
        }
    };
    failure(error).hint(hint)
}

fn unusable(source: &PluginSource, media_type: Option<&str>, error: &Unusable) -> Failure {
    let page = matches!(error, Unusable::Load(LoadError::NotWasm))
        && media_type.is_some_and(|kind| kind.ends_with("html"));
    let foreign = matches!(
        error,
        Unusable::Load(LoadError::NotAPlugin | LoadError::CoreModule | LoadError::Precompiled)
    );
    let failure = Failure::usage(format!("{} can not be added: {error}", source.pinned(None)));
    if page {
        failure.hint(
            "the address gives a web page: find the one of the file itself, often called raw or download",
        )
    } else if foreign {
        failure.hint("mustdo plugin build makes a plugin from its sources")
    } else {
        failure
    }
}

/// What the lock is to say of a plugin.
pub(crate) fn locked(opened: &Opened, source: PluginSource) -> LockedPlugin {
    LockedPlugin {
        version: opened.info.version.clone(),
        source,
        digest: opened.digest,
        contract: opened.contract.clone(),
        description: opened.info.digest(),
    }
}

/// The source as the lock is to say it: a file in the workspace is named relative to it, any other by its whole path.
pub(crate) fn settled(context: &Context, workspace: &Workspace, source: &PluginSource) -> PluginSource {
    let SourcePlace::File(path) = &source.place else { return source.clone() };
    let path = context.environment.directory.join(path);
    let real = path.canonicalize().unwrap_or(path);
    let root = workspace.root().canonicalize().unwrap_or_else(|_| workspace.root().to_owned());
    let path = real.strip_prefix(&root).unwrap_or(&real).display().to_string();
    PluginSource { place: SourcePlace::File(path), digest: source.digest }
}

/// Fails where a plugin of that id ships with mustdo, and these are other bytes.
pub(crate) fn refuse_shipped(opened: &Opened) -> Result<(), Failure> {
    let id = &opened.info.id;
    let shipped = PLUGINS.iter().find(|shipped| shipped.id == id.as_str());
    match shipped {
        Some(shipped) if Digest::of(shipped.bytes) != opened.digest => {
            Err(Failure::usage(format!("it calls itself {id}, and that is a plugin that ships with mustdo"))
                .hint("plugins of others put their namespace in front: acme:http-extra"))
        }
        _ => Ok(()),
    }
}

/// Writes a plugin's file and then what the lock says of it. Where the second fails the first is taken back; a kill
/// between them leaves a file that the lock does not name, or one that it contradicts, and both are told and mended by
/// adding or updating once more.
pub(crate) fn install(
    workspace: &Workspace,
    id: &PluginId,
    bytes: &[u8],
    entry: LockedPlugin,
) -> Result<(), Failure> {
    let lock = workspace.lock()?;
    let name = Workspace::plugin_name(id);
    let before = workspace.plugin(id)?;
    let text = edited(workspace, |lock| drop(lock.plugins.insert(id.clone(), entry)))?;
    if before.as_deref() != Some(bytes) {
        workspace.write_bytes(&lock, &name, bytes)?;
    }
    let Some(text) = text else { return Ok(()) };
    workspace.write(&lock, Workspace::LOCK, &text).map_err(|error| {
        let back = restore(workspace, &lock, &name, before.as_deref());
        let failure = Failure::from(error);
        match back {
            Ok(()) => failure.hint("nothing was changed"),
            Err(error) => failure.hint(format!("{name} was written already: {error}")),
        }
    })
}

fn restore(
    workspace: &Workspace,
    lock: &WriteLock,
    name: &str,
    before: Option<&[u8]>,
) -> Result<(), StoreError> {
    match before {
        Some(before) => workspace.write_bytes(lock, name, before),
        None => workspace.remove(lock, name),
    }
}

/// Takes away what a plugin was granted, its entry in the lock and its file, in this order: whatever is left by a kill is
/// worth less than before. Tells which there were.
pub(crate) fn uninstall(workspace: &Workspace, id: &PluginId) -> Result<Vec<String>, Failure> {
    let lock = workspace.lock()?;
    let mut gone = vec![];
    // Everything that can not be read is found before anything is taken away.
    let text = edited(workspace, |lock| drop(lock.plugins.remove(id)))?;
    if let Some(settings) = workspace.settings()? {
        let source = syntax::Source::of_bytes(settings.name, &settings.bytes);
        let new = syntax::ungrant(&source.text, id).map_err(Failure::usage)?;
        if *new != *source.text {
            workspace.write(&lock, Workspace::SETTINGS, &new)?;
            gone.push(format!("its grants in {}", Workspace::SETTINGS));
        }
    }
    if let Some(text) = text {
        workspace.write(&lock, Workspace::LOCK, &text)?;
        gone.push(format!("its entry in {}", Workspace::LOCK));
    }
    if workspace.plugin(id)?.is_some() {
        let name = Workspace::plugin_name(id);
        workspace.remove(&lock, &name)?;
        gone.push(name);
    }
    Ok(gone)
}

/// The text of the lock after a change; none where it says the same already.
pub(crate) fn edited(
    workspace: &Workspace,
    change: impl FnOnce(&mut Lock),
) -> Result<Option<String>, Failure> {
    let (old, mut lock) = match read_lock(workspace)? {
        Some((text, file)) => (text, file.lock().clone()),
        None => (String::new(), Lock::default()),
    };
    let before = lock.clone();
    change(&mut lock);
    if lock == before {
        return Ok(None);
    }
    syntax::write_lock(&old, &lock).map(Some).map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    #[test]
    fn way_out_of_a_refusal_is_a_command_that_can_be_copied() {
        let digest = Digest::of(b"x");
        let told = |source: &str, error| {
            let failure = explain(&source.parse().unwrap(), error);
            (failure.exit(), failure.render())
        };
        let (exit, words) = told("oci://ghcr.io/acme/x:1.0", FetchError::Unpinned { now: digest });
        assert_eq!(exit, Exit::Usage);
        assert!(
            words.contains(&format!("try: mustdo plugin add oci://ghcr.io/acme/x:1.0@{digest}")),
            "{words}"
        );
        let wrong = FetchError::Digest { what: "the file", wanted: Digest::of(b""), found: digest };
        let (_, words) = told(&format!("https://example.org/x@{}", Digest::of(b"")), wrong);
        assert!(words.contains(&format!("mustdo plugin add https://example.org/x@{digest}")), "{words}");
        let plain = FetchError::PlainHttp { url: "http://example.org/x".to_owned() };
        assert!(told("http://example.org/x", plain).1.contains("@sha256:"));
        let (exit, _) = told("https://example.org/x", FetchError::NoHost { host: "example.org".to_owned() });
        assert_eq!(exit, Exit::Undecided);
    }
}
