//! The plugin over the native host: the protocol against servers that are played here. The checks themselves are held
//! against a real MariaDB by the project's own tests.

#[cfg(test)]
mod login;
#[cfg(test)]
mod server;
