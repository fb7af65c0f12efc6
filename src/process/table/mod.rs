//! The system's table of processes and their sockets.
//!
//! Linux tells it in files below `/proc` (proc(5)); elsewhere only what POSIX has is known, and the rest is empty. A look
//! at the table is a look at what moves: what vanishes meanwhile is left out.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, ProcessId, Socket};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

pub(super) use system::{bound, holders, is_ours};

/// What every process has in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Which process.
    pub(super) id: ProcessId,
    /// Its parent's number.
    pub(super) parent: u32,
    /// Its process group.
    pub(super) group: u32,
    /// Its session.
    pub(super) session: u32,
    /// It has ended, and its parent has not asked how.
    pub(super) dead: bool,
}

/// When the process of this number began; none where there is none.
pub(super) fn began(pid: u32) -> Option<u64> {
    system::row(pid).map(|row| row.id.began)
}

/// Whether this process exists and has not ended.
pub(super) fn runs(id: ProcessId) -> bool {
    system::row(id.pid).is_some_and(|row| row.id == id && !row.dead)
}

/// Every process, in no order; none where the system does not tell.
pub(super) fn rows() -> Option<Vec<Row>> {
    system::rows()
}

/// The processes below `root`, itself left out, parents first; empty where the system does not tell.
pub(super) fn below(root: u32) -> Vec<Row> {
    let Some(rows) = rows() else { return vec![] };
    let mut children: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for row in rows {
        children.entry(row.parent).or_default().push(row);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    // Each parent's children are taken once, so a table that changed while it was read can not make a circle.
    let mut next = 0;
    while next < found.len() {
        found.extend(children.remove(&found[next].id.pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Whether `process` is `root` or was started below it. False where the system does not tell.
#[must_use]
pub fn is_below(process: ProcessId, root: u32) -> bool {
    process.pid == root || below(root).iter().any(|row| row.id == process)
}

/// What the system tells of these processes, in their order; those that are gone are left out.
#[must_use]
pub fn facts(ids: &[ProcessId]) -> Vec<Facts> {
    ids.iter().filter_map(|&id| system::facts(id)).collect()
}

/// The TCP sockets that these processes hold, each once.
#[must_use]
pub fn sockets(ids: &[ProcessId]) -> Vec<Socket> {
    let held: BTreeSet<u64> = ids.iter().flat_map(|&id| system::inodes(id)).collect();
    ids.first().map(|&first| system::sockets(first, &held)).unwrap_or_default()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let below = below(self.0.id());
            drop(self.0.kill());
            drop(self.0.wait());
            for row in below {
                drop(row.id.signal(rustix::process::Signal::KILL));
            }
        }
    }

    /// Starts python, and reads the line that it prints.
    fn python(script: &str) -> (Killed, ProcessId, String) {
        let mut child = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        (Killed(child), id, line.trim().to_owned())
    }

    #[test]
    fn tree_is_told_with_parents_first() {
        let script = "
import os, threading, time
memory = bytearray(64 << 20); del memory
files = [open('/dev/null') for _ in range(50)]
if os.fork() == 0:
    os.fork(); time.sleep(60)
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
end = time.process_time() + 0.1
while time.process_time() < end: pass
print(len(os.listdir('/proc/self/fd')), flush=True)
time.sleep(60)";
        let (_child, id, files) = python(script);
        // What it printed is here before it sleeps.
        let begun = std::time::Instant::now();
        while facts(&[id])[0].state != "S" && begun.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        let tree = id.tree();
        let facts = facts(&tree);
        assert_eq!((tree.len(), facts.len(), tree[0]), (3, 3, id));
        assert_eq!((facts[0].parent, facts[1].parent), (std::process::id(), id.pid));
        assert_eq!(facts[2].parent, facts[1].pid);
        assert_eq!((facts[0].threads, facts[1].threads), (2, 1));
        assert!(facts[0].command.contains("python3 -c \nimport os"), "{}", facts[0].command);
        // What lists the folder has it open itself.
        let files: u32 = files.parse().unwrap();
        assert!(facts[0].open_files >= 50 && files.abs_diff(facts[0].open_files) <= 1, "{facts:?}");
        assert!(facts[0].resident > 1 << 20 && facts[0].peak_resident > 64 << 20, "{facts:?}");
        assert!(facts[0].peak_resident > facts[0].resident);
        assert!(facts[0].user + facts[0].system >= std::time::Duration::from_millis(80), "{facts:?}");
        assert_eq!(facts[0].state, "S");
        assert!(is_below(tree[2], id.pid) && !is_below(id, tree[2].pid));
    }

    #[test]
    fn what_ended_children_used_counts_once_they_were_waited_for() {
        let script = "
import os, time
child = os.fork()
if child == 0:
    end = time.process_time() + 0.3
    while time.process_time() < end: pass
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print('ended', flush=True)
os.waitpid(child, 0)
time.sleep(60)";
        let (_child, id, _) = python(script);
        let begun = std::time::Instant::now();
        // What started Python may have had children of its own.
        let ended = || facts(&[id])[0].ended_children;
        let enough = std::time::Duration::from_millis(280);
        while ended() < enough && begun.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        assert!(ended() >= enough, "{:?}", ended());
    }

    #[test]
    fn who_spins_beside_others_on_one_processor_waits_for_it() {
        let script = "
import os, time
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
for _ in range(2):
    if os.fork() == 0:
        while True: pass
print('begun', flush=True)
time.sleep(60)";
        let (_child, id, _) = python(script);
        let begun = std::time::Instant::now();
        let waited = || facts(&id.tree()[1..]).iter().filter_map(|facts| facts.waited).collect::<Vec<_>>();
        let enough = std::time::Duration::from_millis(300);
        while waited().iter().any(|waited| *waited < enough) && begun.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let waited = waited();
        assert!(waited.len() == 2 && waited.iter().all(|waited| *waited >= enough), "{waited:?}");
    }

    #[test]
    fn sockets_are_told_by_state_and_only_of_these_processes() {
        let script = "
import socket, time
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
one, _ = server.accept()
two, _ = server.accept()
two.recv(1)
time.sleep(60)";
        let (_child, id, port) = python(script);
        let port: u16 = port.parse().unwrap();
        let open = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let closed = TcpStream::connect(("127.0.0.1", port)).unwrap();
        closed.shutdown(std::net::Shutdown::Write).unwrap();
        let mut states = vec![];
        for _ in 0..500 {
            let mut seen = sockets(&[id]);
            seen.sort_by_key(|socket| (socket.state, socket.peer_port));
            assert!(seen.iter().all(|socket| socket.local_port == port));
            states = seen.iter().map(|socket| (socket.state, socket.peer_port)).collect();
            if states.len() == 3 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let far = |stream: &TcpStream| stream.local_addr().unwrap().port();
        assert_eq!(states, [("CLOSE_WAIT", far(&closed)), ("ESTABLISHED", far(&open)), ("LISTEN", 0)]);
        assert_eq!(sockets(&[]), []);
    }

    #[test]
    fn process_that_has_ended_has_no_facts() {
        let mut child = Command::new("true").spawn().unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        child.wait().unwrap();
        assert!(facts(&[id]).is_empty() && id.tree().is_empty() && sockets(&[id]).is_empty());
    }
}
