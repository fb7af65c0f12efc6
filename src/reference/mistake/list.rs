//! Lists that do not show what is there: an observer that cannot see.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::Method;

use crate::reference::{reply::Reply, request::Request, route, shop::Shop, store::State};

/// How far the lists are behind.
const LAG: Duration = Duration::from_secs(2);

/// What the tables held after each write, oldest first; before the first they were empty.
#[derive(Debug, Default)]
pub(super) struct History {
    states: Mutex<VecDeque<(Instant, State)>>,
}

/// A cache that is filled at the start and never again.
pub(super) fn frozen(request: &Request) -> Option<Reply> {
    if request.routed_method() != Method::GET {
        return None;
    }
    route::list(&State::default(), request)
}

/// A replica that lags behind.
pub(super) async fn lagging(shop: &Arc<Shop>, request: &Request, history: &History) -> Option<Reply> {
    if request.routed_method() == Method::GET {
        return history.show(Instant::now(), |state| route::list(state, request));
    }
    let reply = route::answer(shop, request).await;
    history.keep(Instant::now(), shop.store.read(State::clone));
    Some(reply)
}

impl History {
    fn keep(&self, now: Instant, state: State) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).push_back((now, state));
    }

    /// Shows the state of `LAG` before `now`, and forgets the older ones.
    fn show<Outcome>(&self, now: Instant, look: impl FnOnce(&State) -> Outcome) -> Outcome {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let visible = states.iter().take_while(|(at, _)| now.duration_since(*at) >= LAG).count();
        states.drain(..visible.saturating_sub(1));
        match states.front() {
            Some((_, state)) if visible > 0 => look(state),
            _ => look(&State::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reference::{Flaw, client::Client, item::Item};

    #[tokio::test]
    async fn frozen_lists_stay_empty_while_items_are_there() {
        let shop = Client::flawed(Flaw::FrozenLists);
        assert_eq!(shop.send("POST /items", &[], json!({ "name": "cup", "price": 3 })).await.status, 201);
        assert_eq!(shop.rows("/items").await.len(), 0);
        assert_eq!(shop.status("GET /items/1").await, 200);
    }

    #[tokio::test]
    async fn lagging_lists_show_nothing_new() {
        let shop = Client::flawed(Flaw::LaggingLists);
        shop.send("POST /items", &[], json!({ "name": "cup", "price": 3 })).await;
        assert_eq!(shop.rows("/items").await.len(), 0);
        assert_eq!(shop.status("GET /items/1").await, 200);
    }

    #[test]
    fn a_state_shows_when_it_is_two_seconds_old() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let history = History::default();
        let mut state = State::default();
        for milliseconds in [0, 1000] {
            state.items.insert(Item::default());
            history.keep(at(milliseconds), state.clone());
        }
        for (milliseconds, rows) in [(500, 0), (1999, 0), (2000, 1), (2999, 1), (3000, 2), (9000, 2)] {
            assert_eq!(
                history.show(at(milliseconds), |state| state.items.iter().len()),
                rows,
                "{milliseconds}"
            );
        }
    }
}
