//! What every check of the plugin begins and ends with.

use std::collections::BTreeMap;

use mustdo_plugin::service::{Probe, TARGET};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Context, Fault, Report, Text};

/// Declares a struct of parameters that begins with those of the site, like
/// [`parameters!`](mustdo_plugin::parameters!), and gives it `doors`.
macro_rules! visiting {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident advised by $advice:ident {
            $($more:tt)*
        }
    ) => {
        mustdo_plugin::parameters! {
            $(#[doc = $about])*
            pub struct $name {
                /// Registers: a page with a form, or a request with `{user}`, `{email}` and `{password}`. Without it: found by looking.
                pub(crate) register: Option<mustdo_plugin::service::Template> = None,
                /// Logs in, written as `register` is.
                pub(crate) login: Option<mustdo_plugin::service::Template> = None,
                /// Logs out. Without it: the form or link that the page of a logged-in user offers.
                pub(crate) logout: Option<mustdo_plugin::service::Template> = None,
                /// A page or document that shows the user's name to that user and to nobody else.
                pub(crate) whoami: Option<mustdo_plugin::service::Template> = None,
                /// Sets a new password: a request with `{password}`, and with `{user}` or `{email}` where it says whose. Without it: the form that a user finds.
                pub(crate) new_password: Option<mustdo_plugin::service::Template> = None,
                /// Headers of every request.
                pub(crate) headers: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new(),
                /// Where one writes and others read: requests with `{text}`, each with the page that shows it; where `Location` or the id of an answer leads is looked at as well. Without any: the forms that a user finds.
                pub(crate) sinks: Vec<crate::sink::Written> = Vec::new(),
                /// What goes into queries: addresses with `{value}`. Without any: the search forms and the numbers in links that a user finds.
                pub(crate) inputs: Vec<String> = Vec::new(),
                /// For each of `inputs` a value that finds something.
                pub(crate) values: Vec<String> = Vec::new(),
                /// Addresses of files, in the path or as the value of a parameter. Without any: style sheets and downloads that a user finds.
                pub(crate) endpoints: Vec<String> = Vec::new(),
                /// Pages for administrators. Without any: the usual ones are tried.
                pub(crate) admin: Vec<String> = Vec::new(),
                /// What one member writes is for all members to read.
                pub(crate) shared: bool = false,
                /// Addresses with `{value}` that lead on to where the value says. Without any: the usual ones.
                pub(crate) redirects: Vec<String> = Vec::new(),
                /// Addresses with `{value}` that fetch what the value says. Without any: the usual ones, and the forms that a user finds.
                pub(crate) previews: Vec<String> = Vec::new(),
                /// Addresses with `{value}` that run a program on what the value says. Without any: the usual ones, and the forms that a user finds.
                pub(crate) commands: Vec<String> = Vec::new(),
                /// The key that signs the site's JSON Web Tokens, as text, in base64 or in hexadecimal digits; `{ env = "NAME" }` takes it from a variable. With it, a token that has ended is made, and must be refused.
                pub(crate) signing_key: Option<String> = None,
                $($more)*
            }
        }

        impl $name {
            fn doors(&self) -> crate::flow::Doors<'_> {
                crate::flow::Doors {
                    register: self.register.as_ref(),
                    login: self.login.as_ref(),
                    logout: self.logout.as_ref(),
                    whoami: self.whoami.as_ref(),
                    advice: $advice,
                    features: crate::check::Features {
                        new_password: self.new_password.as_ref(),
                        sinks: &self.sinks,
                        inputs: &self.inputs,
                        values: &self.values,
                        endpoints: &self.endpoints,
                        admin: &self.admin,
                        shared: self.shared,
                        redirects: &self.redirects,
                        previews: &self.previews,
                        commands: &self.commands,
                        signing_key: self.signing_key.as_deref(),
                    },
                }
            }
        }
    };
}

/// What the learner wrote of the site's features: one description for all checks, each reads what it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Features<'check> {
    pub(crate) new_password: Option<&'check mustdo_plugin::service::Template>,
    pub(crate) sinks: &'check [crate::sink::Written],
    pub(crate) inputs: &'check [String],
    pub(crate) values: &'check [String],
    pub(crate) endpoints: &'check [String],
    pub(crate) admin: &'check [String],
    pub(crate) shared: bool,
    pub(crate) redirects: &'check [String],
    pub(crate) previews: &'check [String],
    pub(crate) commands: &'check [String],
    pub(crate) signing_key: Option<&'check str>,
}

pub(crate) use visiting;

/// The capability that every check needs.
pub(crate) fn reach() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Http(TARGET.to_owned()),
        reason: "to visit your site as several users do, and as an attacker would".to_owned(),
        required: true,
    }
}

/// Opens the site, judges, and reports what was sent.
pub(crate) fn run(
    context: &mut Context<'_>,
    headers: &BTreeMap<String, String>,
    passed: Text,
    judge: impl FnOnce(&mut Probe, &mut Report) -> Option<()>,
) -> Report {
    let mut report = Report::new(passed);
    let mut probe = match Probe::open(context, headers) {
        Ok(probe) => probe,
        Err(failure) => {
            let _: Option<()> =
                report.judge("reach", Need::Must, Err(Fault::from(failure)), |()| Text::same(""));
            return report;
        }
    };
    // Where it stopped is in the report.
    let _ = judge(&mut probe, &mut report);
    report.measure("requests", f64::from(probe.sent()), "1");
    report.evidence("requests", probe.record_text());
    report
}
