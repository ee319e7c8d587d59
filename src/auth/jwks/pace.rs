//! When keys are asked for, and how long those that are known count. Pure: time is passed in.
//!
//! *Invariant:* two fetches begin at least a cooldown apart, whatever came of the first.

use std::time::Duration;

use crate::auth::jwks::reply::{INTERVAL_MAX, INTERVAL_MIN};
use crate::auth::key::Admission;
use crate::time::{Moment, Ticks};

/// What is configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) cooldown: Duration,
    pub(super) interval: Duration,
    pub(super) stale_max: Duration,
    pub(super) wait_max: Duration,
    pub(super) deadline: Duration,
    pub(super) admission: Admission,
}

impl Rules {
    /// How long a set is good, by what its reply says, or else as it is configured. It outlasts the cooldown and a fetch, so
    /// that there can be a newer one by then.
    pub(super) fn interval(&self, said: Option<Duration>) -> Duration {
        let interval = said.unwrap_or(self.interval).clamp(INTERVAL_MIN, INTERVAL_MAX);
        interval.max(self.cooldown.saturating_add(self.deadline))
    }
}

/// When fetches begin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When the last one began.
    slot: Option<Ticks>,
    phase: Phase,
}

/// What the last fetch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It was good, or there was none.
    #[default]
    Good,
    InFlight,
    Failed,
}

/// What whoever asks for newer keys is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Fetch them: the slot is taken.
    Begin,
    /// Wait for the fetch that is on its way.
    Join,
    /// Leave it, for so long.
    Rest { left: Duration, has_failed: bool },
}

impl Pace {
    /// The turn of who asks now.
    pub(super) fn ask(&mut self, now: Ticks, rules: &Rules) -> Turn {
        if self.phase == Phase::InFlight {
            return Turn::Join;
        }
        let left = self.cooldown_left(now, rules);
        if !left.is_zero() {
            return Turn::Rest { left, has_failed: self.phase == Phase::Failed };
        }
        // Before the fetch, so that it counts whatever comes of it.
        (self.slot, self.phase) = (Some(now), Phase::InFlight);
        Turn::Begin
    }

    /// The fetch that was on its way has ended.
    pub(super) fn landed(&mut self, is_good: bool) {
        self.phase = if is_good { Phase::Good } else { Phase::Failed };
    }

    fn cooldown_left(&self, now: Ticks, rules: &Rules) -> Duration {
        self.slot.map_or(Duration::ZERO, |slot| rules.cooldown.saturating_sub(now.since(slot)))
    }

    /// When who was not served may come again: when the fetch on its way has ended, or when another may begin; at least a second.
    pub(super) fn retry_after(&self, now: Ticks, rules: &Rules) -> Duration {
        let left = match (self.phase, self.slot) {
            (Phase::InFlight, Some(slot)) => rules.deadline.saturating_sub(now.since(slot)),
            _ => self.cooldown_left(now, rules),
        };
        left.max(RETRY_MIN)
    }

    /// How it stands now, if ever a fetch began.
    pub(super) fn standing(&self, was_failing: bool) -> Option<Standing> {
        let is_in_flight = self.phase == Phase::InFlight;
        let is_failing = if is_in_flight { was_failing } else { self.phase == Phase::Failed };
        self.slot.map(|slot| Standing { is_failing, is_in_flight, slot })
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.phase == Phase::InFlight
    }

    /// How long until a fetch is due without anybody asking. `jitter` is at most [`u8::MAX`], and makes it a tenth earlier for a set
    /// that is good, a tenth later after a failure, so that many instances do not ask together.
    pub(super) fn due_in(
        &self,
        held: Option<&Held>,
        jitter: u8,
        now: Moment,
        rules: &Rules,
    ) -> Duration {
        let tenth = |length: Duration| length.mul_f64(f64::from(jitter) / 2550.0);
        let left = self.cooldown_left(now.ticks, rules);
        match held {
            _ if self.phase == Phase::Failed && !left.is_zero() => {
                left.saturating_add(tenth(rules.cooldown))
            }
            Some(held) if self.phase != Phase::Failed => {
                // So early that its end is known before the set is no longer good.
                let lead = rules.deadline.saturating_add(tenth(held.interval));
                let until = held.interval.saturating_sub(lead);
                until.saturating_sub(held.age(now)).max(left)
            }
            _ => left,
        }
    }
}

/// How old a set is, and how long it is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// When the fetch began that brought it, or found it good still.
    pub(super) at: Moment,
    pub(super) interval: Duration,
}

/// How it stands with newer keys than those that are held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// The last fetch that ended has failed.
    pub(super) is_failing: bool,
    pub(super) is_in_flight: bool,
    /// When the last fetch began.
    pub(super) slot: Ticks,
}

impl Held {
    /// The greater of what the two clocks say: ticks may stand still while a machine sleeps, and the wall clock may be set back.
    pub(super) fn age(&self, now: Moment) -> Duration {
        now.wall.since(self.at.wall).max(now.ticks.since(self.at.ticks))
    }

    /// Whether the set still counts: within its interval, and beyond it only while the issuer does not answer. `is_driven` says
    /// whether somebody goes on asking without a request.
    pub(super) fn is_usable(
        &self,
        standing: Standing,
        is_driven: bool,
        now: Moment,
        rules: &Rules,
    ) -> bool {
        let age = self.age(now);
        if age < self.interval || age >= rules.stale_max {
            return age < self.interval;
        }
        let asked = now.ticks.since(standing.slot);
        if standing.is_failing && is_driven {
            return true;
        }
        if standing.is_in_flight {
            return asked >= rules.wait_max;
        }
        // Where requests have to ask, one of them does after each cooldown.
        standing.is_failing && asked < rules.cooldown
    }
}

const RETRY_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
