//! Rate limiting that holds.

pub(crate) mod concurrency;
pub(crate) mod gcra;
pub(crate) mod key;
mod memory;
pub(crate) mod no_key;
pub(crate) mod quota;
pub(crate) mod store;
mod table;
pub(crate) mod verdict;

pub use concurrency::{
    ConcurrencyHandle, ConcurrencyStats, KeyedConcurrency, KeyedConcurrencyBody,
    KeyedConcurrencyFuture, KeyedConcurrencyLayer,
};
pub use key::{KeyParts, LimitBy, LimitKey};
pub use memory::{LimitStoreStats, MemoryLimitStore};
pub use no_key::NoKey;
pub use quota::{Quota, QuotaError, QuotaErrorKind, Quotas};
pub use store::{Adjustment, LimitStore};
pub use verdict::{Outcome, Standing, Verdict};
