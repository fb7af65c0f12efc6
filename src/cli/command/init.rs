//! `mustdo init`: makes a folder a workspace.

use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::edit::commit_files;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::origin::Offer;
use crate::cli::printer::answer;
use crate::cli::renewal::{Renewal, put};
use crate::model::{Language, Origin};
use crate::store::{Repository, Workspace};

/// What can follow `mustdo init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Copy the shipped checklists into the workspace, to change them and to update them with `mustdo update`; else
    /// the shipped ones are used as they are
    #[arg(long)]
    pub(crate) copy_checklists: bool,
    /// Commit what was written
    #[arg(long)]
    pub(crate) commit: bool,
}

/// The settings file to begin with: every key, commented.
const TEMPLATE: &str = include_str!("init/mustdo.toml");

/// Writes what is missing and touches nothing that is there.
pub(crate) fn run(context: &Context, args: &InitArgs) -> Result<Exit, Failure> {
    let root = context.environment.directory.clone();
    if !root.is_dir() {
        return Err(Failure::usage(format!("there is no folder {}", root.display())).hint("mkdir it first"));
    }
    if let Some(outer) = Workspace::find(&root).filter(|outer| outer.root() != root) {
        let outer = outer.root().display();
        context
            .printer
            .note(&format!("{outer} is a workspace already: this folder becomes another one inside it"));
    }
    let workspace = Workspace::at(root.clone());
    let mut done = vec![];
    let repository = if let Some(repository) = workspace.repository()? {
        repository
    } else {
        done.push("made a git repository".to_owned());
        Repository::init(&root)?
    };
    let lock = workspace.lock()?;
    let mut written = vec![];
    if root.join(Workspace::SETTINGS).exists() {
        context.printer.note(&format!("kept {}: it is already there", Workspace::SETTINGS));
    } else {
        workspace.write(&lock, Workspace::SETTINGS, &template(context.language))?;
        written.push(root.join(Workspace::SETTINGS));
        done.push(format!("wrote {}", Workspace::SETTINGS));
    }
    if args.copy_checklists {
        let copies = copies(context, &workspace)?;
        written.extend(put(&workspace, &lock, &copies)?);
        done.extend(copies.iter().map(|copy| format!("wrote {}", copy.name)));
        done.extend((!copies.is_empty()).then(|| format!("wrote {}: where they came from", Workspace::LOCK)));
    }
    let private = format!("/{}/", Workspace::PRIVATE);
    let bare = Workspace::PRIVATE;
    let ignored = [&*private, bare, &format!("{bare}/"), &format!("/{bare}")];
    if let Some(text) = with_line(&workspace, ".gitignore", &private, &ignored)? {
        workspace.write(&lock, ".gitignore", &text)?;
        written.push(root.join(".gitignore"));
        done.push("added .mustdo/ to .gitignore".to_owned());
    }
    if let Some(text) = with_line(&workspace, ".gitattributes", ATTRIBUTE, &[ATTRIBUTE])? {
        workspace.write(&lock, ".gitattributes", &text)?;
        written.push(root.join(".gitattributes"));
        done.push("wrote .gitattributes: git merges progress item by item".to_owned());
    }
    // A clone has the attribute and not the configuration: git starts no program that a repository names by itself.
    let mut configured = repository.configure("merge.mustdo.name", "mustdo progress, item by item")?;
    configured |= repository.configure("merge.mustdo.driver", &driver(context))?;
    if configured {
        done.push("told git how, in this repository's configuration".to_owned());
    }
    drop(lock);
    if done.is_empty() {
        done.push("nothing to do: this is a workspace already".to_owned());
    }
    for line in done {
        answer(&format!("{line}\n"))?;
    }
    if args.commit && !written.is_empty() {
        commit_files(context, &workspace, &written, "mustdo: start a workspace\n")?;
    }
    context.printer.note("");
    context.printer.note("Next:");
    context.printer.note("  mustdo list                     what there is to be ready in");
    context.printer.note("  mustdo tick ground.tcp          say that you have done it");
    context.printer.note("  edit mustdo.toml: [targets.web] tell mustdo where your service is, then");
    context.printer.note("  mustdo verify                   prove it");
    Ok(Exit::Holds)
}

/// The shipped checklists that are not there yet.
fn copies(context: &Context, workspace: &Workspace) -> Result<Vec<Renewal>, Failure> {
    let offer = Offer::of(context, &Origin::Embedded, workspace.root())?;
    let mut copies = vec![];
    for offered in offer.checklists.values() {
        let name = format!("{}/{}", Workspace::CHECKLISTS, offered.file);
        if workspace.root().join(&name).exists() {
            context.printer.note(&format!("kept {name}: it is already there"));
        } else {
            copies.push(Renewal::first(name, &offer, offered));
        }
    }
    copies.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(copies)
}

/// The settings; the language only where it was asked for, because it is everybody's who works here.
fn template(language: Option<Language>) -> String {
    let line = match language {
        Some(language) => format!("lang = \"{language}\"  "),
        None => "# lang = \"en\"".to_owned(),
    };
    TEMPLATE.replace("{lang}", &line)
}

/// What git merges with the driver that is called mustdo.
const ATTRIBUTE: &str = "/progress/*.toml merge=mustdo";

/// The command that git runs: mustdo by its name where that finds this very program, else by its place.
fn driver(context: &Context) -> String {
    let environment = &context.environment;
    let folders = environment.path.as_deref().into_iter().flat_map(std::env::split_paths);
    let named = folders.map(|folder| folder.join("mustdo")).find(|path| path.is_file());
    let real = |path: &PathBuf| path.canonicalize().ok();
    let program = match &environment.program {
        Some(program) if named.as_ref().and_then(real) != real(program) => {
            // As a shell reads it: git hands the whole line to one.
            format!("'{}'", program.display().to_string().replace('\'', "'\\''"))
        }
        Some(_) | None => "mustdo".to_owned(),
    };
    format!("{program} merge-driver %O %A %B %P")
}

/// A file with `line` in it; none where one of the lines that mean the same is there already.
fn with_line(
    workspace: &Workspace,
    name: &str,
    line: &str,
    known: &[&str],
) -> Result<Option<String>, Failure> {
    let mut text = crate::store::read_text(&workspace.root().join(name))?.unwrap_or_default();
    if text.lines().any(|there| known.contains(&there.trim())) {
        return Ok(None);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    Ok(Some(text))
}
