//! The generic cell rate algorithm (ITU-T I.371 Annex A), without a clock and without a store.
//!
//! A key has one number for each quota, its theoretical arrival time: when it will have its whole burst again. Each unit that is
//! admitted puts it off by the time in which one unit comes back; what would put it further off than a whole burst is refused, and changes
//! nothing.

use std::time::Duration;

use crate::limit::quota::{Quota, Span};
use crate::time::Ticks;

/// When a key has its whole burst again, in parts of one quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tat(pub(crate) Span);

impl Tat {
    /// In whole nanoseconds.
    pub(crate) fn rounded_up(self) -> u64 {
        self.0.nanos.saturating_add(u64::from(self.0.part > 0))
    }
}

/// What a quota says to a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Admitted; and when the key then has its whole burst again.
    Admitted(Tat),
    /// Not yet.
    Refused,
    /// Not ever: it costs more than a whole burst.
    Never,
}

/// Whether so much is admitted now.
#[inline]
pub(crate) fn gcra(tat: Option<Tat>, now: Ticks, quota: &Quota, cost: u64) -> Decision {
    if cost > quota.cost_max {
        return Decision::Never;
    }
    let now = now.as_nanos();
    let start =
        tat.map_or(Span { nanos: now, part: 0 }, |tat| tat.0.max(Span { nanos: now, part: 0 }));
    let ahead = Span { nanos: start.nanos - now, part: start.part };
    let ahead = quota.sum(ahead, quota.time_of(cost));
    if ahead > quota.full {
        return Decision::Refused;
    }
    // At the end of the clock nothing can be put off any more.
    match now.checked_add(ahead.nanos) {
        Some(nanos) => Decision::Admitted(Tat(Span { nanos, part: ahead.part })),
        None => Decision::Refused,
    }
}

/// How far a key is from its whole burst.
#[inline]
pub(crate) fn backlog(tat: Option<Tat>, now: Ticks) -> Span {
    match tat {
        Some(Tat(tat)) if tat.nanos >= now.as_nanos() => {
            Span { nanos: tat.nanos - now.as_nanos(), part: tat.part }
        }
        _ => Span::default(),
    }
}

/// So much was used that nobody has asked for. The key owes it, for [`DEBT_MAX`] or twice the time of its whole burst at most.
pub(crate) fn debit(tat: Option<Tat>, now: Ticks, quota: &Quota, units: u64) -> Tat {
    let most = nanos(DEBT_MAX).max(quota.full.nanos.saturating_mul(2));
    owing(tat, now, quota, units, most)
}

/// The same for having been refused, for twice the time of its whole burst at most.
pub(crate) fn penalty(tat: Option<Tat>, now: Ticks, quota: &Quota, units: u64) -> Tat {
    owing(tat, now, quota, units, quota.full.nanos.saturating_mul(2))
}

fn owing(tat: Option<Tat>, now: Ticks, quota: &Quota, units: u64, most: u64) -> Tat {
    let had = backlog(tat, now);
    let owed = quota.sum(had, quota.time_of(units));
    // What it owes already is not forgiven by the bound.
    let owed = owed.min(Span { nanos: most, part: 0 }).max(had);
    let next = Tat(Span { nanos: now.as_nanos().saturating_add(owed.nanos), part: owed.part });
    // At the end of the clock only a part of a nanosecond could be lost.
    tat.map_or(next, |tat| next.max(tat))
}

/// The whole units that come back in this time.
pub(crate) fn units_of(quota: &Quota, length: Span) -> u64 {
    let parts = u128::from(length.nanos) * u128::from(quota.parts) + u128::from(length.part);
    u64::try_from(parts / u128::from(quota.step).max(1)).unwrap_or(u64::MAX)
}

/// How many units more a key can owe until it waits for two whole bursts.
pub(crate) fn room_for_penalty(quota: &Quota, backlog: Span) -> u64 {
    let most = quota.full.nanos.saturating_mul(2);
    let nanos = most.saturating_sub(backlog.rounded_up_nanos());
    units_of(quota, Span { nanos, part: 0 })
}

/// So much was not used after all. A key never has more than its whole burst, whatever it is given back.
pub(crate) fn refund(tat: Tat, now: Ticks, quota: &Quota, units: u64) -> Tat {
    let had = backlog(Some(tat), now);
    let back = quota.time_of(units);
    let left = match had.nanos.checked_sub(back.nanos) {
        None => Span::default(),
        Some(nanos) if had.part >= back.part => Span { nanos, part: had.part - back.part },
        Some(0) => Span::default(),
        Some(nanos) => Span { nanos: nanos - 1, part: had.part + quota.parts - back.part },
    };
    Tat(Span { nanos: now.as_nanos().saturating_add(left.nanos), part: left.part })
}

/// The units that are left to a key.
pub(crate) fn remaining(quota: &Quota, backlog: Span) -> u64 {
    if backlog >= quota.full {
        return 0;
    }
    if backlog == Span::default() {
        return quota.burst_max();
    }
    if quota.parts == 1 && quota.step > 0 {
        return quota.full.nanos.saturating_sub(backlog.nanos) / quota.step;
    }
    let parts =
        |span: Span| u128::from(span.nanos) * u128::from(quota.parts) + u128::from(span.part);
    let units = parts(quota.full).saturating_sub(parts(backlog)) / u128::from(quota.step).max(1);
    u64::try_from(units).unwrap_or(u64::MAX).min(quota.burst_max())
}

/// How long until so much is admitted, if nobody else asks: to the nanosecond, rounded up. `None` if never.
pub(crate) fn wait(quota: &Quota, backlog: Span, cost: u64) -> Option<Duration> {
    if cost > quota.cost_max {
        return None;
    }
    let needed = quota.sum(backlog, quota.time_of(cost));
    if needed <= quota.full {
        return Some(Duration::ZERO);
    }
    let nanos = needed.nanos - quota.full.nanos;
    // Whether anything is left over the whole nanoseconds.
    Some(Duration::from_nanos(nanos.saturating_add(u64::from(needed.part > quota.full.part))))
}

impl Quota {
    /// The time in which so many units come back; saturates. None where the quota cannot be kept.
    #[inline]
    pub(crate) fn time_of(&self, units: u64) -> Span {
        if units == 1 {
            return self.interval;
        }
        match units.checked_mul(self.step) {
            Some(nanos) if self.parts == 1 => Span { nanos, part: 0 },
            Some(parts) => Span { nanos: parts / self.parts, part: parts % self.parts },
            None => Span::of(u128::from(units) * u128::from(self.step), self.parts),
        }
    }

    /// Both lengths, one after the other; saturates.
    #[inline]
    fn sum(&self, one: Span, other: Span) -> Span {
        let part = one.part + other.part;
        let (carry, part) = match part.checked_sub(self.parts) {
            Some(part) => (1, part),
            None => (0, part),
        };
        let nanos = one.nanos.saturating_add(other.nanos).saturating_add(carry);
        Span { nanos, part }
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// What a key can owe beyond what it was admitted.
pub(crate) const DEBT_MAX: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests;
