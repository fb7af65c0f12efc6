//! `echo`: does the server answer exactly?

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::Probe;

/// How long nothing may follow the last reply.
const QUIET: Duration = Duration::from_millis(100);

/// Connections that the messages are spread over.
const CONNECTIONS: usize = 3;

parameters! {
    /// How the server is spoken to, and how much.
    pub struct Echo {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Messages to send.
        #[range(3..=1000)]
        messages: u32 = 50,
        /// The longest body in bytes.
        #[range(16..=16384)]
        longest: u32 = 4096,
    }
}

impl Check for Echo {
    const ID: &'static str = "echo";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("The server answers every byte exactly", "服务器逐字节准确回应"),
            description: Text::new(
                "Sends messages of seeded lengths over three connections and compares every reply byte by byte; nothing may follow the last one. A good server sends back the line, the bytes or the frame that it got, unchanged (RFC 862 for bytes). Bind target `socket` to its address.",
                "在三个连接上发送长短不一的消息，逐字节比较每个回应；最后一个回应之后不能再有数据。好的服务器把收到的行、字节或帧原样送回（按字节的见 RFC 862）。请把目标 `socket` 绑定到它的地址。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(4),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("every reply was exact", "所有回应都准确"));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            let outcome = self.converse(&mut probe);
            report.judge("every-message", Need::Must, outcome, |()| {
                Text::new(
                    format!("{} messages came back exactly, and nothing else", self.messages),
                    format!("{} 条消息都原样返回，没有多余的数据", self.messages),
                )
            });
        }
        report
    }
}

impl Echo {
    fn converse(&self, probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
        let mut talks = Vec::new();
        for _ in 0..CONNECTIONS {
            let opened = probe.connect();
            talks
                .push(opened.map_err(|trouble| {
                    fault(trouble, &Text::new("opened 3 connections", "打开 3 个连接"))
                })?);
        }
        for count in 1..=self.messages {
            let length = probe.pick(1, self.longest as usize);
            let message = probe.varied(length);
            let talk = &talks[probe.pick(0, CONNECTIONS - 1)];
            let outcome = talk.exchange(probe.context(), &[&message.request], &message.reply);
            outcome.map_err(|trouble| fault(trouble, &sent(count, length)))?;
        }
        for talk in &talks {
            let quiet = talk.expect_quiet(probe.context(), QUIET);
            quiet
                .map_err(|trouble| fault(trouble, &Text::new("read every reply whole", "读完了所有回应")))?;
        }
        Ok(())
    }
}

fn sent(count: u32, length: usize) -> Text {
    Text::new(
        format!("sent message {count}, with a body of {length} bytes"),
        format!("发送第 {count} 条消息，内容 {length} 字节"),
    )
}

fn fault(trouble: crate::trouble::Trouble, sent: &Text) -> Fault {
    trouble.fault(
        "echo-differs",
        sent,
        Text::new(
            "send back the bytes that were received and as many of them; compare what recv() returned with what send() got",
            "收到什么就送回什么，数量也一样；对照 recv() 的返回值和 send() 的参数",
        ),
    )
}
