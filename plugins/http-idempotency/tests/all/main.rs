//! The plugin over the native host: real requests to a small shop of its own.

#[cfg(test)]
mod check;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod shop;
