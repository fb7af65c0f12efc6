//! `dns-round-robin`: does the name server rotate the addresses?

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use mustdo_plugin::statistics::Spread;
use mustdo_plugin::tcp;
use mustdo_plugin::udp::Socket;
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters,
};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use crate::trouble::{excerpt, told};

const TARGET: &str = "dns";
const STREAM: &str = "dns-tcp";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a question is asked before it counts as not answered.
const TRIES: usize = 3;

/// A balanced server is called unbalanced once in so many times; it is asked twice before that is believed.
const ALPHA: f64 = 1e-4;

/// The longest time that a client may keep an answer, in seconds: until then it stays with one address.
const LONGEST: u32 = 300;

parameters! {
    /// What is asked.
    pub struct DnsRoundRobin {
        /// The name that stands for several addresses, such as "www.shop.test".
        name: String = String::new(),
        /// All its IPv4 addresses. Empty: those of the first answer.
        addresses: Vec<String> = Vec::new(),
        /// How often it is asked for.
        #[range(30..=2000)]
        queries: u32 = 60,
    }
}

impl Check for DnsRoundRobin {
    const ID: &'static str = "dns-round-robin";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("DNS rotates the addresses of a name", "DNS 轮流给出一个名字的多个地址"),
            description: Text::new(
                "Asks 60 times for the addresses of `name`: each answer must hold the whole set, each address must come first about equally often (RFC 1794; chi-square at 1e-4, asked twice before it fails), and the TTL must be 1 to 300 seconds. An unknown name, AAAA and, where target `dns-tcp` is bound, the same over TCP cost score. Bind the udp target `dns` to your name server and set `name`.",
                "查询 `name` 的地址 60 次：每个回答都要包含全部地址，每个地址排在第一的次数要大致相同（RFC 1794；卡方检验，水平 1e-4，失败前会再查一轮），TTL 为 1 到 300 秒。未知的名字、AAAA，以及绑定了目标 `dns-tcp` 时经 TCP 的同样查询，只影响得分。请把 udp 目标 `dns` 绑定到你的域名服务器，并设置 `name`。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Udp(TARGET.to_owned()),
                    reason: "to ask your name server for addresses".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Tcp(STREAM.to_owned()),
                    reason: "to ask your name server the same over TCP".to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "every address comes first equally often",
            "每个地址排在第一的次数大致相同",
        ));
        self.judge(context, &mut report);
        report
    }
}

/// An answer, as far as it counts here.
struct Answer {
    code: RCODE,
    /// In the order they came.
    addresses: Vec<Ipv4Addr>,
    /// The shortest and the longest time to live, in seconds.
    lives: Option<(u32, u32)>,
}

/// Why an answer is none.
enum Wrong {
    /// Not a DNS message.
    Garbage(Vec<u8>),
    /// A message, but not the answer to this question; says what differs.
    Foreign(String),
    /// The host's.
    Host(Failure),
}

impl DnsRoundRobin {
    fn judge(&self, context: &mut Context<'_>, report: &mut Report) -> Option<()> {
        let outcome = self.first_answer(context);
        let (socket, first) = report.judge("answers", Need::Must, outcome, |(_, first)| {
            Text::new(format!("the name has the addresses {first:?}"), format!("这个名字有地址 {first:?}"))
        })?;
        let outcome = self.rotation(context, &socket, &first);
        report.judge("rotates", Need::Must, outcome, |counts| {
            Text::new(format!("first in the answer: {counts:?} times"), format!("排在第一的次数：{counts:?}"))
        });
        let outcome = self.unknown(context, &socket);
        report.judge("unknown-name", Need::Should, outcome, |()| {
            Text::new("a name that does not exist is NXDOMAIN", "不存在的名字返回 NXDOMAIN")
        });
        let outcome = self.no_ipv6(context, &socket);
        report.judge("other-type", Need::Should, outcome, |()| {
            Text::new("AAAA of the name is answered without an error", "查询 AAAA 没有报错")
        });
        let outcome = self.over_tcp(context, &first);
        report.judge("over-tcp", Need::Should, outcome, |()| {
            Text::new("the same addresses come over TCP", "经 TCP 得到同样的地址")
        })
    }

