//! An application of Celery: its worker, its command line, and its queue.

pub(crate) mod message;
pub(crate) mod queue;
pub(crate) mod result;

use std::time::Duration;

use mustdo_plugin::process::{Command, Finished, Limits};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::service::Advice;
use mustdo_plugin::{Context, Failure, Fault, Text};
use serde_json::Value;

use self::queue::Queue;
use crate::trouble::{failed, unfound};
use crate::worker::Worker;

/// The command target: `celery -A tasks`, and what a check adds.
pub(crate) const PROGRAM: &str = "celery";

/// How long one command may take, its start included.
const COMMAND: Duration = Duration::from_mins(1);

/// How long a worker may take until it takes tasks.
pub(crate) const READY: Duration = Duration::from_mins(1);

/// How long workers have for answering a command, in seconds.
const ANSWER: &str = "5";

/// A worker with one process in its pool, under a name of its own.
pub(crate) fn worker(name: &str) -> Command {
    let words = [
        "worker",
        "--concurrency",
        "1",
        "--loglevel",
        "INFO",
        // It talks to no other worker, which would take a second at each start.
        "--without-mingle",
        "--without-gossip",
        "--hostname",
        name,
    ];
    words.into_iter().fold(Command::new(PROGRAM), Command::argument)
}

/// Runs a command of the application beside its worker.
pub(crate) fn run(folder: &Workspace<'_>, words: &[&str], time: Duration) -> Result<Finished, Failure> {
    let command = words.iter().fold(Command::new(PROGRAM), |command, word| command.argument(*word));
    folder.start(&command)?.output(&Limits { time: time.min(COMMAND), bytes: 1 << 20 })
}

/// Waits until the worker takes tasks, as far as that can be seen. `advice` binds what was not found.
pub(crate) fn ready(
    context: &Context<'_>,
    queue: &mut Queue,
    worker: &mut Worker<'_, '_>,
    name: &str,
    advice: Advice,
) -> Result<(), Fault> {
    let end = context.monotonic() + READY;
    loop {
        let is_ready = queue.is_consumed()?.unwrap_or_else(|| worker.has_said_now(" ready."));
        if is_ready {
            return Ok(());
        }
        let has_ended = !worker.runs();
        if has_ended || context.monotonic() > end {
            let said = worker.last_words("");
            let what = if has_ended { ("ended", "退出了") } else { ("takes no tasks", "不接任务") };
            return Err(unfound(
                "no-worker",
                Text::new(
                    format!("the worker {}; the queue is {name}; it said: {said}", what.0),
                    format!("worker {}；队列是 {name}；它说：{said}", what.1),
                ),
                advice.hint(
                    "the target `celery` is `celery -A APPLICATION`, in a copy of the directory `source`; bind both, and name the queue, for example:",
                    "目标 `celery` 写成 `celery -A 应用`，在目录 `source` 的副本里运行；请绑定这两个目标，并写明队列，例如：",
                ),
            ));
        }
        worker.pause(Duration::from_millis(100));
    }
}

/// What a running worker says of its settings: those that are not Celery's own.
pub(crate) fn settings(folder: &Workspace<'_>, worker: &str) -> Result<Value, Fault> {
    let asked = ["inspect", "conf", "--json", "--timeout", ANSWER, "--destination", worker];
    answer(&run(folder, &asked, COMMAND)?, worker)
}

/// That tasks are sent at all, by what a running worker says of its settings.
pub(crate) fn expect_sent(settings: &Value) -> Result<(), Fault> {
    if settings.get("task_always_eager").and_then(Value::as_bool) != Some(true) {
        return Ok(());
    }
    Err(failed(
        PROGRAM,
        "eager",
        Text::new(
            "task_always_eager is on: whoever sends a task does it in place, and no worker ever sees it",
            "task_always_eager 打开了：发任务的进程自己就地执行，worker 根本收不到",
        ),
        Text::new(
            "keep task_always_eager for tests; the application that sends must not have it",
            "task_always_eager 只能用于测试；真正发任务的应用不要打开",
        ),
    ))
}

/// What a running worker says of a task: one word for each option, `acks_late=True`.
pub(crate) fn options(
    folder: &Workspace<'_>,
    worker: &str,
    task: &str,
    names: &[&str],
) -> Result<Vec<(String, String)>, Fault> {
    let asked = ["inspect", "registered", "--json", "--timeout", ANSWER, "--destination", worker];
    let finished = run(folder, &[&asked, names].concat(), COMMAND)?;
    let answer = answer(&finished, worker)?;
    let lines: Vec<&str> = answer.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    described(&lines, task).ok_or_else(|| {
        Fault::inconclusive(Text::new(
            format!("the worker knows no task {task}; it knows {}", lines.join(", ")),
            format!("worker 没有任务 {task}；它有 {}", lines.join("、")),
        ))
    })
}

/// The options in `tasks.work [acks_late=True reject_on_worker_lost=None]`.
fn described(lines: &[&str], task: &str) -> Option<Vec<(String, String)>> {
    let line = lines.iter().find(|line| line.split(" [").next() == Some(task))?;
    let inside = line.split_once(" [").map_or("", |(_, rest)| rest.trim_end_matches(']'));
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some(inside.split(' ').filter_map(pair).collect())
}

/// The answer of the one worker in the JSON that the command line prints, which warnings may stand around.
fn answer(finished: &Finished, worker: &str) -> Result<Value, Fault> {
    let text = String::from_utf8_lossy(&finished.stdout);
    let found = text.lines().find_map(|line| {
        let Ok(Value::Object(mut workers)) = serde_json::from_str::<Value>(line.trim()) else { return None };
        workers.remove(worker)
    });
    found.ok_or_else(|| {
        let stderr = String::from_utf8_lossy(&finished.stderr);
        let said = stderr.lines().rev().chain(text.lines().rev()).find(|line| !line.trim().is_empty());
        let said: String = said.unwrap_or_default().trim().chars().take(160).collect();
        Fault::inconclusive(Text::new(
            format!("`celery inspect` brought no answer of the worker: {said}"),
            format!("`celery inspect` 没有得到 worker 的回答：{said}"),
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mustdo_plugin::process::Exit;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_options_of_a_task_are_read() {
        let lines = ["tasks.worker", "tasks.work [acks_late=True reject_on_worker_lost=None]"];
        let read = described(&lines, "tasks.work").unwrap();
        assert_eq!(read[0], ("acks_late".to_owned(), "True".to_owned()));
        assert_eq!(read[1], ("reject_on_worker_lost".to_owned(), "None".to_owned()));
        assert_eq!(described(&lines, "tasks.worker"), Some(vec![]));
        assert_eq!(described(&lines, "tasks"), None);
    }

    #[test]
    fn the_answer_of_one_worker_is_found_among_warnings() {
        let exit = Exit { code: Some(0), signal: None, wall: Duration::ZERO };
        let finished =
            |stdout: &str| Finished { exit, stdout: stdout.into(), stderr: b"Error: no\n".to_vec() };
        let said = finished("a warning\n{\"w@here\": {\"task_acks_late\": true}}\n");
        assert_eq!(answer(&said, "w@here"), Ok(json!({ "task_acks_late": true })));
        assert!(answer(&said, "other@here").is_err());
        assert!(answer(&finished(""), "w@here").unwrap_err().summary().en.ends_with("Error: no"));
    }
}
