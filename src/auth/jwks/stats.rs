//! What was counted.

use std::time::Duration;

use crate::auth::jwks::error::JwksErrorKind;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How it goes with keys from the network.
///
/// ```
/// use tower_keep::auth::{JwksKeys, JwksStats};
///
/// /// Whether somebody should look: the issuer has failed since the last set came.
/// fn is_failing(keys: &JwksKeys) -> bool {
///     let JwksStats { last_error, .. } = keys.stats();
///     last_error.is_some()
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwksStats {
    /// Fetches that were begun.
    pub fetches: u64,
    /// Fetches that brought no good set, for whatever reason.
    pub failures: u64,
    /// Those of them whose reply came and was refused.
    pub refused: u64,
    /// Fetches to which the set that was there was good still (304).
    pub not_modified: u64,
    /// Requests that got no answer about their key: [`Refreshed::Unavailable`](crate::auth::Refreshed::Unavailable).
    pub unavailable: u64,
    /// How many wait for a fetch now.
    pub waiting: u64,
    /// Keys of the last good set, also where that is too old to be used.
    pub keys: u64,
    /// Keys of that set which cannot be used, and are left out.
    pub left_out: u64,
    /// How long ago the last good fetch began; `None` before the first.
    pub age: Option<Duration>,
    /// What was wrong with the last fetch, if it failed.
    pub last_error: Option<JwksErrorKind>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) fetches: Count,
    pub(super) failures: Count,
    pub(super) refused: Count,
    pub(super) not_modified: Count,
    pub(super) unavailable: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
