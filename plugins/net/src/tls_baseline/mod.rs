//! `tls-baseline`: is TLS sound?

mod agreement;
mod identity;
mod site;

use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Parameter, Report, Text, parameters,
};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};

use crate::tls::TLS;
use crate::tls::trust::CERTIFICATES;

/// How much is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// What every server needs that speaks TLS.
    Minimal,
    /// And what a web site needs beside it.
    Full,
}

impl Parameter for Profile {
    fn schema() -> Value {
        json!({ "enum": ["minimal", "full"] })
    }
}

parameters! {
    /// Whom the server claims to be, and who vouches for it.
    pub struct TlsBaseline {
        /// `minimal`, or `full` with what a web site needs: the redirect, HSTS, cookies.
        profile: Profile = Profile::Minimal,
        /// The name that clients connect to, such as "shop.test", or an IP address.
        host: String = "localhost".to_owned(),
        /// Whom clients trust: a file of directory `certificates`, such as "root.crt", or the text in PEM. Without it nothing can be said of the chain.
        ca: String = String::new(),
        /// Pages of the site, for `full`: at least one of them sets the session's cookie.
        pages: Vec<String> = vec!["/".to_owned()],
        /// Whether the site sets cookies; `false` for one that never does.
        cookies: bool = true,
    }
}

impl Check for TlsBaseline {
    const ID: &'static str = "tls-baseline";

    fn info() -> CheckInfo {
        let request = |capability, reason: &str, required| CapabilityRequest {
            capability,
            reason: reason.to_owned(),
            required,
        };
        CheckInfo {
            title: Text::new("TLS is sound", "TLS 配置可靠"),
            description: Text::new(
                "Completes a handshake with TLS 1.2 or 1.3, in which the server has to show the key of its certificate; the certificate must be for `host`, valid today, signed without SHA-1, with a key of RSA 2048 or a curve of 256 bits, and lead to `ca` (RFC 9325, RFC 9525). SSL 3.0, TLS 1.0, TLS 1.1 and suites without encryption, without authentication, with EXPORT, DES or RC4 must be refused; TLS 1.3 and the refusal of 3DES are a matter of score. `full` adds what a web site needs: every path of target `http` leads to HTTPS by 301 or 308, HSTS over HTTPS and only there (RFC 6797), `Secure` on every cookie. Bind the tcp target `tls` to your server, and directory `certificates` to the folder with the authority's certificate, as a file *.crt.",
                "用 TLS 1.2 或 1.3 完成一次握手，服务器要在其中证明自己持有证书的私钥；证书要对应 `host`、在有效期内、不用 SHA-1 签名、密钥至少是 RSA 2048 或 256 位曲线，并且能追溯到 `ca`（RFC 9325、RFC 9525）。SSL 3.0、TLS 1.0、TLS 1.1，以及无加密、无认证、EXPORT、DES、RC4 的套件都必须拒绝；支持 TLS 1.3、拒绝 3DES 只影响得分。`full` 还检查网站需要的：目标 `http` 的每个路径都用 301 或 308 转到 HTTPS，HSTS 只在 HTTPS 上发送（RFC 6797），每个 cookie 都有 `Secure`。请把 tcp 目标 `tls` 绑定到你的服务器，把目录 `certificates` 绑定到 CA 证书（*.crt 文件）所在的文件夹。",
            ),
            capabilities: vec![
                request(
                    Capability::Tcp(TLS.to_owned()),
                    "to greet your server in every version of TLS and look at its certificate",
                    true,
                ),
                request(
                    Capability::Read(CERTIFICATES.to_owned()),
                    "to read the certificate of the authority that vouches for your server",
                    false,
                ),
                request(
                    Capability::Http(site::HTTP.to_owned()),
                    "to see that your site without TLS leads to the one with it",
                    false,
                ),
            ],
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "the server speaks TLS as it should, with a certificate of its own",
            "服务器的 TLS 符合要求，证书与它相符",
        ));
        self.judge(context, &mut report);
        report
    }
}

impl TlsBaseline {
    fn judge(&self, context: &mut Context<'_>, report: &mut Report) -> Option<()> {
        let host = ServerName::try_from(self.host.clone()).map_err(|_| {
            Fault::inconclusive(Text::new(
                format!("`host` is a name such as \"shop.test\" or an IP address, {:?} is none", self.host),
                format!("`host` 应是 \"shop.test\" 这样的名字或 IP 地址，{:?} 不是", self.host),
            ))
        });
        let spoken = host.and_then(|host| Ok((agreement::Spoken::find(context, &self.host)?, host)));
        let (spoken, host) = report.judge("speaks-tls", Need::Must, spoken, |(spoken, _)| spoken.text())?;
        let outcome = spoken.handshake(context, &host);
        let session = report.judge("handshake", Need::Must, outcome, |session| {
            let (version, suite) = (session.version().name(), session.suite());
            Text::new(
                format!("{version} with {suite}, and the server showed the key of its certificate"),
                format!("{version}，{suite}，服务器证明了它持有证书的私钥"),
            )
        });
        if let Some(session) = &session {
            identity::judge(context, report, session.chain(), (&self.host, &host), &self.ca);
        }
        spoken.judge_refusals(context, report);
        session?;
        if self.profile == Profile::Full {
            spoken.judge_extras(context, report, &host);
            site::judge(self, context, report, &host);
        }
        Some(())
    }
}

/// A failed step with its one finding.
fn wrong(code: &str, summary: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("net.tls-{code}"), summary.clone());
    Fault::fail(summary).with(finding.at(Location::Endpoint(TLS.to_owned())).hint(hint))
}
