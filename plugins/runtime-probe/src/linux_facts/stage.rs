//! The processes and files that a program is asked about.
//!
//! The seed chooses each property, the harness makes it so, and what the system says of it has to agree before anything is
//! asked: a fact that is not there is nobody's fault. Names have blanks and brackets, as names may.

use std::time::Duration;

use mustdo_plugin::process::Facts;
use mustdo_plugin::serde_json::{Map, Value, json};
use mustdo_plugin::{Context, Fault, Generator, Text};

use super::fact::{Fact, Key, Kind};
use crate::session::Session;
use crate::trouble::Trouble;

/// The part of the harness for this check.
const HARNESS: &str = include_str!("../../harness/linux_facts.py");

/// How long the system may take to show what was made, and how often it is looked at.
const SETTLES: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

const PAGE: u64 = 4_096;
const MEBIBYTE: u64 = 1 << 20;

/// Signals that a process can ignore and that nothing sends by itself.
const SIGNALS: [&str; 7] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGWINCH"];

/// Whatever makes the facts.
pub(super) struct Stage<'a, 'host> {
    context: &'a Context<'host>,
    session: Session<'a, 'host>,
    random: Generator,
}

impl<'a, 'host> Stage<'a, 'host> {
    pub(super) fn open(context: &'a Context<'host>, random: Generator) -> Result<Self, Fault> {
        let folder = context.scratch(None)?;
        let session = Session::open(context, &folder, HARNESS).map_err(|trouble| trouble.fault())?;
        let mut stage = Self { context, session, random };
        let platform = stage.make("platform", &json!({}))?;
        if platform != json!("linux") || stage.session.processes().is_empty() {
            return Err(Fault::inconclusive(Text::new(
                "this asks about Linux, and the system here is another one; run it on Linux",
                "这里问的是 Linux，而这个系统不是；请在 Linux 上检查",
            )));
        }
        Ok(stage)
    }

    /// Makes one more fact of a kind; none where this system has no answer to such a question.
    pub(super) fn pose(&mut self, kind: Kind) -> Result<Option<Fact>, Fault> {
        let fact = match kind {
            Kind::Listener => self.listener(),
            Kind::Deleted => self.deleted(),
            Kind::Descriptors => self.descriptors(),
            Kind::Threads => self.threads(),
            Kind::Children => self.children(),
            Kind::Nice => self.nice(),
            Kind::Cwd => self.cwd(),
            Kind::Environment => self.environment(),
            Kind::Zombie => self.zombie(),
            Kind::Mode => self.mode(),
            Kind::Largest => self.largest(),
            Kind::Lines => self.lines(),
            Kind::Ignores => self.ignores(),
            Kind::PeakMemory => self.memory(),
            Kind::Interface => return self.interface(),
        };
        fact.map(|(subject, key)| Some(Fact { kind, subject, key }))
    }

    /// The key as it is now.
    pub(super) fn key(&mut self, key: &Key) -> Result<Key, Fault> {
        let Key::Growing(path) = key else { return Ok(key.clone()) };
        let now = self.make("counted", &json!({ "path": path }))?;
        let now = now.as_u64().ok_or_else(|| absent("lines"))?;
        Ok(Key::Between(now, now))
    }

    fn listener(&mut self) -> Result<(String, Key), Fault> {
        let asked = json!({ "name": self.name(), "other": self.name() });
        let made = self.make("listener", &asked)?;
        let (process, port) = (number(&made, "pid")?, number(&made, "port")?);
        self.settled("listener", |stage| {
            let sockets = stage.session.sockets();
            sockets.iter().any(|row| row.state == "LISTEN" && u64::from(row.local_port) == port)
        })?;
        Ok((port.to_string(), Key::Number(process)))
    }

    fn deleted(&mut self) -> Result<(String, Key), Fault> {
        // Whole pages, so that the bytes in the file are those on the disk.
        let bytes = self.random.number(24 * MEBIBYTE / PAGE..48 * MEBIBYTE / PAGE) * PAGE;
        let asked = json!({
            "name": self.name(), "other": self.name(), "size": bytes,
            "place": self.place(), "elsewhere": self.place(),
        });
        let made = self.make("deleted", &asked)?;
        holds("deleted", number(&made, "bytes")? == bytes && number(&made, "links")? == 0)?;
        Ok((text(&made, "folder")?, Key::Held(number(&made, "pid")?, bytes)))
    }

