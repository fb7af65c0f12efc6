//! Reading `[targets.NAME]`: what the learner binds a target name to.

use std::collections::BTreeMap;

use super::Code;
use super::address::{AddressError, PORT, address, url};
use super::checklist::lasting;
use super::table::{Field, Table};
use crate::model::{Address, Launch, Place, Target, TargetKind};

/// Every key of a target, and whether it belongs to how a program is started.
const KEYS: [(&str, bool); 10] = [
    ("url", false),
    ("address", false),
    ("path", false),
    ("program", false),
    ("args", false),
    ("run", true),
    ("cwd", true),
    ("env", true),
    ("ready", true),
    ("ready-timeout", true),
];

/// Reads one target.
pub(super) fn target(field: &Field<'_>) -> Option<Target> {
    let mut table = field.table("a target")?;
    let Some(kind) = table.required("kind") else {
        // Which keys belong here depends on the kind; one that belongs to none is wrong all the same.
        for (key, _) in KEYS {
            table.optional(key);
        }
        table.close();
        return None;
    };
    let kind = kind.word(TargetKind::ALL, TargetKind::word)?;
    useless(&mut table, kind);
    let place = place(&mut table, kind);
    let launch = launch(&mut table, kind);
    let address_field = table.peek(if kind == TargetKind::Http { "url" } else { "address" });
    table.close();
    let (place, launch) = (place?, launch?);
    let chosen = place.address().is_some_and(|address| address.port.is_none());
    if let Some(field) = address_field.filter(|_| chosen) {
        port_is_told(&field, launch.as_ref());
    }
    Some(Target { place, launch })
}

fn keys(kind: TargetKind) -> &'static [&'static str] {
    match kind {
        TargetKind::Http => &["url", "run", "cwd", "env", "ready", "ready-timeout"],
        TargetKind::Tcp | TargetKind::Udp => &["address", "run", "cwd", "env", "ready-timeout"],
        TargetKind::Dir => &["path"],
        TargetKind::Command => &["program", "args", "env", "cwd"],
    }
}

/// Reports the keys of other kinds, and what says how a program is started where none is.
fn useless(table: &mut Table<'_>, kind: TargetKind) {
    let keys = keys(kind);
    let starts = !keys.contains(&"run") || table.peek("run").is_some();
    for (key, launches) in KEYS {
        if !keys.contains(&key) {
            let Some(field) = table.optional(key) else { continue };
            let message = format!("\"{key}\" has no effect on a target of kind \"{kind}\"");
            let help = format!("such a target has {}", super::table::quoted(keys, "and"));
            field.report_key(Code::UselessKey, message, &help);
        } else if let Some(field) = table.peek(key).filter(|_| launches && !starts) {
            let message = format!("\"{key}\" has no effect without \"run\"");
            field.report_key(Code::UselessKey, message, "add run = [\"PROGRAM\", …], or remove it");
        }
    }
}

fn place(table: &mut Table<'_>, kind: TargetKind) -> Option<Place> {
    Some(match kind {
        TargetKind::Http => {
            let field = table.required("url")?;
            let (address, prefix) = located(&field, url)?;
            Place::Http { address, prefix }
        }
        TargetKind::Tcp => Place::Tcp(host_and_port(table)?),
        TargetKind::Udp => Place::Udp(host_and_port(table)?),
        TargetKind::Dir => Place::Dir(plain(&table.required("path")?)?),
        TargetKind::Command => {
            let program = table.required("program");
            let args = table.optional("args").map(|field| field.texts()).unwrap_or_default();
            let env = table.optional("env").and_then(|field| field.table("an environment"));
            let env = env.as_ref().map(variables).unwrap_or_default();
            let cwd = match table.optional("cwd") {
                Some(field) => Some(plain(&field)?),
                None => None,
            };
            Place::Command { program: plain(&program?)?, args, env, cwd }
        }
    })
}

