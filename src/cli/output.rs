//! From content to a report, and from a report to where it goes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use super::context::Context;
use super::failure::Failure;
use super::printer::answer;
use super::project::Project;
use super::shelf::Shelf;
use crate::model::{Item, Judgement, Selection};
use crate::report::{Format, Input, Report, View, write};
use crate::store::{Sink, Workspace};

/// A report to write to a file: `FORMAT=FILE`, or `FORMAT` alone for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportFile {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for ReportFile {
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
pub(crate) struct ReportSink {
    format: Format,
    sink: Option<Sink>,
}

impl ReportFile {
    /// Whether it goes to standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Opens every file, before any work starts: a bad path fails first.
    pub(crate) fn open_all(context: &Context, files: &[Self]) -> Result<Vec<ReportSink>, Failure> {
        for (position, file) in files.iter().enumerate() {
            if files[..position].iter().any(|other| other.file == file.file) {
                let place = file
                    .file
                    .as_ref()
                    .map_or("standard output".to_owned(), |path| path.display().to_string());
                return Err(Failure::usage(format!("two reports to {place}"))
                    .hint("--report FORMAT=FILE, each its own file"));
            }
        }
        let open = |file: &Self| {
            let path = file.file.as_ref().map(|path| context.environment.directory.join(path));
            let sink = path.map(|path| Sink::open(&path)).transpose()?;
            Ok(ReportSink { format: file.format, sink })
        };
        files.iter().map(open).collect()
    }
}

impl ReportSink {
    /// Writes the report.
    pub(crate) fn write(self, report: &Report, context: &Context, project: &Project) -> Result<(), Failure> {
        let language = project.language(context);
        match self.sink {
            Some(sink) => {
                let view = View { language, color: false, width: None, items: true };
                Ok(sink.write(write(report, self.format, &view).as_bytes())?)
            }
            None => answer(&write(report, self.format, &view(context, project, true))),
        }
    }
}

/// How a report is shown on standard output.
pub(crate) fn view(context: &Context, project: &Project, items: bool) -> View {
    View {
        language: project.language(context),
        color: context.printer.stdout_color,
        width: context.environment.width,
        items,
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
) -> Result<Report, Failure> {
    let settings = project.effective_settings();
    let mut asked = Vec::with_capacity(items.len());
    for item in &items {
        asked.push(project.asked(item, &settings, shelf)?);
    }
    let judgement = match selection.statuses[..] {
        [] => None,
        _ => Some(judge(context, project, shelf, selection)?),
    };
    let workspace = project.workspace.as_ref();
    let revision = match (&project.past, workspace.map(Workspace::repository).transpose()?.flatten()) {
        (Some(past), _) => Some(past.revision.id.clone()),
        (None, Some(repository)) => repository.head_id()?,
        (None, None) => None,
    };
    Ok(Report::new(Input {
        catalog: &project.catalog,
        entries: items.iter().map(|item| project.entry(item)).collect(),
        items,
        asked,
        policy: &settings.policy,
        judgement,
        now: context.environment.now,
        workspace: workspace.map(Workspace::name).unwrap_or_default(),
        revision,
        narrowed: !selection.is_all(),
    }))
}

fn judge(
    context: &Context,
    project: &Project,
    shelf: &Shelf,
    selection: &Selection,
) -> Result<Judgement, Failure> {
    let settings = project.effective_settings();
    let selection = Selection { statuses: vec![], ..selection.clone() };
    let items = select(context, project, shelf, &selection)?;
    let mut standings = Vec::with_capacity(items.len());
    for item in items {
        standings.push((item, project.standing(context, item, &settings, shelf)?));
    }
    Ok(settings.policy.judge(standings.iter().map(|(item, standing)| (*item, standing))))
}

/// The items of a selection, in file order.
pub(crate) fn select<'a>(
    context: &Context,
    project: &'a Project,
    shelf: &Shelf,
    selection: &Selection,
) -> Result<Vec<&'a Item>, Failure> {
    let settings = project.effective_settings();
    let mut statuses = HashMap::new();
    if !selection.statuses.is_empty() {
        for item in project.catalog.items() {
            statuses.insert(&item.id, project.standing(context, item, &settings, shelf)?.status);
        }
    }
    Ok(selection.resolve(&project.catalog, |item| statuses.get(&item.id).copied().unwrap_or_default())?)
}
