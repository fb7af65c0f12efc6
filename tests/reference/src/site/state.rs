//! What the site keeps.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};

/// Somebody who registered.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) hash: String,
    pub(super) admin: bool,
}

/// What a browser is known by.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) user: Option<String>,
    pub(super) token: String,
}

/// A text for everybody.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) id: u64,
    pub(super) author: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) link: String,
}

/// A text for its author only.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) text: String,
}

/// Wrong passwords of one account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guesses {
    pub(super) count: u32,
    pub(super) last: Instant,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) users: Vec<User>,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) posts: Vec<Post>,
    pub(super) notes: Vec<Note>,
    /// The guestbook: name and text.
    pub(super) entries: Vec<(String, String)>,
    pub(super) guesses: HashMap<String, Guesses>,
    /// Pages that the shared cache holds, and until when.
    pub(super) cached: HashMap<String, (Instant, String)>,
    pub(super) counter: u64,
}

impl State {
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

/// Wrong passwords in a row that are answered at once.
pub(super) const FREE_GUESSES: u32 = 10;

/// How long an account waits after that.
pub(super) const PENALTY: Duration = Duration::from_secs(3);

/// 128 bits that nobody guesses, in hex.
pub(super) fn secret() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    hex::encode(bytes)
}

/// The stored form of a password: argon2id with the library's parameters (19 MiB, 2 passes) and a salt of its own.
pub(super) fn hash(password: &str) -> String {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).expect("the system has random bytes");
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.expect("a password of a form is short enough").to_string()
}

/// Whether this is the password that was hashed.
pub(super) fn verify(password: &str, hash: &str) -> bool {
    argon2::password_hash::phc::PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
