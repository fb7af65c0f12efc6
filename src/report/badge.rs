//! Readiness as a badge: one small SVG for a README.

use std::fmt::Write as _;

use super::phrase;
use super::tree::Report;
use super::word::{self, Word};
use super::wrap::width;
use crate::model::{Language, Status};

const HEIGHT: usize = 20;
/// Widths of a narrow and of a wide character, in pixels: the text is fitted to them, so that no font moves the edges.
const NARROW: usize = 7;
/// Left and right of each text.
const MARGIN: usize = 7;

/// White on each of these is read at 4.5 : 1 and more (WCAG 2.2, 1.4.3).
const LABEL: &str = "#3f4652";
const GOOD: &str = "#1a7f37";
const PARTLY: &str = "#356293";
const BAD: &str = "#c0232c";
const UNSURE: &str = "#8a5a00";

/// The badge, in `language`: how much is proven, what fails, and by its colour whether the policy holds.
pub(super) fn badge(report: &Report, language: Language) -> String {
    let (words, color) = message(report, language);
    let label = "mustdo";
    let (left, right) = (cell(label), cell(&words));
    let whole = left + right;
    let title = format!("{label}: {words}");
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" viewBox="0 0 {whole} {HEIGHT}" role="img" aria-label="{title}">"#
    );
    // Writing to a string can not fail.
    let _written = write!(
        text,
        r##"
<title>{title}</title>
<clipPath id="edge"><rect width="{whole}" height="{HEIGHT}" rx="4"/></clipPath>
<g clip-path="url(#edge)">
<rect width="{left}" height="{HEIGHT}" fill="{LABEL}"/>
<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{color}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,Noto Sans,Noto Sans CJK SC,sans-serif" font-size="11">
<text x="{MARGIN}" y="14" textLength="{}" lengthAdjust="spacingAndGlyphs">{label}</text>
<text x="{}" y="14" textLength="{}" lengthAdjust="spacingAndGlyphs">{words}</text>
</g>
</svg>
"##,
        left - 2 * MARGIN,
        left + MARGIN,
        right - 2 * MARGIN,
    );
    text
}

fn cell(text: &str) -> usize {
    width(text) * NARROW + 2 * MARGIN
}

/// Fixed words and numbers only: nothing in it needs escaping.
fn message(report: &Report, language: Language) -> (String, &'static str) {
    let total = &report.total;
    let mut words = if total.readiness().is_none() {
        Word::Nothing.get(language).to_owned()
    } else {
        let proven = word::status(Status::Proven, language);
        format!("{} {proven}", phrase::percent(total.readiness()))
    };
    if total.failing > 0 {
        let failing = word::status(Status::Failing, language);
        let _written = write!(words, " · {} {failing}", total.failing);
    }
    let judgement = &report.judgement;
    let color = if !judgement.violations.is_empty() {
        BAD
    } else if !judgement.undecided.is_empty() {
        UNSURE
    } else if total.readiness() == Some(100) {
        GOOD
    } else {
        PARTLY
    };
    (words, color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn badge_says_what_is_proven_and_what_fails() {
        let said = |report: &Report, language| message(report, language).0;
        assert_eq!(said(&sample::mixed(), Language::En), "25% proven · 1 failing");
        assert_eq!(said(&sample::mixed(), Language::Zh), "25% 已证实 · 1 未通过");
        assert_eq!(said(&sample::empty(), Language::En), "nothing counts");
    }

    #[test]
    fn color_is_the_policys_word() {
        let color = |report: &Report| message(report, Language::En).1;
        assert_eq!(color(&sample::mixed()), BAD);
        assert_eq!(color(&sample::proven()), GOOD);
        assert_eq!(color(&sample::untouched()), PARTLY);
    }

    #[test]
    fn badge_is_a_picture_of_its_words() {
        insta::assert_snapshot!("badge", badge(&sample::mixed(), Language::En));
        for report in sample::all() {
            for language in Language::ALL {
                let text = badge(&report, language);
                assert_eq!(text.matches('<').count(), text.matches('>').count());
                assert!(!text.contains("script"), "{text}");
            }
        }
    }
}
