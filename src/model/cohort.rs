//! A class or a team: whose repositories are looked at side by side.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::ChecklistId;

/// The learners of a class or a team.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cohort {
    /// What it is called; none where nobody named it.
    pub title: Option<String>,
    /// The checklists that count; all of each learner's where it is empty.
    pub checklists: BTreeSet<ChecklistId>,
    /// In file order, each name once.
    pub learners: Vec<Learner>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learner {
    /// Never blank.
    pub name: String,
    /// Where the workspace is.
    pub home: Home,
}

/// Where a learner's workspace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// A folder of this machine.
    Folder {
        /// Relative to the cohort's file.
        path: String,
        /// The commit to look at; none for the files as they lie there.
        rev: Option<RevisionName>,
    },
    /// A repository elsewhere.
    Remote {
        /// Where.
        url: RepositoryUrl,
        /// The commit to look at; none for what the repository's HEAD stands for.
        rev: Option<RevisionName>,
        /// The workspace in it, "/" between parts; empty for its root.
        folder: String,
    },
}

/// Where a repository is fetched from: `https://`, `ssh://` or `file://`, and never with a password in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryUrl(String);

/// Why a text is no address of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RepositoryUrlError {
    /// Another protocol, or none.
    #[error("a repository's address begins with \"https://\", \"ssh://\" or \"file:///\"")]
    Scheme,
    /// The short form of ssh.
    #[error("a repository's address is written out: \"ssh://{user_and_host}/{path}\"")]
    Short {
        /// What stands before the colon.
        user_and_host: String,
        /// What stands after it.
        path: String,
    },
    /// Whoever reads the file would know it.
    #[error("a password does not belong in the address: git asks its credential helper for it")]
    Password,
    /// No host, no path, or one that a program would take for an option.
    #[error("a repository's address has a host, where it is not a file, and a path")]
    Part,
    /// Anything but visible ASCII characters.
    #[error("a repository's address has visible ASCII characters only: write others as %XX")]
    Character,
}

impl RepositoryUrl {
    /// As git is given it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for RepositoryUrl {
    type Err = RepositoryUrlError;

    /// Reads a URL (RFC 3986, section 3) of one of the three protocols.
    fn from_str(text: &str) -> Result<Self, RepositoryUrlError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RepositoryUrlError::Character);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(match text.split_once(':') {
                Some((host, path)) if host.contains('@') && !path.is_empty() => RepositoryUrlError::Short {
                    user_and_host: host.to_owned(),
                    path: path.trim_start_matches('/').to_owned(),
                },
                _ => RepositoryUrlError::Scheme,
            });
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        match scheme {
            // A token in the place of a user's name is a password too.
            "https" if !user.is_empty() => return Err(RepositoryUrlError::Password),
            "ssh" if user.contains(':') => return Err(RepositoryUrlError::Password),
            "https" | "ssh" if host.is_empty() => return Err(RepositoryUrlError::Part),
            "file" if !authority.is_empty() => return Err(RepositoryUrlError::Part),
            "https" | "ssh" | "file" => {}
            _ => return Err(RepositoryUrlError::Scheme),
        }
        if path.trim_matches('/').is_empty() || [user, host].iter().any(|part| part.starts_with('-')) {
            return Err(RepositoryUrlError::Part);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a commit: a branch, a tag, `HEAD`, a commit's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionName(String);

/// Why a text is no name of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a \"rev\" is the name of a branch or a tag, HEAD, or a commit's id")]
pub struct RevisionNameError;

impl RevisionName {
    /// As git is given it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RevisionName {
    type Err = RevisionNameError;

    /// Reads what git-check-ref-format(1) lets a name be, of visible ASCII characters: nothing of it is an option, a range,
    /// a path or the other half of a refspec.
    fn from_str(text: &str) -> Result<Self, RevisionNameError> {
        let foreign = |byte: u8| !byte.is_ascii_graphic() || b"~^:?*[\\+{}".contains(&byte);
        let broken = text.is_empty()
            || text.starts_with('-')
            || text.bytes().any(foreign)
            || text.contains("..")
            || text.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with('.'));
        if broken { Err(RevisionNameError) } else { Ok(Self(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<String, RepositoryUrlError> {
        text.parse().map(|url: RepositoryUrl| url.to_string())
    }

    #[test]
    fn repository_is_fetched_by_three_protocols_and_without_a_password() {
        for right in [
            "https://example.org/ada/shop.git",
            "https://[::1]:8443/ada/shop",
            "ssh://git@example.org:2222/ada/shop.git",
            "file:///srv/git/ada.git",
        ] {
            assert_eq!(url(right).as_deref(), Ok(right));
        }
        for (wrong, why) in [
            ("http://example.org/a", RepositoryUrlError::Scheme),
            ("ext::sh -c true", RepositoryUrlError::Character),
            ("ext::sh", RepositoryUrlError::Scheme),
            ("--upload-pack=true", RepositoryUrlError::Scheme),
            ("shop.git", RepositoryUrlError::Scheme),
            ("https://token@example.org/a", RepositoryUrlError::Password),
            ("https://a:b@example.org/a", RepositoryUrlError::Password),
            ("ssh://git:secret@example.org/a", RepositoryUrlError::Password),
            ("ssh://-oProxyCommand=true/a", RepositoryUrlError::Part),
            ("ssh://-l@example.org/a", RepositoryUrlError::Part),
            ("https:///a", RepositoryUrlError::Part),
            ("https://example.org/", RepositoryUrlError::Part),
            ("file://elsewhere/a", RepositoryUrlError::Part),
            ("https://example.org/a\nb", RepositoryUrlError::Character),
        ] {
            assert_eq!(url(wrong), Err(why), "{wrong}");
        }
        let short = url("git@example.org:ada/shop.git").unwrap_err();
        assert!(short.to_string().contains("\"ssh://git@example.org/ada/shop.git\""));
    }

    #[test]
    fn revision_is_a_name_and_nothing_that_git_would_compute() {
        let name = |text: &str| text.parse::<RevisionName>().is_ok();
        for right in ["main", "feature/shop", "v1.0.0", "HEAD", "0123abc"] {
            assert!(name(right), "{right}");
        }
        for wrong in [
            "", "-x", "--all", "a:b", "+a", "a..b", "a~1", "a^", "@{u}", "a b", "/a", "a/", ".a", "a.", "a*",
            "a\n",
        ] {
            assert!(!name(wrong), "{wrong}");
        }
    }
}
