//! The report as GitHub-flavoured Markdown, for a job summary or a comment.

use std::fmt::Write as _;

use super::View;
use super::bar::bar;
use super::note::{self, Line, Note};
use super::paint::symbol;
use super::phrase;
use super::tree::{Report, Row, Section};
use super::why;
use super::word::{self, Word};
use crate::model::{Language, Status, Tally};

/// The report; `view` says its language and whether every item is listed.
pub(super) fn markdown(report: &Report, view: View) -> String {
    let Report {
        version,
        generated: _,
        workspace: _,
        revision: _,
        narrowed: _,
        sections,
        total,
        policy: _,
        judgement: _,
        soft: _,
        files: _,
        past: _,
    } = report;
    let View { language, color: _, width: _, items, why } = view;
    let mut text = String::from("## mustdo\n\n");
    let subject = phrase::subject(report, language);
    paragraph(&mut text, &escape(&[&[format!("mustdo {version}")], &subject[..]].concat().join(" · ")));
    if sections.is_empty() {
        paragraph(&mut text, phrase::nothing(language));
        return text;
    }
    summary(&mut text, sections, total, language);
    if items || why {
        for section in sections {
            item_table(&mut text, section, report, why, language);
        }
    }
    for note in note::notes(report, language) {
        write_note(&mut text, &note);
    }
    write_note(&mut text, &note::policy(report, language));
    text.push_str(&escape(&phrase::totals(total, language)));
    text.push('\n');
    text
}

fn paragraph(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\n\n");
}

/// One row of a table; the cells are Markdown already.
pub(super) fn row(text: &mut String, cells: &[String]) {
    text.push_str("| ");
    text.push_str(&cells.join(" | "));
    text.push_str(" |\n");
}

fn summary(text: &mut String, sections: &[Section], total: &Tally, language: Language) {
    let status = |status| word::status(status, language);
    let mut words: Vec<_> =
        [Word::Checklist, Word::Readiness, Word::Items].map(|word| word.get(language)).to_vec();
    words.extend([Status::Proven, Status::Claimed, Status::Failing, Status::Stale].map(status));
    words.push(Word::Inconclusive.get(language));
    let unbound = total.unbound > 0;
    words.extend(unbound.then(|| Word::NotBound.get(language)));
    row(text, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let rule = (0..words.len()).map(|column| if column < 2 { ":--" } else { "--:" }.to_owned());
    row(text, &rule.collect::<Vec<_>>());
    for section in sections {
        let title = format!("**{}**", escape(section.title.get(language)));
        row(text, &summary_row(&title, &section.tally, unbound));
        for (depth, heading) in section.telling() {
            let indent = "&emsp;".repeat(depth + 1);
            let title = format!("{indent}{}", escape(heading.title.get(language)));
            row(text, &summary_row(&title, &heading.tally, unbound));
        }
    }
    if sections.len() > 1 {
        row(text, &summary_row(&format!("**{}**", Word::Total.get(language)), total, unbound));
    }
    text.push('\n');
}

fn summary_row(title: &str, tally: &Tally, unbound: bool) -> Vec<String> {
    let readiness = format!("{} {}", bar(tally, 10, false), phrase::percent(tally.readiness()));
    let mut cells = vec![title.to_owned(), readiness];
    let counts = [tally.items, tally.proven, tally.claimed, tally.failing, tally.stale, tally.inconclusive];
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend(unbound.then(|| tally.unbound.to_string()));
    cells
}

fn item_table(text: &mut String, section: &Section, report: &Report, why: bool, language: Language) {
    paragraph(text, &format!("### {}", escape(section.title.get(language))));
    let words =
        [Word::Status, Word::Item, Word::Level, Word::Weight].map(|word| word.get(language).to_owned());
    row(text, &words);
    row(text, &[":--", ":--", ":--", "--:"].map(str::to_owned));
    for item in section.rows() {
        row(text, &item_row(item, report, why, language));
    }
    text.push('\n');
}

fn item_row(item: &Row, report: &Report, why: bool, language: Language) -> [String; 4] {
    let status = item.standing.status;
    let mut lines = vec![format!("`{}` {}", item.id, escape(item.title.get(language)))];
    let mut details = note::details(item, report.generated, language);
    if why {
        details.extend(why::why(item, language));
    }
    lines.extend(details.iter().map(|(_, detail)| format!("<sub>{}</sub>", escape(detail))));
    [
        format!("{} {}", symbol(status), word::status(status, language)),
        lines.join("<br>"),
        word::level(item.level, language).to_owned(),
        item.weight.get().to_string(),
    ]
}

fn write_note(text: &mut String, note: &Note) {
    let Note { title, entries, advice } = note;
    paragraph(text, &format!("### {}", escape(title)));
    for entry in entries {
        let name = if entry.name.is_empty() { String::new() } else { format!("`{}` ", entry.name) };
        let _written = writeln!(text, "- {} {name}{}", entry.symbol, escape(&entry.title));
        for line in &entry.lines {
            match line {
                Line::Text(line) => bullet(text, &escape(line)),
                Line::Advice(line) => bullet(text, &format!("→ {}", escape(line))),
                Line::Code(lines) => {
                    let (code, fence) = (lines.join("\n    "), fence(lines));
                    let _written = write!(text, "\n    {fence}toml\n    {code}\n    {fence}\n");
                }
            }
        }
    }
    text.push('\n');
    if let Some(advice) = advice {
        paragraph(text, &format!("→ {}", escape(advice)));
    }
}

/// A fence that nothing in `lines` closes: longer than every run of backticks there (`CommonMark` 0.31.2, 4.5).
fn fence(lines: &[String]) -> String {
    let runs = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len);
    "`".repeat(runs.max().unwrap_or_default().max(2) + 1)
}

