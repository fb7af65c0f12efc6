//! The reference programs as processes: `reference PROGRAM [ARGUMENT…]`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match mustdo_reference::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            #[expect(clippy::print_stderr, reason = "a program says on stderr why it can not run")]
            {
                eprintln!("reference: {words}");
            }
            ExitCode::from(2)
        }
    }
}
