//! A request that others wait for: if its client leaves, it goes on for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::cache::collapse::{Keeper, Lead, Shared};
use crate::cache::flow::Landing;
use crate::cache::landing::FlightKey;
use crate::clock::Sleep;

/// The flight that a request leads now: what its future and what is inside it both know.
#[derive(Clone, Default)]
pub(crate) struct Lifeline(Arc<Mutex<Line>>);

#[derive(Default)]
struct Line {
    flight: Option<Arc<Shared<Landing>>>,
    /// The future is being dropped, and did not end by itself.
    is_cut: bool,
}

impl Lifeline {
    /// Answers whether the future is being dropped.
    fn set(&self, flight: Option<Arc<Shared<Landing>>>) -> bool {
        let (before, is_cut) = {
            let mut line = self.lock();
            (std::mem::replace(&mut line.flight, flight), line.is_cut)
        };
        drop(before);
        is_cut
    }

    /// Whether others wait for what it fetches.
    fn is_waited_for(&self) -> bool {
        let flight = self.lock().flight.clone();
        flight.is_some_and(|flight| flight.is_waited_for())
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lead of a flight, while there is one.
pub(crate) struct Leading {
    lead: Option<Lead<FlightKey, Landing>>,
    lifeline: Option<Lifeline>,
}

impl Leading {
    pub(crate) fn new(lead: Option<Lead<FlightKey, Landing>>, lifeline: Option<Lifeline>) -> Self {
        let mut this = Self { lead: None, lifeline };
        if lead.is_some() {
            this.set(lead);
        }
        this
    }

    /// Another lead, or none. One that was not told what came is given up.
    pub(crate) fn set(&mut self, lead: Option<Lead<FlightKey, Landing>>) {
        let flight = lead.as_ref().map(|lead| lead.flight().clone());
        let before = std::mem::replace(&mut self.lead, lead);
        let is_cut = self.lifeline.as_ref().is_some_and(|line| line.set(flight));
        match before {
            // A panic that drops the future from outside is none of the inner service's.
            Some(lead) if is_cut => lead.left(),
            before => drop(before),
        }
    }

    pub(crate) fn key(&self) -> Option<&FlightKey> {
        self.lead.as_ref().map(Lead::key)
    }

    pub(crate) fn take(&mut self) -> Option<Lead<FlightKey, Landing>> {
        let lead = self.lead.take()?;
        if let Some(lifeline) = &self.lifeline {
            lifeline.set(None);
        }
        Some(lead)
    }
}

impl Drop for Leading {
    /// Also in a panic: then there is nothing that could go on.
    fn drop(&mut self) {
        if self.lead.is_some() {
            self.set(None);
        }
    }
}

/// The future of a request, which may have to go on when its client leaves.
pub(crate) trait Driven: Future {
    /// Its client left before the end.
    fn left(self: Pin<Box<Self>>);
}

pin_project! {
    pub(crate) struct Drive<F> {
        #[pin]
        driven: F,
        lifeline: Option<(Lifeline, Arc<dyn Keeper>)>,
        deadline: Duration,
        late: Option<Sleep>,
    }
}

impl<F: Future> Drive<F> {
    /// `deadline` is how long it goes on when its client has left.
    pub(crate) fn new(
        driven: F,
        lifeline: Option<(Lifeline, Arc<dyn Keeper>)>,
        deadline: Duration,
    ) -> Self {
        Self { driven, lifeline, deadline, late: None }
    }
}

impl<F: Future> Future for Drive<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().driven.poll(cx)
    }
}

impl<F: Future + Send + 'static> Driven for Drive<F> {
    fn left(mut self: Pin<Box<Self>>) {
        let this = self.as_mut().project();
        let Some((lifeline, keeper)) = this.lifeline.take() else { return };
        if !lifeline.is_waited_for() || std::thread::panicking() {
            // Nobody wants it, and nobody knows whether it could be stored.
            lifeline.lock().is_cut = true;
            return;
        }
        *this.late = keeper.sleep(*this.deadline);
        keeper.keep_on(Box::pin(GoesOn { drive: self }));
    }
}

/// What is left of a request when its client has left.
struct GoesOn<F> {
    drive: Pin<Box<Drive<F>>>,
}

impl<F: Future> Future for GoesOn<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let drive = self.drive.as_mut().project();
        if drive.late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(());
        }
        // Its response is dropped, and then its body goes on in its turn.
        let _ = ready!(drive.driven.poll(cx));
        Poll::Ready(())
    }
}
