//! Which path and method is whose.

use std::sync::Arc;

use http::Method;

use super::{
    item, order, page, problem::Problem, reply::Reply, request::Request, session, shop::Shop, store::State,
    ticket,
};

/// The answer of the good service.
pub(super) async fn answer(shop: &Arc<Shop>, request: &Request) -> Reply {
    find(shop, request).await.unwrap_or_else(Reply::from)
}

async fn find(shop: &Arc<Shop>, request: &Request) -> Result<Reply, Problem> {
    let method = request.routed_method();
    if method == Method::GET
        && let Some(reply) = shop.store.read(|state| list(state, request))
    {
        return Ok(reply);
    }
    let segments = request.segments();
    match (segments.as_slice(), &method) {
        ([], &Method::GET) => Ok(page::home()),
        (["about"], &Method::GET) => Ok(page::about()),
        (["healthz"], &Method::GET) => Ok(page::health()),

        (["items"], &Method::POST) => item::create(shop, request),
        (["items", id], &Method::GET) => item::read(shop, id),
        (["items", id], &Method::PUT) => item::put(shop, request, id),
        (["items", id], &Method::DELETE) => item::delete(shop, id),
        (["items", id, "delete"], &Method::GET) => page::confirm_delete(shop, id),
        (["items", id, "delete"], &Method::POST) => {
            item::delete(shop, id).map(|_| Reply::see_other("/items"))
        }

        (["orders"], &Method::POST) => order::place(shop, request).await,
        (["orders", id], &Method::GET) => order::read(shop, id),

        (["tickets"], &Method::POST) => ticket::issue(shop, request).await,
        (["tickets", id], &Method::GET) => ticket::read(shop, id),

        (["login"], &Method::POST) => session::login(shop, request),
        (["logout"], &Method::POST) => Ok(session::logout(shop, request)),
        (["session"], &Method::GET) => Ok(session::show(shop, request)),

        (other, _) => Err(allowed(other).map_or(Problem::NotFound, |allowed| Problem::Method { allowed })),
    }
}

/// The methods of a path that is there.
fn allowed(segments: &[&str]) -> Option<&'static str> {
    match segments {
        [] | ["about" | "healthz" | "session"] | ["orders" | "tickets", _] => Some("GET, HEAD"),
        ["items" | "orders" | "tickets"] | ["items", _, "delete"] => Some("GET, HEAD, POST"),
        ["items", _] => Some("GET, HEAD, PUT, DELETE"),
        ["login" | "logout"] => Some("POST"),
        _ => None,
    }
}

/// The list that the path names, as it is in `state`.
pub(super) fn list(state: &State, request: &Request) -> Option<Reply> {
    match request.segments().as_slice() {
        ["items"] => Some(item::list(state)),
        ["orders"] => Some(order::list(state)),
        ["tickets"] => Some(ticket::list(state)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::client::Client;

    #[tokio::test]
    async fn head_has_the_fields_of_get_and_no_body() {
        let shop = Client::good();
        shop.send("POST /items", &[], json!({ "name": "cup", "price": 3 })).await;
        for path in [
            "/",
            "/about",
            "/healthz",
            "/items",
            "/items/1",
            "/items/1/delete",
            "/items/9",
            "/orders",
            "/tickets",
            "/session",
        ] {
            let get = shop.get(path).await;
            let head = shop.send(&format!("HEAD {path}"), &[], Value::Null).await;
            assert_eq!(head.status, get.status, "{path}");
            for name in ["content-type", "content-length", "etag"] {
                assert_eq!(head.field(name), get.field(name), "{path} {name}");
            }
            assert_eq!(get.field("content-length"), Some(get.body.len().to_string().as_str()), "{path}");
            assert!(head.body.is_empty(), "{path}");
        }
    }

    #[tokio::test]
    async fn an_etag_changes_with_its_item() {
        let shop = Client::good();
        shop.send("PUT /items/1", &[], json!({ "name": "cup", "price": 3 })).await;
        let etag = |answer: super::super::client::Answer| answer.field("etag").unwrap().to_owned();
        let first = etag(shop.get("/items/1").await);
        assert_eq!(etag(shop.get("/items/1").await), first);
        shop.send("PUT /items/1", &[], json!({ "name": "cup", "price": 4 })).await;
        assert_ne!(etag(shop.get("/items/1").await), first);
    }

    #[tokio::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let shop = Client::good();
        for (line, allowed) in [
            ("POST /", "GET, HEAD"),
            ("DELETE /items", "GET, HEAD, POST"),
            ("POST /items/1", "GET, HEAD, PUT, DELETE"),
            ("PATCH /orders", "GET, HEAD, POST"),
            ("PUT /tickets/1", "GET, HEAD"),
            ("GET /login", "POST"),
            ("POST /session", "GET, HEAD"),
        ] {
            let answer = shop.send(line, &[], Value::Null).await;
            assert_eq!((answer.status.as_u16(), answer.field("allow")), (405, Some(allowed)), "{line}");
        }
        for line in ["GET /nothing", "GET /items/", "GET /items/1/delete/now", "POST /orders/1/2"] {
            assert_eq!(shop.status(line).await, 404, "{line}");
        }
    }

    #[tokio::test]
    async fn a_query_takes_no_part() {
        let shop = Client::good();
        assert_eq!(shop.get("/items?x=1").await.json(), json!({ "items": [] }));
    }

    #[tokio::test]
    async fn a_form_deletes_and_its_page_does_not() {
        let shop = Client::good();
        shop.send("PUT /items/1", &[], json!({ "name": "cup", "price": 3 })).await;
        assert_eq!(shop.status("GET /items/1/delete").await, 200);
        assert_eq!(shop.rows("/items").await.len(), 1);
        assert_eq!(shop.status("POST /items/1/delete").await, 303);
        assert_eq!(shop.rows("/items").await.len(), 0);
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let shop = Client::good();
        let answer = shop.send("POST /items", &[], json!({ "name": "x".repeat(70_000), "price": 1 })).await;
        assert_eq!(answer.status, 413);
    }
}
