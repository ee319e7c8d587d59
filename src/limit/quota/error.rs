//! Why a quota cannot be kept.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

/// Why a quota cannot be kept.
///
/// ```
/// use tower_keep::limit::{Quota, QuotaErrorKind};
///
/// let error = Quota::per_second(10).burst(0).check().unwrap_err();
/// assert_eq!(error.kind(), QuotaErrorKind::NoBurst);
/// assert_eq!(error.to_string(), "a quota must have a burst of one or more");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaError {
    kind: QuotaErrorKind,
}

/// The kinds of quotas that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuotaErrorKind {
    /// No units at all.
    NoAmount,
    /// No time.
    NoPeriod,
    /// None at once: nothing would ever be admitted.
    NoBurst,
    /// More than 16,384 units in a nanosecond.
    AmountTooLarge,
    /// A burst that takes more than [`Quota::REFILL_MAX`](crate::limit::Quota::REFILL_MAX) to come back.
    TooSlow,
    /// More quotas than [`Quotas::MAX`](crate::limit::Quotas::MAX).
    TooMany,
    /// No quota at all.
    Empty,
}

impl QuotaError {
    pub(super) const fn of(kind: QuotaErrorKind) -> Self {
        Self { kind }
    }

    /// What is wrong with it.
    pub fn kind(&self) -> QuotaErrorKind {
        self.kind
    }
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            QuotaErrorKind::NoAmount => "a quota must have an amount of one or more",
            QuotaErrorKind::NoPeriod => "a quota must have a period",
            QuotaErrorKind::NoBurst => "a quota must have a burst of one or more",
            QuotaErrorKind::AmountTooLarge => {
                "a quota must not have more than 16384 units in a nanosecond"
            }
            QuotaErrorKind::TooSlow => "a burst of a quota must come back within 146 years",
            QuotaErrorKind::TooMany => "a key may have four quotas at most",
            QuotaErrorKind::Empty => "a key must have a quota",
        })
    }
}

impl Error for QuotaError {}

/// Of quotas that are known to be kept.
impl From<Infallible> for QuotaError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
