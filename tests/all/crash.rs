//! Progress survives whatever ends the program: a kill at any step or moment, a limit, a full disk.
//!
//! What stands in the file afterwards is what stood there before or what was to be written, never a part, and the next command
//! works as if nothing had happened.

#[cfg(feature = "live-servers")]
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use mustdo::syntax::{Source, read_progress};

use crate::sandbox::Sandbox;

const FILE: &str = "progress/ground.toml";

/// A workspace with so much recorded that a draft takes several writes, and what changes it.
struct Victim {
    sandbox: Sandbox,
    notes: usize,
}

impl Victim {
    fn new() -> Self {
        let sandbox = Sandbox::workspace();
        let long = "a note that is long enough to fill more than one buffer; ".repeat(400);
        sandbox.run(&["tick", "ground.tcp", "--note", &long]).ends(0);
        sandbox.run(&["tick", "ground.http", "--note", "note number 0"]).ends(0);
        Self { sandbox, notes: 0 }
    }

    /// A command line that writes something new: first the program that is to run it, if that is not mustdo itself.
    fn tick(&mut self, around: &[&str]) -> (Command, String) {
        self.notes += 1;
        let note = format!("note number {}", self.notes);
        let tick = [env!("CARGO_BIN_EXE_mustdo"), "tick", "ground.http", "--note", &note];
        let line = [around, &tick].concat();
        let mut command = self.sandbox.command(line[0]);
        command.args(&line[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        (command, note)
    }

    /// Holds the file against what stood there before; whether the new note is there.
    fn held(&self, before: &str, note: &str) -> bool {
        let after = self.sandbox.read(FILE);
        let read = read_progress(&Source::new(FILE, after.clone()));
        assert!(read.diagnostics.is_empty() && read.value.is_some(), "torn:\n{after}");
        if after == before {
            return false;
        }
        assert!(after.contains(note), "neither the old file nor the new one:\n{after}");
        assert_eq!(after.len() - note.len(), before.len() - known(before), "another part changed");
        true
    }

    /// Nothing is left that keeps the next command from its work, and what it leaves behind is only drafts.
    fn recovers(&mut self) {
        let (mut command, note) = self.tick(&[]);
        assert!(command.status().unwrap().success());
        assert!(self.sandbox.read(FILE).contains(&note));
        self.sandbox.run(&["lint"]).ends(0);
        let strange =
            |name: &String| !name.contains("/.mustdo-") && name.starts_with("progress/") && name != FILE;
        assert!(!self.sandbox.files().iter().any(strange), "{:?}", self.sandbox.files());
    }

    /// Takes away what killed processes left, as a learner would who sees it in `git status`.
    fn swept(&self) -> usize {
        let drafts: Vec<_> =
            self.sandbox.files().into_iter().filter(|name| name.contains("/.mustdo-")).collect();
        for draft in &drafts {
            std::fs::remove_file(self.sandbox.path().join(draft)).unwrap();
        }
        drafts.len()
    }
}

/// How long the note is that stands there.
fn known(text: &str) -> usize {
    const BEGIN: &str = "note number ";
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).count();
    text.split_once(BEGIN).map_or(0, |(_, rest)| BEGIN.len() + digits(rest))
}

fn killed(status: ExitStatus) -> bool {
    status.signal().is_some()
}

#[test]
fn kill_at_any_moment_leaves_the_old_file_or_the_new_one() {
    /// Kills, both threads together.
    const KILLS: usize = 500;
    let tear = |seed: u64| {
        let mut victim = Victim::new();
        let (mut command, first) = victim.tick(&[]);
        let began = Instant::now();
        assert!(command.status().unwrap().success());
        let mut whole = began.elapsed();
        assert!(victim.sandbox.read(FILE).contains(&first));
        let (mut torn, mut new, mut state) = (0, 0, seed);
        while torn < KILLS / 2 {
            // A generator of Knuth's (MMIX): any moments will do, and the same every time.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let before = victim.sandbox.read(FILE);
            let (mut command, note) = victim.tick(&[]);
            let mut child = command.spawn().unwrap();
            thread::sleep(
                whole.mul_f64(f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31) * 1.1),
            );
            child.kill().unwrap();
            let caught = killed(child.wait().unwrap());
            torn += usize::from(caught);
            // A machine is busier now than later: where most processes are killed they would live longer, and the other way.
            whole = whole.mul_f64(if caught { 1.03 } else { 0.9 });
            new += usize::from(victim.held(&before, &note));
        }
        victim.recovers();
        victim.swept();
        new
    };
    let new = thread::scope(|scope| {
        let other = scope.spawn(|| tear(2));
        tear(1) + other.join().unwrap()
    });
    assert!(new > 0, "no process lived long enough to write");
}

