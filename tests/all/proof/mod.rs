//! The proof of a shipped plugin: every check against the good reference, every known mistake, every oddity and every trap.
//!
//! A [`Matrix`] says what there is; [`Matrix::prove`] runs it and holds the rules that make a pass mean something:
//! what is good passes everywhere with the full score, what is merely odd passes, a mistake is refused by its own checks and
//! by no other that is not listed with a reason, and a trap passes nowhere. What came out is kept as
//! `docs/proof/PAGE.md`, cell by cell.
//!
//! Rows marked [`Row::slow`] are run by a third each time, chosen by `MUSTDO_MATRIX_SEED` or by chance; with
//! `MUSTDO_FULL_MATRIX=1` all are. `MUSTDO_UPDATE=1` runs all and writes the page anew. `MUSTDO_REPEAT=50` asks
//! only about the good ones of every page, fifty times.

mod examiner;
mod gateway;
mod http_api;
pub(crate) mod http_idempotency;
mod inside;
mod judge;
mod mq_delivery;
mod net;
mod net_process;
mod net_tls;
mod page;
mod peer;
mod program;
mod runtime_probe;
mod seeds;
#[cfg(feature = "live-servers")]
mod served;
mod sql_check;
mod subject;
mod web_security;

use std::{
    any::Any,
    collections::{BTreeSet, HashMap},
    panic::resume_unwind,
    sync::Arc,
    thread,
};

use mustdo::model::Outcome;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

pub(crate) use examiner::{Answer, Examiner};
pub(crate) use peer::{Wrong, expect_nothing_told};
pub(crate) use program::reference;
pub(crate) use subject::Subject;

/// Checks at once, in all tests together. They mostly wait; many more would starve each other's races on a small machine.
pub(crate) static PERMITS: Semaphore = Semaphore::const_new(12);

/// What a plugin is held against, and what must come out.
pub(crate) struct Matrix {
    /// The plugin's id.
    pub(crate) plugin: &'static str,
    /// The page is `docs/proof/PAGE.md`.
    pub(crate) page: &'static str,
    /// What stands above the tables: what the rows are and how they run. Markdown.
    pub(crate) introduction: &'static str,
    /// The questions.
    pub(crate) columns: Vec<Column>,
    /// Whom they are asked about.
    pub(crate) rows: Vec<Row>,
    /// Refusals off the diagonal.
    pub(crate) entangled: Vec<Entangled>,
}

/// One check with the parameters that a learner would bind to it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Unique; the check's name, unless it is asked in several ways.
    pub(crate) label: &'static str,
    /// Its name in the plugin.
    pub(crate) check: &'static str,
    /// Its parameters; those of a [`Subject`] are laid over them.
    pub(crate) params: Value,
    /// Which of the subject's targets the plugin's own target names stand for, where they differ.
    pub(crate) targets: &'static [(&'static str, &'static str)],
}

impl Column {
    /// A check under its own name, with `params`, on targets that are named as the plugin names them.
    pub(crate) fn new(check: &'static str, params: Value) -> Self {
        Self { label: check, check, params, targets: &[] }
    }
}

/// What a row is known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Right in every way: passes with the full score.
    Good,
    /// Right, though it looks strange: passes.
    Odd,
    /// Makes one mistake, which these columns (by label) must not pass.
    Flaw(Vec<&'static str>),
    /// Falls short of a `should`: these columns (by label) pass with less than the full score.
    Weak(Vec<&'static str>),
    /// What a careless check takes for good: passes nowhere.
    Trap,
}

/// What of a refusal its page keeps: as much as is the same in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Whether it is a fail or an inconclusive, and the step that decided.
    Step,
    /// Whether it is a fail or an inconclusive; the step is a matter of the seed.
    Outcome,
    /// That it is a refusal; a busy machine can not tell more.
    Refusal,
}

/// One program, or one variant of it, that the questions are asked about.
pub(crate) struct Row {
    /// Unique.
    pub(crate) name: String,
    /// What is different about it, in a sentence.
    pub(crate) summary: String,
    pub(crate) kind: Kind,
    /// The columns, by label, that make sense for it; all where empty.
    pub(crate) columns: Vec<&'static str>,
    /// Whether it is left out of two runs in three.
    pub(crate) slow: bool,
    /// What of a refusal is the same in every run.
    pub(crate) kept: Kept,
    /// Starts a fresh one: every cell has its own.
    pub(crate) start: Arc<dyn Fn() -> Subject + Send + Sync>,
}

