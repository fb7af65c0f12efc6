//! What a plugin is, as `add` and `info` show it.

use crate::cli::plugins::Opened;
use crate::model::{Language, PluginInfo};
use crate::report::paragraph;

/// Its name and title, its digest, contract and proof, and `more` rows.
pub(super) fn head(
    opened: &Opened,
    language: Language,
    width: Option<u16>,
    more: &[(&str, String)],
) -> String {
    const OWN: &str = "mustdo:verifier/";
    let Opened { info, digest, contract, sources, imports, proof } = opened;
    let own = imports.iter().filter_map(|import| import.strip_prefix(OWN)?.split('@').next());
    let others: Vec<_> = imports.iter().filter(|import| !import.starts_with(OWN)).cloned().collect();
    let mut text = format!("{} {}: {}\n\n", info.id, info.version, info.title.get(language));
    let rows = [
        ("digest", digest.to_string()),
        ("contract", format!("mustdo:verifier@{contract}")),
        ("proof", proof.to_string()),
        ("imports", own.collect::<Vec<_>>().join(", ")),
        // WASI: linked, so that any toolchain will do, with nothing behind it.
        ("and empty", others.join(", ")),
        ("sources", sources.clone().unwrap_or_default()),
        ("license", info.license.clone()),
        ("homepage", info.homepage.clone()),
    ];
    for (name, value) in rows.iter().chain(more).filter(|(_, value)| !value.is_empty()) {
        text.push_str(&paragraph(&format!("  {name}"), value, 12, width));
    }
    text
}

/// What it asks for, all checks together.
pub(super) fn requests(info: &PluginInfo, language: Language, width: Option<u16>) -> String {
    let requests = info.requests();
    if requests.is_empty() {
        return "  asks for nothing\n".to_owned();
    }
    let mut text = "  asks for\n".to_owned();
    for request in requests.values() {
        let must = if request.required { "" } else { " (if you like)" };
        let words = format!("{}{must}: {}", request.capability, request.reason.get(language));
        text.push_str(&paragraph("", &words, 4, width));
    }
    text
}
