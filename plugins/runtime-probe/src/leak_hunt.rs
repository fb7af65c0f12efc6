//! `leak-hunt`: does the learner's tool find what leaks in a package in C?
//!
//! The plugin writes the packages: functions around the C library's own `malloc`, of which some give nothing back. What
//! Python's own tools see of them is the same for all. Names, places and sizes are those of one run.

use std::time::Duration;

use mustdo_plugin::process::{Command, Finished, Limits};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Generator, Report, Text, parameters};

use crate::session::{self, PYTHON, SOURCE};
use crate::trouble::{Trouble, cut, wrong};

/// What every package consists of.
const PACKAGE: &str = include_str!("../harness/leaky.py");

/// Functions of a package.
const FUNCTIONS: usize = 8;

/// How long the tool may take for one package.
const TIME: Duration = Duration::from_secs(45);

/// Rounds that have to be right, the one without a leak among them.
const ENOUGH: usize = 3;

parameters! {
    /// Which tool looks for the leak.
    pub struct LeakHunt {
        /// What the interpreter is given; the name of a package in the current folder is put behind it. The tool prints
        /// `LEAK function bytes` for each function that leaks, with the bytes of one call, or `NONE`.
        solver: Vec<String> = vec!["find_leak.py".to_owned()],
    }
}

impl Check for LeakHunt {
    const ID: &'static str = "leak-hunt";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Finding what leaks in a package in C", "找出 C 语言包里泄漏内存的函数"),
            description: Text::new(
                "Writes four packages around malloc and free, with eight functions each that are listed in __all__ and take one argument (wrong=True makes them raise ValueError), and starts your tool on each. In one a function always leaks; in one only on the way through an error; in one two leak, one of them slowly; in one none, though memory grows at first. Your tool prints `LEAK function bytes`, or `NONE`; sizes may be off by a quarter. Passes when three of four are right, the one without a leak among them. Python's own tools see none of it, but the packages can be read: it can not see whether your tool measures or reads them.",
                "用 malloc 和 free 写出四个包，每个包有八个函数，列在 __all__ 里，接受一个参数（wrong=True 时抛 ValueError），然后对每个包启动你的工具。一个包里有函数总是泄漏；一个只在出错时泄漏；一个有两个函数泄漏，其中一个很慢；一个没有泄漏，但内存开头会增长。工具打印 `LEAK 函数 字节数` 或 `NONE`，大小允许差四分之一。四个里对三个，并且没有泄漏的那个必须对，才通过。Python 自己的工具看不到这些泄漏，但包是可以读的：工具是测出来的还是读出来的，检查程序看不出来。",
            ),
            capabilities: session::capabilities(),
            typical: Duration::from_secs(30),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("the tool finds what leaks", "工具能找出泄漏的函数"));
        let mut rounds = [Round::Always, Round::OnError, Round::Two, Round::Never];
        context.generator().shuffle(&mut rounds);
        let packages: Vec<Package> =
            rounds.into_iter().map(|round| Package::new(round, context.generator())).collect();
        let folder = context.scratch(Some(SOURCE)).map_err(Fault::from);
        let outcome = folder.and_then(|folder| {
            loads(&folder, &packages[0])?;
            Ok(folder)
        });
        let folder = report.judge("packages", Need::Must, outcome, |_| {
            Text::new("the packages can be loaded", "生成的包可以加载")
        });
        let Some(folder) = folder else { return report };
        self.hunt(&folder, &packages, context, &mut report);
        report
    }
}

