//! What a check may do: plugin asks ∩ item names ∩ user allows.

use std::path::PathBuf;

use super::{Unbound, Why};
use crate::model::{
    Address, Capability, CapabilityRequest, Definition, Digest, ItemId, Permit, PluginId, PluginInfo,
    Settings, Target, TargetName, Text,
};

/// A plugin that is there to be run.
#[derive(Debug, Clone, Copy)]
pub struct Installed<'a> {
    /// Of its bytes: grants are tied to it.
    pub digest: Digest,
    /// What it says of itself.
    pub info: &'a PluginInfo,
    /// Part of mustdo itself, not a file of the workspace.
    pub embedded: bool,
}

/// Something that checks ask for and the user has not allowed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingGrant {
    /// Who asks.
    pub plugin: PluginId,
    /// The bytes that a grant would be for.
    pub digest: Digest,
    /// What is asked for, by the workspace's target name.
    pub capability: Capability,
    /// The plugin's reason; the first, where several checks give one.
    pub reason: Text,
    /// Whether a check is left out without it.
    pub required: bool,
    /// The program that it would be allowed to start, absolute; none where no program is started, or it is not found.
    pub program: Option<PathBuf>,
    /// Why what the user allowed before does not do.
    pub permit: Permit,
    /// The items whose checks ask, in the plan's order.
    pub items: Vec<ItemId>,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Permission {
    /// Allowed, on the workspace's target in it.
    Allowed(Capability),
    /// Not allowed by the user, and why not; on the workspace's target in it.
    NotGranted(Capability, Permit),
    /// It could not be allowed at all: nothing is bound, or the wrong thing.
    Impossible(Why),
}

/// Whether `request` is allowed to `plugin` for a check that is asked as `definition` says.
///
/// This is the whole rule: the plugin asks (`request`), the item names (`definition.target`), the user allows
/// ([`Grant::permit`](crate::model::Grant::permit); `programs` says where programs are today). A plugin that is part of mustdo may talk to targets that the user bound to
/// this very machine and read directories of this very workspace without being asked for; anything that starts programs,
/// makes copies, listens or reads the environment is asked for always.
pub(super) fn judge(
    request: &CapabilityRequest,
    definition: &Definition,
    settings: &Settings,
    plugin: &Installed<'_>,
    programs: &Programs<'_>,
) -> Permission {
    let (capability, target) = match request.capability.target() {
        None => (request.capability.clone(), None),
        Some(asked) => {
            let kinds = request.capability.kinds();
            let bound = definition.target.get(asked);
            let Some((name, target)) =
                bound.and_then(|name| settings.targets.get(name).map(|target| (name, target)))
            else {
                let unbound = Unbound { asked: asked.clone(), bound: bound.cloned(), kinds };
                return Permission::Impossible(Why::NotBound { targets: vec![unbound], params: vec![] });
            };
            let has = target.place.kind();
            if !kinds.contains(&has) {
                return Permission::Impossible(Why::WrongKind { target: name.clone(), has, needs: kinds });
            }
            (request.capability.on(name), Some(target))
        }
    };
    let program = capability.target().and_then(programs);
    let permit = settings.grants.get(&plugin.info.id).map_or(Permit::Missing, |grant| {
        grant.permit(&capability, plugin.digest, target, program.as_deref())
    });
    if permit == Permit::Holds || (plugin.embedded && harmless(&capability, target)) {
        Permission::Allowed(capability)
    } else {
        Permission::NotGranted(capability, permit)
    }
}

/// Where the program of a command target is today; none where it is not found.
pub type Programs<'a> = dyn Fn(&TargetName) -> Option<PathBuf> + 'a;

