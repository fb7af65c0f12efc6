//! What can be told of a plugin's bytes before they are compiled or run.

use semver::Version;
use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::CompileError;
use super::contract;
use super::limit::COMPONENT_BYTES;

/// Why bytes are not a plugin that can be run.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Larger than any plugin has a reason to be.
    #[error("has {} MiB; a plugin may have {} MiB", .bytes >> 20, COMPONENT_BYTES >> 20)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Native code, which nobody could check.
    #[error("is already compiled; a plugin is a WebAssembly component")]
    Precompiled,
    /// WebAssembly, but a module.
    #[error("is a core WebAssembly module; make a component of it: mustdo plugin build")]
    CoreModule,
    /// Something else.
    #[error("is not WebAssembly")]
    NotWasm,
    /// Not valid, or it needs what the host does not have.
    #[error("is not a valid component: {0}")]
    Invalid(String),
    /// Too much work for the compiler.
    #[error(transparent)]
    Compile(CompileError),
    /// A component of another kind.
    #[error("is not a mustdo plugin: it does not export \"mustdo:verifier/plugin\"")]
    NotAPlugin,
    /// Made for a contract that came later.
    #[error(
        "needs mustdo ≥ {built}: it was built for that version of the contract, and this mustdo speaks {}",
        contract::VERSION
    )]
    Newer {
        /// The version it exports.
        built: Version,
    },
    /// Made for a contract that is no longer spoken.
    #[error(
        "was built for contract {built}; this mustdo speaks {}.{}: rebuild the plugin",
        contract::VERSION.major,
        contract::VERSION.minor
    )]
    Older {
        /// The version it exports.
        built: Version,
    },
    /// The contract is the right one, but something it imports is not there.
    #[error("needs something that this mustdo does not offer: {0}")]
    Link(String),
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Invalid(why) => Self::Invalid(why),
            CompileError::Time { .. }
            | CompileError::Memory { .. }
            | CompileError::Broken(_)
            | CompileError::Remembered { .. } => Self::Compile(error),
        }
    }
}

/// The export that makes a component a plugin, without its version.
const EXPORT: &str = "mustdo:verifier/plugin@";

/// The first four bytes of WebAssembly, binary format (core specification, 5.5.16).
pub(super) const MAGIC: &[u8] = b"\0asm";

/// What follows the magic in a core module: version 1.
pub(super) const CORE: &[u8] = &[1, 0, 0, 0];

/// Refuses what must not reach the compiler.
pub(super) fn admit(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > COMPONENT_BYTES {
        return Err(LoadError::TooLarge { bytes: bytes.len() });
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(LoadError::Precompiled);
    }
    match bytes.strip_prefix(MAGIC) {
        None => Err(LoadError::NotWasm),
        Some(rest) if rest.starts_with(CORE) => Err(LoadError::CoreModule),
        Some(_) => Ok(()),
    }
}

/// The version of the contract that `component` was built for, if it is one that this host speaks.
pub(super) fn contract_version(engine: &Engine, component: &Component) -> Result<Version, LoadError> {
    let exports = component.component_type();
    let mut versions =
        exports.exports(engine).filter_map(|(name, _)| name.strip_prefix(EXPORT)?.parse::<Version>().ok());
    let built = versions.next().ok_or(LoadError::NotAPlugin)?;
    let ours = contract::VERSION;
    // Below 1.0 the minor version is the one that breaks (Cargo's reading of SemVer, and wasmtime's).
    let line = |version: &Version| (version.major, if version.major == 0 { version.minor } else { 0 });
    match line(&built).cmp(&line(&ours)) {
        std::cmp::Ordering::Equal if built.pre.is_empty() => Ok(built),
        std::cmp::Ordering::Greater => Err(LoadError::Newer { built }),
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => Err(LoadError::Older { built }),
    }
}

/// Why a component that was built for contract `built` does not link: it asks for what a later version of the same line
/// added, else for what no version has.
pub(super) fn unlinked(built: &Version, why: String) -> LoadError {
    if *built > contract::VERSION { LoadError::Newer { built: built.clone() } } else { LoadError::Link(why) }
}

/// One section at the top of a component.
pub(super) struct Section<'a> {
    /// With its id and its length.
    pub(super) whole: &'a [u8],
    /// Its name, where it is a custom one.
    pub(super) custom: Option<&'a [u8]>,
    /// What is in it, without its name.
    pub(super) contents: &'a [u8],
}

