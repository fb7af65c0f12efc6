//! `mustdo man`: the manual page.

use clap::CommandFactory as _;

use crate::cli::argument::Arguments;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;

/// Prints the page in roff, for `man -l`: the program, then each command in a section of its own.
pub(crate) fn run() -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = vec![];
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Failure::bug)?;
    for sub in command.get_subcommands() {
        let man = clap_mangen::Man::new(sub.clone());
        let heading = format!(".SH \"MUSTDO {}\"\n", sub.get_name().to_uppercase());
        page.extend_from_slice(heading.as_bytes());
        let mut body = vec![];
        man.render_description_section(&mut body).map_err(Failure::bug)?;
        man.render_synopsis_section(&mut body).map_err(Failure::bug)?;
        man.render_options_section(&mut body).map_err(Failure::bug)?;
        // A section of the program's page can not hold sections of its own.
        page.extend_from_slice(String::from_utf8_lossy(&body).replace(".SH ", ".SS ").as_bytes());
    }
    answer(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Holds)
}
