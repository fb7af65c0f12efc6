//! `cases.toml`: what a plugin's checks are proven with. Reading it, holding it against what the plugin says of itself,
//! and writing into it where recordings are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml_edit::Item;

use super::binding::{kinds, params, unasked};
use super::edit::{edit, line, put};
use super::mark::TargetMarks;
use super::parameter::{Writer, parameters, targets};
use super::table::{Field, Table, document, quoted};
use super::target::target;
use super::{BrokenText, Code, Diagnostic, Read, Source, Spot, Unfit};
use crate::model::{
    Case, CaseId, Cases, CheckId, CheckInfo, Expect, Outcome, PluginInfo, TargetName, nearest,
};

/// What may be expected of a case: a check that skips everything has judged nothing.
const EXPECTED: [Outcome; 3] = [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive];

/// Cases and where their parts are written.
#[derive(Debug, Clone)]
pub struct CasesFile {
    cases: Cases,
    source: Source,
    /// As many as there are cases.
    marks: Vec<Marks>,
}

#[derive(Debug, Clone)]
struct Marks {
    check: Range<usize>,
    with: Range<usize>,
    target: TargetMarks,
}

impl CasesFile {
    /// What it says.
    #[must_use]
    pub fn cases(&self) -> &Cases {
        &self.cases
    }

    /// What `plugin` has to say about it: whether it has the checks, asks for the targets and takes the parameters.
    #[must_use]
    pub fn check(&self, plugin: &PluginInfo) -> Vec<Diagnostic> {
        let mut found = vec![];
        for (case, marks) in self.cases.cases.iter().zip(&self.marks) {
            let spot = |span: &Range<usize>| self.source.spot(span.clone());
            let Some(check) = plugin.check(&case.check) else {
                let message = format!(
                    "the plugin \"{}\" {} has no check \"{}\"",
                    plugin.id, plugin.version, case.check
                );
                let unknown = Diagnostic::new(Code::UnknownCheck, message, spot(&marks.check), "");
                let checks = plugin.checks.iter().map(|check| &*check.id);
                found.push(unknown.did_you_mean(nearest(&case.check, checks)));
                continue;
            };
            if let Err(Unfit { missing, wrong }) = params(check, &case.with) {
                let missing =
                    missing.iter().map(|name| format!("{} takes a parameter \"{name}\"", case.check));
                for message in wrong.into_iter().chain(missing) {
                    found.push(Diagnostic::new(Code::RefusedParameter, message, spot(&marks.with), ""));
                }
            }
            self.targets(case, marks, plugin, check, &mut found);
        }
        found
    }

    fn targets(
        &self,
        case: &Case,
        marks: &Marks,
        plugin: &PluginInfo,
        check: &CheckInfo,
        found: &mut Vec<Diagnostic>,
    ) {
        for (asked, (key, value)) in &marks.target {
            let Some(kinds) = kinds(check, asked) else {
                let uses = CheckId { plugin: plugin.id.clone(), check: check.id.clone() };
                found.push(unasked(&uses, asked, check, self.source.spot(key.clone())));
                continue;
            };
            let Some(bound) = self.cases.targets.get(case.bound(asked)) else { continue };
            let kind = bound.place.kind();
            if !kinds.contains(&kind) {
                let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
                let message = format!(
                    "\"{}\" is a target of kind \"{kind}\"; {} wants {} there",
                    case.bound(asked),
                    check.id,
                    quoted(&words, "or")
                );
                found.push(Diagnostic::new(Code::TargetKind, message, self.spot(value), ""));
            }
        }
    }

    fn spot(&self, span: &Range<usize>) -> Spot {
        self.source.spot(span.clone())
    }
}

/// Reads `cases.toml` and holds it against every rule that needs no plugin.
#[must_use]
pub fn read_cases(source: &Source) -> Read<CasesFile> {
    document(source, |mut table| {
        table.format()?;
        let (mut targets, mut unread) = (BTreeMap::new(), BTreeSet::new());
        let entries = table.optional("targets").and_then(|field| field.table("the targets"));
        for field in entries.iter().flat_map(Table::entries) {
            let Some(name) = field.parse_key::<TargetName>(Code::BadName) else { continue };
            match target(&field) {
                Some(target) => drop(targets.insert(name, target)),
                None => drop(unread.insert(name)),
            }
        }
        let mut reader = Reader { targets: &targets, unread, names: BTreeMap::new(), source };
        let fields = table.optional("case").and_then(|field| field.list());
        let read: Vec<_> = fields.into_iter().flatten().filter_map(|field| reader.case(&field)).collect();
        table.close();
        let (cases, marks) = read.into_iter().unzip();
        Some(CasesFile { cases: Cases { targets, cases }, source: source.clone(), marks })
    })
}

