//! From content to a report, and from a report to where it goes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::chronicle::Chronicle;
use super::context::Context;
use super::failure::Failure;
use super::gate::Gate;
use super::printer::{answer, orders, warn};
use super::project::Project;
use super::shelf::Shelf;
use crate::model::{Item, Judged, Judgement, Place, Selection};
use crate::report::{CohortFormat, CohortReport, Files, Format, Input, Report, View, write, write_cohort};
use crate::store::{Repository, Sink, Workspace};

/// A report to write to a file: `FORMAT=FILE`, or `FORMAT` alone for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportFile<F = Format> {
    format: F,
    file: Option<PathBuf>,
}

impl<F: FromStr<Err: Display>> FromStr for ReportFile<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no file after \"=\"".to_owned()),
            Some((format, file)) => (format, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let format = format.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { format, file })
    }
}

/// An opened place for a report.
#[derive(Debug)]
pub(crate) struct ReportSink<F = Format> {
    format: F,
    sink: Option<Sink>,
}

impl<F: Copy> ReportFile<F> {
    /// One for standard output.
    pub(crate) fn stdout(format: F) -> Self {
        Self { format, file: None }
    }

    /// Whether it goes to standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Those that were asked for, and one for standard output: what is given without a file takes the place of `usual`.
    pub(crate) fn with_stdout(given: &[Self], format: Option<F>, usual: F) -> Vec<Self> {
        let mut files = given.to_vec();
        if format.is_some() || !given.iter().any(Self::is_stdout) {
            files.insert(0, Self::stdout(format.unwrap_or(usual)));
        }
        files
    }

    /// Opens every file, before any work starts: a bad path fails first.
    pub(crate) fn open_all(context: &Context, files: &[Self]) -> Result<Vec<ReportSink<F>>, Failure> {
        let twice = |place: &str| {
            let failure = Failure::usage(format!("two reports to {place}"));
            Err(failure.hint("--report FORMAT=FILE, each its own file"))
        };
        if files.iter().filter(|file| file.is_stdout()).count() > 1 {
            return twice("standard output");
        }
        let mut sinks: Vec<ReportSink<F>> = Vec::with_capacity(files.len());
        for ReportFile { format, file } in files {
            let path = file.as_ref().map(|path| context.environment.directory.join(path));
            let sink = path.map(|path| Sink::open(&path)).transpose()?;
            let place = sink.as_ref().map(Sink::place);
            let same = |other: &ReportSink<F>| other.sink.as_ref().map(Sink::place) == place;
            if let (Some(place), true) = (&place, sinks.iter().any(same)) {
                return twice(&place.display().to_string());
            }
            sinks.push(ReportSink { format: *format, sink });
        }
        Ok(sinks)
    }
}

impl ReportSink<CohortFormat> {
    /// Writes what is known of a cohort: to a file with every item, to standard output as `view` says.
    pub(crate) fn write_cohort(self, report: &CohortReport, view: View) -> Result<(), Failure> {
        match self.sink {
            Some(sink) => {
                let view = View { color: false, width: None, items: true, ..view };
                Ok(sink.write(write_cohort(report, self.format, &view).as_bytes())?)
            }
            None => answer(&write_cohort(report, self.format, &view)),
        }
    }
}

impl ReportSink {
    /// Whether what is written there shows more than one moment.
    fn shows_past(&self) -> bool {
        self.format == Format::Html
    }

    /// Writes the report: to a file with every item, to standard output with those only where `items` says so; with the reasons
    /// where `why` says so.
    pub(crate) fn write(
        self,
        report: &Report,
        context: &Context,
        project: &Project,
        items: bool,
        why: bool,
    ) -> Result<(), Failure> {
        let language = project.language(context);
        match self.sink {
            Some(sink) => {
                let view = View { language, color: false, width: None, items: true, why };
                Ok(sink.write(write(report, self.format, &view).as_bytes())?)
            }
            None => print(report, self.format, View { why, ..view(context, project, items) }),
        }
    }
}

/// Prints a report on standard output.
fn print(report: &Report, format: Format, view: View) -> Result<(), Failure> {
    let text = write(report, format, &view);
    match format {
        Format::Github => orders(&text),
        Format::Table
        | Format::Markdown
        | Format::Json
        | Format::Junit
        | Format::Sarif
        | Format::Gitlab
        | Format::Badge
        | Format::Html => answer(&text),
    }
}

/// How a report is shown on standard output.
pub(crate) fn view(context: &Context, project: &Project, items: bool) -> View {
    View {
        language: project.language(context),
        color: context.printer.stdout_color,
        width: context.environment.width,
        items,
        why: false,
    }
}

