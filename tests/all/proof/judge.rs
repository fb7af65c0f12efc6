//! `judge` against the reference programs that speak MLP/1.

use serde_json::{Value, json};

use super::{Column, Kind, Matrix, Row, Subject, reference};
use mustdo_reference::judge::{Flaw, Trap};

const PLUGIN: &str = "judge";

/// A check under a label of its own.
fn column(label: &'static str, params: Value) -> Column {
    let check = label.split_once(", ").map_or(label, |(check, _)| check);
    Column { label, ..Column::new(check, params) }
}

/// Every way to ask, with fewer operations than a learner gets: what the programs do wrong, they do soon.
fn columns() -> Vec<Column> {
    let btree = |shape: &str, ops: &str| json!({ "shape": shape, "ops": ops, "n": 8_000 });
    vec![
        column("linear, array", json!({ "kind": "array", "n": 4_000 })),
        column("linear, queue", json!({ "kind": "queue", "n": 4_000 })),
        column("linear, stack", json!({ "kind": "stack", "n": 4_000 })),
        column("linear, list", json!({ "kind": "list", "n": 4_000 })),
        column("dict, basic", json!({ "profile": "basic", "n": 4_000 })),
        column("dict, mixed", json!({ "profile": "mixed", "n": 4_000 })),
        column("dict, collide", json!({ "profile": "collide", "n": 4_000 })),
        column("ordered-dict", json!({ "n": 4_000 })),
        column("tree, avl", json!({ "kind": "avl", "n": 4_000 })),
        column("tree, any", json!({ "kind": "any", "n": 4_000 })),
        column("btree, bplus", btree("bplus", "all")),
        column("btree, btree", btree("btree", "all")),
        column("btree, insert", btree("bplus", "insert")),
        column("btree, search", btree("bplus", "search")),
        column("btree, delete", btree("bplus", "delete")),
        column("crypto", json!({ "n": 40 })),
        column("middleware-chain", json!({ "stacks": 60 })),
    ]
}

/// The questions about the task that a flaw belongs to.
fn asked(flaw: Flaw) -> Vec<&'static str> {
    let task = flaw.name().split('/').next().unwrap();
    let is_asked = |label: &&str| match task {
        "array" | "queue" | "stack" | "list" => *label == format!("linear, {task}"),
        "middleware" => *label == "middleware-chain",
        task => label.split(", ").next() == Some(task),
    };
    columns().iter().map(|column| column.label).filter(is_asked).collect()
}

fn program(arguments: &[&str]) -> Subject {
    let arguments = [&["judge"], arguments].concat();
    Subject::default().with_command("program", reference(), &arguments)
}

/// The reference behind a shell, which is told what to do with `"$0" judge`.
fn behind_shell(script: &str) -> Subject {
    Subject::default().with_command("program", "/bin/sh", &["-c", script, reference()])
}

/// Hands the first operation on after six seconds, in which it starts one short program after another.
const STARTS_PROGRAMS: &str = r#"{
    IFS= read -r hello && printf '%s\n' "$hello"
    IFS= read -r first && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.4; done && printf '%s\n' "$first"
    cat
} | "$0" judge"#;

/// Answers each line by a program that ends with it.
const STARTS_ONE_EACH: &str = r#"
IFS= read -r hello && printf '%s\n' "$hello" | "$0" judge
while IFS= read -r line; do printf '%s\n%s\n' "$hello" "$line" | "$0" judge | tail -n 1; done"#;

/// Programs behind others, which sleep beside them.
fn launched() -> [Row; 3] {
    let waits = "Behind a shell that waits for it.";
    let starts = "Behind a shell that answers late, and starts one program after another meanwhile.";
    let alone = "Behind a shell that starts a program for each answer: what those use is used by the whole.";
    [
        Row::new("behind/shell", waits, Kind::Odd, || behind_shell("\"$0\" judge; exit $?"))
            .only(&["linear, array", "linear, stack", "dict, basic", "crypto"])
            .slow(),
        Row::new("behind/busy-shell", starts, Kind::Odd, || behind_shell(STARTS_PROGRAMS))
            .only(&["linear, array"]),
        Row::new("behind/one-each", alone, Kind::Odd, || behind_shell(STARTS_ONE_EACH)).only(&["crypto"]),
    ]
}

