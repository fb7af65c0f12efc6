//! Checklists from git repositories, through the system's own git: it knows the user's keys, proxies and certificates.
//!
//! It runs under a guard, with a time limit and a limit on what it may write, asks nobody anything, runs no hook and speaks
//! only the protocols that an [`Origin`](crate::model::Origin) can name. What it fetched is not checked out: a bare repository
//! is left, to be read by `store`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::model::{CommitId, TagName};
use crate::process::{Exit, Order, Program, Streams, Variables};

/// How git is run.
#[derive(Debug)]
pub struct Git<'a> {
    /// Its environment: what in it points at a repository is left out.
    pub variables: BTreeMap<OsString, OsString>,
    /// This executable, if its `main` is [`cli::main`](crate::cli::main): see [`Program::start`].
    pub guard: Option<&'a Path>,
    /// An empty folder for what git writes, which the caller takes away.
    pub scratch: &'a Path,
}

/// What `git rev-parse --local-env-vars` names: set by a git that runs this program, they would lead into its repository.
const LOCAL_VARIABLES: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];

/// Why nothing was fetched.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no git.
    #[error("there is no program \"git\"")]
    Missing,
    /// Git could not be started, or its answer could not be read.
    #[error("git could not be run")]
    Run {
        /// What the system says.
        source: io::Error,
    },
    /// Git said why.
    #[error("git could not {action}: {said}")]
    Failed {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The end of what it said; how it ended, where it said nothing.
        said: String,
    },
    /// It took too long.
    #[error("git did not {action} within {} seconds", .limit.as_secs())]
    TimedOut {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// It wrote more than checklists have a reason to be.
    #[error("git had more than {} MiB to {action}", .limit >> 20)]
    TooLarge {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// Bytes.
        limit: u64,
    },
}

/// For one call of git: two minutes carry [`LARGEST`] over a line of 4.5 Mbit/s.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bytes that git may write altogether. One commit of a repository of checklists is a hundredth of it.
const LARGEST: u64 = 64 << 20;

/// The time between two looks at git.
const PAUSE: Duration = Duration::from_millis(10);

/// Of what git said, the part that is shown.
const SHOWN: usize = 600;

