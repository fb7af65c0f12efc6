//! `decorator`: does it leave the function what it was?
//!
//! Each step is a [`scene`]: a few lines of Python with names and values of this run, in which the learner's decorator stands
//! above a function. The harness plays it; what must come out is computed here.

mod names;
mod scene;
mod value;

use std::time::Duration;

use mustdo_plugin::serde_json::{Map, Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::encoded::{same, shown};
use crate::session::{self, SOURCE, Session};
use crate::trouble::wrong;
use names::Names;
use scene::Scene;
use value::{int, list, truth};

/// The part of the harness for this check.
const HARNESS: &str = include_str!("../../harness/decorator.py");

/// Calls whose cost is taken, and the most that each may cost more than the function.
const COST_CALLS: u32 = 500;
const COST: Duration = Duration::from_millis(1);

/// The most that a decorator may try.
const TRIES: usize = 20;

parameters! {
    /// Which decorator, and what it does.
    pub struct Decorator {
        /// The decorator, as `module:name`.
        name: String = "decorators:timed".to_owned(),
        /// What it is called with before it decorates; left out for one that decorates at once.
        arguments: Option<Vec<Value>> = None,
        /// The same by name.
        keywords: Option<std::collections::BTreeMap<String, Value>> = None,
        /// What it is for: `any`, `timing`, `retry` (tries again after an exception) or `cache` (remembers by arguments).
        kind: String = "any".to_owned(),
        /// The folder in which modules are looked for, relative to the directory target.
        path: String = ".".to_owned(),
    }
}

impl Check for Decorator {
    const ID: &'static str = "decorator";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A decorator that keeps the function's face", "不改变函数面貌的装饰器"),
            description: Text::new(
                "Puts your decorator above functions with names and values of this run. What comes out must be what the function gives, with every kind of argument, in methods, in 32 threads, decorated twice, and beside another decorated function; exceptions must come through as they were; name, documentation, module, signature and __wrapped__ must be the function's own. Generators and coroutines should work. Of a cache it also asks that the function runs once for the same arguments, of a retry that it tries again and then gives up. It can not see what a decorator does besides, a log line for example, and it runs in one process with your code: one that sets out to deceive it could.",
                "用每次都不同的名字和值，把你的装饰器放在各种函数上。结果必须与原函数一致：各种参数、方法、32 个线程、装饰两次、旁边还有另一个被装饰的函数；异常必须原样传出；名字、文档、模块、签名和 __wrapped__ 必须是原函数的。生成器和协程也应当可用。对缓存，还要求相同参数只执行一次；对重试，要求再试并最终放弃。装饰器另外做的事（例如写日志）它看不到；检查程序与你的代码在同一个进程里，存心欺骗它的代码骗得过它。",
            ),
            capabilities: session::capabilities(),
            typical: Duration::from_secs(4),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("the decorated function is what it was", "被装饰的函数还是原来的样子"));
        let names = Names::new(context.generator());
        let stage = Stage::open(self, context, names);
        if let Some(mut stage) = report.judge("decorates", Need::Must, stage, |_| {
            Text::new("a decorated function can be called", "被装饰的函数可以调用")
        }) {
            stage.judge(&mut report);
        }
        report
    }
}

/// An interpreter with the decorator.
struct Stage<'a, 'host> {
    check: &'a Decorator,
    session: Session<'a, 'host>,
    names: Names,
    /// The conversation broke off: there is nobody to ask any more.
    is_over: bool,
}

