//! The policy and how it was judged.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ids;
use crate::model::{
    Ask, Base, Compared, Decline, Demand, Fallen, Figures, Judgement, Policy, Scope, Share, Violation, Worse,
};

#[derive(Serialize)]
pub(super) struct PolicyView<'a> {
    #[serde(flatten)]
    whole: DemandView,
    checklists: BTreeMap<&'a str, DemandView>,
    levels: BTreeMap<&'static str, FiguresView>,
    base: Option<&'a str>,
    inconclusive: &'static str,
    unproven: &'static str,
    flaky: &'static str,
}

#[derive(Serialize)]
struct DemandView {
    must: Option<&'static str>,
    #[serde(flatten)]
    figures: FiguresView,
}

#[derive(Serialize)]
struct FiguresView {
    readiness: Option<u32>,
    stale: Option<u32>,
    claimed: Option<u32>,
}

impl<'a> PolicyView<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        let Policy { whole, checklists, levels, base, inconclusive, unproven, flaky } = policy;
        let checklists = checklists.iter().map(|(id, demand)| (id.as_str(), DemandView::new(*demand)));
        let levels = levels.iter().map(|(level, figures)| (level.word(), FiguresView::new(*figures)));
        Self {
            whole: DemandView::new(*whole),
            checklists: checklists.collect(),
            levels: levels.collect(),
            base: base.as_deref(),
            inconclusive: inconclusive.word(),
            unproven: unproven.word(),
            flaky: flaky.word(),
        }
    }
}

impl DemandView {
    fn new(demand: Demand) -> Self {
        let Demand { must, figures } = demand;
        Self { must: must.map(Ask::word), figures: FiguresView::new(figures) }
    }
}

impl FiguresView {
    fn new(figures: Figures) -> Self {
        let Figures { readiness, stale, claimed } = figures;
        Self { readiness, stale, claimed }
    }
}

#[derive(Serialize)]
pub(super) struct JudgementView<'a> {
    holds: bool,
    soft: bool,
    violations: Vec<ViolationView<'a>>,
    undecided: Vec<&'a str>,
    not_judged: Vec<ScopeView<'a>>,
    compared: Option<ComparedView<'a>>,
}

impl<'a> JudgementView<'a> {
    pub(super) fn new(judgement: &'a Judgement, soft: bool) -> Self {
        let Judgement { violations, undecided, outside, compared } = judgement;
        Self {
            holds: judgement.holds(),
            soft,
            violations: violations.iter().map(ViolationView::new).collect(),
            undecided: ids(undecided),
            not_judged: outside.iter().map(ScopeView::new).collect(),
            compared: compared.as_ref().map(ComparedView::new),
        }
    }
}

/// Of what something is asked; neither for everything that was judged.
#[derive(Serialize)]
struct ScopeView<'a> {
    checklist: Option<&'a str>,
    level: Option<&'static str>,
}

impl<'a> ScopeView<'a> {
    fn new(scope: &'a Scope) -> Self {
        match scope {
            Scope::Whole => Self { checklist: None, level: None },
            Scope::Checklist(id) => Self { checklist: Some(id.as_str()), level: None },
            Scope::Level(level) => Self { checklist: None, level: Some(level.word()) },
        }
    }
}

#[derive(Serialize)]
struct BaseView<'a> {
    name: &'a str,
    commit: &'a str,
}

impl<'a> BaseView<'a> {
    fn new(base: &'a Base) -> Self {
        let Base { name, commit } = base;
        Self { name, commit }
    }
}

#[derive(Serialize)]
struct ComparedView<'a> {
    base: BaseView<'a>,
    removed: Vec<&'a str>,
    waived: Vec<&'a str>,
}

impl<'a> ComparedView<'a> {
    fn new(compared: &'a Compared) -> Self {
        let Compared { base, removed, waived } = compared;
        Self { base: BaseView::new(base), removed: ids(removed), waived: ids(waived) }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum ViolationView<'a> {
    Failing {
        items: Vec<&'a str>,
    },
    Must {
        #[serde(flatten)]
        scope: ScopeView<'a>,
        ask: &'static str,
        items: Vec<&'a str>,
    },
    Readiness {
        #[serde(flatten)]
        scope: ScopeView<'a>,
        at_least: u32,
        is: Option<u32>,
    },
    Stale {
        #[serde(flatten)]
        scope: ScopeView<'a>,
        at_most: u32,
        are: u32,
    },
    Claimed {
        #[serde(flatten)]
        scope: ScopeView<'a>,
        at_most: u32,
        are: u32,
    },
    Unproven {
        items: Vec<&'a str>,
    },
    Flaky {
        items: Vec<&'a str>,
    },
    Worse {
        base: BaseView<'a>,
        items: Vec<WorseView<'a>>,
    },
    Fallen {
        base: BaseView<'a>,
        checklist: &'a str,
        was: ShareView,
        is: ShareView,
    },
}

impl<'a> ViolationView<'a> {
    fn new(violation: &'a Violation) -> Self {
        match violation {
            Violation::Failing { items } => Self::Failing { items: ids(items) },
            Violation::Must { scope, ask, items } => {
                Self::Must { scope: ScopeView::new(scope), ask: ask.word(), items: ids(items) }
            }
            Violation::Readiness { scope, at_least, is } => {
                Self::Readiness { scope: ScopeView::new(scope), at_least: *at_least, is: *is }
            }
            Violation::Stale { scope, at_most, are } => {
                Self::Stale { scope: ScopeView::new(scope), at_most: *at_most, are: *are }
            }
            Violation::Claimed { scope, at_most, are } => {
                Self::Claimed { scope: ScopeView::new(scope), at_most: *at_most, are: *are }
            }
            Violation::Unproven { items } => Self::Unproven { items: ids(items) },
            Violation::Flaky { items } => Self::Flaky { items: ids(items) },
            Violation::Worse { base, items } => {
                Self::Worse { base: BaseView::new(base), items: items.iter().map(WorseView::new).collect() }
            }
            Violation::Fallen { base, fallen: Fallen { checklist, was, is } } => Self::Fallen {
                base: BaseView::new(base),
                checklist: checklist.as_str(),
                was: ShareView::new(*was),
                is: ShareView::new(*is),
            },
        }
    }
}

/// An item that was proven and is not.
#[derive(Serialize)]
struct WorseView<'a> {
    id: &'a str,
    formerly: Option<&'a str>,
    is: &'static str,
}

impl<'a> WorseView<'a> {
    fn new(worse: &'a Worse) -> Self {
        let Worse { item, formerly, is } = worse;
        let is = match is {
            Decline::Status(status) => status.word(),
            Decline::Flaky => "flaky",
        };
        Self { id: item.as_str(), formerly: formerly.as_ref().map(crate::model::ItemId::as_str), is }
    }
}

#[derive(Serialize)]
struct ShareView {
    proven_weight: u32,
    weight: u32,
    readiness: Option<u32>,
}

impl ShareView {
    fn new(share: Share) -> Self {
        let Share { proven, of } = share;
        Self { proven_weight: proven, weight: of, readiness: share.percent() }
    }
}
