//! Rate limiting that holds.

mod client;
mod forwarded;
pub(crate) mod gcra;
pub(crate) mod key;
mod memory;
mod network;
pub(crate) mod quota;
pub(crate) mod store;
mod table;
pub(crate) mod verdict;

pub use client::ClientAddress;
pub use forwarded::ForwardedIn;
pub use key::{KeyParts, LimitBy, LimitKey};
pub use memory::{LimitStoreStats, MemoryLimitStore};
pub use network::{Network, NetworkError, NetworkErrorKind};
pub use quota::{Quota, QuotaError, QuotaErrorKind, Quotas};
pub use store::{Adjustment, LimitStore};
pub use verdict::{Outcome, Standing, Verdict};
