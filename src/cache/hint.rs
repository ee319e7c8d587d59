//! What a handler tells the cache in front of it, beside the fields that clients see.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::telling::Telling;
use crate::rules::policy::CachePolicy;

/// A handler's word to the cache in front of it: attach it to the response's extensions. Clients do not
/// see it.
///
/// It counts before targeted fields and Cache-Control, but loosens neither `no-store` nor `private`.
/// With the `axum` feature it is a response part: `(CacheHint::fresh_for(..), Json(..))`.
///
/// ```
/// use std::time::Duration;
/// use tower_keep::cache::CacheHint;
///
/// let mut response = http::Response::new("hello");
/// response.extensions_mut().insert(CacheHint::fresh_for(Duration::from_secs(60)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheHint {
    pub(crate) fresh_for: Option<Duration>,
    pub(crate) while_revalidate: Option<Duration>,
    pub(crate) if_error: Option<Duration>,
    pub(crate) public: bool,
    pub(crate) no_store: bool,
    pub(crate) tags: Vec<Box<str>>,
}

impl CacheHint {
    /// The response is fresh for so long. This is explicit freshness, as `s-maxage` would be, but does not
    /// by itself let an answer to a request with Authorization be shared: see [`CacheHint::public`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheHint;
    ///
    /// let hint = CacheHint::fresh_for(Duration::from_secs(60))
    ///     .stale_while_revalidate(Duration::from_secs(5))
    ///     .stale_if_error(Duration::from_secs(600));
    /// ```
    pub const fn fresh_for(freshness: Duration) -> Self {
        Self {
            fresh_for: Some(freshness),
            while_revalidate: None,
            if_error: None,
            public: false,
            no_store: false,
            tags: Vec::new(),
        }
    }

    /// The response carries this tag; how long it is fresh its fields say, or the policy. See
    /// [`CacheHint::tag`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::{CacheControl, CacheHint};
    ///
    /// async fn product() -> (CacheControl, axum::Extension<CacheHint>, &'static str) {
    ///     let fresh = CacheControl::public().max_age(Duration::from_secs(60));
    ///     (fresh, axum::Extension(CacheHint::tagged("product:7")), "a fine product")
    /// }
    /// # #[cfg(feature = "axum")]
    /// # let _: axum::routing::MethodRouter = axum::routing::get(product);
    /// ```
    pub fn tagged(tag: impl Into<Box<str>>) -> Self {
        Self { no_store: false, ..Self::no_store() }.tag(tag)
    }

    /// The response is not stored, whatever its fields say.
    ///
    /// ```
    /// use tower_keep::cache::CacheHint;
    ///
    /// let mut response = http::Response::new("one time only");
    /// response.extensions_mut().insert(CacheHint::no_store());
    /// ```
    pub const fn no_store() -> Self {
        Self {
            fresh_for: None,
            while_revalidate: None,
            if_error: None,
            public: false,
            no_store: true,
            tags: Vec::new(),
        }
    }

    /// The answer is the same for everybody, even where the request carried credentials (RFC 9111 §3.5).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheHint;
    ///
    /// let for_all = CacheHint::fresh_for(Duration::from_secs(60)).public();
    /// ```
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// Tags it, so that it can be purged with all that carry the same tag: see
    /// [`Purge::tag`](crate::cache::Purge::tag) and [`PurgesTag`]. At most 64 tags, of 1 to 256 bytes each: with
    /// others the response is not stored, because it could not be purged.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheHint;
    ///
    /// let of_user = CacheHint::fresh_for(Duration::from_secs(60)).tag("user:7").tag("users");
    /// ```
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// It may be served for so long past its freshness, in whole seconds, while it is refreshed behind the request
    /// (RFC 5861 §3).
    #[must_use]
    pub const fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.while_revalidate = Some(window);
        self
    }

    /// It may be served for so long past its freshness, in whole seconds, when the service fails (RFC 5861 §4).
    #[must_use]
    pub const fn stale_if_error(mut self, window: Duration) -> Self {
        self.if_error = Some(window);
        self
    }
}

/// A handler's word that what is tagged so has changed: attach it to the response's extensions, of whatever
/// method and status. What carries the tag, in the scope of the layer, is purged before the response is sent;
/// where that may have failed, Cache-Status says `detail=invalidation-failed`. An empty tag purges nothing.
///
/// With the `axum` feature it is a response part: `(PurgesTag::new("user:7"), StatusCode::NO_CONTENT)`.
///
/// ```
/// use tower_keep::cache::PurgesTag;
///
/// let mut response = http::Response::new("saved");
/// response.extensions_mut().insert(PurgesTag::new("user:7").and("users"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgesTag(pub(crate) Vec<Box<str>>);

impl PurgesTag {
    /// The responses that carry this tag, of at most 256 bytes.
    pub fn new(tag: impl Into<Box<str>>) -> Self {
        Self(vec![tag.into()])
    }

    /// And those that carry another.
    #[must_use]
    pub fn and(mut self, tag: impl Into<Box<str>>) -> Self {
        self.0.push(tag.into());
        self
    }
}

/// What clones of one or more layers further in tell those further out: they know the route, the
/// outermost clone of each holds the look-up.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyHints(pub(crate) Vec<PolicyHint>);

#[derive(Clone, Debug)]
pub(crate) struct PolicyHint {
    /// The core that the clone belongs to.
    pub(crate) core: u64,
    /// How the clone tells requests apart.
    pub(crate) telling: Arc<Telling>,
    pub(crate) policy: Arc<CachePolicy>,
}

impl PolicyHints {
    /// What the innermost clone of this core said.
    pub(crate) fn of(&self, core: u64) -> Option<&PolicyHint> {
        self.0.iter().find(|hint| hint.core == core)
    }
}
