//! From a plugin's sources to its component, with what it is proven with in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use super::context::Context;
use super::failure::Failure;
use super::plugins::{Opened, inspect};
use super::printer::warn;
use super::proof;
use crate::model::{Cases, PluginInfo, Settings};
use crate::plugin::{Bundle, COMPONENT_BYTES, Recording, package};
use crate::store::{Scratch, newest, read_at_most, read_file, read_text, replace};
use crate::syntax::{self, CasesFile, Source};
use crate::toolchain::{Language, Order, Surroundings, ToolchainError, World, build, contract};

/// The file in a plugin's folder that says what it is proven with.
pub(crate) const CASES: &str = "cases.toml";

/// Where recordings of cases are put, below a plugin's folder.
pub(crate) const RECORDINGS: &str = "cases";

/// A plugin that was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// The component.
    pub(crate) component: Vec<u8>,
    /// What it is.
    pub(crate) opened: Opened,
}

/// Builds the plugin in `folder`, an absolute path; none where a tool found fault with the sources and has said so.
pub(crate) async fn build_folder(
    context: &Context,
    folder: &Path,
    world: World,
) -> Result<Option<Built>, Failure> {
    let language = Language::of(folder).map_err(failure)?;
    let scratch = Scratch::new("mustdo-build")?;
    for (name, bytes) in contract() {
        replace(&scratch.path().join(name), bytes)?;
    }
    context.printer.note(&format!("building with the tools of {}", language.name()));
    let order = Order { folder, scratch: scratch.path(), world };
    let made = match build(language, &order, &surroundings(context)) {
        Ok(made) => made,
        Err(ToolchainError::Failed { program, printed }) => {
            // The sources do not hold: what is wrong with them is the tool's to say, in its own words.
            warn(format!("{printed}\nerror: {program} did not build the plugin").trim_start());
            return Ok(None);
        }
        Err(error) => return Err(failure(error)),
    };
    // One byte more than a plugin may have is enough to be told so.
    let bytes = read_at_most(&made, COMPONENT_BYTES)?;
    context.printer.note("checking the component as a workspace would");
    let unusable =
        |error: &dyn std::error::Error| Failure::usage(format!("what was built can not be used: it {error}"));
    let bare = package(&bytes).map_err(|error| unusable(&error))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let settings = Settings::default();
    let inspected = inspect(context, &settings, &name, &bare).await?;
    let opened = inspected.map_err(|error| unusable(&error))?;
    let component = with_cases(folder, &opened.info, &bare)?;
    if component == bare {
        return Ok(Some(Built { component, opened }));
    }
    let inspected = inspect(context, &settings, &name, &component).await?;
    let opened = inspected.map_err(|error| unusable(&error))?;
    Ok(Some(Built { component, opened }))
}

/// The component with the cases of its folder in it, and with the recordings of them that are there.
pub(crate) fn with_cases(folder: &Path, plugin: &PluginInfo, component: &[u8]) -> Result<Vec<u8>, Failure> {
    let bundle = match read_cases(folder, plugin)? {
        Some((text, file)) => {
            let recordings = recordings(folder, file.cases())?;
            // Cases that nobody can replay show nothing, and a component is to be small.
            (!recordings.is_empty()).then_some(Bundle { cases: text, recordings })
        }
        None => None,
    };
    Bundle::embed(bundle.as_ref(), component)
        .map_err(|error| Failure::usage(error).hint("record checks that ask for less, or shorter answers"))
}

/// The text of a plugin's `cases.toml` and what it says; none where there is none. Fails with everything that is wrong.
pub(crate) fn read_cases(folder: &Path, plugin: &PluginInfo) -> Result<Option<(String, CasesFile)>, Failure> {
    let Some(text) = read_text(&folder.join(CASES))? else { return Ok(None) };
    let source = Source::new(CASES, text.as_str());
    match proof::read(&source, plugin) {
        Ok(file) => Ok(Some((text, file))),
        Err(found) => Err(Failure::content(syntax::render(&found, false))),
    }
}

/// The recordings of cases that are there, by the path that the cases have for them.
fn recordings(folder: &Path, cases: &Cases) -> Result<BTreeMap<String, String>, Failure> {
    let mut recordings = BTreeMap::new();
    let named = cases.cases.iter().filter_map(|case| case.recording.as_ref());
    for path in named.filter(|path| folder.join(path).is_file()) {
        recordings.insert(path.clone(), read_recording(folder, path)?);
    }
    Ok(recordings)
}

/// The text of a recording that a case names.
pub(crate) fn read_recording(folder: &Path, path: &str) -> Result<String, Failure> {
    let bytes = read_file(&folder.join(path), Recording::LARGEST)
        .map_err(|error| Failure::from(error).hint("mustdo plugin test --record    makes it again"))?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::usage(format!("{path} is no recording: it is not UTF-8"))
            .hint("mustdo plugin test --record    makes it again")
    })
}

/// When the sources of the plugin in `folder` were last changed: what its proof is made of, and what is built, aside.
pub(crate) fn sources(folder: &Path) -> Result<SystemTime, Failure> {
    Ok(newest(folder, |path| !(path == Path::new(CASES) || path.starts_with(RECORDINGS)))?)
}

fn surroundings(context: &Context) -> Surroundings {
    let environment = &context.environment;
    Surroundings {
        path: environment.path.clone(),
        cargo_home: environment.cargo_home.clone(),
        virtual_env: environment.virtual_env.clone(),
    }
}

fn failure(error: ToolchainError) -> Failure {
    let hints = match &error {
        ToolchainError::NoProject { .. } => {
            vec!["mustdo plugin new NAME --lang rust    makes one".to_owned()]
        }
        ToolchainError::Missing { install, .. } => install.clone(),
        ToolchainError::NoPlugin { hint, .. } => vec![(*hint).to_owned()],
        ToolchainError::Ambiguous { .. } => {
            vec!["mustdo plugin build DIR, with one of them in DIR".to_owned()]
        }
        ToolchainError::Start { .. } | ToolchainError::Failed { .. } => vec![],
    };
    hints.into_iter().fold(Failure::usage(error), Failure::hint)
}
