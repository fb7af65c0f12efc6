//! `linux-facts`: does the learner's program read a live Linux system?
//!
//! The [`stage`] makes processes and files that have one property each, chosen by the seed and told by the system; the
//! learner's [`tool`] is asked about each of them, a line at a time, in an order that the seed chooses.
//!
//! The catalogue has this pass with eleven right answers of twelve. That would let a program through that never knows one
//! kind of fact, `netstat` missing for example. So every kind is asked about; one answer may be wrong, and then the same is
//! asked of another process or file, and has to be right there.

mod fact;
mod stage;
mod tool;

use std::time::Duration;

use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters,
};

use crate::session::PYTHON;
use fact::{Fact, Key, Kind};
use stage::Stage;
use tool::{PROGRAM, Tool};

/// Answers that may be wrong at first.
const SLIPS: usize = 1;

parameters! {
    /// Nothing to set: the two command targets say it all.
    pub struct LinuxFacts {}
}

impl Check for LinuxFacts {
    const ID: &'static str = "linux-facts";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Facts of a live Linux system", "读取运行中的 Linux 系统"),
            description: Text::new(
                "Makes processes and files, and asks your program about each in a line of its own; it answers with one line and goes on until its input ends. `listener PORT`: the number of the process that listens there. `deleted FOLDER`: process and bytes of the deleted file from there that is still open. `descriptors PID`, `threads PID`, `children PID`: how many. `nice PID`, `cwd PID`. `environment PID NAME`: the value. `zombie PID`: its dead child. `ignores PID`: the one signal. `peak-memory PID`: the most that was resident, in KiB. `mode PATH`: permissions in octal digits, with the special bits. `largest FOLDER`: the folder in it that holds the most bytes. `lines PATH`: of a log that grows. `interface ADDRESS`: by which one it is reached. Names have blanks and brackets in them. Passes when all answers are right; one may be wrong, when the same about something else is right then. It sees whether the answers are right, not how your program comes to them.",
                "造出一批进程和文件，逐个向你的程序提问，每个问题一行；程序每次回答一行，直到输入结束。`listener PORT`：监听该端口的进程号。`deleted FOLDER`：该目录下已删除但仍被打开的文件，其进程号和字节数。`descriptors PID`、`threads PID`、`children PID`：各有多少。`nice PID`、`cwd PID`。`environment PID NAME`：变量的值。`zombie PID`：它已死的子进程。`ignores PID`：它忽略的那个信号。`peak-memory PID`：常驻内存的最高值，单位 KiB。`mode PATH`：八进制权限，含特殊位。`largest FOLDER`：其中字节最多的子目录。`lines PATH`：一个正在增长的日志的行数。`interface ADDRESS`：经由哪个网络接口到达。名字里有空格和括号。全部答对才通过；允许错一个，但换一个对象再问同样的问题必须答对。它只看答案对不对，看不出程序是怎么得到的。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason: "to start your program and ask it about live processes, line by line".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PYTHON.to_owned()),
                    reason: "to make the processes and files that your program is asked about".to_owned(),
                    required: true,
                },
            ],
            typical: Duration::from_secs(18),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("the program reads a live system right", "程序能正确读取运行中的系统"));
        let mut kinds = Kind::ALL;
        context.generator().shuffle(&mut kinds);
        let random = Generator::new(context.generator().number(0..u64::MAX));
        let staged = Stage::open(context, random).and_then(|mut stage| {
            let facts: Result<Vec<_>, _> = kinds.into_iter().map(|kind| stage.pose(kind)).collect();
            // What this system has no answer to is not asked.
            Ok((stage, facts?.into_iter().flatten().collect()))
        });
        let staged = report.judge("stage", Need::Must, staged, |(_, facts): &(Stage, Vec<Fact>)| {
            let count = facts.len();
            Text::new(
                format!("{count} facts are there to be read"),
                format!("{count} 个事实已就位，可供读取"),
            )
        });
        let Some((stage, facts)) = staged else { return report };
        let tool = Tool::start(context).map_err(|trouble| tool::fault(&trouble, None));
        let exam = tool.map(|tool| Exam { stage, tool, answers: Vec::new() });
        match exam {
            Ok(mut exam) => exam.judge(&facts, &mut report),
            Err(fault) => {
                report.judge("answers", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
            }
        }
        report
    }
}

