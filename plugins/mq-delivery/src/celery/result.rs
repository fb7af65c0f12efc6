//! Results of tasks, as a process of its own is shown them: `celery result`.

use std::time::Duration;

use mustdo_plugin::process::Finished;
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::{Failure, Fault, Text};
use serde_json::Value;

use super::{PROGRAM, run};
use crate::trouble::failed;

/// How long a process of its own may take to show a result.
const PATIENCE: Duration = Duration::from_secs(25);

/// Where an application keeps results, outside of its worker.
pub(crate) struct Results<'a> {
    backend: &'a str,
}

impl<'a> Results<'a> {
    /// By what a running worker says of its settings. Skipped where no other process could ask, failed where results are
    /// gone with the worker.
    pub(crate) fn of(settings: &'a Value) -> Result<Self, Fault> {
        let backend = settings.get("result_backend").and_then(Value::as_str).unwrap_or_default();
        if backend.is_empty() || backend.starts_with("disabled") {
            return Err(Fault::skip(Text::new("the application keeps no results", "应用没有配置结果存储")));
        }
        if backend.starts_with("rpc") {
            return Err(Fault::skip(Text::new(
                "results go to whoever sent the task (rpc), and nobody else can ask for them",
                "结果只发给发任务的进程（rpc），别人查不到",
            )));
        }
        if backend.contains("memory") {
            return Err(failed(
                PROGRAM,
                "result",
                Text::new(
                    format!(
                        "results are kept in the worker's own memory, and are gone with it (result_backend {backend})"
                    ),
                    format!("结果存在 worker 自己的内存里，worker 一死就没了（result_backend 是 {backend}）"),
                ),
                Text::new(
                    "keep results outside of the worker: redis://, a database, or none at all",
                    "结果要存在 worker 之外：redis://、数据库，或者干脆不存",
                ),
            ));
        }
        Ok(Self { backend })
    }

    /// What the command line shows of the task `id`: its value, or how it failed.
    pub(crate) fn ask(&self, folder: &Workspace<'_>, id: &str) -> Result<Finished, Fault> {
        match run(folder, &["result", id], PATIENCE) {
            // It waits for a result that nobody brings, or is slow.
            Err(Failure::TimedOut) => {
                let (backend, seconds) = (self.backend, PATIENCE.as_secs());
                Err(Fault::inconclusive(Text::new(
                    format!(
                        "`celery result` did not show the result of a task within {seconds} s (result_backend {backend})"
                    ),
                    format!(
                        "`celery result` 在 {seconds} 秒内没有显示任务的结果（result_backend 是 {backend}）"
                    ),
                )))
            }
            finished => Ok(finished?),
        }
    }
}
