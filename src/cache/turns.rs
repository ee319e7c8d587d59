//! One of many does the work, and the others wait for it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Who leads, and who waits: never more than there are requests in flight.
#[derive(Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    leading: bool,
    /// How many rounds have ended, and how the last of them did.
    ended: u64,
    done: bool,
    waiting: BTreeMap<u64, Waker>,
    drawn: u64,
}

/// What came of waiting.
pub(crate) enum Turn<'a> {
    /// It is ours to do.
    Lead(Lead<'a>),
    /// Somebody else did it, or failed to.
    Ended(bool),
}

/// The right to do the work. Dropped before its end it goes to one of those who wait.
pub(crate) struct Lead<'a> {
    turns: &'a Turns,
    done: Option<bool>,
}

impl Turns {
    /// Leads as soon as nobody else does: for work that each has to do, but no two at a time.
    pub(crate) async fn alone(&self) -> Lead<'_> {
        loop {
            if let Turn::Lead(lead) = self.next().await {
                return lead;
            }
        }
    }

    /// Leads when nobody does; else waits until the round has ended, or its leader was dropped.
    pub(crate) fn next(&self) -> Next<'_> {
        Next { turns: self, joined: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All are woken: of one alone it would not be sure that it still is there to take over.
    fn release(&self, ended: Option<bool>) {
        let mut state = self.lock();
        state.leading = false;
        if let Some(done) = ended {
            (state.ended, state.done) = (state.ended.wrapping_add(1), done);
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }
}

impl Lead<'_> {
    /// Ends the round for all who waited.
    pub(crate) fn end(mut self, done: bool) {
        self.done = Some(done);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.turns.release(self.done);
    }
}

pub(crate) struct Next<'a> {
    turns: &'a Turns,
    joined: Option<Joined>,
}

#[derive(Clone, Copy)]
struct Joined {
    id: u64,
    /// How many rounds had ended before.
    ended: u64,
}

impl<'a> Future for Next<'a> {
    type Output = Turn<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a>> {
        let turns = self.turns;
        let mut state = turns.lock();
        if self.joined.is_some_and(|joined| joined.ended != state.ended) {
            return Poll::Ready(Turn::Ended(state.done));
        }
        if !state.leading {
            state.leading = true;
            return Poll::Ready(Turn::Lead(Lead { turns, done: None }));
        }
        let joined = self.joined.unwrap_or_else(|| {
            state.drawn = state.drawn.wrapping_add(1);
            Joined { id: state.drawn, ended: state.ended }
        });
        self.joined = Some(joined);
        state.waiting.insert(joined.id, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        if let Some(joined) = self.joined {
            self.turns.lock().waiting.remove(&joined.id);
        }
    }
}

/// Does all of the work at once, also what comes after a failure. The results in the order of the work; or the
/// last error, when everything is done.
pub(crate) async fn all<T, E, F>(work: impl Iterator<Item = F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut work: Vec<_> = work.map(|each| (Box::pin(each), None)).collect();
    poll_fn(|cx| {
        let mut is_done = true;
        for (each, result) in work.iter_mut().filter(|(_, result)| result.is_none()) {
            match each.as_mut().poll(cx) {
                Poll::Ready(done) => *result = Some(done),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let mut failure = None;
    let mut done = Vec::with_capacity(work.len());
    for result in work.into_iter().filter_map(|(_, result)| result) {
        match result {
            Ok(value) => done.push(value),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(done), Err)
}
