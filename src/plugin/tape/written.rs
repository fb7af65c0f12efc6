//! Values of the contract as they stand in a recording: JSON that a person can read.
//!
//! | in the contract | in a recording |
//! |---|---|
//! | record | an object with its fields |
//! | enum, case without a value | its name: `"timed-out"` |
//! | case with a value | an object with one entry: `{"denied": "…"}` |
//! | `result` | `{"ok": …}` or `{"err": …}` |
//! | `option` | the value, or `null` |
//! | tuple | an array |
//! | `list<u8>` | a string where the bytes are readable text, else `{"base64": "…"}` |
//! | resource | `{"handle": 3}` |
//! | number that JSON has no word for | `"NaN"`, `"inf"`, `"-inf"` |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};
use wasmtime::component::Resource;

use crate::model::Mask;

/// Why a value of a recording is not what the contract says.
pub(super) type Unreadable = String;

/// What can be written into a recording and read back.
pub(super) trait Written: Sized {
    /// The value as JSON, without secrets.
    fn write(&self, mask: &Mask) -> Value;

    /// The value that `value` stands for.
    fn read(value: &Value) -> Result<Self, Unreadable>;

    /// A list of them. Bytes have a form of their own.
    fn write_list(items: &[Self], mask: &Mask) -> Value {
        Value::Array(items.iter().map(|item| item.write(mask)).collect())
    }

    /// The list that `value` stands for.
    fn read_list(value: &Value) -> Result<Vec<Self>, Unreadable> {
        array(value)?.iter().map(Self::read).collect()
    }
}

/// The arguments of one call, in order.
pub(super) struct Arguments<'a> {
    mask: &'a Mask,
    values: Vec<Value>,
}

impl Arguments<'_> {
    /// The list that `add` makes of an empty one.
    pub(super) fn write(mask: &Mask, add: impl FnOnce(Arguments<'_>) -> Arguments<'_>) -> Value {
        Value::Array(add(Arguments { mask, values: vec![] }).values)
    }

    /// With one more.
    pub(super) fn with(mut self, argument: &impl Written) -> Self {
        self.values.push(argument.write(self.mask));
        self
    }
}

/// That a value is something else than `expected`.
pub(super) fn unreadable(expected: &str) -> Unreadable {
    format!("expected {expected}")
}

/// The entry called `name` of an object.
pub(super) fn entry<'a>(value: &'a Value, name: &str) -> Result<&'a Value, Unreadable> {
    value.get(name).ok_or_else(|| format!("\"{name}\" is missing"))
}

/// An object with one entry: a case and its value.
pub(super) fn case(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// The case that `value` names, and what it carries; `null` where it carries nothing.
pub(super) fn cases(value: &Value) -> Result<(&str, &Value), Unreadable> {
    let expected = || unreadable("the name of a case, or an object with one entry");
    match value {
        Value::String(name) => Ok((name, &Value::Null)),
        Value::Object(entries) if entries.len() == 1 => {
            entries.iter().next().map(|(name, value)| (name.as_str(), value)).ok_or_else(expected)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(expected())
        }
    }
}

fn array(value: &Value) -> Result<&Vec<Value>, Unreadable> {
    value.as_array().ok_or_else(|| unreadable("a list"))
}

impl Written for () {
    fn write(&self, _: &Mask) -> Value {
        Value::Null
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        value.as_null().ok_or_else(|| unreadable("null"))
    }
}

impl Written for bool {
    fn write(&self, _: &Mask) -> Value {
        Value::Bool(*self)
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        value.as_bool().ok_or_else(|| unreadable("true or false"))
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Written for $integer {
            fn write(&self, _: &Mask) -> Value {
                (*self).into()
            }

            fn read(value: &Value) -> Result<Self, Unreadable> {
                let expected = || unreadable(concat!("a number of the type ", stringify!($integer)));
                // What fits an i64 or a u64 is all that the contract has.
                let unsigned = value.as_u64().and_then(|number| number.try_into().ok());
                unsigned.or_else(|| value.as_i64()?.try_into().ok()).ok_or_else(expected)
            }
        })*
    };
}

integers! { u16 u32 u64 i32 }

impl Written for u8 {
    fn write(&self, _: &Mask) -> Value {
        (*self).into()
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        value.as_u64().and_then(|byte| byte.try_into().ok()).ok_or_else(|| unreadable("a byte"))
    }

    fn write_list(items: &[Self], mask: &Mask) -> Value {
        let bytes = mask.bytes(items);
        match std::str::from_utf8(&bytes) {
            Ok(text) if is_readable(text) => Value::String(text.to_owned()),
            Ok(_) | Err(_) => case("base64", STANDARD.encode(&bytes).into()),
        }
    }

    fn read_list(value: &Value) -> Result<Vec<Self>, Unreadable> {
        if let Some(text) = value.as_str() {
            return Ok(text.as_bytes().to_vec());
        }
        let encoded = value.get("base64").and_then(Value::as_str);
        let encoded = encoded.ok_or_else(|| unreadable("a text, or an object with \"base64\""))?;
        STANDARD.decode(encoded).map_err(|error| format!("expected base64: {error}"))
    }
}

