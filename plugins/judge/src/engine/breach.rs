//! What a program does that is no answer at all, each in words of its own.

use std::time::Duration;

use mustdo_plugin::process::Exit;
use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Failure, Fault, Text};

/// Characters of a program's line that are shown.
const SHOWN: usize = 160;

/// How the program broke the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Breach {
    /// The host could not start or reach it.
    Host(Failure),
    /// The time of the whole check is over.
    OutOfTime,
    /// It said nothing to the hello, and goes on running.
    Silent,
    /// It ended before it answered the hello.
    EndedAtHello(Exit, String),
    /// It answered the hello with something else.
    NotSpoken(String),
    /// The answers came when its input ended.
    NotFlushed,
    /// No answer came.
    Late(Duration, Stall),
    /// It takes nothing from its input.
    NotRead,
    /// A line that is no JSON.
    NotJson(String),
    /// JSON that is no answer to the operation of this number.
    NotAnswer(String, u64),
    /// A line longer than any answer can be.
    LongLine,
    /// It ended while operations waited for their answers; what it wrote to its standard error.
    Ended(Exit, String),
    /// All was answered, and then it ended by a signal or with a code; what it wrote to its standard error.
    EndedBadly(Exit, String),
    /// It said more than it was asked.
    Talkative(String),
    /// Its input ended, and it did not.
    StillRunning,
}

/// What a program was doing while no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stall {
    /// It used the processor.
    Computing,
    /// It slept.
    Sleeping,
    /// Neither: the machine gave it no time, or tells nothing.
    Unknown,
}

