//! Everything mustdo takes from outside its arguments: variables, clock, terminal. Read once, here and nowhere else.

#![expect(clippy::disallowed_methods, reason = "this module owns the environment and the clock")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::path::PathBuf;

use etcetera::BaseStrategy as _;
use jiff::Timestamp;

use super::server::Server;
use crate::model::Language;

/// The world a command runs in.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Where the command was started.
    pub(crate) directory: PathBuf,
    /// When it was started, in whole milliseconds.
    pub(crate) now: Timestamp,
    /// The language of the locale.
    pub(crate) language: Language,
    /// What a person sees.
    pub(crate) terminal: Terminal,
    /// Whether colour is wanted by convention: no-color.org, `CLICOLOR_FORCE`, `TERM=dumb`.
    pub(crate) color: Option<bool>,
    /// Columns of the terminal; none in a pipe.
    pub(crate) width: Option<u16>,
    /// Columns of the terminal that standard error is, where questions are asked; none in a pipe.
    pub(crate) asking_width: Option<u16>,
    /// Where this user's cached files go; none where there is no home.
    pub(crate) cache: Option<PathBuf>,
    /// The user's own settings file; none where there is no home.
    pub(crate) config: Option<PathBuf>,
    /// This program.
    pub(crate) program: Option<PathBuf>,
    /// This program, for starting it as a guard: also where its file has been replaced since.
    pub(crate) guard: Option<PathBuf>,
    /// Where programs are looked up.
    pub(crate) path: Option<OsString>,
    /// Where cargo keeps what it fetched; none where there is no home.
    pub(crate) cargo_home: Option<PathBuf>,
    /// The Python environment that is active.
    pub(crate) virtual_env: Option<PathBuf>,
    /// The build server around this run, if it is one that mustdo knows.
    pub(crate) server: Option<Server>,
    /// Whether compiled plugins may be kept: `MUSTDO_CWASM_CACHE=off` says no.
    pub(crate) keep_compiled: bool,
}

/// Which streams a person is at the other end of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Standard output is seen.
    pub(crate) stdout: bool,
    /// Standard error is seen.
    pub(crate) stderr: bool,
    /// Questions can be answered.
    pub(crate) interactive: bool,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> io::Result<Self> {
        let strategy = etcetera::choose_base_strategy().ok();
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let server = server();
        let interactive = stderr && io::stdin().is_terminal() && !set("CI") && server.is_none();
        let width = fixed_width().or_else(|| stdout.then(|| console_width(io::stdout())).flatten());
        let asking_width = fixed_width().or_else(|| stderr.then(|| console_width(io::stderr())).flatten());
        Ok(Self {
            directory: env::current_dir()?,
            now: now(),
            language: Language::of_locale(&locale()),
            terminal: Terminal { stdout, stderr, interactive },
            color: color(),
            width,
            asking_width,
            cache: strategy.as_ref().map(|strategy| strategy.cache_dir().join("mustdo")),
            config: strategy
                .as_ref()
                .map(|strategy| strategy.config_dir().join("mustdo").join("config.toml")),
            guard: Some(PathBuf::from(RUNNING))
                .filter(|path| path.exists())
                .or_else(|| env::current_exe().ok()),
            program: env::current_exe().ok(),
            path: env::var_os("PATH"),
            cargo_home: env::var_os("CARGO_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(strategy.as_ref()?.home_dir().join(".cargo"))),
            virtual_env: env::var_os("VIRTUAL_ENV").map(PathBuf::from),
            server,
            keep_compiled: env::var("MUSTDO_CWASM_CACHE").as_deref() != Ok("off"),
        })
    }
}

/// The value of one variable that the user named; none where it is not set, empty or no text.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a program inherits that is started as the learner would start it, by name: what shells and terminals set by
/// themselves, and mustdo's own variables, left out.
pub(crate) fn inherited() -> BTreeMap<OsString, OsString> {
    let own = |name: &OsString| {
        let name = name.to_string_lossy();
        FLEETING.contains(&&*name) || name.starts_with("MUSTDO_")
    };
    env::vars_os().filter(|(name, _)| !own(name)).collect()
}

/// Variables that change from one command to the next, or from one window to the other, without anybody asking for it.
const FLEETING: [&str; 9] =
    ["_", "COLORTERM", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "TERM", "WINDOWID"];

/// Everything that is set, for a program of the user's own that does the user's own work.
pub(crate) fn variables() -> BTreeMap<OsString, OsString> {
    env::vars_os().collect()
}

/// What the kernel runs for a process, asked by that process itself; see proc(5).
const RUNNING: &str = "/proc/self/exe";

/// The time, in whole milliseconds. `MUSTDO_NOW` fixes the clock, so that a report of the past can be made again and tests can be exact.
pub(crate) fn now() -> Timestamp {
    let fixed = env::var("MUSTDO_NOW").ok().and_then(|text| text.parse().ok());
    let now: Timestamp = fixed.unwrap_or_else(Timestamp::now);
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// The first of these that is set decides (POSIX.1-2017, XBD 8.2 "Internationalization Variables").
fn locale() -> String {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default()
}

/// Both set a variable of their own to "true": "Store information in variables" of GitHub's documentation, "Predefined
/// CI/CD variables" of GitLab's.
fn server() -> Option<Server> {
    let tells = |name: &str| env::var(name).is_ok_and(|value| value == "true");
    if tells("GITHUB_ACTIONS") {
        let summary = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from);
        Some(Server::Github { summary })
    } else {
        tells("GITLAB_CI").then_some(Server::Gitlab)
    }
}

fn set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn color() -> Option<bool> {
    if set("NO_COLOR") || env::var("TERM").as_deref() == Ok("dumb") {
        return Some(false);
    }
    env::var("CLICOLOR_FORCE").is_ok_and(|value| value != "0").then_some(true)
}

fn fixed_width() -> Option<u16> {
    env::var("COLUMNS").ok()?.parse().ok().filter(|&columns| columns >= 20)
}

fn console_width(stream: impl AsFd) -> Option<u16> {
    let columns = rustix::termios::tcgetwinsize(stream).ok()?.ws_col;
    (columns > 0).then_some(columns)
}
