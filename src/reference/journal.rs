//! What a durable service keeps: an append-only file of records, each on the disk before its transaction is over.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

/// The file in the service's folder.
const NAME: &str = "journal";

/// Hexadecimal digits of the digest at the beginning of a record.
const DIGEST: usize = 64;

/// Records of `DIGEST CONTENT\n`, each the whole state: the last one that is whole counts. A record that a crash cut short
/// has no newline or not its digest, and is as if it had never been begun.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    last: Vec<u8>,
}

impl Journal {
    /// Opens the journal in `folder`, which is made when it is missing; the answer has the content of the last record.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Option<Vec<u8>>)> {
        fs::create_dir_all(folder)?;
        let path = folder.join(NAME);
        let mut text = Vec::new();
        match File::open(&path) {
            Ok(mut file) => drop(file.read_to_end(&mut text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let last = text.split_inclusive(|byte| *byte == b'\n').rev().find_map(content);
        let last = last.map(<[u8]>::to_vec);
        // Begun anew with what counts, so that it does not grow from start to start, and put in the place of the old
        // one at once: whoever is killed here finds one or the other.
        let fresh = folder.join("journal.new");
        let mut file = File::create(&fresh)?;
        if let Some(last) = &last {
            write(&mut file, last)?;
        }
        fs::rename(&fresh, &path)?;
        File::open(folder)?.sync_all()?;
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok((Self { file, last: last.clone().unwrap_or_default() }, last))
    }

    /// Adds a record, and returns when it is on the disk. What is there already is not written again.
    pub(super) fn append(&mut self, content: &[u8]) -> io::Result<()> {
        if content != self.last {
            write(&mut self.file, content)?;
            self.last = content.to_vec();
        }
        Ok(())
    }
}

fn write(file: &mut File, content: &[u8]) -> io::Result<()> {
    let record = [digest(content).as_bytes(), b" ", content, b"\n"].concat();
    file.write_all(&record)?;
    file.sync_data()
}

/// The content of a record that is whole.
fn content(record: &[u8]) -> Option<&[u8]> {
    let (promised, content) = record.strip_suffix(b"\n")?.split_at_checked(DIGEST)?;
    let content = content.strip_prefix(b" ")?;
    (promised == digest(content).as_bytes()).then_some(content)
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, kept) = Journal::open(folder.path()).unwrap();
        assert_eq!(kept, None);
        for content in [b"one", b"two", b"two"] {
            journal.append(content).unwrap();
        }
        assert_eq!(fs::metadata(folder.path().join(NAME)).unwrap().len(), 2 * 69);
        for _ in 0..2 {
            assert_eq!(Journal::open(folder.path()).unwrap().1.as_deref(), Some(&b"two"[..]));
        }
    }

    #[test]
    fn a_record_cut_short_anywhere_never_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut journal = Journal::open(folder.path()).unwrap().0;
        journal.append(b"first").unwrap();
        let whole = fs::metadata(&path).unwrap().len();
        journal.append(b"second").unwrap();
        let mut bytes = Vec::new();
        File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        for length in usize::try_from(whole).unwrap()..bytes.len() {
            File::create(&path).unwrap().write_all(&bytes[..length]).unwrap();
            let (mut journal, kept) = Journal::open(folder.path()).unwrap();
            assert_eq!(kept.as_deref(), Some(&b"first"[..]), "{length}");
            journal.append(b"third").unwrap();
            assert_eq!(Journal::open(folder.path()).unwrap().1.as_deref(), Some(&b"third"[..]));
        }
        // A record of the right length whose bytes were never written.
        bytes
            .iter_mut()
            .skip(usize::try_from(whole).unwrap() + DIGEST + 1)
            .take(3)
            .for_each(|byte| *byte = 0);
        File::create(&path).unwrap().write_all(&bytes).unwrap();
        assert_eq!(Journal::open(folder.path()).unwrap().1.as_deref(), Some(&b"first"[..]));
    }
}