impl Breach {
    /// The last word of the finding's code; two breaches with the same word are the same failure.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::Host(_) => "not-started",
            Self::OutOfTime => "out-of-time",
            Self::Silent => "silent",
            Self::EndedAtHello(..) => "ended-at-hello",
            Self::NotSpoken(_) => "protocol",
            Self::NotFlushed => "not-flushed",
            Self::Late(..) => "time-out",
            Self::NotRead => "not-read",
            Self::NotJson(_) => "not-json",
            Self::NotAnswer(..) => "not-an-answer",
            Self::LongLine => "long-line",
            Self::Ended(exit, _) | Self::EndedBadly(exit, _) if exit.signal.is_some() => "crash",
            Self::Ended(..) | Self::EndedBadly(..) => "exit",
            Self::Talkative(_) => "talkative",
            Self::StillRunning => "still-running",
        }
    }

    /// The step's outcome. What the program did while it was working on operations is its own failure; what only keeps
    /// this side from judging it is not.
    pub(crate) fn fault(&self) -> Fault {
        let summary = self.summary();
        let fault = if self.is_failure() {
            Fault::fail(summary.clone())
        } else {
            Fault::inconclusive(summary.clone())
        };
        let Some(hint) = self.hint() else { return fault };
        let severity = Severity::Problem;
        let message = match self.errors().filter(|errors| !errors.trim().is_empty()) {
            Some(errors) => Text::new(
                format!("{}; it wrote to its standard error:\n{errors}", summary.en),
                format!("{}；它在标准错误里写了：\n{errors}", summary.zh),
            ),
            None => summary,
        };
        let finding = Finding::new(severity, format!("judge.{}", self.rule()), message);
        fault.with(finding.at(Location::Process(super::exam::TARGET.to_owned())).hint(hint))
    }

    /// Whether the program itself went wrong while it worked.
    fn is_failure(&self) -> bool {
        let is_stuck = matches!(self, Self::Late(_, Stall::Computing | Stall::Sleeping));
        let has_ended = matches!(self, Self::Ended(..) | Self::EndedBadly(..));
        is_stuck || (has_ended && !self.errors().is_some_and(sanitizer_broke))
    }

    fn errors(&self) -> Option<&str> {
        let (Self::EndedAtHello(_, errors) | Self::Ended(_, errors) | Self::EndedBadly(_, errors)) = self
        else {
            return None;
        };
        Some(errors)
    }

    /// One line.
    pub(crate) fn summary(&self) -> Text {
        match self {
            Self::Host(Failure::Other(why)) => {
                Text::new(format!("the program could not be started: {why}"), format!("程序启动不了：{why}"))
            }
            Self::Host(failure) => failure.explain(),
            Self::OutOfTime => Text::new(
                "the time of the check was over before it came to an end",
                "检查还没做完，时间就用完了",
            ),
            Self::Silent => Text::new(
                "the program started and said nothing to the hello",
                "程序启动了，但对 hello 什么也没说",
            ),
            Self::EndedAtHello(exit, errors) => {
                let (en, zh) = (exit.words(), telling_line(errors));
                Text::new(
                    format!("the program {} before it answered the hello{}", en.en, after_colon(&zh, ": ")),
                    format!("程序还没回答 hello 就{}{}", en.zh, after_colon(&zh, "：")),
                )
            }
            Self::NotSpoken(line) => Text::new(
                format!("the program does not speak MLP/1; to the hello it said: {}", cut(line)),
                format!("程序说的不是 MLP/1；对 hello 它说：{}", cut(line)),
            ),
            Self::NotFlushed => Text::new(
                "the answer came only when the input ended: the program does not flush its output",
                "输入结束时答案才出来：程序没有刷新（flush）输出",
            ),
            Self::Late(waited, stall) => late(*waited, *stall),
            Self::NotRead => Text::new("the program stopped reading its input", "程序不再读取输入"),
            Self::NotJson(line) => Text::new(
                format!("a line of its output is no JSON: {}", cut(line)),
                format!("输出里有一行不是 JSON：{}", cut(line)),
            ),
            Self::NotAnswer(line, number) => Text::new(
                format!("the next line should answer operation {number}, and is: {}", cut(line)),
                format!("下一行应当回答第 {number} 个操作，实际是：{}", cut(line)),
            ),
            Self::LongLine => Text::new("a line of its output does not end", "输出里有一行没完没了"),
            Self::Ended(exit, errors) => ended(*exit, errors, ["in the middle of operations", "在操作中途"]),
            Self::EndedBadly(exit, errors) => {
                ended(*exit, errors, ["after its input had ended", "在输入结束之后"])
            }
            Self::Talkative(line) => Text::new(
                format!("the program said more than it was asked: {}", cut(line)),
                format!("程序说了没有问的话：{}", cut(line)),
            ),
            Self::StillRunning => Text::new(
                "its input had ended, and the program went on running",
                "输入已经结束，程序却还在运行",
            ),
        }
    }

    fn hint(&self) -> Option<Text> {
        Some(match self {
            Self::Host(_) | Self::OutOfTime => return None,
            Self::Silent | Self::NotSpoken(_) => Text::new(
                "print one line first: {\"hello\":\"mlp/1\",\"impl\":\"NAME\",\"has\":[]}, flush it, and then read operations; docs/judge.md has a whole program. Is this target the right program?",
                "先输出一行 {\"hello\":\"mlp/1\",\"impl\":\"名字\",\"has\":[]} 并刷新，再读操作；docs/judge.md 里有完整的程序。这个目标绑定的是对的程序吗？",
            ),
            Self::EndedAtHello(..) => Text::new(
                "run it by hand as mustdo.toml does and type the hello of docs/judge.md; `cwd` says where it runs",
                "照 mustdo.toml 里的写法手动运行一次，输入 docs/judge.md 里的 hello；`cwd` 决定它在哪里运行",
            ),
            Self::NotFlushed => Text::new(
                "flush after each answer: print(…, flush=True) in Python, fflush(stdout) in C, flush() in Rust",
                "每个答案之后都要刷新：Python 用 print(…, flush=True)，C 用 fflush(stdout)，Rust 用 flush()",
            ),
            Self::Late(_, Stall::Unknown) => {
                Text::new("run the check again when the machine has less to do", "等机器不忙时再检查一次")
            }
            Self::Late(..) => Text::new(
                "look for a loop that never ends, or for work that grows with all that is stored",
                "找找有没有死循环，或者工作量随全部数据增长的地方",
            ),
            Self::NotRead => Text::new(
                "read a line, answer it, and go on until the input ends",
                "读一行、答一行，一直到输入结束",
            ),
            Self::NotJson(_) | Self::LongLine | Self::Talkative(_) => Text::new(
                "write nothing but answers to the standard output; what you print for yourself belongs to standard error",
                "标准输出里只写答案；给自己看的内容写到标准错误",
            ),
            Self::NotAnswer(..) => Text::new(
                "answer each operation once, in order: {\"i\":NUMBER,\"ok\":VALUE} or {\"i\":NUMBER,\"err\":\"CODE\"}",
                "按顺序每个操作答一次：{\"i\":编号,\"ok\":值} 或 {\"i\":编号,\"err\":\"代码\"}",
            ),
            Self::Ended(..) | Self::EndedBadly(..) => Text::new(
                "play the operations of the counter-example by hand; when the input ends, end with code 0",
                "把反例里的操作手动跑一遍；输入结束时，以代码 0 退出",
            ),
            Self::StillRunning => {
                Text::new("end when the input ends (an empty read)", "输入结束（读到空）时就退出")
            }
        })
    }
}