/// The report of what is recorded for `items`. The policy is judged on `selection` without its statuses: narrowing to what
/// is proven must not make it hold.
pub(crate) fn report(
    context: &Context,
    project: &Project,
    shelf: &Shelf,
    selection: &Selection,
    items: Vec<&Item>,
    gate: &Gate,
) -> Result<Report, Failure> {
    let settings = project.effective_settings();
    let mut asked = Vec::with_capacity(items.len());
    for item in &items {
        asked.push(project.asked(item, &settings, shelf)?);
    }
    let selected: BTreeSet<_> = items.iter().map(|item| &item.id).collect();
    let mut needed = BTreeMap::new();
    for id in items.iter().flat_map(|item| &item.needs).filter(|id| !selected.contains(id)) {
        if let Some(item) = project.catalog.item(id) {
            needed.insert(id.clone(), project.standing(context, item, &settings, shelf)?.status);
        }
    }
    let judgement =
        selection.asks_for_standing().then(|| judge(context, project, shelf, selection)).transpose()?;
    let workspace = project.workspace.as_ref();
    let repository = workspace.map(Workspace::repository).transpose()?.flatten();
    let revision = match (&project.past, &repository) {
        (Some(past), _) => Some(past.revision.id.clone()),
        (None, Some(repository)) => repository.head_id()?,
        (None, None) => None,
    };
    let files = files(project, repository.as_ref());
    Ok(Report::new(Input {
        catalog: &project.catalog,
        entries: items.iter().map(|item| project.entry(item)).collect(),
        items,
        asked,
        needed,
        policy: &settings.policy,
        judgement,
        comparison: gate.comparison(context, project, shelf, selection)?,
        soft: gate.soft,
        now: context.environment.now,
        workspace: workspace.map(Workspace::name).unwrap_or_default(),
        revision,
        narrowed: !selection.is_all(),
        files,
    }))
}

/// The report with what the commits before it held, where one of `sinks` shows that. That it can not be told keeps no report
/// back.
pub(crate) fn with_past(
    context: &Context,
    project: &Project,
    report: Report,
    sinks: &[ReportSink],
) -> Report {
    if !sinks.iter().any(ReportSink::shows_past) {
        return report;
    }
    let repository = project.workspace.as_ref().map_or(Ok(None), Workspace::repository);
    let until = project.past.as_ref().map(|past| past.revision.id.clone());
    let told = match repository {
        Ok(None) => return report,
        Ok(Some(repository)) => {
            Chronicle::told(context, project, &repository, report.selected().as_deref(), until)
        }
        Err(error) => Err(error.into()),
    };
    match told {
        Ok(told) => report.after(told.points),
        Err(failure) => {
            warn(&format!("warning: the page does not show what the commits held: {}", failure.line()));
            report
        }
    }
}

/// Where things stand in the repository around the workspace; outside one, in the workspace.
fn files(project: &Project, repository: Option<&Repository>) -> Files {
    let Some(workspace) = &project.workspace else { return Files::default() };
    let inside = |root: &Path| {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        real(workspace.root()).strip_prefix(real(root)).map(Path::to_owned).ok()
    };
    // A path that is no text can not be pointed at.
    let above = repository.and_then(|repository| inside(repository.work_tree())).unwrap_or_default();
    let Some(above) = above.to_str() else { return Files::default() };
    let inside = |name: &str| if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
    let mut items = BTreeMap::new();
    if !project.shipped {
        let written = project.catalog.items().filter(|item| project.entry(item).is_some());
        let ids: Vec<_> = written.map(|item| &item.id).collect();
        for (id, (name, line)) in project.places.lines(ids) {
            items.insert(id.clone(), (inside(&name), line));
        }
    }
    let folders =
        project.settings.settings().targets.iter().filter_map(|(name, target)| match &target.place {
            Place::Dir(path) if target.place.stays_inside() => Some((name.clone(), inside(path))),
            Place::Dir(_) | Place::Http { .. } | Place::Tcp(_) | Place::Udp(_) | Place::Command { .. } => {
                None
            }
        });
    Files { settings: inside(Workspace::SETTINGS), items, folders: folders.collect() }
}

fn judge(
    context: &Context,
    project: &Project,
    shelf: &Shelf,
    selection: &Selection,
) -> Result<Judgement, Failure> {
    let settings = project.effective_settings();
    let selection = selection.wherever_they_stand();
    let items = select(context, project, shelf, &selection)?;
    let mut standings = Vec::with_capacity(items.len());
    for item in items {
        standings.push((item, project.standing(context, item, &settings, shelf)?));
    }
    let judged = standings.iter().filter_map(|(item, standing)| {
        Some(Judged { checklist: &project.catalog.checklist_of(&item.id)?.id, item, standing })
    });
    Ok(settings.policy.judge(judged, !selection.is_all()))
}

/// The items of a selection, in file order.
pub(crate) fn select<'a>(
    context: &Context,
    project: &'a Project,
    shelf: &Shelf,
    selection: &Selection,
) -> Result<Vec<&'a Item>, Failure> {
    let settings = project.effective_settings();
    let mut standings = HashMap::new();
    if selection.asks_for_standing() {
        for item in project.catalog.items() {
            standings.insert(&item.id, project.standing(context, item, &settings, shelf)?);
        }
    }
    let chosen = selection.resolve(&project.catalog, |item| standings.get(&item.id).cloned())?;
    Ok(chosen)
}