/// What mustdo's own plugins may do without being asked for.
fn harmless(capability: &Capability, target: Option<&Target>) -> bool {
    let Some(target) = target else { return false };
    match capability {
        Capability::Http(_) | Capability::Tcp(_) | Capability::Udp(_) => {
            target.place.address().is_some_and(Address::is_loopback)
        }
        Capability::Read(_) => target.place.stays_inside(),
        Capability::Listen | Capability::Scratch(_) | Capability::Env(_) | Capability::Process(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Grant, Place, Span, TargetKind};

    const OURS: &[u8] = b"plugin";

    fn info() -> PluginInfo {
        PluginInfo {
            id: "probe".parse().unwrap(),
            version: semver::Version::new(1, 0, 0),
            title: Text::same("Probe"),
            license: String::new(),
            homepage: String::new(),
            checks: vec![],
        }
    }

    fn http(host: &str) -> Place {
        Place::Http { address: Address { host: host.to_owned(), port: Some(80) }, prefix: String::new() }
    }

    fn tcp(host: &str) -> Place {
        Place::Tcp(Address { host: host.to_owned(), port: None })
    }

    fn dir(path: &str) -> Place {
        Place::Dir(path.to_owned())
    }

    fn program() -> Place {
        Place::Command { program: "worker".to_owned(), args: vec![], env: BTreeMap::new(), cwd: None }
    }

    /// Asks for `request` where the item calls the plugin's `t` the workspace's `mine`, which is bound to `place`.
    fn ask(request: &str, place: Option<Place>, embedded: bool, grant: Option<(&[u8], &str)>) -> Permission {
        ask_with(request, place, embedded, grant, &|_| Some("/usr/bin/worker".into()))
    }

    fn ask_with(
        request: &str,
        place: Option<Place>,
        embedded: bool,
        grant: Option<(&[u8], &str)>,
        programs: &Programs<'_>,
    ) -> Permission {
        let mine = "mine".parse().unwrap();
        let settings = Settings {
            targets: place.map(|place| (mine, Target { place, launch: None })).into_iter().collect(),
            grants: grant
                .map(|(bytes, allow)| {
                    let allow = [allow.parse().unwrap()].into();
                    let programs = [("mine".parse().unwrap(), "/usr/bin/worker".into())].into();
                    ("probe".parse().unwrap(), Grant { digest: Digest::of(bytes), allow, programs })
                })
                .into_iter()
                .collect(),
            ..Settings::default()
        };
        let definition = Definition {
            uses: "probe/check".parse().unwrap(),
            target: [("t".parse().unwrap(), "mine".parse().unwrap())].into(),
            with: BTreeMap::new(),
            watch: vec![],
            fresh_for: Span::days(1),
        };
        let request = CapabilityRequest {
            capability: request.parse().unwrap(),
            reason: Text::same("to look"),
            required: true,
        };
        judge(
            &request,
            &definition,
            &settings,
            &Installed { digest: Digest::of(OURS), info: &info(), embedded },
            programs,
        )
    }

    fn allowed(text: &str) -> Permission {
        Permission::Allowed(text.parse().unwrap())
    }

    fn refused(text: &str) -> Permission {
        Permission::NotGranted(text.parse().unwrap(), Permit::Missing)
    }

    fn outdated(text: &str) -> Permission {
        Permission::NotGranted(text.parse().unwrap(), Permit::OtherBytes)
    }

    #[test]
    fn embedded_plugins_reach_this_machine_and_this_workspace_and_nothing_else() {
        for (request, place, answer) in [
            ("http:t", http("127.0.0.1"), allowed("http:mine")),
            ("http:t", http("127.9.8.7"), allowed("http:mine")),
            ("http:t", http("::1"), allowed("http:mine")),
            ("http:t", http("localhost"), allowed("http:mine")),
            ("tcp:t", tcp("127.0.0.1"), allowed("tcp:mine")),
            ("tcp:t", http("127.0.0.1"), allowed("tcp:mine")),
            ("read:t", dir("."), allowed("read:mine")),
            ("read:t", dir("app/../src"), allowed("read:mine")),
            ("http:t", http("192.168.0.1"), refused("http:mine")),
            ("http:t", http("0.0.0.0"), refused("http:mine")),
            ("http:t", http("localhost.example.org"), refused("http:mine")),
            ("http:t", http("127.0.0.1.example.org"), refused("http:mine")),
            ("http:t", http("::ffff:10.0.0.1"), refused("http:mine")),
            ("read:t", dir("/etc"), refused("read:mine")),
            ("read:t", dir("../other"), refused("read:mine")),
            ("read:t", dir("app/../../other"), refused("read:mine")),
            ("scratch:t", dir("."), refused("scratch:mine")),
            ("process:t", program(), refused("process:mine")),
            ("process:t", http("127.0.0.1"), refused("process:mine")),
            ("env:HOME", dir("."), refused("env:HOME")),
            ("listen", dir("."), refused("listen")),
        ] {
            assert_eq!(ask(request, Some(place.clone()), true, None), answer, "{request} {place:?}");
        }
    }

    #[test]
    fn other_plugins_reach_what_was_granted_and_start_programs_only_with_the_bytes_that_were_seen() {
        for (request, place, grant, answer) in [
            ("http:t", http("127.0.0.1"), None, refused("http:mine")),
            ("http:t", http("127.0.0.1"), Some((OURS, "http:mine")), allowed("http:mine")),
            ("http:t", http("10.0.0.1"), Some((OURS, "http:mine")), allowed("http:mine")),
            // The grant names the workspace's target, never the plugin's own name for it.
            ("http:t", http("127.0.0.1"), Some((OURS, "http:t")), refused("http:mine")),
            ("http:t", http("127.0.0.1"), Some((OURS, "tcp:mine")), refused("http:mine")),
            ("http:t", http("10.0.0.1"), Some((b"other bytes", "http:mine")), allowed("http:mine")),
            ("env:HOME", dir("."), Some((b"other bytes", "env:HOME")), allowed("env:HOME")),
            ("process:t", program(), Some((b"other bytes", "process:mine")), outdated("process:mine")),
            (
                "process:t",
                http("127.0.0.1"),
                Some((b"other bytes", "process:mine")),
                outdated("process:mine"),
            ),
            ("read:t", dir("."), Some((OURS, "read:mine")), allowed("read:mine")),
            ("scratch:t", dir("."), Some((OURS, "read:mine")), refused("scratch:mine")),
            ("process:t", program(), Some((OURS, "process:mine")), allowed("process:mine")),
            ("env:HOME", dir("."), Some((OURS, "env:HOME")), allowed("env:HOME")),
            ("env:PATH", dir("."), Some((OURS, "env:HOME")), refused("env:PATH")),
            ("listen", dir("."), Some((OURS, "listen")), allowed("listen")),
        ] {
            let answered = ask(request, Some(place.clone()), false, grant);
            assert_eq!(answered, answer, "{request} {place:?} {grant:?}");
        }
    }

    #[test]
    fn another_program_is_asked_for_again() {
        for (today, answer) in [
            (Some("/usr/bin/worker"), allowed("process:mine")),
            (None, allowed("process:mine")),
            (
                Some("/tmp/worker"),
                Permission::NotGranted(
                    "process:mine".parse().unwrap(),
                    Permit::OtherProgram("/usr/bin/worker".into()),
                ),
            ),
        ] {
            let programs = |name: &TargetName| today.filter(|_| name.as_str() == "mine").map(PathBuf::from);
            let answered =
                ask_with("process:t", Some(program()), false, Some((OURS, "process:mine")), &programs);
            assert_eq!(answered, answer, "{today:?}");
        }
    }

    #[test]
    fn a_grant_does_not_make_up_for_a_missing_or_wrong_target() {
        let grant = Some((OURS, "http:mine"));
        let unbound = |asked: &str, bound: Option<&str>| {
            let targets = vec![Unbound {
                asked: asked.parse().unwrap(),
                bound: bound.map(|name| name.parse().unwrap()),
                kinds: &[TargetKind::Http],
            }];
            Permission::Impossible(Why::NotBound { targets, params: vec![] })
        };
        assert_eq!(ask("http:t", None, true, grant), unbound("t", Some("mine")));
        // A workspace target of the name that the plugin uses is not one that the item names.
        assert_eq!(ask("http:mine", Some(http("127.0.0.1")), true, grant), unbound("mine", None));
        assert_eq!(
            ask("http:t", Some(dir(".")), true, grant),
            Permission::Impossible(Why::WrongKind {
                target: "mine".parse().unwrap(),
                has: TargetKind::Dir,
                needs: &[TargetKind::Http],
            })
        );
    }
}
