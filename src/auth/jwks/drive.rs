//! Who polls the fetch: the task, where there can be one, or else one of those who wait for it. It passes from one to the
//! other, so that no client that leaves can end it, and nobody waits for what nobody polls.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use crate::auth::jwks::error::JwksError;
use crate::auth::jwks::shared::{Asked, Fetch, Shared, Step};

/// Whoever polls the fetch. Where it leaves before the end, another one does.
struct Lead<'a> {
    shared: &'a Shared,
    fetch: Option<Fetch>,
}

impl Lead<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(fetch) = &mut self.fetch else { return Poll::Ready(()) };
        // What panics has failed, a client or a timer whose runtime is gone: it must not take with it who asks, and whoever polled it
        // again would panic too.
        let polled = catch_unwind(AssertUnwindSafe(|| fetch.as_mut().poll(cx)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(_) => Err(JwksError::of_client("the client panicked")),
        };
        self.fetch = None;
        self.shared.land(result);
        Poll::Ready(())
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if let Some(fetch) = self.fetch.take() {
            self.shared.lock().fetch = Some(fetch);
            self.shared.hand_over();
        }
    }
}

/// Ends when the fetch has ended that was on its way, whatever came of it.
pub(super) struct Waiter<'a> {
    shared: &'a Shared,
    number: u64,
    until: u64,
    takes: bool,
    lead: Option<Lead<'a>>,
}

impl<'a> Waiter<'a> {
    /// `None` for who does not wait.
    pub(super) fn of(shared: &'a Arc<Shared>, asked: &Asked) -> Option<Self> {
        let Asked::Wait { number, until, takes } = *asked else { return None };
        // Before there is a task: where there can be none, this one takes the fetch.
        let waiter = Self { shared, number, until, takes, lead: None };
        ensure_driven(shared);
        Some(waiter)
    }
}

impl Future for Waiter<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared;
        if self.lead.is_none() {
            let waker = cx.waker().clone();
            let mut state = shared.lock();
            if state.ended >= self.until {
                return Poll::Ready(());
            }
            let is_driven = shared.is_driven.load(Ordering::Relaxed) && !self.takes;
            match if is_driven { None } else { state.fetch.take() } {
                Some(fetch) => self.lead = Some(Lead { shared, fetch: Some(fetch) }),
                None => {
                    let before = state.waiting.insert(self.number, Some(waker));
                    drop(state);
                    drop(before);
                    return Poll::Pending;
                }
            }
        }
        self.lead.as_mut().map_or(Poll::Ready(()), |lead| lead.poll(cx))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let before = self.shared.lock().waiting.remove(&self.number);
        drop(before);
        drop(self.lead.take());
        // Perhaps it was this one that was woken to take it.
        self.shared.hand_over();
    }
}

/// Sees to it that there is a task, where one can run, and that it looks what there is to do.
pub(super) fn ensure_driven(shared: &Arc<Shared>) {
    if shared.is_driven.swap(true, Ordering::AcqRel) {
        shared.hand_over();
        return;
    }
    let task = drive(shared.clone(), Driven(shared.clone()));
    // What is given back is dropped, and says so.
    let _ = shared.spawn.spawn(Box::pin(task));
}

/// That there is a task, for as long as there is.
struct Driven(Arc<Shared>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.is_driven.store(false, Ordering::Release);
        self.0.hand_over();
    }
}

/// Fetches whenever it is due, until the last handle is gone. Without a timer it does so once.
async fn drive(shared: Arc<Shared>, _driven: Driven) {
    loop {
        match shared.step(shared.clock.now()) {
            Step::End => return,
            Step::Poll(fetch) => {
                let mut lead = Lead { shared: &shared, fetch: Some(fetch) };
                poll_fn(|cx| {
                    // It is only to be woken here: what else has happened is looked at in the next step.
                    let _ = shared.is_rung(cx);
                    if shared.is_closed() { Poll::Ready(()) } else { lead.poll(cx) }
                })
                .await;
            }
            Step::Sleep(length) => {
                let Some(mut sleep) = shared.clock.sleep(length) else { return };
                poll_fn(|cx| match shared.is_rung(cx) {
                    true => Poll::Ready(()),
                    false => sleep.as_mut().poll(cx),
                })
                .await;
            }
        }
    }
}
