//! Which processes scripts have started, and which of them are left.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Whether a process runs; one that has ended and is not yet cleared away does not.
pub(super) fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The process ids that scripts have written to `path`, once there are `count`.
pub(super) fn pids(path: &Path, count: usize) -> Vec<u32> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let pids: Vec<u32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        if pids.len() >= count && text.ends_with('\n') {
            return pids;
        }
        assert!(Instant::now() < end, "{} holds {text:?}", path.display());
        sleep(Duration::from_millis(10));
    }
}

pub(super) fn all_end(pids: &[u32]) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(|&pid| runs(pid)) {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}

/// Says its own process ids in `path`: of a script, of a child that ignores what it is asked, and of one that has detached
/// itself twice over, in sessions of their own.
pub(super) fn escape_artists(path: &Path) -> String {
    let path = path.display();
    let stubborn = format!("trap \"\" TERM HUP INT; echo $$ >>{path}; while :; do sleep 1; done");
    format!(
        "setsid setsid sh -c '{stubborn}' & (setsid sh -c '({stubborn}) & exit 0' &) ; sh -c '{stubborn}' & \
         echo $$ >>{path}; wait"
    )
}

/// Three scripts write their ids; the subshell of the second has the id of its shell, which has ended, so it is found by
/// what it does: nothing may run that has the file's path in its command line.
pub(super) fn anybody_left(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let commands = fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read_to_string(process.path().join("cmdline")).ok()?;
        (pid != std::process::id() && line.contains(path) && runs(pid)).then(|| format!("{pid} {line}"))
    });
    commands.collect()
}

pub(super) fn nobody_left(path: &Path) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while !anybody_left(path).is_empty() {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}
