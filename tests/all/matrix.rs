//! Every check against the good shop, every known mistake and every harmless oddity: the proof that a pass means
//! something. What comes out is kept as `docs/proof.md`; `MUSTDO_UPDATE=1` writes that page anew.

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use mustdo::{
    model::Outcome,
    reference::{Flaw, Options, Quirk, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    durable,
    examiner::{Answer, Examiner, Question, SLOW},
};

/// The columns of the matrix.
const COLUMNS: [Question; 5] = [
    Question::RepeatEffect,
    Question::DoubleSubmit,
    Question::FormToken,
    Question::SafeGet,
    Question::KeyProtocol,
];

/// Checks at once, in all tests together. They mostly wait; many more would starve each other's races on a small machine.
static PERMITS: Semaphore = Semaphore::const_new(12);

/// Refusals beside those of [`Flaw::refused_by`], each with its reason.
const ENTANGLED: &[(Flaw, Question, &str)] = &[(
    Flaw::GetCreates,
    Question::RepeatEffect,
    "the check looks at the row that it has deleted, and looking makes it again",
)];

/// Where the page is kept.
const PAGE: &str = "docs/proof.md";

/// What each column must say about a service with this flaw. A pass off the diagonal matters as much as a fail on it.
fn expected(flaw: Flaw) -> [Outcome; COLUMNS.len()] {
    use Outcome::{Fail, Inconclusive, Pass};
    match flaw {
        Flaw::PutAppends | Flaw::PutCounts | Flaw::DeleteTakesNext | Flaw::DeleteTwiceFails => {
            [Fail, Pass, Pass, Pass, Pass]
        }
        Flaw::CheckThenInsert
        | Flaw::BrowserOnly
        | Flaw::TokenAfterWork
        | Flaw::LockPerProcess
        | Flaw::DedupeByBody => [Pass, Fail, Fail, Pass, Fail],
        // Nothing was ever accepted, so nothing can be said of a second time.
        Flaw::ConflictToAll => [Pass, Inconclusive, Inconclusive, Pass, Inconclusive],
        Flaw::GetLogsOut | Flaw::GetDeletes | Flaw::HeadRunsPost => [Pass, Pass, Pass, Fail, Pass],
        Flaw::GetCreates => [Fail, Pass, Pass, Fail, Pass],
        Flaw::ReuseReplays | Flaw::SharedKeys => [Pass, Pass, Pass, Pass, Fail],
        // What only a crash shows is not seen without one; see `crashed`.
        Flaw::ReuseAnswers417 | Flaw::KeyBeforeEffect | Flaw::EffectBeforeKey | Flaw::KeysInMemory => {
            [Pass; 5]
        }
        Flaw::AlwaysFails => [Fail; 5],
        Flaw::AlwaysMissing
        | Flaw::ConstantPage
        | Flaw::FrozenLists
        | Flaw::LaggingLists
        | Flaw::RandomBodies
        | Flaw::StoresNothing
        | Flaw::NeverAnswers
        | Flaw::AnswersLate
        | Flaw::AlwaysUnauthorized
        | Flaw::AlwaysUnsupported
        | Flaw::TooManyRequests
        | Flaw::Garbage => [Inconclusive; 5],
    }
}

/// One service to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Good,
    Flawed(Flaw),
    Odd(Quirk),
}

impl Variant {
    fn all() -> impl Iterator<Item = Self> {
        let flaws = Flaw::ALL.iter().copied().map(Self::Flawed);
        let quirks = Quirk::ALL.iter().copied().map(Self::Odd);
        std::iter::once(Self::Good).chain(flaws).chain(quirks)
    }

    /// Whether it differs from the good one only after it was killed and started again: such ones have a table of
    /// their own.
    fn needs_a_crash(self) -> bool {
        match self {
            Self::Good => false,
            Self::Flawed(flaw) => flaw.needs_a_crash(),
            Self::Odd(quirk) => quirk.needs_a_crash(),
        }
    }

    fn options(self) -> Options {
        let good = Options { slow: SLOW, ..Options::default() };
        match self {
            Self::Good => good,
            Self::Flawed(flaw) => Options { flaw: Some(flaw), ..good },
            Self::Odd(quirk) => Options { quirk: Some(quirk), ..good },
        }
    }

    fn expected(self) -> [Outcome; COLUMNS.len()] {
        match self {
            Self::Good | Self::Odd(_) => [Outcome::Pass; 5],
            Self::Flawed(flaw) => expected(flaw),
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Good => "The good shop.",
            Self::Flawed(flaw) => flaw.summary(),
            Self::Odd(quirk) => quirk.summary(),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => formatter.pad("good"),
            Self::Flawed(flaw) => flaw.fmt(formatter),
            Self::Odd(quirk) => quirk.fmt(formatter),
        }
    }
}

