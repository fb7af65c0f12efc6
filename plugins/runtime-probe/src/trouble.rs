//! What keeps a program from being judged, or shows by itself that it is wrong, each in words of its own.

use std::time::Duration;

use mustdo_plugin::process::Exit;
use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Failure, Fault, Text};

use crate::session::{PYTHON, Raised};

/// Characters of a program's words that are shown.
const SHOWN: usize = 240;

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

/// How a conversation with the interpreter broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The host could not start or reach it.
    Host(Failure),
    /// The time of the whole check is over.
    OutOfTime,
    /// What was started is no Python interpreter; what it said instead.
    NotPython(String),
    /// The module could not be loaded.
    NotLoaded(String, Raised),
    /// What the name leads to can not be called.
    NotCallable(String),
    /// The process ended while the module was loaded.
    EndedAtLoad(Exit, String),
    /// No answer came while the module was loaded.
    StuckAtLoad(Duration),
    /// It ended in the middle of an operation; what it wrote to its standard error.
    Ended(Exit, String),
    /// No answer came.
    Late(Duration, Stall),
    /// Something that is no answer of the harness came in its place.
    Foreign(String),
    /// An exception came out of the harness where none is expected.
    Raised(Raised),
}

impl Trouble {
    /// The step's outcome. What the learner's code did while it was at work is its own failure; what only keeps this side
    /// from judging it is not.
    pub(crate) fn fault(&self) -> Fault {
        let (summary, hint) = (self.summary(), self.hint());
        let is_failure = matches!(self, Self::Ended(..) | Self::Late(_, Stall::Computing | Stall::Sleeping));
        let fault =
            if is_failure { Fault::fail(summary.clone()) } else { Fault::inconclusive(summary.clone()) };
        let Some(hint) = hint else { return fault };
        let message = match self.errors() {
            Some(errors) => Text::new(
                format!("{}; it wrote to its standard error:\n{errors}", summary.en),
                format!("{}；它在标准错误里写了：\n{errors}", summary.zh),
            ),
            None => summary,
        };
        let finding = Finding::new(Severity::Problem, format!("runtime.{}", self.rule()), message);
        fault.with(finding.at(Location::Process(PYTHON.to_owned())).hint(hint))
    }

    /// What the process wrote to its standard error before its end, if anything.
    pub(crate) fn errors(&self) -> Option<&str> {
        let (Self::Ended(_, errors) | Self::EndedAtLoad(_, errors)) = self else { return None };
        Some(errors.as_str()).filter(|errors| !errors.trim().is_empty())
    }

