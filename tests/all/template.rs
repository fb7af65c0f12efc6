use mustdo::plugin::{CachePolicy, Host, HostOptions};
use std::path::Path;
#[tokio::test]
async fn probe() {
    for path in ["/tmp/au/js/plugin.wasm", "/tmp/au/py/plugin.wasm"] {
        let bytes = std::fs::read(Path::new(path)).unwrap();
        let host = Host::new(HostOptions {
            cache: CachePolicy::Directory(Path::new("/tmp/au/cache").to_owned()),
            environment: Default::default(),
            secrets: vec![],
        })
        .unwrap();
        let t = std::time::Instant::now();
        let loaded = host.load(&bytes).unwrap();
        eprintln!("{path} load {:?} {:?}", t.elapsed(), loaded.warning);
        let t = std::time::Instant::now();
        let info = host.describe(&loaded.plugin).await;
        eprintln!("{:?} {info:?}", t.elapsed());
    }
}
