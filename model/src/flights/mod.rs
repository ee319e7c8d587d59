//! Flights with loom's locks, and wakers that loom sees: a wake that is missing is a deadlock, which it finds.
//! It does not see counts of references, which are the standard library's here.

mod block_on;
mod bodies;
mod joining;
mod origin;
mod outgrown;
mod taking_over;

use std::future::{Future, poll_fn, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread;

use crate::cache::collapse::{
    Arrival, Body, Follower, Head, Joined, Keeper, Lead, ReadError, Reader, Shared, Sink, Table,
    Task, Yielding,
};
use crate::rules::reason::Reason;
use crate::time::Ticks;
use crate::wakes;

use block_on::block_on;
use origin::Origin;

/// In every interleaving; or where those are too many, in each that takes a thread off so often at the most
/// while it could go on. How often a thread stops because it has to wait is not bounded.
fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    // A wake that is missing is soon missed.
    builder.preemption_bound = if wakes::left_out().is_some() { Some(2) } else { preemptions };
    builder.max_branches = 10_000;
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    eprintln!("{}: {runs:?} interleavings", std::thread::current().name().unwrap_or_default());
}

/// A cache of one page: its flights, its store, and what became of its bodies.
struct World {
    table: Arc<Table<(), Page>>,
    keeper: Arc<Kept>,
    store: Mutex<Option<Bytes>>,
    completed: AtomicU64,
    abandoned: AtomicU64,
    fetched: AtomicU64,
}

impl World {
    /// `goes_on` where something can be done in the background.
    fn new(goes_on: bool) -> Arc<Self> {
        Arc::new(Self {
            table: Arc::new(Table::new()),
            keeper: Arc::new(Kept { goes_on, ..Kept::default() }),
            store: Mutex::new(None),
            completed: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
        })
    }

    fn join(&self) -> Joined<(), Page> {
        let keeper: Arc<dyn Keeper> = self.keeper.clone();
        self.table.join(&(), &keeper, true, || (), |_| true)
    }

    fn lead(&self) -> Lead<(), Page> {
        match self.join() {
            Joined::Lead(lead) => lead,
            _ => panic!("no lead"),
        }
    }

    fn follow(&self) -> Follower<(), Page> {
        match self.join() {
            Joined::Follow(follower) => follower,
            _ => panic!("nothing to follow"),
        }
    }

    /// A head, and a body that comes from there.
    fn streams(self: &Arc<Self>, lead: Lead<(), Page>, origin: &Origin) -> Reader<Page> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        self.streams_within(lead, origin, (None, 1 << 10))
    }

    fn streams_within(
        self: &Arc<Self>,
        lead: Lead<(), Page>,
        origin: &Origin,
        (length, bytes_max): (Option<u64>, u64),
    ) -> Reader<Page> {
        let body = Body {
            source: Box::pin(origin.clone()),
            sink: Box::new(Filing(self.clone())),
            length,
            bytes_max,
            awaits_trailers: false,
            exact: None,
        };
        lead.streams(Arc::new(Page::default()), body)
    }

    /// How often a body came to be stored, and how often not.
    fn ends(&self) -> (u64, u64) {
        (self.completed.load(Ordering::Relaxed), self.abandoned.load(Ordering::Relaxed))
    }

    fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Nothing is left of any flight, once what goes on in the background is done.
    fn rests(&self) {
        let background = std::mem::take(&mut *self.keeper.background.lock().unwrap());
        background.into_iter().for_each(|going_on| going_on.join().unwrap());
        assert_eq!(self.table.len(), 0, "a flight is left");
        assert_eq!(self.keeper.taken.load(Ordering::Relaxed), 0, "memory is left");
    }
}

/// The head of a response; and its body, once it is what lies in the store.
#[derive(Default)]
struct Page(Option<Bytes>);

impl Head for Page {
    type Begun = ();

    fn shared(&self, trailers: &HeaderMap) -> HeaderMap {
        trailers.clone()
    }
}

#[derive(Default)]
struct Kept {
    goes_on: bool,
    taken: AtomicU64,
    /// So many more sleeps are over at once, the others never.
    naps: Mutex<u64>,
    noted: std::sync::Mutex<Vec<Weak<dyn Yielding>>>,
    background: std::sync::Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Keeper for Kept {
    fn keep_on(&self, work: Task) {
        if self.goes_on {
            let going_on = thread::spawn(move || block_on(work));
            self.background.lock().unwrap().push(going_on);
        }
    }

    fn now(&self) -> Ticks {
        Ticks::default()
    }

    fn sleep(&self, _: Duration) -> Option<Task> {
        let mut naps = self.naps.lock().unwrap();
        *naps = naps.checked_sub(1)?;
        Some(Box::pin(ready(())))
    }

    fn take(&self, bytes: u64) -> bool {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn make_room(&self, _: u64) {}

    fn note(&self, body: Weak<dyn Yielding>) {
        self.noted.lock().unwrap().push(body);
    }
}

/// Puts a body into the store and then ends the flight, as the crate does.
struct Filing(Arc<World>);

impl Sink<Page> for Filing {
    fn complete(
        self: Box<Self>,
        flight: &Arc<Shared<Page>>,
        _: Arc<Page>,
        body: Bytes,
        _: Option<HeaderMap>,
    ) {
        let world = self.0;
        world.completed.fetch_add(1, Ordering::Relaxed);
        assert_eq!(body, WHOLE);
        flight.is_now(Arc::new(Page(Some(body.clone()))), None);
        *world.store.lock().unwrap() = Some(body);
        world.table.remove(&(), flight, true);
    }

    fn abandon(self: Box<Self>, flight: &Arc<Shared<Page>>, _: Reason) {
        self.0.abandoned.fetch_add(1, Ordering::Relaxed);
        self.0.table.remove(&(), flight, false);
    }
}

/// The body in the one form or the other, to its end.
async fn read_of(arrival: Arrival<Page>) -> Vec<u8> {
    match arrival {
        Arrival::Landed(head, mut reader) => match &head.0 {
            Some(stored) => stored.to_vec(),
            None => read(&mut reader).await.expect("a whole body"),
        },
        _ => panic!("nothing to read"),
    }
}

async fn arrival(follower: &mut Follower<(), Page>) -> Arrival<Page> {
    follower.arrival(&mut None, |_| None).await
}

async fn read(reader: &mut Reader<Page>) -> Result<Vec<u8>, ReadError> {
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|cx| reader.poll_frame(cx)).await {
        all.extend_from_slice(&frame?.into_data().unwrap_or_default());
    }
    Ok(all)
}

/// Polls so often, whatever comes of it, and leaves.
fn leave_after(polls: usize, mut reader: Reader<Page>) {
    for _ in 0..polls {
        let _ = reader.poll_frame(&mut Context::from_waker(Waker::noop()));
    }
}

const WHOLE: &[u8] = b"abcd";
