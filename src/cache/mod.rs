//! A shared HTTP cache (RFC 9111) as a tower layer.
//!
//! [`CacheLayer`] stores what responses say may be stored, serves it while it is fresh, validates it when
//! it is not, and drops it when it is written. What it did with a request is in [`CacheOutcome`].
//!
//! ```
//! use axum::{Router, routing::get};
//! use std::time::Duration;
//! use tower_keep::cache::{CacheHint, CacheLayer};
//! use tower_keep::store::MemoryStore;
//!
//! async fn feed() -> (axum::Extension<CacheHint>, &'static str) {
//!     (axum::Extension(CacheHint::fresh_for(Duration::from_secs(30))), "news")
//! }
//!
//! let app: Router = Router::new()
//!     .route("/feed", get(feed))
//!     .layer(CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)));
//! # let _ = app;
//! ```

mod answer;
mod background;
mod body;
pub(crate) mod codec;
mod collapse;
mod core;
mod course;
mod driver;
pub(crate) mod entry;
mod feed;
mod filing;
mod finish;
mod flight;
mod flights;
mod flow;
mod future;
mod handle;
mod heads;
pub(crate) mod hint;
pub(crate) mod index;
pub(crate) mod key;
mod key_parts;
mod landing;
mod layer;
mod leading;
pub(crate) mod lines;
pub(crate) mod mark;
mod operate;
pub(crate) mod outcome;
pub(crate) mod partition;
pub(crate) mod passed;
pub(crate) mod place;
mod purge;
mod refresh;
mod service;
mod shared_names;
mod source;
pub(crate) mod spawn;
mod stamps;
mod stats;
mod steering;
mod subject;
mod telling;
mod turns;
mod unanswered;
mod warming;
mod written;

pub use crate::fields::CacheControl;
pub use crate::fields::vary::{LanguageMatching, UnknownFields};
pub use crate::rules::policy::{CachePolicy, DefaultFreshness, RequestDirective, SetCookie};
pub use crate::rules::reason::Reason;
pub use body::{BodyError, CacheBody};
pub use future::ResponseFuture;
pub use handle::{CacheHandle, DrainError, PurgeTally, PutError};
pub use hint::{CacheHint, PurgesTag};
pub use key::CacheKey;
pub use key_parts::KeyParts;
pub use layer::CacheLayer;
pub use outcome::{CacheOutcome, Forward};
pub use partition::Partition;
pub use purge::{Purge, PurgeError, PurgeErrorKind};
pub use service::Cache;
pub use spawn::{Spawn, Work};
pub use stats::CacheStats;
pub use steering::SteeringField;
pub use warming::Warming;
pub use warming::progress::{WarmingError, WarmingErrorKind, WarmingProgress, WarmingStep};
#[cfg(feature = "sitemap")]
pub use warming::sitemap::{Sitemap, SitemapError, SitemapErrorKind};
