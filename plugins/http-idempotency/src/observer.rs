//! The second path: what the service shows of its state, read so that a blind, lagging or restless view is noticed.

use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{Advice, Probe, excerpt, line_of, place_of, refused};
use mustdo_plugin::verdict::{Finding, Severity};
use mustdo_plugin::{Fault, Text};

use crate::observation::{Moving, Observation, Stability};

/// How long a write may take to be shown before the view counts as blind.
const LAG: Duration = Duration::from_secs(3);

/// The wait after which a state that should not have changed is read once more.
pub(crate) const SETTLE: Duration = Duration::from_millis(200);

/// Reads at once. Workers that each hold rows of their own disagree, and several reads meet several workers.
const READS: usize = 4;

/// Clocks and counters of whole seconds move within this time.
pub(crate) const TICK: Duration = Duration::from_millis(1_100);

/// Requests whose answers, together, are the state.
pub(crate) struct Observer {
    views: Vec<Request>,
    moving: Moving,
    advice: Advice,
}

impl Observer {
    /// `volatile` names fields that never count.
    pub(crate) fn new(view: Request, volatile: &[String], advice: Advice) -> Self {
        Self { views: vec![view], moving: Moving::declared(volatile), advice }
    }

    /// Looks at one more thing from now on, if it is not looked at yet.
    pub(crate) fn add(&mut self, view: Request) {
        if !self.views.contains(&view) {
            self.views.push(view);
        }
    }

    /// Where the state is looked at, for a message.
    pub(crate) fn line(&self) -> String {
        self.views.first().map(line_of).unwrap_or_default()
    }

    /// Reads the state.
    pub(crate) fn look(&self, probe: &mut Probe) -> Result<Observation, Fault> {
        let mut seen = Vec::new();
        for view in &self.views {
            let response = probe.send(view.clone())?;
            let body = body_of(view, &response, self.advice)?;
            seen.push((line_of(view), response.status, body));
        }
        Ok(Observation::new(seen))
    }

    /// Reads the state several times at once.
    fn look_at_once(&self, probe: &mut Probe) -> Result<Vec<Observation>, Fault> {
        let batch = self.views.iter().flat_map(|view| vec![view.clone(); READS]).collect();
        let mut answers = probe.send_all(batch)?.into_iter();
        let mut looks = vec![Vec::new(); READS];
        for view in &self.views {
            for (look, answer) in looks.iter_mut().zip(answers.by_ref()) {
                let response = answer?;
                let body = body_of(view, &response, self.advice)?;
                look.push((line_of(view), response.status, body));
            }
        }
        Ok(looks.into_iter().map(Observation::new).collect())
    }

    /// Reads the state twice, learns what moves by itself, and returns the second look.
    pub(crate) fn settle(&mut self, probe: &mut Probe) -> Result<Observation, Fault> {
        let first = self.look(probe)?;
        let second = self.look(probe)?;
        match self.moving.learn(&first, &second) {
            Stability::Steady => Ok(second),
            Stability::Unsteady => Err(self.unsteady()),
        }
    }

    /// A number that rose by the same amount from look to look, with nothing written between: a counter of reads.
    pub(crate) fn counter_of_reads(&self, looks: &[Observation; 3]) -> Option<String> {
        let first = self.moving.rising(&looks[0], &looks[1]);
        let second = self.moving.rising(&looks[1], &looks[2]);
        first.intersection(&second).next().map(|(path, _)| path.clone())
    }

    /// The positive control: a write that must be shown, by a token that only it contains.
    pub(crate) fn expect_shown(&self, probe: &mut Probe, token: &str) -> Result<Observation, Fault> {
        match self.await_view(probe, |seen| seen.shows(token))? {
            Awaited::AtOnce(seen) => Ok(seen),
            Awaited::Late(waited) => Err(self.lagging(waited)),
            Awaited::Never(seen) => Err(self.blind(&seen)),
        }
    }

