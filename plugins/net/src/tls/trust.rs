//! Whether a certificate leads to an authority that the learner named (RFC 5280 §6).

use mustdo_plugin::{Context, Failure, Fault, Text};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::certificate::{Certificate, Key};
use super::crypto::CHAINS;

/// The folder with the authority's certificate.
pub(crate) const CERTIFICATES: &str = "certificates";

/// Bytes of such a file: the lists of whole systems have 200 KB.
const LARGEST: usize = 4 << 20;

/// How a text in PEM begins.
const PEM: &str = "-----BEGIN";

/// The certificates that are trusted.
pub(crate) struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
}

/// One that vouches for the next.
pub(crate) struct Link {
    /// Whose certificate it is.
    pub(crate) name: String,
    pub(crate) key: Key,
}

impl Authorities {
    /// Those of `ca`: a text in PEM, or a file of the folder `certificates`.
    pub(crate) fn read(context: &Context<'_>, ca: &str) -> Result<Self, Fault> {
        let pem = if ca.trim_start().starts_with(PEM) { ca.as_bytes().to_vec() } else { file(context, ca)? };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self { certificates }),
            Ok(_) | Err(_) => Err(Fault::inconclusive(Text::new(
                format!("`ca` holds no certificate in PEM (\"{PEM} CERTIFICATE-----\")"),
                format!("`ca` 里没有 PEM 格式的证书（“{PEM} CERTIFICATE-----”）"),
            ))),
        }
    }

    /// Whether a certificate itself is among them.
    pub(crate) fn hold(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.iter().any(|trusted| trusted.as_ref() == certificate.as_ref())
    }

    /// What vouches for `chain[0]`: the certificates between it and an authority, the authority last.
    pub(crate) fn path(&self, chain: &[CertificateDer<'static>], at: UnixTime) -> Result<Vec<Link>, Error> {
        let [certificate, others @ ..] = chain else { return Err(Error::UnknownIssuer) };
        let certificate = EndEntityCert::try_from(certificate)?;
        // Of a system's list some may be of a kind that is not known here; they vouch for nobody.
        let anchors: Vec<_> =
            self.certificates.iter().filter_map(|trusted| anchor_from_trusted_cert(trusted).ok()).collect();
        let usage = KeyUsage::server_auth();
        let path = certificate.verify_for_usage(CHAINS, &anchors, others, at, usage, None, None)?;
        let mut links: Vec<Link> = path
            .intermediate_certificates()
            .map(|one| Link {
                name: Certificate::read(&one.der()).map_or_else(|| "?".to_owned(), |one| one.subject()),
                key: Key::read(&one.subject_public_key_info()),
            })
            .collect();
        let key = Key::read(&webpki::spki_for_anchor(path.anchor()));
        links.push(Link { name: "`ca`".to_owned(), key });
        Ok(links)
    }
}

fn file(context: &Context<'_>, name: &str) -> Result<Vec<u8>, Fault> {
    if !context.has_target(CERTIFICATES) {
        return Err(Fault::inconclusive(Text::new(
            format!("`ca` names the file {name:?}: bind the directory target `{CERTIFICATES}` to its folder"),
            format!("`ca` 写的是文件 {name:?}：请把目录目标 `{CERTIFICATES}` 绑定到它所在的文件夹"),
        )));
    }
    let mut bytes = Vec::new();
    let read = context.folder(CERTIFICATES).and_then(|folder| {
        folder.read(name, |piece| {
            bytes.extend(piece);
            bytes.len() < LARGEST
        })
    });
    match read {
        Ok(()) => Ok(bytes),
        Err(Failure::Unreachable(_) | Failure::Denied(_)) => Err(Fault::inconclusive(Text::new(
            format!(
                "there is no file {name:?} in `{CERTIFICATES}` that a check may read; *.pem and *.key count as secrets: copy the authority's certificate to a file *.crt"
            ),
            format!(
                "`{CERTIFICATES}` 里没有检查可以读取的文件 {name:?}；*.pem 和 *.key 视为机密：请把 CA 证书另存为 *.crt"
            ),
        ))),
        Err(failure) => Err(failure.into()),
    }
}
