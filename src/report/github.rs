//! Annotations for GitHub Actions: workflow commands, a line each.
//!
//! "Workflow commands for GitHub Actions" in GitHub's documentation: `::error file=F,line=N,title=T::message`. GitHub shows
//! ten errors and ten warnings of a step, so what matters most comes first.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::annotation::{Annotation, annotations};
use super::gate;
use super::phrase;
use super::place::Place;
use super::tree::Report;
use crate::model::{Language, Severity, Status};

/// The commands, in `language`: what the checks saw, what could not be told, and how the policy was judged.
pub(super) fn github(report: &Report, language: Language) -> String {
    let mut text = String::new();
    let judgement = &report.judgement;
    for violation in &judgement.violations {
        let (words, advice) = gate::violation(violation, language);
        write(&mut text, "error", None, "mustdo", &format!("{words}\n{advice}"));
    }
    if !judgement.undecided.is_empty() {
        let (words, advice) = gate::undecided(&judgement.undecided, language);
        write(&mut text, "error", None, "mustdo", &format!("{words}\n{advice}"));
    }
    if report.soft && !judgement.holds() {
        write(&mut text, "warning", None, "mustdo", &gate::soft_line(judgement, language));
    }
    let mut seen = annotations(report, language);
    // The sort is stable: the order of the report stays among equals.
    seen.sort_by_key(|annotation| (std::cmp::Reverse(annotation.severity), !annotation.is_urgent()));
    for annotation in &seen {
        annotate(&mut text, annotation, language);
    }
    for row in report.rows().filter(|row| row.standing.status != Status::Waived) {
        for check in &row.checks {
            let Some(record) = &check.undecided else { continue };
            let words = phrase::attempt(&check.id, record, language);
            let place = Place::of_item(report, row);
            write(&mut text, "warning", place.as_ref(), row.title.get(language), &words);
        }
    }
    for told in judgement.compared.iter().flat_map(|compared| gate::compared(compared, language)) {
        write(&mut text, "notice", None, "mustdo", &told);
    }
    write(&mut text, "notice", None, "mustdo", &phrase::totals(&report.total, language));
    text
}

fn annotate(text: &mut String, annotation: &Annotation, language: Language) {
    let command = match annotation.severity {
        Severity::Problem => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut message = format!("{}: {}", annotation.row.id, annotation.message);
    if let Some(hint) = &annotation.hint {
        let _written = write!(message, "\n{hint}");
    }
    write(text, command, annotation.place.as_ref(), annotation.row.title.get(language), &message);
}

fn write(text: &mut String, command: &str, place: Option<&Place>, title: &str, message: &str) {
    let mut properties = vec![];
    if let Some(Place { path, line, column, end_line, end_column }) = place {
        properties.push(format!("file={}", property(path)));
        properties.push(format!("line={line}"));
        // Columns count on one line only.
        if end_line.is_none_or(|end| end == *line) {
            properties.extend(column.map(|column| format!("col={column}")));
            properties.extend(end_column.map(|column| format!("endColumn={column}")));
        }
        properties.extend(end_line.map(|end| format!("endLine={end}")));
    }
    properties.push(format!("title={}", property(title)));
    let _written = writeln!(text, "::{command} {}::{}", properties.join(","), data(message));
}

/// The message of a command: a line break would end it.
fn data(text: &str) -> Cow<'_, str> {
    escaped(text, &['%', '\r', '\n'])
}

/// The value of a property: a comma would end it, and two colons the properties.
fn property(text: &str) -> Cow<'_, str> {
    escaped(text, &['%', '\r', '\n', ':', ','])
}

/// `text` with `these`, all ASCII, as "%" and two hexadecimal digits.
fn escaped<'a>(text: &'a str, these: &[char]) -> Cow<'a, str> {
    if !text.contains(these) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if these.contains(&c) {
            let _written = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_line_is_one_command_whatever_the_text_says() {
        for report in sample::all() {
            for language in Language::ALL {
                for line in github(&report, language).lines() {
                    let (head, _) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
                    let (command, properties) = head.split_once(' ').unwrap();
                    assert!(["error", "warning", "notice"].contains(&command), "{line}");
                    for property in properties.split(',') {
                        let (name, value) = property.split_once('=').unwrap();
                        assert!(
                            ["file", "line", "endLine", "col", "endColumn", "title"].contains(&name),
                            "{line}"
                        );
                        assert!(!value.contains(':'), "{line}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("100% a\r\nb, c: d"), "100%25 a%0D%0Ab, c: d");
        assert_eq!(property("a,b::c%"), "a%2Cb%3A%3Ac%25");
    }

    #[test]
    fn annotations_stand_on_the_line_they_are_about() {
        insta::assert_snapshot!("github", github(&sample::placed(), Language::En));
    }
}
