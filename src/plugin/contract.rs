//! The contract with plugins, generated from `plugins/wit/verifier.wit`.
//!
//! Only functions that wait are asynchronous: the others answer at once, and a guest may call them often.

wasmtime::component::bindgen!({
    path: "plugins/wit",
    world: "verifier-with-process",
    imports: {
        "mustdo:verifier/clock.sleep-millis": async | trappable,
        "mustdo:verifier/http.open": async | trappable,
        "mustdo:verifier/http.[method]client.send": async | trappable,
        "mustdo:verifier/http.[method]client.send-all": async | trappable,
        "mustdo:verifier/files.open": async | trappable,
        "mustdo:verifier/files.[method]tree.walk": async | trappable,
        "mustdo:verifier/files.[method]tree.stat": async | trappable,
        "mustdo:verifier/files.[method]tree.read": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "mustdo:verifier/http.client": super::http::ClientHandle,
        "mustdo:verifier/files.tree": super::files::TreeHandle,
        "mustdo:verifier/tcp.connection": super::withheld::Nothing,
        "mustdo:verifier/tcp.listener": super::withheld::Nothing,
        "mustdo:verifier/udp.socket": super::withheld::Nothing,
        "mustdo:verifier/scratch.workspace": super::withheld::Nothing,
        "mustdo:verifier/process.child": super::withheld::Nothing,
    },
});

pub(super) use self::mustdo::verifier::failures::Failure;
pub(super) use self::mustdo::verifier::{
    attachments, clock, control, environment, failures, files, http, manifest, process, scratch, tcp, types,
    udp,
};
pub(super) use exports::mustdo::verifier::plugin::{RunError, RunRequest};

/// The version that the interfaces above are of: the package's in `verifier.wit`.
pub(super) const VERSION: semver::Version = semver::Version::new(0, 1, 0);
