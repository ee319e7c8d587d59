//! What a user may choose about the rules. The defaults are the safe choices.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::fields::vary::{LanguageMatching, UnknownFields};

/// The choices that RFC 9111 leaves to a cache, and the few in which it may be stricter or looser.
///
/// [`CachePolicy::shared`] stores only what a response says may be stored, and is right for an API or a
/// site. [`CachePolicy::rfc9111`] does everything that the RFC allows a shared cache.
///
/// ```
/// use std::time::Duration;
/// use tower_keep::cache::{
///     CachePolicy, DefaultFreshness, LanguageMatching, RequestDirective, SetCookie, UnknownFields,
/// };
///
/// let policy = CachePolicy::shared()
///     .default_freshness(DefaultFreshness::fixed(Duration::from_secs(5)).jitter(0.1))
///     .freshness_max(Duration::from_secs(3600))
///     .set_cookie(SetCookie::StoredWithoutCookies)
///     .ignore_request(RequestDirective::NoCache)
///     .language_matching(LanguageMatching::Unordered)
///     .unknown_fields(UnknownFields::Lists);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct CachePolicy {
    pub(crate) class: Class,
    pub(crate) default_freshness: Option<DefaultFreshness>,
    pub(crate) freshness_max: Duration,
    pub(crate) set_cookie: SetCookie,
    pub(crate) bypass_on_cookie: bool,
    pub(crate) stale_on_disconnect: Duration,
    pub(crate) ignored: u8,
    pub(crate) languages: LanguageMatching,
    pub(crate) unknown_fields: UnknownFields,
    pub(crate) post_fills_get: bool,
    pub(crate) targets: Option<Arc<[HeaderName]>>,
    pub(crate) tags_from: Option<HeaderName>,
    pub(crate) early_refresh: f64,
}

/// Whose cache it is. Private only together with a partition: see `CacheLayer::private_by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Shared,
    Private,
}

/// What to do with a response that sets a cookie and may otherwise be stored.
///
/// ```
/// use tower_keep::cache::{CachePolicy, SetCookie};
///
/// let policy = CachePolicy::shared().set_cookie(SetCookie::StoredWithoutCookies);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetCookie {
    /// It is not stored. The default.
    NotStored,
    /// It is stored without its Set-Cookie fields; only the client that it was made for gets them.
    StoredWithoutCookies,
    /// It is stored as it is where it has explicit freshness, and **every later client gets the same
    /// cookie**. RFC 9111 §7.3 allows it and warns of it.
    StoredAndReplayed,
}

/// A request directive that [`CachePolicy::ignore_request`] can switch off (RFC 9111 §5.2.1).
///
/// ```
/// use tower_keep::cache::{CachePolicy, RequestDirective};
///
/// let policy = CachePolicy::shared()
///     .ignore_request(RequestDirective::NoCache)
///     .ignore_request(RequestDirective::MaxAge);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestDirective {
    /// `no-cache` (§5.2.1.4), and `Pragma: no-cache` (§5.4).
    NoCache,
    /// `no-store` (§5.2.1.5).
    NoStore,
    /// `max-age` (§5.2.1.1).
    MaxAge,
    /// `min-fresh` (§5.2.1.3).
    MinFresh,
    /// `max-stale` (§5.2.1.2).
    MaxStale,
    /// `only-if-cached` (§5.2.1.7).
    OnlyIfCached,
    /// `stale-if-error` (RFC 5861 §4).
    StaleIfError,
}

/// How long a response is fresh that says nothing of it (RFC 9111 §4.2.2).
///
/// It counts for the statuses that are cacheable by default (200, 203, 300, 301, 308, 404, 405 and 410),
/// never for a request with a Cookie or Authorization, and never against what a response does say.
///
/// ```
/// use std::time::Duration;
/// use tower_keep::cache::DefaultFreshness;
///
/// let tenth = DefaultFreshness::heuristic(0.1)
///     .min(Duration::from_secs(10))
///     .max(Duration::from_secs(600))
///     .jitter(0.05);
/// assert_eq!(DefaultFreshness::heuristic(7.0), DefaultFreshness::heuristic(1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DefaultFreshness {
    pub(crate) fixed: Duration,
    pub(crate) fraction: f64,
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    pub(crate) jitter: f64,
    pub(crate) any_status_if_public: bool,
}

