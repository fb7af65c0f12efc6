//! What a plugin does inside one run: to the host, to files, and with its verdict.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use mustdo::model::{Endpoint, Limit, Limits, VerdictError};
use mustdo::plugin::DescribeError;
use mustdo::verify::RunFault;

use crate::guest::Guest;
use crate::host::{Bench, SUMMARY_FROM_FAILURE, fault, run};

#[tokio::test]
async fn start_function_that_loops_is_stopped() {
    for bench in Bench::each() {
        let plugin = bench.load(&Guest::new().more("(func $begin (loop $again (br $again))) (start $begin)"));
        let began = Instant::now();
        let error = bench.host.describe(&plugin).await.unwrap_err();
        assert!(matches!(error, DescribeError::Fault(RunFault::TimedOut { .. })), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn crash_and_bombs_while_describing_are_told_apart() {
    for bench in Bench::each() {
        bombs_while_describing(&bench).await;
    }
}

async fn bombs_while_describing(bench: &Bench) {
    let described = async |guest: &Guest| match bench.host.describe(&bench.load(guest)).await {
        Err(DescribeError::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    };
    let crash = described(&Guest::new().describe("unreachable")).await;
    assert!(matches!(crash, RunFault::Trapped(_)), "{crash:?}");
    let grow =
        "(loop $again (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    assert_eq!(described(&Guest::new().describe(grow)).await, RunFault::OutOfMemory { limit: 64 << 20 });
    let deep = Guest::new().more("(func $deep (call $deep))").describe("(call $deep)");
    assert_eq!(described(&deep).await, RunFault::OutOfStack { limit: 512 << 10 });
    let tables = Guest::new().more("(table 30000 funcref)");
    assert!(matches!(described(&tables).await, RunFault::OverLimit(why) if why.contains("tables")));
    let asks = Guest::new().import("environment", "get", "(param i32 i32 i32)").describe(
        "(call $get (i32.const 0) (i32.const 0) (i32.const 0))
         (if (i32.eqz (i32.load8_u (i32.const 0))) (then unreachable))",
    );
    // Everything is withheld: it is told so, and that is all.
    assert!(bench.host.describe(&bench.load(&asks)).await.is_ok());
}

#[tokio::test]
async fn schema_that_is_a_bomb_is_refused() {
    let bench = Bench::new();
    let huge = format!("{{\"title\":\"{}\"}}", "x".repeat(300 << 10));
    let deep = format!("{}{}", "{\"not\":".repeat(5_000), "}".repeat(5_000));
    let pattern = r#"{"pattern":"((((x{200}){200}){200}){200})"}"#.to_owned();
    for schema in [huge, deep, pattern] {
        let guest = Guest::new().memory(20).schema(schema.clone());
        let began = Instant::now();
        let described = bench.host.describe(&bench.load(&guest)).await;
        let words = described.unwrap_err().to_string();
        assert!(words.contains("schema") && words.len() < 3_000, "{words}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn lies_about_points_are_found() {
    // option<score> is 24 bytes into the result that holds the verdict, its numbers 8 and 16 bytes later.
    let score = |earned: &str, possible: &str| {
        Guest::new().run(format!(
            "(i32.store8 offset=24 (global.get $verdict) (i32.const 1))
             (f64.store offset=32 (global.get $verdict) (f64.const {earned}))
             (f64.store offset=40 (global.get $verdict) (f64.const {possible}))"
        ))
    };
    for (earned, possible) in
        [("2", "1"), ("nan", "1"), ("1", "nan"), ("inf", "inf"), ("-1", "1"), ("0", "0"), ("0", "-0")]
    {
        let fault = fault(&score(earned, possible)).await;
        assert!(
            matches!(fault, RunFault::Verdict(VerdictError::Score { .. })),
            "{earned} of {possible}: {fault:?}"
        );
    }
    assert!(run(&score("1", "2")).await.is_ok());
}

#[tokio::test]
async fn list_without_end_in_a_verdict_is_over_a_limit() {
    // The list of findings is 56 bytes into the result.
    let findings = |count: i64| {
        Guest::new().memory(900).run(format!(
            "(i32.store offset=56 (global.get $verdict) (i32.const 65536))
             (i32.store offset=60 (global.get $verdict) (i32.const {count}))"
        ))
    };
    for count in [501, 50_000, 500_000] {
        let fault = fault(&findings(count)).await;
        assert!(matches!(fault, RunFault::Contract(_) | RunFault::OverLimit(_)), "{count}: {fault:?}");
    }
    assert!(matches!(
        fault(&findings(i64::from(u32::MAX))).await,
        RunFault::Trapped(_) | RunFault::OverLimit(_)
    ));
}

#[tokio::test]
async fn flood_of_attachments_is_refused_and_says_what_would_allow_more() {
    let flood = |bytes: u32| {
        Guest::new().memory(200).import("attachments", "attach", "(param i32 i32 i32 i32 i32 i32 i32)").run(
            format!(
                "(loop $again
               (call $attach (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                 (i32.const 65536) (i32.const {bytes}) (i32.const 0))
               (br_if $again (i32.eqz (i32.load8_u (i32.const 0)))))
             {SUMMARY_FROM_FAILURE}"
            ),
        )
    };
    assert_eq!(run(&flood(1)).await.unwrap().verdict.summary.en, "a run may have 64 attachments");
    let words = run(&flood(1 << 20)).await.unwrap().verdict.summary.en;
    assert!(
        words.starts_with("the attachments of a run may have 8 MiB; attachments-mib under [limits]"),
        "{words}"
    );
    let mut limits = Limits::default();
    assert!(limits.choose(Limit::Attachments, 16));
    let bench = Bench::with(limits);
    let task = bench.add(&flood(2 << 20)).await;
    let words = bench.verify(&task).await.unwrap().verdict.summary.en;
    assert!(words.starts_with("the attachments of a run may have 16 MiB"), "{words}");
}

#[tokio::test]
async fn memory_limit_is_the_users_and_nobody_elses() {
    let grow =
        "(loop $again (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let mut limits = Limits::default();
    assert!(limits.choose(Limit::Memory, 100));
    let bench = Bench::with(limits);
    let task = bench.add(&Guest::new().run(grow)).await;
    let fault = bench.verify(&task).await.unwrap_err().fault;
    assert_eq!(fault, RunFault::OutOfMemory { limit: 100 << 20 });
    assert!(fault.to_string().contains("memory-mib under [limits] in mustdo.toml"), "{fault}");
}

/// Reads `path` of the target "src"; what came of it is the summary.
fn reader(path: &str) -> Guest {
    Guest::new()
        .import("files", "open", "(param i32 i32 i32)")
        .import("files", "[method]tree.read", "(param i32 i32 i32 i64 i32 i32)")
        .more(format!("(data (i32.const 100) \"src{path}\")"))
        .run(format!(
            "(call $open (i32.const 100) (i32.const 3) (i32.const 0))
             (call $read (i32.load (i32.const 4)) (i32.const 103) (i32.const {}) (i64.const 0) (i32.const 64)
               (i32.const 0))
             (if (i32.load8_u (i32.const 0)) (then {SUMMARY_FROM_FAILURE}) (else
               (i32.store (global.get $summary) (i32.load (i32.const 4)))
               (i32.store offset=4 (global.get $summary) (i32.load (i32.const 8)))))",
            path.len()
        ))
}

#[tokio::test]
async fn nothing_outside_a_directory_and_no_secret_in_it_is_read() {
    let root = tempfile::tempdir().unwrap();
    let inside = root.path().join("src");
    for folder in ["src/.git", "src/sub", "src/.ssh"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for file in
        ["src/.env", "src/.git/config", "src/sub/.env.local", "src/.ssh/id", "src/server.PEM", "outside"]
    {
        fs::write(root.path().join(file), "swordfish").unwrap();
    }
    fs::write(inside.join("a.txt"), "hello").unwrap();
    symlink("../outside", inside.join("link")).unwrap();
    symlink("..", inside.join("up")).unwrap();
    symlink(".env", inside.join("alias")).unwrap();
    symlink("/dev/zero", inside.join("zero")).unwrap();
    assert!(Command::new("mkfifo").arg(inside.join("fifo")).status().unwrap().success());
    let outside = root.path().join("outside").display().to_string();
    let bench = Bench::new();
    for (path, refused) in [
        ("a.txt", false),
        ("../outside", true),
        ("sub/../../outside", true),
        (outside.as_str(), true),
        ("/proc/self/environ", true),
        ("link", true),
        ("up/outside", true),
        ("alias", true),
        ("zero", true),
        ("fifo", true),
        (".env", true),
        (".ENV", true),
        ("sub/.env.local", true),
        (".git/config", true),
        (".ssh/id", true),
        ("server.PEM", true),
        ("", true),
        (".", true),
        ("a.txt/", false),
    ] {
        let mut task = bench.add(&reader(path)).await;
        task.targets.insert("src".parse().unwrap(), Endpoint::Dir(inside.canonicalize().unwrap()));
        task.allowed.insert("read:src".parse().unwrap());
        task.deadline = Duration::from_secs(10);
        let run = bench.verify(&task).await.unwrap();
        assert_eq!(run.verdict.summary.en != "hello", refused, "{path}: {}", run.verdict.summary.en);
        assert!(!run.verdict.summary.en.contains("swordfish"), "{path}");
        assert_eq!(run.accesses[0].refused.is_some(), refused, "{path}: {:?}", run.accesses);
    }
}

#[tokio::test]
async fn long_words_of_a_refusal_are_not_kept_whole() {
    // Half a megabyte of path, and a thousand refusals: the list of accesses stays small.
    let guest = Guest::new()
        .memory(20)
        .import("files", "open", "(param i32 i32 i32)")
        .run(
            "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 524288))
             (loop $again
               (call $open (i32.const 65536) (i32.const 524288) (i32.const 0))
               (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))",
        );
    let run = run(&guest).await.unwrap();
    assert_eq!(run.accesses.len(), 5);
    let words =
        |access: &mustdo::verify::Access| access.what.len() + access.refused.as_ref().map_or(0, String::len);
    assert!(run.accesses.iter().all(|access| words(access) < 9_000 && access.refused.is_some()));
}
