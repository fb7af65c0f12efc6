//! Where a checklist comes from: mustdo itself, a path or a git repository, as it is typed and as it stands in `mustdo.lock`.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use thiserror::Error;

/// Where a checklist comes from, and where an update is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It ships inside mustdo; written `embedded`.
    Embedded,
    /// A file, or a folder with checklists: in the lock relative to the workspace or absolute, on the command line relative to
    /// the current folder; written `file:PATH`.
    Path(String),
    /// A git repository.
    Git(GitOrigin),
}

/// A git repository, written `git+URL#TAG` or `git+URL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitOrigin {
    /// `https://…`, `ssh://…` or `file:///…`, without a password and without a fragment.
    pub url: String,
    /// The tag that is taken, and no other; none for whichever has the highest version.
    pub tag: Option<TagName>,
}

/// The name of a tag in git: what git takes (git-check-ref-format), less what only confuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagName(String);

/// Why a text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OriginError {
    /// Nothing.
    #[error("checklists come from \"embedded\", from a file or folder, or from \"git+https://…#TAG\"")]
    Empty,
    /// A scheme that is not spoken.
    #[error(
        "\"{0}://\" is not spoken: checklists come from \"embedded\", from a file or folder, or from \"git+https://…#TAG\", \
         \"git+ssh://…\" or \"git+file:///…\""
    )]
    Scheme(String),
    /// What git reads as a host and a path, and here could be a file.
    #[error("a repository is an address: \"git+ssh://{0}\"")]
    Scp(String),
    /// No host or path, or something none is called.
    #[error(
        "an address has a host that does not begin with \"-\", and neither spaces nor control characters"
    )]
    Host,
    /// A password in the address.
    #[error("an address holds no password: it is written into mustdo.lock for everybody to read")]
    Password,
    /// A character that steers a terminal.
    #[error("a path holds no control characters")]
    Control,
    /// The tag.
    #[error(
        "a tag has up to 128 of a-z, A-Z, 0-9, \".\", \"_\", \"-\", \"+\" and \"/\", and begins with a letter or a digit"
    )]
    Tag,
}

impl TagName {
    /// Longer ones are nobody's.
    const LONGEST: usize = 128;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version that it stands for: `v1.2.0` or `1.2.0`; none where it stands for none, or for one before its release.
    #[must_use]
    pub fn release(&self) -> Option<Version> {
        let version: Version = self.0.strip_prefix('v').unwrap_or(&self.0).parse().ok()?;
        version.pre.is_empty().then_some(version)
    }
}

impl FromStr for TagName {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+/".contains(&byte);
        let part = |part: &str| {
            let locked = part.rsplit_once('.').is_some_and(|(_, end)| end == "lock");
            !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !locked
        };
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let fits = begins && text.len() <= Self::LONGEST && !text.contains("..");
        if fits && text.bytes().all(known) && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(OriginError::Tag)
        }
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for GitOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "git+{}", self.url)?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(formatter, "#{tag}"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => formatter.write_str("embedded"),
            Self::Path(path) => write!(formatter, "file:{path}"),
            Self::Git(git) => git.fmt(formatter),
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if let Some(address) = text.strip_prefix("git+") {
            return git(address).map(Self::Git);
        }
        let path = match text.strip_prefix("file:") {
            Some(path) if !path.starts_with("//") => path,
            _ => text,
        };
        if let Some((scheme, rest)) = path.split_once("://") {
            // What a clone button gives.
            return match scheme {
                "https" | "ssh" | "file" => git(&format!("{scheme}://{rest}")).map(Self::Git),
                _ => Err(OriginError::Scheme(scheme.to_owned())),
            };
        }
        if let Some((host, path)) = path.split_once(':')
            && host.contains('@')
            && !host.contains('/')
        {
            return Err(OriginError::Scp(format!("{host}/{path}")));
        }
        if path.is_empty() {
            return Err(OriginError::Empty);
        }
        if path.contains(char::is_control) {
            return Err(OriginError::Control);
        }
        Ok(Self::Path(path.to_owned()))
    }
}

