//! Keys and effects that a crash parts. As long as the service lives, nothing of it shows.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderValue, Method, StatusCode};

use crate::reference::{
    key::{Claim, Fingerprint, Key, Keys, Scope},
    order::{self, Draft, IDEMPOTENT_REPLAYED},
    problem::Problem,
    reply::{Content, Reply},
    request::Request,
    shop::Shop,
};

/// The keys whose requests are running, in memory: a crash forgets them, which is as it should be.
#[derive(Debug, Default, Clone)]
pub(super) struct AtWork {
    scopes: Arc<Mutex<HashSet<Scope>>>,
}

impl AtWork {
    /// Enters a key; false when it is there already.
    fn enter(&self, scope: &Scope) -> bool {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.clone())
    }

    fn leave(&self, scope: &Scope) {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).remove(scope);
    }
}

/// A valid order whose key is this request's to work under.
struct Begun {
    shop: Arc<Shop>,
    at_work: AtWork,
    scope: Scope,
    fingerprint: Fingerprint,
    draft: Draft,
}

impl Begun {
    /// `None` where the good service answers; else the order, or what a repetition is told. `look` says what becomes
    /// of a key that is free.
    fn read(
        shop: &Arc<Shop>,
        request: &Request,
        at_work: &AtWork,
        look: impl FnOnce(&mut Keys, &Scope),
    ) -> Option<Result<Self, Reply>> {
        if request.method != Method::POST || request.segments() != ["orders"] {
            return None;
        }
        let (key, draft) = (Key::of(&request.headers).ok()?, Draft::read(request).ok()?);
        let (scope, fingerprint) = (Scope { caller: request.caller, key }, Fingerprint::of(&request.body));
        let replayed = |reply: Reply| reply.with(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        let refusal = shop.store.transaction(|state| match state.keys.claim(&scope, fingerprint) {
            Claim::Reused => Some(Problem::KeyReused.into()),
            claim if !at_work.enter(&scope) => {
                if matches!(claim, Claim::Fresh) {
                    state.keys.release(&scope);
                }
                Some(Problem::KeyRunning.into())
            }
            Claim::Running => Some(Problem::KeyRunning.into()),
            Claim::Done(reply) => {
                at_work.leave(&scope);
                Some(replayed(reply))
            }
            Claim::Fresh => {
                look(&mut state.keys, &scope);
                None
            }
        });
        Some(match refusal {
            Some(reply) => Err(reply),
            None => Ok(Self { shop: Arc::clone(shop), at_work: at_work.clone(), scope, fingerprint, draft }),
        })
    }

    /// Stores the effect, and only the effect.
    fn insert(&self) -> Reply {
        let (caller, draft) = (self.scope.caller, self.draft.clone());
        self.shop.store.transaction(|state| order::insert(state, caller, draft))
    }

    /// Keeps the answer under the key, and only the answer.
    fn finish(self, reply: Reply) -> Reply {
        self.shop.store.transaction(|state| {
            // The key may be there or not; either way it is done now.
            state.keys.claim(&self.scope, self.fingerprint);
            state.keys.finish(&self.scope, reply.clone());
        });
        self.at_work.leave(&self.scope);
        reply
    }
}

/// "Mark it done first, so that nobody does it twice." After a crash nobody does it at all.
pub(super) async fn key_before_effect(
    shop: &Arc<Shop>,
    request: &Request,
    at_work: &AtWork,
) -> Option<Reply> {
    let nothing = Reply::new(StatusCode::OK, Content::None);
    let begun = match Begun::read(shop, request, at_work, |keys, scope| keys.finish(scope, nothing))? {
        Ok(begun) => begun,
        Err(reply) => return Some(reply),
    };
    let slow = shop.slow;
    let work = async move {
        tokio::time::sleep(slow).await;
        let reply = begun.insert();
        begun.finish(reply)
    };
    Some(shop.work.spawn(work).await.unwrap_or_else(|_| Problem::Interrupted.into()))
}

/// "First the order, then the mail that confirms it, then the key." After a crash in between the order is made again.
pub(super) async fn effect_before_key(
    shop: &Arc<Shop>,
    request: &Request,
    at_work: &AtWork,
) -> Option<Reply> {
    let begun = match Begun::read(shop, request, at_work, Keys::release)? {
        Ok(begun) => begun,
        Err(reply) => return Some(reply),
    };
    let slow = shop.slow;
    let work = async move {
        tokio::time::sleep(slow / 2).await;
        let reply = begun.insert();
        tokio::time::sleep(slow / 2).await;
        begun.finish(reply)
    };
    Some(shop.work.spawn(work).await.unwrap_or_else(|_| Problem::Interrupted.into()))
}
