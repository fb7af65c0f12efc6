//! From content to a report, and from a report to where it goes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use super::content::Content;
use super::context::Context;
use super::failure::Failure;
use super::shelf::Shelf;
use crate::model::{Item, Selection};
use crate::report::{Format, Input, Report, View, write};
use crate::store::{Sink, Workspace};

/// A report to write to a file: `FORMAT=FILE`, or `FORMAT` alone for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
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
pub struct ReportSink {
    format: Format,
    sink: Option<Sink>,
}

impl ReportFile {
    /// Whether it goes to standard output.
    pub fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Opens every file, before any work starts: a bad path fails first.
    pub fn open_all(context: &Context, files: &[Self]) -> Result<Vec<ReportSink>, Failure> {
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
    pub fn write(self, report: &Report, context: &Context, content: &Content) -> Result<(), Failure> {
        let language = content.language(context);
        match self.sink {
            Some(sink) => {
                let view = View { language, color: false, width: None, items: true };
                Ok(sink.write(write(report, self.format, &view).as_bytes())?)
            }
            None => context.answer(&write(report, self.format, &view(context, content, true))),
        }
    }
}

/// How a report is shown on standard output.
pub fn view(context: &Context, content: &Content, items: bool) -> View {
    View {
        language: content.language(context),
        color: context.printer.stdout_color,
        width: context.environment.width,
        items,
    }
}

/// The report of what is recorded for a selection.
pub fn report(context: &Context, content: &Content, shelf: &Shelf, selection: &Selection) -> Result<Report, Failure> {
    let settings = content.effective_settings();
    let items = select(context, content, shelf, selection)?;
    let mut asked = Vec::with_capacity(items.len());
    for item in &items {
        asked.push(content.asked(item, &settings, shelf)?);
    }
    let workspace = content.workspace.as_ref();
    let revision = match workspace.map(Workspace::repository).transpose()?.flatten() {
        Some(repository) => repository.head_id()?,
        None => None,
    };
    Ok(Report::new(Input {
        catalog: &content.catalog,
        entries: items.iter().map(|item| content.entry(item)).collect(),
        items,
        asked,
        policy: &settings.policy,
        now: context.environment.now,
        workspace: workspace.map(Workspace::name).unwrap_or_default(),
        revision,
        narrowed: !selection.is_all(),
    }))
}

/// The items of a selection, in file order.
pub fn select<'a>(
    context: &Context,
    content: &'a Content,
    shelf: &Shelf,
    selection: &Selection,
) -> Result<Vec<&'a Item>, Failure> {
    let settings = content.effective_settings();
    let mut statuses = HashMap::new();
    if !selection.statuses.is_empty() {
        for item in content.catalog.items() {
            statuses.insert(&item.id, content.standing(context, item, &settings, shelf)?.status);
        }
    }
    Ok(selection.resolve(&content.catalog, |item| statuses.get(&item.id).copied().unwrap_or_default())?)
}
