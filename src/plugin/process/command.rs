//! What a program is started with: arguments and environment, held against what the user wrote.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::model::{Arguments, Endpoint, Pattern};
use crate::plugin::contract::Failure;
use crate::process::Variables;

/// Where programs look for others when the user has no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command target with what a plugin adds to it, all of it allowed.
#[derive(Debug)]
pub(super) struct Command {
    /// Absolute.
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    /// The folder that the user names for it, absolute.
    pub(super) cwd: Option<PathBuf>,
    variables: BTreeMap<OsString, OsString>,
}

impl Command {
    /// The target called `name` with the arguments and variables of a plugin; or what of it the user does not allow, and
    /// what would.
    pub(super) fn new(
        name: &str,
        endpoint: Endpoint,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<Self, Failure> {
        let Endpoint::Command { program, args: written, env: allowed, cwd } = endpoint else {
            return Err(Failure::Unbound(format!("the target \"{name}\" is not a command target")));
        };
        if !program.is_absolute() {
            let program = program.display();
            return Err(Failure::Denied(format!("{program} is not the absolute path of a program")));
        }
        let place =
            |key: &str| format!("change `{key}` of the target \"{name}\" in mustdo.toml if it is meant");
        let args = Arguments::new(&written)
            .with(args)
            .map_err(|error| Failure::Denied(format!("{error}; {}", place("args"))))?;
        let variables = variables(&allowed, env)
            .map_err(|error| Failure::Denied(format!("{error}; {}", place("env"))))?;
        Ok(Self { program, args: args.into_iter().map(OsString::from).collect(), cwd, variables })
    }

    /// Its whole environment. Nothing of mustdo's own reaches it but `PATH`: what the user did not write may be a secret.
    /// `HOME` and `TMPDIR` are the empty folder `room`, so that it reads no settings of the user's and leaves nothing
    /// behind. The user's own `env` stands above all of these.
    pub(super) fn environment(&self, search: Option<&OsStr>, room: &Path) -> Variables {
        let own = [
            ("PATH", search.unwrap_or(PATH.as_ref())),
            ("HOME", room.as_os_str()),
            ("TMPDIR", room.as_os_str()),
            ("LANG", "C.UTF-8".as_ref()),
        ];
        let mut all: BTreeMap<OsString, OsString> =
            own.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        all.extend(self.variables.clone());
        Variables::Only(all)
    }
}

/// What the user wrote without a star, and what the plugin gives where there is one. A plugin names no variable that the
/// user did not: among those that change what a program does there are too many to know them all (`LD_PRELOAD`,
/// `PYTHONPATH`, `NODE_OPTIONS`, `GIT_SSH_COMMAND`, `BASH_ENV`, …).
fn variables(
    allowed: &BTreeMap<String, String>,
    given: &[(String, String)],
) -> Result<BTreeMap<OsString, OsString>, String> {
    let patterns: BTreeMap<&str, Pattern> =
        allowed.iter().map(|(name, text)| (name.as_str(), Pattern::new(text))).collect();
    let fixed = |(name, pattern): (&&str, &Pattern)| Some((OsString::from(name), pattern.literal()?.into()));
    let mut variables: BTreeMap<OsString, OsString> = patterns.iter().filter_map(fixed).collect();
    for (name, value) in given {
        let Some(pattern) = patterns.get(name.as_str()) else {
            return Err(format!("the target does not let a plugin set the variable {name:?}"));
        };
        if !pattern.matches(value) || value.contains('\0') {
            return Err(format!("the value {value:?} does not match {:?} for {name:?}", allowed[name]));
        }
        variables.insert(name.into(), value.into());
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(env: &[(&str, &str)], given: &[(&str, &str)]) -> Result<Command, String> {
        let texts = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let endpoint = Endpoint::Command {
            program: "/bin/tool".into(),
            args: vec!["test".to_owned(), "--port=*".to_owned()],
            env: texts(env).into_iter().collect(),
            cwd: None,
        };
        Command::new("tool", endpoint, &["--port=1".to_owned()], &texts(given))
            .map_err(|failure| crate::plugin::failure::words(&failure))
    }

    fn seen(command: &Command) -> BTreeMap<OsString, OsString> {
        match command.environment(Some("/opt/bin".as_ref()), Path::new("/room")) {
            Variables::Only(all) => all,
            Variables::Inherited(_) => panic!("it must be cleared"),
        }
    }

    #[test]
    fn environment_is_what_the_user_wrote_and_little_else() {
        let all = seen(&command(&[("MODE", "fast"), ("PORT", "*")], &[]).unwrap());
        let names: Vec<_> = all.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["HOME", "LANG", "MODE", "PATH", "TMPDIR"]);
        assert_eq!(
            (&all[OsStr::new("PATH")], &all[OsStr::new("HOME")]),
            (&"/opt/bin".into(), &"/room".into())
        );
        let all = seen(&command(&[("HOME", "/home/me")], &[]).unwrap());
        assert_eq!(all[OsStr::new("HOME")], "/home/me");
    }

    #[test]
    fn plugin_fills_in_what_has_a_star_and_sets_nothing_else() {
        let allowed = [("PORT", "1*"), ("MODE", "fast")];
        let all = seen(&command(&allowed, &[("PORT", "12"), ("MODE", "fast")]).unwrap());
        assert_eq!(all[OsStr::new("PORT")], "12");
        for (given, why) in [
            (("LD_PRELOAD", "/tmp/evil.so"), "let a plugin set the variable \"LD_PRELOAD\""),
            (("PATH", "/tmp"), "let a plugin set the variable \"PATH\""),
            (("PORT", "22"), "\"22\" does not match \"1*\" for \"PORT\""),
            (("PORT", "1\0"), "does not match"),
            (("MODE", "slow"), "\"slow\" does not match \"fast\""),
        ] {
            let error = command(&allowed, &[given]).unwrap_err();
            assert!(error.contains(why) && error.starts_with("denied: "), "{error}");
            assert!(
                error.ends_with("change `env` of the target \"tool\" in mustdo.toml if it is meant"),
                "{error}"
            );
        }
    }

    #[test]
    fn program_is_absolute_and_arguments_are_allowed() {
        assert_eq!(command(&[], &[]).unwrap().args, ["test", "--port=1"]);
        let start = |program: &str, args: &[String]| {
            let (env, written) = (BTreeMap::new(), vec!["test".to_owned()]);
            let endpoint = Endpoint::Command { program: program.into(), args: written, env, cwd: None };
            Command::new("tool", endpoint, args, &[])
                .map_err(|failure| crate::plugin::failure::words(&failure))
        };
        let error = start("/bin/tool", &["-x".to_owned()]).unwrap_err();
        assert!(error.contains("\"-x\" is one more") && error.contains("change `args`"), "{error}");
        assert!(start("tool", &[]).unwrap_err().contains("not the absolute path"));
    }
}