    fn descriptors(&mut self) -> Result<(String, Key), Fault> {
        let count = self.random.number(7..60);
        let asked = json!({ "name": self.name(), "count": count });
        let made = self.make("descriptors", &asked)?;
        let process = number(&made, "pid")?;
        self.told("descriptors", process, |facts| u64::from(facts.open_files) == count)?;
        Ok((process.to_string(), Key::Number(count)))
    }

    fn threads(&mut self) -> Result<(String, Key), Fault> {
        let more = self.random.number(3..24);
        let asked = json!({ "name": self.name(), "count": more });
        let made = self.make("threads", &asked)?;
        let process = number(&made, "pid")?;
        self.told("threads", process, |facts| u64::from(facts.threads) == more + 1)?;
        Ok((process.to_string(), Key::Number(more + 1)))
    }

    fn children(&mut self) -> Result<(String, Key), Fault> {
        let (count, further) = (self.random.number(2..8), self.random.number(2..5));
        let asked = json!({ "name": self.name(), "other": self.name(), "count": count, "further": further });
        let made = self.make("children", &asked)?;
        let process = number(&made, "pid")?;
        self.settled("children", |stage| {
            let parents = stage.session.processes();
            let of = |parent: u64| parents.iter().filter(move |facts| u64::from(facts.parent) == parent);
            let grandchildren: usize = of(process).map(|child| of(child.pid.into()).count()).sum();
            of(process).count() as u64 == count && grandchildren as u64 == further
        })?;
        Ok((process.to_string(), Key::Number(count)))
    }

    fn nice(&mut self) -> Result<(String, Key), Fault> {
        let asked = json!({ "name": self.name(), "ratio": self.random.number(0..19) });
        let made = self.make("nice", &asked)?;
        let nice = number(&made, "nice")?;
        holds("nice", (1..20).contains(&nice))?;
        Ok((number(&made, "pid")?.to_string(), Key::Number(nice)))
    }

    fn cwd(&mut self) -> Result<(String, Key), Fault> {
        let place = self.place();
        let asked = json!({ "name": self.name(), "place": place });
        let made = self.make("cwd", &asked)?;
        let folder = text(&made, "folder")?;
        holds("cwd", folder.ends_with(&format!("/{place}")))?;
        Ok((number(&made, "pid")?.to_string(), Key::Words(folder)))
    }

    fn environment(&mut self) -> Result<(String, Key), Fault> {
        let variable = self.random.token(8).to_ascii_uppercase();
        let value = format!("{}={} {}", self.random.token(5), self.random.token(6), self.random.token(4));
        let decoys = [format!("{variable}_OLD"), format!("OLD_{variable}")];
        let decoys: Map<String, Value> =
            decoys.into_iter().map(|name| (name, json!(self.random.token(7)))).collect();
        let asked = json!({ "name": self.name(), "variable": variable, "value": value, "decoys": decoys });
        let made = self.make("environment", &asked)?;
        holds("environment", text(&made, "value")? == value)?;
        Ok((format!("{} {variable}", number(&made, "pid")?), Key::Words(value)))
    }

    fn zombie(&mut self) -> Result<(String, Key), Fault> {
        let living = self.random.number(1..4);
        let asked = json!({ "name": self.name(), "other": self.name(), "living": living });
        let made = self.make("zombie", &asked)?;
        holds("zombie", text(&made, "state")? == "Z")?;
        Ok((number(&made, "pid")?.to_string(), Key::Number(number(&made, "dead")?)))
    }

    fn mode(&mut self) -> Result<(String, Key), Fault> {
        let special = [0o4000, 0o2000, 0o1000][usize::try_from(self.random.number(0..3)).unwrap_or_default()];
        let bits = special | 0o400 | self.random.number(0..0o400);
        let asked = json!({ "path": self.place(), "bits": bits });
        let made = self.make("mode", &asked)?;
        holds("mode", number(&made, "bits")? == bits)?;
        Ok((text(&made, "path")?, Key::Octal(bits)))
    }

    fn largest(&mut self) -> Result<(String, Key), Fault> {
        let names: Vec<String> = (0..5).map(|_| self.place()).collect();
        let most = self.random.number(2..5);
        let asked = json!({ "place": self.place(), "names": names, "outside": self.place(), "most": most });
        let made = self.make("largest", &asked)?;
        Ok((text(&made, "folder")?, Key::Folder(names[0].clone())))
    }

    fn lines(&mut self) -> Result<(String, Key), Fault> {
        let (first, pause) = (self.random.number(300..3_000), self.random.number(15..40));
        let asked = json!({ "name": self.name(), "path": self.place(), "first": first, "pause_ms": pause });
        let made = self.make("lines", &asked)?;
        holds("lines", made.get("grows") == Some(&Value::Bool(true)))?;
        let path = text(&made, "path")?;
        Ok((path.clone(), Key::Growing(path)))
    }