    /// The set that counts from here on: at least two addresses, and those declared, if any are.
    fn first_answer(&self, context: &mut Context<'_>) -> Result<(Socket, BTreeSet<Ipv4Addr>), Fault> {
        if Name::new(&self.name).is_err() || self.name.is_empty() {
            return Err(Fault::inconclusive(Text::new(
                "say which name to ask for: `with = { name = \"www.shop.test\" }` under this item in mustdo.toml",
                "请写明要查询的名字：在 mustdo.toml 里给这一项加上 `with = { name = \"www.shop.test\" }`",
            )));
        }
        let declared: Result<BTreeSet<Ipv4Addr>, _> =
            self.addresses.iter().map(|address| address.parse()).collect();
        let Ok(declared) = declared else {
            return Err(Fault::inconclusive(Text::new(
                format!("`addresses` are IPv4 addresses, {:?} are not", self.addresses),
                format!("addresses 应该是 IPv4 地址，{:?} 不是", self.addresses),
            )));
        };
        let socket = context.udp(TARGET, None)?;
        let answer =
            Self::ask(context, &socket, &self.name, TYPE::A).map_err(|wrong| self.stranger(wrong))?;
        let seen: BTreeSet<Ipv4Addr> = answer.addresses.iter().copied().collect();
        if seen.is_empty() {
            return Err(Fault::inconclusive(Text::new(
                format!("{} has no address there ({:?}); is it the right name?", self.name, answer.code),
                format!("那里没有 {} 的地址（{:?}）；名字写对了吗？", self.name, answer.code),
            )));
        }
        if !declared.is_empty() && seen != declared {
            return Err(self.failed(
                "dns-set",
                &Text::new(
                    format!("{seen:?} came, {declared:?} are declared"),
                    format!("得到 {seen:?}，声明的是 {declared:?}"),
                ),
            ));
        }
        if seen.len() < 2 {
            return Err(
                self.failed("dns-set", &Text::new(format!("only {seen:?} came"), format!("只得到 {seen:?}")))
            );
        }
        Ok((socket, seen))
    }

    /// How often each address came first, in the order of the addresses.
    fn rotation(
        &self,
        context: &mut Context<'_>,
        socket: &Socket,
        set: &BTreeSet<Ipv4Addr>,
    ) -> Result<Vec<u32>, Fault> {
        // A second look with twice the sample: false alarms are rarer than one in a hundred million.
        let counts = self.count(context, socket, set, self.queries)?;
        if is_even(&counts) {
            return Ok(counts);
        }
        let counts = self.count(context, socket, set, 2 * self.queries)?;
        if is_even(&counts) {
            return Ok(counts);
        }
        let came = Text::new(
            format!("asked {} times, {set:?} came first {counts:?} times", 2 * self.queries),
            format!("查询 {} 次，{set:?} 排在第一的次数是 {counts:?}", 2 * self.queries),
        );
        Err(self.failed("dns-not-rotated", &came))
    }

    fn count(
        &self,
        context: &mut Context<'_>,
        socket: &Socket,
        set: &BTreeSet<Ipv4Addr>,
        queries: u32,
    ) -> Result<Vec<u32>, Fault> {
        let mut counts = vec![0; set.len()];
        for _ in 0..queries {
            let answer =
                Self::ask(context, socket, &self.name, TYPE::A).map_err(|wrong| self.wrong(wrong))?;
            let seen: BTreeSet<Ipv4Addr> = answer.addresses.iter().copied().collect();
            if seen != *set || answer.addresses.len() != set.len() {
                let came = Text::new(
                    format!("{:?} came, {set:?} before", answer.addresses),
                    format!("得到 {:?}，之前是 {set:?}", answer.addresses),
                );
                return Err(self.failed("dns-set", &came));
            }
            let (shortest, longest) = answer.lives.unwrap_or_default();
            if shortest == 0 || longest > LONGEST {
                let came = Text::new(
                    format!(
                        "the answer may be kept for {shortest} to {longest} s; 1 to {LONGEST} let clients move on"
                    ),
                    format!("回答可以保留 {shortest} 到 {longest} 秒；1 到 {LONGEST} 秒客户端才会换地址"),
                );
                return Err(self.failed("dns-ttl", &came));
            }
            let place = set.iter().position(|address| answer.addresses.first() == Some(address));
            counts[place.unwrap_or_default()] += 1;
        }
        Ok(counts)
    }

