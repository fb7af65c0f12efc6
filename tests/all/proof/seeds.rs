//! The same questions with very many seeds: a refusal that depends on what the seed happens to draw is a pass for somebody.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use mustdo_plugin::{
    Context, Host, Plugin,
    verdict::{Need, Status, Verdict},
};

use super::Column;

/// How many seeds, where `MUSTDO_SEEDS` does not say.
pub(super) fn count(usual: u64) -> u64 {
    let given = std::env::var("MUSTDO_SEEDS").ok();
    given.map_or(usual, |given| given.parse().unwrap())
}

/// One question about one program.
pub(super) struct Question {
    /// Whom it is about.
    pub(super) row: &'static str,
    pub(super) column: Column,
    /// Whether it must pass; else it must not.
    pub(super) is_right: bool,
    /// How many seeds it is asked with.
    pub(super) seeds: u64,
}

/// What came of a question: verdicts that are as they must be, by what decided; and seeds of those that are not.
#[derive(Default)]
struct Came {
    decided: BTreeMap<String, u64>,
    wrong: Vec<(u64, String)>,
}

/// Asks every question with its seeds, on as many threads as there are processors. Panics where one verdict is not as it
/// must be; prints how many there were of each.
pub(super) fn ask<H: Host>(
    plugin: impl Fn() -> Plugin + Sync,
    questions: &[Question],
    host: impl Fn(&Question) -> H + Sync,
) {
    let first = getrandom::u64().unwrap() >> 16;
    let asked: Vec<(usize, u64)> = questions
        .iter()
        .enumerate()
        .flat_map(|(place, question)| (0..question.seeds).map(move |seed| (place, first + seed)))
        .collect();
    let next = AtomicUsize::new(0);
    let came: Mutex<BTreeMap<usize, Came>> = Mutex::default();
    let work = || {
        let plugin = plugin();
        while let Some((place, seed)) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
            let question = &questions[*place];
            let host = host(question);
            let params = question.column.params.to_string();
            let verdict = plugin
                .run(question.column.check, &params, &mut Context::new(&host, Vec::new(), *seed))
                .unwrap();
            let mut came = came.lock().unwrap();
            let came = came.entry(*place).or_default();
            if (verdict.status == Status::Pass) == question.is_right {
                *came.decided.entry(decided(&verdict)).or_default() += 1;
            } else {
                came.wrong.push((*seed, decided(&verdict)));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(work);
        }
    });
    let came = came.into_inner().unwrap();
    let mut told = String::new();
    for (place, came) in &came {
        let Question { row, column, seeds, .. } = &questions[*place];
        let decided: Vec<String> =
            came.decided.iter().map(|(step, count)| format!("{count} {step}")).collect();
        write!(told, "{row} asked {}, {seeds} seeds: {}", column.label, decided.join(", ")).unwrap();
        if let Some((seed, decided)) = came.wrong.first() {
            write!(told, "; WRONG {} times, as with seed {seed}: {decided}", came.wrong.len()).unwrap();
        }
        told.push('\n');
    }
    #[expect(clippy::print_stdout, reason = "how often what decided is what this is run for")]
    {
        print!("{told}");
    }
    assert!(came.values().all(|came| came.wrong.is_empty()), "the seed decided:\n{told}");
}

/// The verdict, and the step that decided it.
fn decided(verdict: &Verdict) -> String {
    let step = verdict.steps.iter().find(|step| step.need == Need::Must && step.status == verdict.status);
    match verdict.status {
        Status::Pass => "✔".to_owned(),
        Status::Fail => format!("✘ {}", step.map_or("", |step| &step.id)),
        Status::Inconclusive | Status::Skip => {
            format!("? {} ({})", step.map_or("", |step| &step.id), verdict.summary.en)
        }
    }
}
