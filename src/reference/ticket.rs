//! `/tickets`: a POST that may be repeated, because its body has a unique token.
//!
//! The form that the page shows carries the token; a second click sends the same one. The row goes in *before* the
//! slow part, and the unique index decides which of many equal submissions was the first.

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

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ticket {
    seat: String,
}

/// What a client asks for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Draft {
    pub(super) seat: String,
    pub(super) token: String,
}

impl Draft {
    pub(super) fn read(request: &Request) -> Result<Self, Problem> {
        let draft: Self = request.json()?;
        if draft.seat.is_empty() {
            return Err(Problem::Field { name: "seat", rule: "not be empty" });
        }
        if draft.token.is_empty() {
            return Err(Problem::Field { name: "token", rule: "not be empty" });
        }
        Ok(draft)
    }
}

impl Ticket {
    fn json(&self, id: &Id) -> Value {
        json!({ "id": id.as_str(), "seat": self.seat })
    }
}

/// Sorted by id. Tokens are not shown: who knows one could claim to have sent it.
pub(super) fn list(state: &State) -> Reply {
    let tickets: Vec<Value> = state.tickets.iter().map(|(id, ticket)| ticket.json(id)).collect();
    Reply::json(StatusCode::OK, json!({ "count": tickets.len(), "tickets": tickets }))
}

pub(super) fn read(shop: &Shop, id: &str) -> Result<Reply, Problem> {
    let id = Id::parse(id).ok_or(Problem::NotFound)?;
    let value = shop.store.read(|state| state.tickets.get(&id).map(|ticket| ticket.json(&id)));
    Ok(Reply::json(StatusCode::OK, value.ok_or(Problem::NotFound)?))
}

pub(super) async fn issue(shop: &Shop, request: &Request) -> Result<Reply, Problem> {
    let Draft { seat, token } = Draft::read(request)?;
    let (reply, is_new) = shop.store.transaction(|state| {
        if let Some(id) = state.ticket_by_token.get(&token) {
            return (Reply::see_other(&path(id)), false);
        }
        let (id, reply) = insert(state, seat);
        state.ticket_by_token.insert(token, id);
        (reply, true)
    });
    if is_new {
        // Printing it takes a while, but the seat is taken already.
        tokio::time::sleep(shop.slow).await;
    }
    Ok(reply)
}

/// Adds the ticket and gives its id and the answer that says so.
pub(super) fn insert(state: &mut State, seat: String) -> (Id, Reply) {
    let ticket = Ticket { seat };
    let id = state.tickets.insert(ticket.clone());
    let reply = Reply::created(&path(&id), ticket.json(&id));
    (id, reply)
}

fn path(id: &Id) -> String {
    format!("/tickets/{id}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::client::Client;

    #[tokio::test]
    async fn a_duplicate_is_sent_to_the_first_ticket() {
        let shop = Client::good();
        let first = shop.send("POST /tickets", &[], json!({ "seat": "A1", "token": "t" })).await;
        assert_eq!((first.status.as_u16(), first.field("location")), (201, Some("/tickets/1")));
        assert_eq!(first.json(), json!({ "id": "1", "seat": "A1" }));
        let again = shop.send("POST /tickets", &[], json!({ "seat": "A1", "token": "t" })).await;
        assert_eq!((again.status.as_u16(), again.field("location")), (303, Some("/tickets/1")));
        assert_eq!(shop.get("/tickets/1").await.json(), first.json());
        assert_eq!(
            shop.get("/tickets").await.json(),
            json!({ "count": 1, "tickets": [{ "id": "1", "seat": "A1" }] })
        );
    }

    #[tokio::test]
    async fn of_many_at_once_one_is_issued() {
        let shop = Client::good();
        let ticket = json!({ "seat": "A1", "token": "t" });
        let statuses = shop.together(10, "POST /tickets", &[], &ticket).await;
        assert_eq!(statuses, [201, 303, 303, 303, 303, 303, 303, 303, 303, 303]);
        assert_eq!(shop.rows("/tickets").await.len(), 1);
    }

    #[tokio::test]
    async fn two_tokens_are_two_tickets() {
        let shop = Client::good();
        for token in ["t", "u"] {
            assert_eq!(
                shop.send("POST /tickets", &[], json!({ "seat": "A1", "token": token })).await.status,
                201
            );
        }
        assert_eq!(shop.rows("/tickets").await.len(), 2);
    }

    #[tokio::test]
    async fn a_ticket_needs_a_seat_and_a_token() {
        let shop = Client::good();
        for wrong in [
            json!({ "seat": "A1" }),
            json!({ "seat": "", "token": "t" }),
            json!({ "seat": "A1", "token": "" }),
        ] {
            assert_eq!(shop.send("POST /tickets", &[], wrong).await.status, 400);
        }
        assert_eq!(shop.rows("/tickets").await.len(), 0);
    }
}
