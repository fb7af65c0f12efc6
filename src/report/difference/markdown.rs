//! The difference as GitHub-flavoured Markdown, for a comment on a pull request.

use super::super::markdown::escape;
use super::super::paint::symbol;
use super::{Difference, phrase};
use crate::model::Language;

/// The difference.
pub(super) fn markdown(difference: &Difference, language: Language) -> String {
    let Difference { version, workspace, input } = difference;
    let mut lines = vec!["## mustdo".to_owned(), String::new()];
    let mut parts = vec![format!("mustdo {version}")];
    parts.extend((!workspace.is_empty()).then(|| workspace.clone()));
    parts.push(phrase::range(difference, language));
    lines.push(escape(&parts.join(" · ")));
    lines.push(String::new());
    lines.push(format!("**{}**", escape(&phrase::readiness(&input.before, &input.after, language))));
    if input.checklists.is_empty() && input.items.is_empty() {
        lines.extend([String::new(), phrase::nothing(language).to_owned()]);
    }
    if difference.progress().next().is_some() {
        lines.extend([String::new(), format!("### {}", phrase::progress(language)), String::new()]);
        for item in difference.progress() {
            // A bare minus would begin another list.
            let sign = item.after.map_or("`-`", symbol);
            let [before, after] = [item.before, item.after].map(|status| phrase::status(status, language));
            let title = escape(item.title.get(language));
            lines.push(format!("- {sign} `{}` {title}: {before} → {after}", item.id));
            let reasons = phrase::reasons(item, language);
            lines.extend(reasons.iter().map(|reason| format!("  - {}", escape(reason))));
        }
    }
    if !input.checklists.is_empty() || difference.content().next().is_some() {
        lines.extend([String::new(), format!("### {}", phrase::content(language)), String::new()]);
        for row in &input.checklists {
            let line = phrase::versions(&row.id, row.before.as_deref(), row.after.as_deref(), language);
            lines.push(format!("- {}", escape(&line)));
        }
        for item in difference.content() {
            // A sign at the start of a list item would begin another list.
            let sign = format!("`{}`", phrase::sign(item));
            let title = escape(item.title.get(language));
            let aspects = match phrase::aspects(item, language) {
                aspects if aspects.is_empty() => aspects,
                aspects => format!(": {}", escape(&aspects)),
            };
            lines.push(format!("- {sign} `{}` {title}{aspects}", item.id));
        }
    }
    let again = difference.again();
    if again > 0 {
        lines.extend([String::new(), escape(&phrase::again(again, language))]);
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn markdown_says_what_the_text_says() {
        for language in Language::ALL {
            insta::assert_snapshot!(
                format!("markdown-{language}"),
                markdown(&sample::difference(), language)
            );
        }
        assert!(markdown(&sample::same(), Language::En).contains("Nothing is different."));
    }
}
