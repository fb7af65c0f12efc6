//! What `/proc` tells.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use procfs_core::net::{TcpNetEntries, TcpState, UdpNetEntries};
use procfs_core::process::{Schedstat, Stat, Status};
use procfs_core::{ExplicitSystemInfo, FromRead as _, FromReadSI};
use rustix::fs::{Mode, OFlags};

use super::Row;
use crate::process::{Facts, ProcessId, Socket};

/// Bytes of a command line that are worth keeping: an argument may be a whole program.
const COMMAND_BYTES: u64 = 4 << 10;

/// The row of one process.
pub(super) fn row(pid: u32) -> Option<Row> {
    let stat = Stat::from_read(File::open(format!("/proc/{pid}/stat")).ok()?).ok()?;
    Some(row_of(&stat))
}

/// Every process that can be seen.
pub(super) fn rows() -> Option<Vec<Row>> {
    let rows: Vec<Row> = pids()?.filter_map(row).collect();
    (!rows.is_empty()).then_some(rows)
}

fn pids() -> Option<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc").ok()?;
    Some(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

fn row_of(stat: &Stat) -> Row {
    let number = |number: i32| u32::try_from(number).unwrap_or(0);
    Row {
        id: ProcessId { pid: number(stat.pid), began: stat.starttime },
        parent: number(stat.ppid),
        group: number(stat.pgrp),
        session: number(stat.session),
        // Zombie, and the two letters that kernels have had for what is about to vanish.
        dead: matches!(stat.state, 'Z' | 'X' | 'x'),
    }
}

/// The folder of one process. What is read through it is of this very process, or an error.
struct Entry {
    folder: OwnedFd,
    stat: Stat,
}

impl Entry {
    fn open(id: ProcessId) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(format!("/proc/{}", id.pid), flags, Mode::empty()).ok()?;
        let stat = Stat::from_read(file(&folder, "stat")?).ok()?;
        (row_of(&stat).id == id).then_some(Self { folder, stat })
    }

    fn file(&self, name: &str) -> Option<File> {
        file(&self.folder, name)
    }

    /// The names below its `fd`: one for each open descriptor. None where the system keeps them from us.
    fn descriptors(&self) -> Option<(OwnedFd, Vec<std::ffi::CString>)> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.folder, "fd", flags, Mode::empty()).ok()?;
        let names = rustix::fs::Dir::read_from(&folder).ok()?.filter_map(|entry| {
            let name = entry.ok()?.file_name().to_owned();
            name.to_bytes().first().is_some_and(u8::is_ascii_digit).then_some(name)
        });
        let names = names.collect();
        Some((folder, names))
    }

    fn inodes(&self) -> Vec<u64> {
        let Some((folder, names)) = self.descriptors() else { return vec![] };
        let inode = |name: &std::ffi::CString| {
            let link = rustix::fs::readlinkat(&folder, name.as_c_str(), Vec::new()).ok()?;
            link.to_str().ok()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        };
        names.iter().filter_map(inode).collect()
    }

    /// The run-queue delay of all its threads (`schedstat`, as the kernel's `Documentation/scheduler/sched-stats.rst` has it).
    fn waited(&self) -> Option<Duration> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let threads = rustix::fs::openat(&self.folder, "task", flags, Mode::empty()).ok()?;
        let delay = |thread: &str| {
            let stat = Schedstat::from_read(file(&threads, &format!("{thread}/schedstat"))?).ok()?;
            Some(Duration::from_nanos(stat.run_delay))
        };
        let names = rustix::fs::Dir::read_from(&threads).ok()?.flatten();
        let delays = names.filter_map(|entry| delay(entry.file_name().to_str().ok()?));
        // A thread that ends meanwhile is left out; where none tells, the system does not.
        delays.reduce(|sum, delay| sum + delay)
    }

    fn command(&self) -> String {
        let mut bytes = vec![];
        let read =
            self.file("cmdline").and_then(|file| file.take(COMMAND_BYTES).read_to_end(&mut bytes).ok());
        if read.is_none() || bytes.is_empty() {
            return format!("[{}]", self.stat.comm);
        }
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
    }
}

fn file(folder: &OwnedFd, name: &str) -> Option<File> {
    rustix::fs::openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(File::from).ok()
}

