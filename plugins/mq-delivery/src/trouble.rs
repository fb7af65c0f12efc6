//! What failed, in words.

use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Fault, Text};

/// A failure of a command target's program, with one next step.
pub(crate) fn failed(program: &str, code: &str, came: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("mq-delivery.{code}"), came.clone())
        .at(Location::Process(program.to_owned()))
        .hint(hint);
    Fault::fail(came).with(finding)
}

/// What could not be told, with lines that bind what was not found.
pub(crate) fn unfound(code: &str, came: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("mq-delivery.{code}"), came.clone()).hint(hint);
    Fault::inconclusive(came).with(finding)
}
