//! An HTTP cache that is right, conditional requests, stateless authentication and rate limiting, as tower layers for axum, tonic and hyper
//! services.
//!
//! ```no_run
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use tower_keep::cache::{CacheControl, CacheLayer};
//! use tower_keep::store::MemoryStore;
//!
//! async fn product() -> ([(http::HeaderName, http::HeaderValue); 1], &'static str) {
//!     let fresh = CacheControl::public().max_age(Duration::from_secs(3600));
//!     ([(http::header::CACHE_CONTROL, fresh.into())], "a fine product")
//! }
//!
//! # async fn serve() {
//! let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
//! let app = Router::new().route("/products/{id}", get(product)).layer(cache);
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await.unwrap(), app).await.unwrap();
//! # }
//! ```
//!
//! With nested routers add `.key(tower_keep::axum::target)`: inside `Router::nest` the target has lost its
//! prefix, and two nested routers with one cache would look alike.
//!
//! # What it does
//!
//! [`CacheLayer`] stores what responses say may be stored (RFC 9111 §3), serves it while it is fresh
//! (§4.2), validates it with your service when it is not (§4.3), and drops it when it is written (§4.4).
//! Preconditions and ranges of clients are answered from the store. A miss streams: its first byte is
//! not held back, and a body is stored only when all of it came.
//!
//! Requests that want the same at the same time are one call of your service: the others read its response
//! while it comes. A stale response whose `stale-while-revalidate` allows it leaves at once, and is refreshed
//! behind the request. A service that fails, and fails again, is spared for a second or more.
//!
//! Nothing is stored that nobody said may be stored. The README has the table.
//!
//! Apart from the cache, or inside it, [`conditional`] gives dynamic responses an `ETag`, answers clients that hold them with 304,
//! sends the ranges that they ask for, and keeps writes from overwriting what their client has not seen.
//!
//! With the feature `jwt`, `auth` verifies who asks from the token alone, and tells the cache.
//!
//! [`limit`] lets each client, user or key do as much as its quotas allow, exactly and in fixed memory, and tells the rest when to come
//! back.
//!
//! # How to choose
//!
//! - **The policy.** [`CachePolicy::shared`] is for a service of your own, [`CachePolicy::rfc9111`] for a
//!   proxy in front of others'. Give a route its own with a clone: `cache.clone().policy(..)`.
//! - **The store.** [`MemoryStore`] is bounded in bytes and resists scans; [`LruStore`] keeps what was used
//!   last. Anything with get, put and remove is a [`Store`]; [`DynStore`] picks one when the program runs.
//!   One that several instances share needs a [`Ledger`], so that a purge reaches all of them.
//! - **Who shares.** By default everybody. [`CacheLayer::partition_by`] keeps groups of clients apart,
//!   [`CacheLayer::private_by`] makes it a cache for each user. Behind a `JwtLayer`,
//!   [`Partition::principal`](cache::Partition::principal) is who asks.
//! - **Tags.** Handlers that set no `ETag` get one by [`EtagLayer`](conditional::EtagLayer), inside a
//!   [`ConditionalLayer`](conditional::ConditionalLayer), inside the cache.
//! - **Limits.** One by peer outermost, one by user inside authentication: [`limit`] has what to count by.
//! - **Where to put it.** Inside authentication, outside compression and the layers of [`conditional`]: what the cache stores is then what
//!   all clients may have, once per content coding.
//!
//! # Cookbook
//!
//! **Freshness from the handler, unseen by clients**, who then judge for themselves (RFC 9111 §4.2.2):
//!
//! ```
//! use std::time::Duration;
//! use tower_keep::cache::CacheHint;
//!
//! async fn quote() -> (axum::Extension<CacheHint>, &'static str) {
//!     (axum::Extension(CacheHint::fresh_for(Duration::from_secs(1))), "101.3")
//! }
//! # let _ = quote;
//! ```
//!
//! **Freshness for handlers that say nothing.** Five seconds, shortened by up to a tenth so that what was
//! stored together does not expire together:
//!
//! ```
//! use std::time::Duration;
//! use tower_keep::cache::{CachePolicy, DefaultFreshness};
//!
//! let policy = CachePolicy::shared()
//!     .default_freshness(DefaultFreshness::fixed(Duration::from_secs(5)).jitter(0.1));
//! # let _ = policy;
//! ```
//!
//! **A policy for one route.** Clones share store and counts. Merged, not nested: of two clones around one route
//! the outer one looks up and decides:
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use tower_keep::cache::{CacheLayer, CachePolicy, DefaultFreshness};
//! use tower_keep::store::MemoryStore;
//!
//! let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
//! let feed = cache
//!     .clone()
//!     .policy(CachePolicy::shared().default_freshness(DefaultFreshness::fixed(Duration::from_secs(30))));
//! let app: Router = Router::new()
//!     .route("/products", get(|| async { "products" }))
//!     .layer(cache)
//!     .merge(Router::new().route("/feed", get(|| async { "news" })).layer(feed));
//! # let _ = app;
//! ```
//!
//! **Answers that differ by user.** The partition must tell one user from every other; a request without
//! a user is neither looked up nor stored:
//!
//! ```
//! use tower_keep::cache::{CacheLayer, Partition};
//! use tower_keep::store::MemoryStore;
//!
//! #[derive(Clone)]
//! struct UserId(u64); // put into the extensions by your authentication
//!
//! let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).private_by(Partition::with(
//!     |head| head.extensions.get::<UserId>().map(|user| user.0.to_le_bytes().to_vec()),
//! ));
//! # let _ = cache;
//! ```
//!
//! **Drop what a change touches.** A write through the layer drops its target by itself. What else it
//! touches, tags tell: of the responses that show it, and of the one that changed it. (With the `axum` feature
//! both are response parts.)
//!
//! ```
//! use std::time::Duration;
//! use tower_keep::cache::{CacheHint, PurgesTag};
//!
//! async fn profile() -> (axum::Extension<CacheHint>, &'static str) {
//!     (axum::Extension(CacheHint::fresh_for(Duration::from_secs(3600)).tag("user:7")), "ada")
//! }
//!
//! async fn rename() -> (axum::Extension<PurgesTag>, &'static str) {
//!     (axum::Extension(PurgesTag::new("user:7")), "renamed")
//! }
//! # let _ = (profile, rename);
//! ```
//!
//! **Drop what changed elsewhere.** For a change behind the layer's back, such as a job's:
//!
//! ```
//! # use tower_keep::cache::{CacheHandle, Purge, PurgeError};
//! async fn price_changed(cache: &CacheHandle, id: u64) -> Result<(), PurgeError> {
//!     let url = format!("http://shop.example/products/{id}").parse().expect("digits make a URL");
//!     cache.purge(Purge::url(url)).await?;
//!     cache.purge(Purge::tag("prices").soft()).await?;
//!     Ok(())
//! }
//! # let _ = price_changed;
//! ```
//!
//! **Warm at the start.** A list of URLs, or with the `sitemap` feature a sitemap, is asked for through the
//! service itself:
//!
//! ```
//! # async fn warm(app: axum::Router) {
//! use axum::body::Body;
//! use tower_keep::cache::Warming;
//!
//! let urls = ["/", "/products/7"].map(|path| format!("https://shop.example{path}").parse().unwrap());
//! let warmed = Warming::new(urls)
//!     .parallel(4)
//!     .run::<Body>(app, |step| println!("{} of {}", step.progress.done, step.progress.total))
//!     .await;
//! println!("{} stored, {} failed", warmed.stored, warmed.failed);
//! # }
//! # let _ = warm;
//! ```
//!
//! **Never let a client wait for what is a little old.** For half a minute past its freshness a response is
//! served while it is refreshed, and with the policy's `early_refresh` mostly before it is stale:
//!
//! ```
//! use std::time::Duration;
//! use tower_keep::cache::{CacheControl, CacheLayer, CachePolicy};
//! use tower_keep::store::MemoryStore;
//!
//! let quote = CacheControl::public()
//!     .max_age(Duration::from_secs(1))
//!     .stale_while_revalidate(Duration::from_secs(30));
//! let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20))
//!     .policy(CachePolicy::shared().early_refresh(1.0));
//! # let _ = (quote, cache);
//! ```
//!
//! **304 for what is made anew each time.** The handler runs, and the body is not sent to who holds it; or with
//! [`by_version`](conditional::EtagLayer::by_version) not even that:
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_keep::conditional::{ConditionalLayer, EtagLayer};
//!
//! let app: Router = Router::new()
//!     .route("/report", get(async || "a long report"))
//!     .layer((ConditionalLayer::new(), EtagLayer::new())); // the first is the outermost
//! # let _ = app;
//! ```
//!
//! **No more than that.** Each address 600 times a minute, and 50 at once:
//!
//! ```
//! use axum::extract::ConnectInfo;
//! use std::net::SocketAddr;
//! use tower_keep::limit::{LimitBy, Quota, RateLimitLayer};
//!
//! let peer = LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip());
//! let limit = RateLimitLayer::new(Quota::per_minute(600).burst(50), peer)?;
//! let app: axum::Router = axum::Router::new().layer(limit);
//! # let _ = app;
//! # Ok::<(), tower_keep::limit::QuotaError>(())
//! ```
//!
//! **No lost updates.** [`Preconditions`](conditional::Preconditions) in a handler that writes: see [`conditional`].
//!
//! **Stop gracefully.** When the server has ended, what still runs in the background is waited for:
//!
//! ```
//! # use tower_keep::cache::CacheHandle;
//! # async fn stopped() {}
//! async fn run(app: axum::Router, cache: CacheHandle) -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
//!     cache.drain(std::time::Duration::from_secs(5)).await?;
//!     Ok(())
//! }
//! # let _ = run;
//! ```
//!
//! **Ask what happened.** Every body has a [`CacheOutcome`], every response a `Cache-Status` (RFC 9211),
//! and with the `tracing` feature an event tells why a response was not stored.
//!
//! **Test with a clock of your own.** With the `test-util` feature, `CacheLayer::with_clock` takes a
//! `ManualClock`: time passes when your test says so.
//!
//! # Good to know
//!
//! - A cache tells on its users: who sees that an answer was a hit learns that
//!   somebody asked before. `Age` shows it, and so does `Cache-Status` unless
//!   [`CacheLayer::without_cache_status`]; a partition per user hides it.
//! - A request that waits for another's response waits until its head is there. Where your service holds
//!   requests back on purpose (long polls), use [`CacheLayer::without_collapsing`] for that route; where its
//!   answers are `no-store` they are not waited for once that is known.
//! - A refresh in the background has the fields of the key and no credentials, but the request's extensions,
//!   since handlers need them (state, matched path). What an extension says of the client must not change
//!   what is stored for everybody.
//! - An interim response (1xx) does not pass a tower service, so none reaches the cache or the client.
//! - Inside [`axum::Router::nest`](https://docs.rs/axum/latest/axum/struct.Router.html#method.nest) the
//!   target has lost its prefix: use `tower_keep::axum::target` or [`CacheLayer::scope`].
//!
//! [`CacheHint`]: cache::CacheHint
//! [`CacheLayer`]: cache::CacheLayer
//! [`CacheLayer::partition_by`]: cache::CacheLayer::partition_by
//! [`CacheLayer::private_by`]: cache::CacheLayer::private_by
//! [`CacheLayer::scope`]: cache::CacheLayer::scope
//! [`CacheLayer::without_cache_status`]: cache::CacheLayer::without_cache_status
//! [`CacheLayer::without_collapsing`]: cache::CacheLayer::without_collapsing
//! [`CacheOutcome`]: cache::CacheOutcome
//! [`CachePolicy::rfc9111`]: cache::CachePolicy::rfc9111
//! [`CachePolicy::shared`]: cache::CachePolicy::shared
//! [`DynStore`]: store::DynStore
//! [`Ledger`]: store::Ledger
//! [`LruStore`]: store::LruStore
//! [`MemoryStore`]: store::MemoryStore
//! [`Store`]: store::Store

#[cfg(feature = "jwt")]
pub mod auth;
#[cfg(feature = "axum")]
pub mod axum;
pub mod cache;
pub mod clock;
pub mod conditional;
mod digest;
mod entropy;
mod error;
mod fields;
mod frames;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod head;
pub mod limit;
mod refusing;
mod rules;
pub mod store;
mod sync;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod time;

pub use error::BoxError;

/// The README's own code, so that it compiles.
#[cfg(all(doctest, feature = "axum", feature = "jwks-client"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// And that of the guide.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../docs/rate-limiting.md")]
struct RateLimiting;
