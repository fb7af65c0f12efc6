//! `net/tls-baseline` against the reference site behind TLS.

use std::time::Duration;

use mustdo::model::{Address, Place};
use mustdo_reference::tls::{self, Flaw};
use serde_json::json;

use super::{Column, Kind, Matrix, Row, Subject, Wrong, expect_nothing_told};

const PLUGIN: &str = "net";

/// The check in its two profiles, by their labels.
const BOTH: [&str; 2] = ["tls-baseline", "full"];

fn columns() -> Vec<Column> {
    let full = Column::new("tls-baseline", json!({ "profile": "full" }));
    vec![Column::new("tls-baseline", json!({})), Column { label: "full", ..full }]
}

/// The site inside this process, with what a learner would write about it.
fn subject(flaw: Option<Flaw>, with_rsa: bool) -> Subject {
    let site = tls::start(flaw, with_rsa).unwrap();
    let plain = site.plain();
    let address = Address { host: plain.ip().to_string(), port: Some(plain.port()) };
    Subject::tcp("tls", site.address())
        .with("http", Place::Http { address, prefix: String::new() }, None)
        .asked_with(json!({ "host": tls::HOST, "ca": tls::AUTHORITY }))
        .keeping(site)
}

/// What a mistake is, from its name.
fn kind(flaw: Flaw) -> Kind {
    match flaw.name().split_once('/').unwrap().0 {
        "tls-baseline" => Kind::Flaw(BOTH.to_vec()),
        "full" => Kind::Flaw(vec!["full"]),
        "weak" => Kind::Weak(BOTH.to_vec()),
        "weak-full" => Kind::Weak(vec!["full"]),
        "trap" => Kind::Trap,
        other => panic!("no check is called {other}"),
    }
}

fn matrix() -> Matrix {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/src/tls/certificate");
    let mut rows = vec![
        Row::new("site", "The good site: P-256, with an intermediate certificate.", Kind::Good, || {
            subject(None, false)
        }),
        Row::new("site-rsa", "The good site with a key of RSA.", Kind::Good, || subject(None, true)),
        Row::new("site-folder", "The good site, its authority in a folder.", Kind::Good, move || {
            subject(None, false)
                .with_folder("certificates", certificates)
                .asked_with(json!({ "ca": "root.crt" }))
        }),
        Row::new("site-address", "The good site with RSA, known by its address.", Kind::Good, || {
            subject(None, true).asked_with(json!({ "host": "127.0.0.1" }))
        })
        .only(&["tls-baseline"]),
        Row::new(
            "site-self-signed",
            "A certificate that vouches for itself, and is trusted.",
            Kind::Odd,
            || subject(Some(Flaw::SelfSigned), false).asked_with(json!({ "ca": tls::SELF_SIGNED })),
        ),
        Row::new("trap/nobody-trusted", "Nobody said whom clients trust.", Kind::Trap, || {
            subject(None, false).asked_with(json!({ "ca": "" }))
        }),
        Row::new(
            "trap/secret-file",
            "The authority is named as a file that counts as secret.",
            Kind::Trap,
            move || {
                subject(None, false)
                    .with_folder("certificates", certificates)
                    .asked_with(json!({ "ca": "server.key" }))
            },
        ),
        Row::new("trap/without-http", "Nobody said where the site is without TLS.", Kind::Trap, || {
            let site = tls::start(None, false).unwrap();
            Subject::tcp("tls", site.address())
                .asked_with(json!({ "host": tls::HOST, "ca": tls::AUTHORITY }))
                .keeping(site)
        })
        .only(&["full"]),
        Row::new("trap/no-such-page", "The pages that are named are not there.", Kind::Trap, || {
            subject(None, false).asked_with(json!({ "pages": ["/nowhere"] }))
        })
        .only(&["full"]),
    ];
    rows.extend(Flaw::ALL.iter().copied().map(|flaw| {
        Row::new(flaw.name(), flaw.summary(), kind(flaw), move || subject(Some(flaw), false)).slow()
    }));
    Matrix {
        plugin: PLUGIN,
        page: "net-tls",
        introduction: "\
Every server is the reference site inside the test, with TLS of rustls and one thing different; what rustls agrees to no more
is agreed to by hand. `full` is the check in its profile of that name.",
        columns: columns(),
        rows,
        entangled: vec![],
    }
}

#[test]
fn every_site_is_told() {
    matrix().prove();
}

