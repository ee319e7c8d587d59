//! Rate limiting that holds: how much each key may do, and what the rest is told.
//!
//! ```
//! use axum::extract::ConnectInfo;
//! use axum::{Router, routing::get};
//! use std::net::SocketAddr;
//! use tower_keep::limit::{LimitBy, Quota, RateLimitFields, RateLimitLayer};
//!
//! # fn app() -> Result<Router, tower_keep::limit::QuotaError> {
//! let peer = LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip());
//! let limit = RateLimitLayer::new([Quota::per_second(10).burst(50), Quota::per_day(100_000)], peer)?
//!     .fields(RateLimitFields::Draft11);
//! let app = Router::new().route("/", get(async || "hello")).layer(limit);
//! # Ok(app)
//! # }
//! # app().unwrap();
//! ```
//!
//! # How it counts
//!
//! A [`Quota`] is so many units in a period, and so many at once. Units come back one by one and evenly (the generic cell rate algorithm), so that
//! there is no window at whose border twice as much passes. What is admitted is the burst and the rate, and never one more: also with many
//! threads, and with rates that no whole number of nanoseconds makes. Of several quotas on a key
//! the strictest decides, and all are charged or none.
//!
//! # By whom
//!
//! [`LimitBy`] says what is counted together: [the peer](LimitBy::peer), a [client behind proxies](ClientAddress) that you trust,
//! [who asks](LimitBy::principal), a [field](LimitBy::header), whatever [your function](LimitBy::with) makes of a request, and
//! [combinations](LimitBy::and) of them. A field that a client may write is believed only where a proxy of yours has written it: by default nothing
//! but the connection counts. A request without a key is refused, unless [`NoKey`] says otherwise.
//!
//! # Costs
//!
//! A request costs one unit, or [so many](RateLimitLayer::cost), or what [a function](RateLimitLayer::cost_by) says; where the cost is known
//! later, it is reserved and [settled](RateLimitLayer::settled_by_handler) behind the response:
//!
//! ```
//! use axum::{Extension, Router, routing::post};
//! use std::num::NonZeroU64;
//! use tower_keep::limit::{Charge, LimitBy, Quota, RateLimitLayer};
//!
//! async fn complete(Extension(charge): Extension<Charge>, prompt: String) -> String {
//!     let (answer, tokens) = (prompt.to_uppercase(), 812); // your model
//!     charge.settle(tokens);
//!     answer
//! }
//!
//! // Forty thousand tokens of the model in a minute for each user; five hundred are reserved, and given back if they are not used.
//! # fn app() -> Result<Router, tower_keep::limit::QuotaError> {
//! let tokens = RateLimitLayer::new(Quota::per_minute(40_000), LimitBy::principal())?
//!     .cost(NonZeroU64::new(500).unwrap())
//!     .settled_by_handler()
//!     .refund_unused();
//! let app = Router::new().route("/complete", post(complete)).layer(tokens);
//! # Ok(app)
//! # }
//! # app().unwrap();
//! ```
//!
//! # What is kept
//!
//! A digest with a secret for a key, and its numbers; never the address, the field or the user. [`MemoryLimitStore`] is a table of fixed size
//! without a background thread: where there are more keys than it has room for, one that has used little is forgiven what it has used; a store that several instances share implements [`LimitStore`], and [`StoreFailure`] says what
//! happens while it fails.
//!
//! # What clients are told
//!
//! Who is refused gets 429 with `Retry-After` (RFC 6585 §4), problem details (RFC 9457) and `no-store`; gRPC gets RESOURCE_EXHAUSTED in
//! gRPC's own way, with a RetryInfo. [`RateLimitFields`] adds fields that tell how quotas stand. The reason lies in the extensions of the
//! response as a [`LimitRefusal`].
//!
//! # How many at once
//!
//! [`KeyedConcurrencyLayer`] limits how many requests of a key are under way at one time, until their bodies have ended.

mod after;
mod answer;
mod body;
mod breaker;
pub(crate) mod by;
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
pub use by::LimitBy;
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
pub use key::{KeyParts, LimitKey};
pub use layer::RateLimitLayer;
pub use memory::{LimitStoreStats, MemoryLimitStore};
pub use network::{Network, NetworkError, NetworkErrorKind};
pub use no_key::NoKey;
pub use policies::LimitUnit;
pub use quota::{Quota, QuotaError, QuotaErrorKind, Quotas};
pub use refusal::{LimitRefusal, LimitRefusalKind};
pub use service::RateLimit;
pub use settling::{Charge, ChargeMeter};
pub use stats::LimitStats;
pub use store::{Adjustment, LimitStore};
pub use verdict::{Outcome, Standing, Verdict};
