//! Repositories elsewhere: fetched by git itself, one commit of each, into the user's cache.
//!
//! git knows the user's keys, credential helpers, proxies and certificates. It is told everything else: which protocols, no
//! questions, no hooks, and nothing of a fetched commit is checked out or run.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, Read as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::context::Context;
use super::environment::variable;
use super::failure::Failure;
use crate::model::{Hasher, RepositoryUrl, RevisionName, plain_line};
use crate::process::{Exit, Order, Program, Streams, Variables};
use crate::store::{Mirror, Repository};

/// How long one repository may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Bytes of one repository: of one commit, without its history.
const LARGEST: u64 = 512 << 20;
/// How often a running git is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of what git says that are kept.
const SAID: u64 = 64 << 10;
/// Characters of git's reason that are shown.
const REASON: usize = 200;

/// What git is given of this process's environment: who asks, and the way to the network. Variables that turn git to another
/// repository, such as a hook has them, are not among them.
const KNOWN: [&str; 27] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "KRB5CCNAME",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXEC_PATH",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];

/// Repositories elsewhere, each fetched once in a run.
#[derive(Debug)]
pub(crate) struct Mirrors {
    offline: bool,
    fetched: Mutex<HashMap<String, Fetched>>,
}

/// What came of fetching one of them; empty while somebody is at it.
type Fetched = Arc<OnceLock<Result<(), String>>>;

impl Mirrors {
    /// Fetches what is asked for, or takes what is there where `offline` says so.
    pub(crate) fn new(offline: bool) -> Self {
        Self { offline, fetched: Mutex::default() }
    }

    /// The repository at `url`, of which [`Mirror::TIP`] is the commit that `rev` stands for.
    pub(crate) fn repository(
        &self,
        context: &Context,
        url: &RepositoryUrl,
        rev: Option<&RevisionName>,
    ) -> Result<Repository, Failure> {
        let cache = context.environment.cache.as_ref().map(|cache| cache.join("cohort"));
        let cache = cache.ok_or_else(|| Failure::usage("there is no home, and so no place to fetch to"))?;
        let rev = rev.map_or("HEAD", RevisionName::as_str);
        let mut hasher = Hasher::default();
        hasher.field(url.as_str()).field(rev);
        let name = hasher.finish().hex();
        let once = {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetched.entry(name.clone()).or_default())
        };
        let open = || Mirror::open(&cache, &name);
        if !self.offline {
            let fetch = || fetch(context, &open().map_err(Failure::from)?, url, rev);
            once.get_or_init(|| fetch().map_err(|failure| failure.line())).clone().map_err(Failure::usage)?;
        }
        let repository = open()?.repository()?;
        if self.offline && repository.revision_in("".as_ref(), Mirror::TIP).is_err() {
            return Err(Failure::usage("it was never fetched: leave out --offline"));
        }
        Ok(repository)
    }
}

/// Lets git fetch one commit. A tip of an earlier run is left where it is when that fails, and nothing is said of it.
fn fetch(context: &Context, mirror: &Mirror, url: &RepositoryUrl, rev: &str) -> Result<(), Failure> {
    let settings = [
        "core.hooksPath=/dev/null",
        "core.askPass=",
        "gc.auto=0",
        "maintenance.auto=false",
        // One file each time, whose size can be looked at while it grows.
        "fetch.unpackLimit=1",
        "fetch.recurseSubmodules=false",
    ];
    let mut args: Vec<OsString> =
        settings.iter().flat_map(|setting| ["-c", setting]).map(Into::into).collect();
    args.extend(
        ["fetch", "--quiet", "--depth=1", "--update-shallow", "--no-tags", "--force"].map(Into::into),
    );
    args.extend(["--no-write-fetch-head", "--no-recurse-submodules", "--end-of-options"].map(Into::into));
    args.extend([url.as_str().into(), format!("+{rev}:{}", Mirror::TIP).into()]);
    let mut variables: BTreeMap<OsString, OsString> =
        KNOWN.iter().filter_map(|&name| Some((name.into(), variable(name)?.into()))).collect();
    variables.insert("GIT_DIR".into(), mirror.folder().into());
    variables.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
    variables.insert("GIT_ALLOW_PROTOCOL".into(), "https:ssh:file".into());
    variables.insert("LC_ALL".into(), "C".into());
    if ["GIT_SSH", "GIT_SSH_COMMAND"].iter().all(|name| !variables.contains_key(OsStr::new(name))) {
        variables.insert("GIT_SSH_COMMAND".into(), "ssh -o BatchMode=yes".into());
    }
    let not_run = |source: io::Error| {
        if source.kind() == io::ErrorKind::NotFound {
            Failure::usage("there is no program \"git\", which fetches repositories")
        } else {
            Failure::usage(source)
        }
    };
    let (reader, writer) = io::pipe().map_err(not_run)?;
    let streams = Streams {
        stdin: Streams::nothing().map_err(not_run)?,
        stdout: writer.try_clone().map_err(not_run)?.into(),
        stderr: writer.into(),
    };
    let order = Order {
        program: OsStr::new("git"),
        args: &args,
        variables: &Variables::Only(variables),
        folder: mirror.folder(),
        streams,
        limit: None,
    };
    let program = Program::start(order, context.environment.guard.as_deref()).map_err(not_run)?;
    let said = thread::spawn(move || said(reader));
    let end = watch(&program, mirror);
    // Whatever of it is still there is killed, so that nobody holds the pipe.
    drop(program);
    let said = said.join().unwrap_or_default();
    match end {
        Ok(Exit::Status(0)) => Ok(()),
        Ok(exit) => Err(Failure::usage(reason(&said).unwrap_or_else(|| format!("git fetch: {exit}")))),
        Err(failure) => {
            // Half a pack is of no use to the next run.
            mirror.clear()?;
            Err(failure)
        }
    }
}

/// How git ended, within bounds.
fn watch(program: &Program, mirror: &Mirror) -> Result<Exit, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(ended) = program.ended() {
            return Ok(ended.exit);
        }
        if waited >= PATIENCE {
            return Err(Failure::usage(format!("git fetch: no end after {} s", PATIENCE.as_secs())));
        }
        if mirror.size() > LARGEST {
            return Err(Failure::usage(format!("git fetch: more than {} MiB in one commit", LARGEST >> 20)));
        }
        thread::sleep(LOOK);
        waited += LOOK;
    }
}

/// The beginning of what comes; the rest is read and forgotten, so that nobody waits for room.
fn said(mut reader: PipeReader) -> Vec<u8> {
    let mut said = vec![];
    // What can not be read is missing in a sentence, and nothing else.
    let _ = reader.by_ref().take(SAID).read_to_end(&mut said);
    let _ = io::copy(&mut reader, &mut io::sink());
    said
}

/// Git's own reason: its first fatal line, else its last.
fn reason(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find(|line| line.starts_with("fatal:")).or_else(|| lines().next_back())?;
    Some(format!("git fetch: {}", plain_line(line, REASON)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_the_fatal_line_and_steers_no_terminal() {
        let said = b"warning: x\nfatal: repository \x1b[31m'a' not found\nfatal: later\n";
        assert_eq!(reason(said).as_deref(), Some("git fetch: fatal: repository 'a' not found"));
        assert_eq!(reason(b"remote: no\n\n").as_deref(), Some("git fetch: remote: no"));
        assert_eq!(reason(b"\n"), None);
    }
}
