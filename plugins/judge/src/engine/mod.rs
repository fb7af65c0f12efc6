//! The engine of every check here: MLP/1 spoken with a program, seeded operations held against a model.
//!
//! Start at [`Exam`]: it starts the program, plays operations, and makes a shortest counter-example of what went wrong.
//! A task is a [`Model`], which judges each answer, and a function that makes operations. What the program breaks of the
//! protocol itself is a [`Breach`]. `docs/judge.md` tells the protocol to learners.

mod breach;
mod exam;
mod growth;
mod lines;
mod model;
mod session;
mod shrink;
mod wire;

pub(crate) use exam::{Exam, Place, capability, greeted, pick, run};
pub(crate) use growth::{Grown, Growth};
pub(crate) use model::{Model, Wrong, error, expect, value};
pub(crate) use session::Session;
pub(crate) use wire::{Answer, Op, op, shown};
