//! What a worker has to endure: calls that are never answered, and messages that run whatever stands in them.

use std::time::Duration;

use mustdo_plugin::{Fault, Text};
use serde_json::Value;

use super::words::End;
use super::{ADVICE, First, LOOK, Run, SOON};
use crate::celery::{self, PROGRAM};
use crate::trouble::failed;

impl Run<'_, '_, '_> {
    /// Does not answer a call, and sends another task behind it.
    pub(super) fn silence(&mut self) -> Result<(), Fault> {
        let (silent, behind) = (self.ids.silent.clone(), self.ids.behind.clone());
        self.send(&silent, First::Silent)?;
        let end = self.context.monotonic() + SOON;
        while self.provider.calls(&silent.0).is_empty() && self.context.monotonic() < end {
            self.look(LOOK);
        }
        if self.provider.calls(&silent.0).is_empty() {
            return Err(Fault::inconclusive(Text::new(
                "a task never made its call",
                "有一个任务一直没有发起调用",
            )));
        }
        self.send(&behind, First::Fail(0))?;
        let end = self.context.monotonic() + Duration::from_secs(self.check.hang.into());
        while self.provider.calls(&behind.0).is_empty() {
            if self.context.monotonic() > end {
                // Whatever it waits for, the next step needs a worker that is free.
                self.worker.start()?;
                celery::ready(self.context, &mut self.queue, &mut self.worker, &self.check.queue, ADVICE)?;
                let seconds = self.check.hang;
                return Err(failed(
                    PROGRAM,
                    "unanswered",
                    Text::new(
                        format!(
                            "a call that was never answered held the worker for {seconds} s, and the task behind it waited"
                        ),
                        format!("没有回应的调用占了 worker {seconds} 秒，后面的任务只能等着"),
                    ),
                    Text::new(
                        "give the call a timeout, and the task a soft_time_limit: a worker that waits does nothing else",
                        "给调用设置 timeout，给任务设置 soft_time_limit：等着的 worker 什么也做不了",
                    ),
                ));
            }
            self.look(LOOK);
        }
        Ok(())
    }

    pub(super) fn goes_on(&mut self) -> Result<(), Fault> {
        let last = self.ids.last.clone();
        self.send(&last, First::Fail(0))?;
        let told = self.until_end(&last.0, SOON);
        if told.end == Some(End::Succeeded) {
            return Ok(());
        }
        let said = self.worker.last_words("");
        if self.worker.runs() {
            return Err(Fault::inconclusive(Text::new(
                format!("the last task did not come to its end; the worker said: {said}"),
                format!("最后一个任务没有做完；worker 说：{said}"),
            )));
        }
        Err(failed(
            PROGRAM,
            "ended",
            Text::new(format!("the worker ended; it said: {said}"), format!("worker 退出了；它说：{said}")),
            Text::new("a worker must go on whatever its tasks do", "不管任务怎么样，worker 都要继续工作"),
        ))
    }
}

/// That the worker takes no pickle, which runs whatever stands in it, by what it says of its settings; nothing there is
/// Celery's own, which is JSON only.
pub(super) fn json_only(settings: &Value) -> Result<(), Fault> {
    let Some(accepted) = settings.get("accept_content") else { return Ok(()) };
    let accepted = accepted.to_string();
    if !["pickle", "python-serialize"].iter().any(|word| accepted.contains(word)) {
        return Ok(());
    }
    Err(failed(
        PROGRAM,
        "pickle",
        Text::new(
            format!(
                "the worker takes pickle (accept_content = {accepted}): who reaches the queue runs any code in it"
            ),
            format!(
                "worker 接受 pickle（accept_content = {accepted}）：谁能写队列，谁就能在 worker 里执行任意代码"
            ),
        ),
        Text::new("accept_content = [\"json\"]", "accept_content = [\"json\"]"),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pickle_is_known_by_either_of_its_names() {
        assert_eq!(json_only(&json!({})), Ok(()));
        assert_eq!(json_only(&json!({ "accept_content": ["json"] })), Ok(()));
        for name in ["pickle", "application/x-python-serialize"] {
            assert!(json_only(&json!({ "accept_content": ["json", name] })).is_err(), "{name}");
        }
    }
}
