//! Programs that the shipped checks are held against: each is a good one, and with the name of a flaw it makes exactly one
//! known mistake.
//!
//! A program is a module. Those that a check only talks to run inside the tests, on a thread of their own; those that a
//! check starts, kills or looks into run as processes, through the example `reference` of the package `mustdo`:
//!
//! ```sh
//! cargo run --example reference -- PROGRAM [ARGUMENT…]
//! ```

#![expect(clippy::unnecessary_box_returns, reason = "a tree that is turned is a box, as its links are")]

pub mod api;
pub mod client;
pub mod dns;
pub mod judge;
mod named;
pub mod site;
pub mod tcp;
pub mod tls;
pub mod tuple;
pub mod udp;

/// A program's entry: what stands behind its name on the command line. An error is words for people.
pub type Main = fn(&[String]) -> Result<(), String>;

/// The programs that can be a process of their own, by name.
pub const PROGRAMS: &[(&str, Main)] = &[
    ("api", api::main),
    ("client", client::main),
    ("judge", judge::main),
    ("tcp", tcp::main),
    ("tuple", tuple::main),
];

/// Runs the program that the first argument names, with the others.
///
/// # Errors
///
/// Words for people: no program of that name, or what the program itself says.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let known = || PROGRAMS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (name, arguments) = arguments.split_first().ok_or_else(|| format!("which program? {}", known()))?;
    let main = PROGRAMS.iter().find(|(program, _)| program == name);
    let (_, main) = main.ok_or_else(|| format!("no program '{name}'; there are: {}", known()))?;
    main(arguments)
}
