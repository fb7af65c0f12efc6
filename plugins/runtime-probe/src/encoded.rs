//! Python values as the harness sends them: `["int", "0x7"]`, `["list", […]]`.

use mustdo_plugin::serde_json::Value;

/// How far two floats may be apart for the same sum in another order, as a share of the larger.
const SHARE: f64 = 1e-9;

/// Whether two encoded values are the same: of the same types, floats nearly, a NaN like another.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    let (Some(left), Some(right)) = (left.as_array(), right.as_array()) else { return false };
    let (Some(kind), Some(content)) = (left.first(), left.get(1)) else { return false };
    let (Some(other_kind), Some(other)) = (right.first(), right.get(1)) else { return false };
    if kind != other_kind {
        return false;
    }
    match kind.as_str() {
        Some("float") => {
            let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
            matches!((number(content), number(other)), (Some(one), Some(two)) if near(one, two))
        }
        Some("list" | "tuple") => match (content.as_array(), other.as_array()) {
            (Some(one), Some(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
            }
            _ => false,
        },
        Some("dict") => match (content.as_array(), other.as_array()) {
            (Some(one), Some(two)) => {
                let pair = |(one, two): (&Value, &Value)| {
                    let parts = |value: &Value| value.as_array().cloned().unwrap_or_default();
                    let (one, two) = (parts(one), parts(two));
                    one.len() == 2 && two.len() == 2 && one.iter().zip(&two).all(|(one, two)| same(one, two))
                };
                one.len() == two.len() && one.iter().zip(two).all(pair)
            }
            _ => false,
        },
        _ => false,
    }
}

fn near(one: f64, two: f64) -> bool {
    #[expect(clippy::float_cmp, reason = "infinities are equal or they are not")]
    let equal = one == two;
    let is_near = one.is_finite() && two.is_finite();
    equal
        || (one.is_nan() && two.is_nan())
        || (is_near && (one - two).abs() <= SHARE * one.abs().max(two.abs()).max(1.0))
}

/// An encoded value as Python would show it, roughly.
pub(crate) fn shown(value: &Value) -> String {
    let parts = value.as_array();
    let kind = parts.and_then(|parts| parts.first()).and_then(Value::as_str).unwrap_or_default();
    let content = parts.and_then(|parts| parts.get(1));
    let text = content.and_then(Value::as_str);
    match (kind, content) {
        ("none", _) => "None".to_owned(),
        ("bool", Some(content)) => if content == &Value::Bool(true) { "True" } else { "False" }.to_owned(),
        ("int", _) => text.map(decimal).unwrap_or_default(),
        ("float" | "str", _) => text.unwrap_or_default().to_owned(),
        ("other", _) => {
            let shown = parts.and_then(|parts| parts.get(2)).and_then(Value::as_str);
            shown.or(text).unwrap_or_default().to_owned()
        }
        ("bytes", _) => format!("bytes.fromhex('{}')", text.unwrap_or_default()),
        (_, Some(Value::Array(items))) => {
            let items: Vec<_> = items.iter().take(12).map(shown).collect();
            format!("{kind}({})", items.join(", "))
        }
        _ => value.to_string(),
    }
}

/// What fits into 128 bits in decimal digits, the rest as it came.
fn decimal(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let number = digits.strip_prefix("0x").and_then(|digits| u128::from_str_radix(digits, 16).ok());
    number.map_or_else(|| text.to_owned(), |number| format!("{sign}{number}"))
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::serde_json::json;

    use super::*;

    #[test]
    fn types_count_and_floats_may_differ_a_little() {
        let float = |text: &str| json!(["float", text]);
        assert!(same(&float("0.1"), &float("0.10000000000000002")));
        assert!(same(&float("nan"), &float("nan")) && same(&float("-inf"), &float("-inf")));
        assert!(!same(&float("nan"), &float("1.0")) && !same(&float("inf"), &float("-inf")));
        assert!(!same(&float("1.0"), &float("1.001")));
        assert!(!same(&json!(["int", "0x1"]), &json!(["bool", true])));
        assert!(!same(&json!(["int", "0x1"]), &float("1.0")));
        let list = |inner: Value| json!(["list", [inner]]);
        assert!(same(&list(float("0.1")), &list(float("0.10000000000000002"))));
        assert!(!same(&list(float("0.1")), &json!(["list", []])));
        assert!(!same(&list(float("0.1")), &json!(["tuple", [["float", "0.1"]]])));
        let dict = |value: &str| json!(["dict", [[["str", "'k'"], ["float", value]]]]);
        assert!(same(&dict("2.0"), &dict("2.0000000000000004")) && !same(&dict("2.0"), &dict("3.0")));
    }

    #[test]
    fn values_are_shown_as_python_does() {
        assert_eq!(shown(&json!(["int", "-0x10"])), "-16");
        assert_eq!(shown(&json!(["list", [["none"], ["str", "'a'"]]])), "list(None, 'a')");
        assert_eq!(shown(&json!(["other", "shop.Thing", "<Thing>"])), "<Thing>");
    }
}
