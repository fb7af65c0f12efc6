//! A curve of percentages in one line.

/// The eight heights of a cell, the lowest first.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What stands where nothing is known.
const UNKNOWN: char = '?';

/// A curve of at most `cells` characters, each for as many of `values`, percentages, as the others; it shows the last of
/// them. The height is that of 0 to 100, so that two curves can be compared, and full height is 100 only.
pub(super) fn spark(values: &[Option<u32>], cells: usize) -> String {
    let cells = cells.min(values.len());
    let last = |cell: usize| values[((cell + 1) * values.len()).div_ceil(cells) - 1];
    (0..cells).map(|cell| last(cell).map_or(UNKNOWN, height)).collect()
}

fn height(percent: u32) -> char {
    let top = HEIGHTS.len() - 1;
    // Rounded up, so that the least there is shows; never to the top, which is everything.
    let step = (percent as usize * (top - 1)).div_ceil(99).min(top - 1);
    if percent >= 100 { HEIGHTS[top] } else { HEIGHTS[step] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_rise_with_percentages_and_only_everything_is_full() {
        let all: Vec<_> = (0..=100).map(Some).collect();
        let heights: Vec<_> = spark(&all, 200).chars().collect();
        assert_eq!(heights.len(), 101);
        assert!(heights.is_sorted());
        assert_eq!([heights[0], heights[1], heights[99], heights[100]], ['▁', '▂', '▇', '█']);
    }

    #[test]
    fn curve_ends_with_the_last_value_however_many_there_are() {
        for count in 1..200 {
            let values: Vec<_> = (1..=count).map(|value| (value == count).then_some(100)).collect();
            for cells in [1, 7, 60] {
                let curve = spark(&values, cells);
                assert_eq!(curve.chars().count(), cells.min(values.len()));
                assert!(curve.ends_with('█'), "{count} {cells} {curve}");
            }
        }
        assert_eq!(spark(&[], 5), "");
    }
}
