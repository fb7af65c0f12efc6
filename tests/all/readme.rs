//! README's tour: every `console` block is run, in order, in one shell, and must print what it shows.

use crate::sandbox::Sandbox;

/// One command of the tour and what follows it.
#[derive(Debug)]
struct Step {
    command: String,
    code: i32,
    /// Parts of lines that are printed, in this order; "..." stands between those that do not follow each other.
    shown: Vec<String>,
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = vec![];
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let code =
                    command.rsplit("# exit code ").next().and_then(|code| code.parse().ok()).unwrap_or(0);
                steps.push(Step { command: command.to_owned(), code, shown: vec![] });
            } else if let Some(more) =
                line.strip_prefix('>').filter(|_| steps.last().unwrap().shown.is_empty())
            {
                let command = &mut steps.last_mut().unwrap().command;
                command.push('\n');
                command.push_str(more.strip_prefix(' ').unwrap_or(more));
            } else {
                steps.last_mut().unwrap().shown.push(line.to_owned());
            }
        }
    }
    steps
}

#[test]
fn tour_prints_what_it_shows() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() > 12, "{steps:?}");
    let mut script = String::new();
    for step in &steps {
        script.push_str(&format!("{}\nprintf '\\036%s\\036' $?\n", step.command));
    }
    let sandbox = Sandbox::empty();
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_mustdo")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = sandbox
        .command("bash")
        .env("PATH", path)
        .arg("-c")
        .arg(format!("exec 2>&1\n{script}"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut parts = printed.split('\u{1e}');
    for step in &steps {
        let (text, code) = (parts.next().unwrap(), parts.next().unwrap());
        assert_eq!(code, step.code.to_string(), "$ {}\n{text}", step.command);
        let mut lines = text.lines();
        for part in step.shown.iter().filter(|part| *part != "...") {
            assert!(
                lines.any(|line| line.contains(part.trim())),
                "{part:?} is not printed by\n$ {}\n{text}",
                step.command
            );
        }
    }
}
