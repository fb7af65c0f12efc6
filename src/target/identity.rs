//! What was judged, in words that stay the same from run to run.

use std::collections::BTreeMap;

use crate::model::{Address, Hasher, Launch, Place, Target};

/// What a target is, for the record of a proof: the same whenever the same thing is judged, so without the ports and
/// process ids that a run happens to get. `started: flask --app shop run --port {port}`, `attached: http://127.0.0.1:80`.
#[must_use]
pub fn identity(target: &Target) -> String {
    match (&target.place, &target.launch) {
        (Place::Dir(path), _) => format!("directory: {path}"),
        (Place::Command { program, args, env, cwd }, _) => {
            let command = words(std::iter::once(program).chain(args));
            format!("program: {command}{}", circumstances(cwd.as_deref(), env))
        }
        (Place::Http { prefix, .. }, Some(launch)) => started(launch, prefix),
        (Place::Tcp(_) | Place::Udp(_), Some(launch)) => started(launch, ""),
        (Place::Http { address, prefix }, None) => format!("attached: http://{}{prefix}", written(address)),
        (Place::Tcp(address), None) => format!("attached: tcp {}", written(address)),
        (Place::Udp(address), None) => format!("attached: udp {}", written(address)),
    }
}

/// The whole way a target is started. Values of its environment may be secrets: a digest stands for them.
fn started(launch: &Launch, prefix: &str) -> String {
    let Launch { run, cwd, env, ready: _, ready_timeout: _ } = launch;
    let mut text = format!("started: {}{}", words(run), circumstances(cwd.as_deref(), env));
    if !prefix.is_empty() {
        text.push_str(&format!(" at {prefix}"));
    }
    text
}

/// Where a program runs, and with what environment.
fn circumstances(cwd: Option<&str>, env: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    if let Some(cwd) = cwd {
        text.push_str(&format!(" in {cwd}"));
    }
    if !env.is_empty() {
        let mut hasher = Hasher::default();
        for (name, value) in env {
            hasher.field(name).field(value);
        }
        let names: Vec<_> = env.keys().map(String::as_str).collect();
        text.push_str(&format!(" with {} ({})", names.join(", "), hasher.finish().short()));
    }
    text
}

/// A command line for people: words that would not stand alone are quoted.
pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let quoted = |word: &String| {
        let plain =
            !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        if plain { word.clone() } else { format!("{word:?}") }
    };
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn written(address: &Address) -> String {
    let host = if address.host.contains(':') { format!("[{}]", address.host) } else { address.host.clone() };
    let port = address.port.map_or_else(|| "{port}".to_owned(), |port| port.to_string());
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(port: Option<u16>, run: &[&str]) -> Target {
        let launch = (!run.is_empty()).then(|| Launch {
            run: run.iter().map(|&word| word.to_owned()).collect(),
            cwd: None,
            env: BTreeMap::new(),
            ready: None,
            ready_timeout: Launch::READY_TIMEOUT,
        });
        let address = Address { host: "::1".to_owned(), port };
        Target { place: Place::Http { address, prefix: "/v1".to_owned() }, launch }
    }

    #[test]
    fn identity_holds_nothing_that_changes_from_run_to_run() {
        assert_eq!(
            identity(&http(None, &["sh", "-c", "serve --port {port}"])),
            "started: sh -c \"serve --port {port}\" at /v1"
        );
        assert_eq!(identity(&http(Some(80), &[])), "attached: http://[::1]:80/v1");
        let dir = Target { place: Place::Dir("app".to_owned()), launch: None };
        assert_eq!(identity(&dir), "directory: app");
    }

    #[test]
    fn other_environment_is_another_target_and_its_values_are_not_shown() {
        let with = |value: &str| {
            let mut target = http(None, &["serve"]);
            let launch = target.launch.as_mut().unwrap();
            launch.env.insert("TOKEN".to_owned(), value.to_owned());
            launch.cwd = Some("app".to_owned());
            identity(&target)
        };
        assert!(with("secret").starts_with("started: serve in app with TOKEN ("), "{}", with("secret"));
        assert!(!with("secret").contains("secret"));
        assert_ne!(with("secret"), with("other"));
    }
}
