//! `mustdo explain`: what a diagnostic's code means.

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::model::nearest;
use crate::syntax::Code;

/// What can follow `mustdo explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as E0101; none lists them all
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// Prints the explanation.
pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let Some(wanted) = &args.code else {
        let rows: String =
            Code::ALL.iter().map(|code| format!("{}  {}\n", code.code(), code.title())).collect();
        answer(&rows)?;
        return Ok(Exit::Holds);
    };
    let wanted = wanted.to_ascii_uppercase();
    let Ok(code) = wanted.parse::<Code>() else {
        let failure = Failure::usage(format!("there is no code \"{wanted}\""));
        let near = nearest(&wanted, Code::ALL.iter().map(|code| code.code()));
        return Err(match near {
            Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
            None => failure.hint("mustdo explain    lists them all"),
        });
    };
    answer(&format!("{}: {}\n", code.code(), code.explain().trim_end()))?;
    Ok(Exit::Holds)
}
