//! The wire to the service, as every check of this plugin uses it.

use mustdo_plugin::http::Request;
use mustdo_plugin::verdict::Location;

pub(crate) use mustdo_plugin::probe::{Probe, excerpt, line_of};

/// The name of the http target, in the plugin's words.
pub(crate) const TARGET: &str = "api";

/// Where a finding about this request was seen.
pub(crate) fn place_of(request: &Request) -> Location {
    Location::Exchange(TARGET.to_owned(), line_of(request))
}
