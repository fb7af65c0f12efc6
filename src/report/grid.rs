//! Cells in columns of a fixed width.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, TableStyle, Width};

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// Columns of the terminal; no line of a cell is wider.
    pub(super) width: usize,
    /// Whether its cells stand at the right, as numbers do.
    pub(super) right: bool,
}

/// The lines of `rows`, without spaces at their ends; `gap` columns of the terminal stand between two columns.
pub(super) fn grid(columns: &[Column], gap: usize, rows: Vec<Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
    for cells in rows {
        let cells = cells.into_iter().zip(columns).map(|(cell, column)| {
            let alignment = if column.right { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new_owned(cell).set_alignment(alignment)
        });
        table.add_row(Row::from(cells));
    }
    let last = columns.len().saturating_sub(1);
    for (index, column) in columns.iter().enumerate() {
        let gap = if index == last { 0 } else { short(gap) };
        if let Some(cells) = table.column_mut(index) {
            let width = short(column.width).saturating_add(gap);
            cells.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// How wide a grid is.
pub(super) fn width(columns: &[Column], gap: usize) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + gap * columns.len().saturating_sub(1)
}

fn short(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other_in_every_script_and_colour() {
        let columns = [Column { width: 6, right: false }, Column { width: 3, right: true }];
        let rows = [["幂等", "1"], ["\u{1b}[31mred\u{1b}[0m", "10"], ["a\nb", "100"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let lines = grid(&columns, 1, rows);
        assert_eq!(lines, ["幂等     1", "\u{1b}[31mred\u{1b}[0m     10", "a      100", "b"]);
        assert_eq!(width(&columns, 1), 10);
    }
}
