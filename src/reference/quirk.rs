//! What may look odd about a good service.

use std::time::SystemTime;

use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{AGE, CONNECTION, ETAG, SET_COOKIE},
};
use serde_json::Value;

use super::{
    named::named,
    order::IDEMPOTENT_REPLAYED,
    random,
    reply::{Content, Layout, Reply, field},
    request::Request,
};

named! {
    /// A harmless difference: a service with it keeps every promise, so every check must still pass.
    pub enum Quirk is "quirk" {
        PutNoContent "put-no-content"
            "PUT of an item that exists answers 204 without a body."
        DeleteGone "delete-gone"
            "DELETE of an item that is gone answers 410."
        ChangingRequestId "changing-request-id"
            "Every answer carries another X-Request-Id."
        RollingCookie "rolling-cookie"
            "Every answer sets a cookie to another value."
        ChangingEtag "changing-etag"
            "Every answer to a write carries another `ETag`."
        GeneratedAt "generated-at"
            "Lists tell the time at which they were made."
        IntegerIds "integer-ids"
            "Ids are numbers."
        DataEnvelope "data-envelope"
            "The rows of every list stand under \"data\"."
        ReplayAge "replay-age"
            "A replayed answer carries Age."
        PrettyBodies "pretty-bodies"
            "JSON is indented."
        RunningTooEarly "running-too-early"
            "A key whose first request is still running answers 425."
        DuplicateConflict "duplicate-conflict"
            "A duplicate ticket answers 409 with the Location of the first."
        CloseConnection "close-connection"
            "The connection is closed after every answer."
        ChunkedBodies "chunked-bodies"
            "Bodies come in chunks, without Content-Length."
        OwnOrders "own-orders"
            "GET /orders lists the orders of the caller only."
        KeysLeased "keys-leased"
            "After a crash a key that was running answers 409 until its lock ends; then the work is done once."
    }
}

impl Quirk {
    /// Whether the difference shows only when the service is killed and started again.
    #[must_use]
    pub const fn needs_a_crash(self) -> bool {
        matches!(self, Self::KeysLeased)
    }

    /// Changes how a right answer looks.
    pub(super) fn dress(self, request: &Request, mut reply: Reply) -> Reply {
        let status = reply.status;
        match self {
            Self::PutNoContent if request.method == Method::PUT && status == StatusCode::OK => {
                Reply::no_content()
            }
            Self::DeleteGone if request.method == Method::DELETE && status == StatusCode::NOT_FOUND => {
                reply.status = StatusCode::GONE;
                reply
            }
            Self::RunningTooEarly if request.segments() == ["orders"] && status == StatusCode::CONFLICT => {
                reply.status = StatusCode::TOO_EARLY;
                reply
            }
            Self::DuplicateConflict
                if request.segments() == ["tickets"] && status == StatusCode::SEE_OTHER =>
            {
                reply.status = StatusCode::CONFLICT;
                reply
            }
            Self::ChangingEtag if !request.method.is_safe() => {
                reply.with(ETAG, field(&format!("\"{}\"", random::token())))
            }
            Self::ReplayAge if reply.headers.contains_key(IDEMPOTENT_REPLAYED) => {
                reply.with(AGE, HeaderValue::from_static("1"))
            }
            Self::PutNoContent
            | Self::DeleteGone
            | Self::RunningTooEarly
            | Self::DuplicateConflict
            | Self::ChangingEtag
            | Self::ReplayAge
            | Self::KeysLeased => reply,
            Self::ChangingRequestId => {
                reply.with(HeaderName::from_static("x-request-id"), field(&random::token()))
            }
            Self::RollingCookie => {
                reply.headers.append(SET_COOKIE, field(&format!("visit={}; Path=/", random::token())));
                reply
            }
            Self::GeneratedAt => {
                if let Some(list) = list(&mut reply) {
                    list.insert("generated_at".to_owned(), microseconds().into());
                }
                reply
            }
            Self::DataEnvelope => {
                if let Some(list) = list(&mut reply) {
                    let rows = ROWS.iter().find_map(|name| list.remove(*name));
                    list.extend(rows.map(|rows| ("data".to_owned(), rows)));
                }
                reply
            }
            Self::IntegerIds => {
                if let Content::Json(value) = &mut reply.content {
                    number_ids(value);
                }
                reply
            }
            Self::OwnOrders => {
                if let Some(list) = list(&mut reply) {
                    keep_own_orders(list, request);
                }
                reply
            }
            Self::PrettyBodies => Reply { layout: Layout::Pretty, ..reply },
            Self::ChunkedBodies => Reply { layout: Layout::Chunked, ..reply },
            Self::CloseConnection => reply.with(CONNECTION, HeaderValue::from_static("close")),
        }
    }
}

/// The members that hold the rows of a list.
const ROWS: [&str; 3] = ["items", "orders", "tickets"];

/// The document of a list, if the answer is one.
fn list(reply: &mut Reply) -> Option<&mut serde_json::Map<String, Value>> {
    match &mut reply.content {
        Content::Json(Value::Object(document)) if ROWS.iter().any(|name| document.contains_key(*name)) => {
            Some(document)
        }
        Content::None | Content::Json(_) | Content::Html(_) | Content::Text(_) => None,
    }
}

/// Leaves the orders of others out of a list of orders.
fn keep_own_orders(list: &mut serde_json::Map<String, Value>, request: &Request) {
    let Some(Value::Array(orders)) = list.get_mut("orders") else { return };
    orders.retain(|order| order["caller"] == request.caller.name());
    let count = orders.len();
    list.insert("count".to_owned(), count.into());
}

