//! Where entries are kept: a map from key to entry, and nothing else. Stores judge no freshness and need
//! no clock.
//!
//! [`MemoryStore`] keeps them in this process, bounded in bytes; [`LruStore`] by plain recency, which a scan
//! of many URLs empties. Any other is a type of yours that implements [`Store`], and may use [`Codec`] to turn
//! entries into bytes; [`DynStore`] hides which one it is. What was purged is no store's business, but one
//! that is shared or outlives the process has a [`Ledger`], so that purges reach all who share it.

#[cfg(any(test, feature = "test-util"))]
pub mod conformance;
mod contract;
mod dynamic;
pub(crate) mod error;
pub(crate) mod ledger;
mod lru;
mod memory;

pub use crate::cache::codec::Codec;
#[cfg(feature = "seal")]
pub use crate::cache::codec::{Keys, KeysError, KeysErrorKind};
pub use crate::cache::entry::Entry;
pub use crate::cache::key::CacheKey;
pub use crate::cache::mark::{Catch, Mark, Position, PurgeKind, Purged, Target};
pub use contract::{Answer, Store};
pub use dynamic::DynStore;
pub use error::{StoreError, StoreErrorKind};
pub use ledger::{Ledger, Reach, Wait};
pub use lru::LruStore;
pub use memory::MemoryStore;
