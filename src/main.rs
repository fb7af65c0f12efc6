//! The `mustdo` program.

fn main() {}
