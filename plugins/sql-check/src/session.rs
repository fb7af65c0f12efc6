//! A session with MySQL or MariaDB over a tcp target: handshake, authentication, queries in the text protocol.
//!
//! The packets are those of the crate `mysql_common`; here is their order (MySQL internals manual, "Connection Phase" and
//! "Text Protocol"). Authentication is by `mysql_native_password` or `caching_sha2_password`. The full form of the latter
//! goes over a plain connection encrypted with the server's RSA key, which the server itself gives: on loopback that is as
//! much as TLS without a known certificate. A password is never sent as it is, so a server that asks for that is told no.

use std::fmt::{self, Write as _};
use std::time::Duration;

use bytes::BytesMut;
use mustdo_plugin::tcp::{Connection, Options};
use mustdo_plugin::{Context, Failure, Fault, Text};
use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{
    AuthPlugin, AuthSwitchRequest, Column, ErrPacket, HandshakePacket, HandshakeResponse,
};
use mysql_common::proto::codec::PacketCodec;
use mysql_common::proto::{MyDeserialize, MySerialize};

use crate::seal::seal;

/// The name of the tcp target, in the plugin's words.
pub(crate) const TARGET: &str = "db";

/// The wait for one packet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of one packet, and of one result, beyond which it is no answer to what is asked here.
const PACKET_BYTES: usize = 16 << 20;

/// The version of the handshake.
const PROTOCOL: u8 = 10;

const COM_QUIT: u8 = 1;
const COM_QUERY: u8 = 3;

/// Heads of packets, by their place in the conversation.
const OK: u8 = 0x00;
const MORE_DATA: u8 = 0x01;
const LOCAL_INFILE: u8 = 0xfb;
const NULL: u8 = 0xfb;
const END_OR_SWITCH: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// What `caching_sha2_password` says and is asked in between.
const FAST_AUTH_SUCCESS: u8 = 3;
const FULL_AUTH: u8 = 4;
const REQUEST_KEY: u8 = 2;

/// Duplicate entry for a key.
pub(crate) const DUPLICATE: u16 = 1062;

const ACCESS_DENIED: u16 = 1045;
const DATABASE_DENIED: u16 = 1044;
const UNKNOWN_DATABASE: u16 = 1049;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

/// An open session.
pub(crate) struct Session<'run, 'host> {
    context: &'run Context<'host>,
    connection: Connection,
    codec: PacketCodec,
    unread: BytesMut,
    version: String,
}

/// Rows of a result, each with a value for each column; none is NULL.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// What the server says of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) code: u16,
    /// SQLSTATE, five characters.
    pub(crate) state: String,
    pub(crate) message: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ERROR {} ({}): {}", self.code, self.state, self.message)
    }
}

/// Why there is no session, or no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The stream failed, or nothing came in time.
    Stream(Failure),
    /// The server closed the connection.
    Ended,
    /// What came is not this protocol; the beginning of it.
    Foreign(Vec<u8>),
    /// The server asks for a way of authentication that is not spoken here.
    Authentication(String),
    /// The server says no.
    Refused(ServerError),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Stream(failure)
    }
}

impl<'run, 'host> Session<'run, 'host> {
    /// Connects and authenticates.
    pub(crate) fn open(context: &'run Context<'host>, login: Login<'_>) -> Result<Self, Broken> {
        let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
        let connection = context.tcp(TARGET, &options)?;
        let mut codec = PacketCodec::default();
        codec.max_allowed_packet = PACKET_BYTES;
        let mut session =
            Self { context, connection, codec, unread: BytesMut::new(), version: String::new() };
        let greeting = session.greeting()?;
        session.authenticate(&greeting, login)?;
        session.query("SET NAMES utf8mb4")?;
        Ok(session)
    }