fn rows() -> Vec<Row> {
    let good = Row::new("good", "The reference, at its task.", Kind::Good, || program(&[]));
    let flaws = Flaw::ALL.iter().map(|flaw| {
        let kind = Kind::Flaw(flaw.refused_by().to_vec());
        let row = Row::new(flaw.name(), flaw.summary(), kind, || program(&[flaw.name()]));
        let row = row.only(&asked(*flaw)).slow();
        if *flaw == Flaw::DictNeverResizes {
            row.depending_on_load()
        } else if matches!(flaw, Flaw::TreeNoBalance | Flaw::BtreeWrappedLibrary) {
            // What `height` and `locality` always see, the step before them sees where the keys come in an order for it.
            row.depending_on_seed()
        } else {
            row
        }
    });
    // They look the same to every check: two of them see all there is to see.
    let traps = Trap::ALL.iter().map(|trap| {
        Row::new(trap.name(), trap.summary(), Kind::Trap, || program(&[trap.name()]))
            .only(&["linear, stack", "crypto"])
            .slow()
    });
    std::iter::once(good).chain(flaws).chain(traps).chain(launched()).collect()
}

fn matrix() -> Matrix {
    Matrix {
        plugin: PLUGIN,
        page: PLUGIN,
        introduction: "\
One program speaks MLP/1 for every task ([how](../judge.md)); with the name of a flaw it makes that mistake, and is good at
all other tasks, so a flaw is asked the questions about its own task only. The traps are programs that a target may be by
mistake, or that keep to the protocol badly.",
        columns: columns(),
        rows: rows(),
        entangled: vec![],
    }
}

#[test]
fn every_cell_is_as_it_must_be() {
    matrix().prove();
}

/// The plugin without a component, about the reference without a process: the good one, and each mistake.
mod every_seed {
    use mustdo_reference::judge::Conversation;

    use super::super::{
        inside::Inside,
        seeds::{self, Question},
    };
    use super::*;

    /// Tables that fill up whatever the seed is, and then search for ever: only a process can be left alone with that.
    const ENDLESS: &[Flaw] = &[Flaw::DictNeverResizes, Flaw::DictLitterStays];

    /// Checks that take a second or more, whatever the seed is: costs are measured, or much comes and goes.
    const MEASURED: &[&str] =
        &["linear, queue", "linear, stack", "dict, basic", "dict, mixed", "ordered-dict", "crypto"];

    fn questions(columns: &[Column], usual: u64) -> Vec<Question> {
        let seeds = |label: &str| {
            let count = seeds::count(usual);
            if MEASURED.contains(&label) { count.div_ceil(10) } else { count }
        };
        let good = columns.iter().map(|column| Question {
            row: "good",
            column: column.clone(),
            is_right: true,
            seeds: seeds(column.label),
        });
        let flaws = Flaw::ALL.iter().filter(|flaw| !ENDLESS.contains(flaw)).flat_map(|flaw| {
            let asked = asked(*flaw);
            let columns = columns.iter().filter(move |column| asked.contains(&column.label));
            columns.map(move |column| Question {
                row: flaw.name(),
                column: column.clone(),
                is_right: !flaw.refused_by().contains(&column.label),
                seeds: seeds(column.label),
            })
        });
        good.chain(flaws).collect()
    }

    /// Every way to ask, with as few operations as a checklist can bind.
    fn shortest() -> Vec<Column> {
        let mut columns = columns();
        for column in &mut columns {
            let least = match column.check {
                "btree" => ("n", 400),
                "crypto" => ("n", 20),
                "middleware-chain" => ("stacks", 20),
                _ => ("n", 200),
            };
            column.params[least.0] = json!(least.1);
        }
        columns
    }

    fn program(question: &Question) -> Inside {
        let flaw = Flaw::named(question.row);
        Inside::new(move || {
            let mut conversation = Conversation::new(flaw);
            Box::new(move |line| conversation.answer(line).map(|answer| answer.to_string()))
        })
    }

