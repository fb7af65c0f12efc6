//! The difference on a terminal.

use super::super::paint::{Ink, symbol};
use super::super::wrap::{width, wrap};
use super::{Difference, ItemRow, View, phrase};
use crate::model::Language;

/// Where nobody knows the width: what fits a CI log and a mail.
const USUAL_WIDTH: u16 = 100;
/// Below this, no layout helps.
const LEAST_WIDTH: u16 = 24;

/// The difference as text whose lines are at most as wide as the view, 24 columns at least.
pub(super) fn text(difference: &Difference, view: View) -> String {
    let View { language, color, width, items: _, why: _ } = view;
    let width = usize::from(width.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH));
    let mut page = Page { language, color, width, text: String::new() };
    page.page(difference);
    page.text
}

struct Page {
    language: Language,
    color: bool,
    width: usize,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn below(&mut self, indent: &str, text: &str, ink: Ink) {
        for line in wrap(text, self.width.saturating_sub(indent.len()).max(2)) {
            self.line(&format!("{indent}{}", ink.paint(&line, self.color)));
        }
    }

    fn page(&mut self, difference: &Difference) {
        let Difference { version, workspace, input } = difference;
        let mut parts = vec![format!("mustdo {version}")];
        parts.extend((!workspace.is_empty()).then(|| workspace.clone()));
        parts.push(phrase::range(difference, self.language));
        self.below("", &parts.join(" · "), Ink::Faint);
        self.line("");
        self.below("", &phrase::readiness(&input.before, &input.after, self.language), Ink::Plain);
        if input.checklists.is_empty() && input.items.is_empty() {
            self.below("", phrase::nothing(self.language), Ink::Plain);
            return;
        }
        if !input.checklists.is_empty() || difference.content().next().is_some() {
            self.heading(phrase::content(self.language));
            for row in &input.checklists {
                let line =
                    phrase::versions(&row.id, row.before.as_deref(), row.after.as_deref(), self.language);
                self.below("  ", &line, Ink::Plain);
            }
            for item in difference.content() {
                self.named("  ", phrase::sign(item), Ink::Plain, item);
                let aspects = phrase::aspects(item, self.language);
                if !aspects.is_empty() {
                    self.below("      ", &aspects, Ink::Plain);
                }
            }
        }
        if difference.progress().next().is_some() {
            self.heading(phrase::progress(self.language));
            for item in difference.progress() {
                self.moved(item);
            }
        }
        let again = difference.again();
        if again > 0 {
            self.line("");
            self.below("", &phrase::again(again, self.language), Ink::Faint);
        }
    }

    fn heading(&mut self, title: &str) {
        self.line("");
        self.line(&Ink::Strong.paint(title, self.color));
    }

    /// A sign, an id and, beside it or below, a title.
    fn named(&mut self, indent: &str, sign: &str, ink: Ink, item: &ItemRow) {
        let title = item.title.get(self.language);
        let head = format!("{indent}{}  {}", ink.paint(sign, self.color), item.id);
        let taken = indent.len() + width(sign) + 2 + width(item.id.as_str());
        if taken + 2 + width(title) <= self.width {
            self.line(&format!("{head}  {title}"));
        } else {
            self.line(&head);
            self.below("      ", title, Ink::Plain);
        }
    }

    fn moved(&mut self, item: &ItemRow) {
        let ink = item.after.map_or(Ink::Faint, Ink::of);
        self.named("  ", item.after.map_or("-", symbol), ink, item);
        let [before, after] = [item.before, item.after].map(|status| phrase::status(status, self.language));
        self.below("      ", &format!("{before} → {after}"), ink);
        for reason in phrase::reasons(item, self.language) {
            self.below("      ", &reason, Ink::Plain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn difference_reads_the_same_in_both_languages_and_fits() {
        for language in Language::ALL {
            for width in [100, 40] {
                let view = View { language, color: false, width: Some(width), items: false, why: false };
                let shown = text(&sample::difference(), view);
                let widest = shown.lines().map(super::width).max();
                assert!(widest <= Some(usize::from(width)), "{shown}");
                insta::assert_snapshot!(format!("text-{language}-{width}"), shown);
                assert!(text(&sample::same(), view).contains(phrase::nothing(language)));
            }
        }
    }
}
