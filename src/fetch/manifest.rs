//! The manifest of a plugin in a registry: which blob it is.
//!
//! The shape is that of the CNCF's artifact format for WebAssembly: an OCI image manifest with the config
//! `application/vnd.wasm.config.v0+json` and one layer `application/wasm`. The config is not looked at: any artifact with
//! a single layer that is WebAssembly will do, so that what `oras push` writes does.

use serde_json::Value;

use crate::model::Digest;

/// The forms of an answer that are understood, if only to say what is wrong with them.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// What registries must accept, and so what they may send (OCI distribution specification 1.1, "Pushing manifests").
pub(super) const BYTES: usize = 4 << 20;

/// Layers that are a component.
const LAYERS: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// The blob that is the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    /// Of the blob.
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
}

/// Finds the layer; in words, why there is none.
pub(super) fn layer(manifest: &[u8]) -> Result<Layer, String> {
    let manifest: Value =
        serde_json::from_slice(manifest).map_err(|error| format!("its manifest is not JSON: {error}"))?;
    if manifest.get("manifests").is_some() {
        let digests: Vec<_> = manifest["manifests"].as_array().into_iter().flatten().collect();
        let digests: Vec<_> = digests.iter().filter_map(|entry| entry["digest"].as_str()).take(5).collect();
        return Err(format!(
            "it is an index of several; name one of them by its digest: {}",
            digests.join(", ")
        ));
    }
    if manifest.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
        return Err("its manifest is not of the OCI image format".to_owned());
    }
    let layers = manifest.get("layers").and_then(Value::as_array).ok_or("its manifest has no layers")?;
    let kind = |layer: &Value| layer["mediaType"].as_str().unwrap_or("nothing").to_owned();
    let wasm: Vec<_> = layers.iter().filter(|layer| LAYERS.contains(&&*kind(layer))).collect();
    let [layer] = wasm[..] else {
        let kinds: Vec<_> = layers.iter().map(kind).take(5).collect();
        return Err(format!(
            "it has {} layers of \"application/wasm\", and a plugin is one; its layers are {}",
            wasm.len(),
            if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
        ));
    };
    let digest = layer["digest"].as_str().unwrap_or_default();
    let digest = digest.parse().map_err(|error| format!("its layer has no usable digest: {error}"))?;
    let size = layer["size"].as_u64().ok_or("its layer has no size")?;
    Ok(Layer { digest, size })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(layers: &Value) -> Result<Layer, String> {
        layer(json!({ "schemaVersion": 2, "layers": layers }).to_string().as_bytes())
    }

    fn wasm(size: u64) -> Value {
        json!({ "mediaType": "application/wasm", "digest": Digest::of(b"x").to_string(), "size": size })
    }

    #[test]
    fn only_layer_of_webassembly_is_the_plugin() {
        let found = Layer { digest: Digest::of(b"x"), size: 7 };
        assert_eq!(of(&json!([wasm(7)])), Ok(found));
        let readme = json!({ "mediaType": "text/markdown", "digest": "sha256:0", "size": 1 });
        assert_eq!(of(&json!([readme, wasm(7)])), Ok(found));
    }

    #[test]
    fn everything_else_is_refused_with_words() {
        for (layers, words) in [
            (json!([]), "0 layers"),
            (json!([wasm(1), wasm(1)]), "2 layers"),
            (json!([{ "mediaType": "application/vnd.oci.image.layer.v1.tar" }]), "v1.tar"),
            (json!([{ "mediaType": "application/wasm", "digest": "sha512:00", "size": 1 }]), "digest"),
            (
                json!([{ "mediaType": "application/wasm", "digest": Digest::of(b"").to_string(), "size": -1 }]),
                "size",
            ),
            (json!({}), "no layers"),
        ] {
            let why = of(&layers).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        assert!(layer(b"<html>").unwrap_err().contains("not JSON"));
        assert!(layer(b"{}").unwrap_err().contains("OCI"));
        let index = json!({ "schemaVersion": 2, "manifests": [{ "digest": "sha256:aa" }] });
        assert!(layer(index.to_string().as_bytes()).unwrap_err().contains("sha256:aa"));
    }
}