#[test]
fn no_verdict_about_a_good_site_depends_on_the_seed_or_on_what_else_runs() {
    matrix().repeat_the_good(3);
}

#[tokio::test]
async fn where_no_tls_is_spoken_nothing_is_told() {
    let cases: [(Wrong, u64, &[&str]); 7] = [
        (Wrong::Closed, 2, &["is it running"]),
        (Wrong::Silent, 8, &["another protocol"]),
        (Wrong::Garbage, 3, &["no TLS is spoken here"]),
        (Wrong::Web, 8, &["this looks like HTTP"]),
        (Wrong::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 2, &["this looks like HTTP"]),
        (Wrong::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), 2, &["SSH"]),
        (Wrong::Says(b"\x15\x03\x01\0\x02\x02\x28"), 2, &["handshake_failure"]),
    ];
    for (wrong, seconds, words) in cases {
        let subject = |address| Subject::tcp("tls", address).asked_with(json!({ "ca": tls::AUTHORITY }));
        let within = Duration::from_secs(seconds);
        expect_nothing_told(PLUGIN, &columns()[..1], wrong, subject, within, words).await;
    }
}

/// nginx, as people configure it.
#[cfg(feature = "live-servers")]
mod live {
    use std::process::Command;

    use super::*;
    use crate::launch::free_address;
    use crate::proof::served::run;

    /// nginx of Debian with these lines in its server, and a certificate by its name.
    fn nginx(name: &str, summary: &str, kind: Kind, certificate: &'static str, lines: &'static str) -> Row {
        Row::new(name, summary, kind, move || {
            let (address, plain) = (free_address(), free_address());
            let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
            let folder = format!("{tests}/reference/src/tls/certificate");
            let key = if certificate.starts_with("rsa") { certificate } else { "server" };
            let settings = format!(
                "ssl_certificate {folder}/{certificate}.crt; ssl_certificate_key {folder}/{key}.key; {lines}"
            );
            let all = std::fs::read_to_string(format!("{tests}/servers/tls/nginx.conf")).unwrap();
            let all = all
                .replace("SETTINGS", &settings)
                .replace("PLAIN", &plain.port().to_string())
                .replace(":TLS", &format!(":{}", address.port()));
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("nginx.conf"), all).unwrap();
            let mut program = Command::new("/usr/sbin/nginx");
            program.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
            let place = Address { host: plain.ip().to_string(), port: Some(plain.port()) };
            Subject::tcp("tls", address)
                .with("http", Place::Http { address: place, prefix: String::new() }, None)
                .asked_with(json!({ "host": tls::HOST, "ca": tls::AUTHORITY }))
                .keeping(run(program, folder, &[address, plain]))
        })
    }

    #[test]
    fn nginx_is_told() {
        let (new, both) = ("ssl_protocols TLSv1.2 TLSv1.3;", BOTH.to_vec());
        let rows = vec![
            nginx("nginx", "nginx with TLS 1.2 and 1.3.", Kind::Good, "fullchain", new),
            nginx(
                "nginx-rsa",
                "nginx with a key of RSA, TLS 1.2, one suite and P-384 alone.",
                Kind::Odd,
                "rsa",
                "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384; ssl_ecdh_curve secp384r1;",
            ),
            nginx(
                "nginx-defaults",
                "nginx 1.22 as it comes, which does not offer TLS 1.3.",
                Kind::Weak(both.clone()),
                "fullchain",
                "",
            ),
            nginx(
                "nginx-old",
                "nginx for clients of the last century.",
                Kind::Flaw(both.clone()),
                "fullchain",
                "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;",
            ),
            nginx(
                "nginx-anonymous",
                "nginx with every suite that OpenSSL has.",
                Kind::Flaw(both.clone()),
                "fullchain",
                "ssl_protocols TLSv1.2; ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;",
            ),
            nginx(
                "nginx-rsa-1024",
                "nginx with a key of RSA with 1024 bits.",
                Kind::Flaw(both.clone()),
                "rsa-1024",
                "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0;",
            ),
            nginx(
                "nginx-alone",
                "nginx without the intermediate certificate.",
                Kind::Flaw(both),
                "chained",
                new,
            ),
        ];
        let introduction = "\
nginx of Debian as people configure it, with what it and OpenSSL still agree to when they are told to. These run with the feature
`live-servers`.";
        Matrix { page: "net-tls-live", introduction, rows, entangled: vec![], ..matrix() }.prove();
    }
}
