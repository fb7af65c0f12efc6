//! `c-list`: is it Python's list, in C?
//!
//! The source is compiled in a private copy, first plain and then with `AddressSanitizer` and `UndefinedBehaviorSanitizer`,
//! and both programs answer the same kinds of operations. Growth is held against bounds that `CPython` keeps
//! (`Objects/listobject.c`, `list_resize`: an eighth more than is needed).

mod model;
mod source;

use std::time::Duration;

use mustdo_plugin::process::{Command, Limits, without};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::json;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Failure, Fault, Generator, Report, Text,
    parameters,
};

use crate::engine::{Exam, Op, Place, capability, greeted, op};
use model::{Growth, List};

/// The directory with the source, and the compiler.
const SOURCE: &str = "source";
const COMPILER: &str = "compiler";

/// What the compiler makes, and the program target starts.
const BINARY: &str = "program";

/// How lists are created, filled and freed to see whether memory comes back.
const CYCLES: usize = 20;
const FILLED: usize = 40_000;

parameters! {
    /// Where the source is, and how long to look.
    pub struct CList {
        /// The files to compile, relative to the directory target.
        files: Vec<String> = vec!["list.c".to_owned()],
        /// More arguments for the compiler.
        flags: Vec<String> = vec!["-std=c11".to_owned()],
        /// How many operations are compared with the model; of appends, whose growth is watched, twice as many.
        #[range(400..=100_000)]
        n: u32 = 20_000,
    }
}

impl Check for CList {
    const ID: &'static str = "c-list";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Python's list, in C", "用 C 实现的 Python list"),
            description: Text::new(
                "Compiles your C files in a private copy, plain and with the address and undefined-behaviour sanitizers, and plays APPEND, INSERT, POP, SLICE, SORT and the others (task `c-list` of MLP/1, docs/judge.md) against a model. Passes when every answer is right, the sanitizers are silent, capacity grows by a share and not by one, and memory comes back.",
                "在私有副本里编译你的 C 文件（普通编译一次，带地址和未定义行为检查器一次），执行 APPEND、INSERT、POP、SLICE、SORT 等（MLP/1 的 `c-list` 任务，见 docs/judge.md），与模型比较。答案全对、检查器没有报告、容量按比例增长而不是一次加一、内存能还回来，才算通过。",
            ),
            capabilities: vec![
                capability(),
                CapabilityRequest {
                    capability: Capability::Scratch(SOURCE.to_owned()),
                    reason: "to compile your source in a copy of its own".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(COMPILER.to_owned()),
                    reason: "to compile your list with sanitizers; without it nobody sees what a wrong index really touches".to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(15),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("it is Python's list, in C", "它是用 C 实现的 Python list"));
        let random = Generator::new(context.generator().number(0..u64::MAX));
        let folder = match context.scratch(Some(SOURCE)) {
            Ok(folder) => folder,
            Err(failure) => {
                report.judge("source", Need::Must, Err::<(), _>(Fault::from(failure)), |()| Text::same(""));
                return report;
            }
        };
        let outcome = self.read(&folder);
        if report
            .judge("source", Need::Must, outcome, |()| {
                Text::new("the list is written in C", "list 是用 C 写的")
            })
            .is_none()
        {
            return report;
        }
        let place = Place { task: "c-list", inside: Some(&folder) };
        let mut exam = Exam::new(context, random, place, json!({}));
        let _ = self.judge(&folder, &mut exam, &mut report);
        exam.finish(&mut report);
        report
    }
}

impl CList {
    fn read(&self, folder: &Workspace<'_>) -> Result<(), Fault> {
        for path in &self.files {
            let bytes = folder.read(path).map_err(|failure| {
                Fault::inconclusive(Text::new(
                    format!("{path} could not be read ({}); name your files: with = {{ files = [\"src/list.c\"] }}", failure.explain().en),
                    format!("读不到 {path}（{}）；请写明文件：with = {{ files = [\"src/list.c\"] }}", failure.explain().zh),
                ))
            })?;
            source::judge(path, &String::from_utf8_lossy(&bytes))?;
        }
        Ok(())
    }

