//! One operation that must happen once per key: how to send it, and what many sendings of it did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo_plugin::http::{Request, Response, Timing};
use mustdo_plugin::service::{
    Advice, Probe, Template, Values, excerpt, identity, line_of, location_path, place_of, refused,
};
use mustdo_plugin::verdict::{Finding, Severity};
use mustdo_plugin::{Failure, Fault, Text};

use crate::count::Counter;

/// Bodies of the control; each is submitted twice, under two keys.
const CONTROL_BODIES: usize = 3;

/// Statuses that tell a duplicate apart from the first: conflict, too early, too many.
const TURNED_AWAY: [u16; 3] = [409, 425, 429];

/// The operation and how its effect is counted.
pub(crate) struct Operation<'check> {
    pub(crate) op: &'check Template,
    /// The header that carries the key, unless the request has `{key}` somewhere.
    pub(crate) header: &'check str,
    pub(crate) counter: Counter,
    pub(crate) advice: Advice,
}

impl Operation<'_> {
    /// Counts the rows that GET on the operation's own collection lists, unless another view is named.
    pub(crate) fn counter(op: &Template, observe: Option<&Template>, how: &str, advice: Advice) -> Counter {
        let view = observe.cloned().unwrap_or_else(|| Template::new("GET", op.collection()));
        Counter::new(view.fill(&Values::default()), how, advice)
    }

    /// Whether the key goes into the header, not into a field.
    pub(crate) fn keyed_by_header(&self) -> bool {
        !self.op.mentions("{key}")
    }

    /// The request with its key.
    pub(crate) fn request(&self, values: &Values) -> Request {
        let request = self.op.fill(values);
        if self.keyed_by_header() { request.header(self.header, values.key.clone()) } else { request }
    }

    /// Submits once under a fresh key: it must be accepted and counted as one.
    pub(crate) fn first(&self, probe: &mut Probe, values: &Values) -> Result<Submitted, Fault> {
        let before = self.counter.before(probe)?;
        let request = self.request(values);
        let response = probe.send(request.clone())?;
        if !is_accepted(&response) {
            return Err(refused(&request, &response, self.advice));
        }
        let count = self.counter.expect(probe, before, 1)?;
        Ok(Submitted { request, response, count })
    }

    /// Submits different things at the same moment; each must be counted. Half of them have a twin with the same
    /// content under another key, which a service that goes by content would take for a duplicate.
    ///
    /// Returns how the service kept up.
    pub(crate) fn control(&self, probe: &mut Probe) -> Result<Pace, Fault> {
        let before = self.counter.before(probe)?;
        let mut batch = Vec::new();
        for body in 0..CONTROL_BODIES {
            let values = Values::fresh(probe.generator());
            let twin = values.with_key(probe.generator().token(20));
            batch.extend([(body, self.request(&values)), (body, self.request(&twin))]);
        }
        probe.generator().shuffle(&mut batch);
        let answers = probe.send_all(batch.iter().map(|(_, request)| request.clone()).collect())?;
        let mut timings = Vec::new();
        let mut resources = BTreeMap::<usize, BTreeSet<Option<String>>>::new();
        for ((body, request), answer) in batch.iter().zip(answers) {
            let response = answer?;
            if !is_accepted(&response) {
                return Err(refused_in_a_crowd(request, &response, self.advice));
            }
            timings.push(response.timing);
            resources.entry(*body).or_default().insert(identity(&response));
        }
        // Twins that were told of the same resource: the service went by their content.
        let merged = resources.values().all(|names| names.len() == 1 && !names.contains(&None));
        let added = batch.len() as u64;
        if merged && self.counter.settled(probe)? == before + CONTROL_BODIES as u64 {
            return Err(by_content(&batch[0].1, added, CONTROL_BODIES as u64));
        }
        self.counter.expect(probe, before, added)?;
        Ok(Pace::of(&timings))
    }

    /// Submits something fresh, which must be counted still. A view that is a page of the rows, not all of them, counts
    /// nothing more when it is full: by then it could have hidden anything.
    pub(crate) fn still_counts(&self, probe: &mut Probe) -> Result<(), Fault> {
        let before = self.counter.before(probe)?;
        let request = self.request(&Values::fresh(probe.generator()));
        let response = probe.send(request.clone())?;
        if !is_accepted(&response) {
            return Err(refused(&request, &response, self.advice));
        }
        let after = self.counter.settled(probe)?;
        if after == before + 1 { Ok(()) } else { Err(self.counter.page(before, after)) }
    }

    /// Judges a race, and blames nothing on a submission that a full page does not show.
    pub(crate) fn happened_once(&self, probe: &mut Probe, race: &Race) -> Result<(), Fault> {
        let outcome = race.happened_once();
        if race.stored_nothing() {
            self.still_counts(probe)?;
        }
        outcome
    }

    /// Sends the same bytes `times` times, `stagger` apart, and counts.
    pub(crate) fn race(
        &self,
        probe: &mut Probe,
        values: &Values,
        times: u32,
        stagger: Duration,
    ) -> Result<Race, Fault> {
        let before = self.counter.before(probe)?;
        let request = self.request(values);
        let batch = (0..times).map(|index| request.clone().after(stagger * index)).collect();
        let answers = probe.send_all(batch)?;
        let after = self.counter.settled(probe)?;
        Ok(Race { request, answers, before, after, advice: self.advice })
    }
}

