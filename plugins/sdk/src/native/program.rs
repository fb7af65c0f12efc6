//! Real programs for the native double, each in a process group of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{self, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process_group};

use super::failure;
use crate::Failure;
use crate::process::{Command, Exit, Facts, Program, Signal, Socket, Stream};

/// How often the end of a process is looked for.
const LOOK: Duration = Duration::from_millis(2);

/// How long a service has for listening the first time.
const READY: Duration = Duration::from_secs(20);

/// Bytes read from a pipe at once, and pieces of them that wait for the check.
const CHUNK: usize = 64 << 10;
const PIECES: usize = 16;

type Start = Rc<dyn Fn() -> process::Command>;

/// What a test gave, and the services that run.
#[derive(Default, Clone)]
pub(super) struct Programs {
    commands: HashMap<String, Start>,
    services: Rc<RefCell<HashMap<String, Service>>>,
}

struct Service {
    start: Start,
    address: SocketAddr,
    running: Rc<Running>,
}

impl fmt::Debug for Programs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.commands.keys()).entries(self.services.borrow().keys()).finish()
    }
}

impl Programs {
    pub(super) fn register(&mut self, target: &str, start: impl Fn() -> process::Command + 'static) {
        self.commands.insert(target.to_owned(), Rc::new(start));
    }

    pub(super) fn serve(
        &self,
        target: &str,
        address: SocketAddr,
        start: impl Fn() -> process::Command + 'static,
    ) -> Result<(), Failure> {
        let running = Running::listening(start(), address, READY)?;
        let service = Service { start: Rc::new(start), address, running: Rc::new(running) };
        self.services.borrow_mut().insert(target.to_owned(), service);
        Ok(())
    }

    pub(super) fn start(
        &self,
        command: &Command,
        inside: Option<&Path>,
    ) -> Result<Box<dyn Program>, Failure> {
        let start = self.commands.get(&command.target);
        let mut ready = start.ok_or_else(|| Failure::Unbound(command.target.clone()))?();
        ready.args(&command.arguments).envs(command.environment.iter().cloned());
        if let Some(folder) = inside {
            ready.current_dir(folder);
        }
        Ok(Box::new(Rc::new(Running::start(ready)?)))
    }

    pub(super) fn attached(&self, target: &str) -> Result<Box<dyn Program>, Failure> {
        let services = self.services.borrow();
        let service = services.get(target).ok_or_else(|| Failure::Unbound(target.to_owned()))?;
        Ok(Box::new(Rc::clone(&service.running)))
    }

    pub(super) fn restart(&self, target: &str, timeout: Duration) -> Result<Box<dyn Program>, Failure> {
        let mut services = self.services.borrow_mut();
        let service = services.get_mut(target).ok_or_else(|| Failure::Unbound(target.to_owned()))?;
        service.running.end();
        service.running = Rc::new(Running::listening((service.start)(), service.address, timeout)?);
        Ok(Box::new(Rc::clone(&service.running)))
    }
}

/// A process with its pipes; what is left of its group ends with it.
struct Running {
    child: Mutex<process::Child>,
    group: Pid,
    began: Instant,
    input: Mutex<Option<Input>>,
    output: [Receiver<Vec<u8>>; 2],
    /// What was read from a pipe and not asked for yet.
    rest: [RefCell<Vec<u8>>; 2],
}

struct Input {
    bytes: SyncSender<Vec<u8>>,
    written: Receiver<std::io::Result<()>>,
}

