//! The `mustdo` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    mustdo::cli::main()
}
