//! The file that `mustdo cohort` reads: who is in a class or a team, and where their workspaces are.

use std::collections::BTreeMap;
use std::ops::Range;

use super::table::{Field, Table, document};
use super::{Code, Diagnostic, Read, Source};
use crate::model::{ChecklistId, Cohort, Home, Learner, RevisionName, plain_line};

/// Characters that a name or a title has at most; what is longer is cut.
const LONGEST: usize = 80;

/// Reads a cohort and holds it against every rule.
#[must_use]
pub fn read_cohort(source: &Source) -> Read<Cohort> {
    document(source, |mut table| {
        table.format()?;
        let mut cohort = Cohort::default();
        if let Some(mut about) = table.optional("cohort").and_then(|field| field.table("the cohort")) {
            cohort.title = about.optional("title").and_then(|field| name(&field));
            let checklists = about.optional("checklists").and_then(|field| field.list());
            for field in checklists.into_iter().flatten() {
                let Some(id) = field.parse::<ChecklistId>(Code::BadName) else { continue };
                if cohort.checklists.contains(&id) {
                    let message = format!("\"{id}\" is in the list twice");
                    field.report(Code::Repeated, message, "");
                }
                cohort.checklists.insert(id);
            }
            about.close();
        }
        let mut names = BTreeMap::new();
        let fields = table.required("learner").and_then(|field| Some((field.list()?, field)));
        if let Some((fields, list)) = &fields {
            if fields.is_empty() {
                list.report(
                    Code::Empty,
                    "a cohort without learners",
                    "add [[learner]] with a name and a path",
                );
            }
            for field in fields {
                cohort.learners.extend(learner(source, field, &mut names));
            }
        }
        table.close();
        Some(cohort)
    })
}

/// A learner; `names` says where each name stood first.
fn learner(
    source: &Source,
    field: &Field<'_>,
    names: &mut BTreeMap<String, Range<usize>>,
) -> Option<Learner> {
    let mut table = field.table("a learner")?;
    let name_field = table.required("name");
    let home = home(&mut table, field);
    table.close();
    let name_field = name_field?;
    let name = name(&name_field)?;
    if let Some(first) = names.get(&name) {
        let message = format!("two learners are called \"{name}\"");
        let twice = Diagnostic::new(Code::DuplicateId, message, name_field.spot(), "");
        field.push(twice.also(source.spot(first.clone()), "first here"));
        return None;
    }
    names.insert(name.clone(), name_field.span());
    Some(Learner { name, home: home? })
}

/// Words for people, on one line.
fn name(field: &Field<'_>) -> Option<String> {
    let name = plain_line(field.words()?, LONGEST);
    if name.is_empty() {
        field.report(Code::Empty, format!("{} has nothing that can be seen", field.subject()), "");
        return None;
    }
    Some(name)
}

fn home(table: &mut Table<'_>, learner: &Field<'_>) -> Option<Home> {
    let (path, git) = (table.optional("path"), table.optional("git"));
    let rev_field = table.optional("rev");
    let folder_field = table.optional("folder");
    let rev = rev_field.as_ref().map(|field| field.parse::<RevisionName>(Code::BadName));
    let folder = folder_field.as_ref().map(folder);
    match (path, git) {
        (None, None) => {
            let message = "a learner needs \"path\" or \"git\"";
            learner.report(Code::MissingKey, message, "path = \"FOLDER\", or git = \"https://…\"");
            None
        }
        (Some(_), Some(git)) => {
            let message = "\"git\" has no effect beside \"path\"";
            git.report_key(Code::UselessKey, message, "a workspace is either here or there: remove one");
            None
        }
        (Some(path), None) => {
            if let Some(field) = folder_field {
                let message = "\"folder\" has no effect beside \"path\"";
                field.report_key(Code::UselessKey, message, "let \"path\" lead to the folder itself");
            }
            let text = path.words()?;
            if text.contains('\0') {
                let message = format!("{} is no path: it has a NUL character", path.subject());
                path.report(Code::BadName, message, "");
                return None;
            }
            Some(Home::Folder { path: text.to_owned(), rev: rev.map_or(Some(None), |rev| rev.map(Some))? })
        }
        (None, Some(git)) => Some(Home::Remote {
            url: git.parse(Code::BadRepository)?,
            rev: rev.map_or(Some(None), |rev| rev.map(Some))?,
            folder: folder.unwrap_or_else(|| Some(String::new()))?,
        }),
    }
}

/// A folder that stays in its repository.
fn folder(field: &Field<'_>) -> Option<String> {
    let path = field.words()?;
    let leaves = path.starts_with('/') || path.contains(['\\', '\0']);
    if leaves || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let message = format!("\"{}\" is no folder of the repository", path.escape_debug());
        field.report(Code::BadName, message, "write it from the repository's root: \"work/shop\"");
        return None;
    }
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cohort_is_read_in_its_order() {
        let text = "format = 1\n[cohort]\ntitle = \"Class of 2026\"\nchecklists = [\"must-do\"]\n\
            [[learner]]\nname = \"Ada\"\npath = \"ada\"\n[[learner]]\nname = \"Bo\"\npath = \"bo\"\nrev = \"main\"\n\
            [[learner]]\nname = \" Cy\\u001b[31m\"\ngit = \"https://example.org/cy.git\"\nfolder = \"a/b\"\n";
        let read = read_cohort(&Source::new("class.toml", text));
        assert_eq!(read.diagnostics, []);
        let cohort = read.value.unwrap();
        assert_eq!(cohort.title.as_deref(), Some("Class of 2026"));
        let names: Vec<_> = cohort.learners.iter().map(|learner| &*learner.name).collect();
        assert_eq!(names, ["Ada", "Bo", "Cy"]);
        let rev = Some("main".parse().unwrap());
        assert_eq!(cohort.learners[1].home, Home::Folder { path: "bo".to_owned(), rev });
        let url = "https://example.org/cy.git".parse().unwrap();
        assert_eq!(cohort.learners[2].home, Home::Remote { url, rev: None, folder: "a/b".to_owned() });
    }
}
