//! `mustdo demo`: a good service and a broken one, verified side by side.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::display::Display;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::Gate;
use crate::cli::output::{report, view};
use crate::cli::plugins::runtime;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::cli::verification::{Options, Outcomes, Verification};
use crate::model::{Selection, Settings};
use crate::reference::{self, Flaw, Service};
use crate::report::{Format, write};
use crate::store::{Repository, Scratch, Workspace, replace};

/// What can follow `mustdo demo`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    command: Option<DemoCommand>,
    /// What is wrong with the broken service; an unknown name lists them all
    #[arg(long, value_name = "FLAW", default_value = Flaw::CheckThenInsert.name(), value_parser = flaws(), hide_possible_values = true)]
    flaw: Flaw,
}

#[derive(Debug, Subcommand)]
enum DemoCommand {
    /// Serve the demo's shop until it is stopped
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Loopback port to listen on
    #[arg(long, value_name = "PORT")]
    port: u16,
    /// What is wrong with it; an unknown name lists them all
    #[arg(long, value_name = "FLAW", value_parser = flaws(), hide_possible_values = true)]
    flaw: Option<Flaw>,
}

/// Takes a flaw by name; a wrong one is answered with those there are.
fn flaws() -> impl TypedValueParser<Value = Flaw> {
    // The demo's checks may not kill its shops, so what only a crash shows would not be seen.
    let seen = Flaw::ALL.iter().filter(|flaw| !flaw.needs_a_crash());
    PossibleValuesParser::new(seen.map(|flaw| flaw.name())).try_map(|name| name.parse::<Flaw>())
}

/// Every item that a shipped check can prove against a shop.
const SELECTION: [&str; 4] = [
    "idempotence.definition",
    "idempotence.refresh-retry",
    "frontend.idempotent-request",
    "challenge.idempotent-api",
];

/// How long the shop works on an order: long enough to submit again meanwhile, short enough to watch.
const SLOW: Duration = Duration::from_millis(200);

/// Runs the demo, or serves its shop.
pub(crate) fn run(context: &Context, args: &DemoArgs) -> Result<Exit, Failure> {
    match &args.command {
        Some(DemoCommand::Serve(serve)) => runtime()?.block_on(self::serve(serve)),
        None => runtime()?.block_on(demo(context, args.flaw)),
    }
}

async fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    let options = reference::Options { flaw: args.flaw, slow: SLOW, ..reference::Options::default() };
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), args.port);
    let service = Service::bind(options, address).map_err(Failure::usage)?;
    service.run(crate::cli::verification::interrupt()).await.map_err(Failure::usage)?;
    Ok(Exit::Holds)
}

async fn demo(context: &Context, flaw: Flaw) -> Result<Exit, Failure> {
    let display = Display::new(context);
    let note = |text: &str| context.printer.note(text);
    note("Two small shops start on free loopback ports, each in a temporary git repository of its own.");
    note("The same four checks of the plugin http-idempotency go to both:\n");
    let good = Stall::open(context, None)?;
    let broken = Stall::open(context, Some(flaw))?;
    let (good_outcomes, broken_outcomes) = tokio::join!(
        good.verify(display.labelled("good shop    ")),
        broken.verify(display.labelled("broken shop  "))
    );
    let (good_outcomes, broken_outcomes) = (good_outcomes?, broken_outcomes?);
    if good_outcomes.interrupted || broken_outcomes.interrupted {
        return Ok(Exit::Interrupted);
    }
    answer("\nThe good shop\n\n")?;
    let good_exit = good.report(&good_outcomes)?;
    answer(&format!("\nThe broken shop: {flaw}\n{}\n\n", flaw.summary()))?;
    let broken_exit = broken.report(&broken_outcomes)?;
    answer(concat!(
        "\nNothing is left running. Next:\n",
        "  1. in the repository of your own service:     mustdo init\n",
        "  2. say in mustdo.toml where it is ([targets.web]), then:     mustdo verify\n",
        "  3. see what is left, and what else there is to be ready in:     mustdo report, mustdo list\n",
    ))?;
    // A flaw that no check must refuse leaves its shop proven; every other one has to be told from none.
    if good_exit == Exit::Holds && (broken_exit != Exit::Holds || flaw.breaks_only_a_should()) {
        Ok(Exit::Holds)
    } else {
        Err(Failure::bug("the checks did not tell the good shop from the broken one"))
    }
}

/// A shop in a workspace of its own, removed when dropped.
struct Stall {
    context: Context,
    project: Project,
    shelf: Shelf,
    _folder: Scratch,
}

impl Stall {
    fn open(context: &Context, flaw: Option<Flaw>) -> Result<Self, Failure> {
        let folder = Scratch::new("mustdo-demo")?;
        Repository::init(folder.path())?;
        let program = context
            .environment
            .program
            .as_ref()
            .ok_or_else(|| Failure::bug("mustdo does not know its own path"))?;
        replace(
            &folder.path().join(Workspace::SETTINGS),
            settings(&program.to_string_lossy(), flaw).as_bytes(),
        )?;
        let mut context = context.clone();
        folder.path().clone_into(&mut context.environment.directory);
        // The user's own settings have no say in a demo.
        context.environment.config = None;
        let project = Project::of_workspace(&context)?;
        let shelf = Shelf::open(project.workspace.as_ref())?;
        Ok(Self { context, project, shelf, _folder: folder })
    }

    async fn verify(&self, display: Display) -> Result<Outcomes, Failure> {
        let options = Options { record: true, ..Options::default() };
        let verification = Verification {
            context: &self.context,
            project: &self.project,
            shelf: &self.shelf,
            part: None,
            options,
            recordings: None,
            display: &display,
        };
        verification.run(&selection()).await
    }

    /// Prints what was recorded, read back from the workspace.
    fn report(&self, outcomes: &Outcomes) -> Result<Exit, Failure> {
        let project = Project::of_workspace(&self.context)?;
        let items = outcomes.items.iter().filter_map(|id| project.catalog.item(id)).collect();
        let report = report(&self.context, &project, &self.shelf, &selection(), items, &Gate::default())?;
        answer(&write(&report, Format::Table, &view(&self.context, &project, false)))?;
        Ok(outcomes.exit(&report, &Settings::default()))
    }
}

fn selection() -> Selection {
    Selection { names: SELECTION.map(str::to_owned).to_vec(), ..Selection::default() }
}

fn settings(program: &str, flaw: Option<Flaw>) -> String {
    let mut run = vec![program, "demo", "serve", "--port", "{port}"];
    if let Some(flaw) = flaw {
        run.extend(["--flaw", flaw.name()]);
    }
    let run = serde_json::to_string(&run).unwrap_or_default();
    format!(
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{{port}}\"\nrun = {run}\nready = \"/healthz\"\n"
    )
}
