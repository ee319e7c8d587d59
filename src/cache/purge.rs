//! What to purge, and what can go wrong with it.

use std::error::Error;
use std::fmt;

use http::Uri;

use crate::cache::key::CacheKey;
use crate::cache::mark::PurgeKind;
use crate::store::StoreError;

/// What is to be purged, and how: for [`CacheHandle::purge`](crate::cache::CacheHandle::purge), or from
/// elsewhere by [`CacheHandle::purge_from`](crate::cache::CacheHandle::purge_from).
///
/// A purge is hard unless [`Purge::soft`] says otherwise. It reaches what the layer of the handle has stored
/// in its scope, and what is on its way from the inner service when it is made.
///
/// ```
/// use tower_keep::cache::{CacheLayer, Purge};
/// use tower_keep::store::{MemoryStore, Reach};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
/// let page = "http://shop.example/products/7".parse().unwrap();
/// let all_pages = "http://shop.example/products".parse().unwrap();
/// for purge in [Purge::url(page), Purge::prefix(all_pages), Purge::tag("user:7").soft(), Purge::all()] {
///     assert_eq!(cache.purge(purge).await.unwrap(), Reach::ThisProcess);
/// }
/// # });
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Purge {
    pub(crate) what: What,
    pub(crate) kind: PurgeKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Key(CacheKey),
    Url(Uri),
    Prefix(Uri),
    Tag(Box<str>),
    All,
}

impl Purge {
    /// Everything that is stored for a URL: all variants and all partitions. The URL is absolute, and is
    /// given to the layer's key function as a GET without fields would be.
    ///
    /// Its authority is the one that clients ask for in `Host`, with the port where that is not the scheme's own;
    /// `http` and `https` reach the same. One under which nothing is stored is no error.
    pub fn url(url: Uri) -> Self {
        Self::of(What::Url(url))
    }

    /// Everything whose path begins with that of this absolute URL, at the end of a segment: `/a`, as well as
    /// `/a/`, reaches `/a`, `/a/` and `/a/b`, but not `/ab`. A query does not count. Paths count byte for byte,
    /// in their first sixteen segments.
    pub fn prefix(url: Uri) -> Self {
        Self::of(What::Prefix(url))
    }

    /// Everything that carries this tag: by [`CacheHint::tag`](crate::cache::CacheHint::tag), by
    /// `Cache-Groups` (RFC 9875) of any origin, or by the field that
    /// [`CachePolicy::tags_from`](crate::cache::CachePolicy::tags_from) names. However many there are, it
    /// takes as long as for one.
    pub fn tag(tag: impl Into<Box<str>>) -> Self {
        Self::of(What::Tag(tag.into()))
    }

    /// Everything.
    pub fn all() -> Self {
        Self::of(What::All)
    }

    /// The resource that an entry with this key belongs to, for who enumerates a store of their own.
    pub fn key(key: CacheKey) -> Self {
        Self::of(What::Key(key))
    }

    /// Makes it stale instead of removing it: it is validated before it is served again, and may stand in
    /// where the service fails and the response allows that (`stale-if-error`).
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.kind = PurgeKind::Soft;
        self
    }

    fn of(what: What) -> Self {
        Self { what, kind: PurgeKind::Hard }
    }
}

/// Why a purge was not done.
///
/// ```
/// use tower_keep::cache::{CacheLayer, Purge, PurgeErrorKind};
/// use tower_keep::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
/// let error = cache.purge(Purge::url("/products/7".parse().unwrap())).await.unwrap_err();
/// assert_eq!(error.kind(), PurgeErrorKind::Url);
/// # });
/// ```
#[derive(Debug)]
pub struct PurgeError {
    kind: PurgeErrorKind,
    source: Option<StoreError>,
}

/// The kinds of [`PurgeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PurgeErrorKind {
    /// The URL is not absolute, or has userinfo, so it names no stored response.
    Url,
    /// The prefix has more than sixteen segments.
    Prefix,
    /// The tag is empty, or longer than 256 bytes: no response carries it.
    Tag,
    /// The key is none of this crate's.
    Key,
    /// The store or the ledger failed or was too slow; what was to be purged may still be served.
    Store,
}

impl PurgeError {
    /// What kind of failure it is.
    pub fn kind(&self) -> PurgeErrorKind {
        self.kind
    }

    pub(crate) fn store(source: StoreError) -> Self {
        Self { kind: PurgeErrorKind::Store, source: Some(source) }
    }
}

impl From<PurgeErrorKind> for PurgeError {
    fn from(kind: PurgeErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for PurgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PurgeErrorKind::Url => {
                "the URL to purge needs a scheme and an authority, without userinfo"
            }
            PurgeErrorKind::Prefix => "the prefix to purge has too many segments",
            PurgeErrorKind::Tag => "the tag to purge is empty or too long",
            PurgeErrorKind::Key => "the key to purge is none of a cache's",
            PurgeErrorKind::Store => "the store did not carry out the purge",
        })
    }
}

impl Error for PurgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