impl CachePolicy {
    /// The policy of a cache whose clients are strangers to each other. Nothing is stored unless its
    /// response says how long it is fresh.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// use tower_keep::cache::{CacheLayer, CachePolicy, Reason};
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).policy(CachePolicy::shared());
    /// let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let request = Request::get("http://shop.example/").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// let outcome = response.body().outcome();
    /// assert_eq!(outcome.reason(), Some(Reason::NoFreshness));
    /// # });
    /// ```
    pub const fn shared() -> Self {
        Self {
            class: Class::Shared,
            default_freshness: None,
            freshness_max: Duration::MAX,
            set_cookie: SetCookie::NotStored,
            bypass_on_cookie: false,
            stale_on_disconnect: Duration::ZERO,
            ignored: 0,
            languages: LanguageMatching::Listed,
            unknown_fields: UnknownFields::Exact,
            post_fills_get: false,
            targets: None,
            tags_from: None,
            early_refresh: 0.0,
        }
    }

    /// Everything that RFC 9111 allows a shared cache: heuristic freshness (a tenth of the time since
    /// Last-Modified), a stored Set-Cookie where freshness is explicit, stale answers for a day while the
    /// inner service cannot be reached, a POST that fills GET (RFC 9110 §9.3.3), languages matched by
    /// what they mean, and unknown selecting fields read as lists.
    ///
    /// For a general proxy. A service of your own is better off with [`CachePolicy::shared`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let policy = CachePolicy::rfc9111().stale_on_disconnect(Duration::ZERO);
    /// ```
    pub const fn rfc9111() -> Self {
        let mut policy = Self::shared();
        policy.default_freshness = Some(DefaultFreshness::heuristic(0.1));
        policy.set_cookie = SetCookie::StoredAndReplayed;
        policy.stale_on_disconnect = Duration::from_secs(24 * 60 * 60);
        policy.languages = LanguageMatching::ContentLanguage;
        policy.unknown_fields = UnknownFields::Lists;
        policy.post_fills_get = true;
        policy
    }

    /// How long a response is fresh that does not say so itself (RFC 9111 §4.2.2). By default not at all.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::{CacheLayer, CachePolicy, DefaultFreshness}, store::MemoryStore};
    /// # use std::time::Duration;
    /// let minute = DefaultFreshness::fixed(Duration::from_secs(60));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20))
    ///     .policy(CachePolicy::shared().default_freshness(minute));
    /// let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// for _ in 0..2 {
    ///     let request = Request::get("http://shop.example/").body(String::new()).unwrap();
    ///     cache.layer(silent).oneshot(request).await.unwrap();
    /// }
    /// assert_eq!(cache.handle().stats().hits, 1);
    /// # });
    /// ```
    #[must_use]
    pub const fn default_freshness(mut self, freshness: DefaultFreshness) -> Self {
        self.default_freshness = Some(freshness);
        self
    }

    /// The longest that any response is taken to be fresh, whatever it, a [`CacheHint`] or the default says.
    /// Without it the limit is 2^31 seconds (RFC 9111 §1.2.2).
    ///
    /// [`CacheHint`]: crate::cache::CacheHint
    #[must_use]
    pub const fn freshness_max(mut self, max: Duration) -> Self {
        self.freshness_max = max;
        self
    }

    /// What to do with responses that set cookies. By default they are not stored.
    #[must_use]
    pub const fn set_cookie(mut self, set_cookie: SetCookie) -> Self {
        self.set_cookie = set_cookie;
        self
    }

    /// Neither looks up nor stores anything for a request with a Cookie. Off by default: such requests are
    /// then served what was stored for anybody, and fill the store only by explicit freshness.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::{CacheLayer, CachePolicy, Reason}, store::MemoryStore};
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20))
    ///     .policy(CachePolicy::shared().bypass_on_cookie());
    /// let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let request = Request::get("http://shop.example/").header("cookie", "id=7");
    /// let response = cache.layer(silent).oneshot(request.body(String::new()).unwrap()).await.unwrap();
    /// let outcome = response.body().outcome();
    /// assert_eq!(outcome.reason(), Some(Reason::Cookie));
    /// # });
    /// ```
    #[must_use]
    pub const fn bypass_on_cookie(mut self) -> Self {
        self.bypass_on_cookie = true;
        self
    }

    /// For how long past its freshness a stored response may be served when the inner service **returns an
    /// error**, unless the response forbids it (RFC 9111 §4.2.4: disconnected). By default never; a
    /// response's own `stale-if-error` is always obeyed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let policy = CachePolicy::shared().stale_on_disconnect(Duration::from_secs(600));
    /// ```
    #[must_use]
    pub const fn stale_on_disconnect(mut self, max: Duration) -> Self {
        self.stale_on_disconnect = max;
        self
    }

    /// Takes no notice of one directive in requests.
    ///
    /// By default each is obeyed. None of them removes what other clients are served: `no-cache` asks the
    /// inner service, whose answer may take the place of what is stored, and `no-store` keeps the answer out
    /// of the store, but what is there stays.
    #[must_use]
    pub const fn ignore_request(mut self, directive: RequestDirective) -> Self {
        self.ignored |= 1 << directive as u8;
        self
    }

    /// Takes no notice of any directive in requests: no client can make the inner service work.
    ///
    /// ```
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let policy = CachePolicy::shared().ignore_request_directives();
    /// ```
    #[must_use]
    pub const fn ignore_request_directives(mut self) -> Self {
        self.ignored = u8::MAX;
        self
    }

    /// How `Accept-Language` selects among stored responses (RFC 9111 §4.1), where Vary names it. By default
    /// [`LanguageMatching::Listed`].
    #[must_use]
    pub const fn language_matching(mut self, matching: LanguageMatching) -> Self {
        self.languages = matching;
        self
    }

    /// How fields that Vary names, and that are not known to be lists, select among stored responses
    /// (RFC 9111 §4.1). By default [`UnknownFields::Exact`].
    #[must_use]
    pub const fn unknown_fields(mut self, unknown_fields: UnknownFields) -> Self {
        self.unknown_fields = unknown_fields;
        self
    }

    /// Stores the answer to a POST for later GETs where it has explicit freshness and a Content-Location
    /// equal to the target (RFC 9110 §9.3.3). Off by default.
    ///
    /// ```
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let policy = CachePolicy::shared().post_fills_get();
    /// ```
    #[must_use]
    pub const fn post_fills_get(mut self) -> Self {
        self.post_fills_get = true;
        self
    }

    /// The targeted fields that are heard before Cache-Control, the first first (RFC 9213 §2.2). By
    /// default `CDN-Cache-Control` alone; an empty list leaves Cache-Control and Expires.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let names = ["edge-cache-control", "cdn-cache-control"].map(HeaderName::from_static);
    /// let policy = CachePolicy::shared().targeted_fields(names);
    /// ```
    #[must_use]
    pub fn targeted_fields(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.targets = Some(names.into_iter().collect());
        self
    }

    /// Reads tags from this field too, words between commas or white space, such as the `Surrogate-Key` or
    /// `Cache-Tag` of vendors. It is then not sent to clients. `Cache-Groups` (RFC 9875) and
    /// [`CacheHint::tag`](crate::cache::CacheHint::tag) are heard in any case.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let policy = CachePolicy::shared().tags_from(HeaderName::from_static("surrogate-key"));
    /// ```
    #[must_use]
    pub fn tags_from(mut self, field: HeaderName) -> Self {
        self.tags_from = Some(field);
        self
    }

    /// Refreshes a response in the background shortly before it expires, so that what is asked for much is never
    /// stale: with each hit, by a chance that grows as the end comes near. A response whose fetch took long is
    /// refreshed earlier, and so is one that is asked for more: with `n` hits in the time that a fetch takes, some
    /// `factor` times the logarithm of `n` fetch times before the end. It is meant for responses that live much longer
    /// than their fetch takes. By default 0, never; 1 is a good choice; what is no number, or less than 0, counts as 0,
    /// and 100 is the most.
    ///
    /// What was fetched together then does not expire together. As with `stale-while-revalidate`, only one
    /// request at a time refreshes a response, and without a [`Spawn`](crate::cache::Spawn) that can run it
    /// nothing is refreshed early.
    ///
    /// ```
    /// use tower_keep::cache::CachePolicy;
    ///
    /// let policy = CachePolicy::shared().early_refresh(1.0);
    /// ```
    #[must_use]
    pub const fn early_refresh(mut self, factor: f64) -> Self {
        // Not `clamp`, which lets what is no number through.
        self.early_refresh = if factor > 100.0 {
            100.0
        } else if factor > 0.0 {
            factor
        } else {
            0.0
        };
        self
    }

    pub(crate) fn targets(&self) -> &[HeaderName] {
        self.targets.as_deref().unwrap_or(&CDN)
    }

    pub(crate) const fn hears(&self, directive: RequestDirective) -> bool {
        self.ignored & (1 << directive as u8) == 0
    }
}

