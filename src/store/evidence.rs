//! What passes were given under on this machine: one file for all of them, in the private folder.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::atomic::keep;
use super::workspace::read_at_most;
use super::{StoreError, TranscriptKey, Workspace, WriteLock};
use crate::model::Digest;

/// The file in the private folder: a line of JSON for each check.
const FILE: &str = "evidence.jsonl";

/// A line has some three hundred bytes; a file of more than this is none of mustdo's.
const LARGEST: usize = 16 << 20;

/// What one pass was given under, on the machine that saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Which record it is about.
    pub record: Digest,
    /// Everything that the verdict may depend on, as far as it can be compared.
    pub world: Digest,
}

impl Workspace {
    /// All that is known, by check. A line that can not be read counts for nothing.
    pub fn evidence(&self) -> Result<BTreeMap<TranscriptKey, Evidence>, StoreError> {
        let path = self.root().join(Self::PRIVATE).join(FILE);
        let bytes = match read_at_most(&path, LARGEST) {
            Err(StoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => vec![],
            other => other?,
        };
        if bytes.len() > LARGEST {
            return Ok(BTreeMap::new());
        }
        Ok(bytes.split(|byte| *byte == b'\n').filter_map(entry).collect())
    }

    /// Replaces all of it.
    pub fn keep_evidence(
        &self,
        _lock: &WriteLock,
        evidence: &BTreeMap<TranscriptKey, Evidence>,
    ) -> Result<(), StoreError> {
        let mut lines = String::new();
        for ((item, check), Evidence { record, world }) in evidence {
            let entry = json!({
                "item": item.to_string(),
                "check": check.to_string(),
                "record": record.to_string(),
                "world": world.to_string(),
            });
            lines.push_str(&format!("{entry}\n"));
        }
        keep(&self.private(FILE)?, lines.as_bytes())
    }
}

/// What a line says; none where mustdo did not write it.
fn entry(line: &[u8]) -> Option<(TranscriptKey, Evidence)> {
    let entry: Value = serde_json::from_slice(line).ok()?;
    let word = |name: &str| entry.get(name)?.as_str();
    let evidence = Evidence { record: word("record")?.parse().ok()?, world: word("world")?.parse().ok()? };
    Some(((word("item")?.parse().ok()?, word("check")?.parse().ok()?), evidence))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at what was written")]
mod tests {
    use super::*;

    #[test]
    fn evidence_comes_back_and_a_torn_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().to_owned());
        assert_eq!(workspace.evidence().unwrap(), BTreeMap::new());
        let lock = workspace.lock().unwrap();
        let key = |check: &str| ("a.b".parse().unwrap(), check.parse().unwrap());
        let evidence = Evidence { record: Digest::of(b"1"), world: Digest::of(b"2") };
        let known = [(key("p/one"), evidence), (key("p/two"), evidence)].into();
        workspace.keep_evidence(&lock, &known).unwrap();
        assert_eq!(workspace.evidence().unwrap(), known);
        let path = folder.path().join(".mustdo").join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert_eq!(workspace.evidence().unwrap().into_keys().collect::<Vec<_>>(), [key("p/one")]);
    }
}
