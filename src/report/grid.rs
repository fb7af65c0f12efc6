//! Cells in columns of a fixed width.

use super::paint::shown;

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
pub(super) fn grid(columns: &[Column], gap: usize, rows: Vec<Vec<String>>) -> Vec<String> {
    let mut lines = Vec::with_capacity(rows.len());
    for cells in rows {
        let height = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or_default().max(1);
        let mut cells: Vec<_> = cells.iter().map(|cell| cell.lines()).collect();
        for _ in 0..height {
            let mut line = String::new();
            for (cell, column) in cells.iter_mut().zip(columns) {
                let text = cell.next().unwrap_or_default();
                let room = column.width.saturating_sub(shown(text));
                let (before, after) = if column.right { (room, 0) } else { (0, room) };
                line.extend(std::iter::repeat_n(' ', before));
                line.push_str(text);
                line.extend(std::iter::repeat_n(' ', after + gap));
            }
            line.truncate(line.trim_end().len());
            lines.push(line);
        }
    }
    lines
}

/// How wide a grid is.
pub(super) fn width(columns: &[Column], gap: usize) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + gap * columns.len().saturating_sub(1)
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
