//! Whether a stored response may answer a request (RFC 9111 §4, §4.2.4, §5.2.1; RFC 5861; RFC 8246).

use std::time::Duration;

use crate::cache::entry::EntryMeta;
use crate::cache::mark::Standing;
use crate::rules::policy::CachePolicy;
use crate::rules::reason::Reason;
use crate::rules::request::Demand;
use crate::time::Moment;

/// What may be done with a stored response whose key and selecting fields match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reuse {
    /// Serve it.
    Fresh { age: Duration, reason: Option<Reason> },
    /// Ask the inner service; then, if it fails, `on_failure` says what the stored response is good for.
    /// `meanwhile` is its age, where it may be served while the inner service is asked (RFC 5861 §3).
    Revalidate { reason: Reason, on_failure: OnFailure, meanwhile: Option<Duration> },
    /// The request wants a stored response and this one is not fit: 504.
    Unsatisfiable,
}

/// How a stale response may stand in for a failed validation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct OnFailure {
    /// For a 500, 502, 503 or 504 (RFC 5861 §4).
    pub(crate) error_status: bool,
    /// For an inner service that returned an error (RFC 9111 §4.2.4).
    pub(crate) disconnect: bool,
}

impl Reuse {
    /// Whether it may be served as it is.
    pub(crate) fn serves(self) -> bool {
        match self {
            Self::Fresh { .. } => true,
            Self::Revalidate { meanwhile, .. } => meanwhile.is_some(),
            Self::Unsatisfiable => false,
        }
    }
}

impl CachePolicy {
    pub(crate) fn reuse(
        &self,
        demand: Demand,
        stored: &EntryMeta,
        standing: Standing,
        now: Moment,
    ) -> Reuse {
        let age = stored.age(now);
        let directives = demand.directives;
        let staleness = stored.staleness;
        let reason = if directives.no_cache || wants_younger(demand, stored, age) {
            Reason::Request
        } else if staleness.no_cache || standing != Standing::Good {
            // What was purged softly is stale, whatever its age; and so is what nobody can tell of.
            Reason::Stale
        } else {
            let min_fresh = directives.min_fresh.unwrap_or_default().as_duration();
            // RFC 9111 §4.2: fresh while the lifetime is greater than the age.
            let is_fresh = stored.lifetime > age;
            match (is_fresh, stored.lifetime.saturating_sub(age) >= min_fresh) {
                (true, true) => return Reuse::Fresh { age, reason: None },
                (true, false) => Reason::Request,
                // RFC 9111 §5.2.1.2: as stale as the request accepts, and the response allows.
                (false, _) => match directives.max_stale {
                    Some(max)
                        if !staleness.forbidden
                            && min_fresh.is_zero()
                            && overdue(stored, age) <= max.as_duration() =>
                    {
                        return Reuse::Fresh { age, reason: Some(Reason::Request) };
                    }
                    _ => Reason::Stale,
                },
            }
        };
        let meanwhile = (reason == Reason::Stale
            && serves_meanwhile(demand, stored, standing, age))
        .then_some(age);
        if directives.only_if_cached && meanwhile.is_none() {
            return Reuse::Unsatisfiable;
        }
        let on_failure = match standing {
            Standing::Good | Standing::Soft => self.on_failure(demand, stored, age),
            // It may be gone: not served, unless the inner service says that it is current.
            Standing::Unknown | Standing::Gone => OnFailure::default(),
        };
        Reuse::Revalidate { reason, on_failure, meanwhile }
    }

    /// Whether a fresh response is refreshed before it expires: the sooner the longer its fetch took, and at
    /// random, so that what is asked for much is hardly ever stale, and what was fetched together does not expire
    /// together. `spread` is what the chance is drawn from.
    pub(crate) fn is_due_early(&self, stored: &EntryMeta, age: Duration, spread: u64) -> bool {
        if self.early_refresh <= 0.0 {
            return false;
        }
        let took = stored.received.ticks.since(stored.requested.ticks).as_secs_f64();
        // From 0, exclusive, to 1: its logarithm is a number.
        let drawn = ((spread >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        let ahead = took * self.early_refresh * -drawn.ln();
        stored.lifetime.saturating_sub(age).as_secs_f64() <= ahead
    }

    fn on_failure(&self, demand: Demand, stored: &EntryMeta, age: Duration) -> OnFailure {
        let staleness = stored.staleness;
        // A client that asked for a validated answer does not get another one, nor does one for whom the
        // origin wants each use validated.
        if staleness.no_cache || demand.directives.no_cache {
            return OnFailure::default();
        }
        let overdue = overdue(stored, age);
        // RFC 5861 §4: the request may say so too, where the response does not forbid stale use.
        let asked = demand.directives.stale_if_error.filter(|_| !staleness.forbidden);
        let if_error = staleness.if_error.max(asked.unwrap_or_default());
        // Within stale-while-revalidate a stale answer needs no failure at all.
        let window = if_error.max(staleness.while_revalidate).as_duration();
        let error_status = !window.is_zero() && overdue <= window;
        let disconnect = !staleness.forbidden
            && !self.stale_on_disconnect.is_zero()
            && overdue <= self.stale_on_disconnect;
        OnFailure { error_status, disconnect: disconnect || error_status }
    }
}

/// RFC 5861 §3. What was purged softly is stale by a word that came later than its own, so its window counts
/// from the end of its freshness all the same; of what nobody can tell, nothing is served.
fn serves_meanwhile(demand: Demand, stored: &EntryMeta, standing: Standing, age: Duration) -> bool {
    let window = stored.staleness.while_revalidate.as_duration();
    !window.is_zero()
        && overdue(stored, age) <= window
        && matches!(standing, Standing::Good | Standing::Soft)
        && !stored.staleness.no_cache
        && demand.directives.min_fresh.is_none()
        // RFC 9111 §5.2.1.2: no more stale than the request accepts.
        && demand.directives.max_stale.is_none_or(|max| overdue(stored, age) <= max.as_duration())
}

/// RFC 9111 §5.2.1.1. RFC 8246 §2.1: a reload's `max-age=0` asks nothing of an immutable response that is
/// still fresh; only `no-cache` does.
fn wants_younger(demand: Demand, stored: &EntryMeta, age: Duration) -> bool {
    let Some(max_age) = demand.directives.max_age else { return false };
    let is_reload = max_age.as_secs() == 0;
    if is_reload && stored.immutable && stored.lifetime > age {
        return false;
    }
    is_reload || age > max_age.as_duration()
}

fn overdue(stored: &EntryMeta, age: Duration) -> Duration {
    age.saturating_sub(stored.lifetime)
}