fn host_and_port(table: &mut Table<'_>) -> Option<Address> {
    located(&table.required("address")?, address)
}

fn located<T>(field: &Field<'_>, read: fn(&str) -> Result<T, AddressError>) -> Option<T> {
    let text = field.text()?;
    let located = read(text).map_err(|error| match error {
        AddressError::NotClearText => field.report(
            Code::NotClearText,
            "a target can't be reached over https",
            "mustdo speaks HTTP in clear text only: write \"http://…\" and point it at the service behind TLS",
        ),
        error @ (AddressError::Scheme
        | AddressError::Extra
        | AddressError::Host
        | AddressError::Port
        | AddressError::NoPort
        | AddressError::Path) => field.report(Code::BadAddress, format!("\"{text}\" is not an address: {error}"), ""),
    });
    located.ok()
}

/// A text that the system takes as a path or a name.
fn plain(field: &Field<'_>) -> Option<String> {
    let text = field.words()?;
    if text.contains('\0') {
        field.report(Code::BadName, format!("\"{}\" may not hold a NUL", field.name()), "");
        return None;
    }
    Some(text.to_owned())
}

/// How a target is started: none outside where that can't be read, none inside where it isn't.
#[expect(clippy::option_option, reason = "reported and absent are two things here, and only here")]
fn launch(table: &mut Table<'_>, kind: TargetKind) -> Option<Option<Launch>> {
    if !keys(kind).contains(&"run") {
        return Some(None);
    }
    let cwd = table.optional("cwd").map(|field| plain(&field));
    let env = table.optional("env").and_then(|field| field.table("an environment"));
    let ready = if kind == TargetKind::Http { table.optional("ready") } else { None };
    let ready_timeout = table.optional("ready-timeout").map(|field| lasting(&field));
    let Some(run) = table.optional("run") else { return Some(None) };
    let argv = run.texts();
    if matches!(run.raw(), toml::de::DeValue::Array(values) if values.is_empty()) {
        run.report(Code::Empty, "\"run\" is empty", "write run = [\"PROGRAM\", \"ARGUMENT\", …]");
        return None;
    }
    let ready = ready.map(|field| {
        let path = field.words()?;
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            field.report(Code::BadAddress, "\"ready\" must be a path that begins with \"/\"", "");
            return None;
        }
        Some(path.to_owned())
    });
    Some(Some(Launch {
        run: Some(argv).filter(|argv| !argv.is_empty())?,
        cwd: cwd.flatten(),
        env: env.as_ref().map(variables).unwrap_or_default(),
        ready: ready.flatten(),
        ready_timeout: ready_timeout.flatten().unwrap_or(Launch::READY_TIMEOUT),
    }))
}

/// The variables of an environment, by name.
fn variables(env: &Table<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for entry in env.entries() {
        if entry.name().is_empty() || entry.name().contains(['=', '\0']) {
            let message = format!("\"{}\" can't be the name of a variable", entry.name().escape_debug());
            entry.report_key(Code::BadName, message, "");
        } else if let Some(value) = entry.text() {
            variables.insert(entry.name().to_owned(), value.to_owned());
        }
    }
    variables
}

/// A port that mustdo chooses is of use only to a program that is told.
fn port_is_told(address: &Field<'_>, launch: Option<&Launch>) {
    let Some(launch) = launch else {
        let message = "{port} is chosen when mustdo starts the target, and \"run\" does not say how";
        address.report(
            Code::PortUntold,
            message,
            "add run = [\"PROGRAM\", …, \"{port}\"], or write the port",
        );
        return;
    };
    if !launch.run.iter().chain(launch.env.values()).any(|text| text.contains(PORT)) {
        let message =
            "{port} is chosen by mustdo, and neither \"run\" nor \"env\" tells the program which it is";
        address.report(Code::PortUntold, message, "put {port} into \"run\" or \"env\", or write the port");
    }
}
