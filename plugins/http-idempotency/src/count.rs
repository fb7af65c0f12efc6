//! How many rows the service holds, read through a second path.

use std::cell::Cell;
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{Advice, Probe, excerpt, line_of, place_of, refused};
use mustdo_plugin::verdict::{Finding, Severity};
use mustdo_plugin::{Fault, Text};
use serde_json::Value;

/// Reads at once. Workers that each hold rows of their own disagree, and several reads meet several workers.
const READS: usize = 4;

/// How long a count may take to show a write before the view counts as blind.
const LAG: Duration = Duration::from_secs(3);

/// The wait after which a count is read once more.
const SETTLE: Duration = Duration::from_millis(200);

/// Names of a total beside the rows, in the order they are tried.
const TOTALS: [&str; 6] = ["count", "total", "total_count", "totalCount", "totalElements", "size"];

/// A view that can be counted.
pub(crate) struct Counter {
    view: Request,
    /// Empty: found by itself. Begins with `/`: a JSON pointer to a number or a list. Else: a text whose occurrences
    /// are counted.
    how: String,
    advice: Advice,
    last: Cell<Option<u64>>,
}

impl Counter {
    pub(crate) fn new(view: Request, how: &str, advice: Advice) -> Self {
        Self { view, how: how.to_owned(), advice, last: Cell::new(None) }
    }

    /// Counts what another view shows, in the same way.
    pub(crate) fn in_view(&self, change: impl FnOnce(Request) -> Request) -> Self {
        Self::new(change(self.view.clone()), &self.how, self.advice)
    }

    /// Where it counts, for a message.
    pub(crate) fn line(&self) -> String {
        line_of(&self.view)
    }

    /// The count as it was read last: nothing was sent since then but reads.
    pub(crate) fn before(&self, probe: &mut Probe) -> Result<u64, Fault> {
        self.last.get().map_or_else(|| self.read(probe), Ok)
    }

    /// Reads the count, several times at once; they must agree.
    fn read(&self, probe: &mut Probe) -> Result<u64, Fault> {
        let mut counts = Vec::new();
        for answer in probe.send_all(vec![self.view.clone(); READS])? {
            counts.push(self.count(&answer?)?);
        }
        match counts.first() {
            Some(first) if counts.iter().all(|count| count == first) => {
                self.last.set(Some(*first));
                Ok(*first)
            }
            _ => Err(self.disagree(&counts)),
        }
    }

    /// The positive control: after `added` writes the count must have risen by exactly that, at once.
    pub(crate) fn expect(&self, probe: &mut Probe, before: u64, added: u64) -> Result<u64, Fault> {
        let mut now = self.read(probe)?;
        let mut waited = Duration::ZERO;
        while now < before + added && waited < LAG && probe.has_time(SETTLE) {
            probe.sleep(SETTLE);
            waited += SETTLE;
            now = self.read(probe)?;
        }
        if now == before + added && waited.is_zero() {
            return Ok(now);
        }
        Err(self.miscounts(before, added, now, waited))
    }

    /// Reads the count a moment later, when an effect that comes late is seen as well.
    pub(crate) fn settled(&self, probe: &mut Probe) -> Result<u64, Fault> {
        probe.sleep(SETTLE);
        self.read(probe)
    }

    fn count(&self, response: &Response) -> Result<u64, Fault> {
        if !response.is_success() {
            return Err(refused(&self.view, response, self.advice));
        }
        let found = if self.how.is_empty() {
            response.json().as_ref().and_then(rows_of)
        } else if self.how.starts_with('/') {
            response.json().as_ref().and_then(|body| body.pointer(&self.how)).and_then(number_of)
        } else if response.truncated {
            None
        } else {
            u64::try_from(response.text().matches(&self.how).count()).ok()
        };
        found.ok_or_else(|| self.uncountable(response))
    }

    fn uncountable(&self, response: &Response) -> Fault {
        let line = self.line();
        let summary = Text::new(
            format!("{line} shows nothing that can be counted"),
            format!("{line} 里没有可以数的东西"),
        );
        let body = excerpt(&response.body);
        let message = Text::new(
            format!("read {line} and looked for a list or a total; it showed: {body}"),
            format!("读取 {line}，想找列表或总数；看到的是：{body}"),
        );
        self.fault(summary, message)
    }