/// What one check said about one service.
struct Cell {
    variant: Variant,
    question: Question,
    answer: Answer,
}

impl Cell {
    /// The cell of the page: what was concluded, at which step, and the score where it is not full.
    fn mark(&self) -> String {
        let step = self.answer.decisive().map(|step| format!(" `{step}`")).unwrap_or_default();
        match self.answer.outcome() {
            Outcome::Pass if self.answer.score() < 1.0 => {
                format!("✔ {:.0}%", self.answer.score() * 100.0)
            }
            Outcome::Pass => "✔".to_owned(),
            Outcome::Fail => format!("✘{step}"),
            Outcome::Inconclusive | Outcome::Skip => format!("?{step}"),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} asked {:?}: {}", self.variant, self.question, self.answer)
    }
}

/// Asks everything at once, as far as the permits go, each of a fresh service; on threads of its own, so that the tests
/// that wait for it need no runtime. The cells come in the order asked.
fn ask_all(asked: Vec<(Variant, Question)>) -> Vec<Cell> {
    let ask = async |asked: Vec<(Variant, Question)>| {
        let examiner = Arc::new(Examiner::new().await);
        let mut running = JoinSet::new();
        for (place, (variant, question)) in asked.into_iter().enumerate() {
            let examiner = Arc::clone(&examiner);
            running.spawn(async move {
                let _permit = PERMITS.acquire().await.unwrap();
                let address = ([127, 0, 0, 1], 0).into();
                let service = Service::bind(variant.options(), address).unwrap().spawn();
                let answer = examiner.ask(question, service.address()).await;
                (place, Cell { variant, question, answer })
            });
        }
        in_order(running.join_all().await)
    };
    on_threads_of_its_own(move || ask(asked))
}

/// The whole matrix, row by row; the tests share one run.
static MATRIX: LazyLock<Vec<Cell>> = LazyLock::new(|| {
    let variants = Variant::all().filter(|variant| !variant.needs_a_crash());
    ask_all(variants.flat_map(|variant| COLUMNS.map(|column| (variant, column))).collect())
});

/// What `key-protocol` says about services that run as processes of their own on data that they keep, and that it may
/// kill: the good one and those that differ from it only after a crash.
static CRASHED: LazyLock<Vec<Cell>> = LazyLock::new(|| {
    let ask = async || {
        let examiner = Arc::new(Examiner::new().await);
        let mut running = JoinSet::new();
        let variants = Variant::all().filter(|variant| *variant == Variant::Good || variant.needs_a_crash());
        for (place, variant) in variants.enumerate() {
            let examiner = Arc::clone(&examiner);
            running.spawn(async move {
                let _permit = PERMITS.acquire().await.unwrap();
                let folder = tempfile::tempdir().unwrap();
                let Options { flaw, quirk, slow: _ } = variant.options();
                let target = durable::target(flaw, quirk, folder.path());
                let question = Question::KeyProtocol;
                (place, Cell { variant, question, answer: examiner.ask_and_kill(question, &target).await })
            });
        }
        in_order(running.join_all().await)
    };
    on_threads_of_its_own(ask)
});

fn in_order(mut cells: Vec<(usize, Cell)>) -> Vec<Cell> {
    cells.sort_by_key(|(place, _)| *place);
    cells.into_iter().map(|(_, cell)| cell).collect()
}

fn on_threads_of_its_own<Asked: Future<Output = Vec<Cell>>>(
    ask: impl FnOnce() -> Asked + Send + 'static,
) -> Vec<Cell> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    thread::spawn(move || runtime().unwrap().block_on(ask())).join().unwrap()
}

/// The cells that a rule is broken in, in words.
fn broken(rule: impl Fn(&Cell) -> bool) -> Vec<String> {
    MATRIX.iter().filter(|cell| !rule(cell)).map(ToString::to_string).collect()
}

fn is_entangled(cell: &Cell) -> bool {
    ENTANGLED
        .iter()
        .any(|(flaw, question, _)| cell.variant == Variant::Flawed(*flaw) && cell.question == *question)
}

