//! `throttle`: does password guessing become slow or blocked?

use std::time::Duration;

use mustdo_plugin::http::Response;
use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::account::Account;
use crate::advice::problem;
use crate::browser::Browser;
use crate::check::{reach, run, visiting};
use crate::flow::Flow;

const ADVICE: Advice = Advice { item: "challenge.web-security", with: "tries = 40" };

/// The series may take no longer: a slower server throttles by itself, whether it means to or not.
const WINDOW: Duration = Duration::from_mins(1);

/// How long an account may stay shut.
const LOCK: Duration = Duration::from_mins(1);

/// Between two looks whether it is open again.
const PAUSE: Duration = Duration::from_secs(3);

/// Answers that take this many times as long at last, and longer by this, may be slowed down.
const SLOWER: u32 = 2;
const SLOW: Duration = Duration::from_millis(200);

/// A growth that is no accident, whatever its cause.
const GROWTH: u32 = 4;

/// Logins of another user, which show how slow the site is by itself.
const OTHERS: usize = 3;

visiting! {
    /// How people log in.
    pub struct Throttle advised by ADVICE {
        /// Wrong passwords that are sent for one account.
        #[range(10..=200)]
        pub(crate) tries: u32 = 40,
    }
}

impl Check for Throttle {
    const ID: &'static str = "throttle";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Guessing passwords is slowed down", "猜密码会被拖慢或拦住"),
            description: Text::new(
                "Sends wrong passwords for one account as fast as the site answers, each from a fresh browser with another X-Forwarded-For, then the right one. Passes when guessing gets blocked or slow, the account works again within a minute, and others can log in. Slow counts for the account alone: where another user with the right password waits as long, the machine may just be busy.",
                "对一个账号尽快连续发送错误密码，每次都用新浏览器和不同的 X-Forwarded-For，然后发正确的密码。猜测会被拦住或变慢、账号一分钟内恢复、其他用户仍能登录，才算通过。变慢只看这个账号：另一个用户用正确的密码登录也一样慢的话，可能只是机器忙。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(20),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "guessing is stopped, and the user is not locked out for ever",
            "猜测会被拦住，用户也不会被永远锁在外面",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl Throttle {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, victim)| {
            let bystander = flow.member(probe)?;
            Ok((flow, victim.account, bystander.account))
        });
        let (flow, victim, bystander) = report.judge("control", Need::Must, found, |(flow, _, _)| {
            Text::new(
                format!("the right password logs in by {}", flow.login_line()),
                format!("正确的密码能用{}登录", flow.login_line()),
            )
        })?;
        let series = self.guess(probe, &flow, &victim, &bystander);
        let wait = report.judge("guessing", Need::Must, series, |stopped: &Stopped| stopped.words())?;
        let outcome = recovers(probe, &flow, &victim, wait.wait);
        report.judge("recovers", Need::Must, outcome, |took| {
            let seconds = took.as_secs();
            Text::new(
                format!("the account works again after {seconds} s"),
                format!("{seconds} 秒之后账号又能用了"),
            )
        });
        let outcome = enters(probe, &flow, &bystander)
            .and_then(|(inside, status)| if inside { Ok(()) } else { Err(shut_out(&flow, status)) });
        report.judge("others", Need::Must, outcome, |()| {
            Text::new("another user of the same machine logs in", "同一台机器上的其他用户可以登录")
        })
    }

    /// Guesses, and then tries the right password at once.
    fn guess(
        &self,
        probe: &mut Probe,
        flow: &Flow,
        victim: &Account,
        bystander: &Account,
    ) -> Result<Stopped, Fault> {
        let begun = probe.clock();
        let mut times = Vec::new();
        let mut statuses = Vec::new();
        let mut wait = None;
        for _ in 0..self.tries {
            let response = guess_once(probe, flow, victim)?;
            times.push(response.timing.total);
            statuses.push(response.status);
            wait = response
                .header("retry-after")
                .and_then(|value| value.parse().ok())
                .map(Duration::from_secs)
                .or(wait);
            if probe.clock().saturating_sub(begun) > WINDOW {
                break;
            }
        }
        let half = times.len().min(5);
        let (first, last) = (median(&times[..half]), median(&times[times.len() - half..]));
        let count = times.len();
        let is_slower = is_slower(first, last);
        if is_slower && is_slow_alone(probe, flow, victim, bystander)? {
            return Ok(Stopped { statuses, slowed: Some((first, last)), wait });
        }
        let is_slow = is_slower && last >= first * GROWTH;
        if !is_slow && probe.clock().saturating_sub(begun) > WINDOW {
            return Err(Fault::inconclusive(Text::new(
                format!("only {count} wrong logins were answered in a minute, too few to see a limit"),
                format!("一分钟只回应了 {count} 次错误登录，太少，看不出限制"),
            )));
        }
        let (mut inside, _) = enters(probe, flow, victim)?;
        // A pause that the site makes may just have ended: then the right password comes right behind a refusal.
        let ordinary = statuses[0];
        let is_refusal = |status: u16| matches!(status, 403 | 423 | 429) && status != ordinary;
        if inside && statuses.iter().copied().any(is_refusal) {
            for _ in 0..self.tries {
                if is_refusal(guess_once(probe, flow, victim)?.status) {
                    (inside, _) = enters(probe, flow, victim)?;
                    break;
                }
            }
        }
        if !inside {
            return Ok(Stopped { statuses, slowed: None, wait });
        }
        if is_slow {
            return Err(slow_for_all(first, last));
        }
        let line = flow.login_line();
        let seen: std::collections::BTreeSet<u16> = statuses.iter().copied().collect();
        let summary = Text::new(
            format!("after {count} wrong passwords the right one is taken at once: nothing stops guessing"),
            format!("连续 {count} 个错误密码之后，正确的密码立刻可用：没有任何限制"),
        );
        let message = Text::new(
            format!(
                "sent {count} wrong passwords for one account by {line}, from fresh browsers with changing X-Forwarded-For (answers: {seen:?}; {} ms at first, {} ms at last), then the right one, which logged in",
                first.as_millis(),
                last.as_millis()
            ),
            format!(
                "对一个账号用{line}连续发送 {count} 个错误密码，每次换浏览器和 X-Forwarded-For（回应 {seen:?}；开始 {} 毫秒，最后 {} 毫秒），随后正确的密码登录成功",
                first.as_millis(),
                last.as_millis()
            ),
        );
        let hint = Text::new(
            "count wrong passwords by account and by the connection's own address, on the server, and answer 429 with Retry-After for some seconds once there are too many",
            "在服务器端按账号和连接的真实地址统计错误次数，太多时在几秒到一分钟内返回 429 和 Retry-After",
        );
        Err(Fault::fail(summary).with(problem("web-security.no-throttle", &line, message, hint)))
    }
}

