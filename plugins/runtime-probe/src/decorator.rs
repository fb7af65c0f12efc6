//! `decorator`: does it leave the function what it was?
//!
//! Each step is a scene: a few lines of Python with names and values of this run, in which the learner's decorator stands
//! above a function. The harness plays it; what must come out is computed here.

use std::time::Duration;

use mustdo_plugin::serde_json::{Map, Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::encoded::{same, shown};
use crate::session::{self, SOURCE, Session};
use crate::trouble::wrong;

/// The part of the harness for this check.
const HARNESS: &str = include_str!("../harness/decorator.py");

/// Threads that call one function at once, and how often each.
const THREADS: i64 = 32;
const THREAD_CALLS: i64 = 10;

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

/// Names and values that occur in this run only.
struct Names {
    module: String,
    function: String,
    keyword: String,
    words: String,
    /// Numbers that stand for themselves.
    values: Vec<i64>,
}

impl Names {
    fn new(random: &mut Generator) -> Self {
        let mut values: Vec<i64> = Vec::new();
        while values.len() < 12 {
            let value = random.number(1_000..1_000_000).cast_signed();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Self {
            module: random.token(9),
            function: random.token(10),
            keyword: random.token(8),
            words: random.token(14),
            values,
        }
    }

    /// The text with names and numbers put in: `NAME`, `OTHER`, `KEYWORD`, `WORDS`, and `V0` to `V11`.
    fn fill(&self, text: &str) -> String {
        let mut filled = text
            .replace("NAME", &self.function)
            .replace("OTHER", &format!("{}_other", self.function))
            .replace("KEYWORD", &self.keyword)
            .replace("WORDS", &self.words);
        // The longer numbers first: V1 is the beginning of V11.
        for (place, value) in self.values.iter().enumerate().rev() {
            filled = filled.replace(&format!("V{place}"), &value.to_string());
        }
        filled
    }
}

fn int(value: i64) -> Value {
    let sign = if value < 0 { "-" } else { "" };
    json!(["int", format!("{sign}{:#x}", value.unsigned_abs())])
}

fn text(words: &str) -> Value {
    json!(["str", format!("'{words}'")])
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    json!(["list", items.into_iter().collect::<Vec<_>>()])
}

fn truth(value: bool) -> Value {
    json!(["bool", value])
}

/// What a step asks and must get.
struct Scene<'a> {
    id: &'a str,
    need: Need,
    source: &'a str,
    expected: Value,
    passed: Text,
    failed: Text,
    hint: Text,
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
            "retry" => self.retry(report),
            "timing" => self.timing(report),
            _ => {}
        }
        if self.check.kind != "cache" {
            self.laziness(report);
        }
    }

    fn results(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let keyword = text(&self.names.keyword);
        let tuple = |items: Vec<Value>| json!(["tuple", items]);
        let dict = |pairs: Vec<Value>| json!(["dict", pairs]);
        let first = list([int(v[0]), int(v[1]), tuple(vec![]), int(v[2]), int(v[3]), dict(vec![])]);
        let second = list([
            int(v[4]),
            int(v[5]),
            tuple(vec![int(v[6]), int(v[7])]),
            int(v[8]),
            int(v[9]),
            dict(vec![json!([keyword, int(v[10])])]),
        ]);
        self.show(report, Scene {
            id: "results",
            need: Need::Must,
            source: "\
@decorate
def NAME(a, b=V1, *rest, c, e=V3, **more):
    journal.append(a)
    return [a, b, rest, c, e, more]
box = [V11]
@decorate
def OTHER():
    journal.append(0)
    return box
@decorate
def zero(x):
    return x - x
result = [NAME(V0, c=V2), NAME(V4, V5, V6, V7, c=V8, e=V9, KEYWORD=V10), OTHER() is box, zero(V0), journal]
",
            expected: list([first, second, truth(true), int(0), list([int(v[0]), int(v[4]), int(0)])]),
            passed: Text::new("arguments go in and results come out, whatever they are", "无论什么参数和结果，都原样进出"),
            failed: Text::new(
                "a decorated function does not give what the function gives",
                "被装饰的函数给出的不是原函数的结果",
            ),
            hint: Text::new(
                "take *args and **kwargs, pass both on, call the function once and return what it returns",
                "接收 *args 和 **kwargs，原样传下去，只调用一次函数，并返回它的结果",
            ),
        });
    }

    fn exceptions(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let name = text(&self.names.function);
        self.show(
            report,
            Scene {
                id: "exceptions",
                need: Need::Must,
                source: "\
class NAME(Exception):
    pass
error = NAME(V0, 'WORDS')
@decorate
def OTHER(x):
    journal.append(x)
    raise error
try:
    OTHER(V1)
except BaseException as caught:
    result = [type(caught).__name__, caught is error, list(caught.args), len(journal) > 0]
else:
    result = 'nothing'
",
                expected: list([name, truth(true), list([int(v[0]), text(&self.names.words)]), truth(true)]),
                passed: Text::new("exceptions come through as they were", "异常原样传出"),
                failed: Text::new(
                    "an exception of the function does not come through as it was",
                    "函数的异常没有原样传出来",
                ),
                hint: Text::new(
                    "let exceptions pass, or raise the same one again: `raise` alone",
                    "不要拦住异常，或者用单独的 `raise` 再次抛出同一个",
                ),
            },
        );
    }

    fn face(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let signature = text(&format!("(a, b={}, *rest, c, e={}, **more)", v[1], v[3]));
        self.show(report, Scene {
            id: "face",
            need: Need::Must,
            source: "\
def NAME(a, b=V1, *rest, c, e=V3, **more):
    'WORDS'
bare = NAME
NAME = decorate(NAME)
result = [NAME.__name__, NAME.__qualname__, NAME.__doc__, NAME.__module__, signature(NAME), getattr(NAME, '__wrapped__', None) is bare]
",
            expected: list([
                text(&self.names.function),
                text(&self.names.function),
                text(&self.names.words),
                text(&self.names.module),
                signature,
                truth(true),
            ]),
            passed: Text::new(
                "name, documentation, module and signature are the function's own",
                "名字、文档、模块和签名都是原函数的",
            ),
            failed: Text::new(
                "the decorated function has another name, documentation, module or signature",
                "被装饰的函数换了名字、文档、模块或签名",
            ),
            hint: Text::new(
                "put @functools.wraps(function) above the inner function",
                "在里层函数上加 @functools.wraps(function)",
            ),
        });
    }

    fn methods(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let method = |tag: i64, y: i64| list([int(tag), int(v[0]), int(y)]);
        let class = list([text(&self.names.function), int(v[0])]);
        let plain = list([int(v[0]), text(&self.names.words)]);
        self.show(report, Scene {
            id: "methods",
            need: Need::Must,
            source: "\
class NAME:
    def __init__(self, tag):
        self.tag = tag
    @decorate
    def method(self, x, *, y=V1):
        return [self.tag, x, y]
    @classmethod
    @decorate
    def of_class(cls, x):
        return [cls.__name__, x]
    @staticmethod
    @decorate
    def plain(x):
        return [x, 'WORDS']
one, two = NAME(V2), NAME(V3)
result = [one.method(V0), two.method(V0), one.method(V0, y=V4), NAME.method(two, V0), NAME.of_class(V0), one.of_class(V0), NAME.plain(V0), two.plain(V0)]
",
            expected: list([
                method(v[2], v[1]),
                method(v[3], v[1]),
                method(v[2], v[4]),
                method(v[3], v[1]),
                class.clone(),
                class,
                plain.clone(),
                plain,
            ]),
            passed: Text::new("methods keep their own object", "方法仍然属于各自的对象"),
            failed: Text::new("a decorated method does not work", "被装饰的方法不能正常工作"),
            hint: Text::new(
                "return a function, or give your class a __get__; a cache must tell objects apart",
                "返回一个函数，或者给你的类写 __get__；缓存要区分不同的对象",
            ),
        });
    }

    fn beside(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let (one, two) = (list([int(v[0]), int(v[1])]), list([int(v[0]), int(v[2])]));
        self.show(
            report,
            Scene {
                id: "separate",
                need: Need::Must,
                source: "\
@decorate
def NAME(x):
    return [x, V1]
@decorate
def OTHER(x):
    return [x, V2]
result = [NAME(V0), OTHER(V0), NAME(V0), OTHER(V0)]
",
                expected: list([one.clone(), two.clone(), one, two]),
                passed: Text::new("two decorated functions share nothing", "两个被装饰的函数互不影响"),
                failed: Text::new(
                    "two decorated functions get in each other's way",
                    "两个被装饰的函数互相影响",
                ),
                hint: Text::new(
                    "keep state inside the decorator's call, not in the module or in a default argument",
                    "状态放在每次装饰的调用里，不要放在模块里或默认参数里",
                ),
            },
        );
        let of = |value: i64| list([int(value), int(v[1])]);
        self.show(
            report,
            Scene {
                id: "twice",
                need: Need::Must,
                source: "\
@decorate
@decorate
def NAME(x):
    return [x, V1]
result = [NAME(V3), NAME(V4)]
",
                expected: list([of(v[3]), of(v[4])]),
                passed: Text::new("it can stand above itself", "可以叠加使用"),
                failed: Text::new(
                    "decorated twice, a function does not work",
                    "装饰两次之后函数不能正常工作",
                ),
                hint: Text::new(
                    "what is decorated may be decorated already: take it as any function",
                    "被装饰的对象可能已经装饰过：当成普通函数处理",
                ),
            },
        );
    }

    fn threads(&mut self, report: &mut Report) {
        let tag = self.names.values[0];
        let of_thread =
            |number: i64| list((0..THREAD_CALLS).map(|call| list([int(number), int(call), int(tag)])));
        let source = format!(
            "\
@decorate
def NAME(number, call):
    pause(0.0002)
    return [number, call, V0]
result = all_at_once({THREADS}, lambda number: [NAME(number, call) for call in range({THREAD_CALLS})])
"
        );
        self.show(
            report,
            Scene {
                id: "threads",
                need: Need::Must,
                source: &source,
                expected: list((0..THREADS).map(of_thread)),
                passed: Text::new(
                    format!("{THREADS} threads get their own answers"),
                    format!("{THREADS} 个线程各得各的结果"),
                ),
                failed: Text::new("in threads the answers get mixed up", "在多线程里结果弄混了"),
                hint: Text::new(
                    "keep what belongs to one call in local variables",
                    "属于一次调用的东西放在局部变量里",
                ),
            },
        );
    }

    fn cache(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let value = |x: i64| list([int(x), int(v[2])]);
        self.show(
            report,
            Scene {
                id: "once",
                need: Need::Must,
                source: "\
@decorate
def NAME(x, y=V2):
    journal.append([x, y])
    return [x, y]
result = [NAME(V0), NAME(V1), NAME(V0), NAME(V1), NAME(V0, y=V3), NAME(V0, y=V3), journal]
",
                expected: list([
                    value(v[0]),
                    value(v[1]),
                    value(v[0]),
                    value(v[1]),
                    list([int(v[0]), int(v[3])]),
                    list([int(v[0]), int(v[3])]),
                    list([value(v[0]), value(v[1]), list([int(v[0]), int(v[3])])]),
                ]),
                passed: Text::new("the function runs once for the same arguments", "相同的参数只执行一次"),
                failed: Text::new(
                    "the function does not run exactly once for each set of arguments",
                    "并不是每组参数恰好执行一次",
                ),
                hint: Text::new(
                    "remember by positional and named arguments together",
                    "位置参数和命名参数要一起作为键",
                ),
            },
        );
    }

    fn retry(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        self.show(
            report,
            Scene {
                id: "tries-again",
                need: Need::Must,
                source: "\
@decorate
def NAME(x):
    journal.append(x)
    if len(journal) == 1:
        raise ValueError('WORDS')
    return [x, V1]
result = [NAME(V0), journal]
",
                expected: list([list([int(v[0]), int(v[1])]), list([int(v[0]), int(v[0])])]),
                passed: Text::new("it tries again, and stops once it went well", "失败后再试，成功就停"),
                failed: Text::new(
                    "a function that fails once is not simply tried once more",
                    "失败一次的函数没有正好再试一次",
                ),
                hint: Text::new(
                    "call the function again after an exception, and return as soon as it returns",
                    "抛异常之后再调用一次，一旦返回就立刻返回",
                ),
            },
        );
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

    /// What runs later than it is called.
    fn laziness(&mut self, report: &mut Report) {
        let v = self.names.values.clone();
        let item = |number: i64| list([int(number), int(v[0])]);
        let hint = || {
            Text::new(
                "what a generator or a coroutine function returns is not its result yet: hand it on as it is",
                "生成器或协程函数返回的还不是结果：原样交出去",
            )
        };
        self.show(
            report,
            Scene {
                id: "generator",
                need: Need::Should,
                source: "\
@decorate
def NAME(count):
    for number in range(count):
        yield [number, V0]
result = list(NAME(3))
",
                expected: list((0..3).map(item)),
                passed: Text::new("generators work", "生成器可用"),
                failed: Text::new("a decorated generator does not work", "被装饰的生成器不能正常工作"),
                hint: hint(),
            },
        );
        self.show(
            report,
            Scene {
                id: "coroutine",
                need: Need::Should,
                source: "\
@decorate
async def NAME(x):
    return [x, V0]
result = awaited(NAME(V1))
",
                expected: list([int(v[1]), int(v[0])]),
                passed: Text::new("coroutines work", "协程可用"),
                failed: Text::new("a decorated coroutine does not work", "被装饰的协程不能正常工作"),
                hint: hint(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_run() {
        let names = Names::new(&mut Generator::new(3));
        let filled = names.fill("NAME V1 V11");
        assert_eq!(filled, format!("{} {} {}", names.function, names.values[1], names.values[11]));
        let others = Names::new(&mut Generator::new(4));
        assert_ne!(names.function, others.function);
    }

    #[test]
    fn numbers_are_encoded_as_python_does() {
        assert_eq!((int(255), int(-1)), (json!(["int", "0xff"]), json!(["int", "-0x1"])));
    }
}
