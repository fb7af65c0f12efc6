//! A cohort as one page that needs nothing else: a table of learners, and who has which item.
//!
//! The style is the report's page's, with what the two tables need beside it. Everything can be read without the script.

mod word;

use super::super::html::chart::stacked;
use super::super::html::frame::{add, both, escape, filled, option, other, policy, said, worded};
use super::super::paint::symbol;
use super::super::phrase::percent;
use super::super::word as fixed;
use super::phrase::{self, COUNTED};
use super::{CohortReport, ItemLine, LearnerLine, SeenLine, Stand};
use crate::model::{Language, Status};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = concat!(include_str!("../../html/page.css"), include_str!("page.css"));
const SCRIPT: &str = concat!(include_str!("../../html/frame.js"), include_str!("page.js"));

/// The page; `language` is the one it opens in.
pub(super) fn html(report: &CohortReport, language: Language) -> String {
    let CohortReport { version, generated: _, title, checklists: _, learners: _, items: _ } = report;
    let fill = |name: &str| -> Option<String> {
        Some(match name {
            "language" => language.code().to_owned(),
            "policy" => policy(STYLE, SCRIPT),
            "version" => escape(version).into_owned(),
            "title" => escape(title.as_deref().unwrap_or("mustdo")).into_owned(),
            "style" => STYLE.to_owned(),
            "script" => SCRIPT.to_owned(),
            "subject" => said(|language| phrase::subject(report, language).join(" · ")),
            "other" => other(language).code().to_owned(),
            "other-name" => match other(language) {
                Language::En => "English".to_owned(),
                Language::Zh => "中文".to_owned(),
            },
            "only-options" => ["any", "unreadable", "marked"]
                .map(|name| option(if name == "any" { "" } else { name }, word::both(name), language))
                .concat(),
            "checklist-options" => checklist_options(report, language),
            "learners" => learners(report),
            "legend" => legend(),
            "signs" => signs(),
            "matrix" => matrix(report),
            "totals" => said(|language| phrase::totals(report, language)),
            "data" => data(),
            other => {
                let (kind, word) = other.split_once(':')?;
                let (name, words) = word::all().find(|(name, _)| *name == word)?;
                worded(kind, name, words, language)?
            }
        })
    };
    filled(TEMPLATE, fill)
}

fn term(name: &'static str) -> String {
    let [en, zh] = word::both(name);
    both(en, zh)
}

fn status(of: Status) -> String {
    said(|language| fixed::status(of, language).to_owned())
}

/// A heading that sorts, where there is a script to sort.
fn heading(text: &mut String, class: &str, name: &str) {
    add(
        text,
        format_args!(
            r#"<th scope="col" class="{class}"><span class="plain">{name}</span><button type="button" class="sort">{name}</button></th>"#
        ),
    );
}