impl LeakHunt {
    fn hunt(&self, folder: &Workspace<'_>, packages: &[Package], context: &Context<'_>, report: &mut Report) {
        let mut missed = Vec::new();
        let mut untold = None;
        for package in packages {
            match self.solve(folder, package, context) {
                Ok(answer) if package.is(&answer) => {}
                Ok(answer) => missed.push((package, answer)),
                Err(fault) => untold = untold.or(Some(fault)),
            }
        }
        if let Some(fault) = untold {
            report.judge("finds", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
            return;
        }
        let words = |(package, answer): &(&Package, Vec<Leak>)| {
            let (expected, seen) = (shown(&package.leaks()), shown(answer));
            Text::new(
                format!("{}: {expected}; the tool says {seen}", package.round.words().en),
                format!("{}：{expected}；工具说 {seen}", package.round.words().zh),
            )
        };
        let all: Vec<Text> = missed.iter().map(words).collect();
        let message = Text::new(
            all.iter().map(|text| text.en.as_str()).collect::<Vec<_>>().join("\n"),
            all.iter().map(|text| text.zh.as_str()).collect::<Vec<_>>().join("\n"),
        );
        let right = packages.len() - missed.len();
        let is_alarmed = missed.iter().any(|(package, _)| package.round == Round::Never);
        let outcome = if right >= ENOUGH && !is_alarmed {
            Ok(right)
        } else {
            let summary = if is_alarmed {
                Text::new("the tool finds a leak where there is none", "没有泄漏的包，工具却说有泄漏")
            } else {
                Text::new(
                    format!("the tool is right about {right} of {} packages", packages.len()),
                    format!("{} 个包里工具只判断对了 {right} 个", packages.len()),
                )
            };
            let hint = Text::new(
                "call each function many times, right and wrong, after a warm-up; take the growth of resident memory (VmRSS) for each call, after malloc_trim(0)",
                "先预热，再把每个函数大量调用（正常和出错都要）；malloc_trim(0) 之后看常驻内存（VmRSS）平均每次调用增长多少",
            );
            Err(wrong("leak-hunt.wrong", summary, message.clone(), hint))
        };
        report.judge("finds", Need::Must, outcome, |right| {
            Text::new(
                format!("right about {right} of {} packages", packages.len()),
                format!("{} 个包判断对了 {right} 个", packages.len()),
            )
        });
        let outcome = if missed.is_empty() { Ok(()) } else { Err(Fault::fail(message)) };
        report.judge("finds-all", Need::Should, outcome, |()| {
            Text::new("right about all of them", "全部判断正确")
        });
    }

    fn solve(
        &self,
        folder: &Workspace<'_>,
        package: &Package,
        context: &Context<'_>,
    ) -> Result<Vec<Leak>, Fault> {
        package.write(folder)?;
        let arguments = self.solver.iter().map(String::as_str).chain([package.name.as_str()]);
        let command = arguments.fold(Command::new(PYTHON), Command::argument);
        let limits = Limits { time: TIME.min(context.time_left() / 2), bytes: 1 << 20 };
        let child = folder.start(&command).map_err(|failure| Trouble::Host(failure).fault())?;
        let finished = child.output(&limits).map_err(|failure| {
            if failure != Failure::TimedOut {
                return Trouble::Host(failure).fault();
            }
            let seconds = limits.time.as_secs();
            Fault::inconclusive(Text::new(
                format!("the tool was not done with a package after {seconds} s"),
                format!("工具用了 {seconds} 秒还没有处理完一个包"),
            ))
        })?;
        read(&finished).ok_or_else(|| not_read(&finished))
    }
}

/// What is wrong with a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Always,
    OnError,
    Two,
    Never,
}

impl Round {
    fn words(self) -> Text {
        match self {
            Self::Always => Text::new("one always leaks", "有一个总是泄漏"),
            Self::OnError => Text::new("one leaks on its way through an error", "有一个只在出错时泄漏"),
            Self::Two => Text::new("two leak, one of them slowly", "有两个泄漏，其中一个很慢"),
            Self::Never => {
                Text::new("none leaks, though memory grows at first", "没有泄漏，但内存开头会增长")
            }
        }
    }
}

/// A function that leaks, and how many bytes a call loses.
#[derive(Debug, Clone, PartialEq)]
struct Leak {
    function: String,
    bytes: f64,
}

/// One function of a package: what it allocates, what it loses and when, and how much it keeps at first.
#[derive(Debug, Clone, Copy)]
struct Function {
    work: u16,
    lost: u16,
    most: u16,
    /// 1: loses something when it works; 2: when it fails; 4: what it keeps is Python's.
    how: u8,
    kept: u8,
}

