//! Where the parts of a file are written, beside the values that the model keeps without their places.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::TargetName;

/// Bytes of a file.
pub(super) type Bytes = Range<usize>;

/// Where a checklist is written; the lists run parallel to the checklist's.
#[derive(Debug, Clone)]
pub(super) struct ChecklistMarks {
    pub(super) id: Bytes,
    /// Its id where it has no version.
    pub(super) version: Bytes,
    pub(super) groups: Vec<GroupMarks>,
    pub(super) items: Vec<ItemMarks>,
}

#[derive(Debug, Clone)]
pub(super) struct GroupMarks {
    pub(super) id: Bytes,
    /// Its id where it has no parent.
    pub(super) parent: Bytes,
    pub(super) cards: Vec<Bytes>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ItemMarks {
    pub(super) id: Bytes,
    pub(super) group: Bytes,
    pub(super) formerly: Vec<Bytes>,
    pub(super) needs: Vec<Bytes>,
    pub(super) checks: Vec<CheckMarks>,
    pub(super) cards: Vec<Bytes>,
}

#[derive(Debug, Clone)]
pub(super) struct CheckMarks {
    pub(super) uses: Bytes,
    pub(super) target: TargetMarks,
    pub(super) with: ParameterMarks,
}

/// Where each entry of a `target` table is: the plugin's name and the workspace's.
pub(super) type TargetMarks = BTreeMap<TargetName, (Bytes, Bytes)>;

/// Where each entry of a `with` table is.
pub(super) type ParameterMarks = BTreeMap<String, ParameterMark>;

/// Where one parameter is, and what is in it.
#[derive(Debug, Clone)]
pub(super) struct ParameterMark {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) inside: Inside,
}

#[derive(Debug, Clone)]
pub(super) enum Inside {
    Nothing,
    List(Vec<ParameterMark>),
    Table(ParameterMarks),
}

/// Where `mustdo.toml` says what can be wrong only together with content and plugins.
#[derive(Debug, Clone, Default)]
pub(super) struct SettingsMarks {
    pub(super) bindings: BTreeMap<crate::model::ItemId, BindingMarks>,
    pub(super) grants: BTreeMap<crate::model::PluginId, GrantMarks>,
    /// The checklists that the policy asks something of.
    pub(super) policy: BTreeMap<crate::model::ChecklistId, Bytes>,
    /// Targets that are there but could not be read.
    pub(super) unread: std::collections::BTreeSet<TargetName>,
}

#[derive(Debug, Clone)]
pub(super) struct BindingMarks {
    pub(super) id: Bytes,
    pub(super) target: TargetMarks,
    pub(super) with: ParameterMarks,
}

#[derive(Debug, Clone)]
pub(super) struct GrantMarks {
    pub(super) plugin: Bytes,
    pub(super) allow: Vec<(crate::model::Capability, Bytes)>,
}
