//! Guests that start programs, written step by step.

use std::fmt::Write as _;

use crate::guest::Guest;

/// Instructions of a guest, with its texts laid out below the guest's own data. Every call answers at 0; the handle on a
/// process is kept in `$i`, one on a workspace in `$j`. What came of the last step is the summary.
pub(crate) struct Script {
    data: String,
    next: usize,
    body: String,
}

/// A result's failure is the summary, and the end.
const ENDS_WITH_FAILURE: &str = "(if (i32.load8_u (i32.const 0)) (then
    (i32.store (global.get $summary) (i32.load (i32.const 8)))
    (i32.store offset=4 (global.get $summary) (i32.load (i32.const 12)))
    (return (global.get $verdict))))";

impl Script {
    pub(crate) fn new() -> Self {
        Self { data: String::new(), next: 256, body: String::new() }
    }

    /// Lays out bytes; where, and how many.
    fn bytes(&mut self, bytes: &[u8]) -> (usize, usize) {
        let at = self.next.next_multiple_of(4);
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")").unwrap();
        self.next = at + bytes.len();
        assert!(self.next < 4_096, "the guest's own data begins there");
        (at, bytes.len())
    }

    /// Lays out a list of texts, or of pairs of texts.
    fn texts(&mut self, texts: &[&str]) -> usize {
        let places: Vec<_> = texts.iter().map(|text| self.bytes(text.as_bytes())).collect();
        let numbers = places.iter().flat_map(|&(at, length)| [at, length]);
        let bytes: Vec<u8> =
            numbers.flat_map(|number| u32::try_from(number).unwrap().to_le_bytes()).collect();
        self.bytes(&bytes).0
    }

    pub(crate) fn step(mut self, text: &str) -> Self {
        writeln!(self.body, "{text}").unwrap();
        self
    }

    pub(crate) fn call(self, text: &str) -> Self {
        self.step(text).step(ENDS_WITH_FAILURE)
    }

    pub(crate) fn start(self, args: &[&str]) -> Self {
        self.start_with(args, &[], false)
    }

    pub(crate) fn start_with(self, args: &[&str], env: &[(&str, &str)], inside: bool) -> Self {
        self.start_target("tool", args, env, inside)
    }

    /// Starts a second copy of the program behind `web`.
    pub(crate) fn start_beside(self) -> Self {
        self.start_target("web", &[], &[], false)
    }

    fn start_target(mut self, target: &str, args: &[&str], env: &[(&str, &str)], inside: bool) -> Self {
        let pairs: Vec<&str> = env.iter().flat_map(|&(name, value)| [name, value]).collect();
        let (target, length) = self.bytes(target.as_bytes());
        let (given, variables, inside) = (self.texts(args), self.texts(&pairs), i32::from(inside));
        let (args, env) = (args.len(), env.len());
        self.call(&format!(
            "(call $start (i32.const {target}) (i32.const {length}) (i32.const {given}) (i32.const {args})
               (i32.const {variables}) (i32.const {env}) (i32.const {inside}) (local.get $j) (i32.const 0))"
        ))
        .step("(local.set $i (i32.load (i32.const 4)))")
    }

    pub(crate) fn attach(mut self) -> Self {
        let (at, length) = self.bytes(b"web");
        self.call(&format!("(call $attach (i32.const {at}) (i32.const {length}) (i32.const 0))"))
            .step("(local.set $i (i32.load (i32.const 4)))")
    }

    pub(crate) fn restart(mut self) -> Self {
        let (at, length) = self.bytes(b"web");
        self.call(&format!(
            "(call $restart (i32.const {at}) (i32.const {length}) (i32.const 20000) (i32.const 0))"
        ))
        .step("(local.set $i (i32.load (i32.const 4)))")
    }

    /// Reads up to `max` bytes of standard output: they are the summary.
    pub(crate) fn read(self, max: u32) -> Self {
        self.call(&format!(
            "(call $read (local.get $i) (i32.const 0) (i32.const {max}) (i32.const 15000) (i32.const 0))"
        ))
        .step(
            "(i32.store (global.get $summary) (i32.load (i32.const 4)))
             (i32.store offset=4 (global.get $summary) (i32.load (i32.const 8)))",
        )
    }

    pub(crate) fn signal(self, number: u32) -> Self {
        self.call(&format!("(call $send-signal (local.get $i) (i32.const {number}) (i32.const 0))"))
    }

    /// Waits for the end. The summary is "still running", or its code or signal as "exit 3", "signal 9".
    pub(crate) fn wait(mut self, millis: u32) -> Self {
        let (running, _) = self.bytes(b"still running");
        let (code, _) = self.bytes(b"exit 0");
        let (signal, _) = self.bytes(b"signal 0");
        let says = |at: usize, length: usize| {
            format!(
                "(i32.store (global.get $summary) (i32.const {at}))
                 (i32.store offset=4 (global.get $summary) (i32.const {length}))"
            )
        };
        let (running, exits, killed) = (says(running, 13), says(code, 6), says(signal, 8));
        self.call(&format!("(call $wait (local.get $i) (i32.const {millis}) (i32.const 0))")).step(&format!(
            "(if (i32.eqz (i32.load8_u (i32.const 8))) (then {running}) (else
               (if (i32.load8_u (i32.const 16)) (then
                 (i32.store8 (i32.const {}) (i32.add (i32.const 48) (i32.load (i32.const 20)))) {exits}))
               (if (i32.load8_u (i32.const 24)) (then
                 (i32.store8 (i32.const {}) (i32.add (i32.const 48) (i32.load (i32.const 28)))) {killed}))))",
            code + 5,
            signal + 7
        ))
    }

    pub(crate) fn scratch(mut self, target: Option<&str>) -> Self {
        let (at, length) = self.bytes(target.unwrap_or_default().as_bytes());
        let some = i32::from(target.is_some());
        self.call(&format!(
            "(call $open (i32.const {some}) (i32.const {at}) (i32.const {length}) (i32.const 0))"
        ))
        .step("(local.set $j (i32.load (i32.const 4)))")
    }

    pub(crate) fn write(mut self, path: &str, text: &str) -> Self {
        let ((path, long), (text, length)) = (self.bytes(path.as_bytes()), self.bytes(text.as_bytes()));
        self.call(&format!(
            "(call $write (local.get $j) (i32.const {path}) (i32.const {long}) (i32.const {text}) (i32.const {length})
               (i32.const 0))"
        ))
    }

    /// Removes a file of the workspace.
    pub(crate) fn remove(mut self, path: &str) -> Self {
        let (at, length) = self.bytes(path.as_bytes());
        self.call(&format!(
            "(call $remove (local.get $j) (i32.const {at}) (i32.const {length}) (i32.const 0))"
        ))
    }

    /// Writes `text` to the program and closes its input.
    pub(crate) fn feed(mut self, text: &str) -> Self {
        let (at, length) = self.bytes(text.as_bytes());
        self.call(&format!(
            "(call $write-stdin (local.get $i) (i32.const {at}) (i32.const {length}) (i32.const 15000) (i32.const 0))"
        ))
        .step("(call $close-stdin (local.get $i))")
    }

    pub(crate) fn guest(self) -> Guest {
        let method = "[method]child.";
        Guest::new()
            .import("process", "start", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)")
            .import("process", "attach", "(param i32 i32 i32)")
            .import("process", "restart", "(param i32 i32 i32 i32)")
            .import("process", &format!("{method}read"), "(param i32 i32 i32 i32 i32)")
            .import("process", &format!("{method}wait"), "(param i32 i32 i32)")
            .import("process", &format!("{method}send-signal"), "(param i32 i32 i32)")
            .import("process", &format!("{method}tree"), "(param i32 i32)")
            .import("process", &format!("{method}sockets"), "(param i32 i32)")
            .import("process", &format!("{method}write-stdin"), "(param i32 i32 i32 i32 i32)")
            .import("process", &format!("{method}close-stdin"), "(param i32)")
            .import("process", "[resource-drop]child", "(param i32)")
            .import("scratch", "open", "(param i32 i32 i32 i32)")
            .import("scratch", "[method]workspace.write", "(param i32 i32 i32 i32 i32 i32)")
            .import("scratch", "[method]workspace.remove", "(param i32 i32 i32 i32)")
            .more(self.data)
            .run(self.body)
    }
}
