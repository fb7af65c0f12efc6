//! Checks while they run: moving lines on a terminal, a plain line for each that ended elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;
use super::kept::{Doubt, Kept};
use super::printer::disarmed;
use crate::model::{CheckId, ItemId, Language, TargetName, plain};
use crate::report;
use crate::verify::{Event, Plan, Planned, TaskId};

/// Where running checks are shown; several verifications may share one.
#[derive(Debug, Clone)]
pub(crate) struct Display {
    bars: MultiProgress,
    moving: bool,
    quiet: bool,
    color: bool,
    label: &'static str,
}

impl Display {
    /// On standard error: moving lines where a person sees it, plain lines elsewhere, nothing where quiet is asked for.
    pub(crate) fn new(context: &Context) -> Self {
        let unseen = context.printer.quiet() || context.environment.server.is_some();
        let moving = context.environment.terminal.stderr && !unseen;
        let target = if moving { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            bars: MultiProgress::with_draw_target(target),
            moving,
            quiet: context.printer.quiet(),
            color: context.printer.stderr_color,
            label: "",
        }
    }

    /// The same place, with `label` before each line.
    pub(crate) fn labelled(&self, label: &'static str) -> Self {
        Self { label, ..self.clone() }
    }

    /// Begins to show a plan.
    pub(crate) fn begin<'a>(&'a self, plan: &'a Plan, language: Language) -> Progress<'a> {
        let names = names(plan.tasks.iter().map(|task| (&task.item, &task.definition.uses)));
        Progress { display: self, plan, names, language, running: HashMap::new() }
    }

    /// Says that a target is being started: it may take a while. A labelled verification has said so in its own words.
    pub(crate) fn starting(&self, target: &TargetName, run: &[String]) {
        if self.label.is_empty() {
            self.line(&format!("starting {target}: {}", plain(&run.join(" "))));
        }
    }

    /// Says that a pass is kept and its check does not run.
    pub(crate) fn kept(&self, pass: &Kept) {
        let Kept { item, check, at } = pass;
        self.line(&format!("kept from {}  {item}  {check}", at.strftime("%Y-%m-%d %H:%M UTC")));
    }

    /// Says why a check runs again although its pass is fresh.
    pub(crate) fn doubted(&self, pass: &Kept, doubt: &Doubt) {
        let Kept { item, check, at: _ } = pass;
        self.line(&plain(&format!("not kept: {item}  {check}: {doubt}")));
    }

    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.moving {
            // The display is gone when standard error is: nobody is left to tell.
            let _ = self.bars.println(text);
        } else {
            // Hidden bars print nothing.
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr().lock(), "{}", disarmed(text));
        }
    }
}

/// A plan being shown.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    display: &'a Display,
    plan: &'a Plan,
    /// What each task is called, by its id: all equally wide, so that what comes after stands in line.
    names: Vec<String>,
    language: Language,
    running: HashMap<TaskId, ProgressBar>,
}

impl Progress<'_> {
    /// Shows what happened.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Started(id) => self.started(*id),
            Event::Progress { task, fraction, message } => self.progressed(*task, *fraction, message),
            Event::Finished { task, result } => {
                let words = match result {
                    Ok(run) => {
                        let verdict = &run.verdict;
                        let word = report::outcome(verdict.outcome, self.language, self.display.color);
                        let seconds = format!("{:>5.1} s", run.elapsed.as_secs_f64());
                        format!(
                            "{word}  {}  {seconds}  {}",
                            self.name(*task),
                            verdict.summary.get(self.language)
                        )
                    }
                    Err(error) => format!("error  {}  {error}", self.name(*task)),
                };
                self.ended(*task, &words);
            }
            // Its account is kept; that it was stopped comes next.
            Event::Stopped { .. } => {}
            Event::Cancelled(id) => {
                let words = format!("stopped  {}", self.name(*id));
                self.ended(*id, &words);
            }
        }
    }

    fn started(&mut self, id: TaskId) {
        if !self.display.moving {
            return;
        }
        let bar = self.display.bars.add(ProgressBar::new(1_000));
        bar.set_style(style("{spinner} {prefix}  {elapsed:>4}  {wide_msg}"));
        bar.set_prefix(self.name(id));
        if let Some(task) = self.task(id) {
            bar.set_message(task.title.get(self.language).to_owned());
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        self.running.insert(id, bar);
    }

    fn progressed(&mut self, id: TaskId, fraction: Option<f32>, message: &str) {
        let Some(bar) = self.running.get(&id) else { return };
        if let Some(fraction) = fraction {
            bar.set_style(style("{spinner} {prefix}  {bar:12.green/dim}  {elapsed:>4}  {wide_msg}"));
            // From 0 to 1 by contract: a thousandth is as fine as a bar can show.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to 0..=1000"
            )]
            bar.set_position((fraction.clamp(0.0, 1.0) * 1_000.0) as u64);
        }
        bar.set_message(message.to_owned());
    }

    fn ended(&mut self, id: TaskId, words: &str) {
        if let Some(bar) = self.running.remove(&id) {
            bar.finish_and_clear();
            self.display.bars.remove(&bar);
        }
        self.display.line(words);
    }

    fn name(&self, id: TaskId) -> String {
        let label = self.display.label;
        self.names.get(id.0).map_or(String::new(), |name| format!("{label}{name}"))
    }

    fn task(&self, id: TaskId) -> Option<&Planned> {
        self.plan.tasks.get(id.0)
    }
}

/// An item's id, and the check where it has several; all padded to the widest. Both are ASCII.
fn names<'a>(tasks: impl Iterator<Item = (&'a ItemId, &'a CheckId)> + Clone) -> Vec<String> {
    let mut checks: HashMap<&ItemId, usize> = HashMap::new();
    for (item, _) in tasks.clone() {
        *checks.entry(item).or_default() += 1;
    }
    let name = |(item, uses): (&ItemId, &CheckId)| {
        if checks[item] > 1 { format!("{item} {}", uses.check) } else { item.to_string() }
    };
    let names: Vec<String> = tasks.map(name).collect();
    let widest = names.iter().map(String::len).max().unwrap_or_default();
    names.into_iter().map(|name| format!("{name:<widest$}")).collect()
}

/// The templates above are constants: one that does not parse shows as the library's default.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_checks_of_an_item_is_named() {
        let tasks: Vec<(ItemId, CheckId)> =
            [("a.one", "web/xss"), ("b.many", "web/csrf"), ("b.many", "web/sqli")]
                .map(|(item, uses)| (item.parse().unwrap(), uses.parse().unwrap()))
                .into();
        let names = names(tasks.iter().map(|(item, uses)| (item, uses)));
        assert_eq!(names, ["a.one      ", "b.many csrf", "b.many sqli"]);
    }
}
