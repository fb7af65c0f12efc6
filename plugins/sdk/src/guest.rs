//! The contract's side: generated bindings, the host behind its imports, and conversions. Nothing here is for authors.

mod files;
mod network;
mod program;

use std::time::Duration;

use bindings::mustdo::verifier::{attachments, clock, control, failures, http, manifest, types};

pub use bindings::exports::mustdo::verifier::plugin::{Guest, PluginInfo, RunError, RunRequest, Verdict};

use crate::host::{Connection, Host, Level};
use crate::http::{Options, Request, Response, Timing};
use crate::verdict::{EvidenceBody, Finding, Location, Need, Severity, Status, Step};
use crate::{Capability, Context, Failure, Plugin, Text};

// The larger world: a component imports only those of its interfaces that the code in it can reach.
#[expect(missing_docs, reason = "generated from the contract")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "verifier-with-process",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "mustdo_plugin::guest::bindings",
    });
}

/// Answers `describe`; touches no import.
#[must_use]
pub fn describe(plugin: &Plugin) -> PluginInfo {
    let checks = plugin.checks().map(|(id, info, params_schema)| manifest::Check {
        id: id.to_owned(),
        title: info.title.en,
        description: info.description.en,
        params_schema,
        capabilities: info.capabilities.into_iter().map(capability).collect(),
        typical_millis: u32::try_from(info.typical.as_millis()).unwrap_or(u32::MAX),
        exclusive: info.exclusive,
        extras: vec![
            ("title.zh".to_owned(), info.title.zh),
            ("description.zh".to_owned(), info.description.zh),
        ],
    });
    PluginInfo {
        id: plugin.id().to_owned(),
        version: plugin.version().to_owned(),
        title: plugin.title().en.clone(),
        license: plugin.licence().to_owned(),
        homepage: plugin.website().to_owned(),
        checks: checks.collect(),
        extras: vec![
            ("title.zh".to_owned(), plugin.title().zh.clone()),
            ("description".to_owned(), plugin.description().en.clone()),
            ("description.zh".to_owned(), plugin.description().zh.clone()),
        ],
    }
}

/// Answers `run`.
pub fn run(plugin: &Plugin, request: RunRequest) -> Result<Verdict, RunError> {
    // A panic ends as a bare trap; its words would be lost without this.
    std::panic::set_hook(Box::new(|panic| control::log(control::Level::Error, &panic.to_string())));
    let mut context = Context::new(&Imports, request.targets, request.seed);
    match plugin.run(&request.check, &request.params, &mut context) {
        Ok(found) => Ok(verdict(found)),
        Err(crate::RunError::UnknownCheck(check)) => Err(RunError::UnknownCheck(check)),
        Err(crate::RunError::BadParams(why)) => Err(RunError::BadParams(why)),
    }
}

/// The host behind the component's imports.
pub(crate) struct Imports;

impl Host for Imports {
    fn open_http(&self, target: &str, options: &Options) -> Result<Box<dyn Connection>, Failure> {
        let options = http::Options {
            keep_alive: options.keep_alive,
            source: options.source.clone(),
            extras: Vec::new(),
        };
        let client = http::open(target, &options).map_err(failure)?;
        Ok(Box::new(client))
    }

    fn progress(&self, fraction: Option<f32>, message: &str) {
        control::report_progress(fraction, message);
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => control::Level::Debug,
            Level::Info => control::Level::Info,
            Level::Warn => control::Level::Warn,
            Level::Error => control::Level::Error,
        };
        control::log(level, message);
    }

    fn time_left(&self) -> Duration {
        Duration::from_millis(control::millis_left())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(clock::monotonic_nanos())
    }

    fn unix_time(&self) -> Duration {
        Duration::from_millis(clock::unix_millis())
    }

    fn sleep(&self, duration: Duration) {
        clock::sleep_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }

    fn random_bytes(&self, length: u32) -> Vec<u8> {
        clock::random_bytes(length)
    }

    fn attach(&self, label: &str, media_type: &str, bytes: &[u8]) -> Result<u32, Failure> {
        attachments::attach(label, media_type, bytes).map_err(failure)
    }
}

impl Connection for http::Client {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        http::Client::send(self, &outgoing(request)).map(incoming).map_err(failure)
    }

    fn send_all(
        &self,
        requests: &[Request],
        concurrency: u32,
    ) -> Result<Vec<Result<Response, Failure>>, Failure> {
        let requests: Vec<_> = requests.iter().map(outgoing).collect();
        let answers = http::Client::send_all(self, &requests, concurrency).map_err(failure)?;
        Ok(answers.into_iter().map(|answer| answer.map(incoming).map_err(failure)).collect())
    }
}

