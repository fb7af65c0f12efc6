//! Who the server is: its certificate, and who vouches for it.

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Context, Fault, Report, Text};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, Error};

use super::wrong;
use crate::tls::certificate::{Certificate, Key, Strength};
use crate::tls::trust::Authorities;

/// The steps of a chain as the server sent it, its own certificate first.
pub(super) fn judge(
    context: &Context<'_>,
    report: &mut Report,
    chain: &[CertificateDer<'static>],
    (name, host): (&str, &ServerName<'static>),
    ca: &str,
) {
    let Some((der, certificate)) = chain.first().and_then(|der| Some((der, Certificate::read(der)?))) else {
        let unreadable = Text::new("the certificate can not be read", "无法读取证书");
        report.judge("name", Need::Must, Err::<(), _>(Fault::inconclusive(unreadable)), |()| Text::same(""));
        return;
    };
    let ((begins, ends), key) = (certificate.period(), certificate.key().name);
    let (subject, issuer) = (certificate.subject(), certificate.issuer());
    report.evidence(
        "certificate",
        format!("subject: {subject}\nissuer: {issuer}\nfrom: {begins}\nto: {ends}\nkey: {key}\ncertificates sent: {}", chain.len()),
    );
    report.judge("name", Need::Must, covers(der, name, host), |()| {
        Text::new(format!("the certificate is for {name}"), format!("证书对应 {name}"))
    });
    let now = context.unix_time();
    let dates = in_time(&certificate, now);
    let is_in_time = dates.is_ok();
    report.judge("dates", Need::Must, dates, |()| {
        Text::new(format!("the certificate holds until {ends}"), format!("证书有效期到 {ends}"))
    });
    report.judge("signature", Need::Must, hash(&certificate), |()| {
        Text::new("the certificate is not signed with a broken hash", "证书签名没有使用已被攻破的哈希")
    });
    report.judge("key", Need::Must, strong(&subject, &certificate.key()), |()| {
        Text::new(format!("the key is {key}"), format!("密钥是 {key}"))
    });
    // What is wrong with its own dates was told already.
    let at = if is_in_time { now } else { certificate.ends().min(now.max(certificate.begins())) };
    let outcome = vouched(context, &certificate, chain, ca, UnixTime::since_unix_epoch(at));
    report.judge("chain", Need::Must, outcome, Clone::clone);
}

/// The names are those of the extension `subjectAltName` alone (RFC 9525 §2).
fn covers(der: &CertificateDer<'static>, name: &str, host: &ServerName<'static>) -> Result<(), Fault> {
    let hint = || {
        Text::new(
            format!("have it issued with `subjectAltName` = {name}"),
            format!("请用包含 `subjectAltName` = {name} 的请求重新签发"),
        )
    };
    let certificate = match EndEntityCert::try_from(der) {
        Ok(certificate) => certificate,
        Err(Error::UnsupportedCertVersion) => {
            let summary = Text::new(
                "the certificate is of X.509 version 1 and so has no `subjectAltName`",
                "证书是 X.509 第 1 版，没有 `subjectAltName`",
            );
            return Err(wrong("name", summary, hint()));
        }
        Err(error) => {
            return Err(Fault::inconclusive(Text::new(
                format!("the certificate can not be judged: {error}"),
                format!("无法判断这个证书：{error}"),
            )));
        }
    };
    certificate.verify_is_valid_for_subject_name(host).map_err(|_| {
        let names = certificate.valid_dns_names().collect::<Vec<_>>().join(", ");
        let (en, zh) =
            if names.is_empty() { ("no name", "没有名字") } else { (names.as_str(), names.as_str()) };
        let summary = Text::new(
            format!("the certificate is not for {name}: it has {en}"),
            format!("证书不对应 {name}：它的名字是 {zh}"),
        );
        wrong("name", summary, hint())
    })
}

fn in_time(certificate: &Certificate, now: std::time::Duration) -> Result<(), Fault> {
    let (begins, ends) = certificate.period();
    let summary = if now > certificate.ends() {
        Text::new(format!("the certificate has expired on {ends}"), format!("证书已于 {ends} 过期"))
    } else if now < certificate.begins() {
        Text::new(
            format!("the certificate does not hold before {begins}"),
            format!("证书从 {begins} 才开始有效"),
        )
    } else {
        return Ok(());
    };
    Err(wrong(
        "dates",
        summary,
        Text::new(
            "have a new one issued, and let a program renew it before it ends",
            "请重新签发，并让程序在到期之前自动续期",
        ),
    ))
}

fn hash(certificate: &Certificate) -> Result<(), Fault> {
    certificate.broken_hash().map_or(Ok(()), |hash| {
        Err(wrong(
            "hash",
            Text::new(format!("the certificate is signed with {hash}"), format!("证书用 {hash} 签名")),
            Text::new("have it signed with SHA-256", "请用 SHA-256 签名"),
        ))
    })
}

fn strong(whose: &str, key: &Key) -> Result<(), Fault> {
    let name = &key.name;
    match key.strength {
        Strength::Enough => Ok(()),
        Strength::Weak => Err(wrong(
            "key",
            Text::new(
                format!("the key of {whose} is too short: {name}"),
                format!("{whose} 的密钥太短：{name}"),
            ),
            Text::new("use P-256 or RSA with 2048 bits or more", "请使用 P-256 或至少 2048 位的 RSA"),
        )),
        Strength::Unknown => Err(Fault::inconclusive(Text::new(
            format!("the key of {whose} is of a kind that this check does not know: {name}"),
            format!("{whose} 的密钥类型不认识：{name}"),
        ))),
    }
}

/// Who vouches for it, in words.
fn vouched(
    context: &Context<'_>,
    certificate: &Certificate,
    chain: &[CertificateDer<'static>],
    ca: &str,
    at: UnixTime,
) -> Result<Text, Fault> {
    let issuer = certificate.issuer();
    if ca.is_empty() {
        let (en, zh) = if certificate.is_self_issued() {
            ("the certificate vouches for itself".to_owned(), "证书是自签名的".to_owned())
        } else {
            (format!("{issuer} vouches for the certificate"), format!("证书由 {issuer} 签发"))
        };
        return Err(Fault::inconclusive(Text::new(
            format!(
                "{en}, and nobody said whom clients trust: set `ca` to the authority's certificate, `with = {{ ca = \"root.crt\" }}`, and bind the directory target `certificates`"
            ),
            format!(
                "{zh}，但没有说明客户端信任谁：请把 `ca` 设为 CA 证书，`with = {{ ca = \"root.crt\" }}`，并绑定目录目标 `certificates`"
            ),
        )));
    }
    let authorities = Authorities::read(context, ca)?;
    // A client that trusts this very certificate asks nobody else.
    if chain.first().is_some_and(|own| authorities.hold(own)) {
        return Ok(Text::new("the certificate itself is in `ca`", "证书本身就在 `ca` 里"));
    }
    let path = authorities.path(chain, at).map_err(|error| unvouched(&error, certificate, chain.len()))?;
    for link in path {
        strong(&link.name, &link.key)?;
    }
    Ok(Text::new(
        format!("{issuer} vouches for it, as `ca` does"),
        format!("由 {issuer} 签发，可追溯到 `ca`"),
    ))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "webpki has dozens; the rest is in its words")]
fn unvouched(error: &Error, certificate: &Certificate, sent: usize) -> Fault {
    let issuer = certificate.issuer();
    let (en, zh) = match error {
        Error::UnknownIssuer if sent == 1 && !certificate.is_self_issued() => (
            format!("the server sent its certificate alone, and `ca` is not {issuer}, who signed it"),
            format!("服务器只发送了自己的证书，而 `ca` 不是签发者 {issuer}"),
        ),
        Error::UnknownIssuer => (
            format!("the certificate of {issuer} does not lead to `ca`"),
            format!("{issuer} 签发的证书追溯不到 `ca`"),
        ),
        Error::CaUsedAsEndEntity => (
            "the server uses a certificate that is an authority's (CA:TRUE), which Firefox and others refuse"
                .to_owned(),
            "服务器使用了 CA 证书（CA:TRUE），Firefox 等客户端会拒绝".to_owned(),
        ),
        other => {
            (format!("the certificate does not lead to `ca`: {other}"), format!("证书追溯不到 `ca`：{other}"))
        }
    };
    wrong(
        "chain",
        Text::new(en, zh),
        Text::new(
            "send the certificate and all intermediate ones, its own first (`fullchain`), and name the root in `ca`",
            "请发送完整的证书链，自己的在前（`fullchain`），并把根证书写在 `ca` 里",
        ),
    )
}
