//! The account of one run of one check, for whoever wants to know what was really done.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    Capability, CheckId, Digest, Evidence, Exhibit, ItemId, TargetName, Verdict, plain_line, plain_text,
};

/// Bytes of a transcript: what a person can still search. What has no more room in its own part of them is counted.
const BYTES: usize = 512 << 10;

/// Characters of one line.
const LINE: usize = 2_000;

/// What is told of one run.
#[derive(Debug, Clone)]
pub struct Transcript<'a> {
    /// When it ended.
    pub at: Timestamp,
    /// Whose proof it was to be.
    pub item: &'a ItemId,
    /// The question.
    pub check: &'a CheckId,
    /// The plugin's version.
    pub version: String,
    /// The plugin's bytes.
    pub plugin: Digest,
    /// Where they came from: "embedded", "plugins/x.wasm".
    pub place: String,
    /// Repeats it.
    pub seed: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What it could touch.
    pub targets: Vec<TranscriptTarget<'a>>,
    /// What it was allowed to do, by the plugin's own target names.
    pub allowed: Vec<&'a Capability>,
    /// What it really did.
    pub accesses: Vec<TranscriptAccess<'a>>,
    /// What it logged.
    pub log: &'a [String],
    /// What it concluded; or why it concluded nothing.
    pub conclusion: Result<&'a Verdict, String>,
    /// Why the verdict is not believed, where it is not.
    pub doubt: Option<String>,
    /// Where the run was recorded, where it was.
    pub recording: Option<String>,
}

/// A target of a run.
#[derive(Debug, Clone)]
pub struct TranscriptTarget<'a> {
    /// The plugin's name of it.
    pub asked: &'a TargetName,
    /// The workspace's.
    pub bound: &'a TargetName,
    /// What it was, where it was, and which program was behind it.
    pub facts: Vec<String>,
}

/// One use of a capability.
#[derive(Debug, Clone)]
pub struct TranscriptAccess<'a> {
    /// Since the run began.
    pub at: Duration,
    /// What was used.
    pub what: &'a str,
    /// Why it was refused or failed.
    pub refused: Option<&'a str>,
}

/// The account as text, in English and without colour: it is kept, and compared with others.
#[must_use]
pub fn transcript(of: &Transcript<'_>) -> String {
    let mut text = format!("{}  {}\n", of.item, of.check);
    let mut row =
        |name: &str, value: &str| text.push_str(&format!("  {name:<10} {}\n", plain_line(value, LINE)));
    row("ended", &of.at.to_string());
    row("took", &seconds(of.elapsed));
    row("plugin", &format!("{} {} {} ({})", of.check.plugin, of.version, of.plugin, of.place));
    row("seed", &format!("{:016x}", of.seed));
    for target in &of.targets {
        row("target", &format!("{} = {}: {}", target.asked, target.bound, target.facts.join("; ")));
    }
    let allowed: Vec<_> = of.allowed.iter().map(ToString::to_string).collect();
    row("allowed", if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(" ") }.as_str());
    if let Some(recording) = &of.recording {
        row("recording", recording);
    }
    let verdict = match &of.conclusion {
        Ok(verdict) => format!("{}: {}", verdict.outcome.word(), verdict.summary.en),
        Err(fault) => format!("none: {fault}"),
    };
    row("verdict", &verdict);
    if let Some(doubt) = &of.doubt {
        row("but", doubt);
    }
    if let Ok(verdict) = &of.conclusion {
        listed(&mut text, steps(verdict).into_iter(), BYTES / 8);
    }
    text.push_str(&format!("\naccesses ({})\n", of.accesses.len()));
    let accesses = of.accesses.iter().map(|access| {
        let refused = access.refused.map_or(String::new(), |why| format!("  ✗ {why}"));
        format!("  {:>9}  {}{refused}", seconds(access.at), access.what)
    });
    listed(&mut text, accesses, BYTES / 4);
    let evidence = of.conclusion.as_ref().map_or(&[][..], |verdict| &verdict.evidence);
    text.push_str(&format!("\nevidence ({})\n", evidence.len()));
    listed(&mut text, evidence.iter().flat_map(seen), BYTES / 4);
    text.push_str(&format!("\nlog ({})\n", of.log.len()));
    listed(&mut text, of.log.iter().map(|line| format!("  {line}")), BYTES / 8 * 3);
    text
}

fn steps(verdict: &Verdict) -> Vec<String> {
    let line = |words: &str| plain_line(words, LINE);
    let mut lines = vec![];
    for step in &verdict.steps {
        let (id, need, word) = (line(&step.id), step.need.word(), step.outcome.word());
        lines.push(format!("    {word} {id} ({need}): {}", line(&step.summary.en)));
    }
    for finding in &verdict.findings {
        let (code, word) = (line(&finding.code), finding.severity.word());
        lines.push(format!("    {word} {code}: {}", line(&finding.message.en)));
    }
    for figure in &verdict.measurements {
        let what = format!("{} {} {} {}", figure.name, figure.statistic, figure.value, figure.unit);
        lines.push(format!("    measured {} of {}", line(&what), figure.samples));
    }
    lines
}

