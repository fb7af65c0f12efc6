//! `mustdo show`: everything about one item.

use std::collections::BTreeSet;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::known_proof;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::model::{
    Asked, Definition, Entry, Item, Language, Outcome, PluginId, Record, Selection, Standing, plain_line,
    plain_text,
};
use crate::report;
use crate::store::Workspace;
use crate::syntax;

/// What can follow `mustdo show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// An item id or its unique ending
    #[arg(value_name = "ITEM")]
    pub(crate) item: String,
    /// Show this many hints
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) hints: usize,
    /// Print what the last run of each of its checks really opened, logged and concluded
    #[arg(long, conflicts_with = "hints")]
    pub(crate) transcript: bool,
}

/// Prints it.
pub(crate) fn run(context: &Context, args: &ShowArgs) -> Result<Exit, Failure> {
    let project = Project::read(context)?;
    let item = Selection::one(&project.catalog, &args.item)?;
    if args.transcript {
        return transcripts(&project, item);
    }
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let settings = project.effective_settings();
    let asked = project.asked(item, &settings, &shelf)?;
    let entry = project.entry(item);
    let standing = Standing::of(item, &asked, entry, context.environment.now);
    let page =
        Page { context, project: &project, item, standing: &standing, language: project.language(context) };
    let mut text = page.head();
    text.push_str(&page.checks(&asked, entry, &shelf));
    text.push_str(&Page::claim(entry));
    text.push_str(&page.cards());
    text.push_str(&page.hints(args.hints));
    answer(&text)?;
    Ok(Exit::Holds)
}

/// The accounts of an item's last runs, as they were kept.
fn transcripts(project: &Project, item: &Item) -> Result<Exit, Failure> {
    /// Characters of one; what mustdo writes is shorter.
    const LONGEST: usize = 1 << 20;
    let mut texts = vec![];
    for check in &item.checks {
        let kept = project.workspace.as_ref().map(|workspace| workspace.transcript(&item.id, &check.uses));
        texts.extend(kept.transpose()?.flatten().map(|text| format!("{}\n", plain_text(&text, LONGEST))));
    }
    if texts.is_empty() {
        return Err(Failure::usage(format!("no check of {} has been run here", item.id))
            .hint(format!("mustdo verify {}", item.id)));
    }
    answer(&texts.join("\n"))?;
    Ok(Exit::Holds)
}

struct Page<'a> {
    context: &'a Context,
    project: &'a Project,
    item: &'a Item,
    standing: &'a Standing,
    language: Language,
}

