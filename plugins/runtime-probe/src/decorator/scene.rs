//! The scenes: a few lines of Python each, in which the decorator stands above a function, and what must come out.

use mustdo_plugin::Report;
use mustdo_plugin::Text;
use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;

use super::Stage;
use super::value::{int, list, text, truth};

/// Threads that call one function at once, and how often each.
const THREADS: i64 = 32;
const THREAD_CALLS: i64 = 10;

/// What a step asks and must get.
pub(super) struct Scene<'a> {
    pub(super) id: &'a str,
    pub(super) need: Need,
    pub(super) source: &'a str,
    pub(super) expected: Value,
    pub(super) passed: Text,
    pub(super) failed: Text,
    pub(super) hint: Text,
}

impl Stage<'_, '_> {
    pub(super) fn results(&mut self, report: &mut Report) {
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

    pub(super) fn exceptions(&mut self, report: &mut Report) {
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

    pub(super) fn face(&mut self, report: &mut Report) {
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

    pub(super) fn methods(&mut self, report: &mut Report) {
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

    pub(super) fn beside(&mut self, report: &mut Report) {
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

    pub(super) fn threads(&mut self, report: &mut Report) {
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

    pub(super) fn cache(&mut self, report: &mut Report) {
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

    pub(super) fn retry(&mut self, report: &mut Report) {
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
    }

    /// What runs later than it is called.
    pub(super) fn laziness(&mut self, report: &mut Report) {
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
