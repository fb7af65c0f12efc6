//! `http-idempotency` against the reference shop.

use std::{fmt, path::Path, time::Duration};

use mustdo::{
    model::Outcome,
    reference::{Flaw, Options, Quirk, Service},
};
use serde_json::{Value, json};

use super::{Column, Entangled, Examiner, Kind, Matrix, Row, Subject, Wrong, expect_nothing_told};
use crate::durable;

pub(crate) const PLUGIN: &str = "http-idempotency";

/// How long an order takes at the services under test.
pub(crate) const SLOW: Duration = Duration::from_millis(300);

/// One way to look at a service.
pub(crate) const REPEAT: &str = "repeat-effect";
pub(crate) const HEADER: &str = "double-submit";
pub(crate) const FORM: &str = "double-submit, token in the form";
pub(crate) const SAFE: &str = "safe-get";
pub(crate) const KEYS: &str = "key-protocol";
const STRICT: &str = "key-protocol, strict";

fn key_protocol(strict: bool) -> Value {
    json!({
        "slow_ms": SLOW.as_millis(),
        "callers": [
            { "headers": { "Authorization": "Bearer alice-token" } },
            { "headers": { "Authorization": "Bearer bob-token" } },
        ],
        "strict": strict,
    })
}

/// Every way to ask about a service.
fn columns() -> Vec<Column> {
    let slow = SLOW.as_millis();
    let ticket =
        json!({ "method": "POST", "path": "/tickets", "body": { "seat": "{token}", "token": "{key}" } });
    vec![
        Column::new(REPEAT, json!({})),
        Column::new(HEADER, json!({ "slow_ms": slow })),
        Column { label: FORM, ..Column::new(HEADER, json!({ "slow_ms": slow, "op": ticket })) },
        Column::new(SAFE, json!({})),
        Column::new(KEYS, key_protocol(false)),
        Column { label: STRICT, ..Column::new(KEYS, key_protocol(true)) },
    ]
}

