//! The project that a plugin begins as: a template of the repository, under the new plugin's own name.

use std::path::{Path, PathBuf};

use super::Language;
use crate::model::PluginId;
use crate::syntax::standalone_manifest;

/// Every file of the templates, of the crate `mustdo-plugin` and of the contract, by its path below `plugins/`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/authoring.rs"));

/// The workspace that the crate `mustdo-plugin` takes its settings from.
const WORKSPACE: &str = include_str!("../../plugins/Cargo.toml");

/// The id in the templates, and each form of it that a file may need.
const ID: &str = "my:plugin";

/// The names that follow from a plugin's id.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a>(pub &'a PluginId);

impl Named<'_> {
    /// The name of the package and of the folder: no tool has a problem with it.
    #[must_use]
    pub fn package(self) -> String {
        self.0.as_str().replace(':', "-")
    }

    /// Whether each part begins with a letter and no dash stands alone: what every package tool takes as a name.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.0.as_str().split(':').all(|part| {
            part.starts_with(|first: char| first.is_ascii_lowercase()) && !part.split('-').any(str::is_empty)
        })
    }
}

/// The files of a new plugin, by relative path. What a plugin in Rust is written with is among them, under `vendor/`:
/// it is of the same version as this mustdo, and is there without a network.
pub fn project(language: Language, id: &PluginId) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let mut files = vec![];
    for (name, bytes) in below(&format!("templates/{}/", language.name())) {
        files.push((name.into(), renamed(bytes, id)));
    }
    if language == Language::Rust {
        for (name, bytes) in below("sdk/") {
            let bytes = if name == "Cargo.toml" { manifest(bytes)? } else { bytes.to_vec() };
            files.push((Path::new("vendor/sdk").join(name), bytes));
        }
        files.extend(super::contract().map(|(name, bytes)| (Path::new("vendor").join(name), bytes.to_vec())));
    }
    Ok(files)
}

/// The files below a folder, with their paths relative to it.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |&(name, bytes)| Some((name.strip_prefix(folder)?, bytes)))
}

fn renamed(bytes: &[u8], id: &PluginId) -> Vec<u8> {
    let name = Named(id);
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let forms = [
        (ID.to_owned(), id.to_string()),
        (ID.replace(':', "."), id.stem()),
        (ID.replace(':', "-"), name.package()),
    ];
    for (from, to) in forms {
        text = text.replace(&from, &to);
    }
    // In the repository the crate lies beside the templates.
    text.replace("../../sdk", "vendor/sdk").into_bytes()
}

fn manifest(member: &[u8]) -> Result<Vec<u8>, String> {
    standalone_manifest(&String::from_utf8_lossy(member), WORKSPACE).map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(files: &[(PathBuf, Vec<u8>)], name: &str) -> String {
        let (_, bytes) = files.iter().find(|(path, _)| path.to_str() == Some(name)).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[test]
    fn names_follow_from_the_id() {
        let id: PluginId = "acme:http-extra".parse().unwrap();
        assert_eq!(Named(&id).package(), "acme-http-extra");
        for (id, plain) in
            [("a", true), ("a1-b:c", true), ("1a", false), ("-a", false), ("a-", false), ("a:2", false)]
        {
            assert_eq!(Named(&id.parse().unwrap()).is_plain(), plain, "{id}");
        }
    }

    #[test]
    fn no_name_of_the_template_is_left() {
        let id: PluginId = "acme:http-extra".parse().unwrap();
        for language in Language::ALL {
            let files = project(language, &id).unwrap();
            assert!(files.iter().any(|(path, _)| path.to_str() == Some(".gitignore")), "{language:?}");
            for (path, bytes) in files.iter().filter(|(path, _)| !path.starts_with("vendor")) {
                let text = std::str::from_utf8(bytes).unwrap();
                for left in ["my:plugin", "my.plugin", "my-plugin", "../../sdk"] {
                    assert!(!text.contains(left), "{left} in {}", path.display());
                }
            }
            assert!(text(&files, "README.md").starts_with("# acme:http-extra\n"));
            assert!(text(&files, "README.md").contains("acme.http-extra.wasm"));
        }
    }

    #[test]
    fn crate_of_a_rust_plugin_stands_alone() {
        let files = project(Language::Rust, &"a".parse().unwrap()).unwrap();
        let manifest = text(&files, "vendor/sdk/Cargo.toml");
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(manifest.contains("edition = \"2024\"") && manifest.contains("oorandom = "), "{manifest}");
        assert!(text(&files, "vendor/wit/verifier.wit").contains("package mustdo:verifier@0.1.0;"));
        assert!(text(&files, "Cargo.toml").contains("path = \"vendor/sdk\""));
    }
}
