//! The folder where a site keeps its rows and its logs, read byte by byte.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use mustdo_plugin::files::{Kind, Tree};
use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Failure, Fault, Text};

use super::hash::{BEGINNINGS, Hash, LONGEST};
use super::trace::{Form, Trace};

/// Bytes of all files together that are read: more is not where a learner's site keeps its users, or it is a whole disk.
const MOST: u64 = 64 << 20;

/// Files that are read.
const FILES: u32 = 10_000;

/// Bytes before and behind a name that belong to its row, as far as one can know.
const ROW: usize = 400;

/// The longest thing that is looked for; what a piece of a file ends with is looked at again with the next.
const OVERLAP: usize = LONGEST + 2 * ROW;

/// What was found.
#[derive(Default)]
pub(super) struct Contents {
    /// Hashes of passwords, whoever they belong to.
    pub(super) hashes: BTreeSet<Hash>,
    /// Where a password can be read.
    pub(super) readable: BTreeSet<(Form, String)>,
    /// For each name that was looked for, the words around it, whoever they belong to.
    pub(super) around: BTreeMap<String, BTreeSet<String>>,
    /// For each name the words behind it and before the next name that was looked for.
    pub(super) own: BTreeMap<String, BTreeSet<String>>,
    /// Files that were read.
    pub(super) files: u32,
}

/// Reads everything.
pub(super) fn read(tree: &Tree, traces: &[Trace], names: &[&str]) -> Result<Contents, Fault> {
    let entries = tree.walk("**", true, FILES).map_err(unreadable)?;
    let files: Vec<_> = entries.into_iter().filter(|entry| entry.kind == Kind::File).collect();
    let size: u64 = files.iter().map(|file| file.size).sum();
    if size > MOST {
        return Err(too_much(size));
    }
    let patterns: Vec<&[u8]> = BEGINNINGS
        .iter()
        .map(|text| text.as_bytes())
        .chain(names.iter().map(|name| name.as_bytes()))
        .chain(traces.iter().map(|trace| trace.bytes.as_slice()))
        .collect();
    let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns);
    let search = search.map_err(|error| unreadable(Failure::Other(error.to_string())))?;
    let mut contents = Contents::default();
    for file in files {
        let mut window: Vec<u8> = Vec::new();
        let read = tree.read(&file.path, |piece| {
            let kept = window.len().saturating_sub(OVERLAP);
            window.drain(..kept);
            window.extend_from_slice(piece);
            contents.look(&search, &window, &file.path, traces, names);
            true
        });
        match read {
            Ok(()) => contents.files += 1,
            // A journal of a database comes and goes.
            Err(Failure::Unreachable(_)) => {}
            Err(failure) => return Err(unreadable(failure)),
        }
    }
    Ok(contents)
}

impl Contents {
    fn look(&mut self, search: &AhoCorasick, window: &[u8], path: &str, traces: &[Trace], names: &[&str]) {
        let mut rows = Vec::new();
        for found in search.find_overlapping_iter(window) {
            let pattern = found.pattern().as_usize();
            if pattern < BEGINNINGS.len() {
                let end = window.len().min(found.start() + LONGEST);
                self.hashes.extend(Hash::read(&ascii(&window[found.start()..end])));
            } else if let Some(name) = names.get(pattern - BEGINNINGS.len()) {
                rows.push((found.range(), *name));
            } else if let Some(trace) = traces.get(pattern - BEGINNINGS.len() - names.len()) {
                self.readable.insert((trace.form, path.to_owned()));
            }
        }
        rows.sort_unstable_by_key(|(range, _)| range.start);
        for (place, (range, name)) in rows.iter().enumerate() {
            let before = &window[range.start.saturating_sub(ROW)..range.start];
            let end = window.len().min(range.end + ROW);
            let around = self.around.entry((*name).to_owned()).or_default();
            around.extend([before, &window[range.end..end]].into_iter().flat_map(words_of));
            let next = rows.get(place + 1).map_or(end, |(next, _)| next.start.min(end));
            let own = self.own.entry((*name).to_owned()).or_default();
            own.extend(words_of(&window[range.end..next.max(range.end)]));
        }
    }
}