struct Reader<'a> {
    targets: &'a BTreeMap<TargetName, crate::model::Target>,
    /// Targets that are there but could not be read.
    unread: BTreeSet<TargetName>,
    /// Where each name stood first.
    names: BTreeMap<CaseId, Range<usize>>,
    source: &'a Source,
}

impl Reader<'_> {
    fn case(&mut self, field: &Field<'_>) -> Option<(Case, Marks)> {
        let mut table = field.table("a case")?;
        let name_field = table.required("name");
        let check_field = table.required("check");
        let expect = expect(&mut table);
        let with_field = table.optional("with");
        let target_field = table.optional("target");
        let args_field = table.optional("args");
        let recording = table.optional("recording").and_then(|field| recording(&field));
        table.close();
        let with = with_field.as_ref().map(|field| parameters(field, Writer::Prover).0).unwrap_or_default();
        let (target, marks) = target_field.map(|field| targets(&field)).unwrap_or_default();
        for (asked, bound) in &target {
            self.known(field, bound, marks[asked].1.clone());
        }
        let args = args_field.map(|field| self.args(&field)).unwrap_or_default();
        let (name_field, check_field) = (name_field?, check_field?);
        let name: Option<CaseId> = name_field.parse(Code::BadName);
        if let Some(name) = &name {
            if let Some(first) = self.names.get(name) {
                let message = format!("two cases are called \"{name}\"");
                let twice = Diagnostic::new(Code::DuplicateId, message, name_field.spot(), "");
                name_field.push(twice.also(self.source.spot(first.clone()), "first here"));
            } else {
                self.names.insert(name.clone(), name_field.span());
            }
        }
        let marks = Marks {
            check: check_field.span(),
            with: with_field.as_ref().map_or_else(|| check_field.span(), Field::span),
            target: marks,
        };
        let case = Case {
            name: name?,
            check: check_field.words()?.into(),
            expect: expect?,
            with,
            target,
            args,
            recording,
        };
        Some((case, marks))
    }

    /// Reads `args = { web = ["no-links"] }`: by the name of a target that is started.
    fn args(&self, field: &Field<'_>) -> BTreeMap<TargetName, Vec<String>> {
        let mut args = BTreeMap::new();
        for entry in field.table("an argument table").iter().flat_map(Table::entries) {
            let Some(name) = entry.parse_key::<TargetName>(Code::BadName) else { continue };
            self.known(&entry, &name, entry.key());
            if self.targets.get(&name).is_some_and(|target| target.launch.is_none()) {
                let message = format!("arguments for \"{name}\" have no effect: it has no \"run\"");
                entry.report_key(Code::UselessKey, message, "add run = [\"PROGRAM\", …] to the target");
            }
            args.insert(name, entry.texts());
        }
        args
    }

    fn known(&self, field: &Field<'_>, name: &TargetName, span: Range<usize>) {
        if !self.targets.contains_key(name) && !self.unread.contains(name) {
            let message = format!("there is no target \"{name}\" in this file");
            let unknown = Diagnostic::new(Code::UnknownCaseTarget, message, self.source.spot(span), "");
            field.push(
                unknown.did_you_mean(nearest(name.as_str(), self.targets.keys().map(TargetName::as_str))),
            );
        }
    }
}

/// Reads `expect`, and `step` which belongs to a case that fails.
fn expect(table: &mut Table<'_>) -> Option<Expect> {
    let expected = table.required("expect").and_then(|field| field.word(EXPECTED, Outcome::word));
    let fails = expected == Some(Outcome::Fail);
    let step = if fails { table.required("step") } else { table.optional("step") };
    if let Some(field) = step.as_ref().filter(|_| expected.is_some() && !fails) {
        let message = "\"step\" has no effect: it is the must step because of which a case fails";
        field.report_key(Code::UselessKey, message, "remove it, or write expect = \"fail\"");
    }
    match expected? {
        Outcome::Fail => Some(Expect::Fail { step: step?.words()?.into() }),
        Outcome::Pass => Some(Expect::Pass),
        Outcome::Inconclusive | Outcome::Skip | Outcome::Flaky => Some(Expect::Inconclusive),
    }
}

