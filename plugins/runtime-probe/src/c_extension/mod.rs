//! `c-extension`: is it right, safe and faster than the same in Python?
//!
//! The extension is compiled here, in a private copy from which everything that was compiled before has been removed. It
//! and the learner's own function in Python run in two interpreters on the same seeded inputs; their answers are compared
//! here. Memory and processor time are what the system says of the processes.

mod build;
mod cost;
mod equal;

use std::time::Duration;

use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::session::{self, Session};
use crate::trouble::{Trouble, wrong};

/// The part of the harness for this check.
const HARNESS: &str = include_str!("../../harness/c_extension.py");

/// What an argument can be.
const KINDS: [&str; 4] = ["ints", "floats", "text", "bytes"];

parameters! {
    /// What to build, what to compare with what, and how much faster it has to be.
    pub struct CExtension {
        /// What the interpreter is given to build the extension, in the folder `path` of the copy.
        build: Vec<String> = vec!["setup.py".to_owned(), "build_ext".to_owned(), "--inplace".to_owned()],
        /// The function of the extension, as `module:name`.
        function: String = "fast:work".to_owned(),
        /// The same in plain Python: the answer key.
        model: String = "slow:work".to_owned(),
        /// What each argument is: `ints` or `floats`, a list of them; `text`; `bytes`.
        arguments: Vec<String> = vec!["ints".to_owned()],
        /// The folder in which it is built and modules are looked for, relative to the directory target.
        path: String = ".".to_owned(),
        /// How many inputs are compared.
        #[range(200..=20_000)]
        n: u32 = 2_000,
        /// How many times as fast it has to be.
        #[range(2..=100)]
        speedup: u32 = 5,
    }
}

impl Check for CExtension {
    const ID: &'static str = "c-extension";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "C extension: right, safe, without a leak, faster",
                "C 扩展：结果对、安全、不泄漏、更快",
            ),
            description: Text::new(
                "Removes what was compiled before from a private copy, builds the extension there, and compares it with your function in Python on seeded inputs: empty, long, negative, beyond 64 bits, NaN, all of Unicode. Wrong types must raise TypeError; numbers that do not fit, OverflowError or ValueError. Counts of references and memory must stay over many calls, also when they fail; eight threads must get the same; processor time must be a fraction of your Python's. Passes when all of it holds. It runs in one process with your code and can not see one that sets out to deceive it, nor a fault that no input here meets.",
                "在私有副本里先删掉以前编译出来的东西，再构建扩展，用随机输入与你的 Python 函数比较：空的、长的、负的、超出 64 位的、NaN、各种 Unicode。类型不对必须抛 TypeError，放不下的数必须抛 OverflowError 或 ValueError；大量调用之后（包括出错的调用）引用计数和内存不变；八个线程结果相同；处理器时间只有 Python 版的几分之一。全部成立才通过。检查程序与你的代码在同一个进程里，存心欺骗它的代码、没有任何输入碰到的错误，它看不出来。",
            ),
            capabilities: session::capabilities(),
            typical: Duration::from_secs(30),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("the extension is right, safe and fast", "扩展结果正确、安全、够快"));
        let seed = context.generator().token(16);
        let _ = Exam { check: self, context, seed }.judge(&mut report);
        report
    }
}

/// One run of the check.
struct Exam<'a, 'host> {
    check: &'a CExtension,
    context: &'a Context<'host>,
    seed: String,
}

