//! What can be wrong with the service, one thing at a time.

use std::fmt;

/// Declares the flaws: the words say what is different, then the name and the checks that must not pass it; none for what
/// costs score only, and for what a careless check takes for good.
macro_rules! flaws {
    ($($(#[doc = $words:literal])+ $flaw:ident = $name:literal refused by [$($check:literal),*];)+) => {
        /// A known mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flaw {
            $($(#[doc = $words])+ $flaw,)+
        }

        impl Flaw {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$flaw),+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$flaw => $name,)+
                }
            }

            /// What is different, in a sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$flaw => concat!($($words),+).trim_ascii(),)+
                }
            }

            /// The checks that must not pass it.
            #[must_use]
            pub fn refused_by(self) -> &'static [&'static str] {
                match self {
                    $(Self::$flaw => &[$($check),*],)+
                }
            }
        }
    };
}

flaws! {
    /// Answers in HTTP/1.0, closes after each answer and asks for no Host.
    OldVersion = "old-version" refused by ["http-basics"];
    /// Pages are two bytes longer than Content-Length says.
    LongBody = "long-body" refused by ["http-basics"];
    /// HEAD is answered with the body of GET.
    HeadBody = "head-body" refused by ["http-basics"];
    /// Every path and every method is answered 200.
    AlwaysOk = "always-ok" refused by ["http-basics"];
    /// Closes after each answer without saying so.
    ClosesSilently = "closes-silently" refused by ["http-basics"];
    /// Takes what the first read brings for the whole request.
    FirstSegment = "first-segment" refused by ["http-basics"];
    /// 405 comes without Allow.
    NoAllow = "no-allow" refused by [];
    /// A request with Content-Length and Transfer-Encoding is read by its length, and the connection stays open.
    TakesTwoLengths = "takes-two-lengths" refused by ["http-basics"];
    /// A request without Host, or with two, is served.
    NoHostNeeded = "no-host-needed" refused by ["http-basics"];
    /// POST answers 200 with neither Location nor an id.
    Nameless = "nameless" refused by ["rest-crud"];
    /// An unknown id is answered 200 with null.
    NullForUnknown = "null-for-unknown" refused by ["rest-crud"];
    /// A method that a row does not have is answered 404 instead of 405, as JSON stores do.
    MissingMethod = "missing-method" refused by [];
    /// PUT keeps the fields that it does not name.
    PutMerges = "put-merges" refused by ["rest-crud"];
    /// Rows are removed by GET /deleteItem?id=, and DELETE is 405.
    GetDeletes = "get-deletes" refused by ["rest-crud"];
    /// Broken JSON is answered 500.
    MalformedBreaks = "malformed-breaks" refused by ["rest-crud"];
    /// The list shows rows that were removed.
    ListLeaks = "list-leaks" refused by ["rest-crud"];
    /// POST answers 201 with what was sent, and stores nothing.
    Echo = "echo" refused by ["rest-crud"];
    /// The number in a path is taken apart by hand: -1 and 1x are taken, too.
    IntByHand = "int-by-hand" refused by ["routing"];
    /// The variable route goes before the fixed one beside it.
    Shadowed = "shadowed" refused by ["routing"];
    /// A method that a route does not have is answered 404.
    MissingFor405 = "missing-for-405" refused by ["routing"];
    /// What no route takes is answered 200 with the front page.
    CatchAll = "catch-all" refused by ["routing"];
    /// The redirect to the path with a slash loses the query.
    DropsQuery = "drops-query" refused by ["routing"];
    /// The redirect to the path with a slash is 302, after which a POST becomes a GET.
    Redirects302 = "redirects-302" refused by ["routing"];
    /// A development server with its debugger, as `flask run --debug` is.
    Debugger = "debugger" refused by ["production-server"];
    /// The page of an error shows the traceback.
    Traceback = "traceback" refused by ["production-server"];
    /// SIGTERM ends it at once; running requests are dropped.
    DropsRunning = "drops-running" refused by ["production-server"];
    /// One connection is served at a time, as wsgiref does.
    OneAtATime = "one-at-a-time" refused by ["production-server", "slow-clients"];
    /// Two workers serve a connection each, as gunicorn with sync workers alone.
    TwoWorkers = "two-workers" refused by ["production-server", "slow-clients"];
    /// Eight threads serve a connection each, as gunicorn with gthread.
    EightThreads = "eight-threads" refused by ["production-server", "slow-clients"];
    /// A client that says nothing is waited for, for ever.
    Unbounded = "unbounded" refused by ["slow-clients"];
    /// A flood is served.
    NoLimit = "no-limit" refused by ["rate-limit"];
    /// One limit for all clients together: the flood of one starves the others.
    GlobalBucket = "global-bucket" refused by ["rate-limit"];
    /// The client is who X-Forwarded-For says, whoever sends it.
    TrustsForwarded = "trusts-forwarded" refused by ["rate-limit"];
    /// Everything is answered 429.
    AlwaysTooMany = "always-too-many" refused by ["rate-limit"];
    /// What is answered 429 is carried out all the same.
    ExecutesRefused = "executes-refused" refused by ["rate-limit"];
    /// Whoever went over the limit once is refused from then on.
    NeverRecovers = "never-recovers" refused by ["rate-limit"];
    /// A guard refuses every request that changes something with 403 before its route is looked for, as one does that
    /// misses a CSRF token.
    GuardFirst = "guard-first" refused by [];
    /// Every request is answered 500.
    AlwaysFails = "always-500" refused by [];
    /// Every request is answered 200 with the same page.
    ConstantPage = "constant-page" refused by [];
    /// Every request is answered 404.
    AlwaysMissing = "always-404" refused by [];
}

impl Flaw {
    /// The flaw of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|flaw| flaw.name() == name).copied()
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
