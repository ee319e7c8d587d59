//! The layer that counts requests in flight.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use tower_layer::Layer;

use crate::entropy;
use crate::limit::by::LimitBy;
use crate::limit::concurrency::counts::{Bounds, ConcurrencyStats, Counts};
use crate::limit::concurrency::service::{Gate, KeyedConcurrency};
use crate::limit::no_key::NoKey;

/// Lets so many requests of a key be in flight at once, and refuses those beyond.
///
/// A request is in flight from the moment it comes **until the body of its response has ended** or is dropped, and not only until
/// its head is there: a key that may have two downloads at once has two, however long they take. (tower's `ConcurrencyLimitLayer`
/// counts all requests together, lets those beyond wait, and counts a request until its head.) It is over too when its
/// client goes away, when the inner service fails or panics, and when the future is dropped. A body has ended when its last frame has been
/// handed to the server, which may still have some of it to send.
///
/// A body that has nothing in it, as those of 204 and 304 have, ends at once; the server drops that of an answer to HEAD. **A tunnel is
/// not counted**: a connection that is upgraded (101, or CONNECT and 2xx) has left HTTP, and the answer that did it has an empty body.
///
/// Who is refused gets 429 (RFC 6585 §4) with problem details (RFC 9457), which no cache may keep. There is no `Retry-After`, since
/// nobody knows when a request will be over. A request of gRPC gets RESOURCE_EXHAUSTED in gRPC's own way.
///
/// Only keys that have something in flight take memory: about 40 bytes each, and [`keys_max`](Self::keys_max) bounds how many there are.
/// Clones share the counts, whatever is set on each; a request that passes two of them is counted twice.
///
/// ```
/// use std::num::NonZeroU32;
/// use axum::{Router, routing::get};
/// use tower_keep::limit::{KeyedConcurrencyLayer, LimitBy};
///
/// #[derive(Clone)]
/// struct Tenant(u64); // put into the extensions by your authentication
///
/// const AT_ONCE: NonZeroU32 = NonZeroU32::new(4).unwrap();
/// let by_tenant = LimitBy::with(|head, parts| {
///     let Tenant(id) = head.extensions.get()?;
///     parts.part(&id.to_le_bytes());
///     Some(())
/// });
/// let exports = KeyedConcurrencyLayer::new(AT_ONCE, by_tenant);
/// let figures = exports.handle();
/// let app: Router = Router::new().route("/export", get(async || "much")).layer(exports);
/// assert_eq!(figures.stats().in_flight, 0);
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct KeyedConcurrencyLayer {
    counts: Arc<Counts>,
    by: LimitBy,
    secret: [u8; 16],
    no_key: NoKey,
    bounds: Bounds,
}

impl KeyedConcurrencyLayer {
    /// The keys with requests in flight, if nothing else is said: 65,536.
    pub const KEYS_MAX: usize = 65_536;

    /// So many requests at once for each key.
    pub fn new(at_once: NonZeroU32, by: LimitBy) -> Self {
        let keys_max = Self::KEYS_MAX as u64;
        Self {
            counts: Arc::new(Counts::new()),
            by,
            secret: entropy::random(),
            no_key: NoKey::default(),
            bounds: Bounds { at_once, keys_max, is_shadow: false },
        }
    }

    /// What becomes of requests that have no key. If nothing is said, they are [refused](NoKey::Refuse).
    #[must_use]
    pub fn no_key(self, no_key: NoKey) -> Self {
        Self { no_key, ..self }
    }

    /// At most so many keys may have requests in flight. While there are as many, a request of any other is refused.
    ///
    /// What bounds the requests that your server takes at all, such as its connections, should be reached before.
    #[must_use]
    pub fn keys_max(self, keys_max: usize) -> Self {
        Self { bounds: Bounds { keys_max: keys_max as u64, ..self.bounds }, ..self }
    }

    /// Counts, and refuses nobody: to see what a limit would do. Those that pass beyond it are in flight too, so that for each key as
    /// many as really are.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use tower_keep::limit::{KeyedConcurrencyLayer, LimitBy};
    ///
    /// let layer = KeyedConcurrencyLayer::new(NonZeroU32::MIN, LimitBy::everyone()).shadow();
    /// assert_eq!(layer.handle().stats().refused, 0);
    /// ```
    #[must_use]
    pub fn shadow(self) -> Self {
        Self { bounds: Bounds { is_shadow: true, ..self.bounds }, ..self }
    }

    /// To ask for figures later, when the layer has gone into a service.
    pub fn handle(&self) -> ConcurrencyHandle {
        ConcurrencyHandle(self.counts.clone())
    }
}

impl<S> Layer<S> for KeyedConcurrencyLayer {
    type Service = KeyedConcurrency<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { counts, by, secret, no_key, bounds } = self.clone();
        KeyedConcurrency::new(inner, Arc::new(Gate { counts, by, secret, no_key, bounds }))
    }
}

impl fmt::Debug for KeyedConcurrencyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedConcurrencyLayer")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// Tells what goes on in a [`KeyedConcurrencyLayer`] and its clones. Clones of it tell the same.
#[derive(Clone)]
pub struct ConcurrencyHandle(Arc<Counts>);

impl ConcurrencyHandle {
    /// The figures of this moment. While requests come and go they may differ by these from each other.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use tower_keep::limit::{KeyedConcurrencyLayer, LimitBy};
    ///
    /// let layer = KeyedConcurrencyLayer::new(NonZeroU32::MIN, LimitBy::everyone());
    /// let stats = layer.handle().stats();
    /// assert_eq!((stats.keys, stats.in_flight, stats.admitted, stats.refused), (0, 0, 0, 0));
    /// ```
    pub fn stats(&self) -> ConcurrencyStats {
        self.0.stats()
    }
}

impl fmt::Debug for ConcurrencyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConcurrencyHandle").field(&self.stats()).finish()
    }
}
