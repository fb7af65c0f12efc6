//! Every function of the contract, passed on to [`State`] by way of the tape.

use wasmtime::component::{HasData, Resource};

use crate::plugin::contract::{
    Failure, attachments, clock, control, environment, failures, files, http, manifest, process, scratch,
    tcp, types, udp,
};
use crate::plugin::state::State;

use super::Asked;

/// A run's state behind its tape: what a plugin's calls reach.
pub(in crate::plugin) struct Taped<'a>(pub(in crate::plugin) &'a mut State);

/// Tells wasmtime what [`Taped`] borrows.
pub(in crate::plugin) struct OnTape;

impl HasData for OnTape {
    type Data<'a> = Taped<'a>;
}

/// One function of an interface: how it is called in a recording, its arguments and its result.
///
/// `waits` and `answers` reach the world, the first asynchronously; a replay makes none of them. `keeps` reach only the
/// run's own memory: a replay makes them, too, so that the log and the attachments are those of the run.
macro_rules! call {
    (waits $host:path, $name:ident $label:literal ($($argument:ident: $type:ty),*) -> $answer:ty) => {
        async fn $name(&mut self, $($argument: $type),*) -> wasmtime::Result<$answer> {
            match self.0.tape.ask($label, |arguments| arguments$(.with(&$argument))*)? {
                Asked::Live => <State as $host>::$name(self.0, $($argument),*).await,
                Asked::Recorded => {
                    let answer = <State as $host>::$name(self.0, $($argument),*).await;
                    self.0.tape.tell(answer.as_ref());
                    answer
                }
                Asked::Replayed(answer) => Ok(answer),
            }
        }
    };
    (answers $host:path, $name:ident $label:literal ($($argument:ident: $type:ty),*) -> $answer:ty) => {
        fn $name(&mut self, $($argument: $type),*) -> wasmtime::Result<$answer> {
            match self.0.tape.ask($label, |arguments| arguments$(.with(&$argument))*)? {
                Asked::Live => <State as $host>::$name(self.0, $($argument),*),
                Asked::Recorded => {
                    let answer = <State as $host>::$name(self.0, $($argument),*);
                    self.0.tape.tell(answer.as_ref());
                    answer
                }
                Asked::Replayed(answer) => Ok(answer),
            }
        }
    };
    (keeps $host:path, $name:ident $label:literal ($($argument:ident: $type:ty),*) -> $answer:ty) => {
        fn $name(&mut self, $($argument: $type),*) -> wasmtime::Result<$answer> {
            let asked = self.0.tape.ask($label, |arguments| arguments$(.with(&$argument))*)?;
            let answer = <State as $host>::$name(self.0, $($argument),*);
            match (asked, &answer) {
                (Asked::Live, _) => {}
                (Asked::Recorded, _) => self.0.tape.tell(answer.as_ref()),
                (Asked::Replayed(recorded), Ok(answer)) => self.0.tape.confirm($label, &recorded, answer),
                (Asked::Replayed(_), Err(_)) => {}
            }
            answer
        }
    };
}

