//! What a plugin says of itself, checked: a name or a schema that can not be is found when it is loaded, not when a
//! learner runs it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{
    Capability, CapabilityRequest, CheckId, CheckInfo, PluginId, PluginInfo, Text, is_invisible, plain_line,
    plain_text,
};

use super::contract::manifest;
use super::contract::types::Extras;

/// Characters of a title, a licence or an address.
const LINE: usize = 200;

/// Characters of a description or a reason.
const TEXT: usize = 4_000;

/// Bytes of a schema.
const SCHEMA: usize = 256 << 10;

/// Checks of one plugin.
const CHECKS: usize = 200;

/// Capabilities of one check.
const CAPABILITIES: usize = 50;

/// The description in the words of the model; the text says what is wrong with it.
pub(super) fn convert(given: manifest::PluginInfo) -> Result<PluginInfo, String> {
    let manifest::PluginInfo { id, version, title, license, homepage, checks, extras } = given;
    let id: PluginId = id.parse().map_err(|error| format!("the plugin's id: {error}"))?;
    let version =
        version.parse().map_err(|error| format!("the version {version:?} is not SemVer: {error}"))?;
    if checks.is_empty() || checks.len() > CHECKS {
        return Err(format!("it has {} checks; from 1 to {CHECKS} are allowed", checks.len()));
    }
    let mut seen = BTreeSet::new();
    let mut converted = Vec::with_capacity(checks.len());
    for given in checks {
        let name = plain_line(&given.id, LINE);
        let check = check(&id, given).map_err(|error| format!("check {name:?}: {error}"))?;
        if !seen.insert(check.id.clone()) {
            return Err(format!("two checks are called {name:?}"));
        }
        converted.push(check);
    }
    Ok(PluginInfo {
        id,
        version,
        title: line(&title, &extras, "title.zh", LINE),
        license: plain_line(&license, LINE),
        homepage: plain_line(&homepage, LINE),
        checks: converted,
    })
}

fn check(plugin: &PluginId, given: manifest::Check) -> Result<CheckInfo, String> {
    let manifest::Check {
        id,
        title,
        description,
        params_schema,
        capabilities,
        typical_millis,
        exclusive,
        extras,
    } = given;
    let id: CheckId = format!("{plugin}/{id}").parse().map_err(|error| format!("{error}"))?;
    if capabilities.len() > CAPABILITIES {
        return Err(format!("it asks for {} capabilities; {CAPABILITIES} are allowed", capabilities.len()));
    }
    let title = line(&title, &extras, "title.zh", LINE);
    if title.en.is_empty() {
        return Err("it has no title".to_owned());
    }
    Ok(CheckInfo {
        id: id.check,
        title,
        description: text(&description, &extras, "description.zh", TEXT),
        params_schema: schema(params_schema)?,
        capabilities: capabilities.into_iter().map(request).collect::<Result<_, _>>()?,
        typical: Duration::from_millis(typical_millis.into()),
        exclusive,
    })
}

fn schema(text: String) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > SCHEMA {
        return Err(format!("its schema has more than {} KiB", SCHEMA >> 10));
    }
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("its schema is not JSON: {error}"))?;
    // People read it, and JSON escapes only some of what steers a terminal.
    if value.to_string().contains(|c: char| c.is_control() || is_invisible(c)) {
        return Err("its schema has characters in it that draw nothing".to_owned());
    }
    jsonschema::draft202012::new(&value)
        .map_err(|error| format!("its schema is not JSON Schema 2020-12: {error}"))?;
    Ok(Some(text))
}

fn request(given: manifest::CapabilityRequest) -> Result<CapabilityRequest, String> {
    use manifest::Capability as Asked;
    let manifest::CapabilityRequest { capability, reason, required } = given;
    let target =
        |name: String| name.parse().map_err(|error| format!("it asks for the target {name:?}: {error}"));
    let capability = match capability {
        Asked::Http(name) => Capability::Http(target(name)?),
        Asked::Tcp(name) => Capability::Tcp(target(name)?),
        Asked::Udp(name) => Capability::Udp(target(name)?),
        Asked::Listen => Capability::Listen,
        Asked::ReadDir(name) => Capability::Read(target(name)?),
        Asked::Scratch(name) => Capability::Scratch(target(name)?),
        Asked::Env(name) => format!("env:{name}")
            .parse()
            .map_err(|_| format!("it asks for the environment variable {name:?}, which is not a name"))?,
        Asked::Process(name) => Capability::Process(target(name)?),
    };
    let reason = plain_line(&reason, TEXT);
    if reason.is_empty() {
        return Err(format!("it gives no reason for {capability}"));
    }
    Ok(CapabilityRequest { capability, reason: Text::same(reason), required })
}