    fn ignores(&mut self) -> Result<(String, Key), Fault> {
        let which = SIGNALS[usize::try_from(self.random.number(0..7)).unwrap_or_default()];
        let asked = json!({ "name": self.name(), "which": which });
        let made = self.make("ignores", &asked)?;
        holds("ignores", made.get("alone") == Some(&Value::Bool(true)))?;
        let key = Key::Signal(number(&made, "number")?, which.to_owned());
        Ok((number(&made, "pid")?.to_string(), key))
    }

    fn memory(&mut self) -> Result<(String, Key), Fault> {
        let mebibytes = self.random.number(40..90);
        let asked = json!({ "name": self.name(), "mebibytes": mebibytes });
        let made = self.make("memory", &asked)?;
        let process = number(&made, "pid")?;
        let grown = |facts: &Facts| facts.peak_resident >= facts.resident + (mebibytes - 10) * MEBIBYTE;
        let facts = self.told("peak-memory", process, grown)?;
        Ok((process.to_string(), Key::Memory(facts.peak_resident / 1_024)))
    }

    fn interface(&mut self) -> Result<Option<Fact>, Fault> {
        // One of the addresses for documentation (RFC 5737), which nobody has, and one of this machine.
        let far = format!("198.51.100.{}", self.random.number(1..255));
        let near = format!(
            "127.{}.{}.{}",
            self.random.number(1..255),
            self.random.number(0..255),
            self.random.number(1..255)
        );
        let mut addresses = [far, near];
        self.random.shuffle(&mut addresses);
        let Ok(made) = self.session.value("interface", &json!({ "addresses": addresses })) else {
            return Ok(None);
        };
        if made.is_null() {
            return Ok(None);
        }
        let key = Key::Words(text(&made, "name")?);
        Ok(Some(Fact { kind: Kind::Interface, subject: text(&made, "address")?, key }))
    }

    /// A name of a process, of fifteen bytes at the most, that no column and no bracket holds.
    fn name(&mut self) -> String {
        let (one, two) = (self.random.token(3), self.random.token(3));
        match self.random.number(0..3) {
            0 => format!("{one} {two}"),
            1 => format!("{one}) S 1 ({two}"),
            _ => format!("({one}) {two} 7"),
        }
    }

    /// A name of a file or a folder.
    fn place(&mut self) -> String {
        format!("{} {}", self.random.token(6), self.random.token(5))
    }

    fn make(&mut self, operation: &str, arguments: &Value) -> Result<Value, Fault> {
        self.session.value(operation, arguments).map_err(|trouble| {
            let Trouble::Raised(raised) = trouble else { return trouble.fault() };
            let line = raised.line();
            Fault::inconclusive(Text::new(
                format!("what was to be asked about could not be made here ({operation}): {line}"),
                format!("在这里造不出要问的东西（{operation}）：{line}"),
            ))
        })
    }

    /// What the system says of a process, once it is so.
    fn told(&self, what: &str, process: u64, is_so: impl Fn(&Facts) -> bool) -> Result<Facts, Fault> {
        let find = |stage: &Self| {
            let every = stage.session.processes();
            every.into_iter().find(|facts| u64::from(facts.pid) == process && is_so(facts))
        };
        self.settled(what, |stage| find(stage).is_some())?;
        find(self).ok_or_else(|| absent(what))
    }

    /// Waits until the system shows what was made.
    fn settled(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), Fault> {
        let end = self.context.monotonic() + SETTLES;
        while !is_so(self) {
            if self.context.monotonic() >= end {
                return Err(absent(what));
            }
            self.context.sleep(LOOK);
        }
        Ok(())
    }
}

fn holds(what: &str, is_so: bool) -> Result<(), Fault> {
    if is_so { Ok(()) } else { Err(absent(what)) }
}

fn absent(what: &str) -> Fault {
    Fault::inconclusive(Text::new(
        format!("what was made to be asked about ({what}) does not show in this system as it was made"),
        format!("为提问造出来的东西（{what}）在这个系统里不是造的样子"),
    ))
}

fn number(made: &Value, name: &str) -> Result<u64, Fault> {
    made.get(name).and_then(Value::as_u64).ok_or_else(|| absent(name))
}

fn text(made: &Value, name: &str) -> Result<String, Fault> {
    made.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| absent(name))
}