    fn rule(&self) -> &'static str {
        match self {
            Self::Host(_) => "not-started",
            Self::OutOfTime => "out-of-time",
            Self::NotPython(_) => "not-python",
            Self::NotLoaded(..) => "not-loaded",
            Self::NotCallable(_) => "not-callable",
            Self::EndedAtLoad(..) => "ended-at-load",
            Self::StuckAtLoad(_) => "stuck-at-load",
            Self::Ended(exit, _) if exit.signal.is_some() => "crash",
            Self::Ended(..) => "exit",
            Self::Late(..) => "time-out",
            Self::Foreign(_) => "foreign",
            Self::Raised(_) => "harness",
        }
    }

    /// One line.
    pub(crate) fn summary(&self) -> Text {
        match self {
            Self::Host(Failure::Other(why)) => Text::new(
                format!("the interpreter could not be started: {why}"),
                format!("解释器启动不了：{why}"),
            ),
            Self::Host(failure) => failure.explain(),
            Self::OutOfTime => Text::new(
                "the time of the check was over before it came to an end",
                "检查还没做完，时间就用完了",
            ),
            Self::NotPython(said) => {
                let said = cut(said);
                Text::new(
                    format!(
                        "the target `{PYTHON}` does not behave like a Python 3 interpreter; it said: {said}"
                    ),
                    format!("目标 `{PYTHON}` 不像是 Python 3 解释器；它说：{said}"),
                )
            }
            Self::NotLoaded(name, raised) => {
                let line = cut(&raised.line());
                Text::new(format!("{name} could not be loaded: {line}"), format!("加载不了 {name}：{line}"))
            }
            Self::NotCallable(name) => Text::new(
                format!("{name} is nothing that can be called"),
                format!("{name} 不是可以调用的东西"),
            ),
            Self::EndedAtLoad(exit, _) => {
                let how = exit.words();
                Text::new(
                    format!("the interpreter {} while it loaded your module", how.en),
                    format!("解释器在加载你的模块时{}", how.zh),
                )
            }
            Self::StuckAtLoad(waited) => {
                let seconds = waited.as_secs_f64();
                Text::new(
                    format!("loading your module did not come to an end in {seconds:.0} s"),
                    format!("加载你的模块用了 {seconds:.0} 秒还没有结束"),
                )
            }
            Self::Ended(exit, _) => {
                let how = exit.words();
                Text::new(
                    format!("the interpreter {} in the middle of your code", how.en),
                    format!("解释器在执行你的代码时{}", how.zh),
                )
            }
            Self::Late(waited, stall) => late(*waited, *stall),
            Self::Foreign(line) => {
                let line = cut(line);
                Text::new(
                    format!("something other than the harness wrote on its channel: {line}"),
                    format!("有别的东西写进了与解释器的通道：{line}"),
                )
            }
            Self::Raised(raised) => {
                let line = cut(&raised.line());
                Text::new(
                    format!("the harness met something it does not know: {line}"),
                    format!("检查程序遇到了它不认识的情况：{line}"),
                )
            }
        }
    }

    fn hint(&self) -> Option<Text> {
        Some(match self {
            Self::Host(Failure::Denied(_) | Failure::Unbound(_)) | Self::OutOfTime => return None,
            Self::Host(_) | Self::NotPython(_) => Text::new(
                "bind it with program = \"python3\" and args = [\"**\"], or with the python of your virtual environment; leave env and cwd out",
                "请用 program = \"python3\" 和 args = [\"**\"] 绑定它，或者用你虚拟环境里的 python；不要写 env 和 cwd",
            ),
            Self::NotLoaded(..) | Self::NotCallable(_) => Text::new(
                "names are written `module:name`, and modules are looked for in the folder that `path` names; does the module need a package that this interpreter does not have, or a file that git ignores?",
                "名字写成 `模块:名字`，模块在 `path` 所指的文件夹里找；是不是用到了这个解释器没装的包，或者被 git 忽略的文件？",
            ),
            Self::EndedAtLoad(..) | Self::StuckAtLoad(_) => Text::new(
                "a module that is imported must not start or end anything; keep that under `if __name__ == \"__main__\":`",
                "被导入的模块不该启动或结束什么；那些代码放在 `if __name__ == \"__main__\":` 下面",
            ),
            Self::Ended(..) => Text::new(
                "run it under `python3 -X faulthandler` with the same input: a signal means that memory was used which is not there or not yours any more",
                "用同样的输入在 `python3 -X faulthandler` 下运行：出现信号说明用到了不存在、或已经不属于你的内存",
            ),
            Self::Late(_, Stall::Unknown) => {
                Text::new("run the check again when the machine has less to do", "等机器不忙时再检查一次")
            }
            Self::Late(..) => Text::new(
                "look for a loop that never ends, or a lock that is never given back",
                "找找有没有死循环，或者一直不释放的锁",
            ),
            Self::Foreign(_) => Text::new(
                "do not write to file descriptors that your code did not open; print and sys.stdout are fine",
                "不要写你的代码没有打开过的文件描述符；print 和 sys.stdout 没有问题",
            ),
            Self::Raised(_) => Text::new(
                "does your module replace parts of the standard library?",
                "你的模块是不是替换了标准库的一部分？",
            ),
        })
    }
}

fn late(waited: Duration, stall: Stall) -> Text {
    let seconds = waited.as_secs_f64();
    match stall {
        Stall::Computing => Text::new(
            format!("no answer for {seconds:.0} s while your code used the processor"),
            format!("{seconds:.0} 秒没有答案，你的代码一直在占用处理器"),
        ),
        Stall::Sleeping => Text::new(
            format!("no answer for {seconds:.0} s: your code waits for something that does not come"),
            format!("{seconds:.0} 秒没有答案：你的代码在等一个不会来的东西"),
        ),
        Stall::Unknown => Text::new(
            format!("no answer for {seconds:.0} s, and it can not be told whether the program had its turn"),
            format!("{seconds:.0} 秒没有答案，也看不出程序有没有轮到执行"),
        ),
    }
}

/// The beginning of a text on one line.
pub(crate) fn cut(text: &str) -> String {
    let line = text.trim().replace(['\n', '\r'], " ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "nothing".to_owned(),
        None => line,
    }
}

/// A failure of the learner's code with what should have been.
pub(crate) fn wrong(code: &str, summary: Text, message: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("runtime.{code}"), message);
    Fault::fail(summary).with(finding.at(Location::Process(PYTHON.to_owned())).hint(hint))
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    #[test]
    fn only_what_the_code_did_at_work_is_its_failure() {
        let exit = Exit { code: None, signal: Some(11), wall: Duration::ZERO };
        let failures = [Trouble::Ended(exit, String::new()), Trouble::Late(Duration::ZERO, Stall::Sleeping)];
        assert!(failures.iter().all(|trouble| trouble.fault().status() == Status::Fail));
        let others = [
            Trouble::EndedAtLoad(exit, String::new()),
            Trouble::NotPython("usage".to_owned()),
            Trouble::Foreign("forged".to_owned()),
            Trouble::Late(Duration::ZERO, Stall::Unknown),
            Trouble::Host(Failure::TimedOut),
        ];
        assert!(others.iter().all(|trouble| trouble.fault().status() == Status::Inconclusive));
    }

    #[test]
    fn what_a_program_said_stays_on_one_line() {
        assert_eq!(cut(" a\nb "), "a b");
        assert_eq!(cut(""), "nothing");
        assert_eq!(cut(&"x".repeat(300)).chars().count(), SHOWN + 1);
    }
}