impl<'a, 'host> Exam<'a, 'host> {
    fn judge(&self, report: &mut Report) -> Option<()> {
        let folder = report.judge("build", Need::Must, self.build(), |_| {
            Text::new("it is built from its source", "它是从源代码构建出来的")
        })?;
        let folder = &folder;
        let origin = report.judge("native", Need::Must, self.native(folder), |file| {
            Text::new(format!("the function is in {file}"), format!("函数在 {file} 里"))
        });
        origin?;
        report.judge("answers", Need::Must, self.answers(folder), |count| {
            Text::new(
                format!("{count} inputs give what the Python function gives"),
                format!("{count} 个输入的结果都与 Python 函数相同"),
            )
        })?;
        report.judge("wrong-types", Need::Must, self.wrong_types(folder), |count| {
            Text::new(format!("{count} wrong types are refused"), format!("{count} 种错误的类型都被拒绝"))
        });
        if self.check.arguments.iter().any(|kind| kind == "ints") {
            report.judge("overflow", Need::Must, self.overflow(folder), |count| {
                Text::new(
                    format!("{count} inputs around the limits of C's types are right or refused"),
                    format!("C 类型边界附近的 {count} 个输入，要么正确要么被拒绝"),
                )
            });
        }
        report.judge("references", Need::Must, self.references(folder), |calls| {
            Text::new(
                format!("{calls} calls, right and wrong, leave the counts of references as they were"),
                format!("{calls} 次调用（有对有错）之后引用计数不变"),
            )
        });
        let memory = self.memory(folder, report);
        report.judge("memory", Need::Must, memory, |bytes| {
            Text::new(
                format!("memory stays: {bytes:.1} bytes a call"),
                format!("内存不变：每次调用 {bytes:.1} 字节"),
            )
        });
        let load = report.judge("load", Need::Must, self.load(folder), |load| {
            Text::new(
                format!("inputs of {} items take the Python function long enough", load.size),
                format!("{} 项的输入足够 Python 函数算一阵子", load.size),
            )
        })?;
        report.judge("threads", Need::Must, self.threads(folder, load.size), |threads| {
            Text::new(
                format!("{threads} threads get the same answers"),
                format!("{threads} 个线程得到相同的结果"),
            )
        });
        let speed = self.speed(folder, load, report);
        report.judge("speed", Need::Must, speed, |times| {
            Text::new(
                format!("{times:.0} times as fast as Python"),
                format!("速度是 Python 的 {times:.0} 倍"),
            )
        });
        Some(())
    }

    /// An interpreter with the extension.
    fn extension(&self, folder: &Workspace<'host>) -> Result<Session<'a, 'host>, Fault> {
        Session::load(self.context, folder, HARNESS, (&self.check.function, &self.check.path))
    }

    /// An interpreter with the answer key.
    fn model(&self, folder: &Workspace<'host>) -> Result<Session<'a, 'host>, Fault> {
        Session::load(self.context, folder, HARNESS, (&self.check.model, &self.check.path))
    }

    fn known_kinds(&self) -> Result<(), Fault> {
        let unknown = self.check.arguments.iter().find(|kind| !KINDS.contains(&kind.as_str()));
        if let Some(kind) = unknown {
            return Err(Fault::inconclusive(Text::new(
                format!("there is no kind of argument {kind}; write ints, floats, text or bytes"),
                format!("没有 {kind} 这种参数；请写 ints、floats、text 或 bytes"),
            )));
        }
        if self.check.arguments.is_empty() {
            return Err(Fault::inconclusive(Text::new(
                "say what the function takes: with = { arguments = [\"ints\"] }",
                "请写明函数的参数：with = { arguments = [\"ints\"] }",
            )));
        }
        Ok(())
    }

    /// The function is compiled, and from what was built here; the file that it comes from.
    fn native(&self, folder: &Workspace<'host>) -> Result<String, Fault> {
        let told = |trouble: Trouble| trouble.fault();
        let mut session = self.extension(folder)?;
        let origin = session.value("origin", &json!({})).map_err(told)?;
        let home = session.hello.get("folder").and_then(Value::as_str).unwrap_or_default().to_owned();
        let function = &self.check.function;
        let kind = origin.get("kind").and_then(Value::as_str).unwrap_or_default();
        let file = origin.get("file").and_then(Value::as_str).unwrap_or_default();
        let is_native = is_module_file(file);
        if origin.get("is_python") != Some(&Value::Bool(false)) || !is_native {
            let summary = Text::new(
                format!("{function} is not compiled: it is a {kind} of {}", cut_path(file)),
                format!("{function} 不是编译出来的：它是 {} 里的 {kind}", cut_path(file)),
            );
            let hint = Text::new(
                "name the function of the extension module itself, not one in Python around it",
                "请写扩展模块里的函数，而不是包在它外面的 Python 函数",
            );
            return Err(wrong("c-extension.not-compiled", summary.clone(), summary, hint));
        }
        let Some(own) = file.strip_prefix(&home) else {
            let summary = Text::new(
                format!("{function} comes from {file}, which was not built here"),
                format!("{function} 来自 {file}，不是在这里构建的"),
            );
            let hint = Text::new("name a function of your own extension", "请写你自己的扩展里的函数");
            return Err(wrong("c-extension.not-built", summary.clone(), summary, hint));
        };
        Ok(own.trim_start_matches('/').to_owned())
    }
}

/// Whether a file is a compiled module, as Python names them.
fn is_module_file(file: &str) -> bool {
    matches!(file.rsplit_once('.'), Some((_, "so" | "pyd")))
}

fn cut_path(file: &str) -> &str {
    if file.is_empty() { "no file" } else { file.rsplit('/').next().unwrap_or(file) }
}