/// How different submissions that came at the same moment were worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The shortest wait for an answer.
    pub(crate) quickest: Duration,
    /// Each began when the one before was done.
    is_serial: bool,
}

impl Pace {
    fn of(timings: &[Timing]) -> Self {
        let quickest = timings.iter().map(|timing| timing.total).min().unwrap_or_default();
        let mut ends: Vec<_> = timings.iter().map(Timing::ended).collect();
        ends.sort();
        // Work that overlaps ends together; work that waits for its turn ends a whole length of work later.
        let is_serial = ends.is_sorted_by(|end, next| *next >= *end + quickest / 2);
        Self { quickest, is_serial }
    }

    /// Passes when submissions can meet each other running at all.
    pub(crate) fn expect_concurrent(&self) -> Result<(), Fault> {
        if !self.is_serial {
            return Ok(());
        }
        Err(Fault::inconclusive(Text::new(
            "it answers one request at a time, so duplicates never met; start it with several workers or threads",
            "服务一次只处理一个请求，重复的请求根本碰不到一起；请用多个进程或线程启动它",
        )))
    }
}

/// A submission that was accepted and counted.
pub(crate) struct Submitted {
    pub(crate) request: Request,
    pub(crate) response: Response,
    pub(crate) count: u64,
}

/// What came of one request sent many times at once.
pub(crate) struct Race {
    pub(crate) request: Request,
    answers: Vec<Result<Response, Failure>>,
    before: u64,
    pub(crate) after: u64,
    advice: Advice,
}

impl Race {
    /// Whether a copy was accepted, nobody met an error, and yet no row is seen.
    fn stored_nothing(&self) -> bool {
        self.after == self.before
            && self.responses().any(is_accepted)
            && self.responses().all(|response| response.status < 500)
    }

