//! GET and HEAD that change something.

use http::Method;

use crate::reference::{
    item::{self, Item},
    order, page,
    reply::Reply,
    request::Request,
    session,
    shop::Shop,
    store::Id,
    ticket,
};

/// A picture with this address signs the visitor out.
pub(super) fn logs_out(shop: &Shop, request: &Request) -> Option<Reply> {
    if request.segments() != ["logout"] || request.routed_method() != Method::GET {
        return None;
    }
    let headers = session::logout(shop, request).headers;
    Some(Reply { headers, ..Reply::page(page::html("Goodbye", "<p>You are signed out.</p>")) })
}

/// A crawler that follows the links empties the shelf.
pub(super) fn deletes(shop: &Shop, request: &Request) -> Option<Reply> {
    let segments = request.segments();
    let ["items", id, "delete"] = segments.as_slice() else { return None };
    if request.routed_method() != Method::GET {
        return None;
    }
    let id = Id::parse(id)?;
    shop.store.transaction(|state| state.items.remove(&id))?;
    Some(Reply::page(page::html("Deleted", &format!("<p>Item {id} is gone.</p>"))))
}

/// "Get or create" behind a read.
pub(super) fn creates(shop: &Shop, request: &Request) -> Option<Reply> {
    let segments = request.segments();
    let ["items", id] = segments.as_slice() else { return None };
    if request.routed_method() != Method::GET {
        return None;
    }
    let id = Id::parse(id)?;
    shop.store.transaction(|state| {
        if state.items.get(&id).is_none() {
            state.items.put(id, Item::default());
        }
    });
    // The good service shows the item.
    None
}

/// One handler for "everything but GET", and it takes an empty body for an empty form.
pub(super) fn head_runs_post(shop: &Shop, request: &Request) -> Option<Reply> {
    if request.method != Method::HEAD {
        return None;
    }
    let segments = request.segments();
    shop.store.transaction(|state| match segments.as_slice() {
        ["items"] => Some(item::insert(state, &Item::default())),
        ["orders"] => Some(order::insert(state, request.caller, order::Draft::default())),
        ["tickets"] => Some(ticket::insert(state, String::new()).1),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::reference::{Flaw, client::Client};

    #[tokio::test]
    async fn a_get_signs_out() {
        let shop = Client::flawed(Flaw::GetLogsOut);
        let login = shop.send("POST /login", &[], json!({ "user": "ann" })).await;
        let cookie = ("cookie", login.field("set-cookie").unwrap().split(';').next().unwrap());
        assert_eq!(shop.send("GET /session", &[cookie], Value::Null).await.json()["user"], "ann");
        assert_eq!(shop.send("GET /logout", &[cookie], Value::Null).await.status, 200);
        assert_eq!(shop.send("GET /session", &[cookie], Value::Null).await.json()["user"], Value::Null);
    }

    #[tokio::test]
    async fn a_get_deletes() {
        let shop = Client::flawed(Flaw::GetDeletes);
        shop.send("POST /items", &[], json!({ "name": "cup", "price": 3 })).await;
        assert_eq!(shop.status("GET /items/1/delete").await, 200);
        assert_eq!(shop.rows("/items").await.len(), 0);
    }

    #[tokio::test]
    async fn a_get_creates() {
        let shop = Client::flawed(Flaw::GetCreates);
        assert_eq!(shop.status("GET /items/7").await, 200);
        assert_eq!(shop.rows("/items").await, [json!({ "id": "7", "name": "", "price": 0 })]);
    }

    #[tokio::test]
    async fn a_head_adds_a_row() {
        let shop = Client::flawed(Flaw::HeadRunsPost);
        for path in ["/items", "/orders", "/tickets"] {
            assert_eq!(shop.status(&format!("HEAD {path}")).await, 201);
            assert_eq!(shop.rows(path).await.len(), 1);
        }
        assert_eq!(shop.status("HEAD /").await, 200);
    }
}