/// One line in both languages; where `extras` has no words in Chinese, the English ones.
pub(super) fn line(en: &str, extras: &Extras, zh: &str, limit: usize) -> Text {
    both(en, extras, zh, |text| plain_line(text, limit))
}

/// As [`line()`], with its line breaks.
pub(super) fn text(en: &str, extras: &Extras, zh: &str, limit: usize) -> Text {
    both(en, extras, zh, |text| plain_text(text, limit))
}

fn both(en: &str, extras: &Extras, zh: &str, clean: impl Fn(&str) -> String) -> Text {
    let en = clean(en);
    let zh = extras.iter().find(|(key, _)| key == zh).map(|(_, words)| clean(words)).unwrap_or_default();
    if zh.is_empty() { Text::same(en) } else { Text::new(en, zh) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> manifest::PluginInfo {
        manifest::PluginInfo {
            id: "acme:http-extra".to_owned(),
            version: "1.2.3".to_owned(),
            title: "Extra".to_owned(),
            license: String::new(),
            homepage: String::new(),
            checks: vec![manifest::Check {
                id: "a-b".to_owned(),
                title: "Does it?".to_owned(),
                description: "Sends\nand looks.".to_owned(),
                params_schema: r#"{"type":"object"}"#.to_owned(),
                capabilities: vec![manifest::CapabilityRequest {
                    capability: manifest::Capability::Http("api".to_owned()),
                    reason: "to call your service".to_owned(),
                    required: true,
                }],
                typical_millis: 1_500,
                exclusive: false,
                extras: vec![("title.zh".to_owned(), "行吗？".to_owned())],
            }],
            extras: vec![],
        }
    }

    #[test]
    fn description_is_taken_over_in_both_languages() {
        let info = convert(plugin()).unwrap();
        assert_eq!(info.id.as_str(), "acme:http-extra");
        let check = info.check("a-b").unwrap();
        assert_eq!(check.title, Text::new("Does it?", "行吗？"));
        assert_eq!(check.description, Text::same("Sends\nand looks."));
        assert_eq!(check.typical, Duration::from_millis(1_500));
        assert_eq!(check.capabilities[0].capability.to_string(), "http:api");
    }

    #[test]
    fn words_can_not_steer_a_terminal() {
        let mut given = plugin();
        given.checks[0].capabilities[0].reason = "\u{1b}[2K\u{1b}[1Ato be nice".to_owned();
        given.title = "a\nb".to_owned();
        let info = convert(given).unwrap();
        assert_eq!(info.title.en, "a b");
        assert_eq!(info.checks[0].capabilities[0].reason.en, "to be nice");
    }

    #[test]
    fn what_can_not_be_is_named() {
        let broken = |change: fn(&mut manifest::PluginInfo)| {
            let mut given = plugin();
            change(&mut given);
            convert(given).unwrap_err()
        };
        assert!(broken(|plugin| plugin.id = "A B".to_owned()).contains("plugin's id"));
        assert!(broken(|plugin| plugin.version = "1.2".to_owned()).contains("not SemVer"));
        assert!(broken(|plugin| plugin.checks.clear()).contains("0 checks"));
        assert!(broken(|plugin| plugin.checks.push(plugin.checks[0].clone())).contains("two checks"));
        assert!(broken(|plugin| plugin.checks[0].id = "a/b".to_owned()).contains("check name"));
        assert!(broken(|plugin| plugin.checks[0].params_schema = "{".to_owned()).contains("not JSON"));
        assert!(
            broken(|plugin| plugin.checks[0].params_schema = r#"{"title":"\u009b31m"}"#.to_owned())
                .contains("draw nothing")
        );
        for elsewhere in [r#"{"$ref":"file:///etc/passwd"}"#, r#"{"$ref":"http://127.0.0.1:1/"}"#] {
            let mut given = plugin();
            given.checks[0].params_schema = elsewhere.to_owned();
            assert!(convert(given).unwrap_err().contains("JSON Schema 2020-12"), "{elsewhere}");
        }
        assert!(
            broken(|plugin| plugin.checks[0].params_schema = r#"{"type":"strnig"}"#.to_owned())
                .contains("JSON Schema 2020-12")
        );
        assert!(
            broken(|plugin| plugin.checks[0].capabilities[0].capability =
                manifest::Capability::Http("*".to_owned()))
            .contains("target \"*\"")
        );
        assert!(
            broken(|plugin| plugin.checks[0].capabilities[0].reason = "\u{1b}[0m ".to_owned())
                .contains("no reason")
        );
    }
}