    /// Passes when the effect happened once, someone was told so, and nobody met an error or another resource.
    fn happened_once(&self) -> Result<(), Fault> {
        let added = self.after.saturating_sub(self.before);
        let accepted: Vec<_> = self.responses().filter(|response| is_accepted(response)).collect();
        if added > 1 {
            return Err(self.fault(
                "stored-twice",
                &Text::new(
                    format!("one submission sent {} times was carried out {added} times", self.answers.len()),
                    format!("同一次提交发送 {} 次，执行了 {added} 次", self.answers.len()),
                ),
            ));
        }
        for answer in &self.answers {
            match answer {
                Err(failure) => return Err(Fault::from(failure.clone())),
                Ok(response) if response.status >= 500 => {
                    return Err(self.fault(
                        "duplicate-broke",
                        &Text::new(
                            format!("a duplicate was answered {}", response.status),
                            format!("重复提交返回 {}", response.status),
                        ),
                    ));
                }
                Ok(_) => {}
            }
        }
        let overloaded = self.responses().find(|response| matches!(response.status, 401 | 403 | 429));
        match (added, accepted.is_empty(), overloaded) {
            (0, true, Some(response)) => {
                return Err(refused(&self.request, response, self.advice));
            }
            (0, true, None) => {
                return Err(self.fault(
                    "nobody-accepted",
                    &Text::new(
                        "every copy of a new submission was turned away and nothing was stored",
                        "一次全新的提交，所有副本都被拒绝，什么也没有存下",
                    ),
                ));
            }
            (0, false, _) => {
                return Err(self.fault(
                    "nothing-stored",
                    &Text::new(
                        "the submission was accepted, but nothing was stored",
                        "提交被接受了，但没有存下任何数据",
                    ),
                ));
            }
            (_, true, _) => {
                return Err(self.fault(
                    "nobody-told",
                    &Text::new(
                        "the submission was stored, but every copy of it was turned away",
                        "提交已经存下，但所有副本得到的都是拒绝",
                    ),
                ));
            }
            _ => {}
        }
        let mut names: Vec<_> = accepted.iter().filter_map(|response| identity(response)).collect();
        names.sort();
        names.dedup();
        if names.len() > 1 {
            return Err(self.fault(
                "two-resources",
                &Text::new(
                    format!(
                        "copies of one submission were told of different resources: {}",
                        names.join(", ")
                    ),
                    format!("同一次提交的副本得到了不同的资源：{}", names.join("、")),
                ),
            ));
        }
        Ok(())
    }

    /// Whether most copies were sent before the work was done: otherwise they did not meet it running.
    ///
    /// The work takes at least `work`. What was accepted sooner did none of it: a service may send duplicates to the
    /// resource at once, while the first copy is still at work.
    pub(crate) fn overlapped(&self, work: Duration) -> bool {
        let accepted =
            self.responses().filter(|response| is_accepted(response) && response.timing.total >= work);
        let Some(done) = accepted.map(|response| response.timing.ended()).min() else { return false };
        let begun = self.responses().filter(|response| response.timing.started < done).count();
        begun * 2 > self.answers.len()
    }

    /// Passes when each duplicate was answered in a way that a client understands as "already done" or "under way".
    pub(crate) fn duplicates_understood(&self) -> Result<(), Fault> {
        let odd = self
            .responses()
            .find(|response| !is_accepted(response) && !TURNED_AWAY.contains(&response.status));
        odd.map_or(Ok(()), |response| Err(odd_answer(&self.request, response)))
    }

    /// Passes when each copy that came too early was answered 409; copies that waited for the outcome say nothing.
    pub(crate) fn turned_away_with_conflict(&self) -> Result<(), Fault> {
        let turned: Vec<_> = self
            .responses()
            .filter(|response| !is_accepted(response))
            .map(|response| response.status)
            .collect();
        if turned.is_empty() {
            return Err(Fault::skip(Text::new(
                "no copy was turned away: the service made them wait for the outcome",
                "没有副本被拒绝：服务让它们等到了结果",
            )));
        }
        match turned.iter().find(|status| **status != 409) {
            None => Ok(()),
            Some(status) => Err(Fault::fail(Text::new(
                format!("a copy sent while the first was running was answered {status}; 409 says it plainly"),
                format!("第一次还在执行时，副本返回 {status}；409 更明确"),
            ))),
        }
    }

    /// The resource that the submission made, if an answer names it.
    pub(crate) fn resource(&self) -> Option<String> {
        self.responses().filter(|response| is_accepted(response)).find_map(identity)
    }

    /// Statuses with their numbers, `201 x1, 409 x9`.
    pub(crate) fn statuses(&self) -> String {
        let mut tally = BTreeMap::new();
        for answer in &self.answers {
            let name = answer
                .as_ref()
                .map_or_else(|failure| format!("{failure:?}"), |response| response.status.to_string());
            *tally.entry(name).or_insert(0_u32) += 1;
        }
        tally.iter().map(|(name, times)| format!("{name} x{times}")).collect::<Vec<_>>().join(", ")
    }

