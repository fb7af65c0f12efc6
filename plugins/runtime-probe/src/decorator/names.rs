//! Names and numbers that stand in the scenes of one run.

use mustdo_plugin::Generator;

/// Names and values that occur in this run only.
pub(super) struct Names {
    pub(super) module: String,
    pub(super) function: String,
    pub(super) keyword: String,
    pub(super) words: String,
    /// Numbers that stand for themselves.
    pub(super) values: Vec<i64>,
}

impl Names {
    pub(super) fn new(random: &mut Generator) -> Self {
        let mut values: Vec<i64> = Vec::new();
        while values.len() < 12 {
            let value = random.number(1_000..1_000_000).cast_signed();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Self {
            module: random.token(9),
            function: random.token(10),
            keyword: random.token(8),
            words: random.token(14),
            values,
        }
    }

    /// The text with names and numbers put in: `NAME`, `OTHER`, `KEYWORD`, `WORDS`, and `V0` to `V11`.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = text
            .replace("NAME", &self.function)
            .replace("OTHER", &format!("{}_other", self.function))
            .replace("KEYWORD", &self.keyword)
            .replace("WORDS", &self.words);
        // The longer numbers first: V1 is the beginning of V11.
        for (place, value) in self.values.iter().enumerate().rev() {
            filled = filled.replace(&format!("V{place}"), &value.to_string());
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_run() {
        let names = Names::new(&mut Generator::new(3));
        let filled = names.fill("NAME V1 V11");
        assert_eq!(filled, format!("{} {} {}", names.function, names.values[1], names.values[11]));
        let others = Names::new(&mut Generator::new(4));
        assert_ne!(names.function, others.function);
    }
}
