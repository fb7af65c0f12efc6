//! The host's inner doors, for the fuzzer: what a plugin says and what a server answers, made from bytes.

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::model::{Authority, Limits, PluginInfo, Verdict};
use crate::verify::RunFault;

use super::attachment::Attachments;
use super::bundle::Bundle;
use super::contract::types::{self, Extras};
use super::contract::{Failure, http as contract, manifest};
use super::http::exchange;
use super::{description, verdict};

/// The verdict that a plugin returns when the fuzzer is the plugin.
pub(crate) fn verdict(bytes: &[u8]) -> Option<std::result::Result<Verdict, RunFault>> {
    let given = given_verdict(&mut Unstructured::new(bytes)).ok()?;
    let mut attachments = Attachments::new(&Limits::default());
    let _ = attachments.keep(b"attached".to_vec());
    let item = "fuzz.item".parse().ok()?;
    Some(verdict::convert(given, &item, &mut attachments))
}

/// What such a plugin says of itself.
pub(crate) fn description(bytes: &[u8]) -> Option<std::result::Result<PluginInfo, String>> {
    Some(description::convert(given_info(&mut Unstructured::new(bytes)).ok()?))
}

/// Bytes as what a component carries to be proven with, and as a component that carries it.
pub(crate) fn bundle(bytes: &[u8]) {
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
    let _ = Bundle::of(bytes);
    let Ok(read) = Bundle::read(bytes) else { return };
    let with = Bundle::embed(Some(&read), EMPTY).expect("what was read can be carried");
    assert_eq!(Bundle::of(&with), Ok(Some(read)));
}

/// Strings that have broken something somewhere before.
const NASTY: &[&str] = &[
    "",
    " ",
    "\u{1b}[2J",
    "\u{1b}]8;;http://evil\u{7}x\u{1b}]8;;\u{7}",
    "\u{9b}31m",
    "\u{202e}txet",
    "\u{200b}\u{feff}",
    "\u{fffe}\u{ffff}",
    "]]>",
    "<script>",
    "| a | b |",
    "::error::x",
    "a\nb",
    "\r\n",
    "`",
    "../..",
    "/etc/passwd",
    "web",
    "app/main.py",
    "text/plain",
    "one-step",
    "redis.no-expiry",
    "1.2.3",
    "acme:x",
    "{\"type\":\"object\"}",
    "{\"$ref\":\"#\"}",
];

fn string(from: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::new();
    for _ in 0..from.int_in_range(1..=3)? {
        match from.int_in_range(0..=3_u8)? {
            0..=1 => text.push_str(from.choose(NASTY)?),
            2 => text.push_str(from.arbitrary()?),
            _ => text.push_str(&from.choose(NASTY)?.repeat(from.int_in_range(0..=2_000)?)),
        }
    }
    Ok(text)
}

/// A name that is mostly one that the contract allows: what lies behind the check of names is to be reached too.
fn name(from: &mut Unstructured<'_>, good: &[&str]) -> Result<String> {
    if from.ratio(7, 8)? { Ok((*from.choose(good)?).to_owned()) } else { string(from) }
}

fn some<T>(
    from: &mut Unstructured<'_>,
    most: usize,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = from.int_in_range(0..=most)?;
    (0..count).map(|_| one(from)).collect()
}