impl DefaultFreshness {
    /// The same for every response.
    pub const fn fixed(freshness: Duration) -> Self {
        Self {
            fixed: freshness,
            fraction: 0.0,
            min: Duration::ZERO,
            max: Duration::MAX,
            jitter: 0.0,
            any_status_if_public: false,
        }
    }

    /// A fraction, from 0 to 1, of the time since Last-Modified, at most a day; a response without a
    /// Last-Modified has none. With `public`, any status counts (RFC 9111 §4.2.2). What lies outside
    /// of 0 to 1 is brought to its nearer end, and what is no number counts as 0.
    ///
    /// ```
    /// use tower_keep::cache::DefaultFreshness;
    ///
    /// assert_eq!(DefaultFreshness::heuristic(-1.0), DefaultFreshness::heuristic(0.0));
    /// ```
    pub const fn heuristic(fraction: f64) -> Self {
        let mut this = Self::fixed(Duration::ZERO);
        this.fraction = fraction.clamp(0.0, 1.0);
        this.max = Duration::from_secs(24 * 60 * 60);
        this.any_status_if_public = true;
        this
    }

    /// At least this long, also where a heuristic has nothing to go by. By default zero.
    #[must_use]
    pub const fn min(mut self, min: Duration) -> Self {
        self.min = min;
        self
    }

    /// At most this long: it wins over [`DefaultFreshness::min`]. By default a day for a heuristic.
    #[must_use]
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Shortens each freshness by up to this fraction, from 0 to 1, differently for every response, so that
    /// what was stored together does not expire together.
    #[must_use]
    pub const fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction.clamp(0.0, 1.0);
        self
    }
}

static CDN: [HeaderName; 1] = [HeaderName::from_static("cdn-cache-control")];
