//! Placeholder.
use std::time::Duration;
/// A refusal.
#[derive(Clone, Debug)]
pub struct LimitRefusal {
    pub(crate) kind: LimitRefusalKind,
    pub(crate) retry_after: Option<Duration>,
}
/// Kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitRefusalKind {
    /// a
    QuotaExceeded,
    /// b
    TooExpensive,
    /// c
    NoKey,
    /// d
    Unavailable,
}
impl LimitRefusal {
    /// The kind.
    pub fn kind(&self) -> LimitRefusalKind {
        self.kind
    }
    /// Wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
