//! Talking to the learner's HTTP service: requests as he writes them ([`Template`]), a client that keeps a record
//! ([`Probe`]), a resource that the check makes for itself ([`Resource`]), and what it means when a request that should
//! simply have worked did not ([`refused`]). Start at [`Probe::open`].

mod crowd;
mod probe;
mod refusal;
mod resource;
mod template;

pub use crowd::{Crowd, Served, unharmed};
pub use probe::{Probe, TARGET, excerpt, line_of, place_of};
pub use refusal::{Advice, expect_success, refused};
pub use resource::{Resource, WRAPPERS, id_of, identity, location_path, row_of};
pub use template::{Placeholders, Template, Values};
