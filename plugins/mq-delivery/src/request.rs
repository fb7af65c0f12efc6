//! What every check here asks the host for: the folder where the learner's program runs, and the page of its effects.

use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Context, Fault, Report, Text};

use crate::effects::WEB;

/// The directory that a program runs in a copy of.
const SOURCE: &str = "source";

/// To run programs in a copy of the learner's directory, where they write.
pub(crate) fn scratch(reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Scratch(SOURCE.to_owned()),
        reason: reason.to_owned(),
        required: false,
    }
}

/// To see effects on a page.
pub(crate) fn page() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Http(WEB.to_owned()),
        reason: "to see effects on a page, where they are in no file".to_owned(),
        required: false,
    }
}

/// The copy of the directory `source`, or an empty folder where none is bound.
pub(crate) fn folder<'host>(context: &Context<'host>) -> Result<Workspace<'host>, Fault> {
    Ok(context.scratch(context.has_target(SOURCE).then_some(SOURCE))?)
}

/// The report of a run that ends before its first step could begin.
pub(crate) fn ended(mut report: Report, step: &str, fault: Fault) -> Report {
    report.judge(step, Need::Must, Err::<(), _>(fault), |()| Text::same(""));
    report
}
