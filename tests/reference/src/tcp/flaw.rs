//! What can be wrong with the server: one flag per mistake.

use super::Framing;
use crate::named::named;

named! {
    /// One mistake of the server. Every other promise of the good one is kept.
    ///
    /// The part of the name before the slash is the check that the mistake was written for; `trap/` stands for those that no
    /// check may take for a good server.
    pub enum Flaw is "flaw" {
        Constant "echo/constant"
            "Every request gets the same reply."
        UpperCase "echo/upper-case"
            "The reply is in upper case."
        DropsLastByte "echo/drops-last-byte"
            "The last byte of every reply is missing."
        AddsNewline "echo/adds-newline"
            "A newline follows every reply."

        StopsAtNul "exact-bytes/stops-at-nul"
            "A body ends at its first NUL, as `strlen()` has it."
        FixedBuffer "exact-bytes/fixed-buffer"
            "What is longer than 4096 bytes is cut off."
        IgnoresInvalid "exact-bytes/ignores-invalid"
            "What each `recv()` gave is decoded as UTF-8, and what does not fit is left out."
        RequestedLength "exact-bytes/requested-length"
            "The length that was asked for counts, not the one that `recv()` returned."
        Leftover "exact-bytes/leftover"
            "A reply that is shorter than the one before carries the rest of that one."

        ReceiveIsMessage "dribble/recv-is-message"
            "Whatever one `recv()` gives is taken for a request."
        ComparesReceived "dribble/compares-received"
            "What one `recv()` gives must be exactly one request; else it is thrown away."
        BlocksEverybody "dribble/blocks-everybody"
            "While one client is inside a request, nobody else is served."
        ByteTimeout "dribble/byte-timeout"
            "A pause of 10 milliseconds inside a request ends the connection."

        FirstOnly "pipelined/first-only"
            "Of what one `recv()` gave, only the first request is answered."
        LosesTail "pipelined/loses-tail"
            "What follows the last whole request in the buffer is thrown away."
        OutOfOrder "pipelined/out-of-order"
            "Requests that came together are answered in another order."
        Merged "pipelined/merged"
            "Requests that came together are answered by one reply."

        GlobalBuffer "interleaved/global-buffer"
            "All connections share one buffer."
        StaleBuffer "interleaved/stale-buffer"
            "A new connection gets the buffer of one that has ended, with what was left in it."
        OneEndsAll "interleaved/one-ends-all"
            "A client that leaves inside a request takes the server down."
        Iterative "interleaved/iterative"
            "One client is served after the other."

        OneSend "large-write/one-send"
            "A reply is sent by one call of a socket that does not block, and what did not fit is lost."
        FullCloses "large-write/full-closes"
            "A socket that takes no more is closed: EAGAIN counts as an error."
        BlocksLoop "large-write/blocks-loop"
            "While a reply waits to be read, nobody else is served."
        Unbounded "large-write/unbounded"
            "Replies wait in memory without a limit, and requests are read on."

        EndDropsReply "half-close/end-drops-reply"
            "A client that has ended its side gets no reply any more."
        SpinsAfterEnd "half-close/spins-after-end"
            "The fifth connection, once it has ended, is shut down and read again for ever."
        EndSpins "half-close/end-spins"
            "A read of 0 bytes is tried again, for ever."
        NeverCloses "half-close/never-closes"
            "The server never ends its side."
        HalfAsWhole "half-close/half-as-whole"
            "What is there at the end is answered as if it were whole."

        WriteErrorKills "error-survival/write-error-kills"
            "An error of a write ends the server, as SIGPIPE does."
        ReadErrorKills "error-survival/read-error-kills"
            "An error of a read ends the loop that accepts."
        TooManyFiles "error-survival/too-many-files"
            "With more than 150 connections accepting fails, and is never tried again."

        HangUpsKill "error-survival/hang-ups-kill"
            "The tenth client that leaves without a byte takes the server down."
        BrokenReplyKills "error-survival/broken-reply-kills"
            "An error of a write ends the server where earlier replies went out on that connection."
        NonsenseKills "error-survival/nonsense-kills"
            "A request that is no UTF-8 ends the server."
        SpinsWhenFull "error-survival/spins-when-full"
            "Accepting that fails is tried again at once, also where no descriptor is left."
        Supervised "error-survival/supervised"
            "An error of a write ends the process, and another one takes its place at once, on the same socket."

        SelectDies "beyond-select/select-dies"
            "The 1025th connection takes the server down."
        SetOverflow "beyond-select/set-overflow"
            "Connections beyond the 1020th are never read."
        ShortQueue "beyond-select/short-queue"
            "Five connections may wait, and accepting one takes 200 milliseconds."
        LastIsLate "beyond-select/last-is-late"
            "Connections beyond the 1100th are answered after eight seconds."

        Deaf "close-wait/deaf"
            "Nothing is read after the first request of a connection."
        KeepsEnded "close-wait/keeps-ended"
            "Connections that have ended stay in a list, open."
        IdleMinute "close-wait/idle-minute"
            "A connection that has ended is closed a minute later."
        KeepsUpstream "close-wait/keeps-upstream"
            "Each client costs a connection to another part of the program: that part ends it, this one never does."
        LeaksReference "close-wait/leaks-reference"
            "With more than 60 connections the thread of one ends without closing it."

        NoReuseAddress "time-wait/no-reuse-address"
            "The port is bound without `SO_REUSEADDR`."
        SharesPort "time-wait/shares-port"
            "The port is bound with `SO_REUSEPORT`, so that two copies run at once."
        ClosesFirst "time-wait/closes-first"
            "The server closes behind each reply."
        Lingers "time-wait/lingers-zero"
            "Connections end with a reset, to avoid `TIME_WAIT`."

        LeaksHalfClosed "suite/leaks-half-closed"
            "A connection that its client ends while a reply is due is shut down, and its descriptor kept."
        Replaced "suite/replaced"
            "After a request of more than 10000 bytes a new process takes the place of the old one."

        Silent "trap/silent"
            "Connections are taken, and nothing is ever said."
        ClosesAtOnce "trap/closes-at-once"
            "Connections are taken and closed."
        Greets "trap/greets"
            "The server speaks first, as SSH does."
        Http "trap/http"
            "Everything is answered by a page of HTTP that repeats the request."
        Garbage "trap/garbage"
            "Random bytes come without end."
        Late "trap/late"
            "Every reply comes twelve seconds late."
    }
}

impl Flaw {
    /// The framing in which it shows.
    #[must_use]
    pub fn framing(self) -> Framing {
        // A line of text holds no NUL.
        if self == Self::StopsAtNul { Framing::Len32 } else { Framing::Line }
    }

    /// Whether the process is followed by another one that takes over its socket.
    pub(super) fn has_successors(self) -> bool {
        matches!(self, Self::Supervised | Self::Replaced)
    }
}