fn bullet(text: &mut String, line: &str) {
    text.push_str("  - ");
    text.push_str(line);
    text.push('\n');
}

/// `text` so that it reads as it is written: no markup, no HTML, no end of a table cell, no mention of a person.
///
/// ASCII punctuation may be escaped with a backslash (`CommonMark` 0.31.2, section 2.4); `<`, `>` and `&` become character
/// references (section 2.5), which holds for readers that look for HTML only. A space of no width after `@` keeps a comment from calling whoever has that name.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("@&#8203;"),
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '~' | '$' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_can_not_close_its_own_fence() {
        let fence = |lines: &[&str]| fence(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>());
        assert_eq!(fence(&["a = 1"]), "```");
        assert_eq!(fence(&["a", "````", "# head"]), "`````");
    }

    use crate::report::sample::{self, View};

    #[test]
    fn markup_in_text_is_shown_and_not_obeyed() {
        assert_eq!(
            escape("a|b `c` <script> *x* [l](u) @you & $1$"),
            "a\\|b \\`c\\` &lt;script&gt; \\*x\\* \\[l\\](u) @&#8203;you &amp; \\$1\\$"
        );
    }

    #[test]
    fn every_row_of_a_table_has_the_cells_of_its_heading() {
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        let text = markdown(&sample::hostile(), View { items: true, ..sample::VIEW });
        let mut heading = None;
        let mut rows = 0;
        for line in text.lines() {
            if line.starts_with('|') {
                let cells = *heading.get_or_insert(bars(line));
                assert_eq!(bars(line), cells, "{line}");
                rows += 1;
            } else {
                heading = None;
            }
        }
        assert!(rows > 6);
    }

    #[test]
    fn markdown_reads_like_the_table() {
        for language in Language::ALL {
            for items in [false, true] {
                let view = View { language, items, ..sample::VIEW };
                let name = format!("markdown-{language}-{}", if items { "items" } else { "summary" });
                insta::assert_snapshot!(name, markdown(&sample::mixed(), view));
            }
        }
        insta::assert_snapshot!(
            "markdown-hostile",
            markdown(&sample::hostile(), View { items: true, ..sample::VIEW })
        );
    }
}
