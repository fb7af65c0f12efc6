//! The extension gives what the function in Python gives, also at the limits, with wrong types and in threads.

use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::{Fault, Text};

use super::Exam;
use crate::encoded::{same, shown};
use crate::session::Session;
use crate::trouble::{Trouble, wrong};

/// Inputs that are asked for at once.
const BATCH: u32 = 100;

/// Threads, their inputs, how often each goes through them, and for how many seconds at most.
const THREADS: usize = 8;
const THREAD_INPUTS: u32 = 4;
const THREAD_ROUNDS: u32 = 16;
const THREAD_SECONDS: u32 = 2;

/// What one side made of an input.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// A value, and whether sixty-four bits may be too few on the way to it.
    Value(Value, bool),
    /// An exception: its class and what it said.
    Raised(String, String),
}

impl Outcome {
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(value) = answer.get("ok") {
            let is_wide = answer.get("wide").and_then(Value::as_bool)?;
            return Some(Self::Value(value.clone(), is_wide));
        }
        Some(Self::Raised(text("err")?, text("text")?))
    }

    pub(super) fn list(answer: &Value) -> Result<Vec<Self>, Fault> {
        let read = answer.as_array().and_then(|items| items.iter().map(Self::read).collect());
        read.ok_or_else(|| Trouble::Foreign(answer.to_string()).fault())
    }

    fn shown(&self) -> String {
        match self {
            Self::Value(value, _) => shown(value),
            Self::Raised(class, _) => class.clone(),
        }
    }

    /// Whether the extension may give this where the model gives `model`: the same, or a refusal of what does not fit.
    pub(super) fn is_right(&self, model: &Self) -> bool {
        match (self, model) {
            (Self::Value(own, _), Self::Value(value, _)) => same(own, value),
            (Self::Raised(class, _), Self::Value(_, is_wide)) => {
                *is_wide && matches!(class.as_str(), "OverflowError" | "ValueError")
            }
            (Self::Raised(class, _), Self::Raised(expected, _)) => class == expected,
            (Self::Value(..), Self::Raised(..)) => false,
        }
    }

    /// The same for an argument of a wrong type: what Python's function takes may be taken, else it is a `TypeError`.
    fn is_refusal(&self, model: &Self) -> bool {
        matches!(self, Self::Raised(class, _) if class == "TypeError") || self.is_right(model)
    }
}