/// How guessing was stopped.
struct Stopped {
    statuses: Vec<u16>,
    slowed: Option<(Duration, Duration)>,
    wait: Option<Duration>,
}

impl Stopped {
    fn words(&self) -> Text {
        let count = self.statuses.len();
        if let Some((first, last)) = self.slowed {
            let (first, last) = (first.as_millis(), last.as_millis());
            return Text::new(
                format!("the answers slow down from {first} to {last} ms"),
                format!("回应从 {first} 毫秒拖慢到 {last} 毫秒"),
            );
        }
        match self.statuses.iter().position(|status| matches!(status, 403 | 423 | 429)) {
            Some(place) => Text::new(
                format!("wrong password {} is answered {}", place + 1, self.statuses[place]),
                format!("第 {} 个错误密码得到 {}", place + 1, self.statuses[place]),
            ),
            None => Text::new(
                format!("after {count} wrong passwords the account is shut for a while"),
                format!("{count} 个错误密码之后，账号暂时关闭"),
            ),
        }
    }
}

/// An address that nobody has (RFC 5737).
fn address(probe: &mut Probe) -> String {
    format!("203.0.113.{}", probe.generator().number(1..255))
}

/// Sends a wrong password that was never sent before, from what claims to be another address each time.
fn guess_once(probe: &mut Probe, flow: &Flow, victim: &Account) -> Result<Response, Fault> {
    let wrong = probe.generator().token(14);
    let mut browser = Browser::default();
    let request = flow.login_request(probe, &mut browser, &victim.with_password(wrong))?;
    let request = request.header("X-Forwarded-For", address(probe));
    Ok(browser.send(probe, request)?)
}

