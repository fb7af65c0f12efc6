//! A real registry, Debian's `docker-registry`, on an ephemeral port and with a folder of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mustdo::model::Digest;
use serde_json::json;
use tempfile::TempDir;

use crate::guest::Guest;
use crate::launch::PATIENCE;
use crate::sandbox::Sandbox;

/// The registry; stopped when dropped.
struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// Starts it and waits until it answers. Panics with its log.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, log) = (folder.path().join("config.yml"), folder.path().join("log"));
        let root = folder.path().join("data");
        // Port 0 is told in the log.
        let text = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: 127.0.0.1:0\n",
            root.display()
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .expect("docker-registry starts: apt-get install docker-registry");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(&log).unwrap();
            let told =
                said.split("listening on ").nth(1).and_then(|rest| rest.split(['"', ',', '\n']).next());
            if let Some(address) = told.and_then(|told| told.trim().parse().ok()) {
                return Self { child, address, _folder: folder };
            }
            let alive = matches!(child.try_wait(), Ok(None));
            if !alive || Instant::now() > deadline {
                let _ = child.kill();
                panic!("docker-registry did not start: {said}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a request over a connection of its own; the status and the whole answer.
    fn send(&self, line: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = vec![];
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    /// Stores a blob: a session, then all of it at once (OCI distribution specification 1.1, "Pushing blobs").
    fn blob(&self, name: &str, blob: &[u8]) -> Digest {
        let (status, answer) = self.send(&format!("POST /v2/{name}/blobs/uploads/"), "text/plain", b"");
        assert_eq!(status, 202, "{answer}");
        let place = answer.split("Location: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let path = &place[place.find("/v2/").unwrap()..];
        let digest = Digest::of(blob);
        let put = format!("PUT {path}&digest={digest}");
        let (status, answer) = self.send(&put, "application/octet-stream", blob);
        assert_eq!(status, 201, "{answer}");
        digest
    }

    /// Publishes a component with the manifest that `wkg oci push` 0.16.1 writes, and gives the digest of its manifest.
    fn push(&self, name: &str, tag: &str, component: &[u8]) -> Digest {
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let config = json!({ "architecture": "wasm", "os": "wasip2", "layerDigests": [] }).to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.wasm.config.v0+json",
                "digest": self.blob(name, config.as_bytes()).to_string(),
                "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/wasm",
                "digest": self.blob(name, component).to_string(),
                "size": component.len(),
                "annotations": { "org.opencontainers.image.title": "plugin.wasm" },
            }],
        });
        let manifest = manifest.to_string();
        let put = format!("PUT /v2/{name}/manifests/{tag}");
        let (status, answer) = self.send(&put, MANIFEST, manifest.as_bytes());
        assert_eq!(status, 201, "{answer}");
        Digest::of(manifest.as_bytes())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn plugin_is_pulled_by_digest_from_a_real_registry_and_updated_by_tag() {
    let registry = Registry::start();
    let (old, newer) = (
        Guest::new().called("acme:probe", "1.0.0").build(),
        Guest::new().called("acme:probe", "1.1.0").build(),
    );
    let name = format!("oci://{}/acme/probe", registry.address);
    let first = registry.push("acme/probe", "latest", &old);
    let sandbox = Sandbox::workspace();
    let written = || Digest::of(&fs::read(sandbox.path().join("plugins/acme.probe.wasm")).unwrap());

    sandbox.run(&["plugin", "add", &format!("{name}@{first}")]).ends(0);
    assert_eq!(written(), Digest::of(&old));
    let lock = sandbox.read("mustdo.lock");
    assert!(lock.contains(&format!("source = \"{name}@{first}\"")), "{lock}");
    assert!(lock.contains(&format!("digest = \"{}\"", Digest::of(&old))), "{lock}");
    assert!(sandbox.run(&["plugin", "update", "--check"]).ends(0).stdout.contains("is pinned to"));
    let info = sandbox.run(&["plugin", "info", "acme:probe"]).ends(0).stdout;
    assert!(info.contains(&name), "{info}");

    // A digest that the registry does not have, and one that is of something else.
    let nowhere = format!("{name}@{}", Digest::of(b"nowhere"));
    assert!(sandbox.run(&["plugin", "add", &nowhere]).ends(3).stderr.contains("404"));
    let component = format!("{name}@{}", Digest::of(&old));
    sandbox.run(&["plugin", "add", &component]).ends(3);

    // The same by its tag; then the tag moves.
    sandbox.run(&["plugin", "add", &format!("{name}:latest")]).ends(0);
    assert!(sandbox.run(&["plugin", "update"]).ends(0).stdout.contains("is what its source has"));
    let second = registry.push("acme/probe", "latest", &newer);
    assert!(sandbox.run(&["plugin", "update", "--check"]).ends(1).stdout.contains("1.0.0 → 1.1.0"));
    assert_eq!(written(), Digest::of(&old));
    sandbox.run(&["plugin", "update"]).ends(0);
    assert_eq!(written(), Digest::of(&newer));

    // Pinned under a tag: an update tells that the tag moved, and takes nothing.
    sandbox.run(&["plugin", "add", &format!("{name}:latest@{first}")]).ends(0);
    let told = sandbox.run(&["plugin", "update", "--check"]).ends(1);
    assert!(told.stderr.contains(&format!("{name}:latest@{second}")), "{}", told.stderr);
    assert_eq!(written(), Digest::of(&old));
}
