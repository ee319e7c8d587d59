//! `Cache-Control` as a handler writes it.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use crate::time::DeltaSeconds;

/// A response's `Cache-Control`, spelt right by construction.
///
/// Lengths are whole seconds, rounded down, and at most 2^31 (RFC 9111 §1.2.2). Setting one again
/// replaces it.
///
/// ```
/// use std::time::Duration;
/// use tower_keep::cache::CacheControl;
///
/// let value = CacheControl::public()
///     .max_age(Duration::from_secs(60))
///     .stale_while_revalidate(Duration::from_secs(30))
///     .to_value();
/// assert_eq!(value, "public, max-age=60, stale-while-revalidate=30");
///
/// let response = http::Response::builder()
///     .header("cache-control", CacheControl::no_store())
///     .body(())
///     .unwrap();
/// assert_eq!(response.headers()["cache-control"], "no-store");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    public: bool,
    private: bool,
    no_cache: bool,
    no_store: bool,
    must_understand: bool,
    must_revalidate: bool,
    proxy_revalidate: bool,
    no_transform: bool,
    immutable: bool,
    max_age: Option<DeltaSeconds>,
    s_maxage: Option<DeltaSeconds>,
    stale_while_revalidate: Option<DeltaSeconds>,
    stale_if_error: Option<DeltaSeconds>,
}

impl CacheControl {
    /// No directives; what is written is an empty value, which says nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::new().to_value(), "");
    /// let minute = Duration::from_millis(60_999);
    /// assert_eq!(CacheControl::new().max_age(minute).to_value(), "max-age=60");
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `public`: any cache may store the response, even one to a request with credentials
    /// (RFC 9111 §5.2.2.9).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::public().to_value(), "public");
    /// ```
    #[must_use]
    pub fn public() -> Self {
        Self { public: true, ..Self::default() }
    }

    /// `private`: no shared cache may store the response (RFC 9111 §5.2.2.7).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::private().to_value(), "private");
    /// ```
    #[must_use]
    pub fn private() -> Self {
        Self { private: true, ..Self::default() }
    }

    /// `no-store`: no cache may store the response (RFC 9111 §5.2.2.5).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::no_store().to_value(), "no-store");
    /// ```
    #[must_use]
    pub fn no_store() -> Self {
        Self { no_store: true, ..Self::default() }
    }

    /// `no-cache`: a stored response is used only after it was validated (RFC 9111 §5.2.2.4).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::no_cache().to_value(), "no-cache");
    /// ```
    #[must_use]
    pub fn no_cache() -> Self {
        Self { no_cache: true, ..Self::default() }
    }

    /// `max-age`: the freshness lifetime (RFC 9111 §5.2.2.1).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheControl;
    ///
    /// let hour = CacheControl::private().max_age(Duration::from_secs(3600));
    /// assert_eq!(hour.to_value(), "private, max-age=3600");
    /// ```
    #[must_use]
    pub fn max_age(mut self, length: Duration) -> Self {
        self.max_age = Some(DeltaSeconds::from_duration(length));
        self
    }

    /// `s-maxage`: the freshness lifetime in shared caches, which then must not serve the response
    /// stale (RFC 9111 §5.2.2.10).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheControl;
    ///
    /// let shared = CacheControl::new().max_age(Duration::ZERO).s_maxage(Duration::from_secs(10));
    /// assert_eq!(shared.to_value(), "max-age=0, s-maxage=10");
    /// ```
    #[must_use]
    pub fn s_maxage(mut self, length: Duration) -> Self {
        self.s_maxage = Some(DeltaSeconds::from_duration(length));
        self
    }

    /// `stale-while-revalidate`: how long after its freshness the response may be served while it is
    /// fetched again behind the request (RFC 5861 §3).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheControl;
    ///
    /// let value = CacheControl::new().stale_while_revalidate(Duration::from_secs(5)).to_value();
    /// assert_eq!(value, "stale-while-revalidate=5");
    /// ```
    #[must_use]
    pub fn stale_while_revalidate(mut self, length: Duration) -> Self {
        self.stale_while_revalidate = Some(DeltaSeconds::from_duration(length));
        self
    }

