//! Futures side by side in one task, each polled only when it was woken.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A set of futures that the calling task polls. Who starts them bounds how many there are.
pub(super) struct InFlight<F> {
    slots: Vec<Slot<F>>,
    vacant: Vec<usize>,
    woken: Arc<Woken>,
    /// How many polls are left until the task has to let others run.
    turns_left: usize,
}

struct Slot<F> {
    // The box is used again for the next future.
    future: Pin<Box<Option<F>>>,
    waker: Waker,
}

impl<F: Future> InFlight<F> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), vacant: Vec::new(), woken: Arc::default(), turns_left: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Adds a future; it is polled for the first time by [`InFlight::poll_next`].
    pub(super) fn start(&mut self, future: F) {
        let reused = self.vacant.pop().and_then(|index| Some((index, self.slots.get_mut(index)?)));
        let index = match reused {
            Some((index, slot)) => {
                slot.future.set(Some(future));
                index
            }
            None => {
                let index = self.slots.len();
                let waker = Arc::new(Alarm { index, woken: self.woken.clone() }).into();
                self.slots.push(Slot { future: Box::pin(Some(future)), waker });
                index
            }
        };
        self.woken.add(index);
    }

    /// What the next one has come to; `None` when there is none left.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if self.len() == 0 {
            return Poll::Ready(None);
        }
        self.woken.listen(cx.waker());
        while self.turns_left > 0 {
            let Some(index) = self.woken.next() else {
                self.turns_left = self.slots.len();
                return Poll::Pending;
            };
            let Some(slot) = self.slots.get_mut(index) else { continue };
            // Woken by a future that has ended already.
            let Some(future) = slot.future.as_mut().as_pin_mut() else { continue };
            self.turns_left -= 1;
            if let Poll::Ready(output) = future.poll(&mut Context::from_waker(&slot.waker)) {
                slot.future.set(None);
                self.vacant.push(index);
                return Poll::Ready(Some(output));
            }
        }
        // Services that are always ready would otherwise keep the task to themselves.
        self.turns_left = self.slots.len();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Which slots were woken, in the order in which they were.
#[derive(Default)]
struct Woken(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    slots: VecDeque<usize>,
    /// By slot, whether it stands in the queue, so that it stands there once.
    is_queued: Vec<bool>,
    task: Option<Waker>,
}

impl Woken {
    fn add(&self, index: usize) {
        let mut queue = self.lock();
        if queue.is_queued.len() <= index {
            queue.is_queued.resize(index + 1, false);
        }
        let Some(is_queued) = queue.is_queued.get_mut(index) else { return };
        if std::mem::replace(is_queued, true) {
            return;
        }
        queue.slots.push_back(index);
        let task = queue.task.clone();
        drop(queue);
        // Not under the lock: a waker may do anything.
        if let Some(task) = task {
            task.wake();
        }
    }

    fn next(&self) -> Option<usize> {
        let mut queue = self.lock();
        let index = queue.slots.pop_front()?;
        // Before it is polled: what wakes it from now on is seen by the poll or queues it again.
        if let Some(is_queued) = queue.is_queued.get_mut(index) {
            *is_queued = false;
        }
        Some(index)
    }

    fn listen(&self, task: &Waker) {
        let mut queue = self.lock();
        let before = match &queue.task {
            Some(known) if known.will_wake(task) => None,
            _ => queue.task.replace(task.clone()),
        };
        drop(queue);
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of one slot.
struct Alarm {
    index: usize,
    woken: Arc<Woken>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.woken.add(self.index);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.add(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A future that counts its polls and ends when it is told to.
    #[derive(Clone, Default)]
    struct Gate(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        polls: usize,
        is_open: bool,
        waker: Option<Waker>,
    }

    impl Gate {
        fn polls(&self) -> usize {
            self.0.lock().unwrap().polls
        }

        fn open(&self) {
            let mut state = self.0.lock().unwrap();
            state.is_open = true;
            state.waker.take().into_iter().for_each(Waker::wake);
        }

        fn passed(self, name: u8) -> impl Future<Output = u8> {
            poll_fn(move |cx| {
                let mut state = self.0.lock().unwrap();
                state.polls += 1;
                state.waker = Some(cx.waker().clone());
                if state.is_open { Poll::Ready(name) } else { Poll::Pending }
            })
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settle<F: Future>(set: &mut InFlight<F>, waker: &Waker) -> Vec<F::Output> {
        let mut ended = Vec::new();
        for _ in 0..20 {
            if let Poll::Ready(Some(output)) = set.poll_next(&mut Context::from_waker(waker)) {
                ended.push(output);
            }
        }
        ended
    }

    #[test]
    fn only_what_was_woken_is_polled() {
        let (gates, woken) = ([(); 4].map(|()| Gate::default()), Arc::<Count>::default());
        let (mut set, waker) = (InFlight::new(), Waker::from(woken.clone()));
        for (gate, name) in gates.iter().zip(0..) {
            set.start(gate.clone().passed(name));
        }
        assert_eq!(settle(&mut set, &waker), [0; 0]);
        assert_eq!(gates.each_ref().map(Gate::polls), [1; 4]);
        let before = woken.0.load(Ordering::Relaxed);
        gates[2].open();
        assert_eq!(woken.0.load(Ordering::Relaxed), before + 1);
        assert_eq!(settle(&mut set, &waker), [2]);
        assert_eq!(gates.each_ref().map(Gate::polls), [1, 1, 2, 1]);
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn the_place_of_one_that_ended_is_used_again() {
        let (gates, waker) = ([(); 9].map(|()| Gate::default()), Waker::noop());
        let mut set = InFlight::new();
        for (gate, name) in gates.iter().zip(0..) {
            set.start(gate.clone().passed(name));
            assert_eq!(settle(&mut set, waker), [0; 0]);
            gate.open();
            // Its waker outlives it, and wakes nobody's future but that which came after it.
            assert_eq!(settle(&mut set, waker), [name]);
            gate.open();
        }
        assert_eq!(set.slots.len(), 1);
        assert!(set.poll_next(&mut Context::from_waker(waker)).is_ready());
    }

    #[test]
    fn one_that_is_always_woken_lets_the_others_and_the_task_have_their_turn() {
        let (gate, woken) = (Gate::default(), Arc::<Count>::default());
        let (mut set, waker) = (InFlight::new(), Waker::from(woken.clone()));
        let restless = || {
            poll_fn(|cx: &mut Context<'_>| {
                cx.waker().wake_by_ref();
                Poll::<u8>::Pending
            })
        };
        let boxed: [Pin<Box<dyn Future<Output = u8>>>; 2] =
            [Box::pin(restless()), Box::pin(gate.clone().passed(7))];
        boxed.into_iter().for_each(|future| set.start(future));
        gate.open();
        let mut polls = 0;
        while set.poll_next(&mut Context::from_waker(&waker)).is_pending() {
            polls += 1;
            assert!(polls < 4, "the other one was never polled");
            assert!(woken.0.load(Ordering::Relaxed) >= polls, "nobody would poll it again");
        }
    }
}
