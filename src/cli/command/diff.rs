//! `mustdo diff`: what changed between two versions.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::difference::difference;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::view;
use crate::cli::past::repository;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::report::{DifferenceFormat, write_difference};

/// What can follow `mustdo diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Two commits: A..B, or A...B for what B has changed since they parted. Without B, the work tree
    #[arg(value_name = "A..B", default_value = "HEAD")]
    range: String,
    /// In which form: text, markdown or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: DifferenceFormat,
}

/// Two versions, as typed; none for the work tree.
#[derive(Debug, PartialEq, Eq)]
struct Range<'a> {
    from: &'a str,
    to: Option<&'a str>,
    /// From where both parted, not from the first.
    parted: bool,
}

impl<'a> Range<'a> {
    fn of(text: &'a str) -> Self {
        let (from, to, parted) = match (text.split_once("..."), text.split_once("..")) {
            (Some((from, to)), _) => (from, to, true),
            (None, Some((from, to))) => (from, to, false),
            (None, None) => (text, "", false),
        };
        Self { from: if from.is_empty() { "HEAD" } else { from }, to: (!to.is_empty()).then_some(to), parted }
    }
}

/// Prints what is different in content and in progress. Both are judged as of the second: what only time did is not what
/// somebody changed.
pub(crate) fn run(context: &Context, args: &DiffArgs) -> Result<Exit, Failure> {
    let workspace = context.workspace()?;
    let range = Range::of(&args.range);
    let base = match range.to {
        _ if !range.parted => range.from.to_owned(),
        to => repository(&workspace)?.merge_base(range.from, to.unwrap_or("HEAD"))?,
    };
    let old = Project::at(context, &base)?;
    let new = match range.to {
        Some(name) => Project::at(context, name)?,
        None => Project::of_workspace(context)?,
    };
    let moment = new.moment(context);
    let difference = difference(&moment, &workspace, &old, &new)?;
    answer(&write_difference(&difference, args.format, &view(context, &new, false)))?;
    Ok(Exit::Holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_read_as_git_reads_it() {
        let range = |from, to, parted| Range { from, to, parted };
        assert_eq!(Range::of("a..b"), range("a", Some("b"), false));
        assert_eq!(Range::of("a...b"), range("a", Some("b"), true));
        assert_eq!(Range::of("v1.0..v1.1"), range("v1.0", Some("v1.1"), false));
        assert_eq!(Range::of("a.."), range("a", None, false));
        assert_eq!(Range::of("..b"), range("HEAD", Some("b"), false));
        assert_eq!(Range::of("a"), range("a", None, false));
    }
}
