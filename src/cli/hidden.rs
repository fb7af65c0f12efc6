//! What this program does when it starts itself: told by the first argument, before anything else is looked at.
//!
//! People never type these, so they are in no help and have no words for mistakes.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use crate::plugin;

/// A task of a process that mustdo started of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Compile the component on standard input, within these limits.
    Compile {
        /// MiB of address space.
        memory_mib: u32,
        /// Seconds.
        seconds: u32,
    },
}

/// The argument that means [`Hidden::Compile`]; no command begins like this.
pub(super) const COMPILE: &str = "__compile";

impl Hidden {
    /// The task that these arguments, the program's name left out, mean; none where a person has typed them.
    pub(super) fn of(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        if arguments.next()? != COMPILE {
            return None;
        }
        let mut number = || arguments.next()?.to_str()?.parse().ok();
        Some(Self::Compile { memory_mib: number()?, seconds: number()? })
    }

    /// Does it.
    pub(super) fn run(self) -> ExitCode {
        match self {
            Self::Compile { memory_mib, seconds } => compile(memory_mib, seconds),
        }
    }
}

fn compile(memory_mib: u32, seconds: u32) -> ExitCode {
    let mut component = Vec::new();
    let compiled = match io::stdin().lock().read_to_end(&mut component) {
        Ok(_) => plugin::compile(&component, memory_mib, seconds),
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
        let task = Hidden::Compile { memory_mib: 512, seconds: 3 };
        assert_eq!(of(&["__compile", "512", "3"]), Some(task));
        for arguments in
            [&[][..], &["verify"], &["__compile"], &["__compile", "512"], &["__compile", "a", "3"]]
        {
            assert_eq!(of(arguments), None, "{arguments:?}");
        }
    }
}
