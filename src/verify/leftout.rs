//! Checks that do not run, and why.

use std::fmt::{self, Display};

use crate::model::{Capability, CheckId, ItemId, TargetKind, TargetName};

/// A check, or an item without one, that a plan leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The item it would prove.
    pub item: ItemId,
    /// The question; none for [`Why::NoCheck`].
    pub check: Option<CheckId>,
    /// What stands in the way.
    pub why: Why,
}

/// What stands in the way of a check. Where several things do, the first of these variants that applies is told, so that
/// a learner is never asked to allow something for a check that could not run anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The item has no check. Told only of items named one by one.
    NoCheck,
    /// No plugin of that name is installed.
    UnknownPlugin,
    /// The plugin has no check of that name.
    UnknownCheck,
    /// The workspace does not say yet what the check is to be pointed at. Never both empty.
    NotBound {
        /// Targets that it needs, in the plugin's order.
        targets: Vec<Unbound>,
        /// Parameters that it needs.
        params: Vec<String>,
    },
    /// A target is bound to a thing of another kind.
    WrongKind {
        /// The workspace's name of it.
        target: TargetName,
        /// What it is.
        has: TargetKind,
        /// What would do; never empty.
        needs: &'static [TargetKind],
    },
    /// Parameters are there but wrong, a sentence for each; never empty.
    BadParams(Vec<String>),
    /// The user has not allowed what the check can not do without: the workspace's target names; never empty.
    NotGranted(Vec<Capability>),
}

/// A target that a check needs and the workspace does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbound {
    /// The plugin's name of it.
    pub asked: TargetName,
    /// The workspace's name that the item gives it; none where the item names none.
    pub bound: Option<TargetName>,
    /// What kinds would do, the likeliest first; never empty.
    pub kinds: &'static [TargetKind],
}

impl Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheck => formatter.write_str("has no check"),
            Self::UnknownPlugin => formatter.write_str("its plugin is not installed"),
            Self::UnknownCheck => formatter.write_str("its plugin has no such check"),
            Self::NotBound { targets, params } => {
                formatter.write_str("not bound: ")?;
                let params = params.iter().map(|name| format!("parameter \"{name}\""));
                list(formatter, targets.iter().map(ToString::to_string).chain(params))
            }
            Self::WrongKind { target, has, needs } => {
                write!(formatter, "target \"{target}\" is bound to {has}, but the check needs ")?;
                let needs: Vec<_> = needs.iter().map(ToString::to_string).collect();
                formatter.write_str(&needs.join(" or "))
            }
            Self::BadParams(problems) => {
                formatter.write_str("wrong parameters: ")?;
                list(formatter, problems)
            }
            Self::NotGranted(capabilities) => {
                formatter.write_str("not granted: ")?;
                list(formatter, capabilities)
            }
        }
    }
}

impl Display for Unbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "target \"{}\"", self.bound.as_ref().unwrap_or(&self.asked))
    }
}

fn list(formatter: &mut fmt::Formatter<'_>, parts: impl IntoIterator<Item = impl Display>) -> fmt::Result {
    for (position, part) in parts.into_iter().enumerate() {
        formatter.write_str(if position == 0 { "" } else { ", " })?;
        part.fmt(formatter)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_not_bound_is_named() {
        let targets = vec![
            Unbound {
                asked: "api".parse().unwrap(),
                bound: Some("web".parse().unwrap()),
                kinds: &[TargetKind::Http],
            },
            Unbound { asked: "src".parse().unwrap(), bound: None, kinds: &[TargetKind::Dir] },
        ];
        let why = Why::NotBound { targets, params: vec!["op".to_owned()] };
        assert_eq!(why.to_string(), "not bound: target \"web\", target \"src\", parameter \"op\"");
    }

    #[test]
    fn wrong_kind_says_what_would_do() {
        let why = Why::WrongKind {
            target: "src".parse().unwrap(),
            has: TargetKind::Dir,
            needs: &[TargetKind::Tcp, TargetKind::Http],
        };
        assert_eq!(why.to_string(), "target \"src\" is bound to dir, but the check needs tcp or http");
    }
}
