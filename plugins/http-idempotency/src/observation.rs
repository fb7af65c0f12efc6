//! What the service shows of its state, made comparable: order, clocks and fields that move by themselves left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use crate::clock::{BLURRED, blur, is_clock};

/// One look at the service: the status and body of every observed request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    /// `{"GET /items": {"status": 200, "body": …}}`
    shown: Value,
}

impl Observation {
    pub(crate) fn new(views: impl IntoIterator<Item = (String, u16, Value)>) -> Self {
        let views = views.into_iter().map(|(line, status, body)| {
            let view =
                Map::from_iter([("status".to_owned(), Value::from(status)), ("body".to_owned(), body)]);
            (line, Value::Object(view))
        });
        Self { shown: Value::Object(views.collect()) }
    }

    /// A body that is no JSON, line by line. A line often begins with a time: only that part of it does not count.
    pub(crate) fn lines(text: &str) -> Value {
        let lines = text.lines().enumerate();
        Value::Object(lines.map(|(index, line)| (index.to_string(), Value::from(blur(line)))).collect())
    }

    /// Whether a token that the check made up is shown anywhere.
    pub(crate) fn shows(&self, token: &str) -> bool {
        let mut leaves = BTreeMap::new();
        flatten(&self.shown, "", &mut leaves);
        leaves.values().any(|leaf| leaf.as_str().is_some_and(|text| text.contains(token)))
    }

    /// Whether a view that shows a token here does so no more in a later look.
    pub(crate) fn loses(&self, later: &Self, token: &str) -> bool {
        let Value::Object(views) = &self.shown else { return false };
        let alone = |view: &Value| Self { shown: view.clone() };
        views.iter().any(|(line, view)| {
            alone(view).shows(token) && !later.shown.get(line).is_some_and(|view| alone(view).shows(token))
        })
    }

    /// How many values it shows.
    pub(crate) fn size(&self) -> usize {
        let mut leaves = BTreeMap::new();
        flatten(&self.shown, "", &mut leaves);
        leaves.len()
    }

    /// What differs between the two, as paths with `*` for list positions; empty when nothing that counts does.
    pub(crate) fn difference(&self, other: &Self, moving: &Moving) -> Vec<String> {
        let (before, after) = (moving.settled(&self.shown), moving.settled(&other.shown));
        if before == after {
            return Vec::new();
        }
        let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
        flatten(&before, "", &mut old);
        flatten(&after, "", &mut new);
        let paths: BTreeSet<_> =
            old.keys().chain(new.keys()).filter(|path| old.get(*path) != new.get(*path)).collect();
        let general: BTreeSet<_> = paths.into_iter().map(|path| generalise(path)).collect();
        general.into_iter().collect()
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(formatter)
    }
}

/// The fields that do not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moving {
    /// Declared: a field name, or a path such as `/orders/*/views` below the body.
    declared: BTreeSet<String>,
    /// Learnt: seen to change between two looks without a write.
    learnt: BTreeSet<String>,
}

/// What two looks without a write between them had in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stability {
    /// Nothing but single fields moved; they are left out from now on.
    Steady,
    /// Rows or fields came or went: there is no state to compare.
    Unsteady,
}

