//! Repeats of PUT and DELETE that change something again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, StatusCode};
use serde_json::Value;

use crate::reference::{
    reply::{Content, Reply},
    request::Request,
    route,
    shop::Shop,
    store::Id,
};

/// How often each item was put.
#[derive(Debug, Default)]
pub(super) struct Versions {
    puts: Mutex<HashMap<String, u64>>,
}

/// Keeps every PUT as a revision, in the table that the list shows.
pub(super) async fn put_appends(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    let id = item(request, &Method::PUT)?;
    let reply = route::answer(shop, request).await;
    if reply.status == StatusCode::OK {
        shop.store.transaction(|state| {
            if let Some(revision) = state.items.get(&id).cloned() {
                state.items.insert(revision);
            }
        });
    }
    Some(reply)
}

/// Counts the PUTs of an item and shows the number beside it.
pub(super) async fn put_counts(shop: &Arc<Shop>, request: &Request, versions: &Versions) -> Option<Reply> {
    let mut reply = route::answer(shop, request).await;
    let mut puts = versions.puts.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = item(request, &Method::PUT)
        && reply.status.is_success()
    {
        *puts.entry(id.to_string()).or_default() += 1;
    }
    if let Content::Json(value) = &mut reply.content {
        show_versions(value, &puts);
    }
    Some(reply)
}

/// Takes "the item is gone" for "the id was wrong" and removes the newest row.
pub(super) async fn delete_takes_next(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    item(request, &Method::DELETE)?;
    let reply = route::answer(shop, request).await;
    if reply.status != StatusCode::NOT_FOUND {
        return Some(reply);
    }
    let removed =
        shop.store.transaction(|state| state.items.last_id().and_then(|id| state.items.remove(&id)));
    Some(if removed.is_some() { Reply::no_content() } else { reply })
}

/// Does not expect that the row may be missing.
pub(super) async fn delete_twice_fails(shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
    item(request, &Method::DELETE)?;
    let reply = route::answer(shop, request).await;
    Some(match reply.status {
        StatusCode::NOT_FOUND => Reply { status: StatusCode::INTERNAL_SERVER_ERROR, ..reply },
        _ => reply,
    })
}

/// The item that a request with `method` is about.
fn item(request: &Request, method: &Method) -> Option<Id> {
    match request.segments().as_slice() {
        ["items", id] if request.method == method => Id::parse(id),
        _ => None,
    }
}

/// Adds `version` to every item in a document.
fn show_versions(value: &mut Value, puts: &HashMap<String, u64>) {
    match value {
        Value::Array(rows) => rows.iter_mut().for_each(|row| show_versions(row, puts)),
        Value::Object(members) => {
            let version =
                members.get("id").and_then(Value::as_str).map(|id| puts.get(id).copied().unwrap_or(0));
            match version {
                Some(version) if members.contains_key("price") => {
                    members.insert("version".to_owned(), version.into());
                }
                _ => members.values_mut().for_each(|member| show_versions(member, puts)),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::reference::{Flaw, client::Client};

    /// A shop with three items, of which the second was put.
    async fn shop(flaw: Flaw) -> Client {
        let shop = Client::flawed(flaw);
        for price in 1..=3 {
            shop.send("POST /items", &[], json!({ "name": "cup", "price": price })).await;
        }
        put(&shop).await;
        shop
    }

    async fn put(shop: &Client) {
        assert_eq!(shop.send("PUT /items/2", &[], json!({ "name": "dish", "price": 9 })).await.status, 200);
    }

    #[tokio::test]
    async fn put_adds_a_revision() {
        let shop = shop(Flaw::PutAppends).await;
        assert_eq!(shop.rows("/items").await.len(), 4);
        put(&shop).await;
        let rows = shop.rows("/items").await;
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[4], json!({ "id": "5", "name": "dish", "price": 9 }));
    }

    #[tokio::test]
    async fn put_counts_up() {
        let shop = shop(Flaw::PutCounts).await;
        assert_eq!(shop.get("/items/2").await.json()["version"], 1);
        put(&shop).await;
        assert_eq!(shop.get("/items/2").await.json()["version"], 2);
        let versions: Vec<_> = shop.rows("/items").await.iter().map(|row| row["version"].clone()).collect();
        assert_eq!(versions, [0, 2, 0]);
    }

    #[tokio::test]
    async fn a_second_delete_takes_the_newest() {
        let shop = shop(Flaw::DeleteTakesNext).await;
        for left in [2, 1, 0] {
            assert_eq!(shop.status("DELETE /items/2").await, 204);
            assert_eq!(shop.rows("/items").await.len(), left);
        }
        assert_eq!(shop.status("DELETE /items/2").await, 404);
    }

    #[tokio::test]
    async fn a_second_delete_fails() {
        let shop = shop(Flaw::DeleteTwiceFails).await;
        assert_eq!(shop.status("DELETE /items/2").await, 204);
        assert_eq!(shop.status("DELETE /items/2").await, 500);
        assert_eq!(shop.rows("/items").await.len(), 2);
    }
}