#[test]
fn every_cell_is_as_expected() {
    let wrong = broken(|cell| {
        let expected = COLUMNS.iter().zip(cell.variant.expected());
        expected
            .into_iter()
            .any(|(column, outcome)| (*column, outcome) == (cell.question, cell.answer.outcome()))
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_good_shop_has_the_full_score_and_every_odd_one_passes() {
    let wrong = broken(|cell| match cell.variant {
        Variant::Good => cell.answer.outcome() == Outcome::Pass && cell.answer.score() >= 1.0,
        Variant::Odd(_) => cell.answer.outcome() == Outcome::Pass,
        Variant::Flawed(_) => true,
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_check_refuses_its_own_mistakes_and_no_others() {
    let wrong = broken(|cell| {
        let Variant::Flawed(flaw) = cell.variant else { return true };
        let is_its_own = flaw.refused_by().contains(&cell.question.check());
        let passes = cell.answer.outcome() == Outcome::Pass;
        match (is_its_own, flaw.breaks_only_a_should()) {
            (true, false) => !passes,
            // In the score only, unless the check is strict.
            (true, true) => passes && cell.answer.score() < 1.0,
            (false, _) => passes != is_entangled(cell),
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_trap_passes_any_check() {
    let wrong = broken(|cell| {
        !cell.variant.to_string().starts_with("trap/") || cell.answer.outcome() != Outcome::Pass
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_strict_check_refuses_what_costs_score_only() {
    let weak = Flaw::ALL.iter().filter(|flaw| flaw.breaks_only_a_should()).map(|flaw| Variant::Flawed(*flaw));
    let asked = weak.chain([Variant::Good]).map(|variant| (variant, Question::StrictKeyProtocol));
    let cells = ask_all(asked.collect());
    assert_eq!(cells.len(), 2);
    for cell in cells {
        let expected = if cell.variant == Variant::Good { Outcome::Pass } else { Outcome::Fail };
        assert_eq!(cell.answer.outcome(), expected, "{cell}");
    }
}

#[test]
fn all_twenty_three_known_mistakes_are_refused() {
    let is_known = |flaw: &Flaw| {
        matches!(flaw, Flaw::AlwaysFails | Flaw::ConstantPage) || !flaw.name().starts_with("trap/")
    };
    let is_refused = |flaw: &Flaw| {
        let by_one = |cell: &Cell| {
            cell.variant == Variant::Flawed(*flaw)
                && flaw.refused_by().contains(&cell.question.check())
                && cell.answer.outcome() != Outcome::Pass
        };
        flaw.breaks_only_a_should() || MATRIX.iter().chain(CRASHED.iter()).any(by_one)
    };
    let known: Vec<_> = Flaw::ALL.iter().filter(|flaw| is_known(flaw)).collect();
    assert_eq!(known.len(), 23);
    assert!(known.iter().all(|flaw| is_refused(flaw)));
}

#[test]
fn a_crash_shows_what_nothing_else_does() {
    let wrong = CRASHED.iter().filter(|cell| match cell.variant {
        Variant::Flawed(_) => {
            cell.answer.outcome() != Outcome::Fail || cell.answer.decisive() != Some("crash-restart")
        }
        Variant::Good => cell.answer.outcome() != Outcome::Pass || cell.answer.score() < 1.0,
        Variant::Odd(_) => cell.answer.outcome() != Outcome::Pass,
    });
    let wrong: Vec<_> = wrong.map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(CRASHED.len(), 5);
}

#[test]
fn without_the_permission_the_crash_is_left_out_in_words() {
    let cells = ask_all(vec![(Variant::Good, Question::KeyProtocol)]);
    let step = cells[0].answer.verdict.steps.iter().find(|step| step.id == "crash-restart").unwrap();
    assert_eq!(step.outcome, Outcome::Skip);
    assert!(step.summary.en.contains("mustdo grant http-idempotency process:web"), "{}", step.summary.en);
    assert!(step.summary.zh.contains("mustdo grant http-idempotency process:web"), "{}", step.summary.zh);
}

#[test]
fn no_verdict_depends_on_the_seed_or_on_what_else_runs() {
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.extend(COLUMNS.map(|column| (Variant::Good, column)));
        // The load beside it: submissions that really race, a session, a view that lags.
        asked.extend([
            (Variant::Flawed(Flaw::LockPerProcess), Question::DoubleSubmit),
            (Variant::Flawed(Flaw::TokenAfterWork), Question::FormToken),
            (Variant::Flawed(Flaw::GetLogsOut), Question::SafeGet),
            (Variant::Flawed(Flaw::LaggingLists), Question::RepeatEffect),
        ]);
    }
    let cells = ask_all(asked);
    assert_eq!(cells.len(), 90);
    let wrong = cells.iter().filter(|cell| {
        let column = COLUMNS.iter().position(|column| *column == cell.question).unwrap();
        cell.variant.expected()[column] != cell.answer.outcome()
    });
    let wrong: Vec<_> = wrong.map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Asks everything about an address where no web service is; nothing can be told, soon, and in these words.
async fn expect_nothing_told(address: SocketAddr, within: Duration, words: [&str; 2]) {
    let examiner = Arc::new(Examiner::new().await);
    let mut running = JoinSet::new();
    for question in COLUMNS {
        let examiner = Arc::clone(&examiner);
        running.spawn(async move { (question, examiner.ask(question, address).await) });
    }
    for (question, answer) in running.join_all().await {
        assert_eq!(answer.outcome(), Outcome::Inconclusive, "{question:?}: {answer}");
        assert!(answer.elapsed < within, "{question:?}: {answer}");
        let summary = &answer.verdict.summary;
        assert!(summary.en.contains(words[0]), "{question:?}: {}", summary.en);
        assert!(summary.zh.contains(words[1]), "{question:?}: {}", summary.zh);
    }
}

#[tokio::test]
async fn at_a_closed_port_nothing_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    expect_nothing_told(address, Duration::from_secs(2), ["is it running", "启动了吗"]).await;
}

#[tokio::test]
async fn at_a_port_that_says_nothing_nothing_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            taken.push(stream);
        }
    });
    expect_nothing_told(address, Duration::from_secs(12), ["did not answer in time", "没有按时回应"]).await;
    silent.abort();
}

#[tokio::test]
async fn at_a_server_of_another_protocol_nothing_is_told() {
    for banner in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail ESMTP\r\n\r\n",
        "-ERR unknown command 'GET'\r\n",
        "\x15\x03\x01\0\x02\x02\x0a",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut taken = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                taken.spawn(async move {
                    // A peer that has hung up is no business of this server's.
                    let _ = stream.read(&mut [0; 1024]).await;
                    let _ = stream.write_all(banner.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        expect_nothing_told(
            address,
            Duration::from_secs(2),
            ["does not speak proper HTTP", "不是正常的 HTTP"],
        )
        .await;
        server.abort();
    }
}

/// The page: what the matrix shows, for people.
fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    for (title, belongs) in SECTIONS {
        page.push_str(&format!("\n## {title}\n\n"));
        page.push_str("| service | what is different | repeat-effect | double-submit, key in a header | double-submit, token in the form | safe-get | key-protocol |\n");
        page.push_str("| :-- | :-- | :-- | :-- | :-- | :-- | :-- |\n");
        for variant in Variant::all().filter(|variant| belongs(*variant) && !variant.needs_a_crash()) {
            let cells = MATRIX.iter().filter(|cell| cell.variant == variant);
            let marks = cells.map(Cell::mark).collect::<Vec<_>>().join(" | ");
            page.push_str(&format!("| `{variant}` | {} | {marks} |\n", variant.summary()));
        }
    }
    page.push_str(KILLED);
    for cell in CRASHED.iter() {
        page.push_str(&format!("| `{}` | {} | {} |\n", cell.variant, cell.variant.summary(), cell.mark()));
    }
    page.push_str("\n## Refused by a check that another mistake is for\n\n");
    for (flaw, question, reason) in ENTANGLED {
        page.push_str(&format!("- `{flaw}` by `{}`: {reason}.\n", question.check()));
    }
    page
}

type Belongs = fn(Variant) -> bool;

const SECTIONS: [(&str, Belongs); 3] = [
    (
        "Known mistakes",
        |variant| matches!(variant, Variant::Flawed(flaw) if !flaw.name().starts_with("trap/")),
    ),
    (
        "Traps: services that a careless check takes for good ones",
        |variant| matches!(variant, Variant::Flawed(flaw) if flaw.name().starts_with("trap/")),
    ),
    ("Good services, plain and odd", |variant| !matches!(variant, Variant::Flawed(_))),
];

/// The head of the table of services that are killed.
const KILLED: &str = "
## Killed and started again

These run as processes of their own and keep their rows on the disk. `key-protocol` may kill them here: it sends the
operation, kills the service (SIGKILL) at a moment of it, starts it again and retries, several times. Without that permission
the step is skipped, and these mistakes are not seen.

| service | what is different | key-protocol |
| :-- | :-- | :-- |
";

const INTRODUCTION: &str = "\
# Proof

A check that passes everybody proves nothing, and one that fails a right service is worse than none. So every shipped
check is held against the reference shop: the good one, one with each known mistake, and good ones that merely look odd.
Each cell below is one run of the embedded plugin in the real host against a service of its own, with a fresh seed; the
page is a snapshot of the test `matrix`, which also holds the rules behind it: a check refuses its own mistakes, passes
what is not its business, passes everything that is right, and never passes a trap.

✔ is a pass, with the score where a `should` was missed; ✘ is a fail and ? means that it could not be told, both with
the step that decided. Neither of the two earns an item, so both refuse a mistake: a service that answers 401 to everything
was not shown to be wrong, only not to be right. A mistake against a `should` (`reuse-417`) costs score only, and fails when
the check is `strict`. To write this page anew: `MUSTDO_UPDATE=1 cargo test --test all matrix`.
";

#[test]
fn the_page_shows_the_matrix_of_now() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os("MUSTDO_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "{PAGE} is out of date; MUSTDO_UPDATE=1 writes it anew:\n{page}");
}
