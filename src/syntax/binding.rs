//! What plugins have to say about content and settings: whether they know the checks, the targets and the parameters.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::json::params_json;
use super::mark::{Inside, ParameterMarks};
use super::shape::{Fit, Refusal, Shape};
use super::table::quoted;
use super::{Code, Diagnostic, Places, SettingsFile, Source, Spot};
use crate::model::{
    Capability, Catalog, CheckId, CheckInfo, Definition, Item, PluginId, PluginInfo, Settings, TargetKind,
    TargetName, Value, nearest,
};

/// Parameters that a check can not be asked with. Never both empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfit {
    /// Parameters it has to be given; where one of several will do, all of them.
    pub missing: Vec<String>,
    /// What is wrong with those that were given, a sentence each.
    pub wrong: Vec<String>,
}

/// The parameters as JSON text, once they fit what `check` takes.
pub fn params(check: &CheckInfo, with: &BTreeMap<String, Value>) -> Result<String, Unfit> {
    let unfit = match check.params_schema.as_deref().map(Shape::compile) {
        None => {
            Unfit { missing: vec![], wrong: with.keys().map(|name| refused(name, NO_PARAMETERS)).collect() }
        }
        Some(Err(error)) => {
            Unfit { missing: vec![], wrong: vec![format!("the plugin's schema is broken: {error}")] }
        }
        Some(Ok(shape)) => {
            let fit = shape.judge(with);
            let wrong = fit.refusals.iter().map(|refusal| refused(&refusal.path.join("."), &refusal.reason));
            Unfit { wrong: wrong.collect(), missing: fit.missing.into_iter().collect() }
        }
    };
    if unfit == Unfit::default() { Ok(params_json(with)) } else { Err(unfit) }
}

const NO_PARAMETERS: &str = "the check takes no parameters";

fn refused(name: &str, reason: &str) -> String {
    format!("parameter \"{name}\": {reason}")
}

/// Holds content and settings against the plugins. What is merely not bound yet is no problem.
#[must_use]
pub fn check_bindings<'p>(
    catalog: &Catalog,
    places: &Places,
    settings: &SettingsFile,
    plugins: &dyn Fn(&PluginId) -> Option<&'p PluginInfo>,
) -> Vec<Diagnostic> {
    let mut checker = Checker { places, settings, plugins, shapes: HashMap::new(), found: vec![] };
    let mut used = BTreeSet::new();
    for item in catalog.items() {
        used.extend(item.checks.iter().map(|check| &check.uses.plugin));
    }
    let known: Vec<_> = used.into_iter().filter(|&plugin| plugins(plugin).is_some()).collect();
    for item in catalog.items() {
        checker.item(item, &known);
    }
    checker.bindings(catalog);
    checker.grants(&known);
    checker.found
}

struct Checker<'a, 'p> {
    places: &'a Places,
    settings: &'a SettingsFile,
    plugins: &'a dyn Fn(&PluginId) -> Option<&'p PluginInfo>,
    /// Compiled once for all items; none for checks without parameters or with a broken schema.
    shapes: HashMap<CheckId, Option<Shape>>,
    found: Vec<Diagnostic>,
}

