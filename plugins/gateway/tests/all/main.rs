//! The plugin over the native host: both checks against the reference service, good and with each flaw that is their
//! business.

#[cfg(test)]
mod check;
