//! Guests made to order: a few lines of WebAssembly text become a whole plugin.
//!
//! A guest's core module exports `describe` and `run` as the canonical ABI has them (component model, `CanonicalABI.md`).
//! What they return is laid out here, in a data segment; the text of a test is what happens before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo::model::{Capability, Digest, TargetName};
use mustdo::verify::{Reporter, Task, TaskId};
use tokio::sync::mpsc::unbounded_channel;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../plugins/wit/verifier.wit");

/// As much of WASI 0.2 as a guest here asks for, and a world with it.
const WASI: &str = "
    package test:guest;
    package wasi:cli@0.2.0 {
        interface environment { get-environment: func() -> list<tuple<string, string>>; }
    }
    package wasi:filesystem@0.2.0 {
        interface types { resource descriptor; }
        interface preopens {
            use types.{descriptor};
            get-directories: func() -> list<tuple<descriptor, string>>;
        }
    }
    package wasi:random@0.2.0 {
        interface random { get-random-u64: func() -> u64; }
    }
    package wasi:clocks@0.2.0 {
        interface monotonic-clock { type instant = u64; now: func() -> instant; }
    }
    world guest {
        include mustdo:verifier/verifier-with-process@0.1.0;
        import wasi:cli/environment@0.2.0;
        import wasi:filesystem/preopens@0.2.0;
        import wasi:random/random@0.2.0;
        import wasi:clocks/monotonic-clock@0.2.0;
    }";

/// Where the laid out bytes begin. Below it a guest writes what it likes.
const BASE: u32 = 4_096;

/// The status of a verdict or a step, as the contract numbers them.
#[derive(Clone, Copy)]
pub(crate) enum Status {
    Pass,
    Fail,
    Inconclusive,
}

