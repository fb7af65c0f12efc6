//! The extension is built here, and nothing that was built elsewhere is left to take its place.

use std::time::Duration;

use mustdo_plugin::process::{Command, Finished, Limits};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{self, Value};
use mustdo_plugin::{Failure, Fault, Text};

use super::{Exam, is_module_file};
use crate::session::{PYTHON, SOURCE};
use crate::trouble::{Trouble, cut, wrong};

/// Removes whatever holds machine code, under any name, and archives that could; says what went.
const CLEAN: &str = r#"
import json, os
marks = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ", b"!<arch>", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
gone = []
for folder, _, names in os.walk("."):
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            start = file.read(8)
        if name.endswith((".so", ".pyd", ".pyc", ".o", ".a")) or start.startswith(marks):
            os.remove(path)
            if not name.endswith(".pyc"):
                gone.append(os.path.relpath(path))
print(json.dumps(["removed", gone]))
"#;

/// Goes to the folder of the modules, and becomes the interpreter with the arguments of the build.
const THERE: &str =
    "import os, sys; os.chdir(sys.argv[1]); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])";

/// How long the build may take.
const TIME: Duration = Duration::from_secs(90);

/// What a build says that lacks a tool, not a right source.
const TOOLS: [(&str, &str, &str); 6] = [
    (
        "Python.h: No such file",
        "the headers of Python are missing (on Debian: python3-dev)",
        "缺少 Python 的头文件（Debian 上是 python3-dev）",
    ),
    ("No module named 'setuptools'", "this interpreter has no setuptools", "这个解释器没有安装 setuptools"),
    ("No module named 'distutils'", "this interpreter has no setuptools", "这个解释器没有安装 setuptools"),
    ("No module named 'Cython'", "this interpreter has no Cython", "这个解释器没有安装 Cython"),
    ("gcc' failed: No such file", "there is no C compiler", "没有 C 编译器"),
    ("can't open file", "there is no such file in the folder", "文件夹里没有这个文件"),
];

impl<'host> Exam<'_, 'host> {
    /// The private copy with a fresh build in it, whose module can be loaded.
    pub(super) fn build(&self) -> Result<Workspace<'host>, Fault> {
        self.known_kinds()?;
        let folder = self.context.scratch(Some(SOURCE))?;
        let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
        let cleaned = run(&folder, &["-I", "-c", CLEAN], &limits)?;
        let removed = removed(&cleaned).ok_or_else(|| Trouble::NotPython(said(&cleaned)).fault())?;
        let told: Vec<&str> = self.check.build.iter().map(String::as_str).collect();
        let there = ["-c", THERE, self.check.path.as_str()];
        let arguments =
            if self.check.path == "." { told.clone() } else { [&there, told.as_slice()].concat() };
        let limits = Limits { time: TIME.min(self.context.time_left() / 2), bytes: 4 << 20 };
        let built = run(&folder, &arguments, &limits)?;
        if !built.exit.is_success() {
            return Err(not_built(&told.join(" "), &said(&built)));
        }
        let loaded = self.extension(&folder);
        let prebuilt = removed.iter().find(|path| self.is_module(path));
        match (loaded, prebuilt) {
            (Ok(_), _) => Ok(folder),
            // It could be loaded from the file that was there, and the build does not make it.
            (Err(_), Some(path)) => {
                let summary = Text::new(
                    format!("{path} was compiled before, and nothing here makes it"),
                    format!("{path} 是以前编译好的，这里没有什么能构建出它"),
                );
                let hint = Text::new(
                    "keep the source of the extension in the folder, and say in `build` what compiles it",
                    "把扩展的源代码放进文件夹，并在 `build` 里写明怎样编译",
                );
                Err(wrong("c-extension.prebuilt", summary.clone(), summary, hint))
            }
            (Err(fault), None) => Err(fault),
        }
    }

    /// Whether a file that was removed is the compiled module of the function.
    fn is_module(&self, path: &str) -> bool {
        let module = self.check.function.split(':').next().unwrap_or_default();
        let name = module.rsplit('.').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or(path);
        is_module_file(file) && file.split('.').next() == Some(name)
    }
}

fn run(folder: &Workspace<'_>, arguments: &[&str], limits: &Limits) -> Result<Finished, Fault> {
    let command =
        arguments.iter().fold(Command::new(PYTHON), |command, argument| command.argument(*argument));
    let child = folder.start(&command).map_err(|failure| Trouble::Host(failure).fault())?;
    child.output(limits).map_err(|failure| {
        if failure != Failure::TimedOut {
            return Trouble::Host(failure).fault();
        }
        Fault::inconclusive(Text::new(
            "the build did not end in time, or the target `python` is no interpreter",
            "构建没有按时结束，或者目标 `python` 不是解释器",
        ))
    })
}

/// The files that were removed, if it was Python that ran.
fn removed(finished: &Finished) -> Option<Vec<String>> {
    let line: Value = serde_json::from_slice(finished.stdout.trim_ascii()).ok()?;
    let [word, files] = line.as_array()?.as_slice() else { return None };
    let files = files.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
    (finished.exit.is_success() && word == "removed").then(|| files.collect())
}

/// What a program wrote, its standard error first.
fn said(finished: &Finished) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let errors = text(&finished.stderr);
    if errors.is_empty() { text(&finished.stdout) } else { errors }
}

fn not_built(command: &str, errors: &str) -> Fault {
    if let Some((_, en, zh)) = TOOLS.iter().find(|(words, ..)| errors.contains(words)) {
        return Fault::inconclusive(Text::new(
            format!("it can not be built here: {en}"),
            format!("这里构建不了：{zh}"),
        ));
    }
    let line = errors.lines().find(|line| line.contains("error")).or(errors.lines().last());
    let line = cut(line.unwrap_or_default());
    Fault::inconclusive(Text::new(
        format!("`{command}` does not build it: {line}"),
        format!("`{command}` 构建失败：{line}"),
    ))
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::process::Exit;
    use mustdo_plugin::verdict::Status;

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let fault = not_built("setup.py", "fast.c:1:10: fatal error: Python.h: No such file or directory");
        assert!(fault.summary().en.contains("python3-dev"), "{fault:?}");
        assert_eq!(fault.status(), Status::Inconclusive);
        let fault = not_built("setup.py", "fast.c:7:1: error: expected ';'\nmore");
        assert!(fault.summary().en.ends_with("fast.c:7:1: error: expected ';'"), "{fault:?}");
    }

    #[test]
    fn only_python_removes_what_was_built() {
        let finished = |stdout: &str| Finished {
            exit: Exit { code: Some(0), signal: None, wall: Duration::ZERO },
            stdout: stdout.into(),
            stderr: Vec::new(),
        };
        assert_eq!(removed(&finished("[\"removed\", [\"fast.so\"]]\n")), Some(vec!["fast.so".to_owned()]));
        assert_eq!(removed(&finished("hello")), None);
        assert_eq!(removed(&finished("[\"kept\", []]")), None);
    }
}