impl Running {
    fn start(mut command: process::Command) -> Result<Self, Failure> {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failure(&error))?;
        let group = Pid::from_child(&child);
        let input = child.stdin.take().map(writer);
        let output = [reader(child.stdout.take()), reader(child.stderr.take())];
        let began = Instant::now();
        Ok(Self {
            child: Mutex::new(child),
            group,
            began,
            input: Mutex::new(input),
            output,
            rest: Default::default(),
        })
    }

    fn listening(command: process::Command, address: SocketAddr, limit: Duration) -> Result<Self, Failure> {
        let running = Self::start(command)?;
        while TcpStream::connect(address).is_err() {
            if running.began.elapsed() > limit {
                return Err(Failure::TimedOut);
            }
            if running.ended()?.is_some() {
                return Err(Failure::Other("the program ended before it listened".to_owned()));
            }
            thread::sleep(LOOK);
        }
        Ok(running)
    }

    fn ended(&self) -> Result<Option<Exit>, Failure> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().map_err(|error| failure(&error))?;
        Ok(status.map(|status| Exit {
            code: status.code(),
            signal: status.signal(),
            wall: self.began.elapsed(),
        }))
    }

    /// Kills the group and waits for the process itself.
    fn end(&self) {
        // An error means that nobody is left.
        let _ = kill_process_group(self.group, rustix::process::Signal::KILL);
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }

    fn place(stream: Stream) -> usize {
        match stream {
            Stream::Stdout => 0,
            Stream::Stderr => 1,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Program for Rc<Running> {
    fn write_stdin(&self, bytes: &[u8], timeout: Duration) -> Result<(), Failure> {
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = || Failure::Other("its input is closed".to_owned());
        let Input { bytes: sender, written } = input.as_ref().ok_or_else(closed)?;
        sender.try_send(bytes.to_vec()).map_err(|error| match error {
            TrySendError::Full(_) => Failure::TimedOut,
            TrySendError::Disconnected(_) => closed(),
        })?;
        match written.recv_timeout(timeout) {
            Ok(done) => done.map_err(|error| failure(&error)),
            Err(RecvTimeoutError::Timeout) => Err(Failure::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(closed()),
        }
    }

    fn close_stdin(&self) {
        drop(self.input.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn read(&self, stream: Stream, max: u32, timeout: Duration) -> Result<Vec<u8>, Failure> {
        let place = Running::place(stream);
        let mut rest = self.rest[place].borrow_mut();
        if rest.is_empty() {
            match self.output[place].recv_timeout(timeout) {
                Ok(piece) => *rest = piece,
                Err(RecvTimeoutError::Timeout) => return Err(Failure::TimedOut),
                Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            }
        }
        let count = rest.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        Ok(rest.drain(..count).collect())
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        use rustix::process::Signal as System;
        // Its number may belong to somebody else by now.
        if self.ended()?.is_some() {
            return Err(Failure::Other("the process has ended".to_owned()));
        }
        let signal = match signal {
            Signal::Terminate => System::TERM,
            Signal::Interrupt => System::INT,
            Signal::Kill => System::KILL,
            Signal::Stop => System::STOP,
            Signal::Resume => System::CONT,
            Signal::HangUp => System::HUP,
            Signal::User1 => System::USR1,
            Signal::User2 => System::USR2,
        };
        kill_process_group(self.group, signal).map_err(|error| failure(&error.into()))
    }

    fn wait(&self, timeout: Duration) -> Result<Option<Exit>, Failure> {
        let began = Instant::now();
        loop {
            let ended = self.ended()?;
            if ended.is_some() || began.elapsed() >= timeout {
                return Ok(ended);
            }
            thread::sleep(LOOK);
        }
    }

    fn tree(&self) -> Result<Vec<Facts>, Failure> {
        Ok(system::tree(self.group))
    }

    fn sockets(&self) -> Result<Vec<Socket>, Failure> {
        Ok(system::sockets(self.group))
    }
}

/// A thread that writes what it is given, so that a program that does not read holds nobody up for ever.
fn writer(mut pipe: process::ChildStdin) -> Input {
    let (bytes, given) = sync_channel::<Vec<u8>>(1);
    let (done, written) = sync_channel(1);
    thread::spawn(move || {
        while let Ok(piece) = given.recv() {
            if done.send(pipe.write_all(&piece)).is_err() {
                break;
            }
        }
    });
    Input { bytes, written }
}

/// A thread that reads ahead a little; it ends with the pipe.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (pieces, output) = sync_channel(PIECES);
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if pieces.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    output
}

/// What Linux tells of a process.
#[cfg(target_os = "linux")]
mod system {
    use std::collections::HashSet;
    use std::time::Duration;

    use procfs::net::{tcp, tcp6};
    use procfs::process::{FDTarget, Process};
    use procfs::{page_size, ticks_per_second};
    use rustix::process::Pid;

    use crate::process::{Facts, Socket};

    /// The process and its descendants, parents first.
    pub(super) fn tree(root: Pid) -> Vec<Facts> {
        let mut found = Vec::new();
        let mut next = vec![root.as_raw_nonzero().get()];
        while let Some(process) = next.pop().and_then(|pid| Process::new(pid).ok()) {
            // Whoever ends meanwhile is no part of the tree any more.
            let Ok(stat) = process.stat() else { continue };
            for task in process.tasks().into_iter().flatten().flatten() {
                next.extend(
                    task.children().into_iter().flatten().filter_map(|child| i32::try_from(child).ok()),
                );
            }
            let ticks = |count: u64| Duration::from_millis(count * 1_000 / ticks_per_second().max(1));
            let number = |pid: i32| u32::try_from(pid).unwrap_or_default();
            let peak = process.status().ok().and_then(|status| status.vmhwm).unwrap_or_default();
            found.push(Facts {
                pid: number(stat.pid),
                parent: number(stat.ppid),
                command: stat.comm.clone(),
                threads: u32::try_from(stat.num_threads).unwrap_or_default(),
                resident: stat.rss * page_size(),
                peak_resident: peak * 1_024,
                user: ticks(stat.utime),
                system: ticks(stat.stime),
                open_files: process
                    .fd_count()
                    .ok()
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or_default(),
                state: stat.state.to_string(),
                ended_children: ticks(stat.cutime.unsigned_abs() + stat.cstime.unsigned_abs()),
                waited: waited(&process),
            });
        }
        found
    }

    /// How long its threads waited for a processor.
    fn waited(process: &Process) -> Option<Duration> {
        let delays = process.tasks().ok()?.flatten().filter_map(|task| task.schedstat().ok());
        delays.map(|stat| Duration::from_nanos(stat.run_delay)).reduce(|sum, delay| sum + delay)
    }

    /// The TCP sockets of the process itself.
    pub(super) fn sockets(root: Pid) -> Vec<Socket> {
        let Ok(process) = Process::new(root.as_raw_nonzero().get()) else { return Vec::new() };
        let own: HashSet<u64> = (process.fd().into_iter().flatten().flatten())
            .filter_map(|file| if let FDTarget::Socket(inode) = file.target { Some(inode) } else { None })
            .collect();
        let rows = tcp().into_iter().flatten().chain(tcp6().into_iter().flatten());
        let socket = |row: procfs::net::TcpNetEntry| Socket {
            state: format!("{:?}", row.state).to_ascii_uppercase(),
            local_port: row.local_address.port(),
            peer_port: row.remote_address.port(),
        };
        rows.filter(|row| own.contains(&row.inode)).map(socket).collect()
    }
}

/// Elsewhere the double tells nothing.
#[cfg(not(target_os = "linux"))]
mod system {
    use rustix::process::Pid;

    use crate::process::{Facts, Socket};

    pub(super) fn tree(_: Pid) -> Vec<Facts> {
        Vec::new()
    }

    pub(super) fn sockets(_: Pid) -> Vec<Socket> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use crate::native::NativeHost;
    use crate::process::{Limits, Signal};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    /// A host with a shell as the command target `sh`.
    fn host() -> NativeHost {
        NativeHost::new().program("sh", || {
            let mut shell = process::Command::new("/bin/sh");
            shell.env_clear().env("PATH", "/usr/bin:/bin").arg("-c");
            shell
        })
    }

    #[test]
    fn output_is_both_streams_and_the_exit() {
        let host = host();
        let command = Command::new("sh").argument("cat; echo $WHO >&2; exit 3").variable("WHO", "me");
        let mut child = host.context(1).start(&command).unwrap();
        child.stdin(SOON).write_all(b"hello").unwrap();
        let finished = child.output(&Limits::default()).unwrap();
        assert_eq!((finished.stdout.as_slice(), finished.stderr.as_slice()), (&b"hello"[..], &b"me\n"[..]));
        assert_eq!((finished.exit.code, finished.exit.signal), (Some(3), None));
        assert!(!finished.exit.is_success());
    }

    #[test]
    fn a_program_that_floods_both_streams_is_read_to_its_end() {
        let host = host();
        let command = Command::new("sh").argument("head -c 900000 /dev/zero; head -c 900000 /dev/zero >&2");
        let finished = host.context(1).start(&command).unwrap().output(&Limits::default()).unwrap();
        assert_eq!((finished.stdout.len(), finished.stderr.len()), (900_000, 900_000));
        let endless = Command::new("sh").argument("cat /dev/zero");
        let failure = host.context(1).start(&endless).unwrap().output(&Limits::default()).unwrap_err();
        assert!(matches!(failure, Failure::OverLimit(_)), "{failure:?}");
    }

    #[test]
    fn a_program_that_drips_ends_with_its_time() {
        let host = host();
        let began = Instant::now();
        let command = Command::new("sh").argument("while :; do echo x; sleep 0.01; done");
        let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
        let failure = host.context(1).start(&command).unwrap().output(&limits).unwrap_err();
        assert_eq!(failure, Failure::TimedOut);
        assert!(began.elapsed() < SOON);
    }

    #[test]
    fn a_conversation_goes_line_by_line() {
        let host = host();
        let mut child =
            host.context(1).start(&Command::new("sh").argument("read a; echo got $a; read b")).unwrap();
        child.stdin(SOON).write_all(b"one\n").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout(SOON)).read_line(&mut line).unwrap();
        assert_eq!(line, "got one\n");
        let silent = child.stdout(Duration::from_millis(20)).read(&mut [0; 8]).unwrap_err();
        assert_eq!(silent.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(child.wait(Duration::ZERO), Ok(None));
        child.close_stdin();
        assert_eq!(child.wait(SOON).unwrap().unwrap().code, Some(1));
    }

    #[test]
    fn a_signal_reaches_it_and_what_it_started() {
        let host = host();
        let child = host.context(1).start(&Command::new("sh").argument("sleep 60 & wait")).unwrap();
        let tree = || child.tree().unwrap();
        let began = Instant::now();
        while cfg!(target_os = "linux") && tree().len() < 2 {
            assert!(began.elapsed() < SOON, "{:?}", tree());
            thread::sleep(LOOK);
        }
        let tree = tree();
        // The second may still be a copy of the first that is about to run its own program.
        assert!(tree.windows(2).all(|pair| pair[1].parent == pair[0].pid), "{tree:?}");
        assert!(tree.first().is_none_or(|root| root.resident > 0 && root.command == "sh"), "{tree:?}");
        child.signal(Signal::Kill).unwrap();
        assert_eq!(child.wait(SOON).unwrap().unwrap().signal, Some(9));
        assert!(matches!(child.signal(Signal::Kill), Err(Failure::Other(_))));
        for process in tree {
            let gone = || !Path::new(&format!("/proc/{}/exe", process.pid)).exists();
            while !gone() {
                assert!(began.elapsed() < SOON, "{process:?}");
                thread::sleep(LOOK);
            }
        }
    }

    #[test]
    fn what_is_not_bound_is_named() {
        let host = host();
        let context = host.context(1);
        assert_eq!(context.start(&Command::new("other")).err(), Some(Failure::Unbound("other".to_owned())));
        assert_eq!(context.restart("sh", SOON).err(), Some(Failure::Unbound("sh".to_owned())));
        assert_eq!(context.attached("web").err(), Some(Failure::Unbound("web".to_owned())));
    }

    #[test]
    fn a_service_is_killed_and_started_again_at_its_address() {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let start = move || {
            let mut python = process::Command::new("python3");
            python.args(["-m", "http.server", "--bind", "127.0.0.1", &address.port().to_string()]);
            python
        };
        let host = NativeHost::new().serve("web", address, start).unwrap();
        let context = host.context(1);
        let first = context.attached("web").unwrap();
        if cfg!(target_os = "linux") {
            let sockets = first.sockets().unwrap();
            assert!(
                sockets.iter().any(|socket| socket.state == "LISTEN" && socket.local_port == address.port()),
                "{sockets:?}"
            );
        }
        first.signal(Signal::Kill).unwrap();
        assert_eq!(first.wait(SOON).unwrap().unwrap().signal, Some(9));
        assert!(TcpStream::connect(address).is_err());
        let second = context.restart("web", READY).unwrap();
        assert_eq!(second.wait(Duration::ZERO), Ok(None));
        assert!(TcpStream::connect(address).is_ok());
        drop((first, second, context));
        drop(host);
        assert!(TcpStream::connect(address).is_err());
    }
}
