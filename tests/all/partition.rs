//! One run on several machines, and its results put together.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::sandbox::Sandbox;
use crate::verify::{REPEAT, shop};

/// One that passes, one that fails, one that can not tell, one that is not bound, and one without a check.
const SELECTION: [&str; 5] =
    ["frontend.idempotent-request", REPEAT, "must-do.xss", "idempotence.unique-key", "frontend.cdn"];

const FORMATS: [&str; 8] = ["table", "markdown", "json", "junit", "sarif", "github", "gitlab", "badge"];

/// A sandbox whose workspace is committed, and has `clones` clones of the same name beside it.
struct Machines {
    sandbox: Sandbox,
    clones: Vec<PathBuf>,
}

impl Machines {
    fn new(settings: &str, clones: usize) -> Self {
        let sandbox = Sandbox::workspace();
        sandbox.write("mustdo.toml", settings);
        sandbox.git(&["add", "."]);
        sandbox.git(&["commit", "--quiet", "-m", "shop"]);
        let clones = (0..clones).map(|number| {
            let clone = sandbox.path().parent().unwrap().join(format!("machine-{number}/work"));
            sandbox.git(&["clone", "--quiet", ".", clone.to_str().unwrap()]);
            clone
        });
        Self { clones: clones.collect(), sandbox }
    }

    fn command(&self, clone: usize, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        command.current_dir(&self.clones[clone]).args(arguments);
        command
    }