fn outgoing(request: &Request) -> http::Request {
    http::Request {
        method: request.method.clone(),
        path_and_query: request.path.clone(),
        headers: request
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
            .collect(),
        body: request.body.clone(),
        timeout_millis: millis(request.timeout),
        max_body_bytes: request.keep_bytes,
        after_millis: millis(request.after),
        extras: if request.hold { vec![("mustdo.hold".to_owned(), "yes".to_owned())] } else { Vec::new() },
    }
}

/// Rounded up: nothing but zero becomes zero, which leaves the time to the host.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

fn incoming(response: http::Response) -> Response {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Response {
        status: response.status,
        headers: response.headers.into_iter().map(|(name, value)| (name, text(value))).collect(),
        body: response.body,
        body_bytes: response.body_bytes,
        truncated: response.truncated,
        timing: Timing {
            started: Duration::from_nanos(response.timing.started_nanos),
            connect: Duration::from_nanos(response.timing.connect_nanos),
            first_byte: Duration::from_nanos(response.timing.first_byte_nanos),
            total: Duration::from_nanos(response.timing.total_nanos),
        },
    }
}

fn failure(failure: failures::Failure) -> Failure {
    match failure {
        failures::Failure::Denied(grant) => Failure::Denied(grant),
        failures::Failure::Unbound(target) => Failure::Unbound(target),
        failures::Failure::Unreachable(why) => Failure::Unreachable(why),
        failures::Failure::TimedOut => Failure::TimedOut,
        failures::Failure::OverLimit(limit) => Failure::OverLimit(limit),
        failures::Failure::Protocol(why) => Failure::Protocol(why),
        failures::Failure::Other(why) => Failure::Other(why),
    }
}

fn capability(request: crate::CapabilityRequest) -> manifest::CapabilityRequest {
    manifest::CapabilityRequest {
        capability: match request.capability {
            Capability::Http(target) => manifest::Capability::Http(target),
            Capability::Tcp(target) => manifest::Capability::Tcp(target),
            Capability::Udp(target) => manifest::Capability::Udp(target),
            Capability::Listen => manifest::Capability::Listen,
            Capability::Read(target) => manifest::Capability::ReadDir(target),
            Capability::Scratch(target) => manifest::Capability::Scratch(target),
            Capability::Process(target) => manifest::Capability::Process(target),
        },
        reason: request.reason,
        required: request.required,
    }
}

fn verdict(verdict: crate::verdict::Verdict) -> Verdict {
    Verdict {
        status: status(verdict.status),
        summary: verdict.summary.en,
        score: verdict.score.map(|score| types::Score { earned: score.earned, possible: score.possible }),
        steps: verdict.steps.into_iter().map(step).collect(),
        findings: verdict.findings.into_iter().map(finding).collect(),
        evidence: verdict.evidence.into_iter().map(evidence).collect(),
        measurements: verdict.measurements.into_iter().map(measurement).collect(),
        extras: vec![("summary.zh".to_owned(), verdict.summary.zh)],
    }
}

fn status(status: Status) -> types::Status {
    match status {
        Status::Pass => types::Status::Pass,
        Status::Fail => types::Status::Fail,
        Status::Inconclusive => types::Status::Inconclusive,
        Status::Skip => types::Status::Skip,
    }
}

fn step(step: Step) -> types::Step {
    types::Step {
        id: step.id,
        need: match step.need {
            Need::Must => types::Need::Must,
            Need::Should => types::Need::Should,
        },
        status: status(step.status),
        summary: step.summary.en,
        extras: vec![("zh".to_owned(), step.summary.zh)],
    }
}

fn finding(finding: Finding) -> types::Finding {
    let Text { en, zh } = finding.message;
    let mut extras = vec![("message.zh".to_owned(), zh)];
    let hint = finding.hint.map(|hint| {
        extras.push(("hint.zh".to_owned(), hint.zh));
        hint.en
    });
    types::Finding {
        severity: match finding.severity {
            Severity::Info => types::Severity::Info,
            Severity::Warning => types::Severity::Warning,
            Severity::Problem => types::Severity::Problem,
        },
        code: finding.code,
        message: en,
        at: finding.at.map(|at| match at {
            Location::Exchange(target, line) => types::Location::Exchange((target, line)),
            Location::Endpoint(target) => types::Location::Endpoint(target),
            Location::Process(target) => types::Location::Process(target),
            Location::Note(words) => types::Location::Note(words),
        }),
        hint,
        extras,
    }
}

fn evidence(evidence: crate::verdict::Evidence) -> types::Evidence {
    types::Evidence {
        label: evidence.label,
        media_type: evidence.media_type,
        body: match evidence.body {
            EvidenceBody::Inline(text) => types::EvidenceBody::InlineText(text),
            EvidenceBody::Stored(handle) => types::EvidenceBody::Stored(handle),
        },
    }
}

fn measurement(measurement: crate::verdict::Measurement) -> types::Measurement {
    types::Measurement {
        name: measurement.name,
        value: measurement.value,
        unit: measurement.unit,
        samples: measurement.samples,
        statistic: measurement.statistic,
        extras: Vec::new(),
    }
}