    /// Asks about the good one and the mistakes of a task, as the matrix does and as briefly as can be.
    fn expect_of(task: &str) {
        for mut columns in [columns(), shortest()] {
            columns.retain(|column| column.check == task);
            seeds::ask(::judge::plugin, &questions(&columns, 500), program);
        }
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_a_linear_structure_passes() {
        expect_of("linear");
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_a_dict_passes() {
        expect_of("dict");
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_an_ordered_dict_passes() {
        expect_of("ordered-dict");
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_a_tree_passes() {
        expect_of("tree");
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_a_btree_passes() {
        expect_of("btree");
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_encryption_passes() {
        expect_of("crypto");
    }

    #[test]
    #[ignore = "asks thousands of times; run it when the operations of the check change"]
    fn no_mistake_in_middleware_passes() {
        expect_of("middleware-chain");
    }
}

/// Programs in other languages, and the one that the documentation shows: they need python3 and gcc.
#[cfg(feature = "live-servers")]
mod live {
    use std::path::{Path, PathBuf};

    use super::*;

    /// `tests/servers/judge`.
    fn servers() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/judge")
    }

    const DICTS: [&str; 3] = ["dict, basic", "dict, mixed", "dict, collide"];
    const LIST: &str = "c-list";
    const STACK: &str = "linear, stack";

    /// Flaws of `dict.py`: name, what is different, and the profiles that must refuse it.
    const DICT_FLAWS: [(&str, &str, &[&str]); 6] = [
        ("deletes-to-empty", "DEL makes the slot empty, so what was put behind it is lost.", &DICTS),
        ("compares-hash-only", "Keys of one hash are taken for the same key.", &["dict, collide"]),
        ("never-resizes", "The table never grows.", &DICTS),
        ("litter-stays", "Deleted places never count, and are never cleaned up.", &["dict, mixed"]),
        ("linear-list", "Pairs are searched from the first to the last.", &DICTS),
        ("negative-modulo", "The remainder of a negative hash is negative, and no place.", &DICTS),
    ];

    /// Flaws of `list.c`: the macro, and what is different.
    const LIST_FLAWS: [(&str, &str, &str); 6] = [
        ("grows-by-one", "FLAW_GROWS_BY_ONE", "Each append makes the array one slot longer."),
        ("overlaps", "FLAW_OVERLAPS", "INSERT moves values by memcpy, though both ends overlap."),
        ("unchecked", "FLAW_UNCHECKED", "A negative index before the first place is used."),
        ("unstable", "FLAW_UNSTABLE", "SORT turns equal values round."),
        ("stops-before-zero", "FLAW_STOPS_BEFORE_ZERO", "A slice backwards leaves the first value out."),
        ("leaks", "FLAW_LEAKS", "The old array is forgotten, not freed."),
    ];

    /// Where a program of the machine is.
    fn found(name: &str) -> String {
        let path = std::env::var_os("PATH").unwrap();
        let found =
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
        let found = found.unwrap_or_else(|| panic!("{name} is not installed; tests/run does that"));
        found.to_str().unwrap().to_owned()
    }

    fn python(script: &Path, arguments: &[&str]) -> Subject {
        let arguments = [&[script.to_str().unwrap()], arguments].concat();
        Subject::default().with_command("program", &found("python3"), &arguments)
    }

    fn list(flaw: Option<&str>) -> Subject {
        let flags = ["-std=c11".to_owned()].into_iter().chain(flaw.map(|flaw| format!("-D{flaw}")));
        Subject::default()
            .with_command("program", &found("env"), &["./program"])
            .with_command("compiler", &found("cc"), &["**"])
            .with_folder("source", servers().join("list").to_str().unwrap())
            .asked_with(json!({ "flags": flags.collect::<Vec<_>>() }))
    }

    /// The program that `docs/judge.md` ends with, in a folder of its own.
    fn documented() -> Subject {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/judge.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, program) = page.split_once("```python\n").unwrap();
        let (program, _) = program.split_once("```").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("stack.py");
        std::fs::write(&script, program).unwrap();
        python(&script, &[]).keeping(folder)
    }

    fn rows() -> Vec<Row> {
        let dict = |name: String, summary: &str, kind, flaw: Option<&'static str>| {
            let start = move || python(&servers().join("dict.py"), flaw.as_slice());
            Row::new(name, summary, kind, start).only(&DICTS)
        };
        let mut rows = vec![
            Row::new(
                "documented",
                "The program at the end of [the page](../judge.md).",
                Kind::Good,
                documented,
            )
            .only(&[STACK]),
            dict("dict.py".to_owned(), "Open addressing as in CPython, in Python.", Kind::Good, None),
            Row::new("list.c", "An array that grows by an eighth, in C.", Kind::Good, || list(None))
                .only(&[LIST]),
        ];
        for (flaw, summary, refused) in DICT_FLAWS {
            let kind = Kind::Flaw(refused.to_vec());
            let row = dict(format!("dict.py/{flaw}"), summary, kind, Some(flaw)).slow();
            rows.push(if flaw == "never-resizes" { row.depending_on_load() } else { row });
        }
        for (flaw, macro_name, summary) in LIST_FLAWS {
            let kind = Kind::Flaw(vec![LIST]);
            let row = Row::new(format!("list.c/{flaw}"), summary, kind, || list(Some(macro_name)));
            rows.push(row.only(&[LIST]).slow());
        }
        rows
    }

    #[test]
    fn programs_in_other_languages_are_told_apart() {
        let is_asked = |column: &Column| DICTS.contains(&column.label) || column.label == STACK;
        let mut columns: Vec<_> = columns().into_iter().filter(is_asked).collect();
        columns.push(column(LIST, json!({ "n": 4_000 })));
        let matrix = Matrix {
            plugin: PLUGIN,
            page: "judge-languages",
            introduction: "\
Programs in Python and C (`tests/servers/judge`). The list in C is compiled by the check itself, with and without sanitizers.",
            columns,
            rows: rows(),
            entangled: vec![],
        };
        matrix.prove();
    }
}
