//! The middleware: between a server and an application that both are the harness.

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Fault, Report, Text};

use super::response::{error, response, start, status};
use super::{Exam, ask, broken, said};
use crate::session::Session;
use crate::trouble::{Trouble, wrong};

/// Chunks of the application behind a middleware.
const CHUNKS: u64 = 10;

impl Exam<'_, '_> {
    pub(super) fn middleware(&self, report: &mut Report) -> Option<()> {
        let piece = self.words[1].clone();
        let passes = self.open(&self.check.middleware).and_then(|mut session| {
            let seen = self.through(&mut session, "streams", false)?;
            self.passes_on(&seen)?;
            Ok((session, seen))
        });
        let (mut session, streamed) = report.judge("middleware-passes", Need::Must, passes, |_| {
            Text::new("the middleware calls what stands behind it", "中间件会调用它后面的应用")
        })?;
        let rules = response(&streamed, "GET").map_err(|rule| broken("middleware", "GET /", &rule));
        report.judge("middleware-rules", Need::Must, rules, |()| {
            Text::new("what comes out of it is as it must be", "它给出的回应符合规则")
        })?;
        report.judge("middleware-validator", Need::Must, self.both_sides(&mut session), |()| {
            Text::new("the validators on both sides have nothing to say", "两面的验证器都没有意见")
        })?;
        report.judge("middleware-streams", Need::Must, streams(&streamed), |()| {
            Text::new("chunks come one by one", "内容逐块通过")
        });
        report.judge("middleware-closes", Need::Must, closes(&streamed), |()| {
            Text::new("close() comes through, once", "close() 会传到里面，恰好一次")
        });
        let length = CHUNKS * piece.len() as u64;
        let whole = ask(&mut session, "digest", &json!({ "piece": piece, "length": length })).ok();
        // What changes bodies may change these, too; then there is nothing to compare.
        let leaves_bodies = whole.is_some() && streamed.get("digest") == whole.as_ref();
        for (kind, id, en, zh) in [
            (
                "writes",
                "middleware-write",
                "what is written by write() comes through",
                "write() 写出的内容会通过",
            ),
            (
                "starts-late",
                "middleware-late-start",
                "an application may start with its first chunk",
                "应用可以到第一块内容时才开始",
            ),
        ] {
            let outcome = self.through(&mut session, kind, false).and_then(|seen| {
                if let Some(error) = error(&seen) {
                    return Err(said("middleware", kind, &error));
                }
                if !leaves_bodies {
                    return Err(Fault::skip(Text::new(
                        "the middleware changes bodies: there is nothing to compare",
                        "这个中间件会改变内容：没有可比较的",
                    )));
                }
                if seen.get("digest") == whole.as_ref() { Ok(()) } else { Err(lost(kind, &seen)) }
            });
            report.judge(id, Need::Must, outcome, |()| Text::new(en, zh));
        }
        let error = self.through(&mut session, "fails", false).and_then(|seen| error_comes_through(&seen));
        report.judge("middleware-error", Need::Must, error, |()| {
            Text::new("exc_info comes through", "exc_info 会传出来")
        });
        Some(())
    }

    fn through(&self, session: &mut Session<'_, '_>, kind: &str, checked: bool) -> Result<Value, Fault> {
        let arguments = json!({ "kind": kind, "piece": self.words[1], "count": CHUNKS, "checked": checked });
        match session.ask("through", &arguments) {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(raised)) => Err(Trouble::NotLoaded(self.check.middleware.clone(), raised).fault()),
            Err(trouble) => Err(trouble.fault()),
        }
    }

    /// The middleware stands between: it calls the application, once, and is not the application.
    fn passes_on(&self, seen: &Value) -> Result<(), Fault> {
        let name = &self.check.middleware;
        if seen.get("callable") != Some(&Value::Bool(true)) {
            return Err(Fault::inconclusive(Text::new(
                format!("{name}(application) gives nothing that can be called"),
                format!("{name}(application) 返回的东西不能调用"),
            )));
        }
        if seen.get("same") == Some(&Value::Bool(true)) {
            let summary = Text::new(
                format!("{name} gives the application back as it is: there is no middleware"),
                format!("{name} 原样返回应用：没有中间件"),
            );
            let hint = Text::new("return an application around it", "返回一个包住它的应用");
            return Err(wrong("wsgi.nothing", summary.clone(), summary, hint));
        }
        match seen.get("called").and_then(Value::as_u64) {
            Some(1) => Ok(()),
            Some(0) => Err(Fault::inconclusive(Text::new(
                format!("{name} answers GET / by itself; bind one that passes it on"),
                format!("{name} 自己回答了 GET /；请绑定一个会往里传的中间件"),
            ))),
            calls => {
                let calls = calls.unwrap_or_default();
                let summary = Text::new(
                    format!("one request calls the application {calls} times"),
                    format!("一个请求调用了应用 {calls} 次"),
                );
                let hint = Text::new("call it once and hand on what it gives", "只调用一次，把结果传出去");
                Err(wrong("wsgi.middleware-calls", summary.clone(), summary, hint))
            }
        }
    }

    fn both_sides(&self, session: &mut Session<'_, '_>) -> Result<(), Fault> {
        for kind in ["streams", "writes", "starts-late"] {
            let seen = self.through(session, kind, true)?;
            if let Some(error) = error(&seen) {
                return Err(said("middleware", kind, &error));
            }
        }
        Ok(())
    }
}