    fn judge(&self, folder: &Workspace<'_>, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let count = usize::try_from(self.n).unwrap_or(usize::MAX);
        let plain = ["-O2", "-g"];
        let outcome = self.compile(exam, folder, &plain);
        report.judge("compile", Need::Must, outcome, |()| Text::new("it compiles", "可以编译"))?;
        if !greeted(exam, report) {
            return None;
        }
        let ops = operations(count, exam.random());
        let outcome = exam.hold(&ops, List::default);
        report.judge("answers", Need::Must, outcome, |_| {
            Text::new(
                format!("{} operations answered right", ops.len()),
                format!("{} 个操作全部答对", ops.len()),
            )
        })?;
        let ops = growing(count * 2);
        let outcome = exam.hold(&ops, List::growing);
        report.judge("growth", Need::Must, outcome, |list| {
            let Growth { changes, appended, .. } = list.growth;
            Text::new(
                format!("{changes} sizes while {appended} values came, and the room is given back"),
                format!("追加 {appended} 个值，容量变了 {changes} 次，空出来的也会还"),
            )
        })?;
        report.judge("memory", Need::Must, memory(exam), |kib| {
            Text::new(
                format!("memory comes back: {kib} KiB more after {CYCLES} lists"),
                format!("内存会还回来：{CYCLES} 个列表之后多 {kib} KiB"),
            )
        })?;
        let sanitized = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let outcome = self.compile(exam, folder, &sanitized);
        report.judge("compile-sanitized", Need::Must, outcome, |()| {
            Text::new("it compiles with sanitizers", "带检查器也可以编译")
        })?;
        let ops = operations(count / 2, exam.random());
        let outcome = exam.hold(&ops, List::default);
        report.judge("sanitizers", Need::Must, outcome, |_| {
            Text::new("the sanitizers have nothing to report", "检查器没有报告")
        })?;
        Some(())
    }

    fn compile(&self, exam: &Exam<'_, '_>, folder: &Workspace<'_>, more: &[&str]) -> Result<(), Fault> {
        let mut command = Command::new(COMPILER);
        for argument in self.flags.iter().map(String::as_str).chain(more.iter().copied()) {
            command = command.argument(argument);
        }
        command = command.argument("-o").argument(BINARY);
        for path in &self.files {
            command = command.argument(path);
        }
        let limits =
            Limits { time: Duration::from_mins(1).min(exam.context().time_left() / 2), ..Limits::default() };
        let compiled = folder.start(&command.argument("-lm")).and_then(|child| child.output(&limits));
        let compiled = compiled.map_err(|failure| untried(&failure))?;
        if compiled.exit.is_success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&compiled.stderr).into_owned();
        let first =
            errors.lines().find(|line| line.contains("error")).or(errors.lines().next()).unwrap_or_default();
        let flags = more.join(" ");
        Err(Fault::inconclusive(Text::new(
            format!("it does not compile with {flags}: {first}"),
            format!("用 {flags} 编译不过：{first}"),
        )))
    }
}

/// Without a compiler the answers could still be right, and nobody would see what they touch.
fn untried(failure: &Failure) -> Fault {
    let fault = without(&Text::new("compiling your list", "编译你的 list"), failure);
    let summary = fault.summary().clone();
    Fault::inconclusive(summary)
}

