//! Plugins that mean harm, from end to end: each is refused, cut or made harmless, and says so.
//!
//! What a hostile plugin does inside one run is in `host`; here is what needs the whole program, or a peer that is hostile
//! too.

mod compile;
mod peer;
mod run;
mod words;
mod workspace;
