//! The layer that tags responses.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::clock::{Clock, SystemClock};
use crate::conditional::current::Current;
use crate::conditional::etag::budget::Budget;
use crate::conditional::etag::service::Etag;
use crate::head::RequestHead;

/// Gives an `ETag` to what is answered to a `GET` or `HEAD` without one, so that a
/// [`ConditionalLayer`](crate::conditional::ConditionalLayer) or a
/// [`CacheLayer`](crate::cache::CacheLayer) further out can answer 304 when nothing changed.
///
/// A tag stands before the body, so there are two ways to one:
///
/// - **By digest**, the default: of a body that says exactly how long it is, up to
///   [`body_bytes_max`](Self::body_bytes_max). It is read to its end first. A body of unknown length, such as an event stream,
///   is never held back: it passes untouched and without a tag.
/// - **By version**, [`by_version`](Self::by_version): your function knows the state from the request. No body is read, and
///   a client that has that version is answered before the handler is called.
///
/// A digest is of the content and of what says what it means (`Content-Type`, `Content-Encoding`, `Content-Language`, the status). A change of
/// other fields alone is not seen by who holds the content.
///
/// A handler's own `ETag` is never replaced. What is no success, partial, or `no-store` is left alone. A `HEAD` has a tag where the
/// body is still there to be read: in [`Router::layer`], not around a whole router, which takes it off.
///
/// For what clients write, too, let the handler of its `GET` return the same [`Current`] that writes are checked against: the
/// tags of this layer are for reading.
///
/// # Strong or weak
///
/// A strong tag promises the same bytes. A compression layer **outside** this one changes the bytes and leaves the tag. So a
/// client that accepts gzip or another content coding, as all browsers do, gets a weak tag, `W/"..."`, unless the handler has
/// encoded the content itself. A weak tag does all that a 304 needs; `If-Match` and `If-Range` want a strong one. Clients that
/// accept no coding get a strong tag, with `Vary: accept-encoding`, so that no cache gives it to others.
///
/// Where nothing compresses outside, [`without_compression_outside`](Self::without_compression_outside) makes all tags strong, without
/// `Vary`.
///
/// # What each order gives
///
/// Outermost first; to a client that accepts gzip:
///
/// | order | what is compressed | what is not |
/// |---|---|---|
/// | **conditional, compression, etag** | weak tag, 304 | weak tag, 304 |
/// | conditional, etag, compression | no tag by digest, since it streams; weak tag by version | weak tag, 304 |
/// | compression, conditional, etag | weak tag, 304; several ranges would be compressed as one | weak tag, 304 |
/// | etag, conditional | a tag by digest comes too late for a 304 | the same |
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::conditional::{ConditionalLayer, EtagLayer};
///
/// let app: Router = Router::new()
///     .route("/report", get(async || "a long report"))
///     .layer((ConditionalLayer::new(), EtagLayer::new())); // the first is the outermost
/// # let _ = app;
/// ```
///
/// [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
#[derive(Clone)]
pub struct EtagLayer<C = SystemClock> {
    config: Arc<Config>,
    clock: C,
}

pub(crate) type VersionFn = dyn Fn(RequestHead<'_>) -> Option<Current> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) version: Option<Arc<VersionFn>>,
    /// Whether somebody further out may encode what is tagged.
    pub(crate) may_be_encoded: bool,
    pub(crate) body_bytes_max: u64,
    pub(crate) body_deadline: Duration,
    pub(crate) budget: Budget,
}

impl EtagLayer {
    /// Tags by digest.
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// The longest body that is read for its tag, if nothing else is said: 1 MiB.
    pub const BODY_BYTES_MAX: u64 = 1 << 20;

    /// How long a body may take to come, if nothing else is said: one second.
    pub const BODY_DEADLINE: Duration = Duration::from_secs(1);

    /// How much may be gathered at the same time in all, if nothing else is said: 64 MiB.
    pub const IN_FLIGHT_BYTES_MAX: u64 = 64 << 20;
}

impl Default for EtagLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock + Clone> EtagLayer<C> {
    /// With a clock of your own.
    pub fn with_clock(clock: C) -> Self {
        let config = Config {
            version: None,
            may_be_encoded: true,
            body_bytes_max: EtagLayer::BODY_BYTES_MAX,
            body_deadline: EtagLayer::BODY_DEADLINE,
            budget: Budget::new(EtagLayer::IN_FLIGHT_BYTES_MAX),
        };
        Self { config: Arc::new(config), clock }
    }

