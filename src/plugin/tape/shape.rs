//! The records, enums and variants of the contract, field by field and case by case.
//!
//! Writing takes a value apart whole, so that a field or a case that the contract gains is an error here until it is
//! written, too.

use serde_json::{Map, Value};

use crate::model::Mask;
use crate::plugin::contract::{Failure, RunError, control, files, http, process, tcp, types};

use super::written::{Unreadable, Written, case, cases, entry, unreadable};

macro_rules! records {
    ($($record:path { $($field:ident)* })*) => {
        $(impl Written for $record {
            fn write(&self, mask: &Mask) -> Value {
                let Self { $($field),* } = self;
                Value::Object(Map::from_iter([$((stringify!($field).to_owned(), $field.write(mask))),*]))
            }

            fn read(value: &Value) -> Result<Self, Unreadable> {
                Ok(Self {
                    $($field: entry(value, stringify!($field)).and_then(Written::read).map_err(|error: Unreadable| {
                        format!("{error} as {}", stringify!($field))
                    })?),*
                })
            }
        })*
    };
}

records! {
    http::Options { keep_alive source extras }
    http::Request { method path_and_query headers body timeout_millis max_body_bytes after_millis extras }
    http::Response { status headers body body_bytes truncated timing extras }
    http::Timing { started_nanos connect_nanos first_byte_nanos total_nanos }
    tcp::Options { source receive_buffer no_delay timeout_millis }
    tcp::Endpoint { address port }
    files::Entry { path kind size }
    process::Command { target args env }
    process::Exit { code signal wall_nanos }
    process::Facts {
        pid parent command threads resident_bytes peak_resident_bytes user_nanos system_nanos open_files state
        ended_children_nanos waited_nanos
    }
    process::SocketRow { state local_port peer_port }
    types::Score { earned possible }
    types::Step { id need status summary extras }
    types::SourceSpan { path line column end_line end_column }
    types::Finding { severity code message at hint extras }
    types::Measurement { name value unit samples statistic extras }
    types::Evidence { label media_type body }
    types::Verdict { status summary score steps findings evidence measurements extras }
}

macro_rules! enums {
    ($($name:path { $($case:ident $word:literal)* })*) => {
        $(impl Written for $name {
            fn write(&self, _: &Mask) -> Value {
                match self {
                    $(Self::$case => $word.into(),)*
                }
            }

            fn read(value: &Value) -> Result<Self, Unreadable> {
                match value.as_str() {
                    $(Some($word) => Ok(Self::$case),)*
                    _ => Err(unreadable(concat!("one of", $(" \"", $word, "\""),*))),
                }
            }
        })*
    };
}

enums! {
    control::Level { Debug "debug" Info "info" Warn "warn" Error "error" }
    files::Kind { File "file" Directory "directory" Symlink "symlink" Other "other" }
    process::Output { Stdout "stdout" Stderr "stderr" }
    process::Signal {
        Terminate "terminate" Interrupt "interrupt" Kill "kill" Stop "stop" Resume "resume" HangUp "hang-up"
        User1 "user1" User2 "user2"
    }
    types::Status { Pass "pass" Fail "fail" Inconclusive "inconclusive" Skip "skip" }
    types::Severity { Info "info" Warning "warning" Problem "problem" }
    types::Need { Must "must" Should "should" }
}

/// Cases with one value each, and perhaps one without.
macro_rules! variants {
    ($($name:path { $($case:ident $word:literal)* $(; $bare:ident $bare_word:literal)? })*) => {
        $(impl Written for $name {
            fn write(&self, mask: &Mask) -> Value {
                match self {
                    $(Self::$case(value) => case($word, value.write(mask)),)*
                    $(Self::$bare => $bare_word.into(),)?
                }
            }

            fn read(value: &Value) -> Result<Self, Unreadable> {
                match cases(value)? {
                    $(($word, value) => Written::read(value).map(Self::$case),)*
                    $(($bare_word, Value::Null) => Ok(Self::$bare),)?
                    (other, _) => Err(format!("there is no case \"{other}\" with such a value")),
                }
            }
        })*
    };
}

variants! {
    Failure {
        Denied "denied" Unbound "unbound" Unreachable "unreachable" OverLimit "over-limit" Protocol "protocol"
        Other "other"; TimedOut "timed-out"
    }
    types::Location {
        Source "source" Exchange "exchange" Endpoint "endpoint" Process "process" Note "note"
    }
    types::EvidenceBody { InlineText "inline-text" Stored "stored" }
    RunError { UnknownCheck "unknown-check" BadParams "bad-params" Internal "internal" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exchange_reads_as_it_was_sent() {
        let request = http::Request {
            method: "POST".to_owned(),
            path_and_query: "/orders?x=1".to_owned(),
            headers: vec![("Content-Type".to_owned(), b"application/json".to_vec())],
            body: b"{\"sku\":\"cup\"}".to_vec(),
            timeout_millis: 0,
            max_body_bytes: 100,
            after_millis: 5,
            extras: vec![],
        };
        let written = request.write(&Mask::default());
        let expected = json!({
            "method": "POST",
            "path_and_query": "/orders?x=1",
            "headers": [["Content-Type", "application/json"]],
            "body": "{\"sku\":\"cup\"}",
            "timeout_millis": 0,
            "max_body_bytes": 100,
            "after_millis": 5,
            "extras": [],
        });
        assert_eq!(written, expected);
        assert_eq!(http::Request::read(&written).unwrap().write(&Mask::default()), expected);
    }

    #[test]
    fn every_failure_comes_back() {
        let words = || "why".to_owned();
        for (failure, written) in [
            (Failure::Denied(words()), json!({ "denied": "why" })),
            (Failure::Unbound(words()), json!({ "unbound": "why" })),
            (Failure::Unreachable(words()), json!({ "unreachable": "why" })),
            (Failure::TimedOut, json!("timed-out")),
            (Failure::OverLimit(words()), json!({ "over-limit": "why" })),
            (Failure::Protocol(words()), json!({ "protocol": "why" })),
            (Failure::Other(words()), json!({ "other": "why" })),
        ] {
            assert_eq!(failure.write(&Mask::default()), written);
            assert_eq!(Failure::read(&written).unwrap().write(&Mask::default()), written);
        }
        assert!(Failure::read(&json!({ "timed-out": "why" })).is_err());
        assert!(Failure::read(&json!("denied")).is_err());
    }

    #[test]
    fn missing_and_wrong_fields_are_named() {
        let error = tcp::Endpoint::read(&json!({ "address": "127.0.0.1" })).unwrap_err();
        assert_eq!(error, "\"port\" is missing as port");
        let error = tcp::Endpoint::read(&json!({ "address": "127.0.0.1", "port": 70_000 })).unwrap_err();
        assert_eq!(error, "expected a number of the type u16 as port");
    }

    #[test]
    fn secrets_are_taken_out_of_text_and_of_bytes() {
        let mask = Mask::new(["hunter22"]);
        let endpoint = tcp::Endpoint { address: "hunter22".to_owned(), port: 1 };
        assert_eq!(endpoint.write(&mask), json!({ "address": "***", "port": 1 }));
        assert_eq!(b"\xffhunter22".to_vec().write(&mask), json!({ "base64": "/yoqKg==" }));
        assert_eq!(Failure::Other("aHVudGVyMjI=".to_owned()).write(&mask), json!({ "other": "***=" }));
    }
}
