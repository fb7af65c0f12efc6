//! What this program does when it starts itself: told by the first argument, before anything else is looked at.
//!
//! People never type these, so they are in no help and have no words for mistakes.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::plugin::{self, Backend, optimise};

/// A task of a process that mustdo started of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Compile the component on standard input, within these limits.
    Compile {
        /// For this one.
        backend: Backend,
        /// MiB of address space.
        memory_mib: u32,
        /// Seconds.
        seconds: u32,
    },
    /// Compile the component on standard input into a cache, with nobody waiting.
    Optimise {
        /// MiB of address space.
        memory_mib: u32,
        /// Seconds.
        seconds: u32,
        /// The cache.
        directory: PathBuf,
    },
}

/// The argument that means [`Hidden::Compile`]; no command begins like this.
pub(super) const COMPILE: &str = "__compile";

/// The argument that means [`Hidden::Optimise`].
pub(super) const OPTIMISE: &str = "__optimise";

impl Hidden {
    /// The task that these arguments, the program's name left out, mean; none where a person has typed them.
    pub(super) fn of(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let task = arguments.next()?;
        if task == COMPILE {
            let backend = Backend::named(arguments.next()?.to_str()?)?;
            Some(Self::Compile {
                backend,
                memory_mib: number(arguments.next())?,
                seconds: number(arguments.next())?,
            })
        } else if task == OPTIMISE {
            Some(Self::Optimise {
                memory_mib: number(arguments.next())?,
                seconds: number(arguments.next())?,
                directory: arguments.next()?.into(),
            })
        } else {
            None
        }
    }

    /// Does it.
    pub(super) fn run(self) -> ExitCode {
        match self {
            Self::Compile { backend, memory_mib, seconds } => compile(backend, memory_mib, seconds),
            Self::Optimise { memory_mib, seconds, directory } => {
                let component = component();
                let done = component.and_then(|bytes| optimise(&bytes, directory, memory_mib, seconds));
                if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
        }
    }
}

fn number(argument: Option<OsString>) -> Option<u32> {
    argument?.to_str()?.parse().ok()
}

/// What is on standard input.
fn component() -> io::Result<Vec<u8>> {
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component)?;
    Ok(component)
}

fn compile(backend: Backend, memory_mib: u32, seconds: u32) -> ExitCode {
    let compiled = match component() {
        Ok(component) => plugin::compile(&component, backend, memory_mib, seconds),
        Err(error) => Err((1, error.to_string())),
    };
    let written = compiled.and_then(|compiled| {
        io::stdout().lock().write_all(&compiled).map_err(|error| (1, error.to_string()))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, words)) => {
            super::printer::warn(&words);
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Option<Hidden> {
        Hidden::of(arguments.iter().map(OsString::from))
    }

    #[test]
    fn only_whole_tasks_are_taken() {
        let task = Hidden::Compile { backend: Backend::Winch, memory_mib: 512, seconds: 3 };
        assert_eq!(of(&["__compile", "winch", "512", "3"]), Some(task));
        let task = Hidden::Optimise { memory_mib: 512, seconds: 3, directory: "/cache".into() };
        assert_eq!(of(&["__optimise", "512", "3", "/cache"]), Some(task));
        for arguments in [
            &[][..],
            &["verify"],
            &["__compile"],
            &["__compile", "512", "3"],
            &["__compile", "winch", "512"],
            &["__compile", "cranelift", "a", "3"],
            &["__optimise", "512", "3"],
            &["__optimise", "512", "a", "/cache"],
        ] {
            assert_eq!(of(arguments), None, "{arguments:?}");
        }
    }
}