impl<'p> Checker<'_, 'p> {
    fn item(&mut self, item: &Item, known: &[&PluginId]) {
        for (position, definition) in self.settings.settings.definitions(item).iter().enumerate() {
            let Some(uses) = self.places.check(&item.id, position) else { continue };
            let Some(check) = self.check(&definition.uses, uses.clone(), known) else { continue };
            self.targets(item, position, definition, check);
            self.parameters(item, position, definition, check, &uses);
        }
    }

    fn check(&mut self, id: &CheckId, uses: Spot, known: &[&PluginId]) -> Option<&'p CheckInfo> {
        let Some(plugin) = (self.plugins)(&id.plugin) else {
            let message = format!("there is no plugin \"{}\"", id.plugin);
            let unknown = Diagnostic::new(Code::UnknownPlugin, message, uses, "");
            let known = known.iter().map(|plugin| plugin.as_str());
            self.found.push(unknown.did_you_mean(nearest(id.plugin.as_str(), known)));
            return None;
        };
        let check = plugin.check(&id.check);
        if check.is_none() {
            let message =
                format!("the plugin \"{}\" {} has no check \"{}\"", plugin.id, plugin.version, id.check);
            let unknown = Diagnostic::new(Code::UnknownCheck, message, uses, "");
            let checks = plugin.checks.iter().map(|check| &*check.id);
            self.found.push(unknown.did_you_mean(nearest(&id.check, checks)));
        }
        check
    }

    /// Whether every name bound is asked for, and what it is bound to is of the right kind.
    fn targets(&mut self, item: &Item, position: usize, definition: &Definition, check: &CheckInfo) {
        let below = self.places.check_marks(&item.id, position);
        let above = self.settings.marks.bindings.get(&item.id);
        for (asked, bound) in &definition.target {
            let own = below.and_then(|(source, marks)| Some((source, marks.target.get(asked)?)));
            let laid = above.and_then(|marks| Some((&self.settings.source, marks.target.get(asked)?)));
            let kinds = kinds(check, asked);
            if let (None, Some((source, (key, _)))) = (&kinds, own) {
                let spot = source.spot(key.clone());
                self.found.push(unasked(&definition.uses, asked, check, spot));
            }
            let (Some(kinds), Some(target)) = (kinds, self.settings.settings.targets.get(bound)) else {
                continue;
            };
            let kind = target.place.kind();
            let Some((source, (_, value))) = laid.or(own).filter(|_| !kinds.contains(&kind)) else {
                continue;
            };
            let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
            let message = format!(
                "\"{bound}\" is a target of kind \"{kind}\"; {} wants {} there",
                definition.uses,
                quoted(&words, "or")
            );
            self.found.push(Diagnostic::new(Code::TargetKind, message, source.spot(value.clone()), ""));
        }
    }

    fn parameters(
        &mut self,
        item: &Item,
        position: usize,
        definition: &Definition,
        check: &CheckInfo,
        uses: &Spot,
    ) {
        let broken = &mut self.found;
        let shape = self.shapes.entry(definition.uses.clone()).or_insert_with(|| {
            let compiled = check.params_schema.as_deref().map(Shape::compile)?;
            let told = |error| {
                let message = format!("{} describes its parameters wrongly: {error}", definition.uses);
                let broken_schema = Diagnostic::new(Code::BrokenSchema, message, uses.clone(), "");
                broken.push(broken_schema.help("this is a fault of the plugin: tell its author"));
            };
            compiled.map_err(told).ok()
        });
        let fit = match (&shape, &check.params_schema) {
            (Some(shape), _) => shape.judge(&definition.with),
            (None, None) => Fit { refusals: all_refused(definition), missing: BTreeSet::new() },
            (None, Some(_)) => return,
        };
        let layers = [
            self.settings.marks.bindings.get(&item.id).map(|marks| (&self.settings.source, &marks.with)),
            self.places.check_marks(&item.id, position).map(|(source, marks)| (source, &marks.with)),
        ];
        for refusal in fit.refusals {
            let name = refusal.path.join(".");
            let message = match &*name {
                "" => format!("parameters of {}: {}", definition.uses, refusal.reason),
                name => format!("parameter \"{name}\" of {}: {}", definition.uses, refusal.reason),
            };
            let spot = layers
                .into_iter()
                .flatten()
                .filter_map(|(source, marks)| Some((source, deepest(marks, &refusal.path)?)))
                // Of two layers that reach equally deep, the upper one is in force.
                .reduce(|upper, lower| if lower.1.0 > upper.1.0 { lower } else { upper })
                .map_or_else(|| uses.clone(), |(source, (_, span))| Source::spot(source, span));
            let refused = Diagnostic::new(Code::RefusedParameter, message, spot, "");
            self.found.push(refused.did_you_mean(refusal.nearest.as_deref()));
        }
    }

    /// What only `mustdo.toml` can have wrong.
    fn bindings(&mut self, catalog: &Catalog) {
        for (id, marks) in &self.settings.marks.bindings {
            let source = &self.settings.source;
            let Some(item) = catalog.item(id) else {
                let message = format!("no item is called \"{id}\"");
                let unknown = Diagnostic::new(Code::UnknownItem, message, source.spot(marks.id.clone()), "");
                self.found.push(match catalog.renamed(id) {
                    Some(now) => unknown.help(format!("it is called \"{now}\" now")),
                    None => unknown
                        .did_you_mean(nearest(id.as_str(), catalog.items().map(|item| item.id.as_str()))),
                });
                continue;
            };
            let checks = item.checks.iter().map(|check| {
                let plugin = (self.plugins)(&check.uses.plugin)?;
                Some((&check.uses, plugin.check(&check.uses.check)?))
            });
            let checks: Option<Vec<_>> = checks.collect();
            for (asked, (key, value)) in &marks.target {
                // Where a check is not known, what it asks for is not known either.
                let nobody = checks.as_deref().filter(|checks| {
                    !checks.is_empty() && checks.iter().all(|(_, check)| kinds(check, asked).is_none())
                });
                if let Some((uses, check)) = nobody.and_then(<[_]>::first) {
                    self.found.push(unasked(uses, asked, check, source.spot(key.clone())));
                }
                let Some(bound) =
                    self.settings.settings.bindings.get(id).and_then(|own| own.target.get(asked))
                else {
                    continue;
                };
                let spot = source.spot(value.clone());
                self.found.extend(unknown_target(self.settings, bound, spot));
            }
        }
    }

    fn grants(&mut self, known: &[&PluginId]) {
        let settings = &self.settings.settings;
        for (plugin, marks) in &self.settings.marks.grants {
            let source = &self.settings.source;
            if (self.plugins)(plugin).is_none() {
                let message = format!("there is no plugin \"{plugin}\", so the grant has no effect");
                let spot = source.spot(marks.plugin.clone());
                let known = known.iter().map(|plugin| plugin.as_str());
                let unknown = Diagnostic::new(Code::UnknownGrant, message, spot, "");
                self.found.push(unknown.did_you_mean(nearest(plugin.as_str(), known)));
            }
            for (capability, span) in &marks.allow {
                let Some(target) = capability.target() else { continue };
                self.found.extend(unknown_target(self.settings, target, source.spot(span.clone())));
                self.found.extend(without_program(settings, plugin, capability, source.spot(span.clone())));
            }
        }
    }
}

