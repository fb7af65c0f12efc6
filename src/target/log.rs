//! What a started program prints.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::TargetError;
use crate::model::{Mask, TargetName};

/// How many lines are worth showing of a program that failed.
const LINES: usize = 20;

/// How many bytes are read to find them. A line that began before is left out: it would begin in the middle of a word,
/// which may be a secret.
const BYTES: u64 = 16 << 10;

/// A file that standard output and standard error go to directly: nothing is lost when either side is killed.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: Option<PathBuf>,
    /// Taken out of what is shown of it.
    mask: Mask,
}

impl Log {
    /// `folder`/`name`.log, emptied; or a file without a name, gone with the program, where there is no folder.
    pub(super) fn new(folder: Option<&Path>, name: &TargetName) -> Result<Self, TargetError> {
        let Some(folder) = folder else {
            let path = std::env::temp_dir();
            let file = tempfile::tempfile().map_err(|source| TargetError::Log { path, source })?;
            return Ok(Self { file, path: None, mask: Mask::default() });
        };
        let path = folder.join(format!("{name}.log"));
        let opened = std::fs::create_dir_all(folder).and_then(|()| {
            let file = OpenOptions::new().append(true).read(true).create(true).open(&path)?;
            file.set_len(0)?;
            Ok(file)
        });
        match opened {
            Ok(file) => Ok(Self { file, path: Some(path), mask: Mask::default() }),
            Err(source) => Err(TargetError::Log { path, source }),
        }
    }

    /// The same, with the secrets of `mask` taken out of what is shown of it. The file itself is the program's own.
    pub(super) fn masked(self, mask: &Mask) -> Self {
        Self { mask: mask.clone(), ..self }
    }

    /// Where it is, where it has a name.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// A handle for the program to write to.
    pub(super) fn stream(&self) -> Result<OwnedFd, TargetError> {
        self.file.try_clone().map(OwnedFd::from).map_err(|source| TargetError::Log {
            path: self.path.clone().unwrap_or_else(std::env::temp_dir),
            source,
        })
    }

    /// The last lines, oldest first, free of control characters and secrets. Best effort: what can not be read is left out.
    pub(super) fn tail(&self) -> Vec<String> {
        let Ok(bytes) = self.last_bytes() else { return vec![] };
        let text = String::from_utf8_lossy(&bytes);
        let text = self.mask.text(&anstream::adapter::strip_str(&text).to_string());
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let clean = |line: &&str| line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        lines[lines.len().saturating_sub(LINES)..].iter().map(clean).collect()
    }

    fn last_bytes(&self) -> io::Result<Vec<u8>> {
        let size = self.file.metadata()?.len();
        let count = size.min(BYTES);
        let mut bytes = vec![0; usize::try_from(count).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, size - count)?;
        if size > count {
            let whole = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
            bytes.drain(..whole);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn log(text: &str) -> Log {
        let log = Log::new(None, &"web".parse().unwrap()).unwrap();
        (&log.file).write_all(text.as_bytes()).unwrap();
        log
    }

    #[test]
    fn tail_is_the_last_twenty_lines() {
        let text: Vec<String> = (0..5000).map(|number| format!("line {number}\n")).collect();
        let tail = log(&text.join("\n")).tail();
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "line 4980", "line 4999"));
        assert_eq!(log("").tail(), [""; 0]);
        assert_eq!(log("one").tail(), ["one"]);
    }

    #[test]
    fn tail_carries_nothing_that_a_terminal_obeys() {
        assert_eq!(log("\x1b[31mred\x1b[0m \x07bell\r\nok\n").tail(), ["red bell", "ok"]);
    }

    #[test]
    fn tail_carries_no_secret() {
        let log = log(
            "connecting as shop:hunter22\nAuthorization: Basic c2hvcDpodW50ZXIyMg==\nGET /?p=hunter%32%32\n",
        );
        assert_eq!(
            log.masked(&Mask::new(["hunter22"])).tail(),
            ["connecting as shop:***", "Authorization: Basic c2hvcD***==", "GET /?p=***"]
        );
    }

    #[test]
    fn tail_does_not_begin_in_the_middle_of_a_secret() {
        let rest = "x".repeat(usize::try_from(BYTES).unwrap() - 4 - "\nthe end".len());
        let log = log(&format!("the password is hunter22{rest}\nthe end"));
        assert_eq!(log.masked(&Mask::new(["hunter22"])).tail(), ["the end"]);
    }

    #[test]
    fn a_named_log_begins_empty() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        for text in ["first", "second"] {
            let log = Log::new(Some(&logs), &"web".parse().unwrap()).unwrap();
            (&log.file).write_all(text.as_bytes()).unwrap();
            assert_eq!(log.tail(), [text]);
            assert_eq!(log.path(), Some(logs.join("web.log").as_path()));
        }
    }
}
