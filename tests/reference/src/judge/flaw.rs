//! Every known mistake and every trap, by name.

/// Declares the flaws: name, what is different, and the questions that must refuse it.
macro_rules! named {
    ($(#[$about:meta])* $kind:ident { $($variant:ident $name:literal $summary:literal [$($refused:literal),*]),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind {
            $(#[doc = $summary] $variant),*
        }

        impl $kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What it is called on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What is different, in a sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),* }
            }

            /// The questions that must not pass it.
            #[must_use]
            pub fn refused_by(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($refused),*]),* }
            }

            /// The one of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

named! {
    /// One known mistake of one task.
    Flaw {
        DictDeletesToEmpty "dict/deletes-to-empty" "DEL makes the slot empty, so what was put behind it is lost." ["dict, basic", "dict, mixed", "dict, collide"],
        DictComparesHashOnly "dict/compares-hash-only" "Keys of one hash are taken for the same key." ["dict, collide"],
        DictNeverResizes "dict/never-resizes" "The table never grows, and turns round in itself once it is full." ["dict, basic", "dict, mixed", "dict, collide"],
        DictLitterStays "dict/litter-stays" "Deleted places never count, and are never cleaned up." ["dict, mixed"],
        DictLitterKept "dict/litter-kept" "Deleted places count, and the table doubles with them instead of cleaning them up." ["dict, mixed"],
        DictLinearList "dict/linear-list" "There is no table: pairs are searched from the first to the last." ["dict, basic", "dict, mixed", "dict, collide"],
        DictNegativeModulo "dict/negative-modulo" "The remainder of a negative hash is negative, and taken for place zero when the key is read." ["dict, basic", "dict, mixed", "dict, collide"],
        OrderedLastWrite "ordered-dict/last-write" "A key that is written again goes to the end." ["ordered-dict"],
        OrderedSlowMove "ordered-dict/slow-move" "MOVE searches the whole order for the key." ["ordered-dict"],
        OrderedGhosts "ordered-dict/ghosts" "DEL leaves the key in the order, and putting it again finds its old place." ["ordered-dict"],
        OrderedLooseEquality "ordered-dict/loose-equality" "EQ never looks at the order." ["ordered-dict"],
        OrderedForwardReverse "ordered-dict/forward-reverse" "RKEYS gives the keys from the first to the last." ["ordered-dict"],
        ArrayRotatesOnce "array/rotates-once" "ROTATE by more than the length does nothing." ["linear, array"],
        ArrayOneBeyond "array/one-beyond" "The place behind the last one can be written." ["linear, array"],
        ArrayUpperBound "array/upper-bound" "LOWER finds the place behind equal numbers." ["linear, array"],
        QueueShifts "queue/shifts" "DEQ moves everything by one place." ["linear, queue"],
        QueueFullIsEmpty "queue/full-is-empty" "A full ring looks like an empty one." ["linear, queue"],
        StackScansForMin "stack/scans-for-min" "MIN looks at every value." ["linear, stack"],
        StackStaleMin "stack/stale-min" "The least value is still the least after it was taken off." ["linear, stack"],
        ListKeepsHandle "list/keeps-handle" "The handle of a node that was deleted can still be read." ["linear, list"],
        ListLosesTail "list/loses-tail" "REVERSE forgets to move the tail: what comes next is put behind the old one." ["linear, list"],
        TreeNoBalance "tree/no-balance" "There are no rotations." ["tree, avl", "tree, any"],
        TreeDeleteTwoChildren "tree/delete-two-children" "Deleting a node with two children loses the right side of what takes its place." ["tree, avl", "tree, any"],
        TreeFirstWriteWins "tree/first-write-wins" "Putting a key again keeps the old value." ["tree, avl", "tree, any"],
        TreeRankOffByOne "tree/rank-off-by-one" "RANK counts the key itself." ["tree, avl", "tree, any"],
        TreeHalfBalance "tree/half-balance" "Deleting does not rotate." ["tree, avl"],
        BtreeSortedArray "btree/sorted-array" "A sorted array, with the dump of a tree made up of it." ["btree, bplus", "btree, btree", "btree, insert", "btree, search", "btree, delete"],
        BtreeWrappedLibrary "btree/wrapped-library" "A published tree behind a wrapper that makes up its nodes: the leaves last, what is above them does not." ["btree, bplus", "btree, btree", "btree, insert", "btree, search", "btree, delete"],
        BtreeHashMap "btree/hash-map" "A hash map: nothing is in order, and one node holds it all." ["btree, bplus", "btree, btree", "btree, insert", "btree, search", "btree, delete"],
        BtreeNoMerge "btree/no-merge" "Nodes that are too empty stay as they are." ["btree, bplus", "btree, btree", "btree, delete"],
        BtreeTallRoot "btree/tall-root" "A root without keys stays above its only child." ["btree, bplus", "btree, btree", "btree, delete"],
        BtreeBrokenLinks "btree/broken-links" "When leaves merge, the leaf behind them still points to the one that went." ["btree, bplus", "btree, delete"],
        BtreeStaleSeparator "btree/stale-separator" "Borrowing from the left leaves the separator as it was." ["btree, bplus", "btree, delete"],
        BtreeInnerValues "btree/inner-values" "The inner nodes of a B+tree hold values, too." ["btree, bplus", "btree, insert", "btree, search", "btree, delete"],
        BtreeSearchesAll "btree/searches-all" "GET looks at every node." ["btree, bplus", "btree, btree", "btree, insert", "btree, search", "btree, delete"],
        CryptoEcb "crypto/ecb" "AES block by block, with a tag over it." ["crypto"],
        CryptoCbc "crypto/cbc" "AES-CBC without a tag." ["crypto"],
        CryptoConstantNonce "crypto/constant-nonce" "The nonce is always zero." ["crypto"],
        CryptoCounterNonce "crypto/counter-nonce" "The nonce is counted up from zero, in each process." ["crypto"],
        CryptoXor "crypto/xor" "The message is combined with a hash of the key, over and over, behind random bytes." ["crypto"],
        CryptoPlainPasswordKey "crypto/plain-password-key" "The key of SEAL is SHA-256 of the password." ["crypto"],
        CryptoBase64 "crypto/base64" "Nothing is encrypted; the bytes are written another way." ["crypto"],
        CryptoEmptyOnTamper "crypto/empty-on-tamper" "What does not decrypt gives an empty message instead of an error." ["crypto"],
        CryptoClockNonce "crypto/clock-nonce" "Nonces come from a generator seeded with the second of the start." ["crypto"],
        CryptoNoData "crypto/no-data" "The associated data is left out." ["crypto"],
        CryptoKeepsMessages "crypto/keeps-messages" "Nothing is encrypted: blobs are random, and the program remembers what each stands for." ["crypto"],
        CryptoKeepsPasswords "crypto/keeps-passwords" "A sealed blob is random, and the program remembers the password and what it stands for." ["crypto"],
        CryptoUnsaltedHash "crypto/unsalted-hash" "Password hashes all have the same salt." ["crypto"],
        MiddlewareAfterOrder "middleware/after-order" "The way out runs in the order of the way in." ["middleware-chain"],
        MiddlewareRunsHandler "middleware/runs-handler" "A short cut answers 401 after the handler has run." ["middleware-chain"],
        MiddlewareSkipsAfter "middleware/skips-after" "An exception passes only the innermost layer." ["middleware-chain"],
        MiddlewareSharedState "middleware/shared-state" "What belongs to a request is kept on the layer." ["middleware-chain"],
        MiddlewareManyServices "middleware/many-services" "A service is made anew for each call." ["middleware-chain"],
        MiddlewareRetriesAll "middleware/retries-all" "A retry begins at the outermost layer." ["middleware-chain"],
        MiddlewareLostName "middleware/lost-name" "A handler with layers around it is called wrapper." ["middleware-chain"],
    }
}

