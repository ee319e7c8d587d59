//! Work that no client waits for: counted, bounded, and joined when the service stops.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::cache::spawn::{CurrentRuntime, Spawn, Work};

/// What runs in the background of one core.
#[derive(Default)]
pub(crate) struct Background {
    spawn: OnceLock<Arc<dyn Spawn>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    /// How many wait for the end of it.
    draining: usize,
    waiting: Vec<Waker>,
    max: Option<usize>,
}

/// Why work was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// As much as there may be runs already, or the service stops.
    Full,
    /// Nothing is there to run it.
    Nowhere,
}

impl Background {
    /// Who runs it from now on; the first who is set stays.
    pub(crate) fn set_spawn(&self, spawn: Arc<dyn Spawn>) {
        let _ = self.spawn.set(spawn);
    }

    pub(crate) fn set_max(&self, max: usize) {
        self.lock().max = Some(max);
    }

    /// How much work runs.
    pub(crate) fn running(&self) -> usize {
        self.lock().running
    }

    /// Does what can be left undone, unless there is too much of it; not while the service stops.
    pub(crate) fn begin(self: &Arc<Self>, work: Work) -> Result<(), NotBegun> {
        let is_full = {
            let state = self.lock();
            state.draining > 0 || state.running >= state.max.unwrap_or(RUNNING_MAX)
        };
        if is_full { Err(NotBegun::Full) } else { self.run(work) }
    }

    /// The same for what is worth doing though the service stops.
    pub(crate) fn keep_on(self: &Arc<Self>, work: Work) -> Result<(), NotBegun> {
        let is_full = {
            let state = self.lock();
            state.running >= state.max.unwrap_or(RUNNING_MAX)
        };
        if is_full { Err(NotBegun::Full) } else { self.run(work) }
    }

    /// Does what has to be done: at once where it need not wait, as with a store in this process; else in the
    /// background, however much runs there. Where that cannot be, what would have to wait is dropped: a store may
    /// forget anything.
    pub(crate) fn finish_soon(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let mut work = Box::pin(work);
        if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            let _ = self.run(work);
        }
    }

    /// Waits until nothing runs.
    pub(crate) async fn drained(self: &Arc<Self>) {
        let _draining = Draining::new(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.running == 0 {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn run(self: &Arc<Self>, work: Work) -> Result<(), NotBegun> {
        let running = Running::new(self);
        let work: Work = Box::pin(async move {
            let _running = running;
            work.await;
        });
        // What is given back is dropped when no lock is held.
        match self.spawn.get() {
            Some(spawn) => spawn.spawn(work),
            None => CurrentRuntime.spawn(work),
        }
        .map_err(|_| NotBegun::Nowhere)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one piece of work until it is done, or dropped.
struct Running(Arc<Background>);

impl Running {
    fn new(background: &Arc<Background>) -> Self {
        background.lock().running += 1;
        Self(background.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.lock();
            state.running -= 1;
            if state.running == 0 { std::mem::take(&mut state.waiting) } else { Vec::new() }
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

struct Draining(Arc<Background>);

impl Draining {
    fn new(background: &Arc<Background>) -> Self {
        background.lock().draining += 1;
        Self(background.clone())
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.0.lock().draining -= 1;
    }
}

/// So much may run at a time, of what can be left undone.
const RUNNING_MAX: usize = 1024;
