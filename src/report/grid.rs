//! Cells in columns of a fixed width.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, TableStyle, Width};

use super::paint::bare;

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// Columns of the terminal; no line of a cell is wider.
    pub(super) width: usize,
    /// Whether its cells stand at the right, as numbers do.
    pub(super) right: bool,
}

/// The lines of `rows`, without spaces at their ends; `gap` columns of the terminal stand between two columns. A cell is
/// one line or several; a row is as high as its highest cell.
pub(super) fn grid(columns: &[Column], gap: usize, rows: &[Vec<String>]) -> Vec<String> {
    // Laid out without ink: a table that has to tell ink from text takes twice as long, with and without ink.
    let laid_out: Vec<_> = table(columns, gap, rows).lines().collect();
    let mut laid_out = laid_out.iter();
    let mut lines = Vec::with_capacity(laid_out.len());
    for cells in rows {
        let mut cells: Vec<_> = cells.iter().map(|cell| cell.split('\n').fuse()).collect();
        let height = cells.iter().map(|cell| cell.clone().count()).max().unwrap_or_default();
        for line in laid_out.by_ref().take(height) {
            let line = painted(line, cells.iter_mut().filter_map(Iterator::next));
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

fn table(columns: &[Column], gap: usize, rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    for cells in rows {
        let cells = cells.iter().zip(columns).map(|(cell, column)| {
            let alignment = if column.right { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(bare(cell)).set_alignment(alignment)
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
    table
}

/// A line that was laid out without ink, with the ink of its cells' lines, which stand in it from left to right with
/// nothing but spaces between them.
fn painted<'a>(line: &str, cells: impl Iterator<Item = &'a str>) -> String {
    let (mut text, mut rest) = (String::with_capacity(line.len()), line);
    for cell in cells {
        if let Some((before, after)) = rest.split_once(&*bare(cell)) {
            text.push_str(before);
            text.push_str(cell);
            rest = after;
        }
    }
    text.push_str(rest);
    text
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
        let lines = grid(&columns, 1, &rows);
        assert_eq!(lines, ["幂等     1", "\u{1b}[31mred\u{1b}[0m     10", "a      100", "b"]);
        assert_eq!(width(&columns, 1), 10);
    }

    #[test]
    fn ink_stays_with_its_cell() {
        let columns = [Column { width: 5, right: false }, Column { width: 4, right: true }];
        // Cells that say the same, one inside the other, nothing at all, or begin with spaces.
        let rows = ["  1|\u{1b}[31m1\u{1b}[0m", "|\u{1b}[2m10\u{1b}[0m", "\u{1b}[1m1\u{1b}[0m\n1|11"];
        let rows = rows.map(|row| row.split('|').map(str::to_owned).collect()).to_vec();
        let lines = grid(&columns, 1, &rows);
        let wanted = [
            "  1      \u{1b}[31m1\u{1b}[0m",
            "        \u{1b}[2m10\u{1b}[0m",
            "\u{1b}[1m1\u{1b}[0m       11",
            "1",
        ];
        assert_eq!(lines, wanted);
    }
}
