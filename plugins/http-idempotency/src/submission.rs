//! The parameters and the opening that the checks of a keyed operation share.

use mustdo_plugin::service::{Probe, Values};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Context, Fault, Report, Text};

use crate::operation::{Operation, Pace, Submitted};

/// Declares a struct of parameters that begins with those of the operation, like
/// [`parameters!`](mustdo_plugin::parameters!), and gives it `operation`.
macro_rules! submission {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $($more:tt)*
        }
    ) => {
        mustdo_plugin::parameters! {
            $(#[doc = $about])*
            pub struct $name {
                /// Submits; `{token}` and `{number}` are filled with fresh values. The key goes where `{key}` is written (a form token, a natural key), else into `header`.
                pub(crate) op: mustdo_plugin::service::Template = mustdo_plugin::service::Template::new("POST", "/orders")
                    .with_body(serde_json::json!({"sku": "{token}", "quantity": "{number}"})),
                /// The header of the key.
                pub(crate) header: String = "Idempotency-Key".to_owned(),
                /// Shows the stored rows. Without it: GET on the path of `op`.
                pub(crate) observe: Option<mustdo_plugin::service::Template> = None,
                /// What to count there: a JSON pointer such as `/total`, or a text that occurs once a row. Empty: found by itself.
                pub(crate) count: String = String::new(),
                /// Copies of each submission that is sent many times at once.
                #[range(3..=50)]
                pub(crate) n: u32 = 10,
                /// How long the operation takes in the tested set-up, in milliseconds. If it takes less than half, nothing can meet it running, and that part is not judged.
                #[range(20..=10000)]
                pub(crate) slow_ms: u32 = 300,
                /// Headers of every request, such as credentials.
                pub(crate) headers: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new(),
                $($more)*
            }
        }

        impl $name {
            /// The operation and its counter, made of the parameters.
            pub(crate) fn operation(&self) -> crate::operation::Operation<'_> {
                crate::operation::Operation {
                    op: &self.op,
                    header: &self.header,
                    counter: crate::operation::Operation::counter(
                        &self.op,
                        self.observe.as_ref(),
                        &self.count,
                        ADVICE,
                    ),
                    advice: ADVICE,
                }
            }
        }
    };
}

pub(crate) use submission;

/// Opens the target, judges, and reports what was sent.
pub(crate) fn run(
    context: &mut Context<'_>,
    headers: &std::collections::BTreeMap<String, String>,
    passed: Text,
    judge: impl FnOnce(&mut Probe, &mut Report) -> Option<()>,
) -> Report {
    let mut report = Report::new(passed);
    let opened = Probe::open(context, headers).map_err(Fault::from);
    let Some(mut probe) = crate::opened(&mut report, opened) else { return report };
    // Where it stopped is in the report.
    let _ = judge(&mut probe, &mut report);
    crate::finish(&probe, &mut report);
    report
}

/// What must work before anything is judged: one submission, and several different ones, are accepted and counted.
pub(crate) fn begin(
    probe: &mut Probe,
    report: &mut Report,
    operation: &Operation,
) -> Option<(Submitted, Values, Pace)> {
    let values = Values::fresh(probe.generator());
    let outcome = operation.first(probe, &values);
    let first = report.judge("first-is-counted", Need::Must, outcome, |_| {
        Text::new("one submission is accepted and counted", "一次提交被接受，也数得到")
    })?;
    let outcome = operation.control(probe);
    let pace = report.judge("control", Need::Must, outcome, |_| {
        Text::new("different submissions are all counted", "不同的提交都数得到")
    })?;
    Some((first, values, pace))
}
