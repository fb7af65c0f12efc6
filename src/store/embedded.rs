//! What ships inside the binary: checklists and plugins.

/// A shipped plugin.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedPlugin {
    /// Its id.
    pub id: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// How many known mistakes `docs/proof.md` holds it against; a test counts them there.
    pub mistakes: usize,
}

macro_rules! checklists {
    ($($name:literal),+ $(,)?) => {
        /// The shipped checklists: name and text, in reading order.
        pub const CHECKLISTS: &[(&str, &str)] = &[
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

/// The shipped plugins.
pub const PLUGINS: &[EmbeddedPlugin] = &[EmbeddedPlugin {
    id: "http-idempotency",
    bytes: include_bytes!("../../plugins/http-idempotency.wasm"),
    mistakes: 21,
}];
