//! A few commands of Redis over a tcp target (RESP2), as many as a queue of Celery needs.

use std::time::Duration;

use mustdo_plugin::tcp::{Connection, Options};
use mustdo_plugin::{Context, Failure, Fault, Text};

/// The wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of one answer beyond which it is none.
const ANSWER_BYTES: usize = 8 << 20;

/// Values in values beyond which it is no answer to what is asked here.
const DEPTH: usize = 4;

/// An open connection.
pub(crate) struct Redis {
    connection: Connection,
    unread: Vec<u8>,
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Text(String),
    Number(i64),
    Nothing,
    Many(Vec<Self>),
    Error(String),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    Stream(Failure),
    Ended,
    Foreign(Vec<u8>),
    Refused(String),
    Unexpected,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Stream(failure)
    }
}

/// What the beginning of the bytes is.
enum Read {
    Whole(Answer, usize),
    Partial,
    Foreign,
}

impl Redis {
    /// Connects, logs in where there is a password, and takes the database.
    pub(crate) fn open(
        context: &Context<'_>,
        target: &str,
        (user, password): (&str, &str),
        database: u32,
    ) -> Result<Self, Broken> {
        let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
        let mut redis = Self { connection: context.tcp(target, &options)?, unread: Vec::new() };
        if !password.is_empty() {
            let login = if user.is_empty() { vec!["AUTH", password] } else { vec!["AUTH", user, password] };
            redis.ask(&login)?;
        }
        redis.ask(&["SELECT", &database.to_string()])?;
        Ok(redis)
    }

    /// The answer to one command; an error of the server's is one here.
    pub(crate) fn ask(&mut self, command: &[&str]) -> Result<Answer, Broken> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
        self.connection.send(&bytes)?;
        loop {
            match read(&self.unread, 0) {
                Read::Whole(Answer::Error(words), _) => {
                    self.unread.clear();
                    return Err(Broken::Refused(words));
                }
                Read::Whole(answer, size) => {
                    self.unread.drain(..size);
                    return Ok(answer);
                }
                Read::Foreign => return Err(Broken::Foreign(self.unread.clone())),
                Read::Partial if self.unread.len() > ANSWER_BYTES => return Err(Broken::Unexpected),
                Read::Partial => {
                    let more = self.connection.receive(64 << 10)?;
                    if more.is_empty() {
                        return Err(Broken::Ended);
                    }
                    self.unread.extend(more);
                }
            }
        }
    }

    pub(crate) fn number(&mut self, command: &[&str]) -> Result<i64, Broken> {
        match self.ask(command)? {
            Answer::Number(number) => Ok(number),
            Answer::Text(_) | Answer::Nothing | Answer::Many(_) | Answer::Error(_) => Err(Broken::Unexpected),
        }
    }
}

/// One answer from the beginning of the bytes.
fn read(bytes: &[u8], depth: usize) -> Read {
    if bytes.first().is_some_and(|kind| !b"+-:$*".contains(kind)) || depth > DEPTH {
        return Read::Foreign;
    }
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Read::Partial };
    let (line, rest) = (String::from_utf8_lossy(&bytes[1..end]).into_owned(), end + 2);
    let length = || line.parse::<i64>();
    match bytes[0] {
        b'+' => Read::Whole(Answer::Text(line), rest),
        b'-' => Read::Whole(Answer::Error(line), rest),
        b':' => length().map_or(Read::Foreign, |number| Read::Whole(Answer::Number(number), rest)),
        kind => match length() {
            Err(_) => Read::Foreign,
            Ok(..0) => Read::Whole(Answer::Nothing, rest),
            Ok(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                if count > ANSWER_BYTES {
                    Read::Foreign
                } else if kind == b'$' {
                    bulk(bytes, rest, count)
                } else {
                    many(bytes, rest, count, depth)
                }
            }
        },
    }
}

fn bulk(bytes: &[u8], from: usize, count: usize) -> Read {
    match bytes.get(from..from + count + 2) {
        None => Read::Partial,
        Some(text) => {
            Read::Whole(Answer::Text(String::from_utf8_lossy(&text[..count]).into_owned()), from + count + 2)
        }
    }
}

fn many(bytes: &[u8], mut from: usize, count: usize, depth: usize) -> Read {
    let mut answers = Vec::new();
    for _ in 0..count {
        match bytes
            .get(from..)
            .filter(|rest| !rest.is_empty())
            .map_or(Read::Partial, |rest| read(rest, depth + 1))
        {
            Read::Whole(answer, size) => {
                answers.push(answer);
                from += size;
            }
            other @ (Read::Partial | Read::Foreign) => return other,
        }
    }
    Read::Whole(Answer::Many(answers), from)
}

/// No word of it says anything about the learner's work.
impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::inconclusive(match broken {
            Broken::Stream(Failure::Unreachable(why)) => Text::new(
                format!(
                    "no connection to the broker ({why}); does it run, and is the target `broker` its address?"
                ),
                format!("连不上消息服务器（{why}）；它启动了吗？目标 `broker` 是它的地址吗？"),
            ),
            Broken::Stream(Failure::TimedOut) => Text::new(
                "what listens there says nothing: Redis answers at once, on port 6379 as a rule",
                "对方一言不发：Redis 会马上回应，端口一般是 6379",
            ),
            Broken::Stream(failure) => failure.explain(),
            Broken::Ended => Text::new(
                "what listens there closed the connection without a word: is it Redis?",
                "对方不声不响地关闭了连接：它是 Redis 吗？",
            ),
            Broken::Foreign(bytes) => {
                let whose = if bytes.starts_with(b"AMQP") {
                    "it is AMQP: set broker = \"amqp\"".to_owned()
                } else {
                    format!("it begins with {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(24)]))
                };
                Text::new(
                    format!("what listens there does not speak as Redis does ({whose})"),
                    format!("对方说的不是 Redis 的协议（{whose}）"),
                )
            }
            Broken::Refused(words) => {
                Text::new(format!("Redis refused: {words}"), format!("Redis 拒绝了：{words}"))
            }
            Broken::Unexpected => {
                Text::new("Redis answered something else than it was asked", "Redis 答非所问")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn whole(bytes: &[u8]) -> (Answer, usize) {
        match read(bytes, 0) {
            Read::Whole(answer, size) => (answer, size),
            Read::Partial | Read::Foreign => panic!("{:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let nested = b"*3\r\n:7\r\n$-1\r\n*1\r\n$2\r\na\r\r\n";
        let expected =
            vec![Answer::Number(7), Answer::Nothing, Answer::Many(vec![Answer::Text("a\r".to_owned())])];
        assert_eq!(whole(nested), (Answer::Many(expected), nested.len()));
        for cut in 0..nested.len() {
            assert!(matches!(read(&nested[..cut], 0), Read::Partial), "{cut}");
        }
        assert_eq!(whole(b"-ERR no\r\n+"), (Answer::Error("ERR no".to_owned()), 9));
        assert_eq!(whole(b"+OK\r\n"), (Answer::Text("OK".to_owned()), 5));
    }

    #[test]
    fn what_is_no_redis_is_foreign() {
        for foreign in [&b"HTTP/1.1 400\r\n"[..], b"AMQP\0\0\x09\x01", b":x\r\n", b"$99999999999\r\n"] {
            assert!(matches!(read(foreign, 0), Read::Foreign));
        }
    }
}