    /// The other positive control: a DELETE after which a token must be gone.
    pub(crate) fn expect_gone(
        &self,
        probe: &mut Probe,
        delete: &Request,
        token: &str,
        before: &Observation,
    ) -> Result<Observation, Fault> {
        let seen = match self.await_view(probe, |seen| !seen.shows(token))? {
            Awaited::AtOnce(seen) => return Ok(seen),
            Awaited::Late(waited) => return Err(self.lagging(waited)),
            Awaited::Never(seen) => seen,
        };
        let (line, view) = (line_of(delete), self.line());
        if before.difference(&seen, &self.moving).is_empty() {
            let summary = Text::new(
                format!("{line} was answered as done, yet {view} still shows the row"),
                format!("{line} 返回成功，但 {view} 里数据还在"),
            );
            let message = Text::new(
                format!("sent {line}, it was answered with success; then read {view}: nothing has changed"),
                format!("发送 {line}，返回成功；再读 {view}：什么都没变"),
            );
            let hint = Text::new(
                "make DELETE remove the row, or answer 202 and say so when it is removed later",
                "让 DELETE 真正删除数据；若是稍后才删，请返回 202",
            );
            let finding = Finding::new(Severity::Problem, "http-idempotency.delete-kept", message);
            return Err(Fault::fail(summary).with(finding.at(place_of(delete)).hint(hint)));
        }
        Err(Fault::inconclusive(Text::new(
            format!("{view} still shows the deleted row, changed; name a view that leaves deleted rows out"),
            format!("{view} 里还能看到被标记删除的数据；请指定一个不含已删除数据的视图"),
        )))
    }

    /// Waits for a view that shows a write. One that lags could hide a second effect as well: the wait only tells why
    /// nothing can be judged.
    fn await_view(&self, probe: &mut Probe, holds: impl Fn(&Observation) -> bool) -> Result<Awaited, Fault> {
        let seen = self.look(probe)?;
        if holds(&seen) {
            return Ok(Awaited::AtOnce(seen));
        }
        let mut waited = Duration::ZERO;
        while waited < LAG && probe.has_time(SETTLE) {
            probe.sleep(SETTLE);
            waited += SETTLE;
            if holds(&self.look(probe)?) {
                return Ok(Awaited::Late(waited));
            }
        }
        Ok(Awaited::Never(seen))
    }

    /// Whether two looks show the same state.
    pub(crate) fn is_same(&self, before: &Observation, after: &Observation) -> bool {
        before.difference(after, &self.moving).is_empty()
    }

    /// The control of the comparison itself: what a write has changed must be among what is compared.
    pub(crate) fn expect_compared(&self, before: &Observation, after: &Observation) -> Result<(), Fault> {
        if !self.is_same(before, after) {
            return Ok(());
        }
        let line = self.line();
        let summary = Text::new(
            format!(
                "what a write changes in {line} is left out of the comparison; name a JSON view in `observe`"
            ),
            format!("{line} 里写入所改变的部分没有参与比较；请用 observe 指定一个 JSON 视图"),
        );
        let message = Text::new(
            format!(
                "a write shows in {line}, but only where values move by themselves from read to read, or are declared not to count; any other effect could hide there too"
            ),
            format!(
                "写入在 {line} 里看得到，但只出现在每次读取都会变、或已声明不计的地方；别的副作用也可能藏在那里"
            ),
        );
        Err(self.fault(summary, message))
    }

    /// Paths that changed although nothing should have; empty when the state is the same, also after a `wait`.
    pub(crate) fn changes(
        &self,
        probe: &mut Probe,
        before: &Observation,
        wait: Duration,
    ) -> Result<Vec<String>, Fault> {
        let mut after = self.look(probe)?;
        if self.is_same(before, &after) {
            probe.sleep(wait);
            after = self.look(probe)?;
        }
        let changed = before.difference(&after, &self.moving);
        if changed.is_empty() {
            return Ok(changed);
        }
        // Before blaming the service: do all readers see the same, and does it stand still now?
        let looks = self.look_at_once(probe)?;
        if looks.iter().any(|look| !self.is_same(&looks[0], look)) {
            return Err(self.disagree());
        }
        probe.sleep(TICK);
        let later = self.look(probe)?;
        let moving = after.difference(&later, &self.moving);
        match changed.iter().find(|path| moving.contains(path)) {
            Some(path) => Err(self.restless(path)),
            None => Ok(changed),
        }
    }

    /// What the deletion of one row changed in the page of another.
    pub(crate) fn changes_at(
        &self,
        view: &Request,
        before: &Observation,
        after: &Observation,
    ) -> Vec<String> {
        let prefix = format!("/{}/", line_of(view));
        let changed = before.difference(after, &self.moving);
        changed.into_iter().filter(|path| path.starts_with(&prefix)).collect()
    }