/// The k-th chunk is there before more than one further was made.
fn streams(seen: &Value) -> Result<(), Fault> {
    let at_receipt: Vec<u64> = seen
        .get("at_receipt")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    let first_late = at_receipt.iter().zip(1..).find(|(pulled, place)| **pulled > place + 1);
    if at_receipt.is_empty() || first_late.is_some() {
        let pulled = first_late.map_or(CHUNKS, |(pulled, _)| *pulled);
        return Err(wrong(
            "wsgi.middleware-streams",
            Text::new(
                format!("{pulled} chunks were made before an earlier one came out: it collects them"),
                format!("里面已经产生了 {pulled} 块，前面的还没出来：它把内容攒起来了"),
            ),
            Text::new(
                format!("how many chunks the application had made when each came out: {at_receipt:?}"),
                format!("每一块出来的时候，应用已经产生的块数：{at_receipt:?}"),
            ),
            Text::new("yield each chunk as it comes; join nothing", "来一块就 yield 一块，不要拼接"),
        ));
    }
    Ok(())
}

fn closes(seen: &Value) -> Result<(), Fault> {
    match seen.get("closed").and_then(Value::as_u64) {
        Some(1) => Ok(()),
        closed => {
            let closed = closed.unwrap_or_default();
            let summary = Text::new(
                format!("close() of the application's result is called {closed} times, not once"),
                format!("应用返回对象的 close() 被调用了 {closed} 次，应当恰好一次"),
            );
            let hint = Text::new(
                "return an iterable with a close() that calls the inner one, if it has any; a generator with try … finally will do",
                "返回带 close() 的可迭代对象，里面有 close() 就调用它；用 try … finally 的生成器也可以",
            );
            Err(wrong("wsgi.middleware-closes", summary.clone(), summary, hint))
        }
    }
}

fn error_comes_through(seen: &Value) -> Result<(), Fault> {
    if let Some(error) = error(seen) {
        return Err(said("middleware", "an error after the start", &error));
    }
    let is_told = start(seen).and_then(|start| start.get("exception")) == Some(&Value::Bool(true));
    if is_told && status(seen).is_some_and(|status| status.starts_with("500")) {
        return Ok(());
    }
    let summary = Text::new(
        "an application that starts again with exc_info does not get through",
        "应用带 exc_info 再次开始时，没有传出来",
    );
    let hint = Text::new(
        "your start_response takes exc_info=None and passes it on",
        "你的 start_response 要接受 exc_info=None 并传下去",
    );
    Err(wrong("wsgi.middleware-error", summary.clone(), summary, hint))
}

fn lost(kind: &str, seen: &Value) -> Fault {
    let came = seen.get("length").and_then(Value::as_u64).unwrap_or_default();
    let summary = match kind {
        "writes" => Text::new(
            format!("what the application writes by write() is lost: {came} bytes come"),
            format!("应用用 write() 写的内容丢了：只到了 {came} 字节"),
        ),
        _ => Text::new(
            format!("of an application that starts with its first chunk {came} bytes come"),
            format!("应用到第一块才开始时，只到了 {came} 字节"),
        ),
    };
    let hint = Text::new(
        "return the write() that the server's start_response gave you, and wait for the first chunk before you look at the status",
        "把服务器 start_response 返回的 write() 交给应用；看状态之前先等第一块内容",
    );
    wrong("wsgi.middleware-lost", summary.clone(), summary, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_that_are_collected_come_too_late() {
        let at = |places: [u64; 3]| json!({ "at_receipt": places });
        assert!(streams(&at([1, 2, 3])).is_ok() && streams(&at([2, 3, 3])).is_ok());
        assert!(streams(&at([10, 10, 10])).is_err() && streams(&json!({ "at_receipt": [] })).is_err());
    }
}
