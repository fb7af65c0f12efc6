//! `mustdo ci`: what a build server needs.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum, value_parser};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::model::Partition;
use crate::store::{Sink, write_program};

/// What can follow `mustdo ci`.
#[derive(Debug, Subcommand)]
pub(crate) enum CiCommand {
    /// Write a job that verifies this workspace on a build server
    Init(InitArgs),
}

/// What can follow `mustdo ci init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// For which build server
    server: Kind,
    /// The git address that the job installs mustdo from [default: the one in a variable of the job]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Divide the run over this many jobs, and put their results together in one more (github, gitlab)
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = value_parser!(u16).range(1..=i64::from(Partition::MOST)))]
    jobs: u16,
    /// Print the job and write nothing
    #[arg(long)]
    print: bool,
}

/// A build server that there is a job for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// GitHub Actions: .github/workflows/mustdo.yml
    Github,
    /// GitLab: .gitlab-ci.yml
    Gitlab,
    /// Any other: a script, ci/mustdo.sh
    Generic,
}

impl Kind {
    /// The job, with names in braces: one machine's, or one of several; none where the server has no such jobs.
    fn template(self, several: bool) -> Option<&'static str> {
        Some(match (self, several) {
            (Self::Github, false) => include_str!("github.yml"),
            (Self::Github, true) => include_str!("github-matrix.yml"),
            (Self::Gitlab, false) => include_str!("gitlab.yml"),
            (Self::Gitlab, true) => include_str!("gitlab-matrix.yml"),
            (Self::Generic, false) => include_str!("generic.sh"),
            (Self::Generic, true) => return None,
        })
    }

    /// Where it goes, in the repository.
    fn path(self) -> &'static str {
        match self {
            Self::Github => ".github/workflows/mustdo.yml",
            Self::Gitlab => ".gitlab-ci.yml",
            Self::Generic => "ci/mustdo.sh",
        }
    }

    /// Where the address of mustdo comes from, where nobody gave one.
    fn source(self) -> &'static str {
        match self {
            Self::Github => "${{ vars.MUSTDO_GIT }}",
            // A variable of the project is there without being named.
            Self::Gitlab | Self::Generic => "",
        }
    }
}

/// Does what was asked.
pub(crate) fn run(context: &Context, command: &CiCommand) -> Result<Exit, Failure> {
    match command {
        CiCommand::Init(args) => init(context, args),
    }
}

fn init(context: &Context, args: &InitArgs) -> Result<Exit, Failure> {
    let workspace = context.workspace()?;
    let root = match workspace.repository()? {
        Some(repository) => repository.work_tree().to_owned(),
        None => workspace.root().to_owned(),
    };
    let inside = below(&root, workspace.root());
    let job = job(args, &inside)?;
    if args.print {
        answer(&job)?;
        return Ok(Exit::Holds);
    }
    let path = root.join(args.server.path());
    if path.exists() {
        return Err(Failure::usage(format!("{} is there already", path.display()))
            .hint("mustdo ci init --print ...    prints the job, to be put in by hand"));
    }
    if args.server == Kind::Generic {
        write_program(&path, job.as_bytes())?;
    } else {
        Sink::open(&path)?.write(job.as_bytes())?;
    }
    answer(&format!("wrote {}\n", args.server.path()))?;
    if args.from.is_none() {
        context.printer.note(
            "Tell the job where to install mustdo from: a variable MUSTDO_GIT with a git address, or --from",
        );
    }
    Ok(Exit::Holds)
}

/// The workspace below the repository's root, "/" between parts; empty where they are one.
fn below(root: &Path, workspace: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let inside = real(workspace).strip_prefix(real(root)).map(|path| path.to_string_lossy().into_owned());
    inside.unwrap_or_default()
}

/// The job; what is filled in is plain enough to mean itself in YAML and in a shell.
fn job(args: &InitArgs, inside: &str) -> Result<String, Failure> {
    let InitArgs { server, from, jobs, print: _ } = args;
    let plain = |text: &str| {
        text.chars().all(|c| c.is_alphanumeric() || "-._~:/@+".contains(c))
            && !text.starts_with(['-', '~', ':', '@', '+'])
            && !text.ends_with(':')
    };
    for text in from.as_deref().into_iter().chain([inside]) {
        if !plain(text) {
            let error = format!("{text:?} has a character that a job can not take as it is");
            return Err(Failure::usage(error).hint("letters, digits and -._~:/@+"));
        }
    }
    let directory = if inside.is_empty() { String::new() } else { format!(" -C {inside}") };
    let folder = if inside.is_empty() { String::new() } else { format!("{inside}/") };
    let source = from.as_deref().unwrap_or(server.source());
    let template = server.template(*jobs > 1).ok_or_else(|| {
        Failure::usage("one script does not know the other machines")
            .hint("mustdo verify --partition INDEX/COUNT on each, then mustdo merge: docs/ci.md")
    })?;
    let parts: Vec<_> = (1..=*jobs).map(|part| part.to_string()).collect();
    let lines = template.lines();
    // A variable without a value would hide the one that the server has.
    let lines = lines.filter(|line| !(source.is_empty() && line.ends_with("MUSTDO_GIT: {source}")));
    let job: String = lines.map(|line| format!("{line}\n")).collect();
    Ok(job
        .replace("{source}", source)
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{jobs}", &jobs.to_string())
        .replace("{parts}", &parts.join(", "))
        .replace("{directory}", &directory)
        .replace("{inside}", &folder))
}