impl Moving {
    pub(crate) fn declared<'a>(names: impl IntoIterator<Item = &'a String>) -> Self {
        Self { declared: names.into_iter().cloned().collect(), learnt: BTreeSet::new() }
    }

    /// Learns from two looks between which nothing was written.
    pub(crate) fn learn(&mut self, first: &Observation, second: &Observation) -> Stability {
        let moved = self.moved(first, second);
        self.learnt.extend(moved.fields);
        if moved.shape { Stability::Unsteady } else { Stability::Steady }
    }

    /// Numbers that rose by themselves between two looks, and by how much.
    pub(crate) fn rising(&self, first: &Observation, second: &Observation) -> BTreeSet<(String, u64)> {
        self.moved(first, second).rising
    }

    fn moved(&self, first: &Observation, second: &Observation) -> Moved {
        let mut moved = Moved::default();
        if self.settled(&first.shown) == self.settled(&second.shown) {
            return moved;
        }
        let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
        flatten(&self.counted(&first.shown, false), "", &mut old);
        flatten(&self.counted(&second.shown, false), "", &mut new);
        // Another status is another page, not a field of it.
        moved.shape = old.keys().ne(new.keys()) || statuses(&first.shown).ne(statuses(&second.shown));
        for (path, before) in &old {
            let Some(after) = new.get(path).filter(|after| *after != before) else { continue };
            moved.fields.insert(generalise(path));
            if let (Some(before), Some(after)) = (before.as_u64(), after.as_u64())
                && before < after
            {
                moved.rising.insert((generalise(path), after - before));
            }
        }
        moved
    }

    fn settled(&self, shown: &Value) -> Value {
        self.counted(shown, true)
    }

    /// What counts of every view. Names of fields are those of the service: they never mean the status or the body as a
    /// whole.
    fn counted(&self, shown: &Value, sorted: bool) -> Value {
        let Value::Object(views) = shown else { return shown.clone() };
        let views = views.iter().map(|(line, view)| {
            let place = Place { view: format!("/{line}/body"), below: String::new() };
            let mut view = view.clone();
            if let Some(body) = view.get_mut("body") {
                *body = if self.learnt.contains(&place.view) {
                    Value::Null
                } else {
                    self.without(body, &place, sorted)
                };
            }
            (line.clone(), view)
        });
        Value::Object(views.collect())
    }

    /// Leaves out what moves, blurs clocks, and puts lists in an order of their own if asked.
    fn without(&self, value: &Value, place: &Place, sorted: bool) -> Value {
        match value {
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name, value, place.child(name)))
                    .filter(|(name, _, place)| !self.leaves_out(name, place))
                    .map(|(name, value, place)| (name.clone(), self.without(value, &place, sorted)))
                    .collect(),
            ),
            Value::Array(items) => {
                let place = place.child("*");
                let mut items: Vec<_> = items.iter().map(|item| self.without(item, &place, sorted)).collect();
                if sorted {
                    items.sort_by_cached_key(Value::to_string);
                }
                Value::Array(items)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) if is_clock(value) => {
                Value::from(BLURRED)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    fn leaves_out(&self, name: &str, place: &Place) -> bool {
        self.declared.contains(name)
            || self.declared.contains(&place.below)
            || self.learnt.contains(&format!("{}{}", place.view, place.below))
    }
}

/// Where a value stands.
struct Place {
    /// `/GET /items/body`
    view: String,
    /// `/items/*/views`; empty for the body itself.
    below: String,
}

impl Place {
    fn child(&self, name: &str) -> Self {
        Self { view: self.view.clone(), below: format!("{}/{name}", self.below) }
    }
}

/// How two looks differ.
#[derive(Debug, Default)]
struct Moved {
    fields: BTreeSet<String>,
    rising: BTreeSet<(String, u64)>,
    shape: bool,
}

fn statuses(shown: &Value) -> impl Iterator<Item = Option<&Value>> {
    shown.as_object().into_iter().flat_map(Map::values).map(|view| view.get("status"))
}

/// Every leaf by its path; an empty list or table is a leaf.
fn flatten(value: &Value, path: &str, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                flatten(value, &format!("{path}/{name}"), leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &format!("{path}/[{index}]"), leaves);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            leaves.insert(path.to_owned(), value.clone());
        }
    }
}

