//! mustdo on a build server: what it tells there, what it leaves alone, and the jobs that run it.

use std::fs;

use crate::sandbox::{Printed, Sandbox};
use crate::verify::{REPEAT, shop};

const ITEM: &str = "frontend.idempotent-request";

fn failing() -> Sandbox {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(Some("repeat-effect/put-appends")));
    sandbox
}

/// Runs mustdo as a step of a GitHub job.
fn step(sandbox: &Sandbox, arguments: &[&str]) -> Printed {
    let summary = sandbox.path().join("summary.md");
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    sandbox.run_with(&variables, arguments)
}

fn orders(printed: &Printed) -> Vec<&str> {
    printed.stdout.lines().filter(|line| line.starts_with("::")).collect()
}

#[test]
fn step_is_summed_up_and_annotated_and_nothing_is_recorded() {
    let sandbox = failing();
    sandbox.write("summary.md", "what was there\n");
    let printed = step(&sandbox, &["verify", REPEAT]).ends(1);
    let found = orders(&printed);
    assert!(found.iter().any(|line| line.starts_with("::error file=mustdo.toml,line=1,title=")), "{found:?}");
    assert!(found.last().unwrap().starts_with("::notice title=mustdo::"), "{found:?}");
    assert!(printed.stdout.contains("Failing (1)"), "{}", printed.stdout);
    let summary = sandbox.read("summary.md");
    assert!(summary.starts_with("what was there\n## mustdo\n") && summary.contains(REPEAT), "{summary}");
    assert!(printed.stderr.contains("GitHub Actions: nothing is recorded"), "{}", printed.stderr);
    assert!(!sandbox.files().iter().any(|name| name.starts_with("progress/")), "{:?}", sandbox.files());
    step(&sandbox, &["verify", REPEAT, "--keep"]).ends(1);
    let recorded = sandbox.files().into_iter().find(|name| name.starts_with("progress/")).unwrap();
    assert!(sandbox.read(&recorded).contains("outcome = \"fail\""));
    assert!(!orders(&step(&sandbox, &["report"]).ends(1)).is_empty());
}

#[test]
fn report_for_a_program_is_not_mixed_with_annotations() {
    let sandbox = failing();
    for arguments in [&["verify", REPEAT, "--report", "json"][..], &["report", "--format", "json"]] {
        let printed = step(&sandbox, arguments);
        assert!(serde_json::from_str::<serde_json::Value>(&printed.stdout).is_ok(), "{}", printed.stdout);
    }
    assert_eq!(sandbox.read("summary.md").matches("## mustdo").count(), 2);
}

#[test]
fn step_in_which_no_check_ran_is_an_error() {
    let sandbox = Sandbox::workspace();
    let printed = step(&sandbox, &["verify", ITEM]).ends(3);
    assert_eq!(orders(&printed), ["::error title=mustdo::no check ran: the log says why"]);
    assert!(sandbox.read("summary.md").contains("No check ran"));
}

#[test]
fn summary_that_can_not_be_written_is_told_before_anything_is_started() {
    let sandbox = failing();
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "/")];
    let printed = sandbox.run_with(&variables, &["verify", REPEAT]).ends(2);
    assert!(printed.stderr.contains("GITHUB_STEP_SUMMARY"), "{}", printed.stderr);
    assert!(!printed.stderr.contains("starting"), "{}", printed.stderr);
}

#[test]
fn gitlab_is_told_by_files_only() {
    let sandbox = failing();
    let printed = sandbox.run_with(&[("GITLAB_CI", "true")], &["verify", REPEAT]).ends(1);
    assert!(orders(&printed).is_empty(), "{}", printed.stdout);
    assert!(printed.stderr.contains("GitLab CI: nothing is recorded"), "{}", printed.stderr);
    assert!(!sandbox.files().iter().any(|name| name.starts_with("progress/")));
}

