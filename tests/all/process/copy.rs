//! Programs in a private copy of the learner's tree.

use std::fs;
use std::path::PathBuf;

use super::bench::Bench;
use super::script::Script;

#[tokio::test]
async fn program_works_in_a_copy_and_the_learners_tree_stays_as_it_is() {
    let script = Script::new()
        .scratch(Some("src"))
        .write("new/deep.txt", "from the plugin")
        .start_with(&[], &[], true)
        .read(4_000);
    let text = "all=$(cat app.txt new/deep.txt; ls -A | tr '\\n' ' '; pwd); echo changed >app.txt; rm -r new; echo \"$all\"";
    let bench = Bench::new(script).await.src().tool(text, &[]);
    let run = bench.verify().await.unwrap();
    let summary = run.verdict.summary.en.clone();
    assert!(summary.starts_with("as the learner wrote itfrom the pluginapp.txt new /"), "{summary}");
    let what: Vec<_> = run.accesses.iter().map(|access| access.what.as_str()).collect();
    assert_eq!(what, ["scratch open src", "scratch write src new/deep.txt", "process start tool []"]);
    assert_eq!(fs::read_to_string(bench.path("src/app.txt")).unwrap(), "as the learner wrote it");
    assert!(!bench.path("src/new").exists());
    let copy = PathBuf::from(summary[summary.rfind(" /").unwrap() + 1..].trim_end());
    assert!(copy.is_absolute() && !copy.exists(), "{} is left", copy.display());
}

#[tokio::test]
async fn copy_needs_a_grant_and_no_path_leads_out_of_it() {
    let mut bench = Bench::new(Script::new().scratch(Some("src"))).await.src();
    bench.task.allowed.clear();
    assert_eq!(bench.summary().await, "mustdo grant test-guest scratch:src");
    bench.task.allowed.insert("read:src".parse().unwrap());
    assert_eq!(bench.summary().await, "mustdo grant test-guest scratch:src");
    // An empty folder tells nothing, but not everybody may fill the disk.
    let mut bench = Bench::new(Script::new().scratch(None)).await.src();
    assert_eq!(bench.summary().await, "it was seen");
    bench.task.allowed.clear();
    assert_eq!(bench.summary().await, "mustdo grant test-guest scratch:TARGET or process:TARGET");
    let bench = Bench::new(Script::new().scratch(None).write("../escaped", "x")).await.src();
    assert_eq!(bench.summary().await, "\"../escaped\" is not a path below the workspace");
}
