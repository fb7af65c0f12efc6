//! Values as the harness encodes them.

use mustdo_plugin::serde_json::{Value, json};

pub(super) fn int(value: i64) -> Value {
    let sign = if value < 0 { "-" } else { "" };
    json!(["int", format!("{sign}{:#x}", value.unsigned_abs())])
}

pub(super) fn text(words: &str) -> Value {
    json!(["str", format!("'{words}'")])
}

pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    json!(["list", items.into_iter().collect::<Vec<_>>()])
}

pub(super) fn truth(value: bool) -> Value {
    json!(["bool", value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_encoded_as_python_does() {
        assert_eq!((int(255), int(-1)), (json!(["int", "0xff"]), json!(["int", "-0x1"])));
    }
}
