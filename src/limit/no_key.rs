//! What becomes of requests that have no key.

/// What becomes of a request that has no key, since the server did not say from where it came, say, or a function knew nothing.
///
/// ```
/// use tower_keep::limit::NoKey;
///
/// assert_eq!(NoKey::default(), NoKey::Refuse);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoKey {
    /// It is refused: a limit that does not see whom it limits is none.
    #[default]
    Refuse,
    /// It passes, and nobody counts it.
    Allow,
    /// All that have no key are counted together, as if they had one key that nobody else has.
    Share,
}
