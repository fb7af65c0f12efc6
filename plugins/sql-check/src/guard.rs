//! The unique index behind a key, by its definition and by what it refuses.

use std::collections::BTreeSet;

use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Fault, Text};

use crate::schema::{Column, Index, indexes};
use crate::session::{Broken, DUPLICATE, Session, TARGET, named, quoted};
use crate::stored::Place;

/// The index that guards a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) place: Place,
    pub(crate) index: Index,
}

impl Guard {
    pub(crate) fn told(&self) -> String {
        format!("{}.{} ({})", self.place.table, self.index.name, self.index.columns.join(", "))
    }
}

/// Finds a unique index over exactly the key: the column that holds it, or the columns that the learner named. It must
/// have no part that may be NULL, for rows with NULL are never duplicates (MySQL reference manual, "CREATE INDEX").
pub(crate) fn find(
    session: &mut Session<'_, '_>,
    schema: &str,
    places: &[Place],
    declared: &[String],
    paste: &Text,
) -> Result<Guard, Fault> {
    let mut near = None;
    for place in places {
        let key: BTreeSet<String> = if declared.is_empty() {
            BTreeSet::from([place.column.to_lowercase()])
        } else {
            declared.iter().map(|name| name.to_lowercase()).collect()
        };
        if !key.contains(&place.column.to_lowercase()) {
            continue;
        }
        for index in indexes(session, schema, &place.table, paste)?.into_iter().filter(|index| index.unique) {
            let covered: BTreeSet<String> = index.columns.iter().map(|name| name.to_lowercase()).collect();
            let guard = Guard { place: place.clone(), index };
            if covered == key && !guard.index.nullable && !guard.index.prefix {
                return Ok(guard);
            }
            if covered.contains(&place.column.to_lowercase()) {
                near = Some(guard);
            }
        }
    }
    Err(match near {
        Some(guard) => too_weak(&guard),
        None => none_at_all(places),
    })
}

fn too_weak(guard: &Guard) -> Fault {
    let index = &guard.index;
    let (column, table) = (&guard.place.column, &guard.place.table);
    if index.nullable {
        return fault(
            "nullable",
            Text::new(
                format!(
                    "the unique index {} has a column that may be NULL: rows with NULL are never duplicates",
                    guard.told()
                ),
                format!("唯一索引 {} 里有可为 NULL 的列：含 NULL 的行永远不算重复", guard.told()),
            ),
            Text::same(format!("ALTER TABLE {} MODIFY {} … NOT NULL;", named(table), named(column))),
        );
    }
    if index.prefix {
        return fault(
            "prefix",
            Text::new(
                format!("the unique index {} takes the beginning of a column only", guard.told()),
                format!("唯一索引 {} 只取了列的开头部分", guard.told()),
            ),
            Text::same(format!("ALTER TABLE {} ADD UNIQUE ({});", named(table), named(column))),
        );
    }
    let hint = Text::new(
        format!(
            "make the index of the key alone: ALTER TABLE {} ADD UNIQUE ({}); if the others belong to the key, such as the user it is of, name them all as `columns`",
            named(table),
            named(column)
        ),
        format!(
            "索引只包含键本身：ALTER TABLE {} ADD UNIQUE ({})；如果其他列也是键的一部分（例如所属用户），请用 `columns` 全部写出",
            named(table),
            named(column)
        ),
    );
    let summary = Text::new(
        format!(
            "the unique index {} holds more than the key, so two rows with one key can differ in the rest",
            guard.told()
        ),
        format!("唯一索引 {} 不止包含键，同一个键的两行可以在其他列上不同", guard.told()),
    );
    fault("wider", summary, hint)
}

fn none_at_all(places: &[Place]) -> Fault {
    let told: Vec<String> = places.iter().map(Place::told).collect();
    let told = told.join(", ");
    fault(
        "no-unique-index",
        Text::new(
            format!("no unique index stands behind the key, which is stored in {told}"),
            format!("键存放在 {told}，但没有唯一索引"),
        ),
        Text::same(places.first().map_or_else(String::new, |place| {
            format!("ALTER TABLE {} ADD UNIQUE ({});", named(&place.table), named(&place.column))
        })),
    )
}

fn fault(code: &str, summary: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("sql-check.{code}"), summary.clone())
        .at(Location::Endpoint(TARGET.to_owned()))
        .hint(hint);
    Fault::fail(summary).with(finding)
}

/// Copies the row of this check's own, in a transaction that is rolled back: the index must refuse it with 1062.
pub(crate) fn refuses(
    session: &mut Session<'_, '_>,
    schema: &str,
    guard: &Guard,
    columns: &[Column],
    value: &str,
    paste: &Text,
) -> Result<String, Fault> {
    let table = format!("{}.{}", named(schema), named(&guard.place.table));
    let own: Vec<String> = columns
        .iter()
        .filter(|column| column.table == guard.place.table && !column.filled)
        .map(|column| named(&column.name))
        .collect();
    let list = own.join(", ");
    let place = named(&guard.place.column);
    let insert =
        format!("INSERT INTO {table} ({list}) SELECT {list} FROM {table} WHERE {place} = {}", quoted(value));
    let mut run = |sql: &str| session.query(sql);
    run("START TRANSACTION").map_err(|broken| broken.explain(paste))?;
    let outcome = run(&insert);
    run("ROLLBACK").map_err(|broken| broken.explain(paste))?;
    match outcome {
        Err(Broken::Refused(error))
            if error.code == DUPLICATE && error.message.contains(&guard.index.name) =>
        {
            Ok(error.to_string())
        }
        // A key that the service makes itself stands in the way of the copy; or the check's account may only read.
        Err(Broken::Refused(error)) => Err(Fault::skip(Text::new(
            format!("a row could not be copied ({error}); the definition of the index says enough"),
            format!("无法复制这一行（{error}）；索引的定义已经足够"),
        ))),
        Err(broken) => Err(broken.explain(paste)),
        Ok(_) => Err(fault(
            "takes-duplicates",
            Text::new(
                format!("the table takes a second row with the same key, in spite of {}", guard.told()),
                format!("尽管有 {}，表仍接受了同一个键的第二行", guard.told()),
            ),
            Text::new("look at the index and its columns", "检查这个索引和它的列"),
        )),
    }
}
