//! The source is C, and makes no list of Python's.

use mustdo_plugin::verdict::{Finding, Severity};
use mustdo_plugin::{Fault, Text};

/// Refuses what is no C, and what lets Python do the work.
pub(super) fn judge(path: &str, text: &str) -> Result<(), Fault> {
    let words = words(text);
    let calls_python = words
        .iter()
        .find(|word| word.starts_with("PyList_") || *word == "Python.h" || word.starts_with("Py_"));
    if let Some(word) = calls_python {
        let summary = Text::new(
            format!("{path} lets Python do the work: {word}"),
            format!("{path} 让 Python 代劳：{word}"),
        );
        let hint = Text::new(
            "keep an array, a length and a capacity of your own, with malloc, realloc and free",
            "自己管理数组、长度和容量，用 malloc、realloc、free",
        );
        let finding = Finding::new(Severity::Problem, "judge.c-list.python", summary.clone()).hint(hint);
        return Err(Fault::fail(summary).with(finding));
    }
    let is_c = matches!(path.rsplit_once('.'), Some((_, "c" | "h")));
    if is_c && words.iter().any(|word| word == "include") {
        return Ok(());
    }
    Err(Fault::inconclusive(Text::new(
        format!("{path} does not look like C: name the files that end with .c"),
        format!("{path} 不像 C 代码：请写明以 .c 结尾的文件"),
    )))
}

/// The words of the code, without comments and texts in quotes; of `<Python.h>` the name.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter.is_ascii_alphanumeric() || letter == '_' || (letter == '.' && !word.is_empty()) {
            word.push(letter);
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        match (letter, rest.peek()) {
            ('/', Some('/')) => while rest.next_if(|letter| *letter != '\n').is_some() {},
            ('/', Some('*')) => {
                let mut before = ' ';
                for letter in rest.by_ref().skip(1) {
                    if (before, letter) == ('*', '/') {
                        break;
                    }
                    before = letter;
                }
            }
            ('"' | '\'', _) => {
                // A header in quotes counts; no other text that is quoted does.
                let is_header = words.last().is_some_and(|word| word == "include");
                let mut quoted = String::new();
                while let Some(inside) = rest.next_if(|inside| *inside != letter && *inside != '\n') {
                    quoted.push(inside);
                    if inside == '\\' {
                        rest.next();
                    }
                }
                rest.next();
                if is_header {
                    words.push(quoted);
                }
            }
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    fn judged(text: &str) -> Option<Status> {
        judge("list.c", text).err().map(|fault| fault.status())
    }

    #[test]
    fn only_code_counts() {
        let good = "#include <stdio.h>\n// PyList_New\n/* Python.h **/ char *text = \"PyList_New \\\" Py_Main\"; char c = '\"';\n";
        assert_eq!(judged(good), None);
        for python in
            ["#include <Python.h>\n", "#include \"Python.h\"\n", "#include <a.h>\nx = PyList_Append(a, b);"]
        {
            assert_eq!(judged(python), Some(Status::Fail), "{python}");
        }
        assert_eq!(judged("print('hello')\n"), Some(Status::Inconclusive));
    }
}
