//! What ships inside the binary: checklists and plugins.

use crate::model::Digest;

/// A shipped plugin.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedPlugin {
    /// Its id.
    pub id: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// Of the bytes.
    pub digest: Digest,
    /// How many known mistakes its pages in `docs/proof` hold it against.
    pub mistakes: usize,
}

macro_rules! checklists {
    ($($name:literal),+ $(,)?) => {
        /// The shipped checklists: name and text, in reading order.
        pub static CHECKLISTS: &[(&str, &str)] = &[
            $((concat!("checklists/", $name, ".toml"), include_str!(concat!("../../checklists/", $name, ".toml")))),+
        ];
    };
}

checklists![
    "01-ground",
    "02-must-do",
    "03-stack",
    "04-network",
    "05-gateway",
    "06-python",
    "07-redis",
    "08-mysql",
    "09-frontend",
    "10-challenge",
];

macro_rules! plugins {
    ($($name:literal),+ $(,)?) => {
        /// The shipped plugins. No constant: of that, each part of the program that uses it has a copy of its own.
        pub static PLUGINS: &[EmbeddedPlugin] = &[
            $(EmbeddedPlugin {
                id: $name,
                bytes: include_bytes!(concat!("../../plugins/", $name, ".wasm")),
                // `build.rs` computes it: many commands want to know which bytes they are, and few want the bytes.
                digest: Digest::from_bytes(*include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".sha256"))),
                mistakes: include!(concat!(env!("OUT_DIR"), "/", $name, ".mistakes")),
            }),+
        ];
    };
}

plugins![
    "gateway",
    "http-api",
    "http-idempotency",
    "judge",
    "mq-delivery",
    "net",
    "runtime-probe",
    "sql-check",
    "web-security",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_that_of_the_bytes_and_mistakes_are_known() {
        for plugin in PLUGINS {
            assert_eq!(plugin.digest, Digest::of(plugin.bytes), "{}", plugin.id);
            assert!(plugin.mistakes > 0, "docs/proof has no mistakes for {}", plugin.id);
        }
    }
}