/// A package that nobody has seen before.
#[derive(Debug)]
struct Package {
    name: String,
    round: Round,
    names: Vec<String>,
    functions: Vec<Function>,
    mask: u32,
}

impl Package {
    fn new(round: Round, random: &mut Generator) -> Self {
        let mut draw = |range: std::ops::Range<u64>| u16::try_from(random.number(range)).unwrap_or(u16::MAX);
        // Some take much and give it back; some keep what they need again.
        let mut functions: Vec<Function> = (0..FUNCTIONS)
            .map(|_| Function { work: draw(16..3_000), lost: 0, most: 0, how: 0, kept: 0 })
            .collect();
        functions[FUNCTIONS - 1].work = draw(20_000..60_000);
        for place in [FUNCTIONS - 2, FUNCTIONS - 3] {
            functions[place].work = draw(400..1_500);
            functions[place].most = draw(800..2_000);
        }
        functions[FUNCTIONS - 2].how = 4;
        functions[FUNCTIONS - 2].kept = 200;
        match round {
            Round::Always => (functions[0].lost, functions[0].how) = (draw(64..1_024), 3),
            Round::OnError => (functions[0].lost, functions[0].how) = (draw(64..512), 2),
            Round::Two => {
                (functions[0].lost, functions[0].how) = (16, 3);
                (functions[1].lost, functions[1].how) = (draw(100..800), 3);
            }
            Round::Never => {}
        }
        random.shuffle(&mut functions);
        let names = (0..FUNCTIONS).map(|_| random.token(9)).collect();
        let mask = u32::try_from(random.number(1..1 << 31)).unwrap_or(1);
        Self { name: random.token(10), round, names, functions, mask }
    }

    fn leaks(&self) -> Vec<Leak> {
        let leaking = self.names.iter().zip(&self.functions).filter(|(_, function)| function.lost > 0);
        leaking
            .map(|(name, function)| Leak { function: name.clone(), bytes: f64::from(function.lost) })
            .collect()
    }

    /// Whether the answer names what leaks and nothing else, each within a quarter: of what is asked for, up to what the C
    /// library takes for it, a multiple of 16 with its own eight bytes.
    fn is(&self, answer: &[Leak]) -> bool {
        let leaks = self.leaks();
        let is_near = |leak: &Leak| {
            let taken = ((leak.bytes + 8.0) / 16.0).ceil().max(2.0) * 16.0;
            let same = answer.iter().filter(|other| other.function == leak.function);
            let said: Vec<f64> = same.map(|other| other.bytes).collect();
            matches!(said[..], [said] if said >= leak.bytes * 0.75 && said <= taken * 1.25)
        };
        answer.len() == leaks.len() && leaks.iter().all(is_near)
    }

    fn write(&self, folder: &Workspace<'_>) -> Result<(), Fault> {
        let names: Vec<String> = self.names.iter().map(|name| format!("{name:?}")).collect();
        let source = PACKAGE.replace("__all__ = NAMES", &format!("__all__ = [{}]", names.join(", ")));
        folder.write(&format!("{}/__init__.py", self.name), source.as_bytes())?;
        folder.write(&format!("{}/data.bin", self.name), &self.data())?;
        Ok(())
    }

    /// The table of functions, so that what leaks does not stand in plain words in the source.
    fn data(&self) -> Vec<u8> {
        let mut state = self.mask;
        let mut plain = Vec::new();
        for Function { work, lost, most, how, kept } in &self.functions {
            for number in [work, lost, most] {
                plain.extend(number.to_le_bytes());
            }
            plain.extend([how, kept]);
        }
        let mut masked = self.mask.to_le_bytes().to_vec();
        masked.extend(plain.into_iter().map(|byte| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7FFF_FFFF;
            byte ^ state.to_le_bytes()[2]
        }));
        masked
    }
}