    /// As the server names it: `10.11.19-MariaDB`, `8.4.0`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Asks, and gives the rows; none where the statement has no result.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Rows, Broken> {
        self.codec.reset_seq_id();
        self.send(&[&[COM_QUERY], sql.as_bytes()].concat())?;
        let head = self.packet()?;
        let columns = match head.first() {
            Some(&OK) => return Ok(Rows::new()),
            Some(&ERROR) => return Err(Broken::Refused(refusal(&head)?)),
            None | Some(&LOCAL_INFILE) => return Err(Broken::Foreign(head)),
            Some(_) => {
                ParseBuf(&head).checked_eat_lenenc_int().ok_or_else(|| Broken::Foreign(head.clone()))?
            }
        };
        for _ in 0..columns {
            let column = self.packet()?;
            Column::deserialize((), &mut ParseBuf(&column)).map_err(|_| Broken::Foreign(column.clone()))?;
        }
        // The end of the columns: CLIENT_DEPRECATE_EOF is not asked for.
        self.packet()?;
        let mut rows = Rows::new();
        let mut bytes = 0;
        loop {
            let packet = self.packet()?;
            bytes += packet.len();
            match packet.first() {
                Some(&END_OR_SWITCH) if packet.len() < 9 => return Ok(rows),
                Some(&ERROR) => return Err(Broken::Refused(refusal(&packet)?)),
                _ if bytes > PACKET_BYTES => {
                    return Err(Failure::OverLimit(format!("{PACKET_BYTES} bytes of one result")).into());
                }
                _ => rows.push(row(&packet, columns).ok_or(Broken::Foreign(packet))?),
            }
        }
    }

    /// The server speaks first.
    fn greeting(&mut self) -> Result<HandshakePacket<'static>, Broken> {
        let packet = self.packet()?;
        match packet.first() {
            Some(&ERROR) => Err(Broken::Refused(refusal(&packet)?)),
            Some(&PROTOCOL) => {
                let greeting = HandshakePacket::deserialize((), &mut ParseBuf(&packet));
                let greeting = greeting.map_err(|_| Broken::Foreign(packet.clone()))?.into_owned();
                let version = greeting.server_version_str();
                // MariaDB puts a version of MySQL before its own, for replicas of long ago.
                version.strip_prefix("5.5.5-").unwrap_or(&version).clone_into(&mut self.version);
                Ok(greeting)
            }
            _ => Err(Broken::Foreign(packet)),
        }
    }

    fn authenticate(&mut self, greeting: &HandshakePacket<'_>, login: Login<'_>) -> Result<(), Broken> {
        let wanted = CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_LONG_PASSWORD
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_TRANSACTIONS
            | CapabilityFlags::CLIENT_PLUGIN_AUTH;
        let mut nonce = greeting.nonce();
        let mut plugin = match greeting.auth_plugin().map(AuthPlugin::into_owned) {
            Some(known @ (AuthPlugin::MysqlNativePassword | AuthPlugin::CachingSha2Password)) => known,
            // What the server proposes is for its default user; it says what this one needs.
            _ => AuthPlugin::MysqlNativePassword,
        };
        let proof = prove(&plugin, &nonce, login.password)?;
        let response = HandshakeResponse::new(
            Some(proof),
            (8, 0, 0),
            Some(login.user.as_bytes()),
            None::<&[u8]>,
            Some(plugin.clone()),
            wanted & greeting.capabilities(),
            None,
            u32::try_from(PACKET_BYTES).unwrap_or(u32::MAX),
        );
        let mut bytes = Vec::new();
        response.serialize(&mut bytes);
        self.send(&bytes)?;
        loop {
            let packet = self.packet()?;
            match packet[..] {
                [OK, ..] => return Ok(()),
                [ERROR, ..] => return Err(Broken::Refused(refusal(&packet)?)),
                [END_OR_SWITCH, _, ..] => {
                    let switch = AuthSwitchRequest::deserialize((), &mut ParseBuf(&packet));
                    let switch = switch.map_err(|_| Broken::Foreign(packet.clone()))?;
                    plugin = switch.auth_plugin().into_owned();
                    nonce = switch.plugin_data().to_vec();
                    let proof = prove(&plugin, &nonce, login.password)?;
                    self.send(&proof)?;
                }
                [MORE_DATA, FAST_AUTH_SUCCESS] => {}
                [MORE_DATA, FULL_AUTH] => self.send(&[REQUEST_KEY])?,
                [MORE_DATA, ref key @ ..] if plugin == AuthPlugin::CachingSha2Password => {
                    let sealed = seal(self.context, key, &nonce, login.password);
                    let sealed = sealed.ok_or_else(|| Broken::Foreign(packet.clone()))?;
                    self.send(&sealed)?;
                }
                _ => return Err(Broken::Foreign(packet)),
            }
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Broken> {
        let mut bytes = BytesMut::new();
        let encoded = self.codec.encode(&mut &payload[..], &mut bytes);
        encoded.map_err(|error| Broken::Stream(Failure::OverLimit(error.to_string())))?;
        Ok(self.connection.send(&bytes)?)
    }

    fn packet(&mut self) -> Result<Vec<u8>, Broken> {
        let end = self.context.monotonic() + PATIENCE;
        let mut packet = Vec::new();
        loop {
            let so_far = self.unread.clone();
            match self.codec.decode(&mut self.unread, &mut packet) {
                Ok(true) => return Ok(packet),
                Ok(false) => {}
                Err(_) => return Err(Broken::Foreign(so_far.to_vec())),
            }
            let left = end.saturating_sub(self.context.monotonic());
            if left.is_zero() {
                return Err(Broken::Stream(Failure::TimedOut));
            }
            self.connection.set_read_timeout(left);
            let more = match self.connection.receive(64 << 10) {
                Ok(more) => more,
                Err(Failure::TimedOut) if !(packet.is_empty() && self.unread.is_empty()) => {
                    return Err(Broken::Foreign([&packet[..], &so_far].concat()));
                }
                Err(failure) => return Err(failure.into()),
            };
            if more.is_empty() {
                return Err(if so_far.is_empty() { Broken::Ended } else { Broken::Foreign(so_far.to_vec()) });
            }
            self.unread.extend_from_slice(&more);
        }
    }
}

impl Drop for Session<'_, '_> {
    /// Says good-bye, so that the server does not log an aborted connection.
    fn drop(&mut self) {
        self.codec.reset_seq_id();
        // It may be gone already.
        let _ = self.send(&[COM_QUIT]);
    }
}

/// What shows that the password is known, without saying it.
fn prove(plugin: &AuthPlugin<'_>, nonce: &[u8], password: &str) -> Result<Vec<u8>, Broken> {
    let password = password.as_bytes();
    match plugin {
        AuthPlugin::MysqlNativePassword => {
            Ok(scramble_native(nonce, password).map(Vec::from).unwrap_or_default())
        }
        AuthPlugin::CachingSha2Password => {
            let nonce = nonce.try_into().map_err(|_| Broken::Foreign(nonce.to_vec()))?;
            // An empty password is an empty proof; in the handshake and after a switch alike.
            Ok(scramble_sha256(nonce, password).map(Vec::from).unwrap_or_default())
        }
        AuthPlugin::MysqlOldPassword
        | AuthPlugin::MysqlClearPassword
        | AuthPlugin::Sha256Password
        | AuthPlugin::Ed25519
        | AuthPlugin::Parsec
        | AuthPlugin::Other(_) => {
            Err(Broken::Authentication(String::from_utf8_lossy(plugin.as_bytes()).into_owned()))
        }
    }
}

fn refusal(packet: &[u8]) -> Result<ServerError, Broken> {
    // Before the handshake an error has no SQLSTATE.
    let capabilities = [CapabilityFlags::CLIENT_PROTOCOL_41, CapabilityFlags::empty()];
    let parsed =
        capabilities.into_iter().find_map(|flags| ErrPacket::deserialize(flags, &mut ParseBuf(packet)).ok());
    match parsed {
        Some(ErrPacket::Error(error)) => Ok(ServerError {
            code: error.error_code(),
            state: error.sql_state_ref().map(|state| state.as_str().into_owned()).unwrap_or_default(),
            message: error.message_str().into_owned(),
        }),
        Some(ErrPacket::Progress(_)) | None => Err(Broken::Foreign(packet.to_vec())),
    }
}

fn row(packet: &[u8], columns: u64) -> Option<Vec<Option<String>>> {
    let mut rest = ParseBuf(packet);
    let mut values = Vec::new();
    for _ in 0..columns {
        values.push(if rest.0.first() == Some(&NULL) {
            rest.checked_eat_u8()?;
            None
        } else {
            Some(String::from_utf8_lossy(rest.checked_eat_lenenc_str()?).into_owned())
        });
    }
    Some(values)
}

/// A text as SQL has it. Backslashes escape there unless the mode says otherwise, so both ways of reading it must agree:
/// what needs escaping is written in hexadecimal.
pub(crate) fn quoted(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte)) {
        return format!("'{text}'");
    }
    let mut hex = String::new();
    for byte in text.bytes() {
        // Writing to a string can not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!("CONVERT(0x{hex} USING utf8mb4)")
}

