//! Where entries are kept: a map from key to entry, and nothing else. Stores judge no freshness and need
//! no clock.
//!
//! [`MemoryStore`] keeps them in this process, bounded in bytes. Any other is a type of yours that
//! implements [`Store`]; [`DynStore`] hides which one it is.

mod contract;
mod dynamic;
mod error;
mod memory;

pub use crate::cache::entry::Entry;
pub use crate::cache::key::CacheKey;
pub use contract::{Answer, Store};
pub use dynamic::DynStore;
pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
