//! Whether a certificate leads to an authority that the learner named (RFC 5280 §6).

use mustdo_plugin::{Context, Failure, Fault, Text};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::certificate::{self, Certificate, Strength};
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

    /// The names of those that stand between `chain[0]` and an authority, with their keys and the authority's at the end.
    pub(crate) fn path(
        &self,
        chain: &[CertificateDer<'static>],
        at: UnixTime,
    ) -> Result<Vec<(String, (String, Strength))>, Error> {
        let [certificate, others @ ..] = chain else { return Err(Error::UnknownIssuer) };
        let certificate = EndEntityCert::try_from(certificate)?;
        // Of a system's list some may be of a kind that is not known here; they vouch for nobody.
        let anchors: Vec<_> =
            self.certificates.iter().filter_map(|trusted| anchor_from_trusted_cert(trusted).ok()).collect();
        let usage = KeyUsage::server_auth();
        let path = certificate.verify_for_usage(CHAINS, &anchors, others, at, usage, None, None)?;
        let between = path.intermediate_certificates().map(|one| (one.der(), one.subject_public_key_info()));
        let mut keys: Vec<_> = between
            .map(|(der, info)| {
                let name = Certificate::read(&der).map_or_else(|| "?".to_owned(), |one| one.subject());
                (name, certificate::key(&info))
            })
            .collect();
        keys.push(("ca".to_owned(), certificate::key(&webpki::spki_for_anchor(path.anchor()))));
        Ok(keys)
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
