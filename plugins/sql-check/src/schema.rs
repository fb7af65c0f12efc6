//! The learner's schema as `information_schema` describes it.

use mustdo_plugin::{Fault, Text};

use crate::session::{Broken, Rows, Session, quoted};

/// Schemas that come with the server.
const SYSTEM: &str = "'information_schema', 'mysql', 'performance_schema', 'sys'";

/// A table and what of it can be told without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) engine: String,
    pub(crate) has_primary_key: bool,
    /// Its own character set and those of its text columns: the first that is not utf8mb4, with where it is. A column of
    /// ASCII was chosen on purpose, for keys and digests, and is right.
    pub(crate) other_character_set: Option<String>,
}

/// One index of a table; columns in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) unique: bool,
    pub(crate) columns: Vec<String>,
    /// Whether a part of it may be NULL: such rows are never duplicates.
    pub(crate) nullable: bool,
    /// Whether only the beginning of a column is in it.
    pub(crate) prefix: bool,
}

/// A column that an INSERT may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) table: String,
    pub(crate) name: String,
    /// Whether it holds text.
    pub(crate) text: bool,
    /// Whether the server fills it: counted up or computed.
    pub(crate) filled: bool,
}

/// The one that is meant: `wanted`, or the only one that has tables beside the server's own.
pub(crate) fn find(session: &mut Session<'_, '_>, wanted: &str, paste: &Text) -> Result<String, Fault> {
    let rows = ask(
        session,
        &format!(
            "SELECT s.schema_name, (SELECT COUNT(*) FROM information_schema.tables t \
             WHERE t.table_schema = s.schema_name AND t.table_type = 'BASE TABLE') \
             FROM information_schema.schemata s WHERE s.schema_name NOT IN ({SYSTEM}) ORDER BY 1"
        ),
        paste,
    )?;
    let schemas: Vec<(String, bool)> = rows
        .into_iter()
        .filter_map(|row| {
            let mut values = row.into_iter().flatten();
            Some((values.next()?, values.next()? != "0"))
        })
        .collect();
    if schemas.iter().any(|(name, _)| name == wanted) {
        return Ok(wanted.to_owned());
    }
    let mut filled = schemas.iter().filter(|(_, has_tables)| *has_tables);
    if let (true, Some((only, _)), None) = (wanted.is_empty(), filled.next(), filled.next()) {
        return Ok(only.clone());
    }
    let names: Vec<&str> = schemas.iter().map(|(name, _)| name.as_str()).collect();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let Text { en, zh } = paste;
    Err(Fault::inconclusive(if wanted.is_empty() {
        Text::new(
            format!("which schema is yours? This account sees: {there}. {en}"),
            format!("哪个库是你的？这个账号看得到：{there}。{zh}"),
        )
    } else {
        Text::new(
            format!("there is no schema `{wanted}`, or this account may not see it; it sees: {there}. {en}"),
            format!("没有库 `{wanted}`，或者这个账号看不到；看得到的有：{there}。{zh}"),
        )
    }))
}

/// Every table, without views, by name.
pub(crate) fn tables(session: &mut Session<'_, '_>, schema: &str, paste: &Text) -> Result<Vec<Table>, Fault> {
    let schema = quoted(schema);
    let rows = ask(
        session,
        &format!(
            "SELECT t.table_name, t.engine, t.table_collation, \
             (SELECT COUNT(*) FROM information_schema.table_constraints k WHERE k.table_schema = t.table_schema \
              AND k.table_name = t.table_name AND k.constraint_type = 'PRIMARY KEY'), \
             (SELECT MIN(CONCAT(c.column_name, ' (', c.character_set_name, ')')) FROM information_schema.columns c \
              WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name \
              AND c.character_set_name IS NOT NULL AND c.character_set_name NOT IN ('utf8mb4', 'ascii')) \
             FROM information_schema.tables t WHERE t.table_schema = {schema} AND t.table_type = 'BASE TABLE' ORDER BY 1"
        ),
        paste,
    )?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut values = row.into_iter();
            let mut next = || values.next().flatten();
            let name = next().unwrap_or_default();
            let engine = next().unwrap_or_default();
            let collation = next().unwrap_or_default();
            let has_primary_key = next().is_some_and(|count| count != "0");
            let column = next();
            let own = (!collation.starts_with("utf8mb4")).then(|| format!("its default is {collation}"));
            let other_character_set = own.or_else(|| column.map(|column| format!("column {column}")));
            Table { name, engine, has_primary_key, other_character_set }
        })
        .collect())
}

/// Every index of a table.
pub(crate) fn indexes(
    session: &mut Session<'_, '_>,
    schema: &str,
    table: &str,
    paste: &Text,
) -> Result<Vec<Index>, Fault> {
    let (schema, table) = (quoted(schema), quoted(table));
    let rows = ask(
        session,
        &format!(
            "SELECT index_name, non_unique, column_name, nullable, sub_part FROM information_schema.statistics \
             WHERE table_schema = {schema} AND table_name = {table} ORDER BY index_name, seq_in_index"
        ),
        paste,
    )?;
    let mut indexes: Vec<Index> = Vec::new();
    for row in rows {
        let mut values = row.into_iter();
        let mut next = || values.next().flatten();
        let name = next().unwrap_or_default();
        let unique = next().as_deref() == Some("0");
        let column = next().unwrap_or_default();
        let nullable = next().as_deref() == Some("YES");
        let prefix = next().is_some();
        match indexes.last_mut().filter(|last| last.name == name) {
            Some(last) => {
                last.columns.push(column);
                last.nullable |= nullable;
                last.prefix |= prefix;
            }
            None => indexes.push(Index { name, unique, columns: vec![column], nullable, prefix }),
        }
    }
    Ok(indexes)
}

/// Every column of every table.
pub(crate) fn columns(
    session: &mut Session<'_, '_>,
    schema: &str,
    paste: &Text,
) -> Result<Vec<Column>, Fault> {
    let schema = quoted(schema);
    let rows = ask(
        session,
        &format!(
            "SELECT c.table_name, c.column_name, c.data_type, c.extra FROM information_schema.columns c \
             JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
             WHERE c.table_schema = {schema} AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position"
        ),
        paste,
    )?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut values = row.into_iter();
            let mut next = || values.next().flatten().unwrap_or_default();
            let (table, name, kind, extra) =
                (next(), next(), next().to_ascii_lowercase(), next().to_ascii_lowercase());
            let text = ["char", "text", "json", "binary", "uuid"].iter().any(|word| kind.contains(word));
            let filled = extra.contains("auto_increment") || extra.contains("generated");
            Column { table, name, text, filled }
        })
        .collect())
}

/// Asks what must have an answer.
pub(crate) fn ask(session: &mut Session<'_, '_>, sql: &str, paste: &Text) -> Result<Rows, Fault> {
    session.query(sql).map_err(|broken| broken.explain(paste))
}

/// The number in the one field of the one row.
pub(crate) fn count(session: &mut Session<'_, '_>, sql: &str) -> Result<u64, Broken> {
    let rows = session.query(sql)?;
    let number = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
    number.ok_or_else(|| Broken::Foreign(sql.as_bytes().to_vec()))
}
