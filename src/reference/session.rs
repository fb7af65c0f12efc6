//! `/login`, `/logout` and `/session`: who the browser is signed in as.

use http::{HeaderValue, StatusCode, header::SET_COOKIE};
use serde::Deserialize;
use serde_json::json;

use super::{
    problem::Problem,
    random,
    reply::{Reply, field},
    request::Request,
    shop::Shop,
};

const COOKIE: &str = "session";

#[derive(Debug, Deserialize)]
struct Login {
    user: String,
}

/// Signs in under a new id; the one that the browser had before is worth nothing afterwards.
pub(super) fn login(shop: &Shop, request: &Request) -> Result<Reply, Problem> {
    let Login { user } = request.json()?;
    if user.is_empty() {
        return Err(Problem::Field { name: "user", rule: "not be empty" });
    }
    let id = random::token();
    shop.store.transaction(|state| {
        if let Some(old) = request.cookie(COOKIE) {
            state.sessions.remove(old);
        }
        state.sessions.insert(id.clone(), user);
    });
    let cookie = field(&format!("{COOKIE}={id}; HttpOnly; SameSite=Lax; Path=/"));
    Ok(Reply::no_content().with(SET_COOKIE, cookie))
}

/// Ends the session in the service, not only in the browser.
pub(super) fn logout(shop: &Shop, request: &Request) -> Reply {
    if let Some(id) = request.cookie(COOKIE) {
        shop.store.transaction(|state| state.sessions.remove(id));
    }
    let expired = HeaderValue::from_static("session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    Reply::no_content().with(SET_COOKIE, expired)
}

pub(super) fn show(shop: &Shop, request: &Request) -> Reply {
    let user = request.cookie(COOKIE).and_then(|id| shop.store.read(|state| state.sessions.get(id).cloned()));
    Reply::json(StatusCode::OK, json!({ "user": user }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::client::Client;

    async fn sign_in(shop: &Client) -> String {
        let answer = shop.send("POST /login", &[], json!({ "user": "ann" })).await;
        assert_eq!(answer.status, 204);
        let (cookie, attributes) = answer.field("set-cookie").unwrap().split_once(';').unwrap();
        assert_eq!(attributes, " HttpOnly; SameSite=Lax; Path=/");
        cookie.to_owned()
    }

    async fn user(shop: &Client, cookie: &str) -> Value {
        shop.send("GET /session", &[("cookie", cookie)], Value::Null).await.json()
    }

    #[tokio::test]
    async fn a_session_lasts_from_login_to_logout() {
        let shop = Client::good();
        assert_eq!(shop.get("/session").await.json(), json!({ "user": null }));
        let cookie = sign_in(&shop).await;
        assert_eq!(user(&shop, &cookie).await, json!({ "user": "ann" }));

        let refused = shop.send("GET /logout", &[("cookie", &cookie)], Value::Null).await;
        assert_eq!((refused.status.as_u16(), refused.field("allow")), (405, Some("POST")));
        assert_eq!(user(&shop, &cookie).await, json!({ "user": "ann" }));

        assert_eq!(shop.send("POST /logout", &[("cookie", &cookie)], Value::Null).await.status, 204);
        assert_eq!(user(&shop, &cookie).await, json!({ "user": null }));
    }

    #[tokio::test]
    async fn a_new_login_ends_the_old_session() {
        let shop = Client::good();
        let old = sign_in(&shop).await;
        let answer = shop.send("POST /login", &[("cookie", &old)], json!({ "user": "ann" })).await;
        assert!(!answer.field("set-cookie").unwrap().starts_with(&old));
        assert_eq!(user(&shop, &old).await, json!({ "user": null }));
    }
}
