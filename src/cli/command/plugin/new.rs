//! `mustdo plugin new`: a plugin to begin with, that works.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::argument::Tongue;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::model::PluginId;
use crate::store::write_folder;
use crate::toolchain::{Language, Named, project};

/// What can follow `mustdo plugin new`.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Its id: kebab-case, with your namespace before it, as in acme:http-extra
    #[arg(value_name = "NAME")]
    pub(crate) id: PluginId,
    /// What it is written in
    #[arg(long, value_name = "LANG", required = true, value_parser = languages())]
    pub(crate) lang: Tongue,
    /// The folder to make [default: the name, with "-" for ":"]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// Takes a language by name.
fn languages() -> impl TypedValueParser<Value = Tongue> {
    PossibleValuesParser::new(Language::ALL.map(Language::name)).try_map(|name| {
        let named = Language::ALL.into_iter().find(|language| language.name() == name);
        named.map(Tongue::Code).ok_or("no such language")
    })
}

/// Writes the folder, and says what to do in it.
pub(crate) fn run(context: &Context, args: &NewArgs) -> Result<Exit, Failure> {
    let Tongue::Code(language) = args.lang else {
        return Err(Failure::bug("a language of content is taken for one of code"));
    };
    let name = Named(&args.id);
    if !name.is_plain() {
        return Err(Failure::usage(format!("\"{}\" is no name for a package", args.id))
            .hint("begin each part with a letter: http-extra, acme:http-extra"));
    }
    let folder = args.folder.clone().unwrap_or_else(|| name.package().into());
    let shown = folder.display().to_string();
    let path = context.environment.directory.join(&folder);
    let filled = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if filled || path.is_file() {
        return Err(Failure::usage(format!("{shown} is there already, and nothing in it is replaced"))
            .hint(format!("mustdo plugin new {} --lang {} OTHER-DIR", args.id, language.name())));
    }
    let files = project(language, &args.id).map_err(Failure::bug)?;
    write_folder(&path, &files)?;
    answer(&format!("{shown}\n"))?;
    let (setup, test) = commands(language);
    context
        .printer
        .note(&format!("\nWrote a plugin in {} with one check that works. Next:", language.name()));
    context.printer.note(&format!("  cd {shown}"));
    for command in setup.iter().chain([&test, &"mustdo plugin build"]) {
        context.printer.note(&format!("  {command}"));
    }
    context.printer.note("README.md there says what is where.");
    Ok(Exit::Holds)
}

/// What is done once, and what tests the plugin.
fn commands(language: Language) -> (&'static [&'static str], &'static str) {
    match language {
        Language::Rust => (&[], "cargo test"),
        Language::Python => (
            &["python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"],
            "python3 -m unittest discover -s tests",
        ),
        Language::JavaScript => (&["npm install"], "npm test"),
    }
}
