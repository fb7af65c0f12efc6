//! What the learner's worker has done, looked at another way than by asking the worker: a file that it writes, or a page
//! that another service shows.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::{Context, Failure, Fault, Text};

/// The http target that shows effects.
pub(crate) const WEB: &str = "web";

/// Bytes of a page that are read.
const PAGE_BYTES: u32 = 8 << 20;

/// Where effects are seen.
pub(crate) enum Effects<'run, 'host> {
    /// A file in the folder where the worker runs.
    File(&'run Workspace<'host>, String),
    /// A page of the target `web`.
    Page(Client, String),
}

/// How often each word occurs; ids are words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeMap<String, u32>);

impl Seen {
    /// Counts the words of a text that are made of letters and digits.
    pub(crate) fn of(text: &str) -> Self {
        let mut seen = BTreeMap::new();
        for word in text.split(|sign: char| !sign.is_ascii_alphanumeric()) {
            if !word.is_empty() {
                *seen.entry(word.to_owned()).or_default() += 1;
            }
        }
        Self(seen)
    }

    pub(crate) fn times(&self, id: &str) -> u32 {
        self.0.get(id).copied().unwrap_or_default()
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.times(id) > 0
    }
}

impl<'run, 'host> Effects<'run, 'host> {
    /// By where they are: a path that begins with a slash is a page, any other a file.
    pub(crate) fn open(
        context: &Context<'host>,
        folder: &'run Workspace<'host>,
        place: &str,
    ) -> Result<Self, Fault> {
        if !place.starts_with('/') {
            return Ok(Self::File(folder, place.to_owned()));
        }
        let client = context.http(WEB, &Options { keep_alive: true, ..Options::default() })?;
        Ok(Self::Page(client, place.to_owned()))
    }

    /// What is there now. A file that does not exist yet is empty.
    pub(crate) fn look(&self) -> Result<Seen, Fault> {
        match self {
            Self::File(folder, path) => match folder.read(path) {
                Ok(bytes) => Ok(Seen::of(&String::from_utf8_lossy(&bytes))),
                Err(Failure::Unreachable(_) | Failure::Other(_)) => Ok(Seen::default()),
                Err(failure) => Err(failure.into()),
            },
            Self::Page(client, path) => {
                let mut request = Request::get(path.clone()).timeout(Duration::from_secs(5));
                request.keep_bytes = PAGE_BYTES;
                let response = client.send(&request)?;
                if response.is_success() && !response.truncated {
                    return Ok(Seen::of(&response.text()));
                }
                let status = response.status;
                Err(Fault::inconclusive(Text::new(
                    format!("GET {path} of the target `{WEB}` must show the effects, and answered {status}"),
                    format!("目标 `{WEB}` 的 GET {path} 应该列出效果，却返回 {status}"),
                )))
            }
        }
    }

    /// Where they are looked for, in words.
    pub(crate) fn place(&self) -> Text {
        match self {
            Self::File(_, path) => Text::new(
                format!("the file {path} in the folder where your worker runs"),
                format!("worker 运行目录里的文件 {path}"),
            ),
            Self::Page(_, path) => {
                Text::new(format!("GET {path} of the target `{WEB}`"), format!("目标 `{WEB}` 的 GET {path}"))
            }
        }
    }
}

/// Where something can be put in the way of effects: a file's place.
pub(crate) struct Place<'run, 'host> {
    folder: &'run Workspace<'host>,
    path: String,
}

/// What is in the way: a folder in the place of the file, which nobody can write.
pub(crate) struct Obstacle<'run, 'host> {
    place: Place<'run, 'host>,
    content: Vec<u8>,
}

impl<'run, 'host> Place<'run, 'host> {
    /// Where the file of effects is; none where they are no file.
    pub(crate) fn of(effects: &Effects<'run, 'host>) -> Option<Self> {
        match effects {
            Effects::File(folder, path) => Some(Self { folder, path: path.clone() }),
            Effects::Page(..) => None,
        }
    }

    /// Another file with the same content: who still has the first one open writes where nobody looks.
    pub(crate) fn renew(&self) -> Result<(), Failure> {
        let content = self.folder.read(&self.path)?;
        self.folder.remove(&self.path)?;
        self.folder.write(&self.path, &content)
    }

    pub(crate) fn obstruct(self) -> Result<Obstacle<'run, 'host>, Failure> {
        let content = self.folder.read(&self.path)?;
        self.folder.remove(&self.path)?;
        self.folder.write(&format!("{}/in-the-way", self.path), b"")?;
        Ok(Obstacle { place: self, content })
    }
}

impl Obstacle<'_, '_> {
    /// Puts the file back as it was. Nobody may write meanwhile.
    pub(crate) fn clear(self) -> Result<(), Failure> {
        let Place { folder, path } = &self.place;
        folder.remove(path)?;
        folder.write(path, &self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_as_whole_words() {
        let seen = Seen::of("{\"done\": [\"ab1\", \"ab12\"]}\nab1 done\n");
        assert_eq!((seen.times("ab1"), seen.times("ab12"), seen.times("ab")), (2, 1, 0));
        assert!(seen.has("ab1") && !seen.has("b1"));
    }
}
