//! Why a request is refused by a limit.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::limit::policies::Policies;
use crate::limit::quota::Quotas;
use crate::limit::verdict::{Outcome, Verdict};

/// Why a request is refused by a limit, and for how long. It lies in the extensions of the response that a layer refuses with.
///
/// ```
/// use tower_keep::limit::{LimitRefusal, LimitRefusalKind};
///
/// fn is_too_early<B>(response: &http::Response<B>) -> bool {
///     let refusal = response.extensions().get::<LimitRefusal>();
///     refusal.is_some_and(|refusal| refusal.kind() == LimitRefusalKind::QuotaExceeded)
/// }
/// # assert!(!is_too_early(&http::Response::new(())));
/// ```
#[derive(Clone)]
pub struct LimitRefusal {
    pub(crate) reason: Reason,
    pub(crate) retry_after: Option<Duration>,
    /// None where no quota has refused.
    policies: Option<Arc<Policies>>,
    /// A bit for each policy, the first in the lowest.
    violated: u8,
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitRefusalKind {
    /// A quota is used up: 429, with `Retry-After`.
    QuotaExceeded,
    /// The request costs more than a quota has at once, so that it is never admitted: 429, without `Retry-After`.
    TooExpensive,
    /// As many requests of the key are under way as may be: 429, without `Retry-After`, since nobody knows when one ends.
    TooManyAtOnce,
    /// The request has no key to be counted by: 400 where a field is missing, 403 where nobody is known to ask, 500 where the server does not know.
    NoKey,
    /// The store of the limit cannot be asked, and the limit is closed then: 503, with `Retry-After`.
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    QuotaExceeded,
    TooExpensive,
    TooManyAtOnce,
    NoKey(Keyless),
    Unavailable,
}

/// What a request lacks that has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyless {
    /// The server did not say from where it came or by which route, or a function knew nothing: not the client's fault.
    Unknown,
    /// The client has left out a field.
    Header,
    /// Nobody is known to ask, or nobody of whom it is said by what is counted.
    Principal,
}

impl LimitRefusal {
    /// The refusal that a verdict on this cost is, if it is one. The policies are those of the quotas. The random number is for the jitter.
    pub(crate) fn by_quotas(
        verdict: &Verdict,
        quotas: &Quotas,
        cost: u64,
        policies: &Arc<Policies>,
        jitter: Jitter,
        random: u64,
    ) -> Option<Self> {
        let wait = match verdict.outcome() {
            Outcome::Admitted => return None,
            Outcome::Refused => verdict.retry_after(quotas, cost),
            Outcome::Never => None,
        };
        let mut violated = 0;
        for (at, standing) in verdict.standings(quotas).enumerate() {
            // Where one never admits it, those that do not yet are not what is wrong.
            let waits = |length: Duration| wait.is_some() && !length.is_zero();
            violated |= u8::from(standing.retry_after(cost).is_none_or(waits)) << at;
        }
        let policies = Some(policies.clone());
        Some(match wait {
            None => Self { policies, violated, ..Self::new(Reason::TooExpensive, None) },
            Some(wait) => {
                let told = jitter.lengthen(wait, random);
                Self { policies, violated, ..Self::new(Reason::QuotaExceeded, Some(told)) }
            }
        })
    }

    pub(crate) fn too_many_at_once() -> Self {
        Self::new(Reason::TooManyAtOnce, None)
    }

    pub(crate) fn no_key(lacking: Keyless) -> Self {
        Self::new(Reason::NoKey(lacking), None)
    }

    pub(crate) fn unavailable(retry_after: Duration) -> Self {
        Self::new(Reason::Unavailable, Some(retry_after))
    }

    fn new(reason: Reason, retry_after: Option<Duration>) -> Self {
        Self { reason, retry_after, policies: None, violated: 0 }
    }

    /// What the client is told.
    pub fn kind(&self) -> LimitRefusalKind {
        match self.reason {
            Reason::QuotaExceeded => LimitRefusalKind::QuotaExceeded,
            Reason::TooExpensive => LimitRefusalKind::TooExpensive,
            Reason::TooManyAtOnce => LimitRefusalKind::TooManyAtOnce,
            Reason::NoKey(_) => LimitRefusalKind::NoKey,
            Reason::Unavailable => LimitRefusalKind::Unavailable,
        }
    }

    /// How long the client is told to wait, before it is rounded up to whole seconds. It is never less than the time until the next
    /// admission. `None` where waiting does not help, or nobody knows for how long.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The names of the policies that refuse, in the order of the quotas.
    pub fn violated_policies(&self) -> impl Iterator<Item = &str> {
        self.violated(|policies| policies.names())
    }

    /// The same, each between quotation marks.
    pub(crate) fn violated_quoted(&self) -> impl Iterator<Item = &str> {
        self.violated(|policies| policies.quoted())
    }

    fn violated<'a, I: Iterator<Item = &'a str>>(
        &'a self,
        names: impl Fn(&'a Policies) -> I,
    ) -> impl Iterator<Item = &'a str> {
        let names = self.policies.iter().flat_map(move |policies| names(policies));
        names.enumerate().filter(|(at, _)| (self.violated >> at) & 1 == 1).map(|(_, name)| name)
    }
}

impl Reason {
    /// In words for a client: printable ASCII without `%`, so that no gRPC client has to decode it.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::QuotaExceeded => "the quota is used up",
            Self::TooExpensive => "the request costs more than is ever admitted at once",
            Self::TooManyAtOnce => "too many requests are under way at once",
            Self::NoKey(Keyless::Unknown) => "the request cannot be counted",
            Self::NoKey(Keyless::Header) => "the request lacks a field that it must have",
            Self::NoKey(Keyless::Principal) => "nobody is known to ask",
            Self::Unavailable => "limits cannot be asked at the moment",
        }
    }
}

impl fmt::Debug for LimitRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let violated: Vec<&str> = self.violated_policies().collect();
        f.debug_struct("LimitRefusal")
            .field("kind", &self.kind())
            .field("retry_after", &self.retry_after)
            .field("violated_policies", &violated)
            .finish()
    }
}

impl fmt::Display for LimitRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.description())
    }
}

impl Error for LimitRefusal {}

/// By how much a wait is lengthened at most, so that those who were refused at one moment do not come back at one moment (draft 11 §8.5): in
/// parts of itself, of which there are 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// Up to this fraction, from 0 to 1. What is no number is 0.
    pub(crate) fn up_to(fraction: f64) -> Self {
        // A cast of what is no number is 0.
        Self((fraction.clamp(0.0, 1.0) * WHOLE as f64) as u64)
    }

    /// By an evenly random part of that; never shortened.
    pub(crate) fn lengthen(self, wait: Duration, random: u64) -> Duration {
        let most = (wait.as_nanos() * u128::from(self.0)) / WHOLE;
        let more = (most * u128::from(random >> 32)) / (WHOLE - 1);
        let secs = u64::try_from(more / NANOS_A_SEC).unwrap_or(u64::MAX);
        wait.saturating_add(Duration::new(secs, (more % NANOS_A_SEC) as u32))
    }
}

const WHOLE: u128 = 1 << 32;
const NANOS_A_SEC: u128 = 1_000_000_000;

#[cfg(test)]
mod tests;