    fn responses(&self) -> impl Iterator<Item = &Response> {
        self.answers.iter().filter_map(|answer| answer.as_ref().ok())
    }

    fn fault(&self, code: &str, summary: &Text) -> Fault {
        let (line, statuses) = (line_of(&self.request), self.statuses());
        let (times, before, after) = (self.answers.len(), self.before, self.after);
        let expected = before + 1;
        let message = Text::new(
            format!(
                "sent the same {line} with the same key {times} times at once and got {statuses}; there were {before} rows before and {after} after, where {expected} would be right"
            ),
            format!(
                "用同一个键同时发送 {times} 次 {line}，返回 {statuses}；之前有 {before} 行，之后 {after} 行，应为 {expected} 行"
            ),
        );
        let hint = Text::new(
            "store the key under a unique constraint in the same transaction as the effect, before the work begins, and answer copies with the stored reply or 409",
            "在执行之前，把键写进带唯一约束的表，并与业务写入放在同一个事务里；副本返回已存的结果或 409",
        );
        let finding = Finding::new(Severity::Problem, format!("http-idempotency.{code}"), message);
        Fault::fail(summary.clone()).with(finding.at(place_of(&self.request)).hint(hint))
    }
}

/// Carried out: success, or the redirect after a form post.
pub(crate) fn is_accepted(response: &Response) -> bool {
    response.is_success() || (matches!(response.status, 301..=303) && location_path(response).is_some())
}

fn odd_answer(request: &Request, response: &Response) -> Fault {
    let (line, status) = (line_of(request), response.status);
    Fault::fail(Text::new(
        format!("a duplicate of {line} was answered {status}; a client cannot tell that its work is done"),
        format!("重复的 {line} 返回 {status}；客户端看不出事情已经办成"),
    ))
}

fn refused_in_a_crowd(request: &Request, response: &Response, advice: Advice) -> Fault {
    if response.status < 500 {
        return refused(request, response, advice);
    }
    let (line, status) = (line_of(request), response.status);
    Fault::inconclusive(Text::new(
        format!(
            "{line} was answered {status} when different submissions came at once: {}",
            excerpt(&response.body)
        ),
        format!("几次不同的提交同时到达时，{line} 返回 {status}：{}", excerpt(&response.body)),
    ))
}

fn by_content(request: &Request, sent: u64, stored: u64) -> Fault {
    let line = line_of(request);
    let summary = Text::new(
        "two submissions with the same content under different keys were taken for one",
        "内容相同、键不同的两次提交被当成了一次",
    );
    let message = Text::new(
        format!(
            "sent {line} {sent} times under {sent} different keys, {stored} contents twice each; only {stored} were stored. Two users who order the same thing would get one order"
        ),
        format!(
            "用 {sent} 个不同的键发送了 {sent} 次 {line}，其中 {stored} 种内容各两次；只存下 {stored} 条。两个人买同样的东西，只会有一张订单"
        ),
    );
    let hint = Text::new(
        "recognise a repetition by its key, not by a hash of its body",
        "用键来识别重复，不要用请求内容的哈希",
    );
    let finding = Finding::new(Severity::Problem, "http-idempotency.by-content", message);
    Fault::fail(summary).with(finding.at(place_of(request)).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(millis: [u64; 4], took: u64) -> Pace {
        let timing = |end| Timing {
            started: Duration::from_millis(end - took),
            total: Duration::from_millis(took),
            ..Timing::default()
        };
        Pace::of(&millis.map(timing))
    }

    #[test]
    fn answers_a_length_of_work_apart_are_serial() {
        assert!(ended([900, 300, 600, 1_200], 300).expect_concurrent().is_err());
    }

    #[test]
    fn answers_that_come_together_are_not() {
        assert!(ended([300, 301, 600, 601], 300).expect_concurrent().is_ok());
        assert!(ended([300, 301, 302, 310], 300).expect_concurrent().is_ok());
    }
}
