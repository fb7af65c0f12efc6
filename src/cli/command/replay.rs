//! `mustdo replay`: runs a plugin again from a recording.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::sync::mpsc::unbounded_channel;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::{Plugins, runtime};
use crate::cli::printer::{answer, warn};
use crate::cli::project::Project;
use crate::cli::recording::{EXTENSION, read};
use crate::cli::secret::Secrets;
use crate::cli::shelf::Shelf;
use crate::model::{Digest, Mask, PluginId, Settings, plain_line};
use crate::plugin::{Comparison, Loaded, Recording, Replayed, Replayer};
use crate::store::{files, read_file};
use crate::verify::{Reporter, Run, RunError, TaskId};

/// Bytes of a component that is read: the host refuses less, and says so better.
const COMPONENT_BYTES: usize = 256 << 20;

/// What can follow `mustdo replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A recording, or a folder of them, as made by: mustdo verify --record DIR
    #[arg(value_name = "FILE|DIR")]
    pub(crate) recordings: PathBuf,
    /// Run this plugin instead of the one that mustdo has under the recorded name
    #[arg(long, value_name = "FILE.wasm")]
    pub(crate) plugin: Option<PathBuf>,
}

/// Replays every recording; the worst that came of one is the exit code.
pub(crate) fn run(context: &Context, args: &ReplayArgs) -> Result<Exit, Failure> {
    let files = files(&context.environment.directory.join(&args.recordings), EXTENSION)?;
    if files.is_empty() {
        let failure = Failure::usage(format!("{} has no recordings", args.recordings.display()));
        return Err(failure.hint("make some: mustdo verify --record DIR"));
    }
    let project = Project::read(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let settings = project.effective_settings();
    runtime()?.block_on(async {
        let mut bench = Bench::open(context, &shelf, &settings, args.plugin.as_deref()).await?;
        let mut worst = Exit::Holds;
        for file in files {
            let exit = match bench.replay(&file).await {
                Ok(exit) => exit,
                Err(failure) => {
                    warn(failure.render().trim_end());
                    failure.exit()
                }
            };
            worst = worst.max(exit);
        }
        Ok(worst)
    })
}

/// The plugins that recordings are replayed with.
struct Bench<'a> {
    context: &'a Context,
    shelf: &'a Shelf,
    plugins: Plugins,
    /// What recordings of this workspace were masked with.
    mask: Mask,
    /// The one that was named on the command line.
    given: Option<(PluginId, Digest)>,
}

impl<'a> Bench<'a> {
    async fn open(
        context: &'a Context,
        shelf: &'a Shelf,
        settings: &Settings,
        given: Option<&Path>,
    ) -> Result<Self, Failure> {
        let plugins = Plugins::open(context, settings, []).await?;
        let mask = Secrets::all(settings);
        let mut bench = Self { context, shelf, plugins, mask, given: None };
        if let Some(path) = given {
            let bytes = read_file(&context.environment.directory.join(path), COMPONENT_BYTES)?;
            bench.given = Some(bench.add(&bytes, &path.display().to_string()).await?);
        }
        Ok(bench)
    }

    async fn add(&self, bytes: &[u8], place: &str) -> Result<(PluginId, Digest), Failure> {
        let unusable =
            |error: &dyn std::error::Error| Failure::usage(format!("{place} can not be used: it {error}"));
        let Loaded { plugin, warning } = self.plugins.host.load(bytes).map_err(|error| unusable(&error))?;
        if let Some(warning) = warning {
            self.context.printer.note(&format!("warning: {place} is compiled every time: {warning}"));
        }
        let digest = plugin.digest();
        let info = self.plugins.host.describe(&plugin).await.map_err(|error| unusable(&error))?;
        self.plugins.host.add(plugin, &info);
        Ok((info.id, digest))
    }

    /// The bytes to run for a recording.
    async fn plugin(&self, recording: &Recording) -> Result<Digest, Failure> {
        let wanted = &recording.check().plugin;
        let digest = match (&self.given, self.shelf.find(wanted)) {
            (Some((id, digest)), _) if id == wanted => *digest,
            (Some((id, _)), _) => {
                return Err(Failure::undecided(format!(
                    "it is a recording of the plugin {wanted}, not of {id}"
                )));
            }
            (None, Some(file)) => self.add(&file.trusted()?.bytes, &file.place).await?.1,
            (None, None) => {
                let failure = Failure::undecided(format!("the plugin {wanted} is not here"));
                return Err(failure.hint("mustdo replay FILE --plugin FILE.wasm"));
            }
        };
        if digest != recording.plugin() {
            self.context.printer.note(&format!(
                "replayed with other bytes: {wanted} is {} now, and {} {} was recorded",
                digest.short(),
                recording.version(),
                recording.plugin().short()
            ));
        }
        Ok(digest)
    }

    async fn replay(&mut self, path: &Path) -> Result<Exit, Failure> {
        let shown =
            path.strip_prefix(&self.context.environment.directory).unwrap_or(path).display().to_string();
        let recording = Arc::new(read(path, &shown)?);
        let name = format!("{}  {}", recording.item(), recording.check());
        let unplayable = |error: &dyn std::error::Error| {
            Failure::undecided(format!("{shown} can not be replayed: {error}"))
        };
        let replayer = Replayer::new(&self.plugins.host, recording.clone(), self.mask.clone())
            .map_err(|error| unplayable(&error))?;
        let digest = self.plugin(&recording).await?;
        let Replayed { run, comparison, left } =
            replayer.replay(digest, Reporter::new(TaskId(0), unbounded_channel().0)).await;
        if left > 0 && comparison != Comparison::Astray {
            self.context.printer.note(&format!(
                "{name}: the last {left} of {} recorded calls were not made again",
                recording.calls()
            ));
        }
        let (exit, word, more) = match comparison {
            Comparison::Same => (Exit::Holds, "same", String::new()),
            Comparison::Astray => (Exit::Undecided, "could not tell", String::new()),
            Comparison::Different { place, recorded, found } => {
                let recorded = format!("  {place}\n    recorded  {recorded}\n    replayed  {found}\n");
                let before = format!("  was: {}\n", line(&recording.concluded()));
                (Exit::Fails, "different", before + &recorded)
            }
        };
        answer(&format!("{word}  {name}\n  {}\n{more}", line(&concluded(&run))))?;
        Ok(exit)
    }
}

fn concluded(run: &Result<Run, RunError>) -> String {
    match run {
        Ok(run) => format!("{}: {}", run.verdict.outcome.word(), run.verdict.summary.en),
        Err(error) => error.to_string(),
    }
}

fn line(text: &str) -> String {
    plain_line(text, 1_000)
}
