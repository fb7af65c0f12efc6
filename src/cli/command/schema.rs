//! `mustdo schema`: JSON Schemas for editors.

use clap::{Args, ValueEnum};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;

/// What can follow `mustdo schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of which file
    #[arg(value_name = "FILE")]
    pub(crate) file: SchemaFile,
}

/// What mustdo has a schema of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFile {
    /// `checklists/*.toml`
    Checklist,
    /// `mustdo.toml`
    Workspace,
    /// `progress/*.toml`
    Progress,
    /// `mustdo.lock`
    Lock,
    /// `cases.toml`
    Cases,
    /// What `mustdo cohort` reads
    Cohort,
    /// What `mustdo verify --partition` writes
    Result,
    /// `mustdo report --format json`
    Report,
    /// `mustdo cohort --format json`
    CohortReport,
    /// `mustdo history --format json`
    History,
    /// `mustdo diff --format json`
    Diff,
    /// `mustdo update --format json`
    Update,
}

/// Prints the schema (JSON Schema, draft 2020-12).
pub(crate) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.file {
        SchemaFile::Checklist => crate::syntax::schema::CHECKLIST,
        SchemaFile::Workspace => crate::syntax::schema::WORKSPACE,
        SchemaFile::Progress => crate::syntax::schema::PROGRESS,
        SchemaFile::Lock => crate::syntax::schema::LOCK,
        SchemaFile::Result => crate::syntax::schema::RESULT,
        SchemaFile::Cases => crate::syntax::schema::CASES,
        SchemaFile::Cohort => crate::syntax::schema::COHORT,
        SchemaFile::CohortReport => crate::report::COHORT_SCHEMA,
        SchemaFile::Report => crate::report::JSON_SCHEMA,
        SchemaFile::History => crate::report::HISTORY_SCHEMA,
        SchemaFile::Diff => crate::report::DIFFERENCE_SCHEMA,
        SchemaFile::Update => crate::report::UPDATE_SCHEMA,
    };
    answer(schema)?;
    Ok(Exit::Holds)
}