/// What a piece of evidence is, and its lines where it is text.
fn seen(piece: &Evidence) -> Vec<String> {
    let Exhibit { label, media_type, size, digest } = Exhibit::from(piece);
    let [label, media_type] = [label, media_type].map(|words| plain_line(&words, LINE));
    let mut lines = vec![format!("  {label} ({media_type}, {size} bytes, {digest})")];
    if let Ok(text) = str::from_utf8(&piece.body) {
        lines.extend(text.lines().map(|line| format!("    {}", plain_line(line, LINE))));
    }
    lines
}

/// Adds lines as long as there is room for them; says how many were left out.
fn listed(text: &mut String, lines: impl Iterator<Item = String>, room: usize) {
    let end = text.len() + room;
    let mut left_out = 0_u64;
    for line in lines {
        let line = plain_text(&line, LINE).replace('\n', " ");
        if text.len() + line.len() < end {
            text.push_str(&line);
            text.push('\n');
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        text.push_str(&format!("  {left_out} more\n"));
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Need, Outcome, Step, Text};

    fn verdict() -> Verdict {
        let mut verdict = Verdict::undecided(Text::same("could not tell"));
        verdict.outcome = Outcome::Fail;
        verdict.steps.push(Step {
            id: "repeat".to_owned(),
            need: Need::Must,
            outcome: Outcome::Fail,
            summary: Text::same("created \u{1b}[31mtwo"),
        });
        let piece = |label: &str, media_type: &str, body: &[u8]| Evidence {
            label: label.to_owned(),
            media_type: media_type.to_owned(),
            body: body.to_vec(),
        };
        verdict.evidence = vec![
            piece("requests", "text/plain", b"POST /orders 201\nPOST /orders \x1b[2J201\n"),
            piece("screen", "image/png", b"\x89PNG\xff"),
        ];
        verdict
    }

    fn written(
        conclusion: Result<&Verdict, String>,
        accesses: &[(&str, Option<&str>)],
        log: &[String],
    ) -> String {
        let allowed = "http:api".parse().unwrap();
        let (asked, bound) = ("api".parse().unwrap(), "web".parse().unwrap());
        let facts = vec!["started: serve".to_owned(), "http://127.0.0.1:4000".to_owned()];
        transcript(&Transcript {
            at: Timestamp::UNIX_EPOCH,
            item: &"challenge.idempotent-api".parse().unwrap(),
            check: &"http-idempotency/safe-get".parse().unwrap(),
            version: "0.1.0".to_owned(),
            plugin: Digest::of(b"plugin"),
            place: "embedded".to_owned(),
            seed: 42,
            elapsed: Duration::from_millis(812),
            targets: vec![TranscriptTarget { asked: &asked, bound: &bound, facts }],
            allowed: vec![&allowed],
            accesses: accesses
                .iter()
                .map(|&(what, refused)| TranscriptAccess { at: Duration::from_millis(3), what, refused })
                .collect(),
            log,
            conclusion,
            doubt: Some("the target web ended while it was checked".to_owned()),
            recording: None,
        })
    }

    #[test]
    fn everything_that_was_opened_is_told_with_what_was_refused() {
        let accesses =
            [("http GET web /orders", None), ("read src .env", Some("denied: mustdo grant x read:src"))];
        let text = written(Ok(&verdict()), &accesses, &["info: began".to_owned()]);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_run_without_a_verdict_is_told_too() {
        let text = written(Err("was stopped after 10.0 s".to_owned()), &[("http GET web /", None)], &[]);
        assert!(text.contains("verdict    none: was stopped after 10.0 s"), "{text}");
        assert!(text.contains("0.003 s  http GET web /\n") && text.contains("log (0)"), "{text}");
    }

    #[test]
    fn a_flood_is_counted_and_no_part_drives_out_another() {
        let long = "x".repeat(1_000);
        let accesses: Vec<(&str, Option<&str>)> = (0..2_000).map(|_| (long.as_str(), None)).collect();
        let log = vec![format!("info: {long}"); 2_000];
        let mut verdict = verdict();
        verdict.evidence[0].body = format!("{long}\n").repeat(2_000).into_bytes();
        verdict.steps = vec![Step { summary: Text::same(long.as_str()), ..verdict.steps[0].clone() }; 2_000];
        let text = written(Ok(&verdict), &accesses, &log);
        assert!(text.len() < BYTES + 1_000, "{}", text.len());
        assert!(text.contains("\naccesses (2000)\n") && text.contains("\nlog (2000)\n"));
        assert_eq!(text.matches(" more\n").count(), 4);
        for (part, least) in [("(must): x", 50), (" s  x", 100), ("\n    xxx", 100), ("  info: x", 150)] {
            assert!(text.matches(part).count() > least, "{part}");
        }
    }

    #[test]
    fn nothing_in_it_steers_a_terminal() {
        let log = ["info: a\u{1b}[2Jb\r\nverdict    pass".to_owned()];
        let text = written(Err("x\u{1b}]0;t\u{7}y\nz".to_owned()), &[("a\nb\u{9b}2J", None)], &log);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.contains("verdict ")).count(), 2, "{text}");
        assert!(!text.contains("\nverdict"), "{text}");
    }
}
