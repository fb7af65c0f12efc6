//! Keys that mean less than they should.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};

use crate::reference::{
    key::{Key, Scope},
    order::IDEMPOTENT_REPLAYED,
    reply::Reply,
    request::Request,
    route,
    shop::Shop,
};

/// Looks at the key and never at the payload: the client believes that its new order was taken.
pub(super) async fn reuse_replays(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    let key = order_key(request)?;
    let reply = route::answer(shop, request).await;
    if reply.status != StatusCode::UNPROCESSABLE_ENTITY {
        return Some(reply);
    }
    let first = shop.store.read(|state| state.keys.answer(&Scope { caller: request.caller, key }));
    Some(first.map_or(reply, |first| first.with(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"))))
}

/// 417 is about the `Expect` field (RFC 9110 §15.5.18).
pub(super) async fn reuse_answers_417(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    order_key(request)?;
    let reply = route::answer(shop, request).await;
    Some(match reply.status {
        StatusCode::UNPROCESSABLE_ENTITY => Reply { status: StatusCode::EXPECTATION_FAILED, ..reply },
        _ => reply,
    })
}

/// Whoever used the key first is taken for the caller.
pub(super) async fn shared_keys(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    let key = order_key(request)?;
    let caller = shop.store.read(|state| state.keys.owner(&key)).unwrap_or(request.caller);
    Some(route::answer(shop, &Request { caller, ..request.clone() }).await)
}

/// The key of an order.
fn order_key(request: &Request) -> Option<Key> {
    let is_order = request.method == Method::POST && request.segments() == ["orders"];
    is_order.then(|| Key::of(&request.headers).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::reference::{
        Flaw,
        client::{Answer, Client},
    };

    const KEY: (&str, &str) = ("idempotency-key", "k-1");

    /// The answers to one key with two payloads.
    async fn reuse(shop: &Client) -> (Answer, Answer) {
        let first = shop.send("POST /orders", &[KEY], json!({ "sku": "cup", "quantity": 1 })).await;
        let other = shop.send("POST /orders", &[KEY], json!({ "sku": "dish", "quantity": 2 })).await;
        assert_eq!(shop.rows("/orders").await.len(), 1);
        (first, other)
    }

    #[tokio::test]
    async fn another_payload_gets_the_first_answer() {
        let (first, other) = reuse(&Client::flawed(Flaw::ReuseReplays)).await;
        assert_eq!((other.status.as_u16(), other.body), (201, first.body));
    }

    #[tokio::test]
    async fn another_payload_gets_417() {
        let (_, other) = reuse(&Client::flawed(Flaw::ReuseAnswers417)).await;
        assert_eq!(other.status, 417);
    }

    #[tokio::test]
    async fn bob_is_shown_the_order_of_alice() {
        let shop = Client::flawed(Flaw::SharedKeys);
        let order = json!({ "sku": "cup", "quantity": 1 });
        let alice = ("authorization", "Bearer alice-token");
        let bob = ("authorization", "Bearer bob-token");
        let first = shop.send("POST /orders", &[KEY, alice], order.clone()).await;
        let second = shop.send("POST /orders", &[KEY, bob], order.clone()).await;
        assert_eq!((second.status.as_u16(), second.body), (201, first.body));
        assert_eq!(shop.rows("/orders").await.len(), 1);
        shop.send("POST /orders", &[("idempotency-key", "k-2"), bob], order).await;
        assert_eq!(shop.rows("/orders").await[1]["caller"], "bob");
    }
}
