//! The rules that hold while several threads use a store, and the threads.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};

use crate::store::conformance::Tried;
use crate::store::conformance::entries::{key, number, response};
use crate::store::contract::Store;

pub(super) async fn each_thread_finds_what_it_put<St: Store>(store: &Tried<St>) {
    let rule = "each thread finds what it put";
    side_by_side(|thread| {
        let store = store.clone();
        async move {
            for round in 0..ROUNDS {
                let key = key(format!("own {thread} {}", round % 7));
                let entry = response(thread << 32 | round, 100);
                store.put(rule, &key, entry.clone()).await;
                store.expect(rule, &key, &entry).await;
                if round % 3 == 0 {
                    store.remove(rule, &key).await;
                    store.expect_none(rule, &key).await;
                }
            }
        }
    })
    .await;
}

/// One thread puts, with rising numbers, and the others get: never less than what a put had returned for.
pub(super) async fn no_thread_finds_what_was_replaced<St: Store>(store: &Tried<St>) {
    let put = Arc::new(Put::default());
    side_by_side(|thread| {
        let (store, put) = (store.clone(), put.clone());
        async move {
            // The last to start: the others are at it by then.
            if thread + 1 == THREADS {
                put_rising(&store, &put).await;
            } else {
                get_rising(&store, &put).await;
            }
        }
    })
    .await;
    store.remove(REPLACED, &key("replaced")).await;
}

/// How far the thread that puts has come.
#[derive(Default)]
struct Put {
    returned: AtomicU64,
    has_ended: AtomicBool,
}

async fn put_rising<St: Store>(store: &Tried<St>, put: &Put) {
    let _ended = SetWhenDropped(&put.has_ended);
    for (round, body_bytes) in (1..=ROUNDS).zip([10, 1000, 100].into_iter().cycle()) {
        store.put(REPLACED, &key("replaced"), response(round, body_bytes)).await;
        put.returned.store(round, Ordering::Release);
        thread::yield_now();
    }
}

async fn get_rising<St: Store>(store: &Tried<St>, put: &Put) {
    let mut is_last = false;
    while !is_last {
        is_last = put.has_ended.load(Ordering::Acquire);
        let at_least = put.returned.load(Ordering::Acquire);
        // Not by `get_now` and `get`: there may be a put between the two.
        let got = store.store.get(&key("replaced")).await;
        // One that waits for a lock is not to wait for all of these.
        thread::yield_now();
        assert!(got.is_ok(), "{REPLACED}: get failed: {got:?}");
        let Some(got) = got.unwrap_or_default() else { continue };
        let found = number(&got);
        assert!(
            found.is_some_and(|found| (at_least..=ROUNDS).contains(&found)),
            "{REPLACED}: {found:?} is found, but the put of {at_least} had returned"
        );
    }
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs the work on threads of its own, while the caller's goes on with whatever else it drives: the store
/// may need it. A panic of theirs is the caller's.
async fn side_by_side<F>(work: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let running = Arc::new(Mutex::new(Running { left: THREADS, waker: None }));
    let threads: Vec<_> = (0..THREADS).map(|at| start(work(at), running.clone())).collect();
    poll_fn(|cx| {
        let mut running = lock(&running);
        running.waker = Some(cx.waker().clone());
        if running.left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    for thread in threads {
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
}

struct Running {
    left: u64,
    waker: Option<Waker>,
}

/// Says that a thread has ended, however it did.
struct Ending(Arc<Mutex<Running>>);

impl Drop for Ending {
    fn drop(&mut self) {
        let waker = {
            let mut running = lock(&self.0);
            running.left -= 1;
            running.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(
    work: impl Future<Output = ()> + Send + 'static,
    running: Arc<Mutex<Running>>,
) -> JoinHandle<()> {
    #[cfg(feature = "rt")]
    let runtime = tokio::runtime::Handle::try_current().ok();
    thread::spawn(move || {
        let _ending = Ending(running);
        #[cfg(feature = "rt")]
        let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
        drive(work);
    })
}

fn drive(work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

const REPLACED: &str = "no thread finds what was replaced";
const THREADS: u64 = 4;
const ROUNDS: u64 = 500;