fn learners(report: &CohortReport) -> String {
    let waived = phrase::has_waived(report);
    let mut text = String::from(r#"<table class="learners"><thead><tr>"#);
    heading(&mut text, "", &term("learner"));
    heading(&mut text, "", &term("readiness"));
    let statuses = COUNTED.into_iter().chain(waived.then_some(Status::Waived));
    for of in statuses.clone() {
        heading(&mut text, "n", &status(of));
    }
    heading(&mut text, "n", &term("inconclusive"));
    heading(&mut text, "", &term("activity"));
    add(&mut text, format_args!(r#"<th scope="col">{}</th></tr></thead><tbody>"#, term("notes")));
    for LearnerLine { name, place, seen } in &report.learners {
        let kind = match seen {
            Ok(seen) if seen.marks.is_empty() && seen.unproven == 0 => "",
            Ok(_) => "marked",
            Err(_) => "unreadable",
        };
        let name = escape(name);
        add(
            &mut text,
            format_args!(
                r#"<tr data-kind="{kind}"><th scope="row" data-v="{name}">{name}<span class="place">{}</span></th>"#,
                escape(place)
            ),
        );
        match seen {
            Ok(seen) => figures(&mut text, seen, statuses.clone()),
            Err(reason) => {
                let said = said(|language| phrase::unreadable(reason, language));
                let columns = statuses.clone().count() + 4;
                add(
                    &mut text,
                    format_args!(r#"<td class="notes s-unsure" colspan="{columns}" data-v="">? {said}</td>"#),
                );
            }
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>");
    text
}

fn figures(text: &mut String, seen: &SeenLine, statuses: impl Iterator<Item = Status>) {
    let tally = &seen.tally;
    let ready = tally.readiness();
    add(
        text,
        format_args!(
            r#"<td class="share" data-v="{}">{}{}</td>"#,
            ready.map(|percent| percent.to_string()).unwrap_or_default(),
            stacked(&[("f-proven", tally.proven_weight), ("f-claimed", tally.claimed_weight)], tally.weight),
            percent(ready)
        ),
    );
    let counts = statuses.map(|of| phrase::counted(seen, of)).chain([tally.inconclusive]);
    for count in counts {
        let zero = if count == 0 { " zero" } else { "" };
        add(text, format_args!(r#"<td class="n{zero}" data-v="{count}">{count}</td>"#));
    }
    let at = seen.activity.map(|at| at.to_string()).unwrap_or_default();
    add(text, format_args!(r#"<td data-v="{at}">{}</td><td class="notes">"#, phrase::activity(seen)));
    if seen.unproven > 0 {
        let said = said(|language| phrase::unproven(seen, language).unwrap_or_default());
        add(text, format_args!(r#"<p class="s-unsure">! {said}</p>"#));
    }
    for mark in &seen.marks {
        let said = said(|language| phrase::mark(mark, language));
        add(text, format_args!(r#"<p class="s-stale">≠ {said}</p>"#));
    }
    text.push_str("</td>");
}

/// What the colours of a bar mean.
fn legend() -> String {
    let square = |class: &str, of| {
        let word = status(of);
        format!(
            r#"<span><svg viewBox="0 0 10 10"><rect class="{class}" stroke="none" width="10" height="10"/></svg>{word}</span>"#
        )
    };
    [square("f-proven", Status::Proven), square("f-claimed", Status::Claimed)].concat()
}

/// What the signs of the matrix mean.
fn signs() -> String {
    let mut text = String::new();
    for of in Status::ALL {
        let (word, sign) = (of.word(), symbol(of));
        add(&mut text, format_args!(r#"<span class="s-{word}">{sign} {}</span>"#, status(of)));
    }
    add(&mut text, format_args!(r#"<span class="s-unsure">? {}</span>"#, term("inconclusive")));
    add(&mut text, format_args!("<span>! {}</span>", term("unproven")));
    add(&mut text, format_args!("<span>– {}</span>", term("none")));
    text
}

fn checklist_options(report: &CohortReport, language: Language) -> String {
    let mut text = option("", word::both("any"), language);
    for checklist in &report.checklists {
        text.push_str(&option(checklist.id.as_str(), [&checklist.title.en, &checklist.title.zh], language));
    }
    text
}

/// The items, how many learners stand where with each, and each learner.
fn matrix(report: &CohortReport) -> String {
    if report.items.is_empty() {
        return format!("<p>{}</p>", term("no-items"));
    }
    let mut text = String::from(r#"<table class="matrix"><thead><tr>"#);
    heading(&mut text, "", &term("item"));
    for of in Status::ALL {
        heading(&mut text, "n", &status(of));
    }
    heading(&mut text, "n", &term("inconclusive"));
    for learner in &report.learners {
        let name = escape(&learner.name);
        add(&mut text, format_args!(r#"<th scope="col" class="who"><span>{name}</span></th>"#));
    }
    text.push_str("</tr></thead><tbody>");
    for item in &report.items {
        let ItemLine { id, checklist, title, level: _, stands } = item;
        add(
            &mut text,
            format_args!(
                r#"<tr data-kind="{checklist}"><th scope="row" data-v="{id}">{}<span class="place">{id}</span></th>"#,
                both(&title.en, &title.zh)
            ),
        );
        for count in Status::ALL.map(|of| item.count(of)).into_iter().chain([item.inconclusive()]) {
            let zero = if count == 0 { " zero" } else { "" };
            add(&mut text, format_args!(r#"<td class="n{zero}" data-v="{count}">{count}"#));
        }
        for stand in stands {
            cell(&mut text, *stand);
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>");
    text
}

/// A cell without its end tag, which HTML lets be left out (HTML Living Standard, 13.1.2.4): of these there are many.
fn cell(text: &mut String, stand: Option<Stand>) {
    let Some(Stand { status, inconclusive, unproven }) = stand else {
        text.push_str(r#"<td class="c">–"#);
        return;
    };
    let unsure = if inconclusive { "?" } else { "" };
    let weak = if unproven { "!" } else { "" };
    add(text, format_args!(r#"<td class="c s-{}">{}{unsure}{weak}"#, status.word(), symbol(status)));
}

/// The words that the script says.
fn data() -> String {
    let words: std::collections::BTreeMap<_, _> = word::all().collect();
    // Strings in a map, written to memory: there is nothing that could fail.
    serde_json::to_string(&words).expect("words are plain data").replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_place_of_the_template_is_filled() {
        for language in Language::ALL {
            let page = html(&sample::cohort(), language);
            let (head, _) = page.split_once(r#"<script type="application/json""#).unwrap();
            assert!(!head.contains("{{") && head.contains("</main>"), "{head}");
        }
        for part in TEMPLATE.split("{{").skip(1).filter_map(|part| Some(part.split_once("}}")?.0)) {
            if let Some((_, word)) = part.split_once(':') {
                assert!(word::all().any(|(name, _)| name == word), "{part} is no word");
            }
        }
    }

    #[test]
    fn text_of_a_learner_can_not_leave_its_place_and_nothing_is_fetched() {
        let page = html(&sample::cohort(), Language::En);
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
        assert!(page.contains("=Eve&lt;/script&gt;&lt;script&gt;alert(1)"));
        assert!(page.contains("Read it &amp; &lt;b&gt;"));
        let (markup, _) = page.split_once(r#"<script type="application/json""#).unwrap();
        for outside in [" src=", " style=", "@import", "url(", "https://", " onclick="] {
            assert!(!markup.contains(outside), "{outside}");
        }
        assert!(markup.contains("default-src 'none'") && !markup.contains("unsafe"));
    }

    #[test]
    fn every_learner_has_a_row_and_a_column_and_every_item_a_cell_for_each() {
        let report = sample::cohort();
        let page = html(&report, Language::En);
        assert_eq!(page.matches(r#"<span class="place">class/"#).count(), report.learners.len());
        assert_eq!(page.matches(r#"class="who""#).count(), report.learners.len());
        let cells = page.matches(r#"<td class="c"#).count();
        assert_eq!(cells, report.learners.len() * report.items.len());
        for (sign, count) in [("s-proven\">✔", 2), ("s-failing\">✘?", 1), ("c\">–", 3)] {
            assert_eq!(
                page.matches(&format!("<td class=\"c {sign}").replace("c c\"", "c\"")).count(),
                count,
                "{sign}"
            );
        }
    }

    #[test]
    fn every_word_that_the_script_asks_for_is_there() {
        for name in ["found-learners", "found-items"] {
            assert!(SCRIPT.contains(&format!("\"{name}\")")) && word::all().any(|(known, _)| known == name));
        }
    }
}
