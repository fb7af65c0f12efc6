//! What a component carries to be proven with: its `cases.toml` and the recordings that this names, in a custom section
//! of its own.
//!
//! The section is raw DEFLATE (RFC 1951) of one JSON object: `format`, a number; `cases`, the text of `cases.toml`;
//! `recordings`, their texts by the path that it has for them. Nothing here looks into the texts.

use std::collections::BTreeMap;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::component::{MAGIC, custom_section, sections};
use super::limit::{BUNDLE_BYTES, BUNDLE_INFLATED_BYTES};
use super::package::put;

/// The custom section's name.
const SECTION: &str = "mustdo:cases";

/// The number of its form.
const FORMAT: u64 = 1;

/// How hard it is compressed, of 10: what more finds is not worth its time.
const LEVEL: u8 = 8;

/// Cases and their recordings, as texts that nobody has read yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// The text of `cases.toml`.
    pub cases: String,
    /// The texts of recordings, by the path that `cases` has for them.
    pub recordings: BTreeMap<String, String>,
}

/// Why there is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BundleError {
    /// More than may be carried.
    #[error("its cases take {bytes} bytes in the component; {BUNDLE_BYTES} may be carried")]
    TooLarge {
        /// How much it is, compressed.
        bytes: usize,
    },
    /// It becomes more than anybody has a reason to record.
    #[error("its cases have more than {} MiB", BUNDLE_INFLATED_BYTES >> 20)]
    Bomb,
    /// The section is not what mustdo writes.
    #[error("its cases can not be read: {0}")]
    Broken(&'static str),
    /// A newer mustdo wrote it.
    #[error("its cases have the format {0}; this mustdo reads {FORMAT}: update mustdo")]
    Format(u64),
    /// What they should be put into is no component.
    #[error("is not a component")]
    NotAComponent,
}

impl Bundle {
    /// What `component` carries; none where it carries nothing.
    pub fn of(component: &[u8]) -> Result<Option<Self>, BundleError> {
        custom_section(component, SECTION).map(Self::read).transpose()
    }

    /// `component` with this in it, instead of what it carried; with nothing where this is none.
    pub fn embed(bundle: Option<&Self>, component: &[u8]) -> Result<Vec<u8>, BundleError> {
        let header = component.get(..8).filter(|header| header.starts_with(MAGIC));
        let mut bytes = header.ok_or(BundleError::NotAComponent)?.to_vec();
        for section in sections(component) {
            let section = section.ok_or(BundleError::NotAComponent)?;
            if section.custom != Some(SECTION.as_bytes()) {
                bytes.extend(section.whole);
            }
        }
        if let Some(bundle) = bundle {
            let packed = bundle.write();
            // What a user's mustdo would refuse is told to the author.
            Self::read(&packed)?;
            let name = u8::try_from(SECTION.len()).map_err(|_| BundleError::NotAComponent)?;
            let section = [&[name], SECTION.as_bytes(), &packed].concat();
            put(0, &section, &mut bytes).ok_or(BundleError::TooLarge { bytes: packed.len() })?;
        }
        Ok(bytes)
    }

    fn write(&self) -> Vec<u8> {
        let Self { cases, recordings } = self;
        let whole = json!({ "format": FORMAT, "cases": cases, "recordings": recordings });
        compress_to_vec(whole.to_string().as_bytes(), LEVEL)
    }

    /// Reads the section.
    pub(super) fn read(packed: &[u8]) -> Result<Self, BundleError> {
        if packed.len() > BUNDLE_BYTES {
            return Err(BundleError::TooLarge { bytes: packed.len() });
        }
        let text = decompress_to_vec_with_limit(packed, BUNDLE_INFLATED_BYTES).map_err(|error| {
            if error.status == TINFLStatus::HasMoreOutput {
                BundleError::Bomb
            } else {
                BundleError::Broken("it is not compressed as it should be")
            }
        })?;
        let mut whole: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|_| BundleError::Broken("it is no JSON object"))?;
        match whole.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => return Err(BundleError::Format(newer)),
            Some(_) | None => return Err(BundleError::Broken("it has no format")),
        }
        let (Some(Value::String(cases)), Some(Value::Object(recordings))) =
            (whole.remove("cases"), whole.remove("recordings"))
        else {
            return Err(BundleError::Broken("\"cases\" or \"recordings\" is missing"));
        };
        let text = |(path, text)| match text {
            Value::String(text) => Ok((path, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(BundleError::Broken("a recording is no text"))
            }
        };
        Ok(Self { cases, recordings: recordings.into_iter().map(text).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn bundle() -> Bundle {
        let recordings = BTreeMap::from([("cases/a.jsonl".to_owned(), "line\n".repeat(1000))]);
        Bundle { cases: "format = 1\n".to_owned(), recordings }
    }

    #[test]
    fn what_is_put_into_a_component_comes_out_of_it() {
        let bundle = bundle();
        let with = Bundle::embed(Some(&bundle), EMPTY).unwrap();
        assert!(with.len() < 300, "{} bytes", with.len());
        assert_eq!(Bundle::of(&with), Ok(Some(bundle.clone())));
        let other = Bundle { recordings: BTreeMap::new(), ..bundle };
        let replaced = Bundle::embed(Some(&other), &with).unwrap();
        assert_eq!(Bundle::of(&replaced), Ok(Some(other)));
        assert_eq!(Bundle::embed(None, &replaced).unwrap(), EMPTY);
        assert_eq!(Bundle::of(EMPTY), Ok(None));
        assert_eq!(Bundle::embed(None, b"hello"), Err(BundleError::NotAComponent));
        assert_eq!(Bundle::embed(None, b"\0asm\x0d\0\x01\0\0\xff"), Err(BundleError::NotAComponent));
    }

    #[test]
    fn garbage_and_bombs_are_told_and_take_no_memory() {
        assert!(matches!(Bundle::read(b"garbage"), Err(BundleError::Broken(_))));
        let bomb = compress_to_vec(&vec![b' '; BUNDLE_INFLATED_BYTES + 1], LEVEL);
        assert!(bomb.len() < BUNDLE_BYTES);
        assert_eq!(Bundle::read(&bomb), Err(BundleError::Bomb));
        assert_eq!(
            Bundle::read(&vec![0; BUNDLE_BYTES + 1]),
            Err(BundleError::TooLarge { bytes: BUNDLE_BYTES + 1 })
        );
        for (text, error) in [
            ("[]", BundleError::Broken("it is no JSON object")),
            ("{}", BundleError::Broken("it has no format")),
            (r#"{"format":2}"#, BundleError::Format(2)),
            (r#"{"format":1,"cases":""}"#, BundleError::Broken("\"cases\" or \"recordings\" is missing")),
            (
                r#"{"format":1,"cases":"","recordings":{"a":1}}"#,
                BundleError::Broken("a recording is no text"),
            ),
        ] {
            assert_eq!(Bundle::read(&compress_to_vec(text.as_bytes(), LEVEL)), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Bundle::read(&bytes);
            let _ = Bundle::embed(None, &[EMPTY, &bytes].concat());
        }
    }
}