    fn disagree(&self) -> Fault {
        let line = self.line();
        let summary = Text::new(
            format!("{line} shows another state to every reader, so an effect cannot be told from noise"),
            format!("同一时刻读 {line}，看到的各不相同，分不清是不是副作用"),
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
        self.fault_with(summary, message, hint)
    }

    /// A change that goes on without a request is not the doing of one.
    fn restless(&self, path: &str) -> Fault {
        let (view, below) = path.split_once("/body").unwrap_or((path, ""));
        let view = view.strip_prefix('/').unwrap_or(view);
        let Some(field) = below.rsplit('/').find(|part| !part.is_empty() && *part != "*") else {
            return self.unsteady();
        };
        let summary = Text::new(
            format!(
                "{field} in {view} keeps changing after the last request, so an effect cannot be told from noise"
            ),
            format!("最后一个请求之后，{view} 里的 {field} 还在变，分不清是不是副作用"),
        );
        let millis = TICK.as_millis();
        let message = Text::new(
            format!(
                "{path} differed from the state before, and differed again {millis} ms later with no write between"
            ),
            format!("{path} 和之前的状态不同；{millis} 毫秒后，中间没有写，又变了"),
        );
        let hint = Text::new(
            format!(
                "if it only tells the time or counts on its own, name it: volatile = [\"{field}\"]; else let the work be done before the answer is sent"
            ),
            format!(
                "如果它只是时间或自己会变的计数，请写明：volatile = [\"{field}\"]；否则请先做完工作再返回"
            ),
        );
        self.fault_with(summary, message, hint)
    }

    fn blind(&self, seen: &Observation) -> Fault {
        let line = self.line();
        let body = excerpt(seen.to_string().as_bytes());
        let summary = Text::new(
            format!("{line} does not show what was written, so nothing can be judged through it"),
            format!("{line} 看不到写入的内容，因此无法判定"),
        );
        let message = Text::new(
            format!("wrote a fresh value and then read {line}: the value is not there. It showed: {body}"),
            format!("写入了一个全新的值，再读 {line}：里面没有。看到的是：{body}"),
        );
        self.fault(summary, message)
    }

    fn lagging(&self, after: Duration) -> Fault {
        let (line, millis) = (self.line(), after.as_millis());
        let summary = Text::new(
            format!("{line} shows a write only {millis} ms later, so a second effect could hide"),
            format!("{line} 在写入 {millis} 毫秒后才更新，重复的副作用可能被掩盖"),
        );
        let message = Text::new(
            format!(
                "the answer to a write had come, yet {line} still showed the old state; {millis} ms later it showed the new one"
            ),
            format!("写请求已经返回，{line} 却还是旧状态；{millis} 毫秒后才变"),
        );
        self.fault(summary, message)
    }

    /// There is no state to compare.
    pub(crate) fn unsteady(&self) -> Fault {
        let line = self.line();
        let summary = Text::new(
            format!("{line} changes by itself, so an effect cannot be told from noise"),
            format!("{line} 自己就在变，分不清是不是副作用"),
        );
        let message = Text::new(
            format!("read {line} several times with no write between: rows or fields came or went"),
            format!("连续读了几次 {line}，中间没有写：行或字段却变了"),
        );
        self.fault(summary, message)
    }

    fn fault(&self, summary: Text, message: Text) -> Fault {
        let hint = self.advice.hint(
            "point the check at a path that shows the stored rows at once, for example:",
            "请指定一个能立即看到已存数据的路径，例如：",
        );
        self.fault_with(summary, message, hint)
    }

    fn fault_with(&self, summary: Text, message: Text, hint: Text) -> Fault {
        let finding = Finding::new(Severity::Warning, "http-idempotency.observer", message).hint(hint);
        let finding = match self.views.first() {
            Some(view) => finding.at(place_of(view)),
            None => finding,
        };
        Fault::inconclusive(summary).with(finding)
    }
}

/// When a view showed what was waited for.
enum Awaited {
    AtOnce(Observation),
    Late(Duration),
    Never(Observation),
}

/// The body that a look shows. "Not there" is a state too; any other refusal is not.
pub(crate) fn body_of(
    view: &Request,
    response: &Response,
    advice: Advice,
) -> Result<serde_json::Value, Fault> {
    if matches!(response.status, 404 | 410) {
        return Ok(serde_json::Value::Null);
    }
    if !response.is_success() {
        return Err(refused(view, response, advice));
    }
    if response.truncated {
        let line = line_of(view);
        return Err(Fault::inconclusive(Text::new(
            format!("{line} is longer than 1 MiB; name a shorter view"),
            format!("{line} 的内容超过 1 MiB；请换一个更短的视图"),
        )));
    }
    Ok(response.json().unwrap_or_else(|| Observation::lines(&response.text())))
}
