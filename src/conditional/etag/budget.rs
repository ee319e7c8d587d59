//! How much is gathered at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that all bodies together may still take.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// So many bytes of it, until they are dropped; `None` where there are not as many left.
    pub(crate) fn take(&self, bytes: u64) -> Option<Taken> {
        let left = |left: u64| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).ok()?;
        Some(Taken { budget: self.clone(), bytes })
    }
}

/// A part of a [`Budget`].
#[derive(Debug)]
pub(crate) struct Taken {
    budget: Budget,
    bytes: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        let budget = Budget::new(10);
        let (first, second) = (budget.take(6).unwrap(), budget.take(4).unwrap());
        assert!(budget.take(1).is_none());
        drop(first);
        assert!(budget.take(7).is_none() && budget.take(6).is_some());
        drop(second);
        assert!(budget.take(10).is_some());
    }
}
