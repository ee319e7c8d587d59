//! What all parts of a run share: the time, chance, what happens outside, and what the inner service did.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::clock::SimClock;
use crate::dice::Dice;
use crate::origin::Call;

pub struct World {
    pub clock: SimClock,
    dice: Mutex<Dice>,
    nudges: Mutex<Vec<Arc<Nudge>>>,
    events: AtomicU64,
    pub calls: Mutex<Vec<Call>>,
    /// Calls and bodies of the inner service that are not over.
    pub alive: Arc<AtomicUsize>,
    /// The inner service does what is right, at once and for all.
    pub is_settled: AtomicBool,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Wakes itself.
    Yield,
    /// Something outside wakes it.
    Nudge,
    Sleep(Duration),
    Never,
}

impl World {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            clock: SimClock::default(),
            dice: Mutex::new(Dice::new(seed)),
            nudges: Mutex::default(),
            events: AtomicU64::new(0),
            calls: Mutex::default(),
            alive: Arc::default(),
            is_settled: AtomicBool::new(false),
        })
    }

    pub fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock().unwrap())
    }

    /// Something happens: where it stands in the order of all that does.
    pub fn event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    /// Something that one waits for comes. False if nobody waits.
    pub fn nudge(&self) -> bool {
        let nudge = {
            let mut nudges = self.nudges.lock().unwrap();
            match nudges.len() {
                0 => return false,
                len => nudges.swap_remove(self.roll(|dice| dice.index(len))),
            }
        };
        nudge.is_due.store(true, Ordering::Relaxed);
        let waker = nudge.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    pub async fn wait(&self, wait: Wait) {
        match wait {
            Wait::Yield => yielded().await,
            Wait::Nudge => {
                let nudge = Arc::new(Nudge::default());
                self.nudges.lock().unwrap().push(nudge.clone());
                Nudged(nudge).await;
            }
            Wait::Sleep(length) => self.clock.wait(length).await,
            Wait::Never => std::future::pending().await,
        }
    }
}

async fn yielded() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(Default)]
struct Nudge {
    is_due: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

struct Nudged(Arc<Nudge>);

impl Future for Nudged {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.is_due.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        let before = self.0.waker.lock().unwrap().replace(cx.waker().clone());
        drop(before);
        Poll::Pending
    }
}

impl Drop for Nudged {
    fn drop(&mut self) {
        let left = self.0.waker.lock().unwrap().take();
        drop(left);
    }
}

/// Counts something of the inner service's for as long as it is there.
pub struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub fn new(world: &World) -> Self {
        world.alive.fetch_add(1, Ordering::Relaxed);
        Self(world.alive.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
