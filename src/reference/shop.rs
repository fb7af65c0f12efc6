//! The good service without its network: what the resource modules work on.

use std::time::Duration;

use super::{store::Store, work::Work};

/// The state of the shop and the work under way.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) store: Store,
    pub(super) work: Work,
    /// How long an order or a ticket takes.
    pub(super) slow: Duration,
}

impl Shop {
    pub(super) fn new(store: Store, slow: Duration) -> Self {
        Self { store, work: Work::new(), slow }
    }
}
