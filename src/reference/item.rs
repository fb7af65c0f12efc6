//! `/items`: plain rows, whose PUT and DELETE may be repeated.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    problem::Problem,
    reply::Reply,
    request::Request,
    shop::Shop,
    store::{Id, State},
};

/// One thing on the shelf.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) price: u64,
}

impl Item {
    fn json(&self, id: &Id) -> Value {
        json!({ "id": id.as_str(), "name": self.name, "price": self.price })
    }
}

/// Sorted by id.
pub(super) fn list(state: &State) -> Reply {
    let items: Vec<Value> = state.items.iter().map(|(id, item)| item.json(id)).collect();
    Reply::json(StatusCode::OK, json!({ "items": items }))
}

pub(super) fn create(shop: &Shop, request: &Request) -> Result<Reply, Problem> {
    let item: Item = request.json()?;
    Ok(shop.store.transaction(|state| insert(state, &item)))
}

/// Adds the item and gives the answer that says so.
pub(super) fn insert(state: &mut State, item: &Item) -> Reply {
    let id = state.items.insert(item.clone());
    Reply::created(&path(&id), item.json(&id))
}

pub(super) fn read(shop: &Shop, id: &str) -> Result<Reply, Problem> {
    let id = Id::parse(id).ok_or(Problem::NotFound)?;
    let value = shop.store.read(|state| state.items.get(&id).map(|item| item.json(&id)));
    Ok(Reply::json(StatusCode::OK, value.ok_or(Problem::NotFound)?).with_etag())
}

/// Sets the whole item: after two equal requests the shelf is as after one (RFC 9110 §9.2.2, §9.3.4).
pub(super) fn put(shop: &Shop, request: &Request, id: &str) -> Result<Reply, Problem> {
    let id = Id::parse(id).ok_or(Problem::NotFound)?;
    let item: Item = request.json()?;
    let value = item.json(&id);
    let before = shop.store.transaction(|state| state.items.put(id.clone(), item));
    Ok(match before {
        Some(_) => Reply::json(StatusCode::OK, value),
        None => Reply::created(&path(&id), value),
    })
}

/// The answer differs the second time, the effect does not (RFC 9110 §9.3.5).
pub(super) fn delete(shop: &Shop, id: &str) -> Result<Reply, Problem> {
    let id = Id::parse(id).ok_or(Problem::NotFound)?;
    match shop.store.transaction(|state| state.items.remove(&id)) {
        Some(_) => Ok(Reply::no_content()),
        None => Err(Problem::NotFound),
    }
}

fn path(id: &Id) -> String {
    format!("/items/{id}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::client::Client;

    #[tokio::test]
    async fn an_item_is_created_read_put_and_deleted() {
        let shop = Client::good();
        let created = shop.send("POST /items", &[], json!({ "name": "cup", "price": 3 })).await;
        assert_eq!((created.status.as_u16(), created.field("location")), (201, Some("/items/1")));
        let cup = json!({ "id": "1", "name": "cup", "price": 3 });
        assert_eq!(created.json(), cup);
        assert_eq!(shop.get("/items/1").await.json(), cup);

        let dish = json!({ "name": "dish", "price": 4 });
        for _ in 0..2 {
            assert_eq!(shop.send("PUT /items/1", &[], dish.clone()).await.status, 200);
            assert_eq!(shop.rows("/items").await, [json!({ "id": "1", "name": "dish", "price": 4 })]);
        }
        assert_eq!(shop.send("PUT /items/b", &[], dish).await.status, 201);
        assert_eq!(shop.rows("/items").await.len(), 2);

        assert_eq!(shop.status("DELETE /items/1").await, 204);
        for gone in ["DELETE /items/1", "GET /items/1"] {
            assert_eq!(shop.status(gone).await, 404, "{gone}");
            assert_eq!(shop.rows("/items").await.len(), 1);
        }
    }

    #[tokio::test]
    async fn what_is_no_item_is_refused() {
        let shop = Client::good();
        for wrong in [
            json!({}),
            json!({ "name": "cup" }),
            json!({ "name": 1, "price": 1 }),
            json!({ "name": "cup", "price": -1 }),
        ] {
            let answer = shop.send("POST /items", &[], wrong).await;
            assert_eq!(answer.status, 400);
            assert!(answer.json()["error"].is_string());
        }
        assert_eq!(
            shop.send("POST /items", &[("content-type", "text/plain")], Value::Null).await.status,
            415
        );
        assert_eq!(shop.rows("/items").await.len(), 0);
    }
}
