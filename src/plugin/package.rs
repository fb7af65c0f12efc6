//! The component that is shipped, of what a toolchain made.

use thiserror::Error;
use wit_component::ComponentEncoder;

use super::component::{CORE, MAGIC, leb128};

/// Why there is no component.
#[derive(Debug, Error)]
pub enum PackageError {
    /// Neither a module nor a component.
    #[error("is not WebAssembly, or is cut short")]
    NotWasm,
    /// A core module that does not become a component of the contract.
    #[error("does not become a component: {0}")]
    Encode(String),
}

/// Sections of a component that are a whole module or component themselves (component model, `Binary.md`).
const NESTED: [u8; 2] = [1, 4];

/// Makes a core module a component, and leaves out of every module in it what only people read: names, producers,
/// debugging information. What mustdo itself puts into a component, and hints for the compiler, stay.
pub fn package(bytes: &[u8]) -> Result<Vec<u8>, PackageError> {
    let encoded;
    let component = if bytes.strip_prefix(MAGIC).is_some_and(|rest| rest.starts_with(CORE)) {
        encoded = ComponentEncoder::default()
            .validate(true)
            .module(bytes)
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| PackageError::Encode(format!("{error:#}")))?;
        &encoded
    } else {
        bytes
    };
    let mut stripped = Vec::with_capacity(component.len());
    strip(component, &mut stripped).ok_or(PackageError::NotWasm)?;
    Ok(stripped)
}

fn strip(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (header, mut rest) = bytes.split_at_checked(8)?;
    let sections = header.strip_prefix(MAGIC)?;
    let nested: &[u8] = if sections == CORE { &[] } else { &NESTED };
    out.extend(header);
    while let Some((&id, after)) = rest.split_first() {
        let (size, after) = leb128(after)?;
        let (section, following) = after.split_at_checked(size)?;
        rest = following;
        if nested.contains(&id) {
            let mut inner = Vec::with_capacity(section.len());
            strip(section, &mut inner)?;
            put(id, &inner, out)?;
        } else if id != 0 || is_kept(section)? {
            put(id, section, out)?;
        }
    }
    Some(())
}

/// Whether a custom section says something to a program.
fn is_kept(section: &[u8]) -> Option<bool> {
    let (length, section) = leb128(section)?;
    let name = section.get(..length)?;
    Some(name.starts_with(b"mustdo:") || name.starts_with(b"metadata.code."))
}

/// Writes one section.
pub(super) fn put(id: u8, section: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.push(id);
    let mut size = u32::try_from(section.len()).ok()?;
    // Unsigned LEB128 (core specification, 5.2.2), least significant bits first.
    while size >= 0x80 {
        out.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    out.push((size & 0x7f) as u8);
    out.extend(section);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plugin::component::custom_section;

    #[test]
    fn names_go_and_marks_stay_at_every_depth() {
        let text = r#"(component $outer
            (core module $inner
                (@custom "producers" "who") (@custom "mustdo:sources" "abc") (@custom "metadata.code.branch_hint" "")
                (func $named (export "f")))
            (component (core module (@custom ".debug_info" "long") (func $deep))))"#;
        let named = wat::parse_str(text).unwrap();
        let stripped = package(&named).unwrap();
        let holds =
            |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        for (word, kept) in
            [("producers", false), ("named", false), (".debug_info", false), ("mustdo:sources", true)]
        {
            assert!(holds(&named, word), "{word}");
            assert_eq!(holds(&stripped, word), kept, "{word}");
        }
        assert!(holds(&stripped, "metadata.code.branch_hint"));
        let engine = crate::plugin::engine::start(crate::plugin::Backend::Cranelift).unwrap();
        wasmtime::component::Component::from_binary(&engine, &stripped).unwrap();
        assert_eq!(package(&stripped).unwrap(), stripped);
    }

    #[test]
    fn mark_of_the_sources_survives() {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        put(0, b"\x0emustdo:sourcesabc", &mut bytes).unwrap();
        put(0, b"\x04name123", &mut bytes).unwrap();
        let stripped = package(&bytes).unwrap();
        assert_eq!(custom_section(&stripped, "mustdo:sources"), Some(&b"abc"[..]));
        assert_eq!(custom_section(&stripped, "name"), None);
    }

    #[test]
    fn what_is_no_component_is_told() {
        assert!(matches!(package(b"hello"), Err(PackageError::NotWasm)));
        assert!(matches!(package(b"\0asm\x0d\0\x01\0\x01\xff"), Err(PackageError::NotWasm)));
        // A module without the contract becomes a component; that it is no plugin is told when it is loaded.
        let module = wat::parse_str("(module (import \"env\" \"f\" (func)))").unwrap();
        assert!(matches!(package(&module), Err(PackageError::Encode(_))));
    }

    proptest! {
        #[test]
        fn lengths_are_written_as_they_are_read(length in 0_usize..40_000) {
            let mut bytes = vec![];
            put(3, &vec![7; length], &mut bytes).unwrap();
            let (size, rest) = leb128(&bytes[1..]).unwrap();
            prop_assert_eq!((size, rest.len()), (length, length));
        }
    }
}
