//! Rate limiting that holds.

mod answer;
pub(crate) mod gcra;
pub(crate) mod headers;
pub(crate) mod key;
mod memory;
pub(crate) mod policies;
pub(crate) mod quota;
pub(crate) mod refusal;
mod retry_info;
pub(crate) mod store;
mod table;
pub(crate) mod verdict;

pub use headers::RateLimitFields;
pub use key::{KeyParts, LimitBy, LimitKey};
pub use memory::{LimitStoreStats, MemoryLimitStore};
pub use policies::LimitUnit;
pub use quota::{Quota, QuotaError, QuotaErrorKind, Quotas};
pub use refusal::{LimitRefusal, LimitRefusalKind};
pub use store::{Adjustment, LimitStore};
pub use verdict::{Outcome, Standing, Verdict};
