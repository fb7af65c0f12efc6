//! Fetching from servers that mean no good, and from registries that lie. Everything is on this machine.

use std::time::{Duration, Instant};

use mustdo::fetch::{FetchError, Fetched, Limits, fetch, look};
use mustdo::model::{Digest, PluginSource, SourcePlace};
use serde_json::{Value, json};

use crate::web::{Asked, Reply, Web};

const LIMITS: Limits = Limits { bytes: 10_000, total: Duration::from_secs(20) };

async fn get_within(source: &str, limits: Limits) -> Result<Fetched, FetchError> {
    let source: PluginSource = source.parse().unwrap();
    let SourcePlace::Remote(remote) = &source.place else { panic!("{source} is a file") };
    fetch(remote, source.digest.as_ref(), limits).await
}

async fn get(source: &str) -> Result<Fetched, FetchError> {
    get_within(source, LIMITS).await
}

async fn refused(source: &str) -> String {
    get(source).await.unwrap_err().to_string()
}

#[tokio::test]
async fn file_is_fetched_whole_and_its_digest_is_computed() {
    let web = Web::start(|_| Reply::file(b"component"));
    let fetched = get(&web.url("/x.wasm?v=1")).await.unwrap();
    assert_eq!((fetched.bytes, fetched.pin), (b"component".to_vec(), Digest::of(b"component")));
    assert_eq!(fetched.media_type.as_deref(), Some("application/wasm"));
    let asked = &web.asked()[0];
    assert_eq!(asked.line, "GET /x.wasm?v=1");
    assert!(asked.head.contains(&format!("host: {}", web.address())), "{}", asked.head);
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_refused() {
    let web = Web::start(|_| Reply::file(b"component"));
    let right = Digest::of(b"component");
    assert!(get(&format!("{}@{right}", web.url("/x"))).await.is_ok());
    let wrong = format!("{}@{}", web.url("/x"), Digest::of(b"other"));
    let error = get(&wrong).await.unwrap_err();
    assert!(matches!(error, FetchError::Digest { found, .. } if found == right), "{error}");
}

#[tokio::test]
async fn larger_file_than_any_plugin_is_not_read() {
    let announced =
        Web::start(|_| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec()));
    assert!(matches!(get(&announced.url("/x")).await, Err(FetchError::TooLarge { limit: 10_000, .. })));
    let endless = Web::start(|_| {
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        Reply::Raw(
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(100)).into(),
        )
    });
    assert!(matches!(get(&endless.url("/x")).await, Err(FetchError::TooLarge { .. })));
    let exact = Web::start(|_| Reply::file(&[7; 10_000]));
    assert_eq!(get(&exact.url("/x")).await.unwrap().bytes.len(), 10_000);
}

#[tokio::test]
async fn server_that_drips_ends_at_the_deadline() {
    let web = Web::start(|_| Reply::Drip);
    let began = Instant::now();
    let limits = Limits { total: Duration::from_millis(300), bytes: 2_000_000 };
    let error = get_within(&web.url("/x"), limits).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn broken_answers_are_no_files() {
    for raw in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\0asm\r\n\r\n",
        b"",
    ] {
        let web = Web::start(|_| Reply::Raw(raw.to_vec()));
        let error = get(&web.url("/x")).await.unwrap_err();
        assert!(matches!(error, FetchError::Talk { .. }), "{error}");
    }
    let giant = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let web = Web::start(move |_| Reply::Raw(giant.clone().into_bytes()));
    assert!(matches!(get(&web.url("/x")).await, Err(FetchError::Talk { .. })));
    let web = Web::start(|_| Reply::nothing());
    assert!(matches!(get(&web.url("/x")).await, Err(FetchError::Status { status: 404, .. })));
    let gone = web.url("/x");
    drop(web);
    assert!(matches!(get(&gone).await, Err(FetchError::Connect { .. })));
}

#[tokio::test]
async fn redirects_on_this_machine_are_followed_up_to_a_limit() {
    let file = Web::start(|_| Reply::file(b"component"));
    let url = file.url("/x.wasm#part");
    let web = Web::start(move |asked| match asked.path() {
        "/round" => Reply::elsewhere("/round"),
        "/near" => Reply::elsewhere("/nearer"),
        _ => Reply::elsewhere(&url),
    });
    assert_eq!(get(&web.url("/near")).await.unwrap().bytes, b"component");
    assert_eq!(file.asked()[0].line, "GET /x.wasm");
    let before = web.asked().len();
    assert!(refused(&web.url("/round")).await.contains("redirects already"));
    assert_eq!(web.asked().len() - before, 6);
}

