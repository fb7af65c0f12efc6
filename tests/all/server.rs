//! mustdo on a build server: what it tells there, what it leaves alone, and the jobs that run it.

use std::fs;
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

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

/// A repository whose workspace, in a folder of it, has a shop with a mistake; and the job that was written for it.
fn with_job(server: &str, path: &str, more: &[&str]) -> (Sandbox, String) {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write("shop/.keep", "");
    sandbox.run(&["-C", "shop", "init", "--quiet"]).ends(0);
    sandbox.write("shop/mustdo.toml", &shop(Some("repeat-effect/put-appends")));
    let fixed = ["-C", "shop", "ci", "init", server, "--from", "https://git.example.org/mustdo.git"];
    let arguments = [&fixed[..], more].concat();
    let printed = sandbox.run(&arguments).ends(0);
    assert_eq!(printed.stdout, format!("wrote {path}\n"));
    let job = sandbox.read(path);
    assert!(job.contains("https://git.example.org/mustdo.git") && !job.contains("{source}"), "{job}");
    sandbox.run(&arguments).ends(2);
    assert_eq!(sandbox.read(path), job);
    (sandbox, job)
}

/// A shell in the repository's root that finds mustdo.
fn shell(sandbox: &Sandbox, program: &str) -> Command {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_mustdo")).parent().unwrap().display().to_string();
    let mut shell = sandbox.command(program);
    shell.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap()));
    shell
}

/// Runs the lines of a job as a build server does; how they ended, and what they said.
fn play(sandbox: &Sandbox, lines: &str, variables: &[(&str, &str)]) -> (i32, String) {
    // Two items are enough to see that they are divided.
    let lines = lines.replace(" verify ", &format!(" verify {REPEAT} {ITEM} "));
    let mut bash = shell(sandbox, "bash");
    let output =
        bash.args(["-eo", "pipefail", "-c", &lines]).envs(variables.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn document(job: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(job).unwrap_or_else(|error| panic!("{error}\n{job}"));
    assert_eq!(documents.len(), 1, "{job}");
    documents.remove(0)
}

/// The lines of the step of that name.
fn step_lines<'a>(job: &'a Yaml, name: &str) -> &'a str {
    let steps = job["steps"].as_vec().unwrap();
    let step = steps.iter().find(|step| step["name"].as_str() == Some(name)).unwrap();
    step["run"].as_str().unwrap()
}

fn script(job: &Yaml) -> String {
    let lines = job["script"].as_vec().unwrap().iter();
    lines.map(|line| format!("{}\n", line.as_str().unwrap())).collect()
}

/// That the merged run failed and every form of it has both items.
fn merged(sandbox: &Sandbox, (code, said): (i32, String), files: &[&str]) {
    assert_eq!(code, 1, "{said}");
    for name in files {
        let report = sandbox.read(&format!("shop/{name}"));
        assert!(report.contains(REPEAT), "{name}: {said}");
    }
    assert!(sandbox.read("shop/mustdo.xml").contains(ITEM));
    assert!(!sandbox.files().iter().any(|name| name.contains("progress/")), "{:?}", sandbox.files());
}

#[test]
fn jobs_of_a_github_matrix_divide_the_run_and_one_puts_it_together() {
    let (sandbox, job) = with_job("github", ".github/workflows/mustdo.yml", &["--jobs", "2"]);
    insta::assert_snapshot!("job-github-matrix", job);
    let document = document(&job);
    let (verify, report) = (&document["jobs"]["verify"], &document["jobs"]["report"]);
    let parts: Vec<_> = verify["strategy"]["matrix"]["part"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|part| part.as_i64().unwrap())
        .collect();
    assert_eq!(parts, [1, 2]);
    assert_eq!(report["needs"].as_str(), Some("verify"));
    // What each machine hands over is collected in a folder outside the repository.
    let handed = tempfile::tempdir().unwrap();
    let collected = handed.path().join("parts");
    fs::create_dir(&collected).unwrap();
    let lines = step_lines(verify, "Verify");
    for part in parts {
        let part = part.to_string();
        let (code, said) =
            play(&sandbox, lines, &[("PART", &part), ("SEED", "7"), ("GITHUB_ACTIONS", "true")]);
        assert_eq!(code, 0, "{said}");
        let name = format!("mustdo-result-{part}-of-2.toml");
        fs::rename(sandbox.path().join("shop").join(&name), collected.join(&name)).unwrap();
    }
    // Whatever is no verdict ends the machine's job.
    assert_eq!(play(&sandbox, lines, &[("PART", "3"), ("SEED", "7")]).0, 2);
    let temp = handed.path().to_str().unwrap();
    let variables = [("RUNNER_TEMP", temp), ("BASE", ""), ("GITHUB_ACTIONS", "true")];
    merged(
        &sandbox,
        play(&sandbox, step_lines(report, "Report"), &variables),
        &["mustdo.html", "mustdo.xml"],
    );
    fs::remove_file(collected.join("mustdo-result-1-of-2.toml")).unwrap();
    assert_eq!(play(&sandbox, step_lines(report, "Report"), &variables).0, 2);
}

#[test]
fn jobs_of_gitlab_divide_the_run_and_one_puts_it_together() {
    let (sandbox, job) = with_job("gitlab", ".gitlab-ci.yml", &["--jobs", "2"]);
    insta::assert_snapshot!("job-gitlab-matrix", job);
    let document = document(&job);
    let (verify, report) = (&document["mustdo-verify"], &document["mustdo"]);
    assert_eq!(verify["parallel"].as_i64(), Some(2));
    assert_eq!(report["needs"][0].as_str(), Some("mustdo-verify"));
    let root = sandbox.path().to_str().unwrap().to_owned();
    for part in ["1", "2"] {
        let variables =
            [("CI_NODE_INDEX", part), ("CI_NODE_TOTAL", "2"), ("CI_PIPELINE_ID", "7"), ("GITLAB_CI", "true")];
        let (code, said) = play(&sandbox, &script(verify), &variables);
        assert_eq!(code, 0, "{said}");
    }
    let variables = [("CI_PROJECT_DIR", &*root), ("GITLAB_CI", "true")];
    let files = ["mustdo.html", "mustdo.xml"];
    merged(&sandbox, play(&sandbox, &script(report), &variables), &files);
    let quality: serde_json::Value = serde_json::from_str(&sandbox.read("shop/mustdo.json")).unwrap();
    assert_eq!(quality.as_array().unwrap().len(), 1, "{quality}");
}

#[test]
fn one_script_is_not_divided() {
    let sandbox = Sandbox::workspace();
    let printed = sandbox.run(&["ci", "init", "generic", "--jobs", "2"]).ends(2);
    assert!(printed.stderr.contains("--partition INDEX/COUNT"), "{}", printed.stderr);
    for count in ["0", "257", "x"] {
        sandbox.run(&["ci", "init", "github", "--print", "--jobs", count]).ends(2);
    }
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
        let (sandbox, job) = with_job(server, path, &[]);
        insta::assert_snapshot!(format!("job-{server}"), job);
        if server != "generic" {
            document(&job);
        }
        let mut shell = shell(&sandbox, "sh");
        shell.envs(variables.iter().copied());
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
