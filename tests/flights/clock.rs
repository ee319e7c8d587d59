//! A manual clock that knows who waits for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tower_keep::clock::{Clock, Sleep};
use tower_keep::test_util::ManualClock;
use tower_keep::time::Moment;

#[derive(Clone, Default)]
pub struct SimClock {
    hands: ManualClock,
    timers: Arc<Mutex<Timers>>,
}

#[derive(Default)]
struct Timers {
    due: BTreeMap<(u64, u64), Whose>,
    drawn: u64,
}

/// Whose deadline it is.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    /// A deadline of the cache: to need one is a fault where nobody is slow.
    Cache,
    /// A client's or the inner service's own time.
    World,
}

impl SimClock {
    pub fn wait(&self, length: Duration) -> Sleep {
        self.timer(length, Whose::World)
    }

    fn nanos(&self) -> u64 {
        self.hands.now().ticks.as_nanos()
    }

    fn timer(&self, length: Duration, whose: Whose) -> Sleep {
        let mut timers = self.timers.lock().unwrap();
        timers.drawn += 1;
        let length_nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let key = (self.nanos().saturating_add(length_nanos), timers.drawn);
        timers.due.insert(key, whose);
        let sleep = self.hands.sleep(length).unwrap();
        Box::pin(Timer { sleep, key, timers: self.timers.clone() })
    }

    /// Goes on to the next moment for which somebody waits; `by_itself` not to a deadline of the cache. Answers
    /// how long that took; `None` if nobody waits.
    pub fn advance(&self, by_itself: bool) -> Option<Duration> {
        let now = self.nanos();
        let due = {
            let mut timers = self.timers.lock().unwrap();
            timers.due.retain(|(due, _), _| *due > now);
            let mut awaited =
                timers.due.iter().filter(|(_, whose)| !by_itself || **whose == Whose::World);
            awaited.next().map(|((due, _), _)| *due)
        };
        let length = Duration::from_nanos(due?.saturating_sub(now));
        self.hands.advance(length);
        Some(length)
    }

    /// Lets time pass, whoever waits.
    pub fn pass(&self, length: Duration) {
        self.hands.advance(length);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Moment {
        self.hands.now()
    }

    fn sleep(&self, length: Duration) -> Option<Sleep> {
        Some(self.timer(length, Whose::Cache))
    }
}

struct Timer {
    sleep: Sleep,
    key: (u64, u64),
    timers: Arc<Mutex<Timers>>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.timers.lock().unwrap().due.remove(&self.key);
    }
}
