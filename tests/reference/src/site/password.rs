//! How a password is kept, and the files beside it: the table of users, and the log.

use std::fs::OpenOptions;
use std::io::Write as _;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::request::{Reply, Request};
use super::state::{State, hash, secret, verify};
use super::{App, Flaw};

/// What a program has where each password should have a salt of its own.
const SALT: &[u8; 16] = b"the site's salt!";

impl App {
    /// What is kept of a new password.
    pub(super) fn kept(&self, password: &str) -> String {
        match self.flaw {
            Some(Flaw::KeepsPassword) => password.to_owned(),
            Some(Flaw::KeepsDigest) => digest("", password),
            Some(Flaw::KeepsSaltedDigest) => {
                let salt = secret();
                format!("{salt}:{}", digest(&salt, password))
            }
            Some(Flaw::HiddenSalt) => digest("pepper", password),
            Some(Flaw::OneSalt) => phc(&Argon2::default(), password, SALT),
            Some(Flaw::KeepsEncoded) => STANDARD.encode(password),
            Some(Flaw::CheapBcrypt) => {
                bcrypt::hash(password, 4).expect("a password of a form is short enough")
            }
            Some(Flaw::CheapArgon) => {
                let params = Params::new(Params::DEFAULT_M_COST, 1, 1, None).expect("one pass is allowed");
                let mut salt = [0; 16];
                getrandom::fill(&mut salt).expect("the system has random bytes");
                phc(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params), password, &salt)
            }
            _ => hash(password),
        }
    }

    /// Whether what is kept is that of the password.
    pub(super) fn is_kept(&self, password: &str, stored: &str) -> bool {
        match self.flaw {
            Some(Flaw::KeepsPassword | Flaw::KeepsDigest | Flaw::HiddenSalt | Flaw::KeepsEncoded) => {
                self.kept(password) == stored
            }
            Some(Flaw::KeepsSaltedDigest) => {
                stored.split_once(':').is_some_and(|(salt, kept)| digest(salt, password) == kept)
            }
            Some(Flaw::CheapBcrypt) => bcrypt::verify(password, stored).unwrap_or_default(),
            // The parameters stand in what is kept.
            _ => verify(password, stored),
        }
    }

    /// The table of users, as it is now: a line for each.
    pub(super) fn write_users(&self, state: &State) {
        let lines: String = state
            .users
            .iter()
            .map(|user| format!("{}\t{}\t{}\n", user.name, user.hash, user.admin))
            .collect();
        // A site whose disk is full goes on serving.
        let _ = std::fs::write(self.data().join("users"), lines);
    }

    /// A line for each request that was answered.
    pub(super) fn log_request(&self, request: &Request, reply: &Reply) {
        let mut line = format!("{} {} {}", request.method, request.path, reply.status.as_u16());
        if self.is(Flaw::LogsForms) {
            line.extend(request.form.iter().map(|(name, value)| format!(" {name}={value}")));
        }
        self.log(&line);
    }

    pub(super) fn log(&self, line: &str) {
        let log = OpenOptions::new().create(true).append(true).open(self.data().join("access.log"));
        // As with the table of users.
        let _ = log.and_then(|mut log| writeln!(log, "{line}"));
    }
}

fn digest(salt: &str, password: &str) -> String {
    hex::encode(Sha256::digest(format!("{salt}{password}")))
}

fn phc(hasher: &Argon2<'_>, password: &str, salt: &[u8]) -> String {
    let hash = hasher.hash_password_with_salt(password.as_bytes(), salt);
    hash.expect("a password of a form is short enough").to_string()
}
