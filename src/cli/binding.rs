//! What to paste into `mustdo.toml` so that checks can run.

use std::collections::BTreeMap;

use crate::model::{ItemId, TargetKind, TargetName};
use crate::report;
use crate::verify::{LeftOut, Why};

/// The lines that bind what these checks lack, to be filled in by the learner: each table once, whoever lacks it, targets
/// first. None where lines would not help.
#[must_use]
pub fn lines<'a>(left: impl IntoIterator<Item = &'a LeftOut>) -> Vec<String> {
    let mut targets: BTreeMap<&TargetName, Vec<TargetKind>> = BTreeMap::new();
    let mut items: BTreeMap<&ItemId, Lacks<'_>> = BTreeMap::new();
    for left in left {
        let Why::NotBound { targets: unbound, params } = &left.why else { continue };
        for unbound in unbound {
            let name = unbound.bound.as_ref().unwrap_or(&unbound.asked);
            let kinds = targets.entry(name).or_insert_with(|| unbound.kinds.to_vec());
            // One target is for all of them; where nothing is, the first has its way and the next is told of it.
            if kinds.iter().any(|kind| unbound.kinds.contains(kind)) {
                kinds.retain(|kind| unbound.kinds.contains(kind));
            }
            if unbound.bound.is_none() {
                items.entry(&left.item).or_default().targets.push(name);
            }
        }
        if !params.is_empty() {
            items.entry(&left.item).or_default().params.extend(params.iter().map(String::as_str));
        }
    }
    let mut lines = vec![];
    for (name, kinds) in targets {
        lines.extend(report::binding(name, &kinds));
    }
    for (item, lacks) in items {
        lines.extend(lacks.lines(item));
    }
    lines
}

/// What an item has to say itself.
#[derive(Debug, Default)]
struct Lacks<'a> {
    targets: Vec<&'a TargetName>,
    params: Vec<&'a str>,
}

impl Lacks<'_> {
    fn lines(mut self, item: &ItemId) -> Vec<String> {
        self.targets.sort_unstable();
        self.targets.dedup();
        self.params.sort_unstable();
        self.params.dedup();
        let mut lines = vec![];
        if !self.targets.is_empty() {
            let names: Vec<_> = self.targets.iter().map(|name| format!("{name} = \"{name}\"")).collect();
            lines.push(format!("[item.\"{item}\"]"));
            lines.push(format!("target = {{ {} }}", names.join(", ")));
        }
        if !self.params.is_empty() {
            lines.push(format!("[item.\"{item}\".with]"));
            lines.extend(self.params.iter().map(|name| format!("{name} = …")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Unbound;

    #[test]
    fn each_table_is_there_once_however_many_checks_lack_it() {
        let left = |bound: Option<&str>, kinds: &'static [TargetKind], params: &[&str]| LeftOut {
            item: "shop.orders".parse().unwrap(),
            check: None,
            why: Why::NotBound {
                targets: vec![Unbound {
                    asked: "api".parse().unwrap(),
                    bound: bound.map(|name| name.parse().unwrap()),
                    kinds,
                }],
                params: params.iter().map(|&name| name.to_owned()).collect(),
            },
        };
        let named = left(Some("web"), &[TargetKind::Tcp, TargetKind::Http], &["path"]);
        let again = left(Some("web"), &[TargetKind::Http], &["limit", "path"]);
        let unnamed = left(None, &[TargetKind::Dir], &[]);
        let other = LeftOut { why: Why::NoCheck, ..unnamed.clone() };
        assert_eq!(
            lines([&named, &again, &unnamed, &unnamed, &other]),
            [
                "[targets.api]",
                "kind = \"dir\"",
                "path = \".\"",
                "[targets.web]",
                "kind = \"http\"",
                "url = \"http://127.0.0.1:8000\"",
                "[item.\"shop.orders\"]",
                "target = { api = \"api\" }",
                "[item.\"shop.orders\".with]",
                "limit = …",
                "path = …",
            ]
        );
        assert!(lines([&other]).is_empty());
    }
}
