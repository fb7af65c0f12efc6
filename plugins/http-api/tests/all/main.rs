//! The plugin over the native host: every check against the reference service, good and with each flaw that is its business.

#[cfg(test)]
mod check;
