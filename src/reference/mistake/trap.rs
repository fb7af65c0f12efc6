//! Services that a careless check takes for good ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderValue, Method, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use crate::reference::{
    page, random,
    reply::{Content, Reply},
    request::Request,
    route,
    shop::Shop,
};

/// Longer than a check waits for one answer.
const LATE: Duration = Duration::from_secs(12);

/// Requests that are answered before the others are refused.
const QUOTA: u32 = 10;

/// How many requests came so far.
#[derive(Debug, Default)]
pub(super) struct Quota {
    used: AtomicU32,
}

impl Quota {
    pub(super) fn take(&self) -> Option<Reply> {
        let is_left = self.used.fetch_add(1, Ordering::Relaxed) < QUOTA;
        (!is_left)
            .then(|| always(StatusCode::TOO_MANY_REQUESTS).with(RETRY_AFTER, HeaderValue::from_static("60")))
    }
}

pub(super) fn always(status: StatusCode) -> Reply {
    let reason = status.canonical_reason().unwrap_or_default();
    let reply = Reply::json(status, json!({ "error": reason }));
    if status == StatusCode::UNAUTHORIZED {
        return reply.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    reply
}

/// What a single-page application answers to every path that it does not know.
pub(super) fn constant_page() -> Reply {
    Reply::page(page::html("Welcome", "<p>Nothing else is here.</p>"))
}

/// The work is done, but no answer can be believed.
pub(super) async fn random_body(shop: &Arc<Shop>, request: &Request) -> Reply {
    let mut reply = route::answer(shop, request).await;
    if let Content::Json(value) = &mut reply.content {
        scramble(value);
    }
    reply
}

/// Replaces every value by a random one of its type; a list of rows gets a random number of them.
fn scramble(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Bool(truth) => *truth = random::number().is_multiple_of(2),
        Value::Number(number) => *number = (random::number() % 1000).into(),
        Value::String(text) => *text = random::token(),
        Value::Array(rows) => {
            let row = json!({ "id": "", "name": "", "price": 0, "sku": "", "quantity": 0, "seat": "", "caller": "" });
            let count = usize::try_from(random::number() % 9).unwrap_or_default();
            *rows = vec![row; count];
            rows.iter_mut().for_each(scramble);
        }
        Value::Object(members) => members.values_mut().for_each(scramble),
    }
}

/// Says yes to every write.
pub(super) fn stores_nothing(request: &Request) -> Option<Reply> {
    if request.method == Method::POST {
        let path = format!("/{}/{}", request.segments().join("/"), random::number() % 1_000_000);
        return Some(Reply::created(&path, echo(request)));
    }
    if request.method == Method::PUT {
        return Some(Reply::json(StatusCode::OK, echo(request)));
    }
    (request.method == Method::DELETE).then(Reply::no_content)
}

/// The document of the request, with an id.
fn echo(request: &Request) -> Value {
    let mut document = request.json().unwrap_or_else(|_| json!({}));
    if let Value::Object(members) = &mut document {
        members.insert("id".to_owned(), random::number().to_string().into());
    }
    document
}

/// Does everything right, and too late.
pub(super) async fn late(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    tokio::time::sleep(LATE).await;
    Some(route::answer(shop, request).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Flaw, client::Client};

    const LINES: [&str; 5] = ["GET /", "GET /items", "HEAD /items/1", "POST /orders", "DELETE /items/1"];

    #[tokio::test]
    async fn one_status_for_everything() {
        for (flaw, status) in [
            (Flaw::AlwaysMissing, 404),
            (Flaw::AlwaysFails, 500),
            (Flaw::AlwaysUnauthorized, 401),
            (Flaw::AlwaysUnsupported, 415),
            (Flaw::ConstantPage, 200),
        ] {
            let shop = Client::flawed(flaw);
            for line in LINES {
                assert_eq!(shop.status(line).await, status, "{flaw} {line}");
            }
        }
    }

    #[tokio::test]
    async fn one_page_for_everything() {
        let shop = Client::flawed(Flaw::ConstantPage);
        assert_eq!(shop.get("/items").await.body, shop.get("/nothing").await.body);
    }

    #[tokio::test]
    async fn random_bodies_differ_and_the_work_is_done() {
        let shop = Client::flawed(Flaw::RandomBodies);
        let cup = json!({ "name": "cup", "price": 3 });
        let first = shop.send("POST /items", &[], cup.clone()).await;
        assert_eq!((first.status.as_u16(), first.field("location")), (201, Some("/items/1")));
        assert_ne!(first.json()["name"], "cup");
        assert_ne!(shop.get("/items/1").await.body, shop.get("/items/1").await.body);
        assert!(shop.get("/items").await.json()["items"].is_array());
    }

    #[tokio::test]
    async fn every_write_is_welcome_and_none_is_kept() {
        let shop = Client::flawed(Flaw::StoresNothing);
        let created = shop.send("POST /items", &[], json!({ "name": "cup", "price": 3 })).await;
        assert_eq!((created.status.as_u16(), &created.json()["name"]), (201, &json!("cup")));
        assert!(created.field("location").unwrap().starts_with("/items/"));
        assert_eq!(shop.send("PUT /items/1", &[], json!({ "name": "cup", "price": 3 })).await.status, 200);
        assert_eq!(shop.status("DELETE /items/1").await, 204);
        assert_eq!(shop.rows("/items").await.len(), 0);
    }

    #[tokio::test]
    async fn the_eleventh_request_is_too_many() {
        let shop = Client::flawed(Flaw::TooManyRequests);
        for _ in 0..10 {
            assert_eq!(shop.status("GET /items").await, 200);
        }
        for _ in 0..2 {
            assert_eq!(shop.status("GET /items").await, 429);
        }
    }

    #[tokio::test]
    async fn a_late_answer_is_not_there_after_a_second() {
        let shop = Client::flawed(Flaw::AnswersLate);
        assert!(tokio::time::timeout(Duration::from_secs(1), shop.get("/items")).await.is_err());
    }
}