#[test]
fn limit_in_the_middle_of_a_write_leaves_the_old_file_and_a_word() {
    let mut victim = Victim::new();
    let before = victim.sandbox.read(FILE);
    // In blocks of 512 bytes, below what the file takes.
    let blocks = before.len() / 512;
    assert!(blocks > 20);
    for blocks in (0..blocks).step_by(5) {
        // With the signal the process is killed while it writes; without it the write fails, as on a full disk.
        for trap in ["", "trap '' XFSZ; "] {
            let limit = format!("{trap}ulimit -f {blocks}; exec \"$@\"");
            let (mut command, note) = victim.tick(&["sh", "-c", &limit, "sh"]);
            let output = command.stderr(Stdio::piped()).output().unwrap();
            assert!(!output.status.success(), "the limit of {blocks} blocks is no limit");
            assert_eq!(killed(output.status), trap.is_empty());
            assert!(!victim.held(&before, &note));
            if !trap.is_empty() {
                let words = String::from_utf8(output.stderr).unwrap();
                assert!(words.contains("can not write"), "{words}");
                assert_eq!(output.status.code(), Some(2));
            }
        }
    }
    assert!(victim.swept() > 0, "a process that was killed while it wrote leaves its draft");
    victim.recovers();
    assert_eq!(victim.swept(), 0, "a write that failed leaves nothing");
}

/// Calls that change something on a disk, and those that end a change.
#[cfg(feature = "live-servers")]
const STEPS: [&str; 16] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "fchmod",
    "chmod",
    "ftruncate",
    "unlink",
    "unlinkat",
    "flock",
    "close",
];

#[cfg(feature = "live-servers")]
#[test]
fn kill_before_every_single_step_leaves_the_old_file_or_the_new_one() {
    let mut victim = Victim::new();
    let (mut kills, mut new) = (BTreeMap::new(), 0);
    for call in STEPS {
        for step in 1.. {
            let inject = format!("inject={call}:signal=KILL:when={step}");
            let trace = format!("trace={call}");
            let before = victim.sandbox.read(FILE);
            let (mut command, note) =
                victim.tick(&["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
            let status = command.status().unwrap();
            new += usize::from(victim.held(&before, &note));
            if status.success() {
                break;
            }
            assert!(killed(status), "{call} {step}: {status:?}");
            *kills.entry(call).or_insert(0) += 1;
        }
    }
    let at = |calls: &[&str]| calls.iter().filter_map(|call| kills.get(call)).sum::<i32>();
    // The draft is written in several pieces, waited for, put in place, and the folder is waited for.
    assert!(at(&["write"]) > 1 && at(&["fsync", "fdatasync"]) > 1, "{kills:?}");
    assert!(at(&["rename", "renameat", "renameat2"]) > 0 && at(&["openat"]) > 1, "{kills:?}");
    assert!(new > 0, "no process lived long enough to write");
    victim.recovers();
    victim.swept();
}

#[cfg(feature = "live-servers")]
#[test]
fn full_disk_leaves_the_old_file_and_a_word() {
    // A file system of its own that is full but for a few blocks, in a name space of its own.
    let script = r#"
        set -e
        mount -t tmpfs -o size=256k tmpfs "$PWD"
        cd "$PWD"
        git init --quiet . && "$0" init --quiet
        "$0" tick ground.tcp --note "$(head -c 20000 /dev/zero | tr '\0' x)"
        cp progress/ground.toml "$1"
        dd if=/dev/zero of=ballast bs=1k 2>/dev/null || true
        if "$0" tick ground.http --note more 2> "$2"; then exit 9; fi
        cmp progress/ground.toml "$1"
        ls -A progress
        rm ballast
        "$0" tick ground.http --note more > /dev/null
        grep -q more progress/ground.toml
    "#;
    let sandbox = Sandbox::empty();
    let notes = [sandbox.path().join("../copy"), sandbox.path().join("../words")];
    let output = sandbox
        .command("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_mustdo")])
        .args(&notes)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{told}", output.status);
    let left: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(left.last().map(String::as_str), Some("ground.toml"), "no draft is left: {left:?}");
    let words = std::fs::read_to_string(&notes[1]).unwrap();
    assert!(words.contains("can not write") && words.contains("No space left"), "{words}");
}
