//! What the cache did with one request, for code around it and for Cache-Status (RFC 9211).

use std::time::Duration;

use http::{HeaderValue, StatusCode};

use crate::fields::cache_status::{CacheName, Member};
use crate::rules::reason::Reason;

/// What the cache did with a request: the body of every response that it returns can tell, and where
/// [`CacheLayer::outcome_in_extensions`](crate::cache::CacheLayer::outcome_in_extensions) asks for it, the
/// extensions too.
///
/// ```
/// use http::Response;
/// use tower_keep::cache::CacheBody;
///
/// fn was_free<B: http_body::Body>(response: &Response<CacheBody<B>>) -> bool {
///     response.body().outcome().is_hit()
/// }
/// # let _ = was_free::<String>;
/// ```
///
/// And for a request that went inwards:
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
/// # use tower_keep::{cache::{CacheLayer, Forward}, store::MemoryStore};
/// # let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
/// let minute = service_fn(async |_: Request<String>| {
///     let response = Response::builder().header("cache-control", "max-age=60");
///     Ok::<_, Infallible>(response.body(String::new()).unwrap())
/// });
/// let request = Request::get("http://shop.example/").body(String::new()).unwrap();
/// let response = cache.layer(minute).oneshot(request).await.unwrap();
/// let outcome = response.body().outcome();
/// assert_eq!(outcome.forward(), Some(Forward::UriMiss));
/// assert_eq!(outcome.freshness_left_secs(), Some(60));
/// assert!(outcome.is_stored() && outcome.reason().is_none());
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOutcome {
    is_hit: bool,
    forward: Option<Forward>,
    forward_status: Option<StatusCode>,
    is_stored: bool,
    is_collapsed: bool,
    reason: Option<Reason>,
    left_secs: Option<i64>,
}

/// Why a request went inwards: the `fwd` of RFC 9211 §2.2.
///
/// ```
/// use tower_keep::cache::Forward;
///
/// assert_eq!(Forward::UriMiss.as_str(), "uri-miss");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forward {
    /// The cache was told not to handle this request.
    Bypass,
    /// The method's meaning demands it.
    Method,
    /// Nothing is stored for the target.
    UriMiss,
    /// Something is stored for the target, but nothing that its Vary selects for this request.
    VaryMiss,
    /// A fresh response is stored, but the request does not accept it.
    Request,
    /// A stored response was stale.
    Stale,
}

impl Forward {
    /// The word that RFC 9211 §2.2 has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

impl CacheOutcome {
    pub(crate) const fn hit() -> Self {
        Self { is_hit: true, ..Self::refused() }
    }

    pub(crate) const fn forwarded(forward: Forward) -> Self {
        Self { forward: Some(forward), ..Self::refused() }
    }

    /// Answered neither from the store nor by the inner service.
    pub(crate) const fn refused() -> Self {
        Self {
            is_hit: false,
            forward: None,
            forward_status: None,
            is_stored: false,
            is_collapsed: false,
            reason: None,
            left_secs: None,
        }
    }

    pub(crate) const fn because(mut self, reason: Option<Reason>) -> Self {
        self.reason = reason;
        self
    }

    /// Said to be stored before it was known that it cannot be.
    pub(crate) const fn not_stored(mut self, reason: Reason) -> Self {
        self.is_stored = false;
        self.left_secs = None;
        self.because(Some(reason))
    }

    pub(crate) const fn answered(mut self, status: StatusCode) -> Self {
        self.forward_status = Some(status);
        self
    }

    pub(crate) const fn stored(mut self) -> Self {
        self.is_stored = true;
        self
    }

    pub(crate) const fn collapsed(mut self) -> Self {
        self.is_collapsed = true;
        self
    }

    /// Seconds left of `lifetime` at `age`; fewer than none when it is stale.
    pub(crate) fn left(mut self, lifetime: Duration, age: Duration) -> Self {
        let secs = |length: Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        self.left_secs = Some(secs(lifetime).saturating_sub(secs(age)));
        self
    }

    /// Whether a stored response was served without asking the inner service (`hit`, RFC 9211 §2.1).
    pub const fn is_hit(&self) -> bool {
        self.is_hit
    }

    /// Why the request went inwards; `None` for a hit, and for a request that wanted a stored response only
    /// and was refused.
    pub const fn forward(&self) -> Option<Forward> {
        self.forward
    }

    /// What the inner service answered, where it is not what the client got (`fwd-status`, RFC 9211 §2.3).
    pub const fn forward_status(&self) -> Option<StatusCode> {
        self.forward_status
    }

    /// Whether the response is being stored: once its body has come whole (`stored`, RFC 9211 §2.5).
    pub const fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Whether it was answered by the response to another request, which was on its way when this one came
    /// (`collapsed`, RFC 9211 §2.6).
    pub const fn is_collapsed(&self) -> bool {
        self.is_collapsed
    }

    /// Why it was not looked up, not stored, or served although stale (`detail`, RFC 9211 §2.8).
    pub const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The freshness left, in seconds; less than none for a response served stale (`ttl`, RFC 9211
    /// §2.4). `None` where nothing is stored.
    pub const fn freshness_left_secs(&self) -> Option<i64> {
        self.left_secs
    }

    /// The member that this cache adds to Cache-Status.
    pub(crate) fn cache_status(&self, name: &CacheName, key: Option<&str>) -> HeaderValue {
        let mut member = Member::new(name);
        if self.is_hit {
            member = member.flag("hit");
        }
        if let Some(forward) = self.forward {
            member = member.word("fwd", forward.as_str());
        }
        if let Some(status) = self.forward_status {
            member = member.int("fwd-status", i64::from(status.as_u16()));
        }
        if let Some(left) = self.left_secs {
            member = member.int("ttl", left);
        }
        if self.is_stored {
            member = member.flag("stored");
        }
        if self.is_collapsed {
            member = member.flag("collapsed");
        }
        if let Some(key) = key {
            member = member.string("key", key);
        }
        if let Some(reason) = self.reason {
            member = member.word("detail", reason.as_str());
        }
        member.finish()
    }
}