/// The facts of one process; none where it is gone.
pub(super) fn facts(id: ProcessId) -> Option<Facts> {
    let entry = Entry::open(id)?;
    let stat = &entry.stat;
    let peak = entry.file("status").and_then(|file| Status::from_read(file).ok()?.vmhwm);
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let time = |ticks: u64| Duration::from_nanos(ticks.saturating_mul(tick));
    let resident = stat.rss.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(0));
    Some(Facts {
        pid: id.pid,
        parent: row_of(stat).parent,
        command: entry.command(),
        threads: u32::try_from(stat.num_threads).unwrap_or(0),
        resident,
        // The kernel brings the two up to date at different moments.
        peak_resident: peak.map_or(0, |kibibytes| kibibytes.saturating_mul(1 << 10).max(resident)),
        user: time(stat.utime),
        system: time(stat.stime),
        open_files: entry
            .descriptors()
            .map_or(0, |(_, names)| u32::try_from(names.len()).unwrap_or(u32::MAX)),
        state: stat.state.to_string(),
        ended_children: time([stat.cutime, stat.cstime].map(i64::unsigned_abs).into_iter().sum()),
        waited: entry.waited(),
    })
}

/// The numbers of the sockets that a process holds.
pub(super) fn inodes(id: ProcessId) -> Vec<u64> {
    Entry::open(id).map(|entry| entry.inodes()).unwrap_or_default()
}

/// The TCP sockets among `held`, as the network of process `id` lists them.
pub(super) fn sockets(id: ProcessId, held: &BTreeSet<u64>) -> Vec<Socket> {
    let Some(entry) = Entry::open(id) else { return vec![] };
    let tables = ["net/tcp", "net/tcp6"].into_iter().filter_map(|name| entries(entry.file(name)?));
    tables
        .flat_map(|TcpNetEntries(rows)| rows)
        .filter(|row| held.contains(&row.inode))
        .map(|row| Socket {
            state: word(&row.state),
            local_port: row.local_address.port(),
            peer_port: row.remote_address.port(),
        })
        .collect()
}

/// A socket that something can be sent to: where it is bound, and its number.
pub(in crate::process) struct Bound {
    pub(in crate::process) address: SocketAddr,
    pub(in crate::process) inode: u64,
}

/// The sockets of this machine that listen for connections, or receive datagrams from anybody.
pub(in crate::process) fn bound(datagrams: bool) -> Vec<Bound> {
    if datagrams {
        let tables = ["/proc/net/udp", "/proc/net/udp6"].into_iter();
        let tables = tables.filter_map(|path| entries(File::open(path).ok()?));
        let rows = tables.flat_map(|UdpNetEntries(rows)| rows);
        // A connected socket hears its peer only.
        let open = rows.filter(|row| row.remote_address.port() == 0);
        return open.map(|row| Bound { address: row.local_address, inode: row.inode }).collect();
    }
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter();
    let tables = tables.filter_map(|path| entries(File::open(path).ok()?));
    let rows = tables.flat_map(|TcpNetEntries(rows)| rows);
    let listening = rows.filter(|row| row.state == TcpState::Listen);
    listening.map(|row| Bound { address: row.local_address, inode: row.inode }).collect()
}

/// The processes that hold one of these sockets, as far as the system shows them.
pub(in crate::process) fn holders(inodes: &BTreeSet<u64>) -> Vec<Row> {
    let rows = rows().unwrap_or_default();
    let holds = |row: &Row| self::inodes(row.id).iter().any(|inode| inodes.contains(inode));
    rows.into_iter().filter(holds).collect()
}

/// Whether a process runs as the user that mustdo runs as.
pub(in crate::process) fn is_ours(id: ProcessId) -> bool {
    let status = Entry::open(id).and_then(|entry| Status::from_read(entry.file("status")?).ok());
    let (real, effective) = (rustix::process::getuid().as_raw(), rustix::process::geteuid().as_raw());
    status.is_some_and(|status| status.ruid == real && status.euid == effective)
}

fn entries<T: FromReadSI>(file: File) -> Option<T> {
    let system = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: rustix::param::clock_ticks_per_second(),
        page_size: u64::try_from(rustix::param::page_size()).unwrap_or(0),
        is_little_endian: cfg!(target_endian = "little"),
    };
    T::from_read(file, &system).ok()
}

fn word(state: &TcpState) -> &'static str {
    match state {
        TcpState::Established => "ESTABLISHED",
        TcpState::SynSent => "SYN_SENT",
        TcpState::SynRecv | TcpState::NewSynRecv => "SYN_RECV",
        TcpState::FinWait1 => "FIN_WAIT1",
        TcpState::FinWait2 => "FIN_WAIT2",
        TcpState::TimeWait => "TIME_WAIT",
        TcpState::Close => "CLOSE",
        TcpState::CloseWait => "CLOSE_WAIT",
        TcpState::LastAck => "LAST_ACK",
        TcpState::Listen => "LISTEN",
        TcpState::Closing => "CLOSING",
    }
}
