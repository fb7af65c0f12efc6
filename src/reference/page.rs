//! The few pages for a browser, and the answer to a health check.

use http::StatusCode;

use super::{
    problem::Problem,
    reply::{Content, Reply},
    shop::Shop,
    store::Id,
};

pub(super) fn home() -> Reply {
    Reply::page(html(
        "Shop",
        "<p>A small shop: <a href=\"/items\">items</a>, <a href=\"/about\">about</a>.</p>",
    ))
    .with_etag()
}

pub(super) fn about() -> Reply {
    Reply::page(html("About", "<p>The reference service of mustdo.</p>")).with_etag()
}

pub(super) fn health() -> Reply {
    Reply::new(StatusCode::OK, Content::Text("ok"))
}

/// Asks before an item is deleted: the link may be followed by anything, the form is sent by a person.
pub(super) fn confirm_delete(shop: &Shop, id: &str) -> Result<Reply, Problem> {
    let id = Id::parse(id).ok_or(Problem::NotFound)?;
    if shop.store.read(|state| state.items.get(&id).is_none()) {
        return Err(Problem::NotFound);
    }
    let form = format!(
        "<form method=\"post\" action=\"/items/{id}/delete\"><button>Delete item {id}</button></form>"
    );
    Ok(Reply::page(html("Delete?", &form)))
}

pub(super) fn html(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body><h1>{title}</h1>{body}</body></html>\n"
    )
}