/// The control: this interpreter can load a package and call what is in it.
fn loads(folder: &Workspace<'_>, package: &Package) -> Result<(), Fault> {
    package.write(folder)?;
    let script = format!(
        "import sys; sys.path.insert(0, '.'); import {0}; print([callable(getattr({0}, name)) and getattr({0}, name)() > 0 for name in {0}.__all__])",
        package.name
    );
    let command = Command::new(PYTHON).argument("-I").argument("-c").argument(script);
    let limits = Limits { time: Duration::from_secs(20), bytes: 1 << 16 };
    let child = folder.start(&command).map_err(|failure| Trouble::Host(failure).fault())?;
    let finished = child.output(&limits).map_err(|failure| Trouble::Host(failure).fault())?;
    let expected = format!("[{}]", ["True"; FUNCTIONS].join(", "));
    if finished.exit.is_success() && finished.stdout.trim_ascii() == expected.as_bytes() {
        return Ok(());
    }
    Err(Trouble::NotPython(said(&finished)).fault())
}

fn said(finished: &Finished) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let errors = text(&finished.stderr);
    let line = errors.lines().last().unwrap_or_default();
    if line.is_empty() { text(&finished.stdout) } else { line.to_owned() }
}

/// The answer among the lines of the tool; none where it ended badly or says neither `NONE` nor `LEAK`, or both.
fn read(finished: &Finished) -> Option<Vec<Leak>> {
    if !finished.exit.is_success() {
        return None;
    }
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    let mut leaks = Vec::new();
    let mut says_none = false;
    for line in text.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["NONE"] => says_none = true,
            ["LEAK", function, bytes] => {
                leaks.push(Leak {
                    function: function.to_owned(),
                    bytes: bytes.parse().ok().filter(|bytes: &f64| bytes.is_finite())?,
                });
            }
            ["LEAK", ..] => return None,
            _ => {}
        }
    }
    (says_none == leaks.is_empty()).then_some(leaks)
}

fn not_read(finished: &Finished) -> Fault {
    let line = cut(&said(finished));
    let summary = Text::new(
        format!("the tool gives no answer; its last words: {line}"),
        format!("工具没有给出答案；它最后说：{line}"),
    );
    Fault::inconclusive(Text::new(
        format!(
            "{}. It is called with the name of a package, prints `LEAK function bytes` or `NONE`, and ends with code 0",
            summary.en
        ),
        format!("{}。它会得到一个包名，应当打印 `LEAK 函数 字节数` 或 `NONE`，并以代码 0 退出", summary.zh),
    ))
}

fn shown(leaks: &[Leak]) -> String {
    if leaks.is_empty() {
        return "NONE".to_owned();
    }
    let one = |leak: &Leak| format!("LEAK {} {:.0}", leak.function, leak.bytes);
    leaks.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::process::Exit;

    use super::*;

    fn finished(stdout: &str) -> Finished {
        let exit = Exit { code: Some(0), signal: None, wall: Duration::ZERO };
        Finished { exit, stdout: stdout.into(), stderr: Vec::new() }
    }

    #[test]
    fn an_answer_is_none_or_leaks_and_never_both() {
        assert_eq!(read(&finished("looking\nNONE\n")), Some(vec![]));
        let leak = Leak { function: "grow".to_owned(), bytes: 24.5 };
        assert_eq!(read(&finished("LEAK grow 24.5\n")), Some(vec![leak]));
        for text in ["", "LEAK grow", "LEAK grow much", "LEAK grow 1\nNONE\n", "LEAK grow nan"] {
            assert_eq!(read(&finished(text)), None, "{text}");
        }
    }

    #[test]
    fn each_round_has_its_leaks_and_sizes_may_be_off_by_a_quarter() {
        let mut random = Generator::new(1);
        let counts = [Round::Always, Round::OnError, Round::Two, Round::Never].map(|round| {
            let package = Package::new(round, &mut random);
            let leaks = package.leaks();
            assert!(package.is(&leaks));
            let off: Vec<Leak> =
                leaks.iter().map(|leak| Leak { bytes: leak.bytes * 1.9 + 30.0, ..leak.clone() }).collect();
            assert_eq!(package.is(&off), leaks.is_empty());
            assert_eq!(package.is(&[]), leaks.is_empty());
            leaks.len()
        });
        assert_eq!(counts, [1, 1, 2, 0]);
    }
}