/// Whether a person can read it as it is: no control characters but those of lines.
fn is_readable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

impl Written for f64 {
    fn write(&self, _: &Mask) -> Value {
        Number::from_f64(*self).map_or_else(|| Value::String(self.to_string()), Value::Number)
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        let written = match value.as_str() {
            Some(text @ ("NaN" | "inf" | "-inf")) => text.parse().ok(),
            Some(_) => None,
            None => value.as_f64(),
        };
        written.ok_or_else(|| unreadable("a number"))
    }
}

impl Written for f32 {
    fn write(&self, mask: &Mask) -> Value {
        f64::from(*self).write(mask)
    }

    #[expect(clippy::cast_possible_truncation, reason = "an f32 was written: nothing is lost")]
    fn read(value: &Value) -> Result<Self, Unreadable> {
        f64::read(value).map(|wide| wide as Self)
    }
}

impl Written for String {
    fn write(&self, mask: &Mask) -> Value {
        Value::String(mask.text(self))
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        value.as_str().map(str::to_owned).ok_or_else(|| unreadable("a text"))
    }
}

impl<T: Written> Written for Option<T> {
    fn write(&self, mask: &Mask) -> Value {
        self.as_ref().map_or(Value::Null, |value| value.write(mask))
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }
}

impl<T: Written, E: Written> Written for Result<T, E> {
    fn write(&self, mask: &Mask) -> Value {
        match self {
            Ok(value) => case("ok", value.write(mask)),
            Err(error) => case("err", error.write(mask)),
        }
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        match cases(value)? {
            ("ok", value) => T::read(value).map(Ok),
            ("err", error) => E::read(error).map(Err),
            _ => Err(unreadable("\"ok\" or \"err\"")),
        }
    }
}

impl<T: Written> Written for Vec<T> {
    fn write(&self, mask: &Mask) -> Value {
        T::write_list(self, mask)
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        T::read_list(value)
    }
}

impl<A: Written, B: Written> Written for (A, B) {
    fn write(&self, mask: &Mask) -> Value {
        Value::Array(vec![self.0.write(mask), self.1.write(mask)])
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        match array(value)?.as_slice() {
            [first, second] => Ok((A::read(first)?, B::read(second)?)),
            _ => Err(unreadable("a pair")),
        }
    }
}

/// A handle is its number at the host. In a replay nothing stands behind it: it only comes back as an argument.
impl<T: 'static> Written for Resource<T> {
    fn write(&self, _: &Mask) -> Value {
        case("handle", self.rep().into())
    }

    fn read(value: &Value) -> Result<Self, Unreadable> {
        u32::read(entry(value, "handle")?).map(Self::new_own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round<T: Written>(value: &T) -> Result<T, Unreadable> {
        let text = value.write(&Mask::default()).to_string();
        T::read(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn bytes_are_text_where_a_person_can_read_them() {
        let write = |bytes: &[u8]| bytes.to_vec().write(&Mask::default()).to_string();
        assert_eq!(write("{\"a\": \"价\"}\r\n".as_bytes()), r#""{\"a\": \"价\"}\r\n""#);
        assert_eq!(write(b""), r#""""#);
        assert_eq!(write(b"\xff\0"), r#"{"base64":"/wA="}"#);
        assert_eq!(write(b"\x1b[2J"), r#"{"base64":"G1sySg=="}"#);
    }

    #[test]
    fn what_json_has_no_word_for_is_kept() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -0.5] {
            assert_eq!(round(&value).map(f64::to_bits), Ok(value.to_bits()));
        }
        assert!(round(&f64::NAN).unwrap().is_nan());
        assert_eq!(round(&u64::MAX), Ok(u64::MAX));
        assert_eq!(round(&i32::MIN), Ok(i32::MIN));
    }

    #[test]
    fn values_of_another_type_are_refused() {
        assert!(u16::read(&70_000.into()).is_err());
        assert!(u32::read(&(-1).into()).is_err());
        assert!(String::read(&1.into()).is_err());
        assert!(<Vec<u8>>::read(&case("base64", "?".into())).is_err());
        assert!(<Result<(), String>>::read(&case("maybe", Value::Null)).is_err());
        assert!(<(u8, u8)>::read(&Value::Array(vec![1.into()])).is_err());
    }

    proptest! {
        #[test]
        fn bytes_come_back_as_they_were(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(round(&bytes), Ok(bytes));
        }

        #[test]
        fn nested_values_come_back_as_they_were(
            value in any::<Vec<Result<Option<(String, Vec<u8>)>, u32>>>()
        ) {
            // `Some` of an empty value is never written as `null`: no optional value of the contract is itself one.
            prop_assert_eq!(round(&value), Ok(value));
        }
    }
}