fn git(address: &str) -> Result<GitOrigin, OriginError> {
    let (url, tag) = match address.split_once('#') {
        Some((url, tag)) => (url, Some(tag.parse()?)),
        None => (address, None),
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(match url.split_once(':') {
            Some((host, path)) if host.contains('@') => OriginError::Scp(format!("{host}/{path}")),
            _ => OriginError::Host,
        });
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    match scheme {
        "https" if user.is_some() => return Err(OriginError::Password),
        "ssh" if user.is_some_and(|user| user.contains(':')) => return Err(OriginError::Password),
        "ssh" if user.is_some_and(|user| user.starts_with('-')) => return Err(OriginError::Host),
        "https" | "ssh" if host.is_empty() || host.starts_with('-') => return Err(OriginError::Host),
        "file" if !authority.is_empty() => return Err(OriginError::Host),
        "https" | "ssh" | "file" => {}
        _ => return Err(OriginError::Scheme(format!("git+{scheme}"))),
    }
    // A path that begins with "-" would be an option of the program at the other end.
    if path.is_empty() || path.starts_with('-') || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(OriginError::Host);
    }
    Ok(GitOrigin { url: url.to_owned(), tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> OriginError {
        text.parse::<Origin>().unwrap_err()
    }

    #[test]
    fn origins_parse_what_they_print() {
        for text in [
            "embedded",
            "file:checklists/a.toml",
            "file:/home/me/team lists",
            "git+https://example.org/team.git#v1.2.0",
            "git+https://example.org:8443/team",
            "git+ssh://git@example.org/team/lists.git#release/2026+1",
            "git+file:///srv/team.git#v1",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        assert_eq!("../team".parse::<Origin>().unwrap().to_string(), "file:../team");
        let cloned = "https://example.org/team.git#v1".parse::<Origin>().unwrap();
        assert_eq!(cloned.to_string(), "git+https://example.org/team.git#v1");
    }

    #[test]
    fn what_is_no_origin_or_would_be_an_option_is_refused() {
        assert_eq!(error(""), OriginError::Empty);
        assert_eq!(error("file:"), OriginError::Empty);
        assert_eq!(error("a\u{1b}"), OriginError::Control);
        assert_eq!(
            error("git@example.org:team.git"),
            OriginError::Scp("git@example.org/team.git".to_owned())
        );
        assert_eq!(error("git+git@example.org:team"), OriginError::Scp("git@example.org/team".to_owned()));
        for scheme in ["http", "git", "ext", "ftp"] {
            assert_eq!(
                error(&format!("git+{scheme}://example.org/x")),
                OriginError::Scheme(format!("git+{scheme}"))
            );
        }
        assert_eq!(error("git+https://me:secret@example.org/x"), OriginError::Password);
        assert_eq!(error("git+ssh://me:secret@example.org/x"), OriginError::Password);
        for text in [
            "ssh://-oProxyCommand=x/y",
            "ssh://-x@h/y",
            "ssh://h/-x",
            "https:///x",
            "file://h/x",
            "https://h/a b",
        ] {
            assert_eq!(error(&format!("git+{text}")), OriginError::Host, "{text}");
        }
        for tag in ["", "-x", "a b", "a..b", "a/.b", "a.lock", "x/", "refs:heads", "a~1", "@{u}"] {
            assert_eq!(error(&format!("git+https://h/x#{tag}")), OriginError::Tag, "{tag}");
        }
    }

    #[test]
    fn releases_are_versions_with_or_without_a_letter() {
        let release =
            |text: &str| text.parse::<TagName>().unwrap().release().map(|version| version.to_string());
        assert_eq!(release("v1.2.0").as_deref(), Some("1.2.0"));
        assert_eq!(release("1.2.0").as_deref(), Some("1.2.0"));
        assert_eq!((release("v1.2.0-rc.1"), release("latest"), release("v1")), (None, None, None));
    }
}
