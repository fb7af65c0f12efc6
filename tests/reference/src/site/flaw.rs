//! What can be wrong with the site: one flag per mistake.

/// Declares the enum from rows of variant, name and summary, so that a row cannot be half there.
macro_rules! flaws {
    ($($Variant:ident $name:literal $summary:literal)+) => {
        /// One mistake of the site. Every other promise of the good site is kept.
        ///
        /// The part of the name before the slash is the check that must refuse it; `trap/` stands for those that no check may
        /// take for a good site.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Flaw {
            $(#[doc = $summary] $Variant,)+
        }

        impl Flaw {
            /// Every variant once, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];

            /// Lower case, unique.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// What is different from the good site, as one English sentence.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$Variant => $summary,)+
                }
            }
        }
    };
}

flaws! {
    AnyPassword "register-login/any-password"
        "Any password logs in, as long as the name is known."
    PasswordIgnoresCase "register-login/ignores-case"
        "Passwords are compared in lower case."
    PasswordTruncated "register-login/truncates-at-72"
        "Only the first 72 bytes of a password are hashed, as bcrypt does."
    CheckThenInsert "register-login/check-then-insert"
        "Whether a name is taken is looked up first, and inserted later without a unique key."
    TrustsUserCookie "register-login/trusts-user-cookie"
        "Who is logged in stands in a cookie called user, and is believed."
    LogoutInBrowserOnly "register-login/logout-in-browser-only"
        "Logout removes the cookie from the browser and leaves the session on the server."
    SharedCache "register-login/shared-cache"
        "A cache keeps the page of a logged-in user for everybody."

    RawEcho "xss/raw-echo"
        "The search page shows what was searched for without escaping it."
    QuotesInAttribute "xss/attribute-quotes"
        "Angle brackets are escaped and quotes are not, so a value leaves its attribute."
    StripsScriptOnce "xss/strips-script-once"
        "Script tags are taken out once, and nothing is escaped."
    RawInOneTemplate "xss/raw-in-one-template"
        "One template, that of the post's text, marks user text as safe."
    JsonInScript "xss/json-in-script"
        "Posts are put into a script block as plain JSON, where `</script>` ends it."
    JavascriptLink "xss/javascript-link"
        "A link of the scheme javascript is taken as it is."
    TextAsHtml "xss/text-as-html"
        "An interface returns user text as text/html."
    StopsStoring "xss/stops-storing"
        "The text of posts is marked as safe, and after four posts of one user nothing more is stored."
    RefusesPosts "xss/refuses-posts"
        "Every post is answered 400 and nothing is stored."

    NoToken "csrf/no-token"
        "Forms have no token, and the session cookie names no site."
    TokenUnbound "csrf/token-unbound"
        "The token of the form is compared with a cookie that anybody may have chosen."
    TokenUnboundOneSession "csrf/token-unbound-one-session"
        "The token is compared with a cookie that anybody may have chosen; a login ends the user's other sessions."
    TokenWhenPresent "csrf/token-when-present"
        "The token is checked only where there is one."
    RefererSubstring "csrf/referer-substring"
        "Instead of a token, the address of this site must occur anywhere in the Referer."
    GetActs "csrf/get-acts"
        "What a form posts is also done by GET, without a token."
    LinkDeletes "csrf/link-deletes"
        "A link removes what one wrote: by GET, and without a token."
    FormDeletesByGet "csrf/form-deletes-by-get"
        "The form that removes is posted with a token, and its address also removes by GET, without one."
    DeletesWithoutToken "csrf/deletes-without-token"
        "The form that removes has no token, and the session cookie names no site."
    RefusesActions "csrf/refuses-everything"
        "Every POST of a logged-in user is answered 403, with a right token too."

    SessionOfName "session/md5-of-name"
        "The session id is the MD5 digest of the user's name."
    SessionCounts "session/counts"
        "Session ids count up."
    ScriptReadsSession "session/no-http-only"
        "Scripts can read the session cookie."
    SessionFixed "session/fixation"
        "A session id that the browser brings along is kept at login."
    SessionInQuery "session/in-query"
        "Login leads to an address with the session id in its query."
    NoSameSite "session/no-same-site"
        "The session cookie does not say that it is for this site only."

    NoHeaders "headers/none"
        "No security header at all."
    UnsafeInline "headers/unsafe-inline"
        "The policy allows every script in the page."
    ConstantNonce "headers/constant-nonce"
        "The nonce of the policy is the same each time."
    HeadersOnSuccess "headers/only-on-200"
        "The headers are on pages that answer 200, and not on error pages."
    FrameAllowAll "headers/frame-allowall"
        "Framing is said to be controlled by a value that allows everything."
    Debugger "headers/debugger"
        "An error page shows the stack and a console."

    FileByPath "path-traversal/absolute-path"
        "Downloads open whatever path they are given."
    FileInPage "path-traversal/in-a-page"
        "Downloads open whatever path they are given, and show the file in the middle of a page."
    AliasOffBySlash "path-traversal/alias-off-by-slash"
        "What follows /static is put behind the folder without looking for the slash between them."
    ChecksBeforeDecoding "path-traversal/checks-before-decoding"
        "Dots are looked for before the path is decoded."
    StripsDotsOnce "path-traversal/strips-once"
        "../ is taken out of the path once."

    ReadsOthers "access-control/reads-others"
        "Any user reads any note by its number."
    AdminField "access-control/admin-field"
        "A field admin=true at registration makes an administrator."
    PasswordOfOthers "access-control/password-of-others"
        "The form for a new password says whose it is, and is believed."
    DeletesOthers "access-control/deletes-others"
        "Who owns a note is asked when it is read, and not when it is deleted."
    ListsOthers "access-control/lists-others"
        "Notes have unguessable names, and a list shows those of everybody."

    TwoMessages "enumeration/two-messages"
        "An unknown name and a wrong password get different messages."
    TwoStatuses "enumeration/two-statuses"
        "An unknown name is answered 404, a wrong password 401."
    NoDummyHash "enumeration/no-dummy-hash"
        "For an unknown name no password is hashed, so the answer comes sooner."
    TwoMediaTypes "enumeration/two-media-types"
        "An unknown name is answered by a plain text, a wrong password by a page."

    NoThrottle "throttle/none"
        "Passwords can be guessed as fast as the site answers."
    ThrottleInCookie "throttle/counter-in-cookie"
        "Wrong passwords are counted in a cookie of the client."
    ThrottleByForwardedFor "throttle/forwarded-for"
        "Wrong passwords are counted by the address that X-Forwarded-For claims."
    LocksForEver "throttle/locks-for-ever"
        "Three wrong passwords lock the account for ever."

    TokenKeyKnown "token-forgery/weak-key"
        "The session is a token signed with the key of a tutorial."
    TokenNeedsNoSignature "token-forgery/alg-none"
        "A token that says that it has no signature is believed."
    TokenUnverified "token-forgery/signature-ignored"
        "The signature of a token is never looked at."
    TokenEndIgnored "token-forgery/exp-ignored"
        "A token says when it ends, and is believed after that."
    TokenNeverEnds "token-forgery/no-exp"
        "A token says nothing of when it ends."
    SessionEncodesName "token-forgery/encoded-name"
        "The session is the user's name and an id in base64, without a signature."

    OpenRedirect "outbound/open-redirect"
        "The address to go on to is taken as it is, so //evil leads away."
    FetchesAnything "outbound/ssrf"
        "The preview fetches whatever address it is given, the machine's own too."
    FetchesThenFails "outbound/ssrf-and-error"
        "The preview fetches whatever address it is given, and answers 502 to what it did not expect."
    FetchesByPost "outbound/ssrf-by-post"
        "The form that fetches whatever address it is given is posted."
    RunsShell "outbound/command-injection"
        "The host to ping goes through a shell."

    KeepsPassword "password-storage/clear-text"
        "Passwords are kept as they were typed."
    KeepsDigest "password-storage/sha256"
        "Passwords are kept as their SHA-256."
    KeepsSaltedDigest "password-storage/salted-sha256"
        "Passwords are kept as one SHA-256 of a salt and the password."
    OneSalt "password-storage/one-salt"
        "Passwords are kept as argon2id with one salt for everybody."
    HiddenSalt "password-storage/salt-in-the-program"
        "Passwords are kept as SHA-256 with a salt that stands in the program."
    KeepsEncoded "password-storage/base64"
        "Passwords are kept in base64."
    CheapBcrypt "password-storage/bcrypt-cost-4"
        "Passwords are kept as bcrypt with a cost of 4."
    CheapArgon "password-storage/argon2-one-pass"
        "Passwords are kept as argon2id with 19 MiB and one pass instead of two."
    LogsForms "password-storage/in-the-log"
        "What was typed into a form goes to the access log."
    LogsWrongGuesses "password-storage/wrong-guesses-in-the-log"
        "A wrong password goes to the log of failed logins."

    TemplatesRaw "template-escape/raw-by-default"
        "The guestbook's templates escape nothing by default."
    RawField "template-escape/raw-field"
        "The guestbook's templates escape, but for the name, which is marked as markup."
    EscapedTwice "template-escape/escaped-twice"
        "The guestbook escapes a text before it hands it to a template that escapes."
    EscapedWhenStored "template-escape/escaped-when-stored"
        "The guestbook escapes a text before it stores it, and its templates escape nothing."
    TemplatesStrip "template-escape/strips-markup"
        "The guestbook takes whatever stands between angle brackets out of a text."

    AlwaysFails "trap/always-500"
        "Every request answers 500."
    ConstantPage "trap/constant-page"
        "Every request answers 200 with the same page."
    AlwaysMissing "trap/always-404"
        "Every path answers 404."
    StoresNothing "trap/stores-nothing"
        "Every form is answered as done, and nothing is stored."
}

impl Flaw {
    /// The check that must not pass on a site with this flaw; none for a trap, which no check may pass.
    #[must_use]
    pub fn refused_by(self) -> Option<&'static str> {
        self.name().split_once('/').map(|(check, _)| check).filter(|check| *check != "trap")
    }

    /// Whether the flaw breaks only what the check asks as a `should`: a step fails, the verdict does not.
    #[must_use]
    pub const fn breaks_only_a_should(self) -> bool {
        matches!(
            self,
            Self::LogoutInBrowserOnly
                | Self::NoSameSite
                | Self::UnsafeInline
                | Self::ConstantNonce
                | Self::NoDummyHash
                | Self::CheapArgon
                | Self::TokenNeverEnds
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_summaries_are_one_sentence() {
        let names: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.name()).collect();
        assert_eq!(names.len(), Flaw::ALL.len());
        for flaw in Flaw::ALL {
            assert!(flaw.summary().ends_with('.') && flaw.summary().len() < 110, "{flaw:?}");
            assert!(flaw.name().contains('/'), "{flaw:?}");
        }
    }
}