/// What stays after lists were made, filled and freed over and over, in KiB.
fn memory(exam: &mut Exam<'_, '_>) -> Result<u64, Fault> {
    let mut session = exam.open().map_err(|breach| breach.fault())?;
    let mut resident = Vec::new();
    let values: Vec<u64> = (0..1_000).map(|_| exam.random().number(0..1 << 40)).collect();
    for _ in 0..CYCLES {
        let mut ops = vec![op!("NEW")];
        ops.extend(std::iter::repeat_n(op!("EXTEND", values), FILLED / values.len()));
        ops.push(op!("NEW"));
        exam.follow(&mut session, &ops, &mut List::default())?;
        let bytes = session.resident().ok_or_else(|| {
            Fault::inconclusive(Text::new(
                "this system does not tell how much memory a program uses; Linux does",
                "这个系统不告诉程序用了多少内存；请在 Linux 上检查",
            ))
        })?;
        resident.push(bytes);
    }
    session.finish().map_err(|breach| breach.fault())?;
    // The first lists may leave the allocator with more than before. A list that is lost adds eight bytes for each value.
    let warm = CYCLES / 4;
    let more = resident[CYCLES - 1].saturating_sub(resident[warm]);
    let lost = ((CYCLES - warm - 1) * FILLED * size_of::<u64>()) as u64;
    if more < lost / 2 {
        return Ok(more >> 10);
    }
    let kib: Vec<_> = resident.iter().map(|bytes| (bytes >> 10).to_string()).collect();
    let summary = Text::new(
        format!("memory does not come back: {} KiB more after {CYCLES} lists", more >> 10),
        format!("内存没有还回来：{CYCLES} 个列表之后多 {} KiB", more >> 10),
    );
    let message = Text::new(
        format!(
            "NEW, {FILLED} values by EXTEND, NEW, {CYCLES} times; KiB in use after each: {}",
            kib.join(" ")
        ),
        format!(
            "NEW、用 EXTEND 放入 {FILLED} 个值、NEW，重复 {CYCLES} 次；每次之后占用的 KiB：{}",
            kib.join(" ")
        ),
    );
    let hint =
        Text::new("free the array of the old list when a new one begins", "开始新列表时释放旧列表的数组");
    Err(exam.fail("memory", summary, message, hint))
}

/// Everything that a list can do, at and beyond its ends.
fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    let mut ops = vec![op!("POP", -1), op!("GET", 0), op!("SLICE", null(), null(), -1)];
    while ops.len() < count {
        ops.push(op!("NEW"));
        let start: Vec<_> = (0..random.number(0..30)).map(|_| random.number(0..40)).collect();
        let mut length = start.len() as u64;
        ops.push(op!("EXTEND", start));
        for _ in 0..random.number(10..120) {
            let reach = length.cast_signed() + 3;
            let index = random.number(0..reach.cast_unsigned() * 2).cast_signed() - reach;
            let value = if random.number(0..20) == 0 { (1 << 53) - 1 } else { random.number(0..40) };
            let op = match random.weighted(&[14, 14, 8, 6, 10, 10, 14, 3, 3, 4, 4, 4, 4, 2]) {
                Some(0) => op!("APPEND", value),
                Some(1) => op!("INSERT", index, value),
                Some(2) => op!("POP", index),
                Some(3) => op!("DEL", index),
                Some(4) => op!("GET", index),
                Some(5) => op!("SET", index, value),
                Some(6) => slice(reach, random),
                Some(7) => op!("EXTEND", (0..random.number(0..12)).collect::<Vec<_>>()),
                Some(8) => op!("REVERSE"),
                Some(9) => op!("SORT", random.number(1..12)),
                Some(10) => op!("INDEX", value),
                Some(11) => op!("COUNT", value),
                Some(12) => op!("LEN"),
                _ => op!("ALL"),
            };
            // Near enough: it only keeps indices near the ends.
            match op.name {
                "APPEND" | "INSERT" => length += 1,
                "POP" | "DEL" => length = length.saturating_sub(1),
                _ => {}
            }
            ops.push(op);
        }
        ops.push(op!("ALL"));
    }
    ops
}

fn null() -> Option<i64> {
    None
}

/// Start, end and step, each there or not, and each beyond the ends at times.
fn slice(reach: i64, random: &mut Generator) -> Op {
    let end = |random: &mut Generator| {
        (random.number(0..4) > 0).then(|| random.number(0..reach.cast_unsigned() * 2).cast_signed() - reach)
    };
    let steps = [None, Some(1), Some(-1), Some(2), Some(-2), Some(3), Some(-7), Some(0), Some(-1)];
    let (from, to) = (end(random), end(random));
    op!("SLICE", from, to, random.sample(&steps, 1)[0])
}

/// Many appends, with a look at the capacity at every 16th, and as many pops.
fn growing(count: usize) -> Vec<Op> {
    let mut ops = vec![op!("NEW")];
    for place in 0..count {
        ops.push(op!("APPEND", place));
        if place % 16 == 0 {
            ops.push(op!("CAP"));
        }
    }
    for place in 0..count {
        ops.push(op!("POP", -1));
        if place % 64 == 0 || place + 1 == count {
            ops.push(op!("CAP"));
        }
    }
    ops
}