impl Git<'_> {
    /// The name under which [`Self::take`] leaves a commit.
    pub const TAKEN: &'static str = "refs/taken/tag";

    /// The tags of the repository at `url` and the commits they lead to, where they lead to one. Tags whose names no
    /// [`TagName`] has are left out.
    pub fn tags(&self, url: &str) -> Result<BTreeMap<TagName, CommitId>, GitError> {
        let printed = self.run("list the tags", url, &["ls-remote", "--quiet", "--tags", "--", url])?;
        let mut tags = BTreeMap::new();
        for line in printed.lines() {
            let Some((id, name)) = line.split_once('\t') else { continue };
            let Some(name) = name.strip_prefix("refs/tags/") else { continue };
            // An annotated tag is followed by what it leads to.
            let name = name.strip_suffix("^{}").unwrap_or(name);
            if let (Ok(name), Ok(id)) = (name.parse(), id.parse()) {
                tags.insert(name, id);
            }
        }
        Ok(tags)
    }

    /// Fetches what `tag` leads to, without its history, and gives the bare repository that has it as [`Self::TAKEN`].
    pub fn take(&self, url: &str, tag: &TagName) -> Result<PathBuf, GitError> {
        let folder = self.scratch.join("taken.git");
        let there = folder.display().to_string();
        self.run("make a repository", url, &["init", "--quiet", "--bare", "--template=", &there])?;
        let reference = format!("+refs/tags/{tag}:{}", Self::TAKEN);
        let fetch = ["-C", &there, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"];
        self.run("fetch the tag", url, &[&fetch[..], &["--", url, &reference]].concat())?;
        Ok(folder)
    }

    /// The command that speaks ssh, told to ask nothing. The user's own words are kept, which may name a key: those of the
    /// environment, else those of git's settings (git-config, "core.sshCommand").
    fn ssh(&self) -> OsString {
        let own = self.variables.get(&OsString::from("GIT_SSH_COMMAND")).cloned();
        let set = || {
            let printed = self.run_with("read its settings", None, &["config", "--get", "core.sshCommand"]);
            printed.ok().map(|printed| OsString::from(printed.trim_end()))
        };
        let mut ssh = own.or_else(set).filter(|own| !own.is_empty()).unwrap_or_else(|| "ssh".into());
        ssh.push(" -o BatchMode=yes");
        ssh
    }

    fn run(&self, action: &'static str, url: &str, arguments: &[&str]) -> Result<String, GitError> {
        let ssh = url.starts_with("ssh:").then(|| self.ssh());
        self.run_with(action, ssh, arguments)
    }

    /// Runs git to its end and gives what it printed.
    fn run_with(
        &self,
        action: &'static str,
        ssh: Option<OsString>,
        arguments: &[&str],
    ) -> Result<String, GitError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => GitError::Missing,
            _ => GitError::Run { source },
        };
        let [answer, words] = ["answer", "words"].map(|name| self.scratch.join(name));
        let create = |path: &Path| File::create(path).map_err(|source| GitError::Run { source });
        let streams = Streams {
            stdin: Streams::nothing().map_err(|source| GitError::Run { source })?,
            stdout: create(&answer)?.into(),
            stderr: create(&words)?.into(),
        };
        let settings = [
            "core.hooksPath=/dev/null",
            "core.askPass=",
            "credential.interactive=false",
            "gc.auto=0",
            "maintenance.auto=false",
        ];
        let settings = settings.into_iter().flat_map(|setting| ["-c", setting]);
        let args: Vec<OsString> = settings.chain(arguments.iter().copied()).map(OsString::from).collect();
        let variables = Variables::Only(self.environment(ssh));
        let order = Order {
            program: "git".as_ref(),
            args: &args,
            variables: &variables,
            folder: self.scratch,
            streams,
            limit: None,
        };
        // Dropped, it is killed with everything it started.
        let program = Program::start(order, self.guard).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            let ended = program.ended();
            if size(self.scratch) > LARGEST {
                return Err(GitError::TooLarge { action, limit: LARGEST });
            }
            match ended {
                Some(ended) => break ended,
                None if Instant::now() > deadline => {
                    return Err(GitError::TimedOut { action, limit: PATIENCE });
                }
                None => thread::sleep(PAUSE),
            }
        };
        drop(program);
        if ended.exit == Exit::Status(0) {
            return read(&answer).map_err(|source| GitError::Run { source });
        }
        let words = read(&words).unwrap_or_default();
        let end = words.trim();
        let end = &end[end.ceil_char_boundary(end.len().saturating_sub(SHOWN))..];
        let said = if end.is_empty() { ended.exit.to_string() } else { end.replace('\n', "; ") };
        Err(GitError::Failed { action, said })
    }

    /// The environment in which it asks nobody anything.
    fn environment(&self, ssh: Option<OsString>) -> BTreeMap<OsString, OsString> {
        let mut variables = self.variables.clone();
        for name in LOCAL_VARIABLES {
            variables.remove(&OsString::from(name));
        }
        let mut set = |name: &str, value: &str| drop(variables.insert(name.into(), value.into()));
        set("GIT_TERMINAL_PROMPT", "0");
        set("GIT_ASKPASS", "");
        set("SSH_ASKPASS", "");
        // Whatever an address is rewritten to by the user's settings.
        set("GIT_ALLOW_PROTOCOL", "https:ssh:file");
        set("LC_ALL", "C");
        variables.extend(ssh.map(|ssh| ("GIT_SSH_COMMAND".into(), ssh)));
        variables
    }
}

/// Bytes in a folder; what goes away meanwhile is not counted.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = vec![];
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