/// The sections at the top of a component (component model, binary format), in order; none where the bytes are not what
/// they seem, and then nothing more.
pub(super) fn sections(bytes: &[u8]) -> impl Iterator<Item = Option<Section<'_>>> {
    let mut rest = Some(bytes.get(8..).unwrap_or_default()).filter(|rest| !rest.is_empty());
    std::iter::from_fn(move || {
        let before = rest.take()?;
        let read = section(before);
        rest = read.as_ref().map(|section| &before[section.whole.len()..]).filter(|rest| !rest.is_empty());
        Some(read)
    })
}

fn section(bytes: &[u8]) -> Option<Section<'_>> {
    let (&id, after) = bytes.split_first()?;
    let (size, after) = leb128(after)?;
    let mut contents = after.get(..size)?;
    let whole = &bytes[..bytes.len() - after.len() + size];
    let mut custom = None;
    if id == 0 {
        let (length, named) = leb128(contents)?;
        custom = Some(named.get(..length)?);
        contents = &named[length..];
    }
    Some(Section { whole, custom, contents })
}

/// Contents of the first custom section `name` at the top of a component; none where there is no such section before the
/// bytes are not what they seem.
pub(super) fn custom_section<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut sections = sections(bytes).map_while(|section| section);
    sections.find(|section| section.custom == Some(name.as_bytes())).map(|section| section.contents)
}

/// An unsigned LEB128 number of at most 32 bits (core specification, 5.2.2), and what follows it.
pub(super) fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn only_components_reach_the_compiler() {
        assert!(admit(EMPTY).is_ok());
        assert!(matches!(admit(b"\0asm\x01\0\0\0"), Err(LoadError::CoreModule)));
        assert!(matches!(admit(b"(component)"), Err(LoadError::NotWasm)));
        assert!(matches!(admit(b""), Err(LoadError::NotWasm)));
        assert!(matches!(admit(&vec![0; COMPONENT_BYTES + 1]), Err(LoadError::TooLarge { .. })));
    }

    #[test]
    fn what_a_later_patch_added_says_which_mustdo_it_needs() {
        let later = unlinked(&Version::new(0, 1, 9), "no such function".to_owned());
        assert!(later.to_string().starts_with("needs mustdo ≥ 0.1.9"), "{later}");
        assert!(matches!(unlinked(&contract::VERSION, "no such function".to_owned()), LoadError::Link(_)));
    }

    #[test]
    fn native_code_is_refused() {
        let engine = crate::plugin::engine::start(crate::plugin::Backend::Cranelift).unwrap();
        let compiled = engine.precompile_component(EMPTY).unwrap();
        assert!(matches!(admit(&compiled), Err(LoadError::Precompiled)));
    }

    #[test]
    fn contract_is_read_from_the_export() {
        let engine = crate::plugin::engine::start(crate::plugin::Backend::Cranelift).unwrap();
        let version = |export: &str| {
            let text = format!("(component (instance $i) (export \"{export}\" (instance $i)))");
            let component = Component::from_binary(&engine, &wat::parse_str(text).unwrap()).unwrap();
            contract_version(&engine, &component).map_err(|error| error.to_string())
        };
        assert_eq!(version("mustdo:verifier/plugin@0.1.0"), Ok(Version::new(0, 1, 0)));
        assert_eq!(version("mustdo:verifier/plugin@0.1.7"), Ok(Version::new(0, 1, 7)));
        assert_eq!(
            version("mustdo:verifier/plugin@0.2.0").unwrap_err(),
            "needs mustdo ≥ 0.2.0: it was built for that version of the contract, and this mustdo speaks 0.1.0"
        );
        assert!(version("mustdo:verifier/plugin@1.0.0").unwrap_err().starts_with("needs mustdo ≥ 1.0.0"));
        assert!(version("mustdo:verifier/plugin@0.0.9").unwrap_err().contains("rebuild"));
        assert!(version("wasi:cli/run@0.2.0").unwrap_err().contains("is not a mustdo plugin"));
    }

    #[test]
    fn custom_sections_are_found_by_name() {
        let mut bytes = EMPTY.to_vec();
        bytes.extend([0, 4, 1, b'a', 1, 2]);
        bytes.extend([0, 5, 2, b'b', b'c', 3, 4]);
        assert_eq!(custom_section(&bytes, "a"), Some(&[1, 2][..]));
        assert_eq!(custom_section(&bytes, "bc"), Some(&[3, 4][..]));
        assert_eq!(custom_section(&bytes, "b"), None);
    }

    proptest! {
        #[test]
        fn broken_bytes_have_no_sections_and_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(section) = custom_section(&bytes, "") {
                prop_assert!(section.len() < bytes.len());
            }
        }
    }
}