impl Page<'_> {
    fn head(&self) -> String {
        let (item, language) = (self.item, self.language);
        let color = self.context.printer.stdout_color;
        let title = report::heading(&line(item.title.get(language)), color);
        let status = report::status(self.standing.status, language, color);
        let mut text = format!("{title}\n{}  {status}\n\n", item.id);
        let group = self
            .project
            .catalog
            .lineage(&item.group)
            .map(|group| line(group.title.get(language)))
            .collect::<Vec<_>>();
        let group = group.into_iter().rev().collect::<Vec<_>>().join(" › ");
        text.push_str(&row("in", &group));
        text.push_str(&row("level", &format!("{}, weight {}", item.level, item.weight.get())));
        if let Some(source) = &item.source {
            text.push_str(&row("source", &line(source)));
        }
        if !item.tags.is_empty() {
            text.push_str(&row(
                "tags",
                &item.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            ));
        }
        for needed in item.needs.iter().filter_map(|id| self.project.catalog.item(id)) {
            text.push_str(&row("needs", &format!("{}  {}", needed.id, line(needed.title.get(language)))));
        }
        for (check, why) in &self.standing.staleness {
            text.push_str(&row("stale", &format!("{check}: {}", report::staleness(why, language))));
        }
        text
    }

    fn checks(&self, asked: &[Asked], entry: Option<&Entry>, shelf: &Shelf) -> String {
        if asked.is_empty() {
            return "\nNo check in this version of mustdo: a tick is all this item can get.\n".to_owned();
        }
        let mut text = String::new();
        for asked in asked {
            text.push_str(&Self::definition(&asked.definition, asked));
            text.push_str(&self.doubt(&asked.definition.uses.plugin, shelf));
            let known = entry.and_then(|entry| entry.checks.get(&asked.definition.uses));
            match known {
                None => text.push_str("  never run\n"),
                Some(known) => {
                    for record in known.decided.iter().chain(&known.undecided) {
                        text.push_str(&self.record(record));
                    }
                }
            }
        }
        text.push_str(&self.next(asked));
        text
    }

    /// What to do so that its checks run. A plugin is not opened for this: what it says of its checks is one command away.
    fn next(&self, asked: &[Asked]) -> String {
        let mut text = String::new();
        let unbound: BTreeSet<_> = asked.iter().flat_map(|asked| &asked.unbound).collect();
        if !unbound.is_empty() {
            text.push_str(&format!("\nnot bound: add to {}, with your own values:\n", Workspace::SETTINGS));
            for line in unbound.into_iter().flat_map(|name| report::binding(name, &[])) {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text.push('\n');
        let plugins: BTreeSet<_> = asked.iter().map(|asked| &asked.definition.uses.plugin).collect();
        for plugin in plugins {
            text.push_str(&format!("what it does and takes: mustdo plugin info {plugin}\n"));
        }
        text.push_str(&format!("run it: mustdo verify {}\n", self.item.id));
        text
    }

    fn definition(definition: &Definition, asked: &Asked) -> String {
        let mut text = format!("\ncheck {}\n", definition.uses);
        for (plugin, workspace) in &definition.target {
            let state = if asked.unbound.contains(workspace) { "  not bound" } else { "" };
            text.push_str(&format!("  {plugin} = [targets.{workspace}]{state}\n"));
        }
        if !definition.with.is_empty() {
            text.push_str(&format!("  with {}\n", line(&syntax::params_json(&definition.with))));
        }
        text
    }

    /// What keeps the word of a plugin, as it is now, from being a proven one's. It is not opened for this either.
    fn doubt(&self, id: &PluginId, shelf: &Shelf) -> String {
        let Some(file) = shelf.find(id) else { return String::new() };
        match known_proof(self.context, file) {
            Some(proof) if proof.is_proven() => String::new(),
            Some(proof) => format!("  {id} is {}\n", line(&proof.to_string())),
            None => format!("  {id} was not held against its cases here yet: mustdo plugin info {id}\n"),
        }
    }

    fn record(&self, record: &Record) -> String {
        let language = self.language;
        let verdict = &record.verdict;
        let word = report::outcome(verdict.outcome, language, self.context.printer.stdout_color);
        let mut text = format!("  {word}  {}  {}\n", record.at, line(verdict.summary.get(language)));
        for (number, attempt) in (1..).zip(&record.attempts) {
            text.push_str(&format!(
                "    attempt {number} could not tell: {}\n",
                line(attempt.summary.get(language))
            ));
        }
        for step in &verdict.steps {
            let mark = match step.outcome {
                Outcome::Pass => "✓",
                Outcome::Fail => "✗",
                Outcome::Inconclusive | Outcome::Flaky => "?",
                Outcome::Skip => "–",
            };
            text.push_str(&format!(
                "    {mark} {} ({}): {}\n",
                line(&step.id),
                step.need.word(),
                line(step.summary.get(language))
            ));
        }
        for finding in &verdict.findings {
            text.push_str(&format!("    {}: {}\n", line(&finding.code), line(finding.message.get(language))));
            if let Some(hint) = &finding.hint {
                text.push_str(&format!("      next: {}\n", line(hint.get(language))));
            }
        }
        let commit =
            record.commit.as_deref().map_or(String::new(), |commit| format!(", commit {}", line(commit)));
        text.push_str(&format!(
            "    plugin {} ({}{}), seed {:016x}{commit}\n",
            record.version,
            record.plugin.short(),
            if record.proven == Some(false) { ", unproven" } else { "" },
            record.seed
        ));
        text
    }

    fn claim(entry: Option<&Entry>) -> String {
        let Some(entry) = entry else { return String::new() };
        let mut text = String::new();
        if let Some(claim) = &entry.claim {
            text.push_str(&format!("\nticked {}\n", claim.at));
            for words in claim.note.iter().chain(&claim.links) {
                text.push_str(&format!("  {}\n", line(words)));
            }
        }
        if let Some(waiver) = &entry.waiver {
            text.push_str(&format!("\nwaived until {}: {}\n", waiver.until, line(&waiver.why)));
        }
        text
    }

    fn cards(&self) -> String {
        let mut text = String::new();
        for card in &self.item.cards {
            text.push_str(&format!("\ncard {}: {}\n", card.id, card.ask.get(self.language)));
        }
        text
    }

    fn hints(&self, wanted: usize) -> String {
        let hints = &self.item.hints;
        let mut text = String::new();
        for (index, hint) in hints.iter().take(wanted).enumerate() {
            text.push_str(&format!("\nhint {}: {}\n", index + 1, hint.get(self.language)));
        }
        let left = hints.len().saturating_sub(wanted);
        if left > 0 {
            text.push_str(&format!(
                "\n{left} more hints, one at a time: mustdo show {} --hints {}\n",
                self.item.id,
                wanted + 1
            ));
        }
        text
    }
}

/// Words from a file that anybody may have edited, fit for a terminal.
fn line(text: &str) -> String {
    plain_line(text, 1_000)
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<8} {value}\n")
}