/// Whether guessing at this account is slow, and not the whole site: in turn with logins of another user, whose password
/// is hashed as well.
fn is_slow_alone(
    probe: &mut Probe,
    flow: &Flow,
    victim: &Account,
    bystander: &Account,
) -> Result<bool, Fault> {
    let (mut own, mut other) = (Duration::MAX, Duration::MAX);
    for _ in 0..OTHERS {
        // The shortest: a busy machine makes answers longer, and never shorter.
        own = own.min(guess_once(probe, flow, victim)?.timing.total);
        let mut browser = Browser::default();
        let request = flow.login_request(probe, &mut browser, bystander)?;
        other = other.min(browser.send(probe, request)?.timing.total);
    }
    Ok(is_slower(other, own))
}

fn is_slower(before: Duration, now: Duration) -> bool {
    now >= before.saturating_mul(SLOWER) && now.saturating_sub(before) >= SLOW
}

fn slow_for_all(first: Duration, last: Duration) -> Fault {
    let (first, last) = (first.as_millis(), last.as_millis());
    Fault::inconclusive(Text::new(
        format!(
            "the answers slow down from {first} to {last} ms, and so they do for another user with the right password: it cannot be told whether you slow guessing down or the machine is busy; slow it down by account, or answer 429"
        ),
        format!(
            "回应从 {first} 毫秒拖慢到 {last} 毫秒，另一个用户用正确的密码登录也一样慢：看不出是在拖慢猜测，还是机器忙；请按账号拖慢，或返回 429"
        ),
    ))
}

/// Whether this account logs in now, and what it was answered. A 429 is not waited for.
fn enters(probe: &mut Probe, flow: &Flow, account: &Account) -> Result<(bool, u16), Fault> {
    let mut browser = Browser::default();
    let request = flow.login_request(probe, &mut browser, account)?;
    let visit = browser.visit(probe, request)?;
    browser.bearer = crate::flow::bearer(&visit.response);
    Ok((flow.sees(probe, &mut browser, &account.name)?, visit.first))
}

/// Waits until the right password works again.
fn recovers(
    probe: &mut Probe,
    flow: &Flow,
    victim: &Account,
    wait: Option<Duration>,
) -> Result<Duration, Fault> {
    let begun = probe.clock();
    if let Some(wait) = wait.filter(|wait| *wait > LOCK) {
        return Err(shut(flow, wait));
    }
    probe.sleep(wait.unwrap_or_default());
    loop {
        let (inside, _) = enters(probe, flow, victim)?;
        let took = probe.clock().saturating_sub(begun);
        if inside {
            return Ok(took);
        }
        if took > LOCK {
            return Err(shut(flow, took));
        }
        if !probe.has_time(PAUSE) {
            return Err(Fault::inconclusive(Text::new(
                "there is no time left to see whether the account opens again",
                "时间不够，看不到账号是否恢复",
            )));
        }
        probe.sleep(PAUSE);
    }
}

fn shut(flow: &Flow, time: Duration) -> Fault {
    let seconds = time.as_secs();
    let line = flow.login_line();
    let summary = Text::new(
        format!("wrong passwords shut the account for {seconds} s or longer"),
        format!("错误密码会把账号锁上 {seconds} 秒甚至更久"),
    );
    let message = Text::new(
        format!(
            "after the wrong passwords, {line} did not take the right one again within a minute. Anybody can shut out any user that way"
        ),
        format!("一串错误密码之后，{line}一分钟内都不接受正确的密码。这样谁都能把任何用户锁在外面"),
    );
    let hint = Text::new(
        "shut the account for some seconds, longer with each series, and never for ever",
        "只锁几秒，连续出错再逐步加长，不要永久锁定",
    );
    Fault::fail(summary).with(problem("web-security.locked-out", &line, message, hint))
}

fn shut_out(flow: &Flow, status: u16) -> Fault {
    let line = flow.login_line();
    let summary = Text::new(
        "wrong passwords for one account shut out another user",
        "对一个账号猜密码，把其他用户也锁在外面",
    );
    let message = Text::new(
        format!(
            "after the series another user logged in by {line} with the right password and was answered {status}"
        ),
        format!("之后另一个用户用正确的密码通过{line}登录，返回 {status}"),
    );
    let hint = Text::new(
        "count by account as well as by address, and let go after a while",
        "按账号也按地址统计，并在一段时间后放行",
    );
    Fault::fail(summary).with(problem("web-security.others-locked-out", &line, message, hint))
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