named! {
    /// Not a mistake of a task: a program that a careless check takes for a right one, or for a wrong one.
    Trap {
        Echo "trap/echo" "Says what it is told." [],
        AlwaysNull "trap/always-null" "Answers null to everything." [],
        AlwaysError "trap/always-error" "Answers with an error to everything." [],
        Silent "trap/silent" "Reads and never says anything." [],
        Deaf "trap/deaf" "Neither reads nor says anything." [],
        EndsAtOnce "trap/ends-at-once" "Ends with code 0 before anything is said." [],
        Garbage "trap/garbage" "Random bytes, for ever." [],
        OneLongLine "trap/one-long-line" "One line that never ends." [],
        WebServer "trap/web-server" "Answers as a web server does." [],
        Unflushed "trap/unflushed" "Says hello, and keeps its answers until the input ends." [],
        HelloOnly "trap/hello-only" "Says hello, and nothing more." [],
        Prints "trap/prints" "Says hello, and prints a line for itself before each answer." [],
        WrongNumber "trap/wrong-number" "Answers each operation under the number of the one before." [],
        Crashes "trap/crashes" "Says hello, and is aborted by its first operation." [],
        EndsBadly "trap/ends-badly" "Answers null to everything, and ends with code 3." [],
        Talks "trap/talks" "Says goodbye when its input ends." [],
        Stays "trap/stays" "Goes on running when its input ends." [],
    }
}
