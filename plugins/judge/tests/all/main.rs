//! The engine over the native host: programs that a shell makes up, and what is said of them.

#[cfg(test)]
mod manner;