impl<'host> Exam<'_, 'host> {
    /// How many seeded inputs give the same.
    pub(super) fn answers(&self, folder: &Workspace<'host>) -> Result<u32, Fault> {
        let (mut extension, mut model) = (self.extension(folder)?, self.model(folder)?);
        let mut values = 0;
        let mut first = 0;
        while first < self.check.n {
            let count = BATCH.min(self.check.n - first);
            let arguments =
                json!({ "kinds": self.check.arguments, "seed": self.seed, "first": first, "count": count });
            let expected = Outcome::list(&ask(&mut model, "answers", &arguments)?)?;
            let own = Outcome::list(&ask(&mut extension, "answers", &arguments)?)?;
            for (place, (own, expected)) in own.iter().zip(&expected).enumerate() {
                values += usize::from(matches!(expected, Outcome::Value(..)));
                if !own.is_right(expected) {
                    let place = first + u32::try_from(place).unwrap_or(0);
                    let at = json!({ "kinds": self.check.arguments, "seed": self.seed, "place": place });
                    let input = ask(&mut model, "shown", &at)?;
                    return Err(self.unequal("answers", input.as_str().unwrap_or_default(), own, expected));
                }
            }
            if own.len() != expected.len() || own.is_empty() {
                return Err(Trouble::Foreign("a list of another length".to_owned()).fault());
            }
            first += count;
        }
        // A function that refuses nearly everything would show nothing.
        if values < usize::try_from(self.check.n).unwrap_or(usize::MAX) / 2 {
            return Err(Fault::inconclusive(Text::new(
                format!("{} raises for most inputs; are `arguments` what it takes?", self.check.model),
                format!("{} 对大多数输入都抛异常；`arguments` 写的是它要的参数吗？", self.check.model),
            )));
        }
        Ok(self.check.n)
    }

    /// How many wrong types are refused.
    pub(super) fn wrong_types(&self, folder: &Workspace<'host>) -> Result<usize, Fault> {
        let (mut extension, mut model) = (self.extension(folder)?, self.model(folder)?);
        let ways = ask(&mut extension, "wrong_ways", &json!({ "kinds": self.check.arguments }))?;
        let ways = ways.as_array().cloned().unwrap_or_default();
        for way in &ways {
            let arguments =
                json!({ "kinds": self.check.arguments, "seed": self.seed, "place": way[0], "name": way[1] });
            let what = format!(
                "{} as argument {}",
                way[1].as_str().unwrap_or_default(),
                way[0].as_u64().unwrap_or(0) + 1
            );
            self.refused(&mut extension, &mut model, ("wrong", &arguments), &what)?;
        }
        let arguments = json!({ "kinds": self.check.arguments, "seed": self.seed });
        self.refused(&mut extension, &mut model, ("too_few", &arguments), "one argument too few")?;
        Ok(ways.len() + 1)
    }

    fn refused(
        &self,
        extension: &mut Session<'_, 'host>,
        model: &mut Session<'_, 'host>,
        (operation, arguments): (&str, &Value),
        what: &str,
    ) -> Result<(), Fault> {
        let read = |answer: Value| {
            Outcome::read(&answer).ok_or_else(|| Trouble::Foreign(answer.to_string()).fault())
        };
        let expected = read(ask(model, operation, arguments)?)?;
        let own = extension.value(operation, arguments).map_err(|trouble| {
            let fault = trouble.fault();
            if !matches!(trouble, Trouble::Ended(..)) {
                return fault;
            }
            let Text { en, zh } = fault.summary().clone();
            fault.headed(Text::new(format!("{what}: {en}"), format!("{what}：{zh}")))
        })?;
        let own = read(own)?;
        if own.is_refusal(&expected) {
            Ok(())
        } else {
            Err(self.unequal("wrong-type", what, &own, &expected))
        }
    }

    /// How many inputs around the limits of C's types are right or refused.
    pub(super) fn overflow(&self, folder: &Workspace<'host>) -> Result<usize, Fault> {
        let (mut extension, mut model) = (self.extension(folder)?, self.model(folder)?);
        let arguments = json!({ "kinds": self.check.arguments });
        let expected = Outcome::list(&ask(&mut model, "edges", &arguments)?)?;
        let own = Outcome::list(&ask(&mut extension, "edges", &arguments)?)?;
        if own.len() != expected.len() || own.is_empty() {
            return Err(Trouble::Foreign("a list of another length".to_owned()).fault());
        }
        for (place, (own, expected)) in own.iter().zip(&expected).enumerate() {
            if !own.is_right(expected) {
                let at = json!({ "kinds": self.check.arguments, "place": place });
                let input = ask(&mut model, "edge_shown", &at)?;
                return Err(self.unequal("overflow", input.as_str().unwrap_or_default(), own, expected));
            }
        }
        Ok(own.len())
    }

    /// How many threads get what the model gives, on inputs that take long enough for threads to meet.
    pub(super) fn threads(&self, folder: &Workspace<'host>, size: u32) -> Result<usize, Fault> {
        let (mut extension, mut model) = (self.extension(folder)?, self.model(folder)?);
        let seed = format!("{}-threads", self.seed);
        let mut arguments =
            json!({ "kinds": self.check.arguments, "seed": seed, "size": size, "count": THREAD_INPUTS });
        let expected = Outcome::list(&ask(&mut model, "alone", &arguments)?)?;
        for (name, value) in [
            ("threads", json!(THREADS)),
            ("rounds", json!(THREAD_ROUNDS)),
            ("seconds", json!(THREAD_SECONDS)),
        ] {
            arguments[name] = value;
        }
        let every = ask(&mut extension, "together", &arguments)?;
        let every = every.as_array().filter(|every| every.len() == THREADS);
        let every = every.ok_or_else(|| Trouble::Foreign("no threads".to_owned()).fault())?;
        for one in every {
            let (Some(last), Some(changed)) = (one.get("last"), one.get("changed").and_then(Value::as_u64))
            else {
                return Err(wrong(
                    "c-extension.threads",
                    Text::new("a thread did not come to its end", "有一个线程没有跑完"),
                    Text::new(
                        format!("{THREADS} threads called it at once, and one of them got no answers"),
                        format!("{THREADS} 个线程同时调用，其中一个没有得到结果"),
                    ),
                    Text::new("look for a lock that is kept", "看看是不是有锁没有释放"),
                ));
            };
            let last = Outcome::list(last)?;
            let differs = last.iter().zip(&expected).any(|(own, expected)| !own.is_right(expected));
            if changed > 0 || differs || last.len() != expected.len() {
                return Err(wrong(
                    "c-extension.threads",
                    Text::new("in threads its answers differ", "在多线程里结果不一样"),
                    Text::new(
                        format!(
                            "{THREADS} threads went through {THREAD_INPUTS} inputs of {size} items again and again; one of them got other answers than the Python function gives"
                        ),
                        format!(
                            "{THREADS} 个线程反复处理 {THREAD_INPUTS} 个各 {size} 项的输入，其中一个得到的结果与 Python 函数不同"
                        ),
                    ),
                    Text::new(
                        "keep nothing in static variables, above all where the GIL is released",
                        "不要把中间结果放在静态变量里，放开 GIL 的地方尤其如此",
                    ),
                ));
            }
        }
        Ok(every.len())
    }

    fn unequal(&self, code: &str, input: &str, own: &Outcome, expected: &Outcome) -> Fault {
        let (function, own, expected) = (&self.check.function, own.shown(), expected.shown());
        let summary = match code {
            "wrong-type" => Text::new(
                format!("{input} gives {own}, not TypeError"),
                format!("{input} 得到 {own}，而不是 TypeError"),
            ),
            _ => Text::new(
                format!("{function} gives {own} where Python gives {expected}"),
                format!("{function} 给出 {own}，Python 给出 {expected}"),
            ),
        };
        let message = Text::new(
            format!("input: {input}\n{function}: {own}\n{}: {expected}", self.check.model),
            format!("输入：{input}\n{function}：{own}\n{}：{expected}", self.check.model),
        );
        let hint = match code {
            "wrong-type" => Text::new(
                "check each type before you use it (PyList_Check, PyUnicode_Check, the result of PyArg_ParseTuple), and each item too",
                "使用之前检查每个类型（PyList_Check、PyUnicode_Check、PyArg_ParseTuple 的结果），元素也要检查",
            ),
            "overflow" => Text::new(
                "after PyLong_AsLongLong look at PyErr_Occurred(), and add with __builtin_add_overflow",
                "PyLong_AsLongLong 之后看 PyErr_Occurred()，相加用 __builtin_add_overflow",
            ),
            _ => Text::new("call both with this input by hand", "用这个输入手动调用两个函数"),
        };
        wrong(&format!("c-extension.{code}"), summary, message, hint)
    }
}