impl Row {
    pub(crate) fn new(
        name: impl Into<String>,
        summary: impl Into<String>,
        kind: Kind,
        start: impl Fn() -> Subject + Send + Sync + 'static,
    ) -> Self {
        let (name, summary) = (name.into(), summary.into());
        Self {
            name,
            summary,
            kind,
            columns: Vec::new(),
            slow: false,
            kept: Kept::Step,
            start: Arc::new(start),
        }
    }

    /// Asked these questions only.
    pub(crate) fn only(self, columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), ..self }
    }

    /// Costs so much that a run takes only a third of such rows.
    pub(crate) fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// What is wrong with it shows in how long it takes: a busy machine can not tell.
    pub(crate) fn depending_on_load(self) -> Self {
        Self { kept: Kept::Refusal, ..self }
    }

    /// Which step sees what is wrong with it depends on the seed.
    pub(crate) fn depending_on_seed(self) -> Self {
        Self { kept: Kept::Outcome, ..self }
    }

    fn is_asked(&self, column: &Column) -> bool {
        self.columns.is_empty() || self.columns.contains(&column.label)
    }
}

/// A refusal by a check that the mistake is not for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entangled {
    pub(crate) row: &'static str,
    pub(crate) column: &'static str,
    /// Why that is right, as the end of a sentence.
    pub(crate) reason: &'static str,
}

/// What one check said about one row, by their places.
struct Cell {
    row: usize,
    column: usize,
    answer: Answer,
}

impl Matrix {
    /// Runs the matrix, or the part of it that is due. Panics with every cell that breaks a rule or differs from the page.
    /// With `MUSTDO_REPEAT=N`, [repeats the good](Self::repeat_the_good) that often instead.
    pub(crate) fn prove(self) {
        self.assert_sound();
        if let Ok(times) = std::env::var("MUSTDO_REPEAT") {
            return self.repeat_the_good(times.parse().unwrap());
        }
        let page = page::Page::open(self.page);
        let due = self.due(page.is_to_be_written());
        let matrix = Arc::new(self);
        let (cells, mut wrong) = ask_all(&matrix, &due);
        wrong.extend(cells.iter().filter_map(|cell| matrix.broken(cell)));
        if wrong.is_empty() {
            wrong = page.differences(&matrix, &cells);
        }
        assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    }

    /// Asks every column that makes sense of the good rows (of the odd ones, where none is good), `times` over, all with fresh
    /// seeds and under the load of each other: no verdict may change. Prints how many there were.
    pub(crate) fn repeat_the_good(self, times: usize) {
        let has = |kind: &Kind| self.rows.iter().any(|row| row.kind == *kind);
        let right = if has(&Kind::Good) { Kind::Good } else { Kind::Odd };
        let rows: Vec<usize> = (0..self.rows.len()).filter(|row| self.rows[*row].kind == right).collect();
        assert!(!rows.is_empty(), "no row is right");
        let matrix = Arc::new(self);
        let due: Vec<usize> = std::iter::repeat_n(rows, times).flatten().collect();
        let (cells, mut wrong) = ask_all(&matrix, &due);
        assert!(cells.len() + wrong.len() > 0, "{}: nothing was asked", matrix.page);
        wrong.extend(cells.iter().filter_map(|cell| matrix.broken(cell)));
        let counts =
            format!("{}, {times} times: {} of {} verdicts changed", matrix.page, wrong.len(), cells.len());
        #[expect(clippy::print_stdout, reason = "how many held is what this is run for")]
        {
            println!("{counts}");
        }
        assert!(wrong.is_empty(), "{counts}:\n{}", wrong.join("\n"));
    }

    /// Names are unique, and every name that is referred to exists.
    fn assert_sound(&self) {
        let columns: BTreeSet<&str> = self.columns.iter().map(|column| column.label).collect();
        assert_eq!(columns.len(), self.columns.len(), "two columns with one label");
        let rows: BTreeSet<&str> = self.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(rows.len(), self.rows.len(), "two rows with one name");
        for row in &self.rows {
            let (Kind::Flaw(named) | Kind::Weak(named)) = &row.kind else { continue };
            assert!(!named.is_empty(), "{}: refused by no column", row.name);
            for label in named.iter().chain(&row.columns) {
                assert!(columns.contains(label), "{}: no column '{label}'", row.name);
            }
            for label in named {
                assert!(
                    row.columns.is_empty() || row.columns.contains(label),
                    "{}: never asked {label}",
                    row.name
                );
            }
        }
        for Entangled { row, column, .. } in &self.entangled {
            assert!(rows.contains(row) && columns.contains(column), "entangled: no cell {row}, {column}");
        }
    }

