//! Why something was not looked up, not stored or not reused: one word each, the same everywhere.

use std::fmt;

/// Why the cache did what it did: in [`CacheOutcome`](crate::cache::CacheOutcome), as the `detail` of
/// Cache-Status and in traces.
///
/// ```
/// use tower_keep::cache::Reason;
///
/// assert_eq!(Reason::NoFreshness.as_str(), "no-freshness");
/// assert_eq!(Reason::NoFreshness.to_string(), "no-freshness");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The method is neither GET nor HEAD.
    Method,
    /// The request has content, which the answer may depend on.
    RequestBody,
    /// The request asks for another protocol, or for a tunnel.
    Upgrade,
    /// The authority is missing or not certain (RFC 9110 §7.2).
    Authority,
    /// The host is not on the list of hosts that may be stored.
    Host,
    /// A field of the request overrides its method.
    MethodOverride,
    /// A precondition that only the origin can check (RFC 9111 §4.3.2).
    Precondition,
    /// The request's Connection names another of its fields, which some services then do not see.
    ConnectionField,
    /// The request has a Cookie, and the policy bypasses those.
    Cookie,
    /// The layer is private and the request belongs to no partition.
    NoPartition,
    /// A clone of the same layer further out has looked already.
    NestedCache,
    /// The store failed or was too slow.
    StoreFailed,

    /// The request said `no-store`.
    RequestNoStore,
    /// A status that is no final answer, or one that no cache keeps: 1xx, 206, 304.
    Status,
    /// A stream of events or messages without an end.
    EventStream,
    /// `must-understand` with a status that is not understood (RFC 9111 §5.2.2.3).
    MustUnderstand,
    /// The response said `no-store`.
    NoStore,
    /// The response said `private`.
    Private,
    /// A response to a request with Authorization, without the origin's word that it may be shared
    /// (RFC 9111 §3.5).
    Authorization,
    /// The response sets a cookie.
    SetCookie,
    /// The request had a Cookie and the response says nothing of its freshness.
    RequestCookie,
    /// `Vary: *`.
    VaryAny,
    /// Vary names too many fields, or their values are too long.
    VaryTooWide,
    /// The tags of the response cannot be read, are more than 64, or longer than 256 bytes: what could not be
    /// purged is not stored.
    Tags,
    /// Nothing says how long the response stays fresh.
    NoFreshness,
    /// Stale at once, and with nothing to validate it by.
    NothingToReuse,
    /// The body is longer than an entry may be.
    TooLarge,
    /// The body ended before its Content-Length, or went on after it.
    Length,
    /// The body ended with an error.
    BodyError,
    /// The client left before the end of the body.
    ClientLeft,
    /// The resource was written or purged while the response was on its way.
    Overtaken,
    /// The response took longer than five minutes: what was purged meanwhile may be forgotten.
    FillTime,
    /// A response to HEAD has no content to store.
    Head,

    /// The request does not accept a stored response of this age, or any.
    Request,
    /// The stored response is stale, or has to be validated each time.
    Stale,
    /// `only-if-cached`, and there is nothing fit to use (RFC 9111 §5.2.1.7).
    OnlyIfCached,
    /// Served stale because the inner service failed (RFC 5861 §4, RFC 9111 §4.2.4).
    StaleIfError,
    /// Served stale while it is refreshed in the background (RFC 5861 §3).
    StaleWhileRevalidate,
    /// Turned away: for this key the inner service returned an error a short while ago, and again.
    BackOffError,
    /// Turned away: for this key the inner service panicked a short while ago, and again.
    BackOffPanic,
    /// Turned away: for this key requests have waited as long as
    /// [`CacheLayer::flight_deadline`](crate::cache::CacheLayer::flight_deadline) says, and again.
    BackOffDeadline,
    /// Turned away: for this key the inner service answered with a 5xx that cannot be stored a short while ago, and
    /// again.
    BackOffStatus,
    /// A write or a purge did not reach the store or the ledger in time: what it made unusable may still be
    /// served.
    InvalidationFailed,
}

impl Reason {
    /// The reason in one word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::RequestBody => "request-body",
            Self::Upgrade => "upgrade",
            Self::Authority => "authority",
            Self::Host => "host",
            Self::MethodOverride => "method-override",
            Self::Precondition => "precondition",
            Self::ConnectionField => "connection-field",
            Self::Cookie => "cookie",
            Self::NoPartition => "no-partition",
            Self::NestedCache => "nested-cache",
            Self::StoreFailed => "store-failed",
            Self::RequestNoStore => "request-no-store",
            Self::Status => "status",
            Self::EventStream => "event-stream",
            Self::MustUnderstand => "must-understand",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::RequestCookie => "request-cookie",
            Self::VaryAny => "vary-any",
            Self::VaryTooWide => "vary-too-wide",
            Self::Tags => "tags",
            Self::NoFreshness => "no-freshness",
            Self::NothingToReuse => "nothing-to-reuse",
            Self::TooLarge => "too-large",
            Self::Length => "length",
            Self::BodyError => "body-error",
            Self::ClientLeft => "client-left",
            Self::Overtaken => "overtaken",
            Self::FillTime => "fill-time",
            Self::Head => "head",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::OnlyIfCached => "only-if-cached",
            Self::StaleIfError => "stale-if-error",
            Self::StaleWhileRevalidate => "stale-while-revalidate",
            Self::BackOffError => "back-off-error",
            Self::BackOffPanic => "back-off-panic",
            Self::BackOffDeadline => "back-off-deadline",
            Self::BackOffStatus => "back-off-status",
            Self::InvalidationFailed => "invalidation-failed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
