//! What can be wrong with the service: one flag per mistake.

use super::named::named;

named! {
    /// One mistake of the service. Every other promise of the good service is kept.
    ///
    /// The part of the name before the slash is the check that the mistake was written for; `trap/` stands for those
    /// that no check may take for a good service.
    ///
    /// Three mistakes of `key-protocol` show only when the service is killed and started again
    /// ([`needs_a_crash`](Self::needs_a_crash)): until then, and where nothing is kept on disk, it is as good as the good one.
    pub enum Flaw is "flaw" {
        PutAppends "repeat-effect/put-appends"
            "PUT also adds a revision row, which the list shows."
        PutCounts "repeat-effect/put-counts"
            "PUT counts up a version that the item and the list show."
        DeleteTakesNext "repeat-effect/delete-takes-next"
            "DELETE of an item that is gone removes the newest one instead."
        DeleteTwiceFails "repeat-effect/delete-twice-500"
            "The second DELETE of an item answers 500."

        CheckThenInsert "double-submit/check-then-insert"
            "A token is looked up before the work and stored after it, and no unique key stands behind."
        BrowserOnly "double-submit/browser-only"
            "Only a script in the page stops the second click; the service takes every submission."
        TokenAfterWork "double-submit/token-after-work"
            "The effect is stored before its token, so a duplicate is refused when its effect is already there."
        LockPerProcess "double-submit/lock-per-process"
            "Each of two workers has a lock of its own, so a duplicate at the other worker runs as well."
        ConflictToAll "double-submit/conflict-to-all"
            "Every submission is answered 409 and nothing is stored."
        DedupeByBody "double-submit/dedupe-by-body"
            "What counts as a duplicate is an equal body, so a second equal order is lost."

        GetLogsOut "safe-get/get-logs-out"
            "GET /logout ends the session."
        GetDeletes "safe-get/get-deletes"
            "GET /items/ID/delete deletes the item."
        GetCreates "safe-get/get-creates"
            "GET of a missing item creates it."
        HeadRunsPost "safe-get/head-runs-post"
            "HEAD of a collection runs the handler of POST and adds a row."
        AlwaysMissing "safe-get/always-404"
            "Every path answers 404."

        ReuseReplays "key-protocol/reuse-replays"
            "A key that comes back with another payload gets 201 and the body of the first."
        ReuseAnswers417 "key-protocol/reuse-417"
            "A key that comes back with another payload is refused with 417, a status of another meaning."
        SharedKeys "key-protocol/shared-keys"
            "A key belongs to all callers, so one caller is shown the answer of another."

        KeyBeforeEffect "key-protocol/key-before-effect"
            "The key is committed before its effect: a crash loses the effect and a retry gets an empty 200."
        EffectBeforeKey "key-protocol/effect-before-key"
            "The effect is committed before its key: a crash between them makes the retry do it again."
        KeysInMemory "key-protocol/keys-in-memory"
            "The keys are held in memory beside durable effects: a restart forgets them."

        AlwaysFails "trap/always-500"
            "Every request answers 500."
        ConstantPage "trap/constant-page"
            "Every request answers 200 with the same page."
        FrozenLists "trap/frozen-lists"
            "The lists show what was there at the start, whatever is written."
        LaggingLists "trap/lagging-lists"
            "The lists show what was there two seconds ago."
        RandomBodies "trap/random-bodies"
            "The work is done, but every JSON answer is filled with random values."
        StoresNothing "trap/stores-nothing"
            "Every write is answered as done, and nothing is stored."
        NeverAnswers "trap/never-answers"
            "Connections and requests are taken, and no answer ever comes."
        AnswersLate "trap/answers-late"
            "Every answer comes twelve seconds late."
        AlwaysUnauthorized "trap/always-401"
            "Every request answers 401."
        AlwaysUnsupported "trap/always-415"
            "Every request answers 415."
        TooManyRequests "trap/429-after-ten"
            "After ten requests everything answers 429."
        Garbage "trap/garbage"
            "The answer announces chunks and then sends bytes that are none."
    }
}

const REPEAT_EFFECT: &str = "http-idempotency/repeat-effect";
const DOUBLE_SUBMIT: &str = "http-idempotency/double-submit";
const SAFE_GET: &str = "http-idempotency/safe-get";
const KEY_PROTOCOL: &str = "http-idempotency/key-protocol";

impl Flaw {
    /// The checks that must not pass on a service with this flaw, as `plugin/check`. Never empty, no duplicates.
    ///
    /// Other checks may refuse it as well: `get-creates`, for example, spoils whatever reads a deleted item.
    #[must_use]
    pub const fn refused_by(self) -> &'static [&'static str] {
        match self {
            Self::PutAppends | Self::PutCounts | Self::DeleteTakesNext | Self::DeleteTwiceFails => {
                &[REPEAT_EFFECT]
            }
            Self::CheckThenInsert
            | Self::BrowserOnly
            | Self::TokenAfterWork
            | Self::LockPerProcess
            | Self::ConflictToAll
            | Self::DedupeByBody => &[DOUBLE_SUBMIT, KEY_PROTOCOL],
            Self::GetLogsOut | Self::GetDeletes | Self::GetCreates | Self::HeadRunsPost => &[SAFE_GET],
            Self::ReuseReplays
            | Self::ReuseAnswers417
            | Self::SharedKeys
            | Self::KeyBeforeEffect
            | Self::EffectBeforeKey
            | Self::KeysInMemory => &[KEY_PROTOCOL],
            Self::AlwaysMissing
            | Self::AlwaysFails
            | Self::ConstantPage
            | Self::FrozenLists
            | Self::LaggingLists
            | Self::RandomBodies
            | Self::StoresNothing
            | Self::NeverAnswers
            | Self::AnswersLate
            | Self::AlwaysUnauthorized
            | Self::AlwaysUnsupported
            | Self::TooManyRequests
            | Self::Garbage => &[REPEAT_EFFECT, DOUBLE_SUBMIT, SAFE_GET, KEY_PROTOCOL],
        }
    }

    /// Whether the flaw breaks only what a check asks as a `should`: it is refused when the check is `strict`.
    ///
    /// [`SharedKeys`](Self::SharedKeys) is not one of them. The protocol leaves the scope of a key to the service, but
    /// a caller who is shown the answer of another is shown what is not theirs, which no score can outweigh.
    #[must_use]
    pub const fn breaks_only_a_should(self) -> bool {
        matches!(self, Self::ReuseAnswers417)
    }
}

impl Flaw {
    /// Whether the mistake shows only when the service is killed and started again on the data it kept.
    #[must_use]
    pub const fn needs_a_crash(self) -> bool {
        matches!(self, Self::KeyBeforeEffect | Self::EffectBeforeKey | Self::KeysInMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_in_the_name_refuses_the_flaw() {
        for flaw in Flaw::ALL {
            let (check, _) = flaw.name().split_once('/').unwrap();
            let refused_by = flaw.refused_by();
            if check == "trap" {
                assert_eq!(refused_by.len(), 4, "{flaw}");
            } else {
                assert!(refused_by.contains(&format!("http-idempotency/{check}").as_str()), "{flaw}");
            }
        }
    }

    #[test]
    fn every_known_mistake_is_built() {
        let traps_of_the_list = [Flaw::AlwaysFails, Flaw::ConstantPage];
        let known = Flaw::ALL.iter().filter(|flaw| !flaw.name().starts_with("trap/")).count();
        assert_eq!(known + traps_of_the_list.len(), 23);
    }
}
