//! The user's secrets in one run: which there are, and who may read which.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::environment::variable;
use super::printer;
use crate::model::{Capability, Mask, Settings, Target, Value};
use crate::verify::Plan;

/// What the checks of a plan may read of the environment, and what is masked in everything that leaves mustdo.
pub(crate) struct Secrets {
    /// The variables that were granted, with their values.
    pub(crate) environment: BTreeMap<String, String>,
    /// Every secret.
    pub(crate) mask: Mask,
}

impl Secrets {
    /// Reads the variables that a plan names, and no other. Says which can not be masked.
    pub(crate) fn of(plan: &Plan, settings: &Settings) -> Self {
        let allowed = plan.tasks.iter().flat_map(|task| &task.allowed);
        let granted: BTreeSet<&str> = allowed.filter_map(env_name).collect();
        let asked = plan.tasks.iter().flat_map(|task| task.definition.variables());
        let marked = settings.secrets.env.iter().map(String::as_str);
        let names: BTreeSet<&str> = granted.iter().copied().chain(asked).chain(marked).collect();
        let values: Vec<(String, String)> =
            names.into_iter().filter_map(|name| Some((name.to_owned(), variable(name)?))).collect();
        for (name, _) in values.iter().filter(|(_, value)| !Mask::takes(value)) {
            printer::warn(&format!(
                "warning: the value of {name} is shorter than {} characters: it can not be told from other words and is \
                 not masked",
                Mask::SHORTEST
            ));
        }
        let environment =
            values.iter().filter(|(name, _)| granted.contains(name.as_str())).cloned().collect();
        let mask = Mask::new(values.iter().map(|(_, value)| value.as_str()).chain(launched(settings)));
        Self { environment, mask }
    }

    /// What is masked of everything that the settings name, whatever is run: what a recording of this workspace was
    /// masked with.
    pub(crate) fn all(settings: &Settings) -> Mask {
        let granted = settings.grants.values().flat_map(|grant| &grant.allow).filter_map(env_name);
        let bound = settings.bindings.values().flat_map(|binding| binding.with.values());
        let marked = settings.secrets.env.iter().map(String::as_str);
        let names: BTreeSet<&str> = granted.chain(bound.flat_map(Value::variables)).chain(marked).collect();
        let values: Vec<String> = names.into_iter().filter_map(variable).collect();
        Mask::new(values.iter().map(String::as_str).chain(launched(settings)))
    }
}

/// Variables that programs read what they are from, by their own documentation, and never what is to be kept: how they
/// run, in which language, how much they say. A word like `production` must not be masked wherever it stands.
const PLAIN: [&str; 20] = [
    "APP_ENV",
    "ASPNETCORE_ENVIRONMENT",
    "DJANGO_SETTINGS_MODULE",
    "DOTNET_ENVIRONMENT",
    "FLASK_APP",
    "FLASK_DEBUG",
    "FLASK_ENV",
    "GIN_MODE",
    "LANG",
    "LC_ALL",
    "LOG_LEVEL",
    "MIX_ENV",
    "NODE_ENV",
    "PYTHONUNBUFFERED",
    "RACK_ENV",
    "RAILS_ENV",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SPRING_PROFILES_ACTIVE",
    "TZ",
];

/// The secrets that targets are started with.
fn launched(settings: &Settings) -> impl Iterator<Item = &str> {
    let variables = settings.targets.values().flat_map(Target::env);
    let unnamed = variables.filter(|(name, _)| {
        !PLAIN.contains(&name.as_str()) && !settings.secrets.plain.contains(name.as_str())
    });
    unnamed.map(|(_, value)| value.as_str()).filter(|value| is_secret(value))
}

fn env_name(capability: &Capability) -> Option<&str> {
    match capability {
        Capability::Env(name) => Some(name),
        Capability::Http(_)
        | Capability::Tcp(_)
        | Capability::Udp(_)
        | Capability::Listen
        | Capability::Read(_)
        | Capability::Scratch(_)
        | Capability::Process(_) => None,
    }
}

/// Whether a value that a target is started with, in a variable that nobody calls plain, counts as secret. Everything does
/// but what is plainly none: numbers,
/// switches, this machine's own addresses, what the port is filled into, and what a plugin may fill in.
fn is_secret(value: &str) -> bool {
    const SWITCHES: [&str; 6] = ["true", "false", "none", "null", "localhost", "disabled"];
    let plain = value.trim();
    let number = plain.chars().all(|c| c.is_ascii_digit() || c == '.');
    let here = plain.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified());
    !number
        && !here
        && !plain.contains("{port}")
        && !plain.contains('*')
        && !SWITCHES.contains(&plain.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;

    /// How a text with `value` in it is shown, where a target has these variables, each with this value.
    fn hidden(value: &str, plain: &[&str], variables: &[&str]) -> String {
        let env = variables.iter().map(|&name| (name.to_owned(), value.to_owned())).collect();
        let place = Place::Command { program: "shop".to_owned(), args: vec![], env, cwd: None };
        let mut settings = Settings::default();
        settings.targets.insert("shop".parse().unwrap(), Target { place, launch: None });
        settings.secrets.plain = plain.iter().map(|&name| name.to_owned()).collect();
        Secrets::all(&settings).text(&format!("it says {value}"))
    }

    #[test]
    fn variable_is_plain_by_its_name_and_its_value_is_secret_for_any_other_reason() {
        assert_eq!(hidden("production", &[], &["FLASK_ENV"]), "it says production");
        assert_eq!(hidden("production", &[], &["SHOP_MODE"]), "it says ***");
        assert_eq!(hidden("production", &["SHOP_MODE"], &["SHOP_MODE", "FLASK_ENV"]), "it says production");
        assert_eq!(hidden("hunter22", &["SHOP_MODE"], &["SHOP_MODE", "SHOP_KEY"]), "it says ***");
    }

    #[test]
    fn what_a_target_is_started_with_is_secret_unless_it_is_plainly_none() {
        for secret in ["hunter22", "postgres://shop:pw@127.0.0.1/shop", "production", "12345678x"] {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in [
            "1",
            "8080",
            "0.5",
            "true",
            "FALSE",
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "localhost",
            "http://x:{port}",
        ] {
            assert!(!is_secret(plain), "{plain}");
        }
    }
}