/// The functions of one interface, or of one resource.
macro_rules! calls {
    ($host:path { $($how:ident $name:ident $label:literal ($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        impl $host for Taped<'_> {
            $(call! { $how $host, $name $label ($($argument: $type),*) -> $answer })*
        }
    };
}

type Client = Resource<http::Client>;
type Connection = Resource<tcp::Connection>;
type Listener = Resource<tcp::Listener>;
type Socket = Resource<udp::Socket>;
type Tree = Resource<files::Tree>;
type Workspace = Resource<scratch::Workspace>;
type Child = Resource<process::Child>;
type Bytes = Vec<u8>;
type Fallible<T> = Result<T, Failure>;

impl types::Host for Taped<'_> {}
impl manifest::Host for Taped<'_> {}
impl failures::Host for Taped<'_> {}

calls! { control::Host {
    keeps report_progress "control.report-progress" (fraction: Option<f32>, message: String) -> ();
    keeps log "control.log" (level: control::Level, message: String) -> ();
    answers millis_left "control.millis-left" () -> u64;
} }

calls! { clock::Host {
    answers monotonic_nanos "clock.monotonic-nanos" () -> u64;
    answers unix_millis "clock.unix-millis" () -> u64;
    waits sleep_millis "clock.sleep-millis" (duration: u64) -> ();
    answers random_bytes "clock.random-bytes" (len: u32) -> Bytes;
} }

calls! { http::Host {
    waits open "http.open" (target: String, options: http::Options) -> Fallible<Client>;
} }

calls! { http::HostClient {
    waits send "http.client.send" (client: Client, request: http::Request) -> Fallible<http::Response>;
    waits send_all "http.client.send-all" (client: Client, requests: Vec<http::Request>, concurrency: u32)
        -> Fallible<Vec<Fallible<http::Response>>>;
    answers drop "http.client.drop" (client: Client) -> ();
} }

calls! { tcp::Host {
    waits connect "tcp.connect" (target: String, options: tcp::Options) -> Fallible<Connection>;
    waits connect_many "tcp.connect-many" (target: String, options: tcp::Options, count: u32)
        -> Fallible<Vec<Fallible<Connection>>>;
    answers listen "tcp.listen" () -> Fallible<Listener>;
    waits wait_readable "tcp.wait-readable" (connections: Vec<Connection>, timeout_millis: u32) -> Vec<u32>;
} }

calls! { tcp::HostConnection {
    waits read "tcp.connection.read" (connection: Connection, max: u32, timeout_millis: u32) -> Fallible<Bytes>;
    waits write "tcp.connection.write" (connection: Connection, bytes: Bytes, timeout_millis: u32) -> Fallible<()>;
    answers write_some "tcp.connection.write-some" (connection: Connection, bytes: Bytes) -> Fallible<u64>;
    answers shutdown_write "tcp.connection.shutdown-write" (connection: Connection) -> Fallible<()>;
    answers reset "tcp.connection.reset" (connection: Connection) -> ();
    answers local "tcp.connection.local" (connection: Connection) -> tcp::Endpoint;
    answers peer "tcp.connection.peer" (connection: Connection) -> tcp::Endpoint;
    answers drop "tcp.connection.drop" (connection: Connection) -> ();
} }

calls! { tcp::HostListener {
    answers local "tcp.listener.local" (listener: Listener) -> tcp::Endpoint;
    waits accept "tcp.listener.accept" (listener: Listener, timeout_millis: u32) -> Fallible<Connection>;
    answers drop "tcp.listener.drop" (listener: Listener) -> ();
} }

calls! { udp::Host {
    waits open "udp.open" (target: String, source: Option<String>) -> Fallible<Socket>;
} }

calls! { udp::HostSocket {
    waits send "udp.socket.send" (socket: Socket, datagram: Bytes) -> Fallible<()>;
    waits receive "udp.socket.receive" (socket: Socket, timeout_millis: u32) -> Fallible<Bytes>;
    answers drop "udp.socket.drop" (socket: Socket) -> ();
} }

calls! { files::Host {
    waits open "files.open" (target: String) -> Fallible<Tree>;
} }

calls! { files::HostTree {
    waits walk "files.tree.walk" (tree: Tree, under: String, glob: String, all: bool, max: u32)
        -> Fallible<Vec<files::Entry>>;
    waits stat "files.tree.stat" (tree: Tree, path: String) -> Fallible<files::Entry>;
    waits read "files.tree.read" (tree: Tree, path: String, offset: u64, max: u32) -> Fallible<Bytes>;
    answers drop "files.tree.drop" (tree: Tree) -> ();
} }

calls! { scratch::Host {
    waits open "scratch.open" (target: Option<String>) -> Fallible<Workspace>;
} }

calls! { scratch::HostWorkspace {
    waits read "scratch.workspace.read" (workspace: Workspace, path: String) -> Fallible<Bytes>;
    waits write "scratch.workspace.write" (workspace: Workspace, path: String, bytes: Bytes) -> Fallible<()>;
    waits remove "scratch.workspace.remove" (workspace: Workspace, path: String) -> Fallible<()>;
    answers drop "scratch.workspace.drop" (workspace: Workspace) -> ();
} }

calls! { environment::Host {
    answers get "environment.get" (name: String) -> Fallible<Option<String>>;
} }

calls! { process::Host {
    waits start "process.start" (command: process::Command, inside: Option<Workspace>) -> Fallible<Child>;
    waits attach "process.attach" (target: String) -> Fallible<Child>;
    waits restart "process.restart" (target: String, timeout_millis: u32) -> Fallible<Child>;
} }

calls! { process::HostChild {
    waits write_stdin "process.child.write-stdin" (child: Child, bytes: Bytes, timeout_millis: u32) -> Fallible<()>;
    answers close_stdin "process.child.close-stdin" (child: Child) -> ();
    waits read "process.child.read" (child: Child, which: process::Output, max: u32, timeout_millis: u32)
        -> Fallible<Bytes>;
    answers send_signal "process.child.send-signal" (child: Child, signal: process::Signal) -> Fallible<()>;
    waits wait "process.child.wait" (child: Child, timeout_millis: u32) -> Fallible<Option<process::Exit>>;
    waits tree "process.child.tree" (child: Child) -> Fallible<Vec<process::Facts>>;
    waits sockets "process.child.sockets" (child: Child) -> Fallible<Vec<process::SocketRow>>;
    answers drop "process.child.drop" (child: Child) -> ();
} }

calls! { attachments::Host {
    keeps attach "attachments.attach" (label: String, media_type: String, bytes: Bytes) -> Fallible<u32>;
} }
