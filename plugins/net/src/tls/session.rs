//! A whole handshake, and what is said under its protection.
//!
//! rustls does it, over the plugin's own [`crypto`](super::crypto), without touching sockets, the clock or chance. Any
//! certificate is taken, so that everything that is wrong with it can be told; that the server holds its key is not open to
//! discussion.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mustdo_plugin::tcp::Connection;
use mustdo_plugin::{Context, Failure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::time_provider::TimeProvider;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use webpki::RawPublicKeyEntity;

use super::answer::connect;
use super::certificate::Certificate;
use super::crypto;
use super::hello::{Version, suite_name};

/// Bytes of a record at most, with all that is around it.
const RECORD: usize = (1 << 14) + 512;

/// Bytes of an answer that are kept: pages are far smaller.
const KEPT: usize = 1 << 20;

/// The pause between two bytes of a hello that is sent slowly.
const GAP: Duration = Duration::from_millis(1);

/// How the first bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once.
    Whole,
    /// One byte a segment, as TCP may deliver them.
    Bytes,
}

/// A connection that is protected, with the server known by its key.
pub(crate) struct Session {
    connection: Connection,
    client: UnbufferedClientConnection,
    /// What came and was not read yet.
    incoming: Vec<u8>,
    /// What is to be sent.
    outgoing: Vec<u8>,
    /// What was read.
    text: Vec<u8>,
    chain: Vec<CertificateDer<'static>>,
}

/// Why there is no session, or why it ended.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The server signed with another key than that of its certificate.
    Unproven,
    /// The server refused, in the words of the standard.
    Refused(String),
    /// The server did not keep to the protocol, as rustls says it.
    Protocol(String),
    /// The connection ended too early.
    Closed,
    /// Nothing came within the time.
    Silent,
    /// The host's.
    Host(Failure),
}

/// What a session can do next.
enum Stage {
    /// More of what is at hand.
    Working,
    /// Read.
    Blocked,
    /// Read or write.
    Ready,
    /// Nothing: the server has ended it.
    Ended,
}

impl Session {
    /// Greets the server under the name `host`, with TLS 1.2 and 1.3, and comes back when both sides are sure of each other.
    pub(crate) fn open(
        context: &Context<'_>,
        host: &ServerName<'static>,
        pace: Pace,
    ) -> Result<Self, Broken> {
        crypto::stir(&context.random_bytes(crypto::RANDOMNESS));
        let witness = Arc::new(Witness::default());
        let versions: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
        let now = Arc::new(Now(UnixTime::since_unix_epoch(context.unix_time())));
        let mut config = ClientConfig::builder_with_details(crypto::provider(), now)
            .with_protocol_versions(&versions)
            .map_err(Broken::of)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // Each handshake is to show the key.
        config.resumption = Resumption::disabled();
        let client = UnbufferedClientConnection::new(Arc::new(config), host.clone()).map_err(Broken::of)?;
        let connection = connect(context).map_err(Broken::Host)?;
        let mut session = Self {
            connection,
            client,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            text: Vec::new(),
            chain: Vec::new(),
        };
        if pace == Pace::Bytes {
            session.dribble(context)?;
        }
        loop {
            match session.step(&mut None)? {
                Stage::Working => {}
                Stage::Blocked => session.receive()?,
                Stage::Ready => break,
                Stage::Ended => return Err(Broken::Closed),
            }
        }
        session.chain = witness.chain();
        Ok(session)
    }

    /// The server's certificates as it sent them, its own first; never empty.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// What was agreed upon.
    pub(crate) fn version(&self) -> Version {
        let is_modern = self.client.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        if is_modern { Version::Tls13 } else { Version::Tls12 }
    }

    /// The suite's name.
    pub(crate) fn suite(&self) -> String {
        let suite = self.client.negotiated_cipher_suite();
        suite.map_or_else(String::new, |suite| suite_name(suite.suite().into()))
    }

    /// Sends a request and reads until the server ends its side.
    pub(crate) fn ask(mut self, request: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut request = Some(request);
        loop {
            match self.step(&mut request)? {
                Stage::Working => {}
                Stage::Blocked | Stage::Ready => match self.receive() {
                    // Many servers just close; an answer says itself how long it is.
                    Err(Broken::Closed) if !self.text.is_empty() => return Ok(self.text),
                    other => other?,
                },
                Stage::Ended => return Ok(self.text),
            }
            if self.text.len() > KEPT {
                return Ok(self.text);
            }
        }
    }

    /// Sends the hello byte by byte.
    fn dribble(&mut self, context: &Context<'_>) -> Result<(), Broken> {
        while self.outgoing.is_empty() {
            self.step(&mut None)?;
        }
        for byte in std::mem::take(&mut self.outgoing) {
            self.connection.send(&[byte]).map_err(Broken::of_stream)?;
            context.sleep(GAP);
        }
        Ok(())
    }