/// A question with the answer that came, and the key at that moment.
struct Asked {
    kind: Kind,
    question: String,
    answer: String,
    key: Key,
}

impl Asked {
    fn is_right(&self) -> bool {
        self.key.is(&self.answer)
    }

    fn finding(&self) -> Finding {
        let Self { kind, question, answer, key } = self;
        let (right, said) = (key.words(), if answer.is_empty() { "\"\"" } else { answer });
        let message = Text::new(
            format!("{question}\nexpected: {}\nseen: {said}", right.en),
            format!("{question}\n应当是：{}\n实际是：{said}", right.zh),
        );
        Finding::new(Severity::Problem, format!("runtime.linux-facts.{}", kind.word()), message)
            .at(Location::Process(PROGRAM.to_owned()))
            .hint(kind.hint())
    }
}

/// The program in front of the facts.
struct Exam<'a, 'host> {
    stage: Stage<'a, 'host>,
    tool: Tool<'a, 'host>,
    answers: Vec<Asked>,
}

impl Exam<'_, '_> {
    fn judge(&mut self, facts: &[Fact], report: &mut Report) {
        let answered = facts.iter().try_for_each(|fact| self.ask(fact));
        report.judge("answers", Need::Must, answered, |()| {
            Text::new("every question is answered with a line", "每个问题都用一行回答")
        });
        let (right, asked) = (self.right(), self.answers.len());
        report.measure("right", count(right), "1");
        report.measure("questions", count(facts.len()), "1");
        if asked == facts.len() {
            let held = self.hold(report);
            report.judge("facts", Need::Must, held, |()| {
                Text::new(format!("right about {right} of {asked}"), format!("{asked} 个问题答对 {right} 个"))
            });
        }
        let lines = self.answers.iter().map(|Asked { question, answer, key, .. }| {
            format!("{question} -> {answer} (key: {})", key.words().en)
        });
        report.evidence("answers", lines.collect::<Vec<_>>().join("\n"));
    }

    /// All right, or all but a slip that was mended.
    fn hold(&mut self, report: &mut Report) -> Result<(), Fault> {
        let wrong: Vec<&Asked> = self.answers.iter().filter(|asked| !asked.is_right()).collect();
        let (missed, asked) = (wrong.len(), self.answers.len());
        let named = wrong.iter().map(|asked| asked.kind.word()).collect::<Vec<_>>().join(", ");
        let summary = Text::new(
            format!("wrong about {missed} of {asked}: {named}"),
            format!("{asked} 个问题答错 {missed} 个：{named}"),
        );
        let failed =
            || wrong.iter().fold(Fault::fail(summary.clone()), |fault, asked| fault.with(asked.finding()));
        let first_time = if missed == 0 { Ok(()) } else { Err(failed()) };
        if missed == 0 || missed > SLIPS {
            report.judge(
                "first-time",
                Need::Should,
                first_time.map_err(|fault| fault.retold(summary.clone())),
                |()| Text::new("right about all of them at once", "第一次就全部答对"),
            );
            return if missed == 0 { Ok(()) } else { Err(failed()) };
        }
        report.judge("first-time", Need::Should, first_time, |()| Text::same(""));
        for kind in wrong.into_iter().map(|asked| asked.kind).collect::<Vec<_>>() {
            let Some(again) = self.stage.pose(kind)? else { continue };
            self.ask(&again)?;
            if let Some(asked) = self.answers.last().filter(|asked| !asked.is_right()) {
                let word = kind.word();
                let summary = Text::new(
                    format!("wrong about {word}, also when it is asked about something else"),
                    format!("{word} 答错了，换一个对象再问还是错"),
                );
                return Err(Fault::fail(summary).with(asked.finding()));
            }
        }
        Ok(())
    }

    fn ask(&mut self, fact: &Fact) -> Result<(), Fault> {
        let question = fact.question();
        let before = self.stage.key(&fact.key)?;
        let answer = match self.tool.ask(&question) {
            Ok(answer) => answer,
            Err(trouble) => return Err(tool::fault(&trouble, Some((&question, self.answers.is_empty())))),
        };
        let key = before.until(self.stage.key(&fact.key)?);
        self.answers.push(Asked { kind: fact.kind, question, answer, key });
        Ok(())
    }

    fn right(&self) -> usize {
        self.answers.iter().filter(|asked| asked.is_right()).count()
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