    /// How a command ended in a clone, and what it printed.
    #[track_caller]
    fn ends(&self, clone: usize, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.command(clone, arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
        (stdout, stderr)
    }

    /// Where a partition's result goes.
    fn result(&self, index: usize) -> String {
        self.sandbox.path().join(format!("../result-{index}.toml")).to_str().unwrap().to_owned()
    }

    /// Begins a partition in the clone of its number.
    fn begin(&self, index: usize, of: usize) -> Child {
        let (partition, result) = (format!("{index}/{of}"), self.result(index));
        let mut arguments = vec!["verify", "--seed", "7", "--partition", &partition, "--result", &result];
        arguments.extend(SELECTION);
        self.command(index, &arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Lets every check have taken the same time, also in its evidence, which tells of each request how long it took: no two runs
/// do.
fn equally_long(file: &str) {
    let text = fs::read_to_string(file).unwrap();
    let line = |line: &str| match line.split_once("size = ") {
        Some((before, after)) if after.contains("digest = ") => {
            let (_, end) = after.rsplit_once('"').unwrap();
            format!("{before}size = 5, digest = \"sha256:{}\"{end}", "5".repeat(64))
        }
        _ if line.starts_with("millis = ") => "millis = 5".to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<_> = text.lines().map(line).collect();
    fs::write(file, lines.join("\n") + "\n").unwrap();
}

#[test]
fn four_processes_in_four_clones_give_the_report_of_one_run() {
    let machines = Machines::new(&shop(Some("repeat-effect/put-appends")), 6);
    let begun: Vec<Child> = (1..=4).map(|index| machines.begin(index, 4)).collect();
    let codes: Vec<_> = begun.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let codes: Vec<_> = codes.iter().map(|output| output.status.code().unwrap()).collect();
    assert!(
        codes.contains(&1) && codes.contains(&3) && codes.iter().all(|code| [0, 1, 3].contains(code)),
        "{codes:?}"
    );
    let mut alone = vec!["verify", "--seed", "7"];
    alone.extend(SELECTION);
    machines.ends(0, 1, &alone);

    for index in 1..=4 {
        equally_long(&machines.result(index));
        assert!(!machines.clones[index].join("progress").exists(), "merge records, and nobody else");
    }
    let mut files: Vec<_> =
        fs::read_dir(machines.clones[0].join("progress")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        equally_long(file.to_str().unwrap());
    }
    // In whatever order, one hour later, on a machine that took no part.
    let results: Vec<_> = [3, 1, 4, 2].iter().map(|&index| machines.result(index)).collect();
    for format in FORMATS {
        let mut merge = vec!["merge", "--no-record", "--items", "--report", format];
        merge.extend(results.iter().map(String::as_str));
        let mut command = machines.command(5, &merge);
        let output = command.env("MUSTDO_NOW", "2026-06-01T13:00:00Z").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let mut report = vec!["report", "--items", "--format", format];
        report.extend(SELECTION);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), machines.ends(0, 1, &report).0, "{format}");
    }
    assert!(!machines.clones[5].join("progress").exists());

    // What merge records is what the one run recorded.
    let mut merge = vec!["merge"];
    merge.extend(results.iter().map(String::as_str));
    machines.ends(5, 1, &merge);
    for file in &files {
        let other = machines.clones[5].join("progress").join(file.file_name().unwrap());
        assert_eq!(
            fs::read_to_string(file).unwrap(),
            fs::read_to_string(other).unwrap(),
            "{}",
            file.display()
        );
    }
    // It is not what the results began from any more.
    let (_, stderr) = machines.ends(5, 2, &merge);
    assert!(stderr.contains("it began from other progress than this workspace"), "{stderr}");
}

#[test]
fn results_that_are_not_those_of_one_run_are_refused() {
    let machines = Machines::new("", 4);
    let part = |clone: usize, partition: &str, result: usize| {
        let result = machines.result(result);
        let arguments = ["verify", "must-do.*", "--partition", partition, "--result", &result];
        let code = machines.command(clone, &arguments).output().unwrap().status.code();
        assert!(matches!(code, Some(0 | 3)), "{code:?}");
    };
    let merged = |results: &[usize], code: i32| {
        let results: Vec<_> = results.iter().map(|&index| machines.result(index)).collect();
        let mut arguments = vec!["merge"];
        arguments.extend(results.iter().map(String::as_str));
        machines.ends(0, code, &arguments).1
    };
    part(0, "1/2", 1);
    part(0, "2/2", 2);
    // Nothing is bound, so nothing ran in any of them: that is no success.
    merged(&[1, 2], 3);
    assert!(merged(&[1], 2).contains("a partition is missing: 2/2"));
    assert!(merged(&[1, 2, 1], 2).contains("are both partition 1/2"));

    let settings =
        |clone: usize, text: &str| fs::write(machines.clones[clone].join("mustdo.toml"), text).unwrap();
    settings(1, "[policy]\nreadiness = 1\n");
    part(1, "2/2", 3);
    let told = merged(&[1, 3], 2);
    assert!(
        told.contains("its policy is another than that of") && told.contains("mustdo.toml are others"),
        "{told}"
    );
    settings(2, "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\n");
    part(2, "2/2", 4);
    let told = merged(&[1, 4], 2);
    assert!(told.contains("mustdo.toml are others") && !told.contains("policy"), "{told}");
    machines.ends(3, 0, &["tick", "must-do.xss"]);
    part(3, "2/2", 5);
    assert!(merged(&[1, 5], 2).contains("it began from other progress than"));
    // All of them elsewhere are none of here.
    part(3, "1/2", 6);
    assert!(merged(&[5, 6], 2).contains("was not made here"));

    let broken = machines.result(7);
    fs::write(&broken, "format = 1\npartition = \"3/2\"\n").unwrap();
    let told = merged(&[1, 7], 2);
    assert!(told.contains("E0108") && told.contains("E0104"), "{told}");
    fs::write(&broken, "format = 2\n").unwrap();
    assert!(merged(&[1, 7], 2).contains("E0102"));
}

#[test]
fn partition_says_what_can_not_be_said_beside_it() {
    let sandbox = Sandbox::workspace();
    for arguments in [&["--report", "json"][..], &["--commit"], &["--items"]] {
        let mut all = vec!["verify", "--partition", "1/2"];
        all.extend(arguments);
        assert!(sandbox.run(&all).ends(2).stderr.contains("--partition"));
    }
    let told = sandbox.run(&["verify", "--partition", "3/2"]).ends(2).stderr;
    assert!(told.contains("\"1/4\" is the first of four"), "{told}");
}
