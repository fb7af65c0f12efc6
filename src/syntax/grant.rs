//! Changing permissions in `mustdo.toml`, leaving everything else as it is.

use toml_edit::{Array, Item, Table, Value};

use super::BrokenText;
use super::edit::{child, edit, inline, put};
use crate::model::{Grant, PluginId};

/// The text with `[grants.PLUGIN]` saying `grant`, replacing what that plugin was granted before; [`BrokenText`] where
/// `text` is not TOML or has something else than tables on the way.
pub fn grant(text: &str, plugin: &PluginId, grant: &Grant) -> Result<String, BrokenText> {
    edit(text, |document| {
        let grants = child(document.as_table_mut(), "grants")?;
        let entry = grants.entry(plugin.as_str()).or_insert_with(|| Item::Table(Table::new()));
        let entry = entry.as_table_like_mut().ok_or(BrokenText)?;
        put(entry, "digest", Some(grant.digest.to_string().into()));
        let allow: Array = grant.allow.iter().map(ToString::to_string).collect();
        put(entry, "allow", Some(Value::Array(allow)));
        let programs: Vec<_> = grant.programs.iter().collect();
        let programs =
            programs.iter().map(|(name, path)| (name.as_str(), Some(path.display().to_string().into())));
        put(entry, "programs", Some(inline(programs)).filter(|_| !grant.programs.is_empty()));
        Ok(())
    })
}

/// The text without `[grants.PLUGIN]`; [`BrokenText`] where `text` is not TOML or has something else than tables on the
/// way.
pub fn ungrant(text: &str, plugin: &PluginId) -> Result<String, BrokenText> {
    edit(text, |document| {
        let grants = child(document.as_table_mut(), "grants")?;
        grants.remove(plugin.as_str());
        if grants.is_empty() {
            document.remove("grants");
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Source, read_settings};
    use super::*;
    use crate::model::Digest;

    fn given(allow: &[&str]) -> Grant {
        let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
        Grant { allow, ..Grant::new(Digest::of(b"plugin")) }
    }

    fn granted(text: &str, plugin: &str, allow: &[&str]) -> String {
        let plugin = plugin.parse().unwrap();
        let wanted = given(allow);
        let text = grant(text, &plugin, &wanted).unwrap();
        let read = read_settings(&Source::new("mustdo.toml", text.as_str()));
        assert_eq!(read.diagnostics, [], "{text}");
        assert_eq!(read.value.unwrap().settings().grants.get(&plugin), Some(&wanted), "{text}");
        text
    }

    #[test]
    fn grant_is_added_at_the_end_and_the_rest_is_untouched() {
        let old = "# mine\n[targets.web]\nkind = 'http' # here\nurl = \"http://127.0.0.1:1\"\n";
        let new = granted(old, "acme:http-extra", &["tcp:web", "http:web"]);
        let added = format!(
            "\n[grants.\"acme:http-extra\"]\ndigest = \"{}\"\nallow = [\"http:web\", \"tcp:web\"]\n",
            Digest::of(b"plugin")
        );
        assert_eq!(new, format!("{old}{added}"));
    }

    #[test]
    fn second_grant_replaces_the_first_and_keeps_its_comments() {
        let old = granted("", "a", &["http:web"]).replace("\"]\n", "\"] # only this\n");
        let new = granted(&old, "a", &["listen"]);
        assert_eq!(new, old.replace("http:web", "listen"));
    }

    #[test]
    fn grants_written_in_one_line_are_kept_there() {
        let old = format!("grants = {{ a = {{ digest = \"{}\", allow = [] }} }}\n", Digest::of(b""));
        granted(&old, "a", &["http:web"]);
        granted(&old, "b", &["http:web"]);
        granted("grants.a.allow = []\n", "a", &["http:web"]);
    }

    #[test]
    fn programs_are_written_and_taken_away() {
        let plugin = "a".parse().unwrap();
        let mut wanted = given(&["process:worker"]);
        wanted.programs.insert("worker".parse().unwrap(), "/opt/it's \"here\"/celery".into());
        let text = grant("", &plugin, &wanted).unwrap();
        let read = read_settings(&Source::new("mustdo.toml", text.as_str()));
        assert_eq!(read.diagnostics, [], "{text}");
        assert_eq!(read.value.unwrap().settings().grants.get(&plugin), Some(&wanted), "{text}");
        assert!(!granted(&text, "a", &["http:web"]).contains("programs"));
    }

    #[test]
    fn what_is_revoked_is_gone_and_the_rest_is_untouched() {
        let old = "# mine\n[targets.web]\nkind = 'http' # here\nurl = \"http://127.0.0.1:1\"\n";
        let one = granted(old, "a", &["http:web"]);
        let two = granted(&one, "b", &["http:web"]);
        assert_eq!(ungrant(&two, &"b".parse().unwrap()).unwrap(), one);
        assert_eq!(ungrant(&one, &"a".parse().unwrap()).unwrap(), old);
        assert_eq!(ungrant(old, &"a".parse().unwrap()).unwrap(), old);
        assert_eq!(ungrant("grants = 1", &"a".parse().unwrap()), Err(BrokenText));
    }

    #[test]
    fn text_that_is_not_toml_is_not_touched() {
        assert_eq!(grant("[", &"a".parse().unwrap(), &given(&[])), Err(BrokenText));
        assert_eq!(grant("grants = 1", &"a".parse().unwrap(), &given(&[])), Err(BrokenText));
    }
}
