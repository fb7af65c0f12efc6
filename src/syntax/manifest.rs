//! A cargo manifest without its workspace.

use toml_edit::{DocumentMut, Item, TableLike};

/// The tables that name dependencies, at the top and below each target.
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// `member` as it would stand outside of its workspace: what it takes from there is written out (The Cargo Book,
/// "Workspaces"), and its lints, which are the workspace's own affair, are left out.
pub fn standalone_manifest(member: &str, workspace: &str) -> Result<String, String> {
    let fault = |error: toml_edit::TomlError| error.to_string();
    let mut member: DocumentMut = member.parse().map_err(fault)?;
    let workspace: DocumentMut = workspace.parse().map_err(fault)?;
    let workspace = &workspace["workspace"];
    member.remove("lints");
    if let Some(package) = member.get_mut("package").and_then(Item::as_table_like_mut) {
        take_over(package, &workspace["package"])?;
    }
    let shared = &workspace["dependencies"];
    let root = member.as_table_mut();
    for name in DEPENDENCIES {
        if let Some(table) = root.get_mut(name).and_then(Item::as_table_like_mut) {
            take_over(table, shared)?;
        }
    }
    for (_, target) in
        root.get_mut("target").and_then(Item::as_table_like_mut).into_iter().flat_map(TableLike::iter_mut)
    {
        for name in DEPENDENCIES {
            if let Some(table) = target.get_mut(name).and_then(Item::as_table_like_mut) {
                take_over(table, shared)?;
            }
        }
    }
    Ok(member.to_string())
}

/// Replaces each `key.workspace = true` with the value that the workspace has for the key.
fn take_over(table: &mut dyn TableLike, shared: &Item) -> Result<(), String> {
    for (key, value) in table.iter_mut() {
        let taken = value.as_table_like().and_then(|value| value.get("workspace")).is_some();
        if taken {
            let own =
                shared.get(key.get()).ok_or_else(|| format!("the workspace has no \"{}\"", key.get()))?;
            *value = own.clone();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = "
        [workspace.package]
        edition = \"2024\"
        [workspace.dependencies]
        serde = { version = \"1.0.228\", features = [\"derive\"] }
    ";

    #[test]
    fn what_comes_from_the_workspace_is_written_out() {
        let member = "[package]\nname = \"a\"\nedition.workspace = true\n\n[dependencies]\nserde.workspace = true\n\n\
                      [target.'cfg(unix)'.dependencies]\nserde.workspace = true\n\n[lints]\nworkspace = true\n";
        let alone = standalone_manifest(member, WORKSPACE).unwrap();
        assert!(!alone.contains("workspace") && !alone.contains("lints"), "{alone}");
        assert!(alone.contains("edition = \"2024\""), "{alone}");
        assert_eq!(
            alone.matches("serde = { version = \"1.0.228\", features = [\"derive\"] }").count(),
            2,
            "{alone}"
        );
    }

    #[test]
    fn what_the_workspace_lacks_is_named() {
        let told = standalone_manifest("[dependencies]\nrand.workspace = true\n", WORKSPACE).unwrap_err();
        assert_eq!(told, "the workspace has no \"rand\"");
    }
}