    fn unknown(&self, context: &mut Context<'_>, socket: &Socket) -> Result<(), Fault> {
        let parent = self.name.split_once('.').map_or(self.name.as_str(), |(_, parent)| parent);
        let name = format!("{}.{parent}", context.generator().token(12));
        let answer = Self::ask(context, socket, &name, TYPE::A).map_err(|wrong| self.wrong(wrong))?;
        if answer.code == RCODE::NameError {
            return Ok(());
        }
        let came = Text::new(
            format!("{name} does not exist, and was answered {:?} with {:?}", answer.code, answer.addresses),
            format!("{name} 不存在，回答却是 {:?}，地址 {:?}", answer.code, answer.addresses),
        );
        Err(self.failed("dns-unknown-name", &came))
    }

    /// A name that exists has no records of another type, and that is no error (RFC 2308 2.2, RFC 4074).
    fn no_ipv6(&self, context: &mut Context<'_>, socket: &Socket) -> Result<(), Fault> {
        let answer = Self::ask(context, socket, &self.name, TYPE::AAAA).map_err(|wrong| self.wrong(wrong))?;
        if answer.code == RCODE::NoError {
            return Ok(());
        }
        let came = Text::new(
            format!(
                "AAAA of {} was answered {:?}: clients take that for the whole name",
                self.name, answer.code
            ),
            format!("查询 {} 的 AAAA 返回 {:?}：客户端会以为整个名字都不存在", self.name, answer.code),
        );
        Err(self.failed("dns-other-type", &came))
    }

    fn over_tcp(&self, context: &mut Context<'_>, set: &BTreeSet<Ipv4Addr>) -> Result<(), Fault> {
        if !context.has_target(STREAM) {
            return Err(Fault::skip(Text::new(
                format!("bind the tcp target `{STREAM}` to the same server, to ask over TCP as well"),
                format!("把 tcp 目标 `{STREAM}` 绑定到同一个服务器，才会经 TCP 再问一次"),
            )));
        }
        let (id, query) = query(context, &self.name, TYPE::A).map_err(|wrong| self.wrong(wrong))?;
        let options = tcp::Options { no_delay: true, timeout: PATIENCE, ..tcp::Options::default() };
        let connection = context.tcp(STREAM, &options)?;
        // Two bytes of length stand in front of a message (RFC 1035 4.2.2).
        let length = u16::try_from(query.len()).unwrap_or(u16::MAX).to_be_bytes();
        connection.send(&[&length[..], &query].concat())?;
        let mut heard = Vec::new();
        while heard.len() < 2 || heard.len() < 2 + usize::from(u16::from_be_bytes([heard[0], heard[1]])) {
            let more = connection.receive(4_096)?;
            if more.is_empty() {
                break;
            }
            heard.extend(more);
        }
        let answer =
            read(heard.get(2..).unwrap_or_default(), id, &self.name).map_err(|wrong| self.wrong(wrong))?;
        let seen: BTreeSet<Ipv4Addr> = answer.addresses.into_iter().collect();
        if seen == *set {
            return Ok(());
        }
        let came = Text::new(
            format!("over TCP came {seen:?}, over UDP {set:?}"),
            format!("经 TCP 得到 {seen:?}，经 UDP 得到 {set:?}"),
        );
        Err(self.failed("dns-over-tcp", &came))
    }

    /// One question, again where the answer is lost.
    fn ask(context: &mut Context<'_>, socket: &Socket, name: &str, kind: TYPE) -> Result<Answer, Wrong> {
        let mut last = Failure::TimedOut;
        for _ in 0..TRIES {
            let (id, query) = query(context, name, kind)?;
            socket.send(&query).map_err(Wrong::Host)?;
            match socket.receive(PATIENCE) {
                Ok(reply) => return read(&reply, id, name),
                Err(failure) => last = failure,
            }
        }
        Err(Wrong::Host(last))
    }