/// `/GET/orders/body/orders/[3]/id` → the same for every row.
fn generalise(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let index = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_index = index.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if is_index { "*" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look(body: Value) -> Observation {
        Observation::new([("GET /items".to_owned(), 200, body)])
    }

    fn differs(before: Value, after: Value) -> bool {
        !look(before).difference(&look(after), &Moving::default()).is_empty()
    }

    #[test]
    fn order_and_clocks_do_not_count() {
        assert!(!differs(json!([{"id": 1}, {"id": 2}]), json!([{"id": 2}, {"id": 1}])));
        assert!(!differs(json!({"at": "2026-01-01T00:00:00Z"}), json!({"at": "2026-01-01T00:00:07Z"})));
        assert!(!differs(json!({"at": 1_800_000_000}), json!({"at": 1_800_000_007})));
        assert!(!differs(
            json!({"at": "Mon, 02 Jan 2026 10:00:00 GMT"}),
            json!({"at": "Tue, 03 Jan 2026 10:00:00 GMT"})
        ));
    }

    #[test]
    fn counters_rows_and_versions_count() {
        assert!(differs(json!({"version": 1}), json!({"version": 2})));
        assert!(differs(json!([{"id": 1}]), json!([{"id": 1}, {"id": 1}])));
        assert!(differs(json!([]), json!([{}])));
        assert!(differs(
            json!([{"at": "2026-01-01T00:00:00Z"}]),
            json!([{"at": "2026-01-01T00:00:00Z"}, {"at": "2026-01-01T00:00:01Z"}])
        ));
    }

    #[test]
    fn a_difference_names_its_path() {
        let difference = look(json!({"items": [{"v": 1}]}))
            .difference(&look(json!({"items": [{"v": 2}]})), &Moving::default());
        assert_eq!(difference, ["/GET /items/body/items/*/v"]);
    }

    #[test]
    fn a_field_that_moves_by_itself_is_learnt_for_every_row() {
        let mut moving = Moving::default();
        let stability =
            moving.learn(&look(json!([{"id": 1, "nonce": "a"}])), &look(json!([{"id": 1, "nonce": "b"}])));
        assert_eq!(stability, Stability::Steady);
        let (two, three) = (
            json!([{"id": 1, "nonce": "c"}, {"id": 2, "nonce": "d"}]),
            json!([{"id": 1, "nonce": "e"}, {"id": 2, "nonce": "f"}]),
        );
        assert!(look(two).difference(&look(three), &moving).is_empty());
    }

    #[test]
    fn rows_that_come_by_themselves_are_never_learnt() {
        let mut moving = Moving::default();
        let (before, after) = (look(json!([1])), look(json!([1, 2])));
        assert_eq!(moving.learn(&before, &after), Stability::Unsteady);
        assert!(!before.difference(&after, &moving).is_empty());
    }

    #[test]
    fn declared_fields_are_left_out_by_name_or_path() {
        let names = ["views".to_owned(), "/items/*/rank".to_owned()];
        let moving = Moving::declared(&names);
        let before = look(json!({"views": 1, "items": [{"rank": 1}], "rank": 1}));
        let after = look(json!({"views": 2, "items": [{"rank": 2}], "rank": 2}));
        assert_eq!(before.difference(&after, &moving), ["/GET /items/body/rank"]);
    }

    #[test]
    fn a_declared_name_never_leaves_out_the_whole_view() {
        let names = ["body".to_owned(), "status".to_owned()];
        let moving = Moving::declared(&names);
        let before = look(json!({"items": [], "status": "a", "body": "a"}));
        let after = look(json!({"items": [1], "status": "b", "body": "b"}));
        assert_eq!(
            before.difference(&after, &moving),
            ["/GET /items/body/items", "/GET /items/body/items/*"]
        );
        let gone = Observation::new([("GET /items".to_owned(), 404, json!({"items": []}))]);
        assert_eq!(before.difference(&gone, &moving), ["/GET /items/status"]);
    }

    #[test]
    fn a_status_that_moves_is_never_learnt() {
        let mut moving = Moving::default();
        let view = |status| Observation::new([("GET /items".to_owned(), status, json!([]))]);
        assert_eq!(moving.learn(&view(200), &view(404)), Stability::Unsteady);
        assert!(!view(200).difference(&view(404), &moving).is_empty());
    }

    #[test]
    fn a_token_is_missed_in_each_view() {
        let views = |list, own| {
            Observation::new([("GET /items".to_owned(), 200, list), ("GET /items/1".to_owned(), 200, own)])
        };
        let before = views(json!(["tok"]), json!("tok"));
        assert!(before.loses(&views(json!([]), json!("tok")), "tok"));
        assert!(!before.loses(&views(json!(["tok", "more"]), json!("tok")), "tok"));
    }

    #[test]
    fn a_line_counts_beside_its_time() {
        let line = |time, price| Observation::lines(&format!("2026-01-01T00:00:0{time}Z,1,{price}"));
        assert!(!differs(line(1, 5), line(2, 5)));
        assert!(differs(line(1, 5), line(1, 6)));
    }

    #[test]
    fn a_counter_of_reads_is_seen_rising() {
        let rising = Moving::default().rising(&look(json!({"hits": 1})), &look(json!({"hits": 2})));
        assert_eq!(rising, BTreeSet::from([("/GET /items/body/hits".to_owned(), 1)]));
    }

    #[test]
    fn a_token_is_found_in_text_and_json() {
        assert!(look(json!([{"name": "a tok b"}])).shows("tok"));
        assert!(look(Observation::lines("<li>tok</li>")).shows("tok"));
        assert!(!look(json!([{"tok": 1}])).shows("tok"));
    }
}
