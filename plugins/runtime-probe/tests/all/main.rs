//! The checks in the native double of the host.