    fn disagree(&self, counts: &[u64]) -> Fault {
        let line = self.line();
        let summary = Text::new(
            format!(
                "{line} shows another count to every reader ({counts:?} at the same moment), so nothing can be counted"
            ),
            format!("同一时刻读 {line}，数到的各不相同（{counts:?}），没法计数"),
        );
        let message = Text::new(
            format!(
                "read {line} {READS} times at once with no write between; probably there are several workers, each with rows in its own memory"
            ),
            format!("同时读了 {READS} 次 {line}，中间没有写；多半是多个进程各自把数据放在自己的内存里"),
        );
        let hint = Text::new(
            "keep the rows where every worker sees them (a database), then run again",
            "把数据放到所有进程都看得到的地方（数据库），再运行一次",
        );
        let finding = Finding::new(Severity::Warning, "http-idempotency.observer", message);
        Fault::inconclusive(summary).with(finding.at(place_of(&self.view)).hint(hint))
    }

    fn miscounts(&self, before: u64, added: u64, now: u64, waited: Duration) -> Fault {
        let line = self.line();
        let summary = if now == before + added {
            let millis = waited.as_millis();
            Text::new(
                format!("{line} counts a submission only {millis} ms later, so a second one could hide"),
                format!("{line} 在 {millis} 毫秒后才数到提交，重复的提交可能被掩盖"),
            )
        } else {
            not_all_seen(&line, before, added, now)
        };
        let expected = before + added;
        let message = Text::new(
            format!(
                "every submission was answered as done; {line} counted {before} before and {now} after, where {expected} would be right"
            ),
            format!("每次提交都返回成功；{line} 之前数到 {before}，之后 {now}，应为 {expected}"),
        );
        self.fault(summary, message)
    }

    /// A fresh submission is counted no more, though those at the beginning were.
    pub(crate) fn page(&self, before: u64, after: u64) -> Fault {
        let line = self.line();
        let summary = Text::new(
            format!("{line} is a page of the rows, not all of them, so a second effect could hide"),
            format!("{line} 只是数据的一页，不是全部，重复的副作用可能被掩盖"),
        );
        let expected = before + 1;
        let message = Text::new(
            format!(
                "a fresh submission was answered as done, but {line} counted {before} before and {after} after, where {expected} would be right"
            ),
            format!("一次全新的提交返回成功，但 {line} 之前数到 {before}，之后 {after}，应为 {expected}"),
        );
        self.fault(summary, message)
    }

    fn fault(&self, summary: Text, message: Text) -> Fault {
        let hint = self.advice.hint(
            "name a view that lists every stored row at once (`observe`) and, if need be, what to count in it (`count`: a JSON pointer such as \"/total\", or a text that occurs once a row), for example:",
            "用 observe 指定能立即列出全部数据的路径；必要时用 count 说明数什么（如 JSON 指针 \"/total\"，或每行出现一次的文字），例如：",
        );
        let finding = Finding::new(Severity::Warning, "http-idempotency.observer", message);
        Fault::inconclusive(summary).with(finding.at(place_of(&self.view)).hint(hint))
    }
}

/// What was accepted and is not counted, or not right, whatever the reason.
fn not_all_seen(line: &str, before: u64, added: u64, now: u64) -> Text {
    if now == before {
        return Text::new(
            format!("a submission was answered as done, but {line} does not show it"),
            format!("提交返回成功，但 {line} 里看不到"),
        );
    }
    let seen = i128::from(now) - i128::from(before);
    Text::new(
        format!("{added} different submissions were answered as done, but {line} counts {seen} more"),
        format!("{added} 次不同的提交都返回成功，但 {line} 只多数到 {seen}"),
    )
}

/// The rows of a listing: the list itself, else a total, else the only list below.
fn rows_of(body: &Value) -> Option<u64> {
    let Value::Object(fields) = body else { return number_of(body) };
    let total = TOTALS.iter().find_map(|name| fields.get(*name)?.as_u64());
    let mut lists = fields.values().filter(|value| value.is_array());
    let only = match (lists.next(), lists.next()) {
        (Some(list), None) => number_of(list),
        _ => None,
    };
    match (total, only) {
        // A page of a longer listing.
        (Some(total), Some(length)) => Some(total.max(length)),
        (total, only) => total.or(only),
    }
}

fn number_of(value: &Value) -> Option<u64> {
    value.as_array().map_or_else(|| value.as_u64(), |items| u64::try_from(items.len()).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_found_where_services_put_them() {
        assert_eq!(rows_of(&json!([1, 2])), Some(2));
        assert_eq!(rows_of(&json!({"count": 3, "orders": [1, 2, 3]})), Some(3));
        assert_eq!(rows_of(&json!({"total": 300, "items": [1]})), Some(300));
        assert_eq!(rows_of(&json!({"data": [1], "page": 1})), Some(1));
        assert_eq!(rows_of(&json!(7)), Some(7));
    }

    #[test]
    fn what_cannot_be_counted_is_not_guessed() {
        assert_eq!(rows_of(&json!({"a": [], "b": []})), None);
        assert_eq!(rows_of(&json!({"status": "ok"})), None);
        assert_eq!(rows_of(&json!("two")), None);
    }
}
