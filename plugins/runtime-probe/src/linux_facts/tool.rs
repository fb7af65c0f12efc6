//! The learner's program: asked a line, answers a line.

use std::time::Duration;

use mustdo_plugin::process::Command;
use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Context, Fault, Text};

use crate::conversation::Conversation;
use crate::trouble::{Stall, Trouble, cut};

/// The program that is asked.
pub(super) const PROGRAM: &str = "program";

/// How long one answer may take, in processor time or asleep.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running program.
pub(super) struct Tool<'a, 'host> {
    talk: Conversation<'a, 'host>,
}

/// Why no answer came.
pub(super) struct Silence {
    trouble: Trouble,
    /// The answer came when its input ended.
    is_unflushed: bool,
}

impl<'a, 'host> Tool<'a, 'host> {
    pub(super) fn start(context: &'a Context<'host>) -> Result<Self, Silence> {
        let child =
            context.start(&Command::new(PROGRAM)).map_err(|failure| Silence::from(Trouble::Host(failure)))?;
        Ok(Self { talk: Conversation::new(context, child) })
    }

    /// What it says to a question, without the end of the line.
    pub(super) fn ask(&mut self, question: &str) -> Result<String, Silence> {
        let asked = self.talk.write(format!("{question}\n").as_bytes(), PATIENCE);
        match asked.and_then(|()| self.talk.line(PATIENCE)) {
            Ok(Some(line)) => Ok(String::from_utf8_lossy(&line).into_owned()),
            Ok(None) => Err(self.talk.ended().unwrap_or_else(|trouble| trouble).into()),
            Err(trouble) => {
                let waits = matches!(trouble, Trouble::Late(_, Stall::Sleeping));
                Err(Silence { is_unflushed: waits && self.talk.speaks_at_the_end(), trouble })
            }
        }
    }
}

impl From<Trouble> for Silence {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, is_unflushed: false }
    }
}

/// The step's outcome: with the question that it was asked, and whether that was the first. A program that has never
/// answered may be another one than is meant, and is not judged.
pub(super) fn fault(silence: &Silence, asked: Option<(&str, bool)>) -> Fault {
    let Silence { trouble, is_unflushed } = silence;
    let (code, summary, hint) = words(trouble, *is_unflushed, asked.map(|(question, _)| question));
    let did_it = matches!(trouble, Trouble::Ended(..) | Trouble::Late(_, Stall::Computing | Stall::Sleeping));
    let is_failure = did_it && !is_unflushed && asked.is_some_and(|(_, is_first)| !is_first);
    let fault = if is_failure { Fault::fail(summary.clone()) } else { Fault::inconclusive(summary.clone()) };
    let Some(hint) = hint else { return fault };
    let message = match trouble.errors() {
        Some(errors) => Text::new(
            format!("{}; it wrote to its standard error:\n{errors}", summary.en),
            format!("{}；它在标准错误里写了：\n{errors}", summary.zh),
        ),
        None => summary,
    };
    let finding = Finding::new(Severity::Problem, format!("runtime.linux-facts.{code}"), message);
    fault.with(finding.at(Location::Process(PROGRAM.to_owned())).hint(hint))
}

fn words(
    trouble: &Trouble,
    is_unflushed: bool,
    question: Option<&str>,
) -> (&'static str, Text, Option<Text>) {
    let question = question.unwrap_or_default();
    if is_unflushed {
        let summary = Text::new(
            "the answer came only when the input ended: the program does not flush its output, or reads all of its input first",
            "输入结束时答案才出来：程序没有刷新（flush）输出，或者先把输入全部读完才回答",
        );
        let hint = Text::new(
            "read a line, answer it and flush: print(…, flush=True) in Python; in a shell, one `while read` loop",
            "读一行、答一行并刷新：Python 用 print(…, flush=True)；shell 用一个 `while read` 循环",
        );
        return ("not-flushed", summary, Some(hint));
    }
    match trouble {
        Trouble::Ended(exit, _) => {
            let how = exit.words();
            let summary = Text::new(
                format!("the program {} when it was asked `{question}`", how.en),
                format!("被问到 `{question}` 时，程序{}", how.zh),
            );
            let hint = Text::new(
                "it is started once, answers each line with a line, whatever it is asked, and ends when its input does",
                "程序只启动一次，每行问题用一行回答，不管问什么，直到输入结束才退出",
            );
            ("ended", summary, Some(hint))
        }
        Trouble::Late(waited, stall) => {
            let seconds = waited.as_secs_f64();
            let summary = Text::new(
                format!("no answer to `{question}` for {seconds:.0} s"),
                format!("{seconds:.0} 秒没有回答 `{question}`"),
            );
            let hint = if *stall == Stall::Unknown {
                Text::new("run the check again when the machine has less to do", "等机器不忙时再检查一次")
            } else {
                Text::new(
                    "answer with a line at once, also with an empty one; look only at what was asked about",
                    "立刻用一行回答，答不出也要给一个空行；只看问到的东西",
                )
            };
            ("late", summary, Some(hint))
        }
        Trouble::Foreign(line) => {
            let line = cut(line);
            let summary = Text::new(
                format!("a line of its output does not end: {line}"),
                format!("输出里有一行没完没了：{line}"),
            );
            ("long-line", summary, None)
        }
        Trouble::Host(mustdo_plugin::Failure::Other(why)) => {
            let summary =
                Text::new(format!("the program could not be started: {why}"), format!("程序启动不了：{why}"));
            ("not-started", summary, None)
        }
        Trouble::Host(_)
        | Trouble::OutOfTime
        | Trouble::NotPython(_)
        | Trouble::NotLoaded(..)
        | Trouble::NotCallable(_)
        | Trouble::EndedAtLoad(..)
        | Trouble::StuckAtLoad(_)
        | Trouble::Raised(_) => ("broken", trouble.summary(), None),
    }
}
