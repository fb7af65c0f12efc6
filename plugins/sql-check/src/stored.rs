//! Where a submission was stored: which columns of which tables hold its values.

use mustdo_plugin::{Fault, Text};

use crate::schema::{Column, count};
use crate::session::{Broken, Session, named, quoted};

/// Columns that are looked through at most.
const COLUMNS: usize = 400;

/// A column that held a value of the check's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) table: String,
    pub(crate) column: String,
}

impl Place {
    /// `orders.no`, for a message.
    pub(crate) fn told(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}

/// The columns that hold exactly this text, each in one row or more.
pub(crate) fn search(
    session: &mut Session<'_, '_>,
    schema: &str,
    columns: &[Column],
    value: &str,
    paste: &Text,
) -> Result<Vec<Place>, Fault> {
    let mut places = Vec::new();
    for column in columns.iter().filter(|column| column.text && !column.filled).take(COLUMNS) {
        let place = Place { table: column.table.clone(), column: column.name.clone() };
        match rows_with(session, schema, &place, value) {
            // A table that may not be read holds nothing that could be looked at.
            Ok(0) | Err(Broken::Refused(_)) => {}
            Ok(_) => places.push(place),
            Err(broken) => return Err(broken.explain(paste)),
        }
    }
    Ok(places)
}

/// How many rows hold this text there.
pub(crate) fn rows_with(
    session: &mut Session<'_, '_>,
    schema: &str,
    place: &Place,
    value: &str,
) -> Result<u64, Broken> {
    let (schema, table, column) = (named(schema), named(&place.table), named(&place.column));
    count(session, &format!("SELECT COUNT(*) FROM {schema}.{table} WHERE {column} = {}", quoted(value)))
}
