//! Files that no plugin reads, whatever it was granted.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// Names of files and folders that hold credentials, the store of git, whose configuration may, and the private folder of
/// mustdo, where what programs print is kept as it is. Case does not matter. Public halves of keys, and examples of settings, are not secret.
const NAMES: [&str; 38] = [
    ".git",
    ".mustdo",
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    "*.tfstate",
    "*.tfvars",
    ".vault-token",
    ".s3cfg",
];

/// What of those names is meant to be read.
const PUBLIC: [&str; 5] = [".env.example", ".env.sample", ".env.template", ".env.dist", "*.pub"];

/// A pattern that is not a glob.
#[derive(Debug, Error)]
#[error("\"{pattern}\" is not a pattern for secret files")]
pub struct SecretError {
    /// The pattern.
    pub pattern: String,
    /// Why.
    #[source]
    pub cause: globset::Error,
}

/// Tells which paths hold secrets.
#[derive(Clone)]
pub(in crate::plugin) struct Secrets {
    names: GlobSet,
    public: GlobSet,
    more: GlobSet,
}

impl Secrets {
    /// The names above, and `more`: globs over paths relative to the root of a target.
    pub(in crate::plugin) fn new(more: &[String]) -> Result<Self, SecretError> {
        Ok(Self {
            names: set(NAMES, false)?,
            public: set(PUBLIC, false)?,
            more: set(more.iter().map(String::as_str), true)?,
        })
    }

    /// Whether `path`, relative and with "/" between its parts, or a folder it lies in, is secret.
    pub(super) fn hold(&self, path: &str) -> bool {
        let mut end = 0;
        path.split('/').any(|name| {
            end += name.len();
            let whole = &path[..end];
            end += 1;
            (self.names.is_match(name) && !self.public.is_match(name)) || self.more.is_match(whole)
        })
    }
}

fn set<'a>(patterns: impl IntoIterator<Item = &'a str>, separator: bool) -> Result<GlobSet, SecretError> {
    let mut set = GlobSetBuilder::new();
    let fault = |pattern: &str, cause| SecretError { pattern: pattern.to_owned(), cause };
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).literal_separator(separator).build();
        set.add(glob.map_err(|cause| fault(pattern, cause))?);
    }
    set.build().map_err(|cause| fault("", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_secret_wherever_they_lie() {
        let secrets = Secrets::new(&[]).unwrap();
        for path in [
            ".env",
            "app/.env.production",
            "deploy/prod.env",
            ".git/config",
            "a/.git",
            "certs/server.PEM",
            "tls.key",
            ".ssh/config",
            "home/id_rsa",
            ".aws/credentials",
            ".ENV",
            ".mustdo/logs/web.log",
            "infra/prod.tfvars",
        ] {
            assert!(secrets.hold(path), "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_a_secret_is_read() {
        let secrets = Secrets::new(&[]).unwrap();
        for path in [
            "",
            ".env.example",
            "src/env.py",
            "id_generator.py",
            "id_rsa.pub",
            ".gitignore",
            ".github/workflows/ci.yml",
            "key.py",
            "environment/settings.py",
        ] {
            assert!(!secrets.hold(path), "{path}");
        }
    }

    #[test]
    fn workspace_may_name_more() {
        let secrets = Secrets::new(&["config/prod.*".to_owned(), "**/private/**".to_owned()]).unwrap();
        assert!(secrets.hold("config/prod.toml"));
        assert!(secrets.hold("a/private/b"));
        assert!(!secrets.hold("other/config/prod.toml"));
        assert!(Secrets::new(&["a[".to_owned()]).is_err());
    }
}
