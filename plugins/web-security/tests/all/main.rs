//! The plugin over the native host: real requests to the reference site.

#[cfg(test)]
mod proof;