/// A plugin in the making; it passes with one must step, unless told otherwise.
pub(crate) struct Guest {
    contract: &'static str,
    addition: Option<(&'static str, &'static str)>,
    imports: String,
    memory_pages: u32,
    describe: String,
    run: String,
    more: String,
    status: Status,
    step: Status,
    refusal: Option<(u8, String)>,
    evidence: Option<u32>,
    schema: String,
    words: Option<String>,
    /// What it calls itself, and its version.
    name: (&'static str, &'static str),
    asks: Vec<(Capability, bool)>,
    exclusive: bool,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self {
            contract: "0.1.0",
            addition: None,
            imports: String::new(),
            memory_pages: 4,
            describe: String::new(),
            run: String::new(),
            more: String::new(),
            status: Status::Pass,
            step: Status::Pass,
            refusal: None,
            evidence: None,
            schema: String::new(),
            words: None,
            name: ("test-guest", "1.2.3"),
            asks: vec![],
            exclusive: false,
        }
    }

    /// Says this wherever the contract leaves the words to the plugin, and asks for the directory `src` with it.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.words = Some(words.to_owned());
        self
    }

    /// Its check wants to be alone on its targets.
    pub(crate) fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Calls itself this, in this version.
    pub(crate) fn called(mut self, id: &'static str, version: &'static str) -> Self {
        self.name = (id, version);
        self
    }

    /// Built for this version of the contract.
    pub(crate) fn contract(mut self, version: &'static str) -> Self {
        self.contract = version;
        self
    }

    /// Built for a contract with one more line at the beginning of an interface.
    pub(crate) fn addition(mut self, interface: &'static str, line: &'static str) -> Self {
        self.addition = Some((interface, line));
        self
    }

    /// Imports `name` of `interface` as `$name`, with this type: `(param i64)`.
    pub(crate) fn import(self, interface: &str, name: &str, kind: &str) -> Self {
        let interface = format!("mustdo:verifier/{interface}@{}", self.contract);
        self.import_from(&interface, name, kind)
    }

    /// As [`Guest::import`], from WASI.
    pub(crate) fn import_wasi(self, interface: &str, name: &str, kind: &str) -> Self {
        self.import_from(&format!("wasi:{interface}@0.2.0"), name, kind)
    }

    fn import_from(mut self, interface: &str, name: &str, kind: &str) -> Self {
        let local = name.rsplit(['.', ']']).next().unwrap();
        self.imports += &format!("(import \"{interface}\" \"{name}\" (func ${local} {kind}))\n");
        self
    }

    /// Pages of 64 KiB that the memory begins with.
    pub(crate) fn memory(mut self, pages: u32) -> Self {
        self.memory_pages = pages;
        self
    }

    /// Instructions of `describe`, before it returns.
    pub(crate) fn describe(mut self, text: impl Into<String>) -> Self {
        self.describe = text.into();
        self
    }

    /// Instructions of `run`, before it returns the verdict at `$verdict`. Its locals are `$i`, `$j` and `$w` (i64).
    pub(crate) fn run(mut self, text: impl Into<String>) -> Self {
        self.run = text.into();
        self
    }

    /// Fields beside the functions.
    pub(crate) fn more(mut self, text: impl Into<String>) -> Self {
        self.more = text.into();
        self
    }

    /// What the verdict says, and what its one must step says.
    pub(crate) fn says(mut self, status: Status, step: Status) -> Self {
        self.status = status;
        self.step = step;
        self
    }

    /// Answers with a `run-error` instead of a verdict.
    pub(crate) fn refuses(mut self, case: u8, words: &str) -> Self {
        self.refusal = Some((case, words.to_owned()));
        self
    }

    /// The verdict names this attachment.
    pub(crate) fn evidence(mut self, handle: u32) -> Self {
        self.evidence = Some(handle);
        self
    }

    /// The check's schema.
    pub(crate) fn schema(mut self, text: impl Into<String>) -> Self {
        self.schema = text.into();
        self
    }

    /// The check asks for a capability, by its own target names.
    pub(crate) fn asks(mut self, capability: &str, required: bool) -> Self {
        self.asks.push((capability.parse().unwrap(), required));
        self
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        ComponentEncoder::default().validate(true).module(&self.module()).unwrap().encode().unwrap()
    }

    /// The core module, with its types beside it, as a compiler gives it.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let mut text =
            CONTRACT.replace("mustdo:verifier@0.1.0", &format!("mustdo:verifier@{}", self.contract));
        if let Some((interface, line)) = self.addition {
            let head = format!("interface {interface} {{");
            text = text.replace(&head, &format!("{head}\n{line}"));
        }
        let package = resolve.push_str("verifier.wit", &text).unwrap();
        let world = if self.imports.contains("\"wasi:") {
            let package = resolve.push_str("guest.wit", WASI).unwrap();
            resolve.select_world(&[package], Some("guest")).unwrap()
        } else {
            resolve.select_world(&[package], Some("verifier-with-process")).unwrap()
        };
        let mut module = wat::parse_str(self.text()).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    fn text(&self) -> String {
        let mut image = Image { bytes: Vec::new() };
        let info = self.lay_out_info(&mut image);
        let verdict = self.lay_out_verdict(&mut image);
        let data: String = image.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let heap = BASE + u32::try_from(image.bytes.len()).unwrap() + 64;
        let Self { imports, memory_pages, describe, run, more, contract, .. } = self;
        format!(
            r#"(module
            {imports}
            (memory (export "memory") {memory_pages})
            (data (i32.const {BASE}) "{data}")
            (global $heap (mut i32) (i32.const {heap}))
            (global $verdict i32 (i32.const {verdict}))
            (global $summary i32 (i32.const {summary}))
            {more}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
              (global.set $heap (i32.add (local.get $at) (local.get 3)))
              (block $fits
                (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
                (br_if $fits (i32.ne (i32.const -1) (memory.grow (i32.add (i32.const 1)
                  (i32.div_u (local.get 3) (i32.const 65536))))))
                unreachable)
              (local.get $at))
            (func (export "mustdo:verifier/plugin@{contract}#describe") (result i32)
              (local $i i32)
              {describe}
              (i32.const {info}))
            (func (export "mustdo:verifier/plugin@{contract}#run")
              (param i32 i32 i32 i32 i32 i32 i64 i32 i32) (result i32)
              (local $i i32) (local $j i32) (local $w i64)
              {run}
              (global.get $verdict)))"#,
            summary = verdict + 12,
        )
    }

    fn lay_out_info(&self, image: &mut Image) -> u32 {
        let check = image.room(56);
        image.string(check, "probe");
        image.string(check + 8, "Does it hold?");
        image.string(check + 16, "Looks.");
        image.string(check + 24, &self.schema);
        let requests = image.room(24 * self.asks.len());
        for (at, (capability, required)) in (requests..).step_by(24).zip(&self.asks) {
            let (case, name) = case(capability);
            image.byte(at, case);
            image.string(at + 4, name);
            image.string(at + 12, "to look at it");
            image.byte(at + 20, u8::from(*required));
        }
        image.list(check + 32, requests, u32::try_from(self.asks.len()).unwrap());
        image.number(check + 40, 100);
        image.byte(check + 44, u8::from(self.exclusive));
        let info = image.room(56);
        if let Some(words) = &self.words {
            image.string(check + 8, words);
            image.string(check + 16, words);
            let request = image.room(24);
            image.byte(request, 4);
            image.string(request + 4, "src");
            image.string(request + 12, words);
            image.byte(request + 20, 1);
            image.list(check + 32, request, 1);
            let extras = image.extras(&[("title.zh", words), ("description.zh", words), (words, words)]);
            image.list(check + 48, extras, 3);
            image.string(info + 24, words);
            image.string(info + 32, words);
            image.list(info + 48, extras, 3);
        }
        image.string(info, self.name.0);
        image.string(info + 8, self.name.1);
        image.string(info + 16, self.words.as_deref().unwrap_or("A guest"));
        image.list(info + 40, check, 1);
        info
    }

    /// Puts `words` into every text of the verdict that begins at `verdict` and has one step.
    fn lay_out_words(image: &mut Image, verdict: u32, step: u32, words: &str) {
        let extras =
            image.extras(&[("summary.zh", words), ("zh", words), ("message.zh", words), ("hint.zh", words)]);
        image.string(verdict + 4, words);
        image.list(verdict + 72, extras, 4);
        image.string(step + 12, words);
        image.list(step + 20, extras, 4);
        // Two findings: one with a note, one with an exchange.
        let findings = image.room(192);
        for (finding, case, texts) in [(findings, 4, &[words][..]), (findings + 96, 1, &["web", words])] {
            image.byte(finding, 2);
            image.string(finding + 4, "probe.words");
            image.string(finding + 12, words);
            image.byte(finding + 20, 1);
            image.byte(finding + 24, case);
            for (at, text) in (finding + 28..).step_by(8).zip(texts) {
                image.string(at, text);
            }
            image.byte(finding + 76, 1);
            image.string(finding + 80, words);
            image.list(finding + 88, extras, 4);
        }
        image.list(verdict + 48, findings, 2);
        let evidence = image.room(28);
        image.string(evidence, words);
        image.string(evidence + 8, "text/plain");
        image.string(evidence + 20, words);
        image.list(verdict + 56, evidence, 1);
        let measurement = image.room(48);
        image.string(measurement, words);
        image.string(measurement + 16, words);
        image.number(measurement + 24, 1);
        image.string(measurement + 28, words);
        image.list(measurement + 36, extras, 4);
        image.list(verdict + 64, measurement, 1);
    }

    /// `result<verdict, run-error>`: the case, then at 8 the verdict (80 bytes) or the error.
    fn lay_out_verdict(&self, image: &mut Image) -> u32 {
        let result = image.room(88);
        if let Some((case, words)) = &self.refusal {
            image.byte(result, 1);
            image.byte(result + 8, *case);
            image.string(result + 12, words);
            return result;
        }
        let step = image.room(28);
        image.string(step, "only");
        image.byte(step + 9, self.step as u8);
        image.string(step + 12, "seen");
        image.byte(result + 8, self.status as u8);
        image.string(result + 12, "it was seen");
        image.list(result + 48, step, 1);
        if let Some(words) = &self.words {
            Self::lay_out_words(image, result + 8, step, words);
        }
        if let Some(handle) = self.evidence {
            let evidence = image.room(28);
            image.string(evidence, "what came back");
            image.string(evidence + 8, "text/plain");
            image.byte(evidence + 16, 1);
            image.number(evidence + 20, handle);
            image.list(result + 64, evidence, 1);
        }
        result
    }
}

