//! The report as one page that needs nothing else: no server, no network, no script to be read.
//!
//! The template, the style and the script are files beside this one. Everything of the report is in the page twice: as
//! HTML, so that it can be read and printed as it is, and as data, from which the script opens an item's own page. Both
//! languages stand side by side; which of them is seen is the page's.

pub(super) mod chart;
pub(super) mod frame;
mod word;

use std::collections::{BTreeMap, BTreeSet};

use super::gate;
use serde::Serialize;

use super::json::ReportView;
use super::note::{self, Line};
use super::paint::symbol;
use super::phrase;
use super::tree::{Heading, Report, Row, Section};
use super::word as fixed;
use crate::model::{Language, Level, Need, Outcome, Status, Tally};
use frame::{add, both, escape, filled, option, other, policy, said, worded};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("frame.js"), include_str!("page.js"));

/// The page; `language` is the one it opens in.
pub(super) fn html(report: &Report, language: Language) -> String {
    let Report {
        version,
        generated: _,
        workspace,
        revision: _,
        narrowed: _,
        sections,
        total,
        policy: _,
        judgement: _,
        soft: _,
        files: _,
        past: _,
    } = report;
    let fill = |name: &str| -> Option<String> {
        Some(match name {
            "language" => language.code().to_owned(),
            "policy" => policy(STYLE, SCRIPT),
            "version" => escape(version).into_owned(),
            "title" => {
                let ready = phrase::percent(total.readiness());
                let name = if workspace.is_empty() { "mustdo" } else { workspace };
                escape(&format!("{ready} · {name} · mustdo")).into_owned()
            }
            "style" => STYLE.to_owned(),
            "script" => SCRIPT.to_owned(),
            "workspace" if workspace.is_empty() => String::new(),
            "workspace" => format!(" · {}", escape(workspace)),
            "subject" => subject(report),
            "other" => other(language).code().to_owned(),
            "other-name" => match other(language) {
                Language::En => "English".to_owned(),
                Language::Zh => "中文".to_owned(),
            },
            "ring" => ring(total),
            "judgement" => judgement(report),
            "burnup" => burnup(report),
            "checklists" => checklists(sections, total),
            "legend" => legend(),
            "unbound" => unbound(report),
            "statuses" => statuses(total),
            "checklist-options" => checklist_options(sections, language),
            "level-options" => level_options(language),
            "tag-options" => tag_options(report, language),
            "list" => list(report),
            "totals" => both(&phrase::totals(total, Language::En), &phrase::totals(total, Language::Zh)),
            "data" => data(report),
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

fn subject(report: &Report) -> String {
    said(|language| {
        phrase::subject(report, language)
            .into_iter()
            .skip(usize::from(!report.workspace.is_empty()))
            .collect::<Vec<_>>()
            .join(" · ")
    })
}

fn ring(total: &Tally) -> String {
    let mut text = format!(
        r#"<div class="card readiness"><h3>{}</h3><div class="ready"><div class="ring">{}<strong>{}</strong></div><dl>"#,
        term("readiness"),
        chart::ring(total),
        phrase::percent(total.readiness())
    );
    for (name, class, weight) in [
        ("proven-weight", "s-proven", total.proven_weight),
        ("claimed-weight", "s-claimed", total.claimed_weight),
        ("counted-weight", "", total.weight),
    ] {
        add(&mut text, format_args!(r#"<dt>{}</dt><dd class="{class}">{weight}</dd>"#, term(name)));
    }
    text.push_str("</dl></div></div>");
    text
}

fn judgement(report: &Report) -> String {
    let judgement = &report.judgement;
    let name = gate::outcome(judgement);
    let class = if name == "undecided" { "unsure" } else { name };
    let ([policy, zh_policy], [holds, zh_holds]) = (word::both("policy"), word::both(name));
    let title = both(&format!("{policy}: {holds}"), &format!("{zh_policy}：{zh_holds}"));
    let mut text = format!(r#"<div class="card judged {class}"><h3>{title}</h3><ul>"#);
    let notes = Language::ALL.map(|language| note::policy(report, language).entries);
    let [en, zh] = &notes;
    for (en, zh) in en.iter().zip(zh) {
        add(
            &mut text,
            format_args!(
                r#"<li><p><span class="sign" aria-hidden="true">{}</span>{}</p>"#,
                en.symbol,
                both(&en.title, &zh.title)
            ),
        );
        for (en, zh) in en.lines.iter().zip(&zh.lines) {
            if let (Line::Advice(en) | Line::Text(en), Line::Advice(zh) | Line::Text(zh)) = (en, zh) {
                add(&mut text, format_args!("<p>{}</p>", both(en, zh)));
            }
        }
        text.push_str("</li>");
    }
    text.push_str("</ul></div>");
    text
}

fn burnup(report: &Report) -> String {
    let mut text = format!(r#"<figure class="card burnup"><h3>{}</h3>"#, term("burnup"));
    match chart::growth(report) {
        Some(chart::Growth { ends: [first, last], picture, of_commits }) => add(
            &mut text,
            format_args!(
                r#"<div class="plot">{picture}</div><div class="axis"><span>{first}</span><span>{last}</span></div><figcaption>{}</figcaption>"#,
                term(if of_commits { "burnup-commits" } else { "burnup-today" })
            ),
        ),
        None => add(&mut text, format_args!("<figcaption>{}</figcaption>", term("burnup-empty"))),
    }
    text.push_str("</figure>");
    text
}

/// The columns of counts: what to call each, and how many.
fn counts(tally: &Tally) -> [(String, u32); 7] {
    let status = |of| said(|language| fixed::status(of, language).to_owned());
    [
        (term("number"), tally.items),
        (status(Status::Proven), tally.proven),
        (status(Status::Claimed), tally.claimed),
        (status(Status::Failing), tally.failing),
        (status(Status::Stale), tally.stale),
        (said(|language| fixed::Word::Inconclusive.get(language).to_owned()), tally.inconclusive),
        (term("not-bound"), tally.unbound),
    ]
}

fn checklists(sections: &[Section], total: &Tally) -> String {
    let mut text = format!(
        r#"<table><thead><tr><th scope="col">{}</th><th scope="col">{}</th>"#,
        term("checklist"),
        term("readiness")
    );
    for (name, _) in counts(total) {
        add(&mut text, format_args!(r#"<th scope="col" class="n">{name}</th>"#));
    }
    text.push_str("</tr></thead><tbody>");
    let row = |text: &mut String, class: &str, title: &str, tally: &Tally, rows: Vec<&Row>| {
        add(
            text,
            format_args!(
                r#"<tr class="{class}"><th scope="row">{title}</th><td class="share">{}{}</td>"#,
                chart::bar(rows.into_iter()),
                phrase::percent(tally.readiness())
            ),
        );
        for (_, count) in counts(tally) {
            let class = if count == 0 { "n zero" } else { "n" };
            add(text, format_args!(r#"<td class="{class}">{count}</td>"#));
        }
        text.push_str("</tr>");
    };
    for section in sections {
        let title =
            format!(r##"<a href="#c-{}">{}</a>"##, section.id, both(&section.title.en, &section.title.zh));
        row(&mut text, "", &title, &section.tally, section.rows().collect());
        for (depth, heading) in section.telling() {
            let title = both(&heading.title.en, &heading.title.zh);
            row(&mut text, &format!("sub d{}", depth + 1), &title, &heading.tally, below(section, heading));
        }
    }
    if sections.len() > 1 {
        let rows = sections.iter().flat_map(Section::rows).collect();
        row(&mut text, "", &term("total"), total, rows);
    }
    text.push_str("</tbody></table>");
    text
}

/// The rows of a heading and of all that are further in: these follow it.
fn below<'a>(section: &'a Section, heading: &Heading) -> Vec<&'a Row> {
    let mut inside = section.headings.iter().skip_while(|other| other.id != heading.id);
    let own = inside.next().into_iter();
    own.chain(inside.take_while(|other| other.depth > heading.depth)).flat_map(|other| &other.rows).collect()
}

fn legend() -> String {
    let square = |class: &str| {
        format!(
            r#"<svg viewBox="0 0 10 10"><rect class="{class}" stroke="none" width="10" height="10"/></svg>"#
        )
    };
    let mut text = String::new();
    for (status, class) in chart::SEGMENTS {
        let word = said(|language| fixed::status(status, language).to_owned());
        add(&mut text, format_args!("<span>{}{word}</span>", square(class)));
    }
    text
}

/// What no target is bound to, with the lines to paste.
fn unbound(report: &Report) -> String {
    let notes = Language::ALL.map(|language| note::unbound(report, language));
    let [en, zh] = &notes;
    if en.entries.is_empty() {
        return String::new();
    }
    let mut text = format!(
        r#"<section class="unbound" aria-labelledby="unbound"><details><summary><h2 id="unbound">{}</h2></summary><ul>"#,
        both(&en.title, &zh.title)
    );
    for (en, zh) in en.entries.iter().zip(&zh.entries) {
        add(
            &mut text,
            format_args!("<li><p><code>{}</code> {}</p>", escape(&en.name), both(&en.title, &zh.title)),
        );
        for (en, zh) in en.lines.iter().zip(&zh.lines) {
            match (en, zh) {
                (Line::Code(lines), _) => {
                    add(&mut text, format_args!("<pre>{}</pre>", escape(&lines.join("\n"))));
                }
                (Line::Advice(en) | Line::Text(en), Line::Advice(zh) | Line::Text(zh)) => {
                    add(&mut text, format_args!("<p>{}</p>", both(en, zh)));
                }
                (Line::Advice(_) | Line::Text(_), Line::Code(_)) => {}
            }
        }
        text.push_str("</li>");
    }
    text.push_str("</ul></details></section>");
    text
}

/// Buttons that filter, each with how many there are.
fn statuses(total: &Tally) -> String {
    let Tally { proven, claimed, failing, stale, open, waived, inconclusive, .. } = *total;
    let mut text = String::new();
    let mut button = |value: &str, class: &str, sign: &str, word: String, count: u32| {
        add(
            &mut text,
            format_args!(
                r#"<button type="button" class="{class}" value="{value}" aria-pressed="false"><span aria-hidden="true">{sign}</span>{word} <b>{count}</b></button>"#
            ),
        );
    };
    let every = [failing, stale, proven, claimed, open, waived];
    let order =
        [Status::Failing, Status::Stale, Status::Proven, Status::Claimed, Status::Open, Status::Waived];
    for (status, count) in order.into_iter().zip(every) {
        let word = said(|language| fixed::status(status, language).to_owned());
        button(status.word(), &format!("s-{}", status.word()), symbol(status), word, count);
    }
    let word = said(|language| fixed::Word::Inconclusive.get(language).to_owned());
    button("inconclusive", "s-unsure", "?", word, inconclusive);
    text
}

fn checklist_options(sections: &[Section], language: Language) -> String {
    let mut text = option("", word::both("any"), language);
    for section in sections {
        text.push_str(&option(section.id.as_str(), [&section.title.en, &section.title.zh], language));
    }
    text
}

fn level_options(language: Language) -> String {
    let mut text = option("", word::both("any"), language);
    for level in Level::ALL {
        let words = Language::ALL.map(|language| fixed::level(level, language));
        text.push_str(&option(level.word(), words, language));
    }
    text
}

fn tag_options(report: &Report, language: Language) -> String {
    let mut text = option("", word::both("any"), language);
    let tags: BTreeSet<_> = report.rows().flat_map(|row| &row.tags).collect();
    for tag in tags {
        text.push_str(&option(tag.as_str(), [tag.as_str(); 2], language));
    }
    text
}

/// Rows that the browser lays out together, once they come near the window: fewer lots are watched with less work, smaller
/// ones are laid out with less.
const LOT: usize = 50;

fn list(report: &Report) -> String {
    let mut text = String::new();
    for section in &report.sections {
        add(
            &mut text,
            format_args!(
                r#"<section class="checklist" id="c-{id}" aria-labelledby="h-{id}"><h3 id="h-{id}">{}</h3>"#,
                both(&section.title.en, &section.title.zh),
                id = section.id
            ),
        );
        let telling: BTreeSet<_> = section.telling().map(|(_, heading)| &heading.id).collect();
        for heading in section.headings.iter().filter(|heading| !heading.rows.is_empty()) {
            text.push_str(r#"<div class="group">"#);
            if telling.contains(&heading.id) {
                add(&mut text, format_args!("<h4>{}</h4>", both(&heading.title.en, &heading.title.zh)));
            }
            text.push_str(r#"<div class="rows">"#);
            for lot in heading.rows.chunks(LOT) {
                text.push_str(r#"<div class="lot">"#);
                for row in lot {
                    item(&mut text, row, report);
                }
                text.push_str("</div>");
            }
            text.push_str("</div></div>");
        }
        text.push_str("</section>\n");
    }
    text
}

fn item(text: &mut String, row: &Row, report: &Report) {
    let status = row.standing.status;
    add(
        text,
        format_args!(
            r#"<details class="item" id="i-{id}" data-item="{id}"><summary><span class="status s-{word}"><span class="sign" aria-hidden="true">{sign}</span>{status}{unsure}</span><span class="title">{title}</span><span class="meta"><code>{id}</code> · {level}{mark}</span></summary><div class="body">"#,
            id = row.id,
            word = status.word(),
            sign = symbol(status),
            status = said(|language| fixed::status(status, language).to_owned()),
            unsure =
                if row.standing.inconclusive.is_empty() { "" } else { r#" <span class="s-unsure">?</span>"# },
            title = both(&row.title.en, &row.title.zh),
            level = said(|language| fixed::level(row.level, language).to_owned()),
            mark = row.kept().next().map_or(String::new(), |_| format!(" · {}", term("kept"))),
        ),
    );
    let details = Language::ALL.map(|language| note::details(row, report.generated, language));
    let [en, zh] = &details;
    for ((_, en), (_, zh)) in en.iter().zip(zh) {
        add(text, format_args!(r#"<p class="why">{}</p>"#, both(en, zh)));
    }
    for (check, at) in row.kept() {
        let kept = said(|language| phrase::kept(check, at, language));
        add(text, format_args!(r#"<p class="why">{kept}</p>"#));
    }
    text.push_str("</div></details>\n");
}

/// What the script knows.
#[derive(Serialize)]
struct Data<'a> {
    words: BTreeMap<&'static str, [&'static str; 2]>,
    report: ReportView<'a>,
}

/// The data as JSON that ends no element: "<" is written as the string escape that means the same (RFC 8259, section 7).
fn data(report: &Report) -> String {
    let mut words: BTreeMap<_, _> = word::all().collect();
    words.extend(
        Outcome::ALL.map(|of| (of.word(), Language::ALL.map(|language| fixed::outcome(of, language)))),
    );
    // A step's need is called as an item's level is.
    for (need, level) in [(Need::Must, Level::Must), (Need::Should, Level::Should)] {
        words.insert(need.word(), Language::ALL.map(|language| fixed::level(level, language)));
    }
    for level in Level::ALL {
        words.insert(level.word(), Language::ALL.map(|language| fixed::level(level, language)));
    }
    let data = Data { words, report: ReportView::new(report) };
    // Strings, numbers and maps with string keys, written to memory: there is nothing that could fail.
    serde_json::to_string(&data).expect("a report is plain data").replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Point;
    use crate::report::sample;

    #[test]
    fn every_place_of_the_template_is_filled() {
        for report in sample::all() {
            for language in Language::ALL {
                let page = html(&report, language);
                let (head, data) = page.split_once(r#"<script type="application/json""#).unwrap();
                assert!(!head.contains("{{") && head.contains("</main>"), "{head}");
                // The script has braces of its own.
                assert!(data.contains(SCRIPT));
            }
        }
        // Each name between braces is known: an unknown one is filled with nothing.
        let page = html(&sample::mixed(), Language::En);
        for part in TEMPLATE.split("{{").skip(1).filter_map(|part| Some(part.split_once("}}")?.0)) {
            if let Some((_, word)) = part.split_once(':') {
                let [en, _] = word::both(word);
                assert!(en != word || part.ends_with(en), "{part} is no word");
                assert!(page.contains(&*escape(en)), "{part}");
            }
        }
    }

    #[test]
    fn every_word_that_the_script_asks_for_is_there() {
        let page = html(&sample::mixed(), Language::En);
        let data = page.split_once(r#"id="data">"#).unwrap().1.split_once("</script>").unwrap().0;
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let words = data["words"].as_object().unwrap();
        for call in ["said(\"", "fact(\"", "word(\""] {
            for part in SCRIPT.split(call).skip(1) {
                let name = part.split_once('"').unwrap().0;
                assert!(words.contains_key(name), "{name}");
            }
        }
        for name in [
            "pass",
            "fail",
            "inconclusive",
            "skip",
            "must",
            "should",
            "challenge",
            "problem",
            "warning",
            "info",
        ] {
            assert!(words.contains_key(name), "{name}");
        }
    }

    #[test]
    fn text_of_a_report_can_not_leave_its_place() {
        let page = html(&sample::hostile(), Language::En);
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script").count(), 2);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("\\u003cscript>alert(1)"));
    }

    #[test]
    fn page_fetches_nothing_and_has_no_style_that_its_policy_refuses() {
        let page = html(&sample::mixed(), Language::Zh);
        let (markup, _) = page.split_once(r#"<script type="application/json""#).unwrap();
        for outside in [" src=", " style=", "@import", "url(", "https://", " onclick="] {
            assert!(!markup.contains(outside), "{outside}");
        }
        assert!(markup.contains("default-src 'none'") && !markup.contains("unsafe"));
    }

    #[test]
    fn growth_counts_what_stands_today_and_ends_at_the_report() {
        let report = sample::mixed();
        let chart::Growth { ends, picture, of_commits } = chart::growth(&report).unwrap();
        assert_eq!((ends[1].as_str(), of_commits), ("2026-06-01 · 25%", false));
        assert!(picture.contains("f-proven") && picture.contains("H100V100Z"), "{picture}");
        assert!(chart::growth(&sample::untouched()).is_none());
        assert!(html(&sample::untouched(), Language::En).contains("Nothing is proven or claimed yet."));
    }

    #[test]
    fn growth_is_what_the_commits_held_where_they_are_known() {
        let point = |at: &str, tally| Point {
            revision: Some("a".repeat(40)),
            at: at.parse().unwrap(),
            summary: String::new(),
            tally,
            changes: vec![],
        };
        let tally = |proven_weight, weight| Tally { proven_weight, weight, ..Tally::default() };
        let report = sample::mixed().after(vec![
            point("2025-01-01T00:00:00Z", Ok(tally(0, 0))),
            point("2026-01-01T00:00:00Z", Ok(tally(5, 10))),
            // Broken, and committed where the clock was wrong.
            point("2026-02-01T00:00:00Z", Err("no value".to_owned())),
            point("2025-06-01T00:00:00Z", Ok(tally(2, 40))),
        ]);
        let chart::Growth { ends, picture, of_commits } = chart::growth(&report).unwrap();
        assert_eq!((ends[0].as_str(), of_commits), ("2026-01-01 · 50%", true));
        let whole = picture.split(r#"class="whole" d=""#).nth(1).unwrap().split('"').next().unwrap();
        let now = format!("{:.2}", 100.0 - f64::from(report.total.weight) / 0.4);
        assert_eq!(whole, format!("M0 75.00H0.00V0.00H100.00V{now}H100"));
        let page = html(&report, Language::En);
        let (markup, _) = page.split_once(r#"id="data""#).unwrap();
        assert!(markup.contains("What each commit held") && !markup.contains("What stands today:"));
    }

    #[test]
    fn page_marks_what_was_kept_and_says_of_when_it_is() {
        let page = html(&sample::worse(), Language::En);
        let row = page.split(r#"id="i-must-do.xss""#).nth(1).unwrap().split("</details>").next().unwrap();
        assert!(row.contains("kept</span>") && row.contains("kept from 2026-05-31 10:00 UTC"), "{row}");
        assert_eq!(page.matches("kept from").count(), 1);
    }

    #[test]
    fn script_has_a_sign_for_every_outcome() {
        let signs = SCRIPT.split("const outcomes = {").nth(1).unwrap().split("};").next().unwrap();
        for outcome in Outcome::ALL {
            assert!(signs.contains(&format!("{}: [", outcome.word())), "{}", outcome.word());
        }
    }

    #[test]
    fn page_has_every_item_once_in_order() {
        for report in sample::all() {
            let page = html(&report, Language::En);
            let ids: Vec<_> =
                page.split(r#"data-item=""#).skip(1).map(|part| part.split_once('"').unwrap().0).collect();
            let rows: Vec<_> = report.rows().map(|row| row.id.as_str()).collect();
            assert_eq!(ids, rows);
        }
    }
}