/// Turns `"id": "7"` into `"id": 7`, at any depth.
fn number_ids(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().and_then(|text| text.parse::<u64>().ok()) {
                    Some(number) if name == "id" => *member = number.into(),
                    _ => number_ids(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(number_ids),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Microseconds since 1970: fine enough that two lists differ.
fn microseconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a service tells the time by its own clock")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::client::Client, *};

    const KEY: (&str, &str) = ("idempotency-key", "k-1");

    #[tokio::test]
    async fn every_quirk_keeps_the_promises() {
        for quirk in Quirk::ALL {
            let shop = Client::quirky(*quirk);
            let order = json!({ "sku": "cup", "quantity": 1 });
            let statuses = shop.together(3, "POST /orders", &[KEY], &order).await;
            let running = if *quirk == Quirk::RunningTooEarly { 425 } else { 409 };
            assert_eq!(statuses, [201, running, running], "{quirk}");
            assert_eq!(shop.send("POST /orders", &[KEY], order).await.status, 201, "{quirk}");
            assert_eq!(shop.get("/orders").await.json()["count"], 1, "{quirk}");

            let cup = json!({ "name": "cup", "price": 3 });
            for (line, document) in
                [("POST /items", cup.clone()), ("PUT /items/1", cup), ("DELETE /items/1", Value::Null)]
            {
                assert!(shop.send(line, &[], document).await.status.is_success(), "{quirk} {line}");
            }
            assert!(shop.send("DELETE /items/1", &[], Value::Null).await.status.is_client_error(), "{quirk}");
        }
    }

    #[tokio::test]
    async fn a_put_without_content_and_a_gone_item() {
        let cup = json!({ "name": "cup", "price": 3 });
        let shop = Client::quirky(Quirk::PutNoContent);
        assert_eq!(shop.send("PUT /items/1", &[], cup.clone()).await.status, 201);
        let second = shop.send("PUT /items/1", &[], cup.clone()).await;
        assert_eq!((second.status.as_u16(), second.body.len()), (204, 0));

        let shop = Client::quirky(Quirk::DeleteGone);
        shop.send("PUT /items/1", &[], cup).await;
        assert_eq!(shop.status("DELETE /items/1").await, 204);
        assert_eq!(shop.status("DELETE /items/1").await, 410);
    }

    #[tokio::test]
    async fn fields_that_change() {
        for (quirk, line, field) in [
            (Quirk::ChangingRequestId, "GET /items", "x-request-id"),
            (Quirk::RollingCookie, "GET /items", "set-cookie"),
            (Quirk::ChangingEtag, "POST /items", "etag"),
        ] {
            let shop = Client::quirky(quirk);
            let first = shop.send(line, &[], Value::Null).await.field(field).unwrap().to_owned();
            assert_ne!(shop.send(line, &[], Value::Null).await.field(field), Some(first.as_str()), "{quirk}");
        }
    }

    #[tokio::test]
    async fn documents_that_look_different() {
        let cup = json!({ "name": "cup", "price": 3 });
        let row = json!({ "id": "1", "name": "cup", "price": 3 });

        let shop = Client::quirky(Quirk::GeneratedAt);
        let first = shop.get("/items").await.json();
        assert_eq!(first["items"], json!([]));
        assert!(shop.get("/items").await.json()["generated_at"].as_u64() > first["generated_at"].as_u64());

        let shop = Client::quirky(Quirk::DataEnvelope);
        shop.send("POST /items", &[], cup.clone()).await;
        assert_eq!(shop.get("/items").await.json(), json!({ "data": [row] }));

        let shop = Client::quirky(Quirk::IntegerIds);
        assert_eq!(shop.send("POST /items", &[], cup.clone()).await.json()["id"], 1);
        assert_eq!(shop.get("/items").await.json()["items"][0]["id"], 1);
        assert_eq!(shop.get("/items/1").await.status, 200);

        let shop = Client::quirky(Quirk::PrettyBodies);
        shop.send("POST /items", &[], cup).await;
        let answer = shop.get("/items").await;
        assert!(answer.body.starts_with(b"{\n  \"items\": ["));
        assert_eq!(answer.json(), json!({ "items": [row] }));
    }

    #[tokio::test]
    async fn a_replay_has_an_age_and_a_duplicate_its_location() {
        let shop = Client::quirky(Quirk::ReplayAge);
        let order = json!({ "sku": "cup", "quantity": 1 });
        assert_eq!(shop.send("POST /orders", &[KEY], order.clone()).await.field("age"), None);
        assert_eq!(shop.send("POST /orders", &[KEY], order).await.field("age"), Some("1"));

        let shop = Client::quirky(Quirk::DuplicateConflict);
        let ticket = json!({ "seat": "A1", "token": "t" });
        shop.send("POST /tickets", &[], ticket.clone()).await;
        let duplicate = shop.send("POST /tickets", &[], ticket).await;
        assert_eq!((duplicate.status.as_u16(), duplicate.field("location")), (409, Some("/tickets/1")));
    }

    #[tokio::test]
    async fn connections_that_close_and_bodies_without_a_length() {
        let answer = Client::quirky(Quirk::CloseConnection).get("/items").await;
        assert_eq!(answer.field("connection"), Some("close"));

        let shop = Client::quirky(Quirk::ChunkedBodies);
        let answer = shop.get("/").await;
        assert_eq!(
            (answer.field("transfer-encoding"), answer.field("content-length")),
            (Some("chunked"), None)
        );
        assert_eq!(answer.body, Client::good().get("/").await.body);
        assert_eq!(shop.send("HEAD /", &[], Value::Null).await.body.len(), 0);
    }
}
