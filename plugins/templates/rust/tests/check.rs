//! The check against its service, over real sockets and without WebAssembly.

#[path = "../cases/service.rs"]
mod service;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Status, Verdict};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn service(flaw: Option<&'static str>) -> SocketAddr {
    let (listener, address) = listener();
    thread::spawn(move || service::serve(&listener, flaw));
    address
}

fn verdict(address: SocketAddr, params: &str) -> Verdict {
    let host = NativeHost::new().bind("api", address);
    plugin::plugin()
        .run("resume", params, &mut host.context(7))
        .unwrap()
}

#[test]
fn right_service_passes() {
    let verdict = verdict(service(None), "");
    assert_eq!(verdict.status, Status::Pass, "{verdict:?}");
    assert_eq!(verdict.steps.len(), 5);
}

#[test]
fn every_flaw_fails() {
    for flaw in service::FLAWS {
        let verdict = verdict(service(Some(flaw)), "");
        assert_eq!(verdict.status, Status::Fail, "{flaw}: {verdict:?}");
    }
}

#[test]
fn what_can_not_be_told_is_inconclusive() {
    let absent = verdict(service(None), r#"{"path":"/none"}"#);
    assert_eq!(absent.status, Status::Inconclusive, "{absent:?}");
    let (listener, nobody) = listener();
    drop(listener);
    assert_eq!(verdict(nobody, "").status, Status::Inconclusive);
}

#[test]
fn file_that_changes_is_not_judged() {
    let (listener, address) = listener();
    thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let body = turn.to_string().repeat(100);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    assert_eq!(verdict(address, "").status, Status::Inconclusive);
}
