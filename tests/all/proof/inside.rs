//! A host for the plugin itself, without a component and without processes: the program that is judged answers inside the
//! test. What takes a process a second is done in milliseconds, and so can be asked with hundreds of seeds.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mustdo_plugin::{
    Attempt, Connection, Failure, Folders, Host, Level, Network, Programs, files, http,
    process::{Command, Exit, Facts, Program, Signal, Socket, Stream},
    scratch, tcp, udp,
};
use rustix::time::{ClockId, clock_gettime};

/// What is left of a run's time at any moment: enough to start programs, and too little to make a counter-example shorter,
/// which decides nothing.
const TIME_LEFT: Duration = Duration::from_secs(3);

/// What a program says to one line, without the end of it; an error ends the program.
type Answers = dyn FnMut(&str) -> Result<String, String>;

/// A host whose command targets are all one program.
pub(super) struct Inside {
    began: Instant,
    start: Box<dyn Fn() -> Box<Answers>>,
}

impl Inside {
    /// Starts a fresh program with `start` whenever a check asks for one.
    pub(super) fn new(start: impl Fn() -> Box<Answers> + 'static) -> Self {
        Self { began: Instant::now(), start: Box::new(start) }
    }
}

impl Host for Inside {
    fn open_http(&self, _: &str, _: &http::Options) -> Result<Box<dyn Connection>, Failure> {
        Err(absent())
    }

    fn progress(&self, _: Option<f32>, _: &str) {}

    fn log(&self, _: Level, _: &str) {}

    fn time_left(&self) -> Duration {
        TIME_LEFT
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }

    fn random_bytes(&self, length: u32) -> Vec<u8> {
        let mut bytes = vec![0; length.try_into().unwrap()];
        getrandom::fill(&mut bytes).unwrap();
        bytes
    }

    fn attach(&self, _: &str, _: &str, _: &[u8]) -> Result<u32, Failure> {
        Ok(0)
    }

    fn programs(&self) -> &dyn Programs {
        self
    }

    fn network(&self) -> &dyn Network {
        self
    }

    fn folders(&self) -> &dyn Folders {
        self
    }
}

impl Programs for Inside {
    fn start(&self, _: &Command) -> Result<Box<dyn Program>, Failure> {
        Ok(Box::new(Running {
            answers: RefCell::new(Some((self.start)())),
            output: RefCell::default(),
            errors: RefCell::default(),
            input: RefCell::default(),
            used: Cell::default(),
            exit: Cell::default(),
        }))
    }

    fn attached(&self, _: &str) -> Result<Box<dyn Program>, Failure> {
        Err(absent())
    }

    fn restart(&self, _: &str, _: Duration) -> Result<Box<dyn Program>, Failure> {
        Err(absent())
    }

    fn scratch(&self, _: Option<&str>) -> Result<Box<dyn scratch::Folder>, Failure> {
        Err(absent())
    }
}

impl Network for Inside {
    fn connect(&self, _: &str, _: &tcp::Options) -> Result<Box<dyn tcp::Stream>, Failure> {
        Err(absent())
    }

    fn connect_many(&self, _: &str, _: &tcp::Options, _: u32) -> Result<Vec<Attempt>, Failure> {
        Err(absent())
    }

    fn listen(&self) -> Result<Box<dyn tcp::Port>, Failure> {
        Err(absent())
    }

    fn wait_readable(&self, _: &[&dyn tcp::Stream], _: Duration) -> Vec<usize> {
        Vec::new()
    }

    fn open_udp(&self, _: &str, _: Option<&str>) -> Result<Box<dyn udp::Datagrams>, Failure> {
        Err(absent())
    }
}

impl Folders for Inside {
    fn open_folder(&self, _: &str) -> Result<Box<dyn files::Files>, Failure> {
        Err(absent())
    }
}

/// A program that answers each line as soon as it is written.
struct Running {
    /// None once it has ended.
    answers: RefCell<Option<Box<Answers>>>,
    output: RefCell<Vec<u8>>,
    errors: RefCell<Vec<u8>>,
    /// A line that has not ended yet.
    input: RefCell<String>,
    /// Processor time so far.
    used: Cell<Duration>,
    exit: Cell<Option<i32>>,
}

impl Running {
    fn end(&self, code: i32) {
        self.answers.take();
        if self.exit.get().is_none() {
            self.exit.set(Some(code));
        }
    }

    fn answer(&self, line: &str) {
        let mut answers = self.answers.borrow_mut();
        let Some(answer) = answers.as_mut() else { return };
        let before = processor_time();
        let said = catch_unwind(AssertUnwindSafe(|| answer(line)));
        self.used.set(self.used.get() + processor_time().saturating_sub(before));
        drop(answers);
        match said {
            Ok(Ok(said)) => {
                let mut output = self.output.borrow_mut();
                output.extend_from_slice(said.as_bytes());
                output.push(b'\n');
            }
            Ok(Err(words)) => {
                self.errors.borrow_mut().extend_from_slice(words.as_bytes());
                self.end(2);
            }
            Err(_) => self.end(101),
        }
    }
}

impl Program for Running {
    fn write_stdin(&self, bytes: &[u8], _: Duration) -> Result<(), Failure> {
        if self.answers.borrow().is_none() {
            return Err(Failure::Other("its input is closed".to_owned()));
        }
        let mut input = self.input.borrow_mut();
        input.push_str(str::from_utf8(bytes).unwrap());
        let end = input.rfind('\n').map_or(0, |place| place + 1);
        let rest = input.split_off(end);
        for line in std::mem::replace(&mut *input, rest).lines() {
            self.answer(line);
        }
        Ok(())
    }

    fn close_stdin(&self) {
        self.end(0);
    }

    fn read(&self, stream: Stream, max: u32, _: Duration) -> Result<Vec<u8>, Failure> {
        let mut bytes = match stream {
            Stream::Stdout => self.output.borrow_mut(),
            Stream::Stderr => self.errors.borrow_mut(),
        };
        if bytes.is_empty() && self.exit.get().is_none() {
            return Err(Failure::TimedOut);
        }
        let count = bytes.len().min(max.try_into().unwrap());
        let rest = bytes.split_off(count);
        Ok(std::mem::replace(&mut *bytes, rest))
    }

    fn signal(&self, _: Signal) -> Result<(), Failure> {
        self.end(101);
        Ok(())
    }

    fn wait(&self, _: Duration) -> Result<Option<Exit>, Failure> {
        Ok(self.exit.get().map(|code| Exit { code: Some(code), signal: None, wall: Duration::ZERO }))
    }

    fn tree(&self) -> Result<Vec<Facts>, Failure> {
        Ok(vec![Facts {
            pid: 2,
            parent: 1,
            command: "inside".to_owned(),
            threads: 1,
            resident: 1,
            peak_resident: 1,
            user: self.used.get(),
            system: Duration::ZERO,
            open_files: 3,
            state: "S".to_owned(),
            ended_children: Duration::ZERO,
            waited: None,
        }])
    }

    fn sockets(&self) -> Result<Vec<Socket>, Failure> {
        Ok(Vec::new())
    }
}

/// Of this thread, which no load on the machine adds to.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn absent() -> Failure {
    Failure::Unbound("there are programs only".to_owned())
}