    /// By what the function knows of the state that the answer to a `GET` or `HEAD` would show: the version of a row that a
    /// middleware has put into the request's extensions, a counter, the time at which a file was modified. `None`: it
    /// knows nothing, and the response passes untagged.
    ///
    /// - **The state must differ wherever the content does**: for another user, language or format
    ///   ([`EntityTag::digest_of`](crate::conditional::EntityTag::digest_of)).
    /// - Tell it only of requests that the handler would answer with a success: a client that must not see the resource must
    ///   not learn that it has not changed. What checks that belongs outside of this layer.
    /// - A client that has this version is answered with 304, one that means another (`If-Match`) with 412, and the handler is
    ///   not called. **Such a 304 has only the fields that [`Current`] knows**, and it must have those of the 200 (RFC 9110
    ///   §15.4.5): tell it the [`cache_control`](Current::cache_control) and [`vary`](Current::vary) that your answers have.
    /// - Else the function is asked again when the handler has answered, and where the state is another by then the response
    ///   gets no tag: nobody knows which of the two it shows. With extensions it is the same by construction: the handler
    ///   must show that very state, and so must a body that is made while it is sent.
    /// - A service inside that reserves something when it is made ready, such as a concurrency limit, keeps it after such a
    ///   304 until its clone is dropped or called.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use tower_keep::conditional::{Current, EtagLayer};
    ///
    /// let catalogue = Arc::new(AtomicU64::new(1)); // counts with every change
    /// let version = catalogue.clone();
    /// let etag = EtagLayer::new()
    ///     .by_version(move |_request| Some(Current::tagged(version.load(Ordering::Acquire))));
    /// # let _ = (etag, catalogue);
    /// ```
    #[must_use]
    pub fn by_version(
        self,
        version: impl Fn(RequestHead<'_>) -> Option<Current> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.version = Some(Arc::new(version)))
    }

    /// Nothing further out encodes the content, so that the tags of plain responses may be strong for all clients.
    ///
    /// **Not where a compression layer lies outside of this one**, a proxy that compresses included: then gzip and
    /// identity would have one strong tag, and a client would put together parts of both.
    ///
    /// ```
    /// use tower_keep::conditional::EtagLayer;
    ///
    /// let etag = EtagLayer::new().without_compression_outside();
    /// # let _ = etag;
    /// ```
    #[must_use]
    pub fn without_compression_outside(self) -> Self {
        self.with(|config| config.may_be_encoded = false)
    }

    /// The longest body that is read for its tag, in bytes. A longer one passes untouched.
    ///
    /// ```
    /// use tower_keep::conditional::EtagLayer;
    ///
    /// let etag = EtagLayer::new().body_bytes_max(64 << 10);
    /// # let _ = etag;
    /// ```
    #[must_use]
    pub fn body_bytes_max(self, bytes: u64) -> Self {
        self.with(|config| config.body_bytes_max = bytes)
    }

    /// How long a body may take to come to its end; then the response goes on without a tag. Without a timer (see
    /// [`Clock::sleep`]) it is waited for.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::conditional::EtagLayer;
    ///
    /// let etag = EtagLayer::new().body_deadline(Duration::from_millis(100));
    /// # let _ = etag;
    /// ```
    #[must_use]
    pub fn body_deadline(self, length: Duration) -> Self {
        self.with(|config| config.body_deadline = length)
    }

    /// How many bytes of bodies may be gathered at the same time in all; what comes beyond that passes untagged. A body that is
    /// there in one piece is not held, and does not count.
    ///
    /// ```
    /// use tower_keep::conditional::EtagLayer;
    ///
    /// let etag = EtagLayer::new().in_flight_bytes_max(16 << 20);
    /// # let _ = etag;
    /// ```
    #[must_use]
    pub fn in_flight_bytes_max(self, bytes: u64) -> Self {
        self.with(|config| config.budget = Budget::new(bytes))
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl<S, C: Clock + Clone> Layer<S> for EtagLayer<C> {
    type Service = Etag<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Etag::new(inner, self.config.clone(), self.clock.clone())
    }
}

impl<C> fmt::Debug for EtagLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { version, may_be_encoded, body_bytes_max, body_deadline, .. } = &*self.config;
        f.debug_struct("EtagLayer")
            .field("by_version", &version.is_some())
            .field("may_be_encoded", may_be_encoded)
            .field("body_bytes_max", body_bytes_max)
            .field("body_deadline", body_deadline)
            .finish_non_exhaustive()
    }
}
