//! Why a target is not there.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::{Authority, Span, TargetName};
use crate::process::Exit;

/// Why one target could not be found, reached or started.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The directory is not there or may not be read.
    #[error("directory {} can not be opened: check `path`", .path.display())]
    Directory {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else is where a directory should be.
    #[error("{} is not a directory: check `path`", .path.display())]
    NotDirectory {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A path that looks as if it were inside the workspace and is not.
    #[error("a link leads out of the workspace to {}: write that path if it is meant", .path.display())]
    Outside {
        /// Where it leads.
        path: PathBuf,
    },
    /// There is no such program.
    #[error(
        "program \"{program}\" was not found: check how it is written, that it is installed, and that its environment \
         is active"
    )]
    NoProgram {
        /// As written.
        program: String,
    },
    /// The folder that a program should run in is not there.
    #[error("there is no folder {} to run in: check `cwd`", .path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The system would not start the program.
    #[error("program \"{program}\" could not be started")]
    Spawn {
        /// As written.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nowhere to keep what the program prints.
    #[error("its output can not be kept in {}", .path.display())]
    Log {
        /// The file, or the folder for temporary ones.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no free port.
    #[error("no free port was found for {host}")]
    NoPort {
        /// The host as written.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// A free port is asked for and nothing is to be started on it.
    #[error(
        "{{port}} needs a program that is told the port: add `run`, or write the number that it listens on"
    )]
    PortWithoutRun,
    /// A free port is chosen and the program is not told.
    #[error("neither `run` nor `env` contains {{port}}, so the program can not know where to listen")]
    PortNotTold,
    /// Somebody is there before the program was started.
    #[error(
        "{authority} is in use before the program is started, so another one would be judged: stop that one, or write \
         {{port}} to have a free port chosen"
    )]
    PortInUse {
        /// Where.
        authority: Authority,
    },
    /// Two targets start a program there.
    #[error(
        "\"{other}\" starts a program on port {port}, too, so one would be judged for the other: give one of them another \
         port, or leave `run` out of one if both are the same server"
    )]
    PortTwice {
        /// The other target.
        other: TargetName,
        /// Which port.
        port: u16,
    },
    /// Nothing is there, and mustdo is not told how to start it.
    #[error("not running: nothing answers on {authority}; start it, or add `run` to have it started")]
    NotRunning {
        /// Where.
        authority: Authority,
    },
    /// The program ended while mustdo waited for it.
    #[error("its program ended before it was ready: {exit}")]
    Exited {
        /// How it ended.
        exit: Exit,
        /// The last lines it printed, free of control characters.
        output: Vec<String>,
    },
    /// The program runs and does not do what was waited for.
    #[error("not ready after {waited}: {missing}")]
    NotReady {
        /// How long it had.
        waited: Span,
        /// What was missing when it was last looked.
        missing: String,
        /// The last lines it printed, free of control characters.
        output: Vec<String>,
    },
}

impl TargetError {
    /// The last lines that the program printed, oldest first; empty where none was started or it printed nothing.
    #[must_use]
    pub fn output(&self) -> &[String] {
        match self {
            Self::Exited { output, .. } | Self::NotReady { output, .. } => output,
            Self::Directory { .. }
            | Self::NotDirectory { .. }
            | Self::Outside { .. }
            | Self::NoProgram { .. }
            | Self::NoFolder { .. }
            | Self::Spawn { .. }
            | Self::Log { .. }
            | Self::NoPort { .. }
            | Self::PortWithoutRun
            | Self::PortNotTold
            | Self::PortInUse { .. }
            | Self::PortTwice { .. }
            | Self::NotRunning { .. } => &[],
        }
    }
}
