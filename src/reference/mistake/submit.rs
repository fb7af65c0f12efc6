//! Submissions that are done twice, or not at all.

use std::sync::Arc;

use http::Method;
use tokio::sync::Mutex;

use super::submission::{Submission, Tokens, duplicate, is_submission};
use crate::reference::{page, reply::Reply, request::Request, service::WORKERS, shop::Shop};

/// A lock for each process of the service; the database is one for all.
#[derive(Debug, Default)]
pub(super) struct Workers {
    locks: [Mutex<()>; WORKERS],
}

/// Between the look and the insert there is time for another request to look.
pub(super) async fn check_then_insert(shop: &Arc<Shop>, request: &Request, tokens: &Tokens) -> Option<Reply> {
    let submission = Submission::read(shop, request)?;
    Some(look_work_insert(&submission, tokens).await)
}

/// A page is not the only client, and a reload is not a click.
pub(super) async fn browser_only(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    const FORM: &str = r#"<form method="post" action="/tickets" onsubmit="this.querySelector('button').disabled = true">
<input name="seat"><button>Order</button></form>"#;
    if request.segments().is_empty() && request.routed_method() == Method::GET {
        return Some(Reply::page(page::html("Shop", FORM)).with_etag());
    }
    let submission = Submission::read(shop, request)?;
    submission.work().await;
    Some(submission.insert())
}

/// The unique key is there, but it guards the token and not the effect.
pub(super) async fn token_after_work(shop: &Arc<Shop>, request: &Request, tokens: &Tokens) -> Option<Reply> {
    let submission = Submission::read(shop, request)?;
    if let Some(reply) = submission.seen(tokens, &submission.token) {
        return Some(reply);
    }
    let reply = submission.insert();
    submission.work().await;
    Some(tokens.store_once(&submission.token, || reply).unwrap_or_else(duplicate))
}

/// Right with one process; the second has a lock of its own.
pub(super) async fn lock_per_process(
    shop: &Arc<Shop>,
    request: &Request,
    tokens: &Tokens,
    workers: &Workers,
) -> Option<Reply> {
    let submission = Submission::read(shop, request)?;
    let _held = workers.locks.get(request.worker)?.lock().await;
    Some(look_work_insert(&submission, tokens).await)
}

/// Nothing is ever done twice where nothing is ever done.
pub(super) fn conflict_to_all(request: &Request) -> Option<Reply> {
    is_submission(request).then(duplicate)
}

/// Two customers may want the same thing, and one customer may want it twice.
pub(super) async fn dedupe_by_body(shop: &Arc<Shop>, request: &Request, tokens: &Tokens) -> Option<Reply> {
    let submission = Submission::read(shop, request)?;
    let wish = submission.wish();
    match tokens.store_once(&wish, || submission.insert()) {
        Some(reply) => {
            submission.work().await;
            Some(reply)
        }
        None => submission.seen(tokens, &wish),
    }
}

