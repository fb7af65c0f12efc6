//! `/orders`: a POST that may be repeated, because it carries a key.
//!
//! 1. One transaction looks the key up and, when it is free, marks it *running*.
//! 2. The slow work is done outside of any transaction.
//! 3. One transaction stores the order and marks the key *done* with the answer. There is no instant at which one of
//!    the two is there without the other, so a retry can neither lose nor double the order.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    caller::Caller,
    key::{Claim, Fingerprint, Key, Scope},
    problem::Problem,
    reply::Reply,
    request::Request,
    shop::Shop,
    store::{Id, State},
};

pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    draft: Draft,
    caller: Caller,
}

/// What a client asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Draft {
    sku: String,
    quantity: u64,
}

impl Draft {
    pub(super) fn read(request: &Request) -> Result<Self, Problem> {
        let draft: Self = request.json()?;
        if draft.sku.is_empty() {
            return Err(Problem::Field { name: "sku", rule: "not be empty" });
        }
        if draft.quantity == 0 {
            return Err(Problem::Field { name: "quantity", rule: "be at least 1" });
        }
        Ok(draft)
    }
}

impl Order {
    fn json(&self, id: &Id) -> Value {
        json!({ "id": id.as_str(), "sku": self.draft.sku, "quantity": self.draft.quantity })
    }
}

/// The orders of all callers, sorted by id.
pub(super) fn list(state: &State) -> Reply {
    let row = |(id, order): (&Id, &Order)| {
        json!({
            "id": id.as_str(),
            "sku": order.draft.sku,
            "quantity": order.draft.quantity,
            "caller": order.caller.name(),
        })
    };
    let orders: Vec<Value> = state.orders.iter().map(row).collect();
    Reply::json(StatusCode::OK, json!({ "count": orders.len(), "orders": orders }))
}

pub(super) fn read(shop: &Shop, id: &str) -> Result<Reply, Problem> {
    let id = Id::parse(id).ok_or(Problem::NotFound)?;
    let value = shop.store.read(|state| state.orders.get(&id).map(|order| order.json(&id)));
    Ok(Reply::json(StatusCode::OK, value.ok_or(Problem::NotFound)?))
}