/// The sanitizer could not do its own work: that says nothing of the program.
fn sanitizer_broke(errors: &str) -> bool {
    errors.contains("LeakSanitizer has encountered a fatal error")
        || errors.contains("LeakSanitizer does not work under ptrace")
}

fn ended(exit: Exit, errors: &str, moment: [&str; 2]) -> Text {
    let (how, line) = (exit.words(), telling_line(errors));
    Text::new(
        format!("the program {} {}{}", how.en, moment[0], after_colon(&line, ": ")),
        format!("程序{}{}{}", moment[1], how.zh, after_colon(&line, "：")),
    )
}

fn late(waited: Duration, stall: Stall) -> Text {
    let seconds = waited.as_secs_f64();
    match stall {
        Stall::Computing => Text::new(
            format!("no answer for {seconds:.0} s while the program used the processor"),
            format!("{seconds:.0} 秒没有答案，程序一直在占用处理器"),
        ),
        Stall::Sleeping => Text::new(
            format!("no answer for {seconds:.0} s: the program waits for something that does not come"),
            format!("{seconds:.0} 秒没有答案：程序在等一个不会来的东西"),
        ),
        Stall::Unknown => Text::new(
            format!("no answer for {seconds:.0} s, and it can not be told whether the program had its turn"),
            format!("{seconds:.0} 秒没有答案，也看不出程序有没有得到运行的机会"),
        ),
    }
}

/// The line of a standard error that says most: a sanitizer's or a panic's first, else the last one, where Python puts it.
fn telling_line(errors: &str) -> String {
    let marks = ["ERROR: ", "runtime error", "panicked at"];
    let marked = errors.lines().find(|line| marks.iter().any(|mark| line.contains(mark)));
    let last = errors.lines().rfind(|line| !line.trim().is_empty());
    marked.or(last).map(cut).unwrap_or_default()
}

fn after_colon(line: &str, colon: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{colon}{line}") }
}

/// The beginning of a line, for people.
pub(super) fn cut(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    fn exit(code: Option<i32>, signal: Option<i32>) -> Exit {
        Exit { code, signal, wall: Duration::ZERO }
    }

    #[test]
    fn the_words_of_an_end_name_the_line_that_tells_most() {
        let python = "Traceback (most recent call last):\n  File \"x.py\"\nKeyError: 'a'\n";
        let words = Breach::Ended(exit(Some(1), None), python.to_owned()).summary();
        assert_eq!(words.en, "the program ended with code 1 in the middle of operations: KeyError: 'a'");
        let asan = "=====\n==1==ERROR: AddressSanitizer: heap-use-after-free on address\n  #0\n";
        let words = Breach::EndedBadly(exit(Some(1), None), asan.to_owned()).summary();
        assert!(
            words.en.ends_with("==1==ERROR: AddressSanitizer: heap-use-after-free on address"),
            "{}",
            words.en
        );
    }

    #[test]
    fn only_what_a_program_did_while_it_worked_is_its_failure() {
        let crash = Breach::Ended(exit(None, Some(11)), String::new());
        assert_eq!((crash.fault().status(), crash.rule()), (Status::Fail, "crash"));
        let stuck = Breach::Late(Duration::from_secs(5), Stall::Computing);
        assert_eq!(stuck.fault().status(), Status::Fail);
        for open in [
            Breach::Late(Duration::from_secs(5), Stall::Unknown),
            Breach::EndedAtHello(exit(None, Some(11)), String::new()),
            Breach::NotFlushed,
            Breach::NotJson("hello".to_owned()),
            Breach::EndedBadly(exit(Some(1), None), "LeakSanitizer has encountered a fatal error".to_owned()),
        ] {
            assert_eq!(open.fault().status(), Status::Inconclusive, "{open:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut(&"字".repeat(200)).chars().count(), SHOWN + 1);
    }
}
