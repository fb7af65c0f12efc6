//! `suite`: network programming, all together.

use std::time::Duration;

use mustdo_plugin::verdict::{Need, Status};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::beyond_select::BeyondSelect;
use crate::close_wait::CloseWait;
use crate::dialect::Dialect;
use crate::dribble::Dribble;
use crate::echo::Echo;
use crate::error_survival::ErrorSurvival;
use crate::exact_bytes::ExactBytes;
use crate::half_close::HalfClose;
use crate::interleaved::Interleaved;
use crate::large_write::LargeWrite;
use crate::pipelined::Pipelined;
use crate::probe::Probe;
use crate::process::{facts, unchanged};

parameters! {
    /// How the server is spoken to.
    pub struct Suite {
        /// "line" (each line comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}". An echo of bytes has no requests to take apart, and does not do.
        dialect: Dialect = Dialect::default(),
    }
}

/// A check as a part of the suite.
struct Part {
    id: &'static str,
    run: fn(&Dialect, &mut Context<'_>) -> Report,
}

macro_rules! parts {
    ($($Check:ident),+ $(,)?) => {
        [$(Part {
            id: $Check::ID,
            run: |dialect, context| {
                let mut check = $Check::default();
                check.dialect.clone_from(dialect);
                check.run(context)
            },
        }),+]
    };
}

impl Check for Suite {
    const ID: &'static str = "suite";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Network programming, all together", "网络编程，合在一起"),
            description: Text::new(
                "Runs echo, exact-bytes, dribble, pipelined, interleaved, large-write, half-close, error-survival, beyond-select and close-wait in random order on one running server, without a restart between them. With the permission to look at the process: it is the same one at the end, and keeps no descriptors. Start your server with `ulimit -n 4096` or more.",
                "在同一个运行中的服务器上，按随机顺序做 echo、exact-bytes、dribble、pipelined、interleaved、large-write、half-close、error-survival、beyond-select 和 close-wait，中间不重启。如果允许查看进程：最后仍是同一个进程，也没有多占描述符。请用 `ulimit -n 4096` 或更大的值启动服务器。",
            ),
            capabilities: vec![
                crate::reach(),
                crate::watch(
                    "to see that your server is still the same process at the end and keeps no descriptors",
                ),
            ],
            typical: Duration::from_mins(1),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "one server did it all, without a restart",
            "同一个服务器完成了全部，没有重启",
        ));
        if Probe::greet(context, &self.dialect, &mut report).is_some() {
            self.judge(context, &mut report);
        }
        report
    }
}

impl Suite {
    fn judge(&self, context: &mut Context<'_>, report: &mut Report) -> Option<()> {
        let has_requests = if self.dialect.has_borders() {
            Ok(())
        } else {
            Err(Fault::inconclusive(Text::new(
                "an echo of bytes has no requests to take apart: bind a server of lines or frames, `dialect = \"line\"`",
                "逐字节回显没有需要拆分的请求：请绑定一个按行或按帧的服务器，`dialect = \"line\"`",
            )))
        };
        report.judge("has-requests", Need::Must, has_requests, |()| {
            Text::new("requests have borders", "请求有边界")
        })?;
        let before = facts(context);
        let mut parts = parts![
            Echo,
            ExactBytes,
            Dribble,
            Pipelined,
            Interleaved,
            LargeWrite,
            HalfClose,
            ErrorSurvival,
            BeyondSelect,
            CloseWait,
        ];
        context.generator().shuffle(&mut parts);
        let count = parts.len();
        for (place, part) in (0_u16..).zip(&parts) {
            context.progress(Some(f32::from(place) / 10.0), part.id);
            let outcome = outcome((part.run)(&self.dialect, context));
            // The parts after one that the server did not survive would tell nothing new.
            report.judge(part.id, Need::Must, outcome, Clone::clone)?;
        }
        let outcome = unchanged(context, before);
        report.judge("same-process", Need::Must, outcome, |after| {
            Text::new(
                format!("the same process after {count} parts, with {} descriptors", after.open_files),
                format!("{count} 个部分之后仍是同一个进程，有 {} 个描述符", after.open_files),
            )
        });
        Some(())
    }
}

/// A part's verdict as the outcome of one step.
fn outcome(part: Report) -> Result<Text, Fault> {
    let verdict = part.verdict();
    let fault = match verdict.status {
        Status::Pass => return Ok(verdict.summary),
        Status::Fail => Fault::fail(verdict.summary),
        Status::Inconclusive => Fault::inconclusive(verdict.summary),
        Status::Skip => Fault::skip(verdict.summary),
    };
    Err(verdict.findings.into_iter().fold(fault, Fault::with))
}
