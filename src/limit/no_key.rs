//! What becomes of requests that cannot be told from others.

/// What a limit does with a request that has no key, such as one without the field that it counts by.
///
/// ```
/// use tower_keep::limit::{LimitBy, NoKey, Quota, RateLimitLayer};
///
/// let by_tenant = LimitBy::with(|_, _| None);
/// let limit = RateLimitLayer::new(Quota::per_second(10), by_tenant)?.no_key(NoKey::Share);
/// # let _ = limit;
/// # Ok::<(), tower_keep::limit::QuotaError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoKey {
    /// Refuses it. The default, since a limit that does not see its keys limits nobody, and shows it at the first request.
    #[default]
    Refuse,
    /// Lets it through, without a limit.
    Allow,
    /// Counts all such together, as one key.
    Share,
}
