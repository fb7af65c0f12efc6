//! What to paste into `mustdo.toml` so that a check can run.

use crate::model::{TargetKind, TargetName};
use crate::verify::{LeftOut, Why};

/// The lines that bind what a check lacks; none where lines would not help.
pub(crate) fn lines(left: &LeftOut) -> Vec<String> {
    let Why::NotBound { targets, params } = &left.why else { return vec![] };
    let mut lines = vec![];
    for unbound in targets {
        let name = unbound.bound.as_ref().unwrap_or(&unbound.asked);
        let kind = unbound.kinds.first().copied().unwrap_or(TargetKind::Http);
        lines.extend(target(name, kind));
        if unbound.bound.is_none() {
            lines.push(format!("[item.\"{}\"]", left.item));
            lines.push(format!("target = {{ {} = \"{name}\" }}", unbound.asked));
        }
    }
    if !params.is_empty() {
        lines.push(format!("[item.\"{}\".with]", left.item));
        lines.extend(params.iter().map(|name| format!("{name} = …")));
    }
    lines
}

/// The lines that bind a target of that kind: an example to change.
pub(crate) fn target(name: &TargetName, kind: TargetKind) -> Vec<String> {
    let place = match kind {
        TargetKind::Http => "url = \"http://127.0.0.1:8000\"",
        TargetKind::Tcp | TargetKind::Udp => "address = \"127.0.0.1:9000\"",
        TargetKind::Dir => "path = \".\"",
        TargetKind::Command => "program = \"./run\"",
    };
    vec![format!("[targets.{name}]"), format!("kind = \"{kind}\""), place.to_owned()]
}
