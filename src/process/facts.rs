//! What the system tells of a process.

use std::time::Duration;

/// One process; zero or empty where the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Its number.
    pub pid: u32,
    /// The number of the process that it is a child of.
    pub parent: u32,
    /// Its command line, words separated by spaces; its name in brackets where it has none.
    pub command: String,
    /// Threads.
    pub threads: u32,
    /// Bytes of memory that it has now.
    pub resident: u64,
    /// The most that it ever had.
    pub peak_resident: u64,
    /// Time that it computed in its own code.
    pub user: Duration,
    /// Time that the kernel worked for it.
    pub system: Duration,
    /// Open descriptors.
    pub open_files: u32,
    /// One letter, as in proc(5); empty where the system does not tell.
    pub state: String,
    /// Both times of children that have ended and were waited for, and of theirs.
    pub ended_children: Duration,
    /// How long the threads that it has now were ready to run and had no processor; none where the system does not tell.
    pub waited: Option<Duration>,
}

/// A TCP socket of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// The state as RFC 9293 and netstat(8) name it: `LISTEN`, `CLOSE_WAIT`.
    pub state: &'static str,
    /// Its own port.
    pub local_port: u16,
    /// The port at the other end; zero where there is none.
    pub peer_port: u16,
}