impl<'a, 'host> Stage<'a, 'host> {
    fn open(check: &'a Decorator, context: &'a Context<'host>, names: Names) -> Result<Self, Fault> {
        if !["any", "timing", "retry", "cache"].contains(&check.kind.as_str()) {
            return Err(Fault::inconclusive(Text::new(
                format!("there is no kind {}; write any, timing, retry or cache", check.kind),
                format!("没有 {} 这一种；请写 any、timing、retry 或 cache", check.kind),
            )));
        }
        let folder = context.scratch(Some(SOURCE))?;
        let session = Session::load(context, &folder, HARNESS, (&check.name, &check.path))?;
        let mut stage = Self { check, session, names, is_over: false };
        let source = "\
def NAME(a):
    return a
bare = NAME
wrapped = decorate(NAME)
try:
    makes_another = callable(wrapped) and callable(wrapped(V0))
except Exception:
    makes_another = False
result = [callable(wrapped), wrapped is bare, makes_another]
";
        let name = &check.name;
        let with = "with = { arguments = [3] }";
        let seen = match stage.play(source)? {
            Ok(seen) => seen,
            Err(line) => {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "decorating a function raises {line}; a decorator that takes arguments gets them by {with}"
                    ),
                    format!("装饰一个函数时抛出 {line}；带参数的装饰器请用 {with} 写明"),
                )));
            }
        };
        let is = |callable, same, another| seen == list([truth(callable), truth(same), truth(another)]);
        if is(true, false, false) {
            return Ok(stage);
        }
        if is(true, false, true) {
            return Err(Fault::inconclusive(Text::new(
                format!("{name} seems to take arguments before it decorates: say which by {with}"),
                format!("{name} 似乎要先接收参数再装饰：请用 {with} 写明"),
            )));
        }
        let (summary, hint) = if is(true, true, false) {
            (
                Text::new(
                    format!("{name} gives the function back as it is: nothing is decorated"),
                    format!("{name} 原样返回函数：什么也没有装饰"),
                ),
                Text::new("return a function around it", "返回一个包住它的函数"),
            )
        } else {
            (
                Text::new(
                    format!("{name} gives something that can not be called"),
                    format!("{name} 返回的东西不能调用"),
                ),
                Text::new("return the inner function at its end", "最后要返回里层的函数"),
            )
        };
        Err(wrong("decorator.nothing", summary.clone(), summary, hint))
    }

    /// What came of a scene: its result, or the exception in a line.
    fn play(&mut self, source: &str) -> Result<Result<Value, String>, Fault> {
        let keywords: Option<Map<String, Value>> =
            self.check.keywords.clone().map(|keywords| keywords.into_iter().collect());
        let asked = json!({
            "module": self.names.module,
            "source": self.names.fill(source),
            "arguments": self.check.arguments,
            "keywords": keywords,
        });
        match self.session.ask("scene", &asked) {
            Ok(Ok(value)) => Ok(Ok(value)),
            Ok(Err(raised)) => Ok(Err(raised.line())),
            Err(trouble) => {
                self.is_over = true;
                Err(trouble.fault())
            }
        }
    }

    fn show(&mut self, report: &mut Report, scene: Scene<'_>) {
        if self.is_over {
            return;
        }
        let Scene { id, need, source, expected, passed, failed, hint } = scene;
        let outcome = self.play(source).and_then(|seen| {
            let seen = match seen {
                Ok(value) if same(&value, &expected) => return Ok(()),
                Ok(value) => shown(&value),
                Err(line) => line,
            };
            let message = Text::new(
                format!("{}\nexpected: {}\nseen: {seen}", self.names.fill(source), shown(&expected)),
                format!("{}\n应当是：{}\n实际是：{seen}", self.names.fill(source), shown(&expected)),
            );
            Err(wrong(&format!("decorator.{id}"), failed, message, hint))
        });
        report.judge(id, need, outcome, |()| passed);
    }

    fn judge(&mut self, report: &mut Report) {
        self.results(report);
        self.exceptions(report);
        self.face(report);
        self.methods(report);
        self.beside(report);
        self.threads(report);
        match self.check.kind.as_str() {
            "cache" => self.cache(report),
            "retry" => {
                self.retry(report);
                self.gives_up(report);
            }
            "timing" => self.timing(report),
            _ => {}
        }
        if self.check.kind != "cache" {
            self.laziness(report);
        }
    }

    /// How many times it tries in all: any number that is not one and has an end.
    fn gives_up(&mut self, report: &mut Report) {
        let source = "\
@decorate
def NAME(x):
    journal.append(x)
    raise ValueError('WORDS')
try:
    NAME(V0)
except ValueError:
    pass
result = len(journal)
";
        if self.is_over {
            return;
        }
        let outcome = self.play(source).and_then(|seen| {
            let tries = seen.as_ref().ok().and_then(|value| {
                (2..=TRIES).find(|tries| i64::try_from(*tries).is_ok_and(|tries| value == &int(tries)))
            });
            tries.ok_or_else(|| {
                let seen = seen.map_or_else(|line| line, |value| shown(&value));
                let summary = Text::new(
                    format!("a function that always fails is tried {seen} times, not 2 to {TRIES}"),
                    format!("一直失败的函数试了 {seen} 次，应当是 2 到 {TRIES} 次"),
                );
                let hint = Text::new("give up after a fixed number of tries", "试满固定次数之后就放弃");
                wrong("decorator.gives-up", summary.clone(), summary, hint)
            })
        });
        report.judge("gives-up", Need::Must, outcome, |tries| {
            Text::new(format!("it gives up after {tries} tries"), format!("试 {tries} 次之后放弃"))
        });
    }

    /// By the processor time of the process, not by a clock: a busy machine is not the decorator's fault.
    fn timing(&mut self, report: &mut Report) {
        let source = format!(
            "@decorate\ndef NAME(x):\n    return x\nfor number in range({COST_CALLS}):\n    NAME(number)\n"
        );
        if self.is_over {
            return;
        }
        let before = self.session.processor_time();
        let outcome = self.play(&source).and_then(|seen| {
            seen.map_err(|line| Fault::fail(Text::same(line)))?;
            let used =
                before.zip(self.session.processor_time()).map(|(before, after)| after.saturating_sub(before));
            let used = used.ok_or_else(|| {
                Fault::inconclusive(Text::new(
                    "this system does not tell what a process uses; Linux does",
                    "这个系统不告诉进程用了多少资源；请在 Linux 上检查",
                ))
            })?;
            let each = used / COST_CALLS;
            if each <= COST {
                return Ok(each);
            }
            let summary = Text::new(
                format!("each call costs {:.1} ms more", each.as_secs_f64() * 1e3),
                format!("每次调用多花 {:.1} 毫秒", each.as_secs_f64() * 1e3),
            );
            let hint = Text::new("take the time, and do the rest later", "只取时间，其他的事以后再做");
            Err(wrong("decorator.cost", summary.clone(), summary, hint))
        });
        report.judge("cost", Need::Must, outcome, |each| {
            Text::new(
                format!("a call costs {} µs", each.as_micros()),
                format!("一次调用花 {} 微秒", each.as_micros()),
            )
        });
    }
}