#[test]
fn known_server_is_asked_nothing_and_drawn_no_bars() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    let arguments = format!("verify {ITEM}");
    let (code, seen) = sandbox.at_terminal(&arguments, "");
    assert!(code == Some(0) && seen.contains('\u{1b}'), "{seen}");
    let mut command = sandbox.command("script");
    let program = format!("'{}' --color never {arguments}", env!("CARGO_BIN_EXE_mustdo"));
    command.env("GITHUB_ACTIONS", "true").args(["--quiet", "--return", "--command", &program, "/dev/null"]);
    let output = command.output().unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !seen.contains('\u{1b}'), "{seen:?}");
}

/// The command of a job that verifies, as a shell runs it in the repository's root.
fn verify_line(job: &str) -> String {
    let line = job.lines().find(|line| line.contains(" verify --")).unwrap_or_else(|| panic!("{job}"));
    line[line.find("mustdo").unwrap()..].to_owned()
}

#[test]
fn job_of_every_server_does_what_it_says() {
    for (server, path, variables) in [
        ("github", ".github/workflows/mustdo.yml", &[("GITHUB_ACTIONS", "true")][..]),
        ("gitlab", ".gitlab-ci.yml", &[("GITLAB_CI", "true")]),
        ("generic", "ci/mustdo.sh", &[]),
    ] {
        let sandbox = Sandbox::empty();
        sandbox.git(&["init", "--quiet"]);
        sandbox.write("shop/.keep", "");
        sandbox.run(&["-C", "shop", "init", "--quiet"]).ends(0);
        sandbox.write("shop/mustdo.toml", &shop(Some("repeat-effect/put-appends")));
        let arguments = ["-C", "shop", "ci", "init", server, "--from", "https://git.example.org/mustdo.git"];
        let printed = sandbox.run(&arguments).ends(0);
        assert_eq!(printed.stdout, format!("wrote {path}\n"));
        let job = sandbox.read(path);
        assert!(job.contains("https://git.example.org/mustdo.git") && !job.contains("{source}"), "{job}");
        insta::assert_snapshot!(format!("job-{server}"), job);
        sandbox.run(&arguments).ends(2);
        assert_eq!(sandbox.read(path), job);

        let folder =
            std::path::Path::new(env!("CARGO_BIN_EXE_mustdo")).parent().unwrap().display().to_string();
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
        let mut shell = sandbox.command("sh");
        shell.env("PATH", path).envs(variables.iter().copied());
        // One item is enough to see it work.
        let output = match server {
            "generic" => shell.arg("-c").arg(
                fs::read_to_string(sandbox.path().join("ci/mustdo.sh"))
                    .unwrap()
                    .replace("verify", &format!("verify {REPEAT}")),
            ),
            _ => shell.arg("-c").arg(verify_line(&job).replace("verify", &format!("verify {REPEAT}"))),
        }
        .output()
        .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        for name in ["mustdo.html", "mustdo.xml"] {
            assert!(job.contains(name) && sandbox.read(&format!("shop/{name}")).contains(REPEAT), "{name}");
        }
        assert!(!sandbox.files().iter().any(|name| name.contains("progress/")), "{:?}", sandbox.files());
    }
}

#[test]
fn job_takes_nothing_that_means_more_than_itself() {
    let sandbox = Sandbox::workspace();
    for from in ["$(reboot)", "a b", "a\nb", "-x", "https://x/#y", "x:"] {
        sandbox.run(&["ci", "init", "generic", &format!("--from={from}")]).ends(2);
    }
    let printed = sandbox.run(&["ci", "init", "gitlab", "--print"]).ends(0);
    assert!(
        !printed.stdout.contains("MUSTDO_GIT:") && printed.stdout.contains("$MUSTDO_GIT"),
        "{}",
        printed.stdout
    );
    assert!(!sandbox.path().join(".gitlab-ci.yml").exists());
    let github = sandbox.run(&["ci", "init", "github", "--print"]).ends(0).stdout;
    assert!(github.contains("MUSTDO_GIT: ${{ vars.MUSTDO_GIT }}"), "{github}");
}
