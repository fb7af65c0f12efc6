#[cfg(test)]
#[path = "../../../../tests/reference/src/named.rs"]
mod named;
#[cfg(test)]
#[path = "../../../../tests/reference/src/tcp/mod.rs"]
mod tcp;
#[cfg(test)]
mod server;