fn ask(session: &mut Session<'_, '_>, operation: &str, arguments: &Value) -> Result<Value, Fault> {
    session.value(operation, arguments).map_err(|trouble| trouble.fault())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: &str, is_wide: bool) -> Outcome {
        Outcome::Value(json!(["int", number]), is_wide)
    }

    fn raised(class: &str) -> Outcome {
        Outcome::Raised(class.to_owned(), String::new())
    }

    #[test]
    fn what_does_not_fit_may_be_refused_and_never_wraps() {
        let wide = value("0x8000000000000000", true);
        assert!(wide.is_right(&wide) && raised("OverflowError").is_right(&wide));
        assert!(!value("-0x8000000000000000", true).is_right(&wide));
        assert!(!raised("TypeError").is_right(&wide));
        assert!(!raised("OverflowError").is_right(&value("0x1", false)));
    }

    #[test]
    fn a_wrong_type_is_a_type_error_or_what_python_takes() {
        assert!(raised("TypeError").is_refusal(&value("0x0", false)));
        assert!(raised("TypeError").is_refusal(&raised("AttributeError")));
        assert!(value("0x0", false).is_refusal(&value("0x0", false)));
        assert!(!value("0x0", false).is_refusal(&raised("TypeError")));
        assert!(!raised("SystemError").is_refusal(&value("0x0", false)));
    }
}
