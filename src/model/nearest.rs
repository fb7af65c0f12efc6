//! "Did you mean": the known name nearest to a wrong one.

/// The candidate most like `name`, where one is like it at all. Among equals, the first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let likeness = strsim::jaro_winkler(name, candidate);
        if likeness > best.map_or(ALIKE, |(likeness, _)| likeness) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Below this, a suggestion confuses more than it helps: `xyz` is not like `weight`, `wieght` is.
const ALIKE: f64 = 0.75;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_recognised_and_strangers_are_not() {
        let keys = ["weight", "level", "needs", "title"];
        assert_eq!(nearest("wieght", keys), Some("weight"));
        assert_eq!(nearest("need", keys), Some("needs"));
        assert_eq!(nearest("xyz", keys), None);
    }
}