async fn look_work_insert(submission: &Submission<'_>, tokens: &Tokens) -> Reply {
    if let Some(reply) = submission.seen(tokens, &submission.token) {
        return reply;
    }
    submission.work().await;
    let reply = submission.insert();
    tokens.store(&submission.token, reply.clone());
    reply
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::reference::{Flaw, client::Client};

    /// What four equal submissions at once and one afterwards lead to.
    struct Outcome {
        /// Sorted.
        together: Vec<u16>,
        stored: usize,
        afterwards: u16,
        stored_afterwards: usize,
    }

    async fn submit(shop: &Client, path: &str, key: &str, document: &Value) -> Outcome {
        let line = format!("POST {path}");
        let fields = [("idempotency-key", key)];
        let together = shop.together(4, &line, &fields, document).await;
        let stored = shop.rows(path).await.len();
        let afterwards = shop.send(&line, &fields, document.clone()).await.status.as_u16();
        Outcome { together, stored, afterwards, stored_afterwards: shop.rows(path).await.len() }
    }

    async fn orders(flaw: Flaw) -> Outcome {
        submit(&Client::flawed(flaw), "/orders", "k-1", &json!({ "sku": "cup", "quantity": 1 })).await
    }

    async fn tickets(flaw: Flaw) -> Outcome {
        submit(&Client::flawed(flaw), "/tickets", "unused", &json!({ "seat": "A1", "token": "t" })).await
    }

    #[tokio::test]
    async fn the_good_service_stores_one() {
        let shop = Client::good();
        let order = json!({ "sku": "cup", "quantity": 1 });
        let outcome = submit(&shop, "/orders", "k-1", &order).await;
        assert_eq!((outcome.stored, outcome.afterwards, outcome.stored_afterwards), (1, 201, 1));
    }

    #[tokio::test]
    async fn check_then_insert_stores_all_that_come_together() {
        for (outcome, repeat) in
            [(orders(Flaw::CheckThenInsert).await, 201), (tickets(Flaw::CheckThenInsert).await, 303)]
        {
            assert_eq!((outcome.together, outcome.stored), (vec![201; 4], 4));
            assert_eq!((outcome.afterwards, outcome.stored_afterwards), (repeat, 4));
        }
    }

    #[tokio::test]
    async fn a_script_in_the_page_stops_no_request() {
        for outcome in [orders(Flaw::BrowserOnly).await, tickets(Flaw::BrowserOnly).await] {
            assert_eq!((outcome.together, outcome.stored), (vec![201; 4], 4));
            assert_eq!((outcome.afterwards, outcome.stored_afterwards), (201, 5));
        }
        let page = Client::flawed(Flaw::BrowserOnly).get("/").await;
        assert!(String::from_utf8_lossy(&page.body).contains("disabled = true"));
    }

    #[tokio::test]
    async fn a_token_after_the_work_refuses_what_is_stored_already() {
        for (outcome, repeat) in
            [(orders(Flaw::TokenAfterWork).await, 201), (tickets(Flaw::TokenAfterWork).await, 303)]
        {
            assert_eq!((outcome.together, outcome.stored), (vec![201, 409, 409, 409], 4));
            assert_eq!((outcome.afterwards, outcome.stored_afterwards), (repeat, 4));
        }
    }

    #[tokio::test]
    async fn a_lock_per_process_stores_one_for_each_worker() {
        for (outcome, repeat) in
            [(orders(Flaw::LockPerProcess).await, 201), (tickets(Flaw::LockPerProcess).await, 303)]
        {
            assert_eq!((outcome.together, outcome.stored), (vec![201, 201, repeat, repeat], 2));
            assert_eq!((outcome.afterwards, outcome.stored_afterwards), (repeat, 2));
        }
    }

    #[tokio::test]
    async fn conflict_to_all_stores_nothing() {
        for outcome in [orders(Flaw::ConflictToAll).await, tickets(Flaw::ConflictToAll).await] {
            assert_eq!((outcome.together, outcome.stored), (vec![409; 4], 0));
            assert_eq!((outcome.afterwards, outcome.stored_afterwards), (409, 0));
        }
    }

    #[tokio::test]
    async fn dedupe_by_body_loses_the_second_customer() {
        let shop = Client::flawed(Flaw::DedupeByBody);
        let order = json!({ "sku": "cup", "quantity": 1 });
        let first = submit(&shop, "/orders", "k-1", &order).await;
        assert_eq!((first.stored, first.stored_afterwards), (1, 1));
        assert_eq!(submit(&shop, "/orders", "k-2", &order).await.stored, 1);

        for token in ["t", "u"] {
            shop.send("POST /tickets", &[], json!({ "seat": "A1", "token": token })).await;
        }
        assert_eq!(shop.rows("/tickets").await.len(), 1);
    }

    #[tokio::test]
    async fn an_invalid_submission_is_refused_as_ever() {
        for flaw in [
            Flaw::CheckThenInsert,
            Flaw::BrowserOnly,
            Flaw::TokenAfterWork,
            Flaw::LockPerProcess,
            Flaw::DedupeByBody,
        ] {
            let shop = Client::flawed(flaw);
            assert_eq!(
                shop.send("POST /orders", &[], json!({ "sku": "cup", "quantity": 1 })).await.status,
                400
            );
            assert_eq!(shop.rows("/orders").await.len(), 0);
        }
    }
}
