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
        "mustdo:verifier/tcp.connect": async | trappable,
        "mustdo:verifier/tcp.connect-many": async | trappable,
        "mustdo:verifier/tcp.wait-readable": async | trappable,
        "mustdo:verifier/tcp.[method]connection.read": async | trappable,
        "mustdo:verifier/tcp.[method]connection.write": async | trappable,
        "mustdo:verifier/tcp.[method]listener.accept": async | trappable,
        "mustdo:verifier/udp.open": async | trappable,
        "mustdo:verifier/udp.[method]socket.send": async | trappable,
        "mustdo:verifier/udp.[method]socket.receive": async | trappable,
        "mustdo:verifier/scratch.open": async | trappable,
        "mustdo:verifier/scratch.[method]workspace.read": async | trappable,
        "mustdo:verifier/scratch.[method]workspace.write": async | trappable,
        "mustdo:verifier/scratch.[method]workspace.remove": async | trappable,
        "mustdo:verifier/process.start": async | trappable,
        "mustdo:verifier/process.attach": async | trappable,
        "mustdo:verifier/process.restart": async | trappable,
        "mustdo:verifier/process.[method]child.write-stdin": async | trappable,
        "mustdo:verifier/process.[method]child.read": async | trappable,
        "mustdo:verifier/process.[method]child.wait": async | trappable,
        "mustdo:verifier/process.[method]child.tree": async | trappable,
        "mustdo:verifier/process.[method]child.sockets": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "mustdo:verifier/http.client": super::http::ClientHandle,
        "mustdo:verifier/files.tree": super::files::TreeHandle,
        "mustdo:verifier/tcp.connection": super::tcp::Connection,
        "mustdo:verifier/tcp.listener": super::tcp::Listener,
        "mustdo:verifier/udp.socket": super::udp::Socket,
        "mustdo:verifier/scratch.workspace": super::scratch::WorkspaceHandle,
        "mustdo:verifier/process.child": super::process::Child,
    },
});

pub(super) use self::mustdo::verifier::failures::Failure;
pub(super) use self::mustdo::verifier::{
    attachments, clock, control, environment, failures, files, http, manifest, process, scratch, tcp, types,
    udp,
};
pub(super) use exports::mustdo::verifier::plugin::{RunError, RunRequest};

/// The version that the interfaces above are of: the package's in `verifier.wit`. A contract has the version of the
/// mustdo that it first ships with, so that a plugin built for a newer one can say which mustdo it needs.
pub(super) const VERSION: semver::Version = semver::Version::new(0, 1, 0);