    /// `stale-if-error`: how long after its freshness the response may be served where fetching it
    /// again fails (RFC 5861 §4).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheControl;
    ///
    /// let value = CacheControl::new().stale_if_error(Duration::from_secs(300)).to_value();
    /// assert_eq!(value, "stale-if-error=300");
    /// ```
    #[must_use]
    pub fn stale_if_error(mut self, length: Duration) -> Self {
        self.stale_if_error = Some(DeltaSeconds::from_duration(length));
        self
    }

    /// `must-revalidate`: never served stale, in no circumstances (RFC 9111 §5.2.2.2).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// let value = CacheControl::public().must_revalidate().to_value();
    /// assert_eq!(value, "public, must-revalidate");
    /// ```
    #[must_use]
    pub fn must_revalidate(mut self) -> Self {
        self.must_revalidate = true;
        self
    }

    /// `proxy-revalidate`: the same for shared caches only (RFC 9111 §5.2.2.8).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::new().proxy_revalidate().to_value(), "proxy-revalidate");
    /// ```
    #[must_use]
    pub fn proxy_revalidate(mut self) -> Self {
        self.proxy_revalidate = true;
        self
    }

    /// `no-transform`: intermediaries must not change the content (RFC 9111 §5.2.2.6).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::new().no_transform().to_value(), "no-transform");
    /// ```
    #[must_use]
    pub fn no_transform(mut self) -> Self {
        self.no_transform = true;
        self
    }

    /// `immutable`: while fresh, the response needs no validation even on a reload (RFC 8246 §2).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheControl;
    ///
    /// let asset = CacheControl::public().max_age(Duration::from_secs(31_536_000)).immutable();
    /// assert_eq!(asset.to_value(), "public, max-age=31536000, immutable");
    /// ```
    #[must_use]
    pub fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    /// `must-understand`: only a cache that knows the status code may store the response. `no-store` is
    /// written with it, for caches that do not know the directive (RFC 9111 §5.2.2.3).
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::new().must_understand().to_value(), "no-store, must-understand");
    /// ```
    #[must_use]
    pub fn must_understand(mut self) -> Self {
        self.must_understand = true;
        self
    }

    /// The value of the field.
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    ///
    /// assert_eq!(CacheControl::no_cache().must_revalidate().to_value(), "no-cache, must-revalidate");
    /// ```
    pub fn to_value(&self) -> HeaderValue {
        // Every directive is ASCII. Were it not so, storing nothing would be the safe word.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static("no-store"))
    }
}

impl fmt::Display for CacheControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |set: bool| set.then_some(None);
        let length = |length: Option<DeltaSeconds>| length.map(Some);
        let mut separator = "";
        for (name, directive) in [
            ("public", flag(self.public)),
            ("private", flag(self.private)),
            ("no-cache", flag(self.no_cache)),
            ("no-store", flag(self.no_store || self.must_understand)),
            ("must-understand", flag(self.must_understand)),
            ("max-age", length(self.max_age)),
            ("s-maxage", length(self.s_maxage)),
            ("stale-while-revalidate", length(self.stale_while_revalidate)),
            ("stale-if-error", length(self.stale_if_error)),
            ("must-revalidate", flag(self.must_revalidate)),
            ("proxy-revalidate", flag(self.proxy_revalidate)),
            ("no-transform", flag(self.no_transform)),
            ("immutable", flag(self.immutable)),
        ] {
            let Some(argument) = directive else { continue };
            write!(f, "{separator}{name}")?;
            if let Some(seconds) = argument {
                write!(f, "={seconds}")?;
            }
            separator = ", ";
        }
        Ok(())
    }
}

impl From<&CacheControl> for HeaderValue {
    fn from(value: &CacheControl) -> Self {
        value.to_value()
    }
}

impl From<CacheControl> for HeaderValue {
    fn from(value: CacheControl) -> Self {
        value.to_value()
    }
}