fn optional<T>(
    from: &mut Unstructured<'_>,
    one: impl FnOnce(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    if from.arbitrary()? { Ok(Some(one(from)?)) } else { Ok(None) }
}

fn extras(from: &mut Unstructured<'_>) -> Result<Extras> {
    const KEYS: &[&str] = &["zh", "summary.zh", "title.zh", "message.zh", "hint.zh", "description.zh"];
    some(from, 2, |from| Ok((name(from, KEYS)?, string(from)?)))
}

fn status(from: &mut Unstructured<'_>) -> Result<types::Status> {
    use types::Status::{Fail, Inconclusive, Pass, Skip};
    Ok(*from.choose(&[Pass, Pass, Fail, Inconclusive, Skip])?)
}

fn given_verdict(from: &mut Unstructured<'_>) -> Result<types::Verdict> {
    Ok(types::Verdict {
        status: status(from)?,
        summary: string(from)?,
        score: optional(from, |from| {
            Ok(types::Score { earned: from.arbitrary()?, possible: from.arbitrary()? })
        })?,
        steps: some(from, 4, |from| {
            Ok(types::Step {
                id: name(from, &["one", "two", "three", "four", "five"])?,
                need: *from.choose(&[types::Need::Must, types::Need::Must, types::Need::Should])?,
                status: status(from)?,
                summary: string(from)?,
                extras: extras(from)?,
            })
        })?,
        findings: some(from, 3, finding)?,
        evidence: some(from, 2, |from| {
            Ok(types::Evidence {
                label: string(from)?,
                media_type: name(from, &["text/plain", "application/json; charset=utf-8"])?,
                body: if from.arbitrary()? {
                    types::EvidenceBody::InlineText(string(from)?)
                } else {
                    types::EvidenceBody::Stored(from.int_in_range(0..=2)?)
                },
            })
        })?,
        measurements: some(from, 3, |from| {
            Ok(types::Measurement {
                name: string(from)?,
                value: from.arbitrary()?,
                unit: string(from)?,
                samples: from.arbitrary()?,
                statistic: string(from)?,
                extras: extras(from)?,
            })
        })?,
        extras: extras(from)?,
    })
}

fn finding(from: &mut Unstructured<'_>) -> Result<types::Finding> {
    const TARGETS: &[&str] = &["web", "src"];
    use types::Severity::{Info, Problem, Warning};
    let at = optional(from, |from| {
        Ok(match from.int_in_range(0..=4_u8)? {
            0 => types::Location::Source((
                name(from, TARGETS)?,
                types::SourceSpan {
                    path: name(from, &["app/main.py", "Makefile"])?,
                    line: from.arbitrary()?,
                    column: from.arbitrary()?,
                    end_line: from.arbitrary()?,
                    end_column: from.arbitrary()?,
                },
            )),
            1 => types::Location::Exchange((name(from, TARGETS)?, string(from)?)),
            2 => types::Location::Endpoint(name(from, TARGETS)?),
            3 => types::Location::Process(name(from, TARGETS)?),
            _ => types::Location::Note(string(from)?),
        })
    })?;
    Ok(types::Finding {
        severity: *from.choose(&[Info, Warning, Problem])?,
        code: name(from, &["redis.no-expiry", "twice"])?,
        message: string(from)?,
        at,
        hint: optional(from, string)?,
        extras: extras(from)?,
    })
}

fn given_info(from: &mut Unstructured<'_>) -> Result<manifest::PluginInfo> {
    Ok(manifest::PluginInfo {
        id: name(from, &["acme:http-extra", "test-guest"])?,
        version: name(from, &["1.2.3", "0.1.0-rc.1+build"])?,
        title: string(from)?,
        license: string(from)?,
        homepage: string(from)?,
        checks: some(from, 3, check)?,
        extras: extras(from)?,
    })
}

fn check(from: &mut Unstructured<'_>) -> Result<manifest::Check> {
    const SCHEMAS: &[&str] = &[
        "",
        r##"{"$ref":"#"}"##,
        r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#,
        r#"{"pattern":"(a+)+$"}"#,
        r#"{"$ref":"http://example.org/schema"}"#,
    ];
    Ok(manifest::Check {
        id: name(from, &["probe", "other", "third"])?,
        title: string(from)?,
        description: string(from)?,
        params_schema: name(from, SCHEMAS)?,
        capabilities: some(from, 3, |from| {
            use manifest::Capability as Asked;
            let target = name(from, &["web", "src", "db"])?;
            Ok(manifest::CapabilityRequest {
                capability: match from.int_in_range(0..=7_u8)? {
                    0 => Asked::Http(target),
                    1 => Asked::Tcp(target),
                    2 => Asked::Udp(target),
                    3 => Asked::Listen,
                    4 => Asked::ReadDir(target),
                    5 => Asked::Scratch(target),
                    6 => Asked::Env(name(from, &["PATH", "_A1"])?),
                    _ => Asked::Process(target),
                },
                reason: string(from)?,
                required: from.arbitrary()?,
            })
        })?,
        typical_millis: from.arbitrary()?,
        exclusive: from.arbitrary()?,
        extras: extras(from)?,
    })
}

/// How long the client may wait for a server that the fuzzer is: it answers at once or never.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends one request to a server whose whole answer is `answer`, and checks what the client makes of it. The first byte
/// says how much of the answer is kept and where a pause is.
///
/// # Panics
///
/// Where the client keeps more than it was asked to, counts wrongly or takes longer than it may.
pub(crate) fn answer(bytes: &[u8]) {
    let Some((&first, answer)) = bytes.split_first() else { return };
    let keep = u32::from(first & 0x0f) * 16;
    let pause = answer.len() * usize::from(first >> 4) / 16;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let began = Instant::now();
    let given = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let answer = answer.to_vec();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(&answer[..pause]).await;
            tokio::task::yield_now().await;
            let _ = stream.write_all(&answer[pause..]).await;
            let _ = stream.shutdown().await;
        });
        let request = contract::Request {
            method: "GET".to_owned(),
            path_and_query: "/".to_owned(),
            headers: vec![],
            body: vec![],
            timeout_millis: u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX),
            max_body_bytes: keep,
            after_millis: 0,
            extras: vec![],
        };
        exchange(Authority { host: "127.0.0.1".to_owned(), port }, request).await
    });
    assert!(began.elapsed() < PATIENCE * 20, "an exchange took {:?}", began.elapsed());
    match given {
        Ok(response) => {
            assert!(response.body.len() <= keep as usize);
            assert!(response.body_bytes >= response.body.len() as u64);
            assert!(response.body_bytes <= answer.len() as u64);
            assert_eq!(response.truncated, response.body_bytes > response.body.len() as u64);
            assert!((100..=999).contains(&response.status));
            // Empty lines before the answer are skipped (RFC 9112, 2.2).
            let told = answer.trim_ascii_start();
            assert!(told.starts_with(b"HTTP/1."), "an answer was made of something else");
        }
        Err(failure) => {
            let words = super::failure::words(&failure);
            assert_eq!(words, crate::model::plain(&words), "{failure:?}");
            assert!(!matches!(failure, Failure::Denied(_) | Failure::Unbound(_)), "{failure:?}");
        }
    }
}
