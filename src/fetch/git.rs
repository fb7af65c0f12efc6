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

use super::Limits;
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
    /// How long each call may take, and how much all of them may write.
    pub limits: Limits,
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
        limit: usize,
    },
}

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
        let failed = |source: io::Error| {
            let missing = source.kind() == io::ErrorKind::NotFound;
            if missing { GitError::Missing } else { GitError::Run { source } }
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
        let deadline = Instant::now() + self.limits.total;
        let ended = loop {
            let ended = program.ended();
            if size(self.scratch) > self.limits.bytes as u64 {
                return Err(GitError::TooLarge { action, limit: self.limits.bytes });
            }
            match ended {
                Some(ended) => break ended,
                None if Instant::now() > deadline => {
                    return Err(GitError::TimedOut { action, limit: self.limits.total });
                }
                None => thread::sleep(PAUSE),
            }
        };
        drop(program);
        if ended.exit == Exit::Status(0) {
            return self.read(&answer).map_err(|source| GitError::Run { source });
        }
        let words = self.read(&words).unwrap_or_default();
        let end = words.trim();
        let end = &end[end.ceil_char_boundary(end.len().saturating_sub(SHOWN))..];
        let said = if end.is_empty() { ended.exit.to_string() } else { end.replace('\n', "; ") };
        Err(GitError::Failed { action, said })
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut bytes = vec![];
        File::open(path)?.take(self.limits.bytes as u64).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
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

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests make the program that is run")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What comes of listing tags where git is this script.
    fn listed(script: &str, variables: &[(&str, &str)], url: &str) -> Result<usize, GitError> {
        let folder = tempfile::tempdir().unwrap();
        let (bin, scratch) = (folder.path().join("bin"), folder.path().join("scratch"));
        for folder in [&bin, &scratch] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(bin.join("git"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let given = variables
            .iter()
            .copied()
            .chain([("PATH", &*path)])
            .map(|(name, value)| (name.into(), value.into()));
        let limits = Limits { bytes: 10_000, total: Duration::from_secs(2) };
        let git = Git { variables: given.collect(), guard: None, scratch: &scratch, limits };
        git.tags(url).map(|tags| tags.len())
    }

    fn said(script: &str, variables: &[(&str, &str)], url: &str) -> String {
        match listed(script, variables, url) {
            Err(GitError::Failed { said, .. }) => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn program_that_hangs_or_writes_without_end_is_stopped() {
        let url = "file:///x";
        let began = Instant::now();
        assert!(matches!(listed("sleep 60 & sleep 60", &[], url), Err(GitError::TimedOut { .. })));
        assert!(matches!(listed("yes", &[], url), Err(GitError::TooLarge { .. })));
        assert!(matches!(listed("yes >&2", &[], url), Err(GitError::TooLarge { .. })));
        assert!(matches!(listed("yes > more; exit 0", &[], url), Err(GitError::TooLarge { .. })));
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn nobody_is_asked_and_no_other_repository_is_meant() {
        let tell =
            "echo \"$GIT_TERMINAL_PROMPT/$GIT_ASKPASS/$GIT_ALLOW_PROTOCOL/$GIT_DIR/$KEPT\" >&2; exit 1";
        let given = [("GIT_DIR", "/own"), ("GIT_ASKPASS", "/window"), ("KEPT", "yes")];
        assert_eq!(said(tell, &given, "https://example.org/x"), "0//https:ssh:file//yes");
    }

    #[test]
    fn ssh_asks_nothing_and_keeps_the_users_own_words() {
        let url = "ssh://git@example.org/x";
        let tell = "case \"$*\" in *core.sshCommand) exit 1;; esac; echo \"$GIT_SSH_COMMAND\" >&2; exit 1";
        assert_eq!(said(tell, &[], url), "ssh -o BatchMode=yes");
        assert_eq!(said(tell, &[("GIT_SSH_COMMAND", "ssh -i key")], url), "ssh -i key -o BatchMode=yes");
        let set = tell.replace("exit 1;; esac", "echo ssh -i other; exit 0;; esac");
        assert_eq!(said(&set, &[], url), "ssh -i other -o BatchMode=yes");
        assert_eq!(said(tell, &[], "https://example.org/x"), "exit status 1");
    }

    #[test]
    fn tags_lead_to_commits_and_strange_names_are_left_out() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let lines = ["refs/tags/v1", "refs/tags/v1^{}", "refs/tags/-x", "refs/heads/v2", "refs/tags/a/b"];
        let script: String = lines.iter().map(|name| format!("printf '{id}\\t{name}\\n'\n")).collect();
        assert_eq!(listed(&format!("{script}echo nonsense"), &[], "file:///x").unwrap(), 2);
    }
}
