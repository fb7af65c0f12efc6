//! `mustdo merge-driver`: what git calls where two sides changed a progress file.

use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::store::{read_text, replace};
use crate::syntax::merge_progress;

/// What can follow `mustdo merge-driver`: git gives all of them.
#[derive(Debug, Args)]
pub(crate) struct MergeDriverArgs {
    /// The file as both sides began with it (%O)
    base: PathBuf,
    /// The file of this side, which is replaced by the result (%A)
    ours: PathBuf,
    /// The file of the other side (%B)
    theirs: PathBuf,
    /// What the file is called in the repository (%P)
    name: Option<String>,
}

/// Merges item by item. Where a side can not be read, this side's file stays as it is and git calls it a conflict.
pub(crate) fn run(context: &Context, args: &MergeDriverArgs) -> Result<Exit, Failure> {
    let path = |path: &PathBuf| context.environment.directory.join(path);
    let read = |file| Ok::<_, Failure>(read_text(&path(file))?.unwrap_or_default());
    let (base, ours, theirs) = (read(&args.base)?, read(&args.ours)?, read(&args.theirs)?);
    let name = args.name.clone().unwrap_or_else(|| args.ours.display().to_string());
    let merged = merge_progress(&base, &ours, &theirs).map_err(|_| {
        Failure::usage(format!("{name} can not be merged: one side is not a progress file of this version"))
            .hint("git checkout --conflict=merge -- FILE    shows both sides in one file")
    })?;
    replace(&path(&args.ours), merged.as_bytes())?;
    Ok(Exit::Holds)
}
