//! The page that keeps what a matrix showed.

use std::path::PathBuf;

use mustdo::model::Outcome;

use super::{Answer, Cell, Entangled, Kept, Kind, Matrix};

/// Stands where a row is not asked.
const NOT_ASKED: &str = "·";

/// The row that says how long the checks took: another in every run, so it is never compared.
const SECONDS: &str = "seconds, at the good ones";

/// `docs/proof/NAME.md`.
pub(super) struct Page {
    path: PathBuf,
    kept: String,
    is_to_be_written: bool,
}

impl Page {
    pub(super) fn open(name: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/proof").join(name).with_extension("md");
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let is_to_be_written = std::env::var_os("MUSTDO_UPDATE").is_some();
        Self { path, kept, is_to_be_written }
    }

    pub(super) fn is_to_be_written(&self) -> bool {
        self.is_to_be_written
    }

    /// In words, where the page and what was seen differ; nothing once it is written anew. Cells that were not asked this
    /// time are not looked at.
    pub(super) fn differences(&self, matrix: &Matrix, cells: &[Cell]) -> Vec<String> {
        let fresh = render(matrix, cells);
        if self.is_to_be_written {
            std::fs::write(&self.path, fresh).unwrap();
            return Vec::new();
        }
        let is_compared = |line: &&str| !line.starts_with(&format!("| {SECONDS}"));
        let kept: Vec<&str> = self.kept.lines().filter(is_compared).collect();
        let fresh: Vec<&str> = fresh.lines().filter(is_compared).collect();
        let hint = format!("MUSTDO_UPDATE=1 writes {} anew", self.path.display());
        if kept.len() != fresh.len() {
            return vec![format!("the page has {} lines instead of {}: {hint}", kept.len(), fresh.len())];
        }
        let differ = kept.iter().zip(&fresh).filter(|(kept, fresh)| !agree(kept, fresh));
        differ.map(|(kept, fresh)| format!("{hint}:\n  kept {kept}\n  seen {fresh}")).collect()
    }
}

/// Whether two lines say the same, cell by cell; what was not asked in one of them agrees with anything.
fn agree(kept: &str, fresh: &str) -> bool {
    let (kept, fresh): (Vec<_>, Vec<_>) = (kept.split(" | ").collect(), fresh.split(" | ").collect());
    let same = |(kept, fresh): (&&str, &&str)| kept == fresh || fresh.trim_end_matches(" |").is_empty();
    kept.len() == fresh.len() && kept.iter().zip(&fresh).all(same)
}

fn render(matrix: &Matrix, cells: &[Cell]) -> String {
    let mut page = format!("# Proof of `{}`\n\n{}\n", matrix.plugin, matrix.introduction.trim());
    for (title, belongs) in SECTIONS {
        let rows: Vec<usize> =
            (0..matrix.rows.len()).filter(|row| belongs(&matrix.rows[*row].kind)).collect();
        if rows.is_empty() {
            continue;
        }
        let labels: Vec<&str> = matrix.columns.iter().map(|column| column.label).collect();
        page.push_str(&format!("\n## {title}\n\n| what | what is different | {} |\n", labels.join(" | ")));
        page.push_str(&format!("| :-- | :-- |{}\n", " :-- |".repeat(labels.len())));
        for row in &rows {
            page.push_str(&line(matrix, cells, *row));
        }
        if rows.iter().any(|row| matrix.rows[*row].kind == Kind::Good) {
            page.push_str(&seconds(matrix, cells));
        }
    }
    if !matrix.entangled.is_empty() {
        page.push_str("\n## Refused by a check that another mistake is for\n\n");
        for Entangled { row, column, reason } in &matrix.entangled {
            page.push_str(&format!("- `{row}` by `{column}`: {reason}.\n"));
        }
    }
    page
}

type Belongs = fn(&Kind) -> bool;

const SECTIONS: [(&str, Belongs); 3] = [
    ("Known mistakes", |kind| matches!(kind, Kind::Flaw(_) | Kind::Weak(_))),
    ("Traps: what a careless check takes for good", |kind| *kind == Kind::Trap),
    ("Good ones, plain and odd", |kind| matches!(kind, Kind::Good | Kind::Odd)),
];

/// A row; a cell that was not asked this time is empty.
fn line(matrix: &Matrix, cells: &[Cell], place: usize) -> String {
    let row = &matrix.rows[place];
    let mut marks = Vec::new();
    for (column, asked) in matrix.columns.iter().enumerate() {
        let cell = cells.iter().find(|cell| (cell.row, cell.column) == (place, column));
        marks.push(match cell {
            Some(cell) => mark(&cell.answer, row.kept),
            None if row.is_asked(asked) => String::new(),
            None => NOT_ASKED.to_owned(),
        });
    }
    format!("| `{}` | {} | {} |\n", row.name, row.summary.replace('|', "\\|"), marks.join(" | "))
}

/// What was concluded, at which step, and the score where it is not full; as much of it as is `kept`.
fn mark(answer: &Answer, kept: Kept) -> String {
    let sign = match answer.outcome() {
        Outcome::Pass if answer.score() < 1.0 => return format!("✔ {:.0}%", answer.score() * 100.0),
        Outcome::Pass => return "✔".to_owned(),
        Outcome::Fail => "✘",
        Outcome::Inconclusive | Outcome::Skip | Outcome::Flaky => "?",
    };
    match (kept, answer.decisive()) {
        (Kept::Refusal, _) => "✘ or ?".to_owned(),
        (Kept::Step, Some(step)) => format!("{sign} `{step}`"),
        (Kept::Outcome, _) | (Kept::Step, None) => sign.to_owned(),
    }
}

fn seconds(matrix: &Matrix, cells: &[Cell]) -> String {
    let longest = |column: usize| {
        let good = |cell: &&Cell| cell.column == column && matrix.rows[cell.row].kind == Kind::Good;
        let seconds = cells.iter().filter(good).map(|cell| cell.answer.elapsed.as_secs_f64());
        format!("{:.1}", seconds.fold(0.0, f64::max))
    };
    let seconds: Vec<String> = (0..matrix.columns.len()).map(longest).collect();
    format!("| {SECONDS} | | {} |\n", seconds.join(" | "))
}