/// The beginning of some bytes as far as they are printed ASCII.
fn ascii(bytes: &[u8]) -> String {
    bytes.iter().take_while(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)).collect()
}

/// The words of some bytes: whatever may be part of a salt or a digest as text; and, since a digest often has the next
/// column right behind it, its usual lengths in hex.
fn words_of(bytes: &[u8]) -> Vec<String> {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_.$,-".contains(byte);
    let mut words: Vec<String> = Vec::new();
    for word in bytes.split(|byte| !belongs(byte)).filter(|word| !word.is_empty()) {
        // Both what a sign such as `$` parts and what it holds together.
        let parts = word.split(|byte| b"$,".contains(byte)).filter(|part| part.len() < word.len());
        words.extend(parts.map(|part| String::from_utf8_lossy(part).into_owned()));
        let word = String::from_utf8_lossy(word).into_owned();
        for length in [32, 40, 64, 96, 128] {
            if word.len() > length {
                let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
                words.extend(
                    [&word[..length], &word[word.len() - length..]]
                        .into_iter()
                        .filter(|part| is_hex(part))
                        .map(str::to_owned),
                );
            }
        }
        words.push(word);
    }
    words
}

fn unreadable(failure: Failure) -> Fault {
    let summary = Text::new("the folder of the site's rows could not be read", "存放网站数据的目录读不了");
    Fault::from(failure).headed(summary)
}

fn too_much(size: u64) -> Fault {
    let (size, most) = (size >> 20, MOST >> 20);
    let summary = Text::new(
        format!("the folder has {size} MiB, and {most} MiB are looked at"),
        format!("目录有 {size} MiB，最多只看 {most} MiB"),
    );
    let message = Text::new(
        "a part that is not read may hold what was looked for",
        "没读到的部分里可能正好有要找的东西",
    );
    let hint = Text::new(
        "bind the folder that has nothing but the database and the logs, with few rows in it",
        "请绑定只放数据库和日志的目录，数据少一些",
    );
    Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.store-too-large", message)
            .at(Location::Note(super::STORE.to_owned()))
            .hint(hint),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mustdo_plugin::native::NativeHost;

    use super::*;
    use crate::password_storage::trace;

    const HASH: &str = "$2b$04$twbClWAOddYtoBUO3Q214erOOVnxUlTr/qFsriKQ.f7jM7k5Jb1GO";

    fn contents(file: &[u8]) -> Contents {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), file).unwrap();
        let host = NativeHost::new().folder("store", folder.path());
        let tree = host.context(1).folder("store").unwrap();
        read(&tree, &trace::of("k3zp9w1mq0c2ab-Q7"), &["alice"]).unwrap()
    }

    #[test]
    fn what_lies_across_two_pieces_is_found() {
        for place in [(1 << 20) - 90, (1 << 20) - 20, (1 << 20) - 1, 3 << 20] {
            let mut file = vec![0; place];
            file.extend_from_slice(format!("alice{HASH}k3zp9w1mq0c2ab-Q7").as_bytes());
            file.extend_from_slice(&[0; 2_000]);
            let contents = contents(&file);
            assert_eq!(contents.hashes.len(), 1, "{place}");
            assert_eq!(contents.readable.len(), 1, "{place}");
            assert!(contents.around["alice"].iter().any(|word| word.contains("twbClWAO")), "{place}");
        }
    }

    #[test]
    fn a_digest_is_a_word_though_a_column_follows() {
        let digest = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        let words = words_of(format!("\x05salt\x01{digest}2026-11-23").as_bytes());
        assert!(words.contains(&"salt".to_owned()) && words.contains(&digest.to_owned()), "{words:?}");
    }
}
