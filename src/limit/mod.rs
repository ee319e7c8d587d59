//! Rate limiting that holds.

mod after;
mod answer;
mod body;
mod breaker;
mod client;
pub(crate) mod concurrency;
mod costs;
mod disclosure;
mod failure;
mod forwarded;
mod future;
mod gate;
pub(crate) mod gcra;
mod handle;
pub(crate) mod headers;
pub(crate) mod key;
mod layer;
mod memory;
mod network;
pub(crate) mod no_key;
pub(crate) mod policies;
pub(crate) mod quota;
pub(crate) mod refusal;
mod retry_info;
mod service;
mod settling;
mod stats;
pub(crate) mod store;
mod table;
pub(crate) mod verdict;

pub use body::RateLimitBody;
pub use client::ClientAddress;
pub use concurrency::{
    ConcurrencyHandle, ConcurrencyStats, KeyedConcurrency, KeyedConcurrencyBody,
    KeyedConcurrencyFuture, KeyedConcurrencyLayer,
};
pub use failure::StoreFailure;
pub use forwarded::ForwardedIn;
pub use future::RateLimitFuture;
pub use handle::LimitHandle;
pub use headers::RateLimitFields;
pub use key::{KeyParts, LimitBy, LimitKey};
pub use layer::RateLimitLayer;
pub use memory::{LimitStoreStats, MemoryLimitStore};
pub use network::{Network, NetworkError, NetworkErrorKind};
pub use no_key::NoKey;
pub use policies::LimitUnit;
pub use quota::{Quota, QuotaError, QuotaErrorKind, Quotas};
pub use refusal::{LimitRefusal, LimitRefusalKind};
pub use service::RateLimit;
pub use settling::Charge;
pub use stats::LimitStats;
pub use store::{Adjustment, LimitStore};
pub use verdict::{Outcome, Standing, Verdict};