#[tokio::test]
async fn redirects_to_credentials_and_neighbours_are_refused_unasked() {
    for (place, words) in [
        ("http://169.254.169.254/latest/meta-data/", "credentials"),
        ("http://[::ffff:169.254.169.254]/", "credentials"),
        ("http://[fd00:ec2::254]/", "credentials"),
        ("https://168.63.129.16/", "credentials"),
        ("http://10.0.0.1/x.wasm", "private network"),
        ("https://192.168.1.1/x.wasm", "private network"),
        ("http://100.64.0.1/", "provider"),
        ("http://0.0.0.0:1/", "not the address of a host"),
        ("file:///etc/passwd", "not an address"),
        ("ftp://127.0.0.1/x.wasm", "only https and http"),
        ("x.wasm", "not a whole address"),
        ("http://me:secret@127.0.0.1/", "user name"),
    ] {
        let web = Web::start(move |_| Reply::elsewhere(place));
        let began = Instant::now();
        let words_said = refused(&web.url("/x")).await;
        assert!(words_said.contains(words), "{place}: {words_said}");
        // Refused before it is connected to: addresses that nobody has take long to find out.
        assert!(began.elapsed() < Duration::from_secs(5), "{place}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn credentials_are_not_fetched_even_when_asked_for() {
    for url in
        ["http://169.254.169.254/", "https://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0:9/"]
    {
        let error = get(&format!("{url}@{}", Digest::of(b""))).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{error}");
    }
}

#[tokio::test]
async fn certificate_that_nobody_vouches_for_is_refused() {
    let web = Web::encrypted(|_| Reply::file(b"component"));
    let error = get(&web.url("/x")).await.unwrap_err();
    assert!(matches!(error, FetchError::Talk { .. } | FetchError::NoTrust), "{error}");
    assert!(web.asked().is_empty());
}

/// A registry that says what a test wants of one plugin.
struct Registry {
    manifest: Vec<u8>,
    blob: Vec<u8>,
}

impl Registry {
    fn honest(blob: &[u8]) -> Self {
        Self::says(&Digest::of(blob).to_string(), blob.len(), blob)
    }

    fn says(digest: &str, size: usize, blob: &[u8]) -> Self {
        let layer = json!({ "mediaType": "application/wasm", "digest": digest, "size": size });
        let config =
            json!({ "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest, "size": 2 });
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
        Self { manifest: manifest.to_string().into_bytes(), blob: blob.to_vec() }
    }

    fn pin(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let path = asked.path();
        if path.starts_with("/v2/acme/x/manifests/") {
            Reply::Whole(200, vec![], self.manifest.clone())
        } else if path.starts_with("/v2/acme/x/blobs/sha256:") {
            Reply::Whole(200, vec![], self.blob.clone())
        } else {
            Reply::nothing()
        }
    }

    fn start(self) -> Web {
        Web::start(move |asked| self.answer(asked))
    }
}

fn name(web: &Web) -> String {
    format!("oci://{}/acme/x", web.address())
}

#[tokio::test]
async fn plugin_is_pulled_by_tag_and_by_digest() {
    let registry = Registry::honest(b"component");
    let pin = registry.pin();
    let web = registry.start();
    let by_tag = get(&format!("{}:1.0", name(&web))).await.unwrap();
    assert_eq!((by_tag.bytes, by_tag.pin), (b"component".to_vec(), pin));
    assert_eq!(web.asked()[0].line, "GET /v2/acme/x/manifests/1.0");
    assert!(web.asked()[0].head.contains("application/vnd.oci.image.manifest.v1+json"));
    assert!(get(&format!("{}@{pin}", name(&web))).await.is_ok());
    // With both, the digest says which bytes; the tag is for people and for updates.
    assert!(get(&format!("{}:1.0@{pin}", name(&web))).await.is_ok());
    assert_eq!(web.asked()[4].line, format!("GET /v2/acme/x/manifests/{pin}"));
    let source: PluginSource = format!("{}:1.0", name(&web)).parse().unwrap();
    let SourcePlace::Remote(remote) = source.place else { panic!() };
    assert_eq!(look(&remote, false, LIMITS).await.unwrap(), pin);
}

#[tokio::test]
async fn manifest_that_is_not_the_pinned_one_is_refused() {
    let web = Registry::honest(b"component").start();
    let error = get(&format!("{}@{}", name(&web), Digest::of(b"other"))).await.unwrap_err();
    assert!(matches!(error, FetchError::Digest { what: "the manifest", .. }), "{error}");
    assert_eq!(web.asked().len(), 1, "the layer was asked for");
}

#[tokio::test]
async fn manifest_that_lies_about_its_layer_is_refused() {
    let blob = b"component";
    let digest = Digest::of(blob).to_string();
    for (size, words) in [(blob.len() - 1, "promises 8"), (blob.len() + 1, "promises 10")] {
        let web = Registry::says(&digest, size, blob).start();
        let said = refused(&format!("{}:1", name(&web))).await;
        assert!(said.contains(words), "{said}");
    }
    let web = Registry::says(&Digest::of(b"other").to_string(), blob.len(), blob).start();
    let said = refused(&format!("{}:1", name(&web))).await;
    assert!(said.contains("the layer has the digest"), "{said}");
    let web = Registry::says(&digest, 10_001, blob).start();
    assert!(matches!(get(&format!("{}:1", name(&web))).await, Err(FetchError::TooLarge { .. })));
    assert_eq!(web.asked().len(), 1, "the layer was asked for");
}

#[tokio::test]
async fn what_is_no_plugin_in_a_registry_is_told() {
    let image = json!({ "schemaVersion": 2, "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip" }] });
    for (manifest, words) in [
        (image, "tar+gzip"),
        (json!({ "schemaVersion": 2, "manifests": [] }), "index"),
        (json!("<html>"), "not of the OCI image format"),
    ] {
        let manifest = manifest.to_string().into_bytes();
        let web = Registry { manifest, blob: vec![] }.start();
        let said = refused(&format!("{}:1", name(&web))).await;
        assert!(said.contains(words), "{said}");
    }
    let giant = Registry { manifest: vec![b' '; (4 << 20) + 1], blob: vec![] }.start();
    assert!(matches!(get(&format!("{}:1", name(&giant))).await, Err(FetchError::TooLarge { .. })));
    let web = Registry::honest(b"x").start();
    let said = refused(&format!("oci://{}/acme/other:1", web.address())).await;
    assert!(said.contains("404"), "{said}");
}

/// Guards a registry with a token that an honest service gives for the asking.
fn guarded(realm: impl Fn() -> String + Send + Sync + 'static) -> Web {
    let registry = Registry::honest(b"component");
    Web::start(move |asked| {
        if asked.path().starts_with("/token") {
            let whole = asked.path() == "/token?service=local&scope=repository:acme/x:pull";
            let token = if whole { json!({ "token": "let-me-in" }) } else { Value::Null };
            return Reply::Whole(200, vec![], token.to_string().into_bytes());
        }
        if asked.head.contains("authorization: bearer let-me-in") {
            return registry.answer(asked);
        }
        let realm = realm();
        let realm = if realm.is_empty() { format!("http://{}/token", host(asked)) } else { realm };
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"{realm}\",service=\"local\",scope=\"repository:acme/x:pull\""
        );
        Reply::Whole(401, vec![challenge], vec![])
    })
}

fn host(asked: &Asked) -> String {
    asked.head.split("host: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned()
}

#[tokio::test]
async fn token_is_asked_for_where_a_registry_wants_one() {
    let web = guarded(String::new);
    assert_eq!(get(&format!("{}:1", name(&web))).await.unwrap().bytes, b"component");
    // The first manifest, the token, the manifest, and the layer with the token that is there already.
    assert_eq!(web.asked().len(), 4);
}

#[tokio::test]
async fn token_is_not_asked_for_where_it_must_not_lead() {
    for realm in ["http://169.254.169.254/token", "https://10.0.0.1/token"] {
        let web = guarded(|| realm.to_owned());
        let error = get(&format!("{}:1", name(&web))).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{error}");
    }
}

#[tokio::test]
async fn registry_that_wants_a_login_is_told_from_one_that_is_broken() {
    for head in [vec!["WWW-Authenticate: Basic realm=\"x\"".to_owned()], vec![]] {
        let web = Web::start(move |_| Reply::Whole(401, head.clone(), vec![]));
        let error = get(&format!("{}:1", name(&web))).await.unwrap_err();
        assert!(matches!(error, FetchError::Login { .. }), "{error}");
    }
}

#[tokio::test]
async fn token_stays_with_the_registry_when_a_layer_lies_elsewhere() {
    let store = Web::start(|_| Reply::file(b"component"));
    let elsewhere = store.url("/signed?with=secret");
    let registry = Registry::honest(b"component");
    let web = Web::start(move |asked| {
        if asked.path().starts_with("/token") {
            return Reply::Whole(200, vec![], br#"{"access_token":"let-me-in"}"#.to_vec());
        }
        if !asked.head.contains("authorization") {
            let realm = format!("WWW-Authenticate: Bearer realm=\"http://{}/token\"", host(asked));
            return Reply::Whole(401, vec![realm], vec![]);
        }
        if asked.path().contains("/blobs/") { Reply::elsewhere(&elsewhere) } else { registry.answer(asked) }
    });
    assert_eq!(get(&format!("{}:1", name(&web))).await.unwrap().bytes, b"component");
    let asked = &store.asked()[0];
    assert_eq!(asked.line, "GET /signed?with=secret");
    assert!(!asked.head.contains("let-me-in"), "{}", asked.head);
}