    /// The rows of this run, by place.
    fn due(&self, all: bool) -> Vec<usize> {
        let all = all || std::env::var_os("MUSTDO_FULL_MATRIX").is_some();
        let given = std::env::var("MUSTDO_MATRIX_SEED").ok();
        let seed = given.map_or_else(|| getrandom::u64().unwrap(), |seed| seed.parse().unwrap());
        let is_due = |place: usize, row: &Row| all || !row.slow || (place as u64 + seed).is_multiple_of(3);
        let due = self.rows.iter().enumerate().filter(|(place, row)| is_due(*place, row));
        let due: Vec<usize> = due.map(|(place, _)| place).collect();
        if due.len() < self.rows.len() {
            let (page, rows) = (self.page, self.rows.len());
            #[expect(clippy::print_stdout, reason = "which rows were run is part of what a failure needs")]
            {
                println!("{page}: {} of {rows} rows, MUSTDO_MATRIX_SEED={seed}", due.len());
            }
        }
        due
    }

    /// The rule that a cell breaks, in words.
    fn broken(&self, cell: &Cell) -> Option<String> {
        let (row, column) = (&self.rows[cell.row], &self.columns[cell.column]);
        let passes = cell.answer.outcome() == Outcome::Pass;
        let is_full = cell.answer.score() >= 1.0;
        let is_entangled =
            self.entangled.iter().any(|known| known.row == row.name && known.column == column.label);
        let wrong = match &row.kind {
            Kind::Good if !passes => Some("the good one must pass"),
            Kind::Good if !is_full => Some("the good one must have the full score"),
            Kind::Odd if !passes => Some("odd, but right: must pass"),
            Kind::Flaw(by) if by.contains(&column.label) => passes.then_some("must not pass"),
            Kind::Weak(by) if by.contains(&column.label) => {
                (!passes || is_full).then_some("must pass with less than the full score")
            }
            Kind::Flaw(_) | Kind::Weak(_) if is_entangled => {
                passes.then_some("is listed as entangled, and passes")
            }
            Kind::Flaw(_) | Kind::Weak(_) if !passes => {
                Some("is none of its business, must pass or be listed")
            }
            Kind::Trap => passes.then_some("a trap must not pass"),
            Kind::Good | Kind::Odd | Kind::Flaw(_) | Kind::Weak(_) => None,
        };
        wrong.map(|wrong| format!("{} asked {}: {wrong}: {}", row.name, column.label, cell.answer))
    }
}

/// Asks everything of the rows at these places, as far as the permits go, each of a fresh subject; on threads of its own, so
/// that the tests that wait for it need no runtime. The cells come in the order of the rows; those that panicked, which
/// mostly are subjects that did not start, come in words.
fn ask_all(matrix: &Arc<Matrix>, rows: &[usize]) -> (Vec<Cell>, Vec<String>) {
    let asked: Vec<(usize, usize)> = rows
        .iter()
        .flat_map(|row| (0..matrix.columns.len()).map(move |column| (*row, column)))
        .filter(|(row, column)| matrix.rows[*row].is_asked(&matrix.columns[*column]))
        .collect();
    let matrix = Arc::clone(matrix);
    let ask = async move {
        let examiner = Arc::new(Examiner::new(matrix.plugin).await);
        let mut running = JoinSet::new();
        let mut names = HashMap::new();
        for (place, (row, column)) in asked.into_iter().enumerate() {
            let name = format!("{} asked {}", matrix.rows[row].name, matrix.columns[column].label);
            let (examiner, matrix) = (Arc::clone(&examiner), Arc::clone(&matrix));
            let handle = running.spawn(async move {
                let _permit = PERMITS.acquire().await.unwrap();
                let start = Arc::clone(&matrix.rows[row].start);
                let subject = tokio::task::spawn_blocking(move || start()).await;
                let subject = subject.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                let answer = examiner.ask(&matrix.columns[column], &subject).await;
                // What keeps it running may wait for its end.
                tokio::task::spawn_blocking(move || drop(subject)).await.unwrap();
                (place, Cell { row, column, answer })
            });
            names.insert(handle.id(), name);
        }
        let (mut cells, mut panicked) = (Vec::new(), Vec::new());
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(cell) => cells.push(cell),
                Err(error) => {
                    let name = &names[&error.id()];
                    panicked.push(format!("{name}: {}", words_of_panic(&*error.into_panic())));
                }
            }
        }
        cells.sort_by_key(|(place, _)| *place);
        (cells.into_iter().map(|(_, cell)| cell).collect(), panicked)
    };
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    thread::spawn(move || runtime().unwrap().block_on(ask)).join().unwrap()
}

fn words_of_panic(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without words")
}
