//! What can be typed. What it means is each command's affair.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use super::command;
use super::exit::Exit;
use super::printer::ColorChoice;
use crate::model::{Language, Level, Selection, Status, Tag};

/// Tells you whether you are ready for a back-end interview, and proves it.
///
/// Topics are checklists in a git repository. A tick is a claim; a proof is a plugin that went to your real work and saw
/// the requirement hold. The report shows both, and the gap between them.
#[derive(Debug, Parser)]
#[command(name = "mustdo", version, max_term_width = 100, after_help = Exit::table(), disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct GlobalArgs {
    /// Work as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(crate) directory: Option<PathBuf>,
    /// Language of content and reports: en or zh [default: the workspace's, else the locale's]
    #[arg(long, value_name = "LANG", global = true, env = "MUSTDO_LANG", hide_env_values = true, value_parser = Tongue::of_content)]
    pub(crate) lang: Option<Tongue>,
    /// When to use colour
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", hide_possible_values = false)]
    pub(crate) color: ColorChoice,
    /// Print only the answer and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Never ask a question: refuse instead, with the command that answers it
    #[arg(long, global = true, env = "MUSTDO_NO_INPUT", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_input: bool,
}

/// What `--lang` names: everywhere the language of content; after `plugin new`, which has a `--lang` of its own in the
/// place of the global one, a language of code. clap keeps both under one name, and so of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// For people.
    Content(Language),
    /// For a compiler.
    Code(crate::toolchain::Language),
}

impl Tongue {
    fn of_content(text: &str) -> Result<Self, <Language as FromStr>::Err> {
        text.parse().map(Self::Content)
    }
}

/// Every command, in the order of a learner's day.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make this folder a workspace: settings, git, and optionally your own copy of the checklists
    Init(command::init::InitArgs),
    /// List items and where each stands
    List(command::list::ListArgs),
    /// Show one item: what it asks, where it stands and why
    Show(command::show::ShowArgs),
    /// Tick items by hand: a claim, not a proof
    Tick(command::tick::TickArgs),
    /// Take ticks back
    Untick(command::tick::UntickArgs),
    /// Leave an item out of readiness until a day, with a reason
    Waive(command::waive::WaiveArgs),
    /// Run checks against your real work and record the verdicts
    Verify(command::verify::VerifyArgs),
    /// Put the results of `verify --partition` together: the report of one run that was made on several machines
    Merge(command::merge::MergeArgs),
    /// Run plugins again from what `verify --record` wrote, without your service, and compare the verdicts
    Replay(command::replay::ReplayArgs),
    /// Report what is proven, what is only claimed and what went stale
    Report(command::report::ReportArgs),
    /// Show readiness over the commits, and when each item was proven, failed or went stale
    History(command::history::HistoryArgs),
    /// Show what changed between two commits, in content and in progress
    Diff(command::diff::DiffArgs),
    /// Show a class or a team side by side: who is how far, and which items are hard
    Cohort(command::cohort::CohortArgs),
    /// Write a job for a build server
    #[command(subcommand)]
    Ci(command::ci::CiCommand),
    /// Allow a plugin to reach a target
    Grant(command::grant::GrantArgs),
    /// Take a plugin's permissions back
    Revoke(command::grant::RevokeArgs),
    /// List what each plugin may do, and whether that still holds
    Grants(command::grant::GrantsArgs),
    /// Take new versions of checklists, with what you changed in them
    Update(command::update::UpdateArgs),
    /// Take plugins into the workspace, tell what one does and asks for, or write one
    #[command(subcommand)]
    Plugin(command::plugin::PluginCommand),
    /// Check checklists, settings and progress files
    Lint(command::lint::LintArgs),
    /// Explain the code of a diagnostic
    Explain(command::explain::ExplainArgs),
    /// Print the JSON Schema of a file, for editors
    Schema(command::schema::SchemaArgs),
    /// Merge a progress file item by item: git calls it, where `mustdo init` told it to
    MergeDriver(command::merge_driver::MergeDriverArgs),
    /// See it work: a good service and a broken one, verified side by side
    Demo(command::demo::DemoArgs),
    /// Print a completion script for a shell
    Completions(command::completions::CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Which items: the same everywhere.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Item ids or their unique endings (xss), globs (tcp.*), checklists or groups [default: all]
    #[arg(value_name = "SELECTION")]
    pub(crate) names: Vec<String>,
    /// Only items of this level: must, should or challenge
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub(crate) level: Vec<Level>,
    /// Only items with this tag
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tag: Vec<Tag>,
    /// Only items of this status: open, claimed, failing, proven, stale or waived
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,
}

impl SelectionArgs {
    /// What was typed, as the model understands it.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            names: self.names.clone(),
            levels: self.level.clone(),
            tags: self.tag.clone(),
            statuses: self.status.clone(),
            changed: false,
        }
    }
}
