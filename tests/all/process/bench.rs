//! A host that starts programs, and what they find in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mustdo::model::Endpoint;
use mustdo::plugin::{CachePolicy, Host, HostOptions, ProgramOptions};
use mustdo::verify::{Run, RunError, Task, Verifier};

use super::script::Script;
use crate::guest::{Guest, silent, task};

/// A host that starts programs under a guard, and one plugin in it.
pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) task: Task,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new(script: Script) -> Self {
        Self::of(&script.guest()).await
    }

    async fn of(guest: &Guest) -> Self {
        let programs = ProgramOptions {
            guard: Some(PathBuf::from(env!("CARGO_BIN_EXE_mustdo"))),
            search: std::env::var_os("PATH"),
        };
        let options = HostOptions { programs, ..HostOptions::new(CachePolicy::Off) };
        let host = Host::new(options).unwrap();
        let plugin = host.load(&guest.build()).unwrap().plugin;
        let task = Task { deadline: Duration::from_mins(1), ..task(plugin.digest()) };
        let info = host.describe(&plugin).await.unwrap();
        host.add(plugin, &info);
        Self { host, task, folder: tempfile::tempdir().unwrap() }
    }

    /// Binds `tool` to a shell that runs `text`, and grants it; `$1` and so on are the plugin's.
    pub(crate) fn tool(mut self, text: &str, more: &[&str]) -> Self {
        let args = ["-c", text, "sh"].into_iter().chain(more.iter().copied()).map(str::to_owned);
        let endpoint = Endpoint::Command {
            program: "/bin/sh".into(),
            args: args.collect(),
            env: BTreeMap::from([("GIVEN".to_owned(), "*".to_owned())]),
            cwd: None,
        };
        self.task.targets.insert("tool".parse().unwrap(), endpoint);
        self.task.allowed.insert("process:tool".parse().unwrap());
        self
    }

    pub(crate) async fn verify(&self) -> Result<Run, RunError> {
        self.host.verify(&self.task, silent()).await
    }

    pub(crate) async fn summary(&self) -> String {
        self.verify().await.unwrap().verdict.summary.en
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Binds `src` to a folder with a program and a secret in it, and grants a copy of it.
    pub(crate) fn src(mut self) -> Self {
        fs::create_dir(self.path("src")).unwrap();
        fs::write(self.path("src/app.txt"), "as the learner wrote it").unwrap();
        fs::write(self.path("src/.env"), "KEY=1").unwrap();
        let path = self.path("src").canonicalize().unwrap();
        self.task.targets.insert("src".parse().unwrap(), Endpoint::Dir(path));
        self.task.allowed.insert("scratch:src".parse().unwrap());
        self
    }
}
