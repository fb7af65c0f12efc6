//! Reading `[policy]`, and holding it against the checklists that it names.

use super::mark::SettingsMarks;
use super::table::{Field, Table};
use super::{Code, Diagnostic, SettingsFile};
use crate::model::{
    Ask, Catalog, ChecklistId, Demand, Figures, Flaky, Level, Policy, Undecided, Unproven, nearest,
};

/// Reads `[policy]` with the tables of checklists and levels in it.
pub(super) fn policy(mut table: Table<'_>, marks: &mut SettingsMarks) -> Policy {
    let mut policy = Policy { whole: demand(&mut table), ..Policy::default() };
    policy.base = table.optional("base").and_then(|field| field.words()).map(str::to_owned);
    let checklists = table.optional("checklist").and_then(|field| field.table("the table of checklists"));
    for field in checklists.iter().flat_map(Table::entries) {
        let Some(id) = field.parse_key::<ChecklistId>(Code::BadName) else { continue };
        let Some(mut table) = field.table("the policy of a checklist") else { continue };
        policy.checklists.insert(id.clone(), demand(&mut table));
        marks.policy.insert(id, field.key());
        table.close();
    }
    if let Some(mut levels) = table.optional("level").and_then(|field| field.table("the table of levels")) {
        for level in Level::ALL {
            let field = levels.optional(level.word());
            let Some(mut table) = field.and_then(|field| field.table("the policy of a level")) else {
                continue;
            };
            policy.levels.insert(level, figures(&mut table));
            table.close();
        }
        levels.close();
    }
    let word = table.optional("inconclusive");
    let word = word.and_then(|field| field.word([Undecided::Ask, Undecided::Allow], Undecided::word));
    policy.inconclusive = word.unwrap_or_default();
    let word = table.optional("unproven");
    let word = word.and_then(|field| field.word([Unproven::Allow, Unproven::Deny], Unproven::word));
    policy.unproven = word.unwrap_or_default();
    let word = table.optional("flaky");
    policy.flaky =
        word.and_then(|field| field.word([Flaky::Deny, Flaky::Allow], Flaky::word)).unwrap_or_default();
    table.close();
    policy
}

fn demand(table: &mut Table<'_>) -> Demand {
    let must = table.optional("must").and_then(|field| field.word([Ask::Proven, Ask::Claimed], Ask::word));
    Demand { must, figures: figures(table) }
}

fn figures(table: &mut Table<'_>) -> Figures {
    let any = i64::from(u32::MAX);
    let mut number = |key, most| {
        let field: Option<Field<'_>> = table.optional(key);
        field.and_then(|field| field.integer_within(0, most)).and_then(|number| u32::try_from(number).ok())
    };
    Figures {
        readiness: number("readiness", 100),
        stale: number("stale", any),
        claimed: number("claimed", any),
    }
}

/// Says where a policy asks something of a checklist that is not there: left out without a word, it would look as if it
/// held.
#[must_use]
pub fn check_policy(catalog: &Catalog, settings: &SettingsFile) -> Vec<Diagnostic> {
    let mut found = vec![];
    for (id, key) in &settings.marks.policy {
        if catalog.checklist(id).is_none() {
            let message = format!("no checklist is called \"{id}\"");
            let unknown =
                Diagnostic::new(Code::UnknownChecklist, message, settings.source.spot(key.clone()), "");
            let known = catalog.checklists().iter().map(|checklist| checklist.id.as_str());
            found.push(unknown.did_you_mean(nearest(id.as_str(), known)));
        }
    }
    found
}
