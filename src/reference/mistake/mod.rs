//! The service with one mistake: it answers some requests itself and leaves the others to the good service.
//!
//! Each mistake is one function that reads like the code it stands for. `None` means "not a request that I spoil".

mod crash;
pub(super) mod garbage;
mod key;
mod list;
mod repeat;
mod retrieve;
mod submission;
mod submit;
mod trap;

use std::sync::Arc;

use super::{Flaw, reply::Reply, request::Request, route, shop::Shop};

/// One flaw and what it needs to remember; only the memory of its own flaw is ever used.
#[derive(Debug)]
pub(super) struct Mistake {
    flaw: Flaw,
    versions: repeat::Versions,
    tokens: submission::Tokens,
    workers: submit::Workers,
    history: list::History,
    quota: trap::Quota,
    at_work: crash::AtWork,
}

impl Mistake {
    pub(super) fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            versions: repeat::Versions::default(),
            tokens: submission::Tokens::default(),
            workers: submit::Workers::default(),
            history: list::History::default(),
            quota: trap::Quota::default(),
            at_work: crash::AtWork::default(),
        }
    }

    /// Whether answers are written past the HTTP library, because it would not write them.
    pub(super) fn breaks_the_protocol(&self) -> bool {
        self.flaw == Flaw::Garbage
    }

    pub(super) async fn answer(&self, shop: &Arc<Shop>, request: &Request) -> Reply {
        match self.spoil(shop, request).await {
            Some(reply) => reply,
            None => route::answer(shop, request).await,
        }
    }

    async fn spoil(&self, shop: &Arc<Shop>, request: &Request) -> Option<Reply> {
        match self.flaw {
            Flaw::PutAppends => repeat::put_appends(shop, request).await,
            Flaw::PutCounts => repeat::put_counts(shop, request, &self.versions).await,
            Flaw::DeleteTakesNext => repeat::delete_takes_next(shop, request).await,
            Flaw::DeleteTwiceFails => repeat::delete_twice_fails(shop, request).await,

            Flaw::CheckThenInsert => submit::check_then_insert(shop, request, &self.tokens).await,
            Flaw::BrowserOnly => submit::browser_only(shop, request).await,
            Flaw::TokenAfterWork => submit::token_after_work(shop, request, &self.tokens).await,
            Flaw::LockPerProcess => {
                submit::lock_per_process(shop, request, &self.tokens, &self.workers).await
            }
            Flaw::ConflictToAll => submit::conflict_to_all(request),
            Flaw::DedupeByBody => submit::dedupe_by_body(shop, request, &self.tokens).await,

            Flaw::GetLogsOut => retrieve::logs_out(shop, request),
            Flaw::GetDeletes => retrieve::deletes(shop, request),
            Flaw::GetCreates => retrieve::creates(shop, request),
            Flaw::HeadRunsPost => retrieve::head_runs_post(shop, request),

            Flaw::ReuseReplays => key::reuse_replays(shop, request).await,
            Flaw::ReuseAnswers417 => key::reuse_answers_417(shop, request).await,
            Flaw::SharedKeys => key::shared_keys(shop, request).await,

            Flaw::KeyBeforeEffect => crash::key_before_effect(shop, request, &self.at_work).await,
            Flaw::EffectBeforeKey => crash::effect_before_key(shop, request, &self.at_work).await,

            Flaw::FrozenLists => list::frozen(request),
            Flaw::LaggingLists => list::lagging(shop, request, &self.history).await,

            Flaw::AlwaysMissing => Some(trap::always(http::StatusCode::NOT_FOUND)),
            Flaw::AlwaysFails => Some(trap::always(http::StatusCode::INTERNAL_SERVER_ERROR)),
            Flaw::AlwaysUnauthorized => Some(trap::always(http::StatusCode::UNAUTHORIZED)),
            Flaw::AlwaysUnsupported => Some(trap::always(http::StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            Flaw::ConstantPage => Some(trap::constant_page()),
            Flaw::RandomBodies => Some(trap::random_body(shop, request).await),
            Flaw::StoresNothing => trap::stores_nothing(request),
            Flaw::NeverAnswers => std::future::pending().await,
            Flaw::AnswersLate => trap::late(shop, request).await,
            Flaw::TooManyRequests => self.quota.take(),
            // Not made here: the store leaves the keys out of what it keeps, and the connection writes the garbage.
            Flaw::KeysInMemory | Flaw::Garbage => None,
        }
    }
}
