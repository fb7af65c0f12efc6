//! One order or ticket as a careless service sees it: an effect and a token that are stored apart.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderValue, Method, StatusCode, header::LOCATION};
use serde_json::json;

use crate::reference::{
    key::Key,
    order::{self, IDEMPOTENT_REPLAYED},
    problem::Problem,
    reply::Reply,
    request::Request,
    shop::Shop,
    ticket,
};

/// The tokens seen so far with their answers: a table beside the others, changed in a transaction of its own.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    answers: Mutex<HashMap<String, Reply>>,
}

/// A valid `POST /orders` or `POST /tickets`.
pub(super) struct Submission<'a> {
    shop: &'a Arc<Shop>,
    request: &'a Request,
    form: Form,
    /// What the submission is known by; equal for duplicates.
    pub(super) token: String,
}

enum Form {
    Order(order::Draft),
    Ticket(ticket::Draft),
}

/// Whether a request submits something. What is wrong with its form is answered by the good service.
pub(super) fn is_submission(request: &Request) -> bool {
    request.method == Method::POST && matches!(request.segments().as_slice(), ["orders" | "tickets"])
}

impl<'a> Submission<'a> {
    pub(super) fn read(shop: &'a Arc<Shop>, request: &'a Request) -> Option<Self> {
        if !is_submission(request) {
            return None;
        }
        let (form, token) = match request.segments().as_slice() {
            ["orders"] => Self::order(request).ok()?,
            _ => Self::ticket(request).ok()?,
        };
        Some(Self { shop, request, form, token })
    }

    fn order(request: &Request) -> Result<(Form, String), Problem> {
        let key = Key::of(&request.headers)?;
        let draft = order::Draft::read(request)?;
        Ok((Form::Order(draft), format!("order {} {}", request.caller.name(), key.as_str())))
    }

    fn ticket(request: &Request) -> Result<(Form, String), Problem> {
        let draft = ticket::Draft::read(request)?;
        let token = format!("ticket {}", draft.token);
        Ok((Form::Ticket(draft), token))
    }

    /// What the user wants, whatever the token: two equal wishes look like one.
    pub(super) fn wish(&self) -> String {
        match &self.form {
            Form::Order(_) => format!("order {}", String::from_utf8_lossy(&self.request.body)),
            Form::Ticket(draft) => format!("ticket {}", draft.seat),
        }
    }

    /// The slow part.
    pub(super) async fn work(&self) {
        tokio::time::sleep(self.shop.slow).await;
    }

    /// Stores the effect, and only the effect.
    pub(super) fn insert(&self) -> Reply {
        self.shop.store.transaction(|state| match &self.form {
            Form::Order(draft) => order::insert(state, self.request.caller, draft.clone()),
            Form::Ticket(draft) => ticket::insert(state, draft.seat.clone()).1,
        })
    }

    /// Looks a token up: the answer to a duplicate.
    pub(super) fn seen(&self, tokens: &Tokens, token: &str) -> Option<Reply> {
        let first = tokens.answers.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()?;
        Some(match (&self.form, first.headers.get(LOCATION)) {
            (Form::Ticket(_), Some(location)) => {
                let mut reply = Reply::no_content().with(LOCATION, location.clone());
                reply.status = StatusCode::SEE_OTHER;
                reply
            }
            (Form::Order(_) | Form::Ticket(_), _) => {
                first.with(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"))
            }
        })
    }
}

impl Tokens {
    /// Stores a token, whether it is there or not.
    pub(super) fn store(&self, token: &str, reply: Reply) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), reply);
    }

    /// Stores a token under a unique key, with the answer that `make` gives; nothing when the token is there already.
    pub(super) fn store_once(&self, token: &str, make: impl FnOnce() -> Reply) -> Option<Reply> {
        match self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(token.to_owned()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => Some(place.insert(make()).clone()),
        }
    }
}

pub(super) fn duplicate() -> Reply {
    Reply::json(StatusCode::CONFLICT, json!({ "error": "this was submitted before" }))
}