    /// What was no answer, before one was seen.
    fn stranger(&self, wrong: Wrong) -> Fault {
        match &wrong {
            Wrong::Garbage(bytes) => Fault::inconclusive(Text::new(
                format!(
                    "{} came, which is no DNS message: bind target `{TARGET}` to your name server",
                    excerpt(bytes)
                ),
                format!("收到 {}，不是 DNS 消息：请把目标 `{TARGET}` 绑定到你的域名服务器", excerpt(bytes)),
            )),
            Wrong::Host(Failure::TimedOut) => Fault::inconclusive(Text::new(
                format!("no answer to {TRIES} questions: does a name server run at target `{TARGET}`?"),
                format!("{TRIES} 次查询都没有回答：目标 `{TARGET}` 上有域名服务器在运行吗？"),
            )),
            Wrong::Foreign(_) | Wrong::Host(_) => self.wrong(wrong),
        }
    }

    fn wrong(&self, wrong: Wrong) -> Fault {
        match wrong {
            Wrong::Host(failure) => failure.into(),
            Wrong::Garbage(bytes) => {
                let bytes = excerpt(&bytes);
                let came = Text::new(
                    format!("{bytes} came, which is no DNS message"),
                    format!("收到 {bytes}，不是 DNS 消息"),
                );
                self.failed("dns-garbage", &came)
            }
            Wrong::Foreign(what) => {
                let came = Text::new(
                    format!("the answer is not to this question: {what}"),
                    format!("回答的不是这个问题：{what}"),
                );
                self.failed("dns-foreign", &came)
            }
        }
    }

    fn failed(&self, code: &str, came: &Text) -> Fault {
        let sent = Text::new(format!("asked for {}", self.name), format!("查询 {}", self.name));
        let hint = Text::new(
            "give the name one A record for each address, a TTL of 60 seconds or so, and let the server rotate them (dnsmasq: several `host-record` lines; BIND: `rrset-order { order cyclic; }`)",
            "给这个名字的每个地址写一条 A 记录，TTL 约 60 秒，并让服务器轮换顺序（dnsmasq：多行 `host-record`；BIND：`rrset-order { order cyclic; }`）",
        );
        let finding = Finding::new(Severity::Problem, format!("net.{code}"), told(&sent, came))
            .at(Location::Endpoint(TARGET.to_owned()))
            .hint(hint);
        Fault::fail(came.clone()).with(finding)
    }
}

fn is_even(counts: &[u32]) -> bool {
    counts.iter().all(|count| *count > 0) && Spread::even(counts).is_ok_and(|spread| spread.p_value >= ALPHA)
}

/// A question with an id from the seed, its letters in random case: servers give them back as they are.
fn query(context: &mut Context<'_>, name: &str, kind: TYPE) -> Result<(u16, Vec<u8>), Wrong> {
    let id = u16::try_from(context.generator().number(0..1 << 16)).unwrap_or_default();
    let mixed: String = name
        .chars()
        .map(
            |letter| if context.generator().number(0..2) == 0 { letter.to_ascii_uppercase() } else { letter },
        )
        .collect();
    let unsaid = |error: simple_dns::SimpleDnsError| Wrong::Host(Failure::Other(error.to_string()));
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(&mixed).map_err(unsaid)?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    Ok((id, packet.build_bytes_vec().map_err(unsaid)?))
}

fn read(bytes: &[u8], id: u16, name: &str) -> Result<Answer, Wrong> {
    let packet = Packet::parse(bytes).map_err(|_| Wrong::Garbage(bytes.to_vec()))?;
    if !packet.has_flags(PacketFlag::RESPONSE) {
        return Err(Wrong::Garbage(bytes.to_vec()));
    }
    if packet.id() != id {
        return Err(Wrong::Foreign(format!("id {} instead of {id}", packet.id())));
    }
    let asked = packet.questions.first().map(|question| question.qname.to_string());
    if !asked.as_ref().is_some_and(|asked| asked.eq_ignore_ascii_case(name.trim_end_matches('.'))) {
        return Err(Wrong::Foreign(format!("{asked:?} instead of {name:?}")));
    }
    let records = packet.answers.iter().filter_map(|record| {
        let RData::A(address) = &record.rdata else { return None };
        Some((Ipv4Addr::from(address.address), record.ttl))
    });
    let (addresses, lives): (Vec<_>, Vec<_>) = records.unzip();
    let lives = lives.iter().min().copied().zip(lives.iter().max().copied());
    Ok(Answer { code: packet.rcode(), addresses, lives })
}
