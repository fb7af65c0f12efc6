//! The results of tasks that succeeded, and of one that never did.

use mustdo_plugin::process::Finished;
use mustdo_plugin::{Fault, Text};

use super::{Run, Settings};
use crate::celery::PROGRAM;
use crate::celery::result::Results;
use crate::trouble::{failed, unfound};

impl Run<'_, '_, '_> {
    /// Asks for results in a process of its own.
    pub(super) fn results(&mut self, settings: &Settings) -> Result<(), Fault> {
        let results = Results::of(&settings.conf)?;
        let ((first, value), (flaky, again)) = (&self.ids.first, &self.ids.flaky[0]);
        if !shows(&results.ask(self.folder, first)?, *value) {
            return Err(unfound(
                "result",
                Text::new(
                    "the result of a task that succeeded does not show the number that its call brought",
                    "任务成功了，结果里却没有调用得到的数",
                ),
                Text::new(
                    "let the task return the number `value` of the JSON that it is answered",
                    "让任务返回响应 JSON 里的数 `value`",
                ),
            ));
        }
        let hint = Text::new(
            "return what the last attempt brought, and let the exception out when there is no more",
            "返回最后一次尝试得到的值；不再重试时让异常抛出去",
        );
        if !shows(&results.ask(self.folder, flaky)?, *again) {
            let came = Text::new(
                "a task that succeeded after a retry has not the result of its call",
                "重试之后成功的任务，结果不是调用得到的值",
            );
            return Err(failed(PROGRAM, "result", came, hint));
        }
        if results.ask(self.folder, &self.ids.failing[0].0)?.exit.is_success() {
            let came = Text::new("a task that always failed has a result", "总是失败的任务却有结果");
            return Err(failed(PROGRAM, "result", came, hint));
        }
        Ok(())
    }
}

/// Whether the command line showed this value, and no failure.
fn shows(finished: &Finished, value: u64) -> bool {
    let value = value.to_string();
    finished.exit.is_success() && String::from_utf8_lossy(&finished.stdout).contains(&value)
}
