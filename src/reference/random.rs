//! Unguessable values.

/// 128 random bits as 32 hexadecimal digits: long enough to be a session id.
pub(super) fn token() -> String {
    format!("{:016x}{:016x}", number(), number())
}

/// 64 random bits of the operating system.
pub(super) fn number() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}