    /// Does the next thing; writes `request` when that is possible.
    fn step(&mut self, request: &mut Option<&[u8]>) -> Result<Stage, Broken> {
        let UnbufferedStatus { mut discard, state, .. } = self.client.process_tls_records(&mut self.incoming);
        let stage = match state.map_err(Broken::of)? {
            ConnectionState::EncodeTlsData(mut data) => {
                let end = self.outgoing.len();
                self.outgoing.resize(end + RECORD, 0);
                let length = data.encode(&mut self.outgoing[end..]).map_err(Broken::strange)?;
                self.outgoing.truncate(end + length);
                Stage::Working
            }
            ConnectionState::TransmitTlsData(data) => {
                self.connection.send(&std::mem::take(&mut self.outgoing)).map_err(Broken::of_stream)?;
                data.done();
                Stage::Working
            }
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record.map_err(Broken::of)?;
                    discard += record.discard;
                    self.text.extend(record.payload);
                }
                Stage::Working
            }
            ConnectionState::WriteTraffic(mut traffic) => match request.take() {
                Some(request) => {
                    let mut sealed = vec![0; request.len() + RECORD];
                    let length = traffic.encrypt(request, &mut sealed).map_err(Broken::strange)?;
                    self.connection.send(&sealed[..length]).map_err(Broken::of_stream)?;
                    Stage::Working
                }
                None => Stage::Ready,
            },
            ConnectionState::BlockedHandshake => Stage::Blocked,
            ConnectionState::PeerClosed | ConnectionState::Closed => Stage::Ended,
            // Early data is a server's to read; what is new in rustls is not asked for.
            other @ (ConnectionState::ReadEarlyData(_) | _) => {
                return Err(Broken::Protocol(format!("{other:?}")));
            }
        };
        self.incoming.drain(..discard);
        Ok(stage)
    }

    fn receive(&mut self) -> Result<(), Broken> {
        let more = self.connection.receive(64 << 10).map_err(Broken::of_stream)?;
        if more.is_empty() {
            return Err(Broken::Closed);
        }
        self.incoming.extend(more);
        Ok(())
    }
}

impl Broken {
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls has dozens; the rest is in its words")]
    fn of(error: Error) -> Self {
        match error {
            Error::InvalidCertificate(CertificateError::BadSignature) => Self::Unproven,
            Error::AlertReceived(alert) => Self::Refused(super::answer::alert_name(alert.into())),
            error => Self::Protocol(error.to_string()),
        }
    }

    fn of_stream(failure: Failure) -> Self {
        match failure {
            Failure::TimedOut => Self::Silent,
            Failure::Unreachable(_) => Self::Closed,
            other @ (Failure::Denied(_)
            | Failure::Unbound(_)
            | Failure::OverLimit(_)
            | Failure::Protocol(_)
            | Failure::Other(_)) => Self::Host(other),
        }
    }

    fn strange(error: impl std::fmt::Display) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// The moment of the run.
#[derive(Debug)]
struct Now(UnixTime);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// Remembers what the server showed, and believes a signature only under the key of its certificate.
#[derive(Debug, Default)]
struct Witness {
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Witness {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `all`: in TLS 1.2 a scheme's name leaves the curve open.
    fn verify(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        all: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = || Error::from(CertificateError::BadSignature);
        let key = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?.key_info();
        let key = SubjectPublicKeyInfoDer::from(key);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
        let known = crypto::SCHEMES.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, algorithms) = known.ok_or_else(bad)?;
        let count = if all { algorithms.len() } else { 1 };
        let mut outcomes = algorithms[..count]
            .iter()
            .map(|algorithm| key.verify_signature(*algorithm, message, signed.signature()));
        if outcomes.any(|outcome| outcome.is_ok()) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(bad())
        }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(certificate).chain(others);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify(message, certificate, signed, true)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify(message, certificate, signed, false)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crypto::SCHEMES.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use mustdo_plugin::native::NativeHost;
    use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, SupportedCipherSuite};
    use rustls_pki_types::pem::PemObject;

    use super::*;

    macro_rules! certificate {
        ($name:literal) => {
            include_bytes!(concat!("../../../../tests/reference/src/tls/certificate/", $name))
        };
    }

    /// A server of another implementation that speaks one suite on one curve, and turns one request round.
    fn server(suite: SupportedCipherSuite, group: &'static dyn SupportedKxGroup) -> SocketAddr {
        let is_rsa = suite.suite().as_str().unwrap().contains("_RSA_");
        let (certificate, key): (&[u8], &[u8]) = if is_rsa {
            (certificate!("rsa.crt"), certificate!("rsa.key"))
        } else {
            (certificate!("server.crt"), certificate!("server.key"))
        };
        let provider =
            CryptoProvider { cipher_suites: vec![suite], kx_groups: vec![group], ..ring::default_provider() };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[suite.version()])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate).unwrap()],
                PrivateKeyDer::from_pem_slice(key).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut protected = rustls::Stream::new(&mut connection, &mut stream);
            let mut request = [0; 5];
            protected.read_exact(&mut request).unwrap();
            request.reverse();
            // More than one record.
            protected.write_all(&request.repeat(10_000)).unwrap();
            protected.conn.send_close_notify();
            protected.flush().unwrap();
        });
        address
    }

    fn open(address: SocketAddr) -> Result<Session, Broken> {
        let host = NativeHost::new().bind("tls", address);
        Session::open(&host.context(1), &ServerName::try_from("shop.test").unwrap(), Pace::Whole)
    }

    #[test]
    fn every_suite_on_every_curve_is_spoken_with_another_implementation() {
        let suites = [
            ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
            ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
            ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ];
        for suite in suites {
            for group in [ring::kx_group::X25519, ring::kx_group::SECP256R1, ring::kx_group::SECP384R1] {
                let session = open(server(suite, group)).unwrap();
                assert_eq!(session.suite(), suite.suite().as_str().unwrap());
                assert_eq!(session.chain().len(), 1);
                let text = session.ask(b"hello").unwrap();
                assert_eq!(text, b"olleh".repeat(10_000), "{suite:?} {group:?}");
            }
        }
    }

    #[test]
    fn a_suite_that_is_not_spoken_here_is_refused() {
        let broken = open(server(ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, ring::kx_group::X25519));
        assert!(matches!(broken, Err(Broken::Refused(alert)) if alert == "handshake_failure"));
    }
}