/// The number of a capability's case in the contract, and what it carries.
fn case(capability: &Capability) -> (u8, &str) {
    let target = capability.target().map_or("", TargetName::as_str);
    match capability {
        Capability::Http(_) => (0, target),
        Capability::Tcp(_) => (1, target),
        Capability::Udp(_) => (2, target),
        Capability::Listen => (3, target),
        Capability::Read(_) => (4, target),
        Capability::Scratch(_) => (5, target),
        Capability::Env(name) => (6, name),
        Capability::Process(_) => (7, target),
    }
}

/// Memory from [`BASE`] on. Addresses are those that the guest sees.
struct Image {
    bytes: Vec<u8>,
}

impl Image {
    fn room(&mut self, size: usize) -> u32 {
        let start = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(start + size, 0);
        BASE + u32::try_from(start).unwrap()
    }

    fn byte(&mut self, at: u32, value: u8) {
        self.bytes[(at - BASE) as usize] = value;
    }

    fn number(&mut self, at: u32, value: u32) {
        let at = (at - BASE) as usize;
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn list(&mut self, at: u32, first: u32, count: u32) {
        self.number(at, first);
        self.number(at + 4, count);
    }

    /// Pairs of a key and a text; where the first is.
    fn extras(&mut self, pairs: &[(&str, &str)]) -> u32 {
        let first = self.room(16 * pairs.len());
        for (at, (key, text)) in (first..).step_by(16).zip(pairs) {
            self.string(at, key);
            self.string(at + 8, text);
        }
        first
    }

    fn string(&mut self, at: u32, text: &str) {
        let start = self.room(text.len());
        let offset = (start - BASE) as usize;
        self.bytes[offset..offset + text.len()].copy_from_slice(text.as_bytes());
        self.list(at, start, u32::try_from(text.len()).unwrap());
    }
}

/// The guest's one check, with nothing bound and nothing granted.
pub(crate) fn task(plugin: Digest) -> Task {
    Task {
        id: TaskId(0),
        item: "must-do.probe".parse().unwrap(),
        check: "test-guest/probe".parse().unwrap(),
        plugin,
        params: "{}".to_owned(),
        targets: BTreeMap::new(),
        names: BTreeMap::new(),
        supervised: BTreeMap::new(),
        allowed: BTreeSet::new(),
        exclusive: false,
        seed: 7,
        deadline: Duration::from_secs(20),
    }
}

/// Somebody to tell who does not listen.
pub(crate) fn silent() -> Reporter {
    Reporter::new(TaskId(0), unbounded_channel().0)
}