/// One way to ask about each promise: the columns without the strict one.
pub(crate) fn questions() -> Vec<Column> {
    columns().into_iter().filter(|column| column.label != STRICT).collect()
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

    /// Whether it differs from the good one only after it was killed and started again.
    fn needs_a_crash(self) -> bool {
        match self {
            Self::Good => false,
            Self::Flawed(flaw) => flaw.needs_a_crash(),
            Self::Odd(quirk) => quirk.needs_a_crash(),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Good => Kind::Good,
            Self::Odd(_) => Kind::Odd,
            Self::Flawed(flaw) if flaw.name().starts_with("trap/") => Kind::Trap,
            // A should; a strict check takes it for a must.
            Self::Flawed(Flaw::ReuseAnswers417) => Kind::Weak(vec![KEYS]),
            Self::Flawed(flaw) => Kind::Flaw(refused_by(flaw)),
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Good => "The good shop.",
            Self::Flawed(flaw) => flaw.summary(),
            Self::Odd(quirk) => quirk.summary(),
        }
    }

    fn flags(self) -> (Option<Flaw>, Option<Quirk>) {
        match self {
            Self::Good => (None, None),
            Self::Flawed(flaw) => (Some(flaw), None),
            Self::Odd(quirk) => (None, Some(quirk)),
        }
    }

    /// The service, inside this process.
    fn row(self) -> Row {
        let (flaw, quirk) = self.flags();
        let row = Row::new(self.to_string(), self.summary(), self.kind(), move || {
            let options = Options { slow: SLOW, flaw, quirk };
            let service = Service::bind(options, ([127, 0, 0, 1], 0).into()).unwrap().spawn();
            Subject::http("api", service.address()).keeping(service)
        });
        // What costs score is refused by the strict check, so of what is odd it can not be asked.
        let is_for_the_strict = matches!(self, Self::Good | Self::Flawed(Flaw::ReuseAnswers417));
        if is_for_the_strict { row } else { row.only(&[REPEAT, HEADER, FORM, SAFE, KEYS]) }
    }

    /// The service as a process of its own, on rows that it keeps on the disk.
    fn durable_row(self) -> Row {
        let (flaw, quirk) = self.flags();
        Row::new(self.to_string(), self.summary(), self.kind(), move || {
            let folder = tempfile::tempdir().unwrap();
            let target = durable::target(flaw, quirk, folder.path());
            Subject::default().with("api", target.place, target.launch).keeping(folder)
        })
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

/// The columns that a mistake is for: every way to ask the checks that [`Flaw::refused_by`] names.
fn refused_by(flaw: Flaw) -> Vec<&'static str> {
    let named = |column: &Column| {
        column.label != STRICT && flaw.refused_by().contains(&format!("{PLUGIN}/{}", column.check).as_str())
    };
    columns().iter().filter(|column| named(column)).map(|column| column.label).collect()
}

fn matrix() -> Matrix {
    let variants = Variant::all().filter(|variant| !variant.needs_a_crash());
    Matrix {
        plugin: PLUGIN,
        page: PLUGIN,
        introduction: "\
Every service is the reference shop, inside the test, with one thing different. That a mistake against a `should`
(`reuse-417`) costs score only, and fails when the check is strict, is on purpose.",
        columns: columns(),
        rows: variants.map(Variant::row).collect(),
        entangled: vec![
            Entangled {
                row: "safe-get/get-creates",
                column: REPEAT,
                reason: "the check looks at the row that it has deleted, and looking makes it again",
            },
            Entangled {
                row: "key-protocol/reuse-417",
                column: STRICT,
                reason: "strict, a check takes every `should` for a `must`",
            },
        ],
    }
}

#[test]
fn every_cell_is_as_it_must_be() {
    matrix().prove();
}

#[test]
fn a_crash_shows_what_nothing_else_does() {
    let variants = Variant::all().filter(|variant| *variant == Variant::Good || variant.needs_a_crash());
    let columns = columns().into_iter().filter(|column| column.label == KEYS).collect();
    let matrix = Matrix {
        plugin: PLUGIN,
        page: "http-idempotency-killed",
        introduction: "\
These services run as processes of their own and keep their rows on the disk, and `key-protocol` may kill them: it sends the
operation, kills the service (SIGKILL) at a moment of it, starts it again and retries, several times. Without that permission
the step is skipped, and these mistakes are not seen.",
        columns,
        rows: variants.map(Variant::durable_row).collect(),
        entangled: vec![],
    };
    assert_eq!(matrix.rows.len(), 5);
    matrix.prove();
}

#[test]
fn all_twenty_three_known_mistakes_have_a_row() {
    let is_known = |flaw: &&Flaw| {
        matches!(flaw, Flaw::AlwaysFails | Flaw::ConstantPage) || !flaw.name().starts_with("trap/")
    };
    assert_eq!(Flaw::ALL.iter().filter(is_known).count(), 23);
    assert_eq!(Variant::all().count(), 1 + Flaw::ALL.len() + Quirk::ALL.len());
}

#[test]
fn no_verdict_depends_on_the_seed_or_on_what_else_runs() {
    matrix().repeat_the_good(3);
}

#[tokio::test]
async fn without_the_permission_the_crash_is_left_out_in_words() {
    let examiner = Examiner::new(PLUGIN).await;
    let service = Service::bind(Options { slow: SLOW, ..Options::default() }, ([127, 0, 0, 1], 0).into())
        .unwrap()
        .spawn();
    let subject = Subject::http("api", service.address()).keeping(service);
    let answer = examiner.ask(&Column::new(KEYS, key_protocol(false)), &subject).await;
    let step = answer.verdict.steps.iter().find(|step| step.id == "crash-restart").unwrap();
    assert_eq!(step.outcome, Outcome::Skip);
    for words in [&step.summary.en, &step.summary.zh] {
        assert!(words.contains("mustdo grant http-idempotency process:api"), "{words}");
    }
}

#[tokio::test]
async fn where_no_web_service_is_nothing_is_told() {
    let (other, closed) = ("does not speak proper HTTP", "is its url right");
    let cases: [(Wrong, u64, &[&str]); 7] = [
        (Wrong::Closed, 2, &["is it running"]),
        (Wrong::Silent, 12, &["did not answer in time"]),
        // What comes first decides: its bytes, or that it takes no more of ours.
        (Wrong::Garbage, 12, &[other, closed]),
        (Wrong::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), 2, &[other, closed]),
        (Wrong::Says(b"220 mail ESMTP\r\n\r\n"), 2, &[other, closed]),
        (Wrong::Says(b"-ERR unknown command 'GET'\r\n"), 2, &[other, closed]),
        (Wrong::Says(b"\x15\x03\x01\0\x02\x02\x0a"), 2, &[other, closed]),
    ];
    for (wrong, seconds, words) in cases {
        let subject = |address| Subject::http("api", address);
        expect_nothing_told(PLUGIN, &columns(), wrong, subject, Duration::from_secs(seconds), words).await;
    }
}

/// The page that explains the others says where they are.
#[test]
fn every_page_is_in_the_index() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let index = std::fs::read_to_string(root.join("proof.md")).unwrap();
    for entry in std::fs::read_dir(root.join("proof")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(index.contains(&format!("(proof/{name})")), "docs/proof.md does not link proof/{name}");
    }
}