/// Reads where a recording is: a path that stays in the plugin's folder.
fn recording(field: &Field<'_>) -> Option<String> {
    let path = field.words()?;
    let leaves = path.starts_with('/') || path.contains(['\\', '\0']);
    if leaves || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let message = format!("\"{}\" is no file of the plugin's folder", path.escape_debug());
        field.report(Code::BadName, message, "write it relative to cases.toml: \"cases/NAME.jsonl\"");
        return None;
    }
    Some(path.to_owned())
}

/// The text of `cases.toml` with these cases pointing at these recordings; all else stays as it is. [`BrokenText`] where
/// `old` is not what [`read_cases`] reads.
pub fn point_cases(old: &str, recordings: &BTreeMap<CaseId, String>) -> Result<String, BrokenText> {
    edit(old, |document| {
        let cases = document.get_mut("case").and_then(Item::as_array_of_tables_mut).ok_or(BrokenText)?;
        for table in cases.iter_mut() {
            let path = table.get("name").and_then(Item::as_str).and_then(|name| recordings.get(name));
            if let Some(path) =
                path.filter(|path| table.get("recording").and_then(Item::as_str) != Some(path))
            {
                put(table, "recording", Some(line(path)));
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "format = 1\n\n[targets.api]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}\"\n\
        run = [\"serve\", \"{port}\"]\n\n[[case]]\nname = \"right\" # the good one\ncheck = \"walk\"\nexpect = \"pass\"\n\n\
        [[case]]\nname = \"skips\"\ncheck = \"walk\"\nexpect = \"fail\"\nstep = \"pages\"\nwith = { path = \"/a\" }\n\
        args = { api = [\"skips\"] }\n";

    fn read(text: &str) -> Cases {
        let read = read_cases(&Source::new("cases.toml", text));
        assert_eq!(read.diagnostics, [], "{text}");
        read.value.unwrap().cases
    }

    #[test]
    fn cases_are_read_in_their_order() {
        let cases = read(TEXT);
        let [right, skips] = &cases.cases[..] else { panic!("{cases:?}") };
        assert_eq!((right.name.as_str(), &right.expect), ("right", &Expect::Pass));
        assert_eq!((&*skips.check, skips.expect.step()), ("walk", Some("pages")));
        let api: TargetName = "api".parse().unwrap();
        assert_eq!((skips.bound(&api), &skips.args[&api][..]), (&api, &["skips".to_owned()][..]));
        assert!(cases.targets[&api].launch.is_some());
    }

    #[test]
    fn recordings_are_pointed_at_and_the_rest_stays() {
        let places = BTreeMap::from([("skips".parse().unwrap(), "cases/skips.jsonl".to_owned())]);
        let text = point_cases(TEXT, &places).unwrap();
        assert_eq!(text, TEXT.to_owned() + "recording = \"cases/skips.jsonl\"\n");
        assert_eq!(read(&text).cases[1].recording.as_deref(), Some("cases/skips.jsonl"));
        assert_eq!(point_cases(&text, &places).unwrap(), text);
        assert_eq!(point_cases("case = 1", &places), Err(BrokenText));
    }

    #[test]
    fn plugin_is_asked_about_checks_parameters_and_targets() {
        let check = CheckInfo {
            id: "walk".into(),
            title: crate::model::Text::default(),
            description: crate::model::Text::default(),
            params_schema: None,
            capabilities: vec![],
            typical: std::time::Duration::from_secs(1),
            exclusive: false,
        };
        let plugin = PluginInfo {
            id: "acme:it".parse().unwrap(),
            version: semver::Version::new(1, 0, 0),
            title: crate::model::Text::default(),
            license: String::new(),
            homepage: String::new(),
            checks: vec![check],
        };
        let text =
            TEXT.replacen("\"walk\"", "\"wlak\"", 1).replace("args", "target = { api = \"api\" }\nargs");
        let file = read_cases(&Source::new("cases.toml", text)).value.unwrap();
        let codes: Vec<_> = file.check(&plugin).into_iter().map(|found| found.code).collect();
        assert_eq!(codes, [Code::UnknownCheck, Code::RefusedParameter, Code::UnaskedTarget]);
    }
}
