//! A place to run the program in: a home, a workspace and a clock of its own, and nothing of the machine's.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A hermetic home with one workspace folder.
pub(crate) struct Sandbox {
    root: TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Printed {
    /// Fails the test, with everything printed, unless the command ended with `code`.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl Sandbox {
    /// Where the clock stands in it.
    pub(crate) const NOW: &str = "2026-06-01T12:00:00Z";

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "work"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let config =
            "[user]\n\tname = Learner\n\temail = learner@example.org\n[init]\n\tdefaultBranch = main\n";
        fs::write(root.path().join("home/.gitconfig"), config).unwrap();
        Self { root }
    }

    /// A workspace made by `mustdo init`.
    pub(crate) fn workspace() -> Self {
        let sandbox = Self::empty();
        sandbox.run(&["init", "--quiet"]).ends(0);
        sandbox
    }

    /// The folder commands are run in.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Writes a file of the workspace.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file of the workspace.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every file of the workspace by relative path, what git keeps for itself left out.
    pub(crate) fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with(".git") {
                    continue;
                }
                if path.is_dir() {
                    walk(&path, root, found);
                } else {
                    found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = vec![];
        walk(&self.path(), &self.path(), &mut found);
        found.sort();
        found
    }

    /// A command to add to, in this sandbox.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            // Compiled plugins are the same for every test.
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .env("XDG_CONFIG_HOME", self.root.path().join("home/config"))
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("MUSTDO_NOW", Self::NOW)
            .stdin(Stdio::null());
        command
    }

    /// Runs mustdo.
    pub(crate) fn run(&self, arguments: &[&str]) -> Printed {
        printed(&self.command(env!("CARGO_BIN_EXE_mustdo")).args(arguments).output().unwrap())
    }

    /// Runs mustdo with more variables in its environment.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Printed {
        let mut command = self.command(env!("CARGO_BIN_EXE_mustdo"));
        printed(&command.envs(variables.iter().copied()).args(arguments).output().unwrap())
    }

    /// Runs mustdo at a terminal, where somebody types `answer`: how it ended, and everything that was seen.
    pub(crate) fn at_terminal(&self, arguments: &str, answer: &str) -> (Option<i32>, String) {
        // script(1) gives the program a terminal.
        let program = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_mustdo"));
        let mut child = self
            .command("script")
            .args(["--quiet", "--return", "--command", &program, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap().replace('\r', ""))
    }

    /// Runs git, which must succeed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let printed = printed(&self.command("git").args(arguments).output().unwrap());
        assert_eq!(printed.code, 0, "git {arguments:?}: {}", printed.stderr);
        printed.stdout
    }
}

fn printed(output: &Output) -> Printed {
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}