/// The name of a schema, table or column as SQL has it.
pub(crate) fn named(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl Broken {
    /// No session, or none any more, decides nothing: the likely cause becomes the summary. `paste` are the lines of
    /// `mustdo.toml` that give the check an account.
    pub(crate) fn explain(self, paste: &Text) -> Fault {
        Fault::inconclusive(match self {
            Self::Stream(Failure::TimedOut) => Text::new(
                "the server took the connection and said nothing; MySQL speaks first: is this its port?",
                "连接被接受，但服务器什么也没说；MySQL 会先开口：这是它的端口吗？",
            ),
            Self::Stream(failure @ (Failure::Unreachable(_) | Failure::Protocol(_))) => {
                let why = failure.explain();
                Text::new(
                    format!("no connection to the database: {}", why.en),
                    format!("连不上数据库：{}", why.zh),
                )
            }
            Self::Stream(failure) => failure.explain(),
            Self::Ended => Text::new(
                "the connection was closed before the server had said anything; is this the port of MySQL, and does the server allow connections from here?",
                "服务器什么也没说就关闭了连接；这是 MySQL 的端口吗？它允许从这里连接吗？",
            ),
            Self::Foreign(bytes) => {
                let (en, zh) = guess(&bytes);
                Text::new(
                    format!("what came back is not the protocol of MySQL: {en}"),
                    format!("收到的不是 MySQL 协议：{zh}"),
                )
            }
            Self::Authentication(plugin) => Text::new(
                format!("the account needs `{plugin}`, which is not spoken here; {}", paste.en),
                format!("这个账号要求 `{plugin}`，这里不支持；{}", paste.zh),
            ),
            Self::Refused(error) if matches!(error.code, ACCESS_DENIED | DATABASE_DENIED) => {
                Text::new(format!("{error}. {}", paste.en), format!("{error}。{}", paste.zh))
            }
            Self::Refused(error) if error.code == UNKNOWN_DATABASE => {
                Text::new(format!("{error}. {}", paste.en), format!("{error}。{}", paste.zh))
            }
            Self::Refused(error) => {
                Text::new(format!("the server refused: {error}"), format!("服务器拒绝了：{error}"))
            }
        })
    }
}

/// Who speaks, or answers, in this way.
fn guess(bytes: &[u8]) -> (&'static str, &'static str) {
    const ASKS_FOR_TLS: &[u8] = b"S";
    if bytes.windows(5).any(|window| window == b"HTTP/") {
        ("that is a web server; bind the port of the database", "那是网站服务器；请绑定数据库的端口")
    } else if bytes.starts_with(b"-ERR") || bytes.starts_with(b"+") {
        ("that is how Redis answers; bind the port of the database", "那是 Redis 的回应；请绑定数据库的端口")
    } else if bytes.starts_with(b"E\0\0\0") || bytes.starts_with(b"R\0\0\0") || bytes == ASKS_FOR_TLS {
        (
            "that is how PostgreSQL speaks; this check is about MySQL and MariaDB",
            "那是 PostgreSQL 的协议；这个检查针对 MySQL 和 MariaDB",
        )
    } else {
        ("bind the port of MySQL or MariaDB (3306 is usual)", "请绑定 MySQL 或 MariaDB 的端口（通常是 3306）")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_not_leave_its_quotes() {
        assert_eq!(quoted("ab-7 c"), "'ab-7 c'");
        assert_eq!(quoted("O'Brien"), "CONVERT(0x4f27427269656e USING utf8mb4)");
        assert_eq!(quoted("\\"), "CONVERT(0x5c USING utf8mb4)");
        assert_eq!(named("a`b"), "`a``b`");
    }

    #[test]
    fn null_and_empty_are_told_apart() {
        assert_eq!(row(b"\x01a\xfb\x00", 3), Some(vec![Some("a".to_owned()), None, Some(String::new())]));
        assert_eq!(row(b"\x05a", 1), None);
    }
}
