//! One flight per key, as a machine: what many requests for the same thing wait for while one of them, the
//! leader, fetches it (RFC 9111 §4: collapsed requests). Nothing here waits.

#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests;

use std::time::Duration;

use crate::time::Ticks;

/// Where a flight stands, and how often it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    phase: Phase,
    has_failed: bool,
    /// How many answers were of no use to others, by the fault of one request each.
    passed: u8,
}

/// Where a flight stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A leader waits for the head.
    Fetching,
    /// Nobody leads: whoever waits, or comes first, takes over. After a failure that is its last chance.
    Vacant(Option<Failure>),
    /// The head is there, the body comes.
    Streaming,
    /// All of it is there.
    Whole,
    /// By the origin's word nobody but the leader can use it: each goes its own way.
    Uncacheable,
    /// It failed twice, or its leader did where it was the last chance.
    Failed(Failure),
    /// The body is more than is kept: it goes on for those who read it, and nobody joins them.
    Outgrown,
    /// The body broke off.
    Broken,
}

/// What happens to a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody takes over.
    Led,
    /// A response that others may use: its head is there, and its body comes.
    Streams,
    /// A response that others may use, all of it.
    Landed,
    /// A response that nobody else may use.
    Uncacheable,
    /// A response that nobody else may use, but another request may well have another one.
    Unusable,
    /// No response.
    Failed(Failure),
    /// The leader's client left, and nothing goes on for it.
    Left,
    /// The body came to its end.
    Ended,
    /// The body broke off.
    Broke,
    /// The body is more than is kept.
    Outgrew,
}

/// Why there is no response that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The inner service returned an error.
    Error,
    /// It panicked.
    Panic,
    /// It took too long.
    Deadline,
    /// It answered with 502, 503 or 504.
    Unavailable,
    /// It answered with another 5xx, which the fields of one client may have caused.
    Status,
}

/// What a flight is to somebody who waits for it or comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// The head is yet to come.
    Wait,
    /// Nobody leads; after this failure.
    Vacant(Option<Failure>),
    /// The head is there.
    Read,
    /// Each has to ask for itself.
    Alone,
    /// There is nothing to be had for now.
    Failed(Failure),
}

impl Flight {
    /// One that has just begun, with a leader. `after_failure` where an earlier one failed a short while ago.
    pub(crate) fn new(after_failure: bool) -> Self {
        Self { phase: Phase::Fetching, has_failed: after_failure, passed: 0 }
    }

    /// What comes of an event: whether anything does, which those who wait have to know.
    pub(crate) fn on(&mut self, event: Event) -> bool {
        let next = match (self.phase, event) {
            (Phase::Vacant(_), Event::Led) => Phase::Fetching,
            (Phase::Fetching, Event::Streams) => Phase::Streaming,
            (Phase::Fetching, Event::Landed) => Phase::Whole,
            (Phase::Fetching, Event::Uncacheable) => Phase::Uncacheable,
            // A few times: where each has such an answer, waiting in line for it is of no use.
            (Phase::Fetching, Event::Unusable) if self.passed >= PASSED_MAX => Phase::Uncacheable,
            (Phase::Fetching, Event::Unusable) => {
                self.passed += 1;
                Phase::Vacant(None)
            }
            (Phase::Fetching, Event::Left) => Phase::Vacant(None),
            // Its leader goes on waiting, for itself: nobody can take over.
            (Phase::Fetching, Event::Failed(Failure::Deadline)) => Phase::Failed(Failure::Deadline),
            (Phase::Fetching, Event::Failed(failure)) if self.has_failed => Phase::Failed(failure),
            (Phase::Fetching, Event::Failed(failure)) => {
                self.has_failed = true;
                Phase::Vacant(Some(failure))
            }
            (Phase::Streaming, Event::Ended) => Phase::Whole,
            (Phase::Streaming | Phase::Outgrown, Event::Broke) => Phase::Broken,
            (Phase::Streaming, Event::Outgrew) => Phase::Outgrown,
            _ => return false,
        };
        self.phase = next;
        true
    }

    pub(crate) fn prospect(&self) -> Prospect {
        match self.phase {
            Phase::Fetching => Prospect::Wait,
            Phase::Vacant(after) => Prospect::Vacant(after),
            Phase::Streaming | Phase::Whole => Prospect::Read,
            Phase::Uncacheable | Phase::Outgrown | Phase::Broken => Prospect::Alone,
            Phase::Failed(failure) => Prospect::Failed(failure),
        }
    }
}

impl Failure {
    /// By the status of a response that cannot be stored; `None` for one below 500, which is the origin's
    /// word and no failure.
    pub(crate) fn of_status(status: u16) -> Option<Self> {
        match status {
            502..=504 => Some(Self::Unavailable),
            500.. => Some(Self::Status),
            _ => None,
        }
    }

    /// Whether requests that come later are held back too.
    pub(crate) fn backs_off(self) -> bool {
        self != Self::Status
    }
}

/// After a failure: a while in which a key has two calls of the inner service at the most, the one that failed
/// and one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackOff {
    pub(crate) failure: Failure,
    pub(crate) until: Ticks,
    length: Duration,
    is_used_up: bool,
}

impl BackOff {
    /// After a failure at `now`. `is_taken` where somebody waits who will lead again.
    pub(crate) fn after(
        previous: Option<Self>,
        failure: Failure,
        now: Ticks,
        is_taken: bool,
    ) -> Self {
        let length = match previous {
            // The second call of a while, which goes on.
            Some(open) if now < open.until => {
                return Self { failure, is_used_up: true, ..open };
            }
            // Failed again soon after: the while is twice as long.
            Some(over) if now.since(over.until) <= over.length => {
                (over.length * 2).min(BACK_OFF_MAX)
            }
            _ => BACK_OFF_MIN,
        };
        Self { failure, until: now.plus(length), length, is_used_up: is_taken }
    }

    /// The call that was admitted was not made after all.
    pub(crate) fn give_back(&mut self) {
        self.is_used_up = false;
    }

    /// Whether one more call may be made, which is then taken.
    pub(crate) fn admits(&mut self, now: Ticks) -> bool {
        let admits = now >= self.until || !self.is_used_up;
        self.is_used_up = true;
        admits
    }
}

/// So many of those who wait lead in turn, one after the other.
const PASSED_MAX: u8 = 3;
pub(crate) const BACK_OFF_MIN: Duration = Duration::from_secs(1);
pub(crate) const BACK_OFF_MAX: Duration = Duration::from_secs(30);
