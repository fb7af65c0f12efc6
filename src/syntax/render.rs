//! Diagnostics as people read them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};

use super::{Diagnostic, Label, Severity, Source};
use crate::model::is_invisible;

/// Shows diagnostics one after the other, each with code, file, line, column, the line itself and a caret, a blank line
/// between them and a newline at the end; nothing for none. Columns count characters, carets follow the width that
/// characters have on a terminal, and control characters are made visible. With `color` there are ANSI escapes.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut lines = Lines::default();
    let mut text = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&renderer.render(&[report(diagnostic, &mut lines)]));
        text.push('\n');
    }
    text
}

fn report<'a>(diagnostic: &'a Diagnostic, lines: &mut Lines) -> annotate_snippets::Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&diagnostic.message)).id(diagnostic.code.code());
    let mut group = annotate_snippets::Group::with_title(title);
    // Labels on neighbouring lines of one file share a window; each window is all that the renderer has to look at.
    let mut windows: Vec<(Range<usize>, Vec<&Label>)> = vec![];
    for label in &diagnostic.labels {
        let shown = lines.around(&label.source, &label.span);
        let near = windows.iter_mut().find(|(window, labels)| {
            labels[0].source.name == label.source.name
                && window.start <= shown.end
                && shown.start <= window.end
        });
        if let Some((window, labels)) = near {
            *window = window.start.min(shown.start)..window.end.max(shown.end);
            labels.push(label);
        } else {
            windows.push((shown, vec![label]));
        }
    }
    for (window, labels) in windows {
        let source = &labels[0].source;
        let (number, bytes) = lines.bytes(source, window);
        let window = &source.text[bytes.clone()];
        let mut snippet =
            Snippet::source(drawn(window)).line_start(number).path(visible(&source.name)).fold(true);
        for label in labels {
            let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let span = within(&source.text, &label.span, &bytes);
            let span = drawn(&window[..span.start]).len()..drawn(&window[..span.end]).len();
            let text = Some(visible(&label.text)).filter(|text| !text.is_empty());
            snippet = snippet.annotation(kind.span(span).label(text));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Element::from(Level::HELP.message(visible(help))));
    }
    group
}

/// A span relative to a window, on borders of characters, never past the end of what is shown.
fn within(text: &str, span: &Range<usize>, window: &Range<usize>) -> Range<usize> {
    let fit = |at: usize| text.floor_char_boundary(at.clamp(window.start, window.end)) - window.start;
    let (start, end) = (fit(span.start), fit(span.end));
    start..end.max(start)
}

/// Control characters, and those that draw nothing and change what is drawn, as escapes: what a file holds must not be
/// able to steer a terminal.
fn visible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || is_invisible(c);
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Lines of a file with every character that draws nothing replaced by one that does, so that a caret can stand under
/// it. The renderer does the same with ASCII's control characters, and not with those of ISO 6429 (C1), which a terminal
/// also obeys.
fn drawn(text: &str) -> Cow<'_, str> {
    let steers = |c: char| matches!(c, '\u{80}'..='\u{9f}') || is_invisible(c);
    if text.contains(steers) { Cow::Owned(text.replace(steers, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Where the lines of each text begin, found once for each.
#[derive(Default)]
struct Lines {
    starts: HashMap<*const u8, Vec<usize>>,
}

impl Lines {
    fn starts(&mut self, source: &Source) -> &[usize] {
        self.starts.entry(source.text.as_ptr()).or_insert_with(|| {
            let newlines = source.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect()
        })
    }

    /// The lines, counted from 0, that hold a span, and one more on each side.
    fn around(&mut self, source: &Source, span: &Range<usize>) -> Range<usize> {
        let starts = self.starts(source);
        let line = |at: usize| starts.partition_point(|&start| start <= at).saturating_sub(1);
        let (first, last) = (line(span.start), line(span.end.max(span.start)));
        first.saturating_sub(1)..(last + 2).min(starts.len())
    }

    /// The number of the first of some lines, counted from 1, and their bytes without the newline at the end.
    fn bytes(&mut self, source: &Source, lines: Range<usize>) -> (usize, Range<usize>) {
        let starts = self.starts(source);
        let mut start = starts[lines.start];
        let mut end = starts.get(lines.end).map_or(source.text.len(), |next| next - 1);
        if source.text[start..end].ends_with('\r') {
            end -= 1;
        }
        if source.text[start..end].starts_with('\u{feff}') {
            start += '\u{feff}'.len_utf8();
        }
        (lines.start + 1, start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let spot = Source::new("a.toml", text).spot(span);
        render(&[Diagnostic::new(Code::Syntax, "wrong", spot, "")], false)
    }

    #[test]
    fn caret_stands_under_what_is_wide_and_columns_count_characters() {
        let text = "x = { zh = \"灰度\", y = 1 }\n";
        let at = text.find("1 }").unwrap();
        let shown = shown(text, at..at + 1);
        assert!(shown.contains("a.toml:1:22\n"), "{shown}");
        let caret = shown.lines().find_map(|line| line.find('^')).unwrap();
        let line = shown.lines().find(|line| line.contains("灰度")).unwrap();
        let before = &line[..line.find("1 }").unwrap()];
        assert_eq!(unicode_width::UnicodeWidthStr::width(before), caret, "{shown}");
    }

    #[test]
    fn windows_line_endings_and_a_byte_order_mark_move_nothing() {
        for (text, span) in [("\u{feff}a = 1\r\nb = 2\r\n", 7..8), ("a = 1\nb = 2\n", 4..5)] {
            let shown = shown(text, span);
            assert_eq!(shown, "error[E0101]: wrong\n --> a.toml:1:5\n  |\n1 | a = 1\n  |     ^\n");
        }
    }

    #[test]
    fn text_can_not_steer_the_terminal() {
        let text = "a = \"\u{1b}[2J\u{7}\u{202e}\u{9b}31m\"";
        let source = Source::new("\u{1b}[31m.toml", text);
        let found = Diagnostic::new(Code::Syntax, "\u{1b}]0;x\u{7}", source.spot(4..text.len()), "\u{9b}")
            .help("\u{202e}help");
        let shown = render(&[found], false);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{0}']), "{shown:?}");
    }

    #[test]
    fn invisible_characters_are_seen_and_carets_stay_under_what_they_mean() {
        let text = "a\u{200b}\u{feff}\u{e0041} = 1\n";
        let at = text.find('1').unwrap();
        let shown = shown(text, at..at + 1);
        assert!(shown.contains("1 | a\u{fffd}\u{fffd}\u{fffd} = 1\n  |        ^\n"), "{shown}");
        assert!(shown.contains("a.toml:1:8\n"), "{shown}");
    }

    #[test]
    fn span_past_the_end_or_inside_a_character_is_shown_nearby() {
        for span in [0..100, 100..100, 1..2, 5..6] {
            assert!(shown("灰度 = 1", span).contains("a.toml:1:"));
        }
        assert!(shown("", 0..0).contains("a.toml:1:1"));
    }

    #[test]
    fn far_apart_labels_do_not_drag_the_lines_between_along() {
        let text = "x = 1\n".repeat(1000);
        let source = Source::new("a.toml", text);
        let found = Diagnostic::new(Code::DuplicateId, "twice", source.spot(5994..5995), "again here")
            .also(source.spot(0..1), "first here");
        let shown = render(&[found], false);
        assert!(shown.contains("a.toml:1000:1") && shown.contains("a.toml:1:1"), "{shown}");
        assert!(shown.lines().count() < 12, "{shown}");
    }
}
