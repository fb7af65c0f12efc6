//! Documents that are played: every `console` block is run, in order, in one shell, and must print what it shows.

use std::process::Command;

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

/// Runs the document's blocks in `bash`, a shell in a sandbox.
fn play(document: &str, bash: &mut Command, least: usize) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let steps = steps(&std::fs::read_to_string(path).unwrap());
    assert!(steps.len() > least, "{steps:?}");
    let mut script = String::new();
    for step in &steps {
        script.push_str(&format!("{}\nprintf '\\036%s\\036' $?\n", step.command));
    }
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_mustdo")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = bash.env("PATH", path).arg("-c").arg(format!("exec 2>&1\n{script}")).output().unwrap();
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

#[test]
fn tour_prints_what_it_shows() {
    let sandbox = Sandbox::empty();
    play("README.md", &mut sandbox.command("bash"), 12);
}

#[cfg(feature = "live-servers")]
#[test]
fn guide_to_plugins_prints_what_it_shows() {
    let sandbox = Sandbox::empty();
    play("docs/plugins.md", &mut crate::template::author(&sandbox, "bash"), 18);
}

#[test]
fn code_in_the_guide_to_plugins_is_the_templates_own() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let guide = read("docs/plugins.md");
    let mut seen = 0;
    for (language, file) in
        [("rust", "rust/src/resume.rs"), ("python", "python/check.py"), ("js", "js/check.js")]
    {
        let source = read(&format!("plugins/templates/{file}"));
        for block in guide.split(&format!("```{language}\n")).skip(1) {
            let block = block.split("```").next().unwrap();
            assert!(source.contains(block), "not in {file}:\n{block}");
            seen += 1;
        }
    }
    // Every fence opens and closes: whatever is neither played nor taken from a template is found here.
    let played = guide.matches("```console\n").count();
    assert_eq!(guide.matches("```").count(), 2 * (seen + played));
}
