//! What to paste into `mustdo.toml` so that a check can run.

use crate::report;
use crate::verify::{LeftOut, Why};

/// The lines that bind what a check lacks; none where lines would not help.
pub(crate) fn lines(left: &LeftOut) -> Vec<String> {
    let Why::NotBound { targets, params } = &left.why else { return vec![] };
    let mut lines = vec![];
    for unbound in targets {
        let name = unbound.bound.as_ref().unwrap_or(&unbound.asked);
        lines.extend(report::binding(name, unbound.kinds.first().copied()));
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