/// What is wrong with a permission to start a command target that does not say which program that is.
fn without_program(
    settings: &Settings,
    plugin: &PluginId,
    capability: &Capability,
    spot: Spot,
) -> Option<Diagnostic> {
    let Capability::Process(target) = capability else { return None };
    let command = settings.targets.get(target)?.place.kind() == TargetKind::Command;
    if !command || settings.grants.get(plugin)?.programs.contains_key(target) {
        return None;
    }
    let message = format!("\"{capability}\" does not say which program, so it is asked for again");
    let without = Diagnostic::new(Code::GrantWithoutProgram, message, spot, "");
    Some(without.help(format!("mustdo grant {plugin} {capability}")))
}

/// The kinds of target that do for everything `check` asks of the target `name`; none where it does not ask for it.
pub(super) fn kinds(check: &CheckInfo, name: &TargetName) -> Option<Vec<TargetKind>> {
    let requests = check.capabilities.iter().map(|request| &request.capability);
    let asked: Vec<_> = requests.filter(|capability| capability.target() == Some(name)).collect();
    if asked.is_empty() {
        return None;
    }
    let fits = |kind: &TargetKind| asked.iter().all(|capability| capability.kinds().contains(kind));
    Some(TargetKind::ALL.into_iter().filter(fits).collect())
}

pub(super) fn unasked(uses: &CheckId, name: &TargetName, check: &CheckInfo, spot: Spot) -> Diagnostic {
    let names: BTreeSet<_> =
        check.capabilities.iter().filter_map(|request| request.capability.target()).collect();
    let names: Vec<_> = names.into_iter().map(TargetName::as_str).collect();
    let unasked =
        Diagnostic::new(Code::UnaskedTarget, format!("{uses} asks for no target \"{name}\""), spot, "");
    match nearest(name.as_str(), names.iter().copied()) {
        Some(nearest) => unasked.did_you_mean(Some(nearest)),
        None if names.is_empty() => unasked.help("it asks for no target at all"),
        None => unasked.help(format!("it asks for {}", quoted(&names, "and"))),
    }
}

fn unknown_target(file: &SettingsFile, target: &TargetName, spot: Spot) -> Option<Diagnostic> {
    let targets = &file.settings.targets;
    if targets.contains_key(target) || file.marks.unread.contains(target) {
        return None;
    }
    let message = format!("there is no target \"{target}\" in this file");
    let unknown = Diagnostic::new(Code::UnknownTarget, message, spot, "");
    Some(match nearest(target.as_str(), targets.keys().map(TargetName::as_str)) {
        Some(nearest) => unknown.did_you_mean(Some(nearest)),
        None => unknown.help(format!("add [targets.{target}]")),
    })
}

fn all_refused(definition: &Definition) -> Vec<Refusal> {
    let refuse =
        |name: &String| Refusal { path: vec![name.clone()], reason: NO_PARAMETERS.to_owned(), nearest: None };
    definition.with.keys().map(refuse).collect()
}

/// How far along `path` the parameters go, and where they end: the value where they go all the way, the key where not.
fn deepest(marks: &ParameterMarks, path: &[String]) -> Option<(usize, std::ops::Range<usize>)> {
    let mut mark = marks.get(path.first()?)?;
    for (depth, step) in path.iter().enumerate().skip(1) {
        let next = match &mark.inside {
            Inside::Nothing => None,
            Inside::List(elements) => step.parse::<usize>().ok().and_then(|position| elements.get(position)),
            Inside::Table(entries) => entries.get(step),
        };
        let Some(next) = next else { return Some((depth, mark.key.clone())) };
        mark = next;
    }
    Some((path.len(), mark.value.clone()))
}