pub(super) async fn place(shop: &Arc<Shop>, request: &Request) -> Result<Reply, Problem> {
    let key = Key::of(&request.headers)?;
    // An invalid order never takes the key: its retry fails in the same way, and the corrected one may use the key.
    let draft = Draft::read(request)?;
    let caller = request.caller;
    let scope = Scope { caller, key };
    let fingerprint = Fingerprint::of(&request.body);

    match shop.store.transaction(|state| state.keys.claim(&scope, fingerprint)) {
        Claim::Fresh => {}
        Claim::Running => return Err(Problem::KeyRunning),
        Claim::Reused => return Err(Problem::KeyReused),
        Claim::Done(reply) => return Ok(reply.with(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"))),
    }

    let reservation = Reservation { shop: Arc::clone(shop), scope };
    let slow = shop.slow;
    let work = async move {
        tokio::time::sleep(slow).await;
        reservation.commit(|state| insert(state, caller, draft))
    };
    shop.work.spawn(work).await.map_err(|_| Problem::Interrupted)
}

/// Adds the order and gives the answer that says so.
pub(super) fn insert(state: &mut State, caller: Caller, draft: Draft) -> Reply {
    let order = Order { draft, caller };
    let id = state.orders.insert(order.clone());
    Reply::created(&format!("/orders/{id}"), order.json(&id))
}

/// A key that is running for this request. Dropped without a commit it frees the key, for nothing has happened.
struct Reservation {
    shop: Arc<Shop>,
    scope: Scope,
}

impl Reservation {
    fn commit(self, effect: impl FnOnce(&mut State) -> Reply) -> Reply {
        self.shop.store.transaction(|state| {
            let reply = effect(state);
            state.keys.finish(&self.scope, reply.clone());
            reply
        })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shop.store.transaction(|state| state.keys.release(&self.scope));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::{io::AsyncWriteExt, net::TcpStream};

    use super::super::client::Client;

    const KEY: (&str, &str) = ("idempotency-key", "k-1");

    #[tokio::test]
    async fn a_retry_is_answered_from_the_first_answer() {
        let shop = Client::good();
        let order = json!({ "sku": "cup", "quantity": 2 });
        let first = shop.send("POST /orders", &[KEY], order.clone()).await;
        assert_eq!((first.status.as_u16(), first.field("location")), (201, Some("/orders/1")));
        assert_eq!(first.json(), json!({ "id": "1", "sku": "cup", "quantity": 2 }));
        assert_eq!(first.field("idempotent-replayed"), None);

        for key in ["k-1", "\"k-1\""] {
            let retry = shop.send("POST /orders", &[("idempotency-key", key)], order.clone()).await;
            assert_eq!((retry.status, &retry.body), (first.status, &first.body));
            assert_eq!(retry.field("location"), Some("/orders/1"));
            assert_eq!(retry.field("idempotent-replayed"), Some("true"));
        }
        let list = shop.get("/orders").await.json();
        let row = json!({ "id": "1", "sku": "cup", "quantity": 2, "caller": "anonymous" });
        assert_eq!(list, json!({ "count": 1, "orders": [row] }));
        assert_eq!(shop.get("/orders/1").await.json(), first.json());
    }

    #[tokio::test]
    async fn of_many_at_once_one_is_done_and_the_others_wait_their_turn() {
        let shop = Client::good();
        let order = json!({ "sku": "cup", "quantity": 1 });
        let statuses = shop.together(10, "POST /orders", &[KEY], &order).await;
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
        assert_eq!(shop.rows("/orders").await.len(), 1);
    }

    #[tokio::test]
    async fn another_payload_under_a_key_is_not_executed() {
        let shop = Client::good();
        shop.send("POST /orders", &[KEY], json!({ "sku": "cup", "quantity": 1 })).await;
        let other = shop.send("POST /orders", &[KEY], json!({ "sku": "cup", "quantity": 2 })).await;
        assert_eq!(other.status, 422);
        assert_eq!(shop.rows("/orders").await.len(), 1);
    }

    #[tokio::test]
    async fn two_callers_may_use_the_same_key() {
        let shop = Client::good();
        let order = json!({ "sku": "cup", "quantity": 1 });
        let alice = ("authorization", "Bearer alice-token");
        let bob = ("authorization", "Bearer bob-token");
        let first = shop.send("POST /orders", &[KEY, alice], order.clone()).await;
        let second = shop.send("POST /orders", &[KEY, bob], order.clone()).await;
        assert_eq!(second.status, 201);
        assert_ne!(first.body, second.body);
        let callers: Vec<_> = shop.rows("/orders").await.iter().map(|row| row["caller"].clone()).collect();
        assert_eq!(callers, ["alice", "bob"]);
        let mallory = ("authorization", "Bearer mallory-token");
        assert_eq!(shop.send("POST /orders", &[KEY, mallory], order).await.status, 401);
    }

    #[tokio::test]
    async fn an_invalid_order_stores_nothing_and_leaves_the_key_free() {
        let shop = Client::good();
        for _ in 0..2 {
            assert_eq!(
                shop.send("POST /orders", &[KEY], json!({ "sku": "cup", "quantity": 0 })).await.status,
                400
            );
            assert_eq!(shop.rows("/orders").await.len(), 0);
        }
        assert_eq!(
            shop.send("POST /orders", &[KEY], json!({ "sku": "cup", "quantity": 1 })).await.status,
            201
        );
    }

    #[tokio::test]
    async fn an_order_needs_a_key_of_at_most_255_characters() {
        let shop = Client::good();
        let order = json!({ "sku": "cup", "quantity": 1 });
        assert_eq!(shop.send("POST /orders", &[], order.clone()).await.status, 400);
        let longest = "k".repeat(255);
        assert_eq!(
            shop.send("POST /orders", &[("idempotency-key", &longest)], order.clone()).await.status,
            201
        );
        let longer = "k".repeat(256);
        assert_eq!(shop.send("POST /orders", &[("idempotency-key", &longer)], order).await.status, 400);
        assert_eq!(shop.rows("/orders").await.len(), 1);
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_does_not_undo_its_order() {
        let shop = Client::good();
        let order = json!({ "sku": "cup", "quantity": 1 }).to_string();
        let head = format!(
            "POST /orders HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: k-1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            order.len(),
        );
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        stream.write_all((head + &order).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        drop(stream);
        while shop.rows("/orders").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let retry = shop.send("POST /orders", &[KEY], serde_json::from_str(&order).unwrap()).await;
        assert_eq!((retry.status.as_u16(), retry.field("idempotent-replayed")), (201, Some("true")));
        assert_eq!(shop.rows("/orders").await.len(), 1);
    }

    #[tokio::test]
    async fn an_interrupted_order_frees_its_key() {
        use super::{super::store::Store, *};
        let shop = Arc::new(Shop::new(Store::default(), Duration::ZERO));
        let mut headers = http::HeaderMap::new();
        headers.insert(super::super::key::IDEMPOTENCY_KEY, HeaderValue::from_static("k-1"));
        let scope = Scope { caller: Caller::Alice, key: Key::of(&headers).unwrap() };
        let payload = Fingerprint::of(&bytes::Bytes::new());
        for _ in 0..2 {
            let claim = shop.store.transaction(|state| state.keys.claim(&scope, payload));
            assert!(matches!(claim, Claim::Fresh));
            drop(Reservation { shop: Arc::clone(&shop), scope: scope.clone() });
        }
    }
}
