use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::*;
use crate::cache::mark::{Standing, Targeted};
use crate::clock::Clock;
use crate::sync::atomic::AtomicU64;
use crate::test_util::{ManualClock, MemoryLedger};
use crate::time::Moment;

#[test]
fn many_hits_at_once_ask_the_ledger_once() {
    let (ledger, feed) = alone();
    ledger.hang(true);
    let mut hits = (0..5).map(|_| hit(&feed)).collect::<Vec<_>>();
    assert!(hits.iter_mut().all(|hit| poll(hit).is_pending()));
    ledger.hang(false);
    // The followers are polled first, to no avail.
    assert!(hits.iter_mut().rev().take(4).all(|hit| poll(hit).is_pending()));
    assert!(hits.iter_mut().all(|hit| poll(hit) == Poll::Ready(true)));
    assert_eq!(ledger.asked(), 1);
    assert!(feed.is_current(feed.clock.now().ticks));
}

#[test]
fn when_the_leader_is_dropped_somebody_else_asks() {
    let (ledger, feed) = alone();
    ledger.hang(true);
    let mut hits = (0..4).map(|_| hit(&feed)).collect::<Vec<_>>();
    assert!(hits.iter_mut().all(|hit| poll(hit).is_pending()));
    drop(hits.remove(0));
    drop(hits.remove(0));
    ledger.hang(false);
    assert_eq!(poll(&mut hits[1]), Poll::Ready(true));
    assert_eq!(poll(&mut hits[0]), Poll::Ready(true));
    assert_eq!(ledger.asked(), 2);
}

#[test]
fn when_the_ledger_fails_all_who_waited_are_told_and_the_next_asks_again() {
    let (ledger, feed) = alone();
    ledger.hang(true);
    let mut hits = (0..3).map(|_| hit(&feed)).collect::<Vec<_>>();
    assert!(hits.iter_mut().all(|hit| poll(hit).is_pending()));
    ledger.fail(true);
    assert!(hits.iter_mut().all(|hit| poll(hit) == Poll::Ready(false)));
    assert_eq!(ledger.asked(), 1);
    assert!(!feed.is_current(feed.clock.now().ticks));
    ledger.fail(false);
    ledger.hang(false);
    assert_eq!(poll(&mut hit(&feed)), Poll::Ready(true));
}

#[test]
fn what_was_heard_is_current_for_the_lag_and_no_longer() {
    let clock = ManualClock::new();
    let (ledger, feed) = with_clock(Arc::new(clock.clone()));
    assert!(!feed.is_current(clock.now().ticks));
    assert_eq!(poll(&mut hit(&feed)), Poll::Ready(true));
    clock.advance(LAG_MAX);
    assert!(feed.is_current(clock.now().ticks));
    assert_eq!((poll(&mut hit(&feed)), ledger.asked()), (Poll::Ready(true), 1));
    clock.advance(Duration::from_nanos(1));
    assert!(!feed.is_current(clock.now().ticks));
    assert_eq!((poll(&mut hit(&feed)), ledger.asked()), (Poll::Ready(true), 2));
}

#[test]
fn an_answer_counts_from_when_it_was_asked_for() {
    let clock = ManualClock::new();
    let (ledger, feed) = with_clock(Arc::new(clock.clone()));
    ledger.hang(true);
    let mut early = hit(&feed);
    assert!(poll(&mut early).is_pending());
    clock.advance(LAG_MAX * 2);
    let mut late = hit(&feed);
    assert!(poll(&mut late).is_pending());
    ledger.hang(false);
    // What the first heard was asked for too long before the second came.
    assert_eq!(poll(&mut early), Poll::Ready(true));
    assert_eq!((poll(&mut late), ledger.asked()), (Poll::Ready(true), 2));
}

#[test]
fn a_purge_holds_here_at_once_and_elsewhere_when_it_is_heard_of() {
    let (ledger, here) = alone();
    let there = on(&ledger, Arc::new(ManualClock::new()));
    let (_, _) = (poll(&mut hit(&here)), poll(&mut hit(&there)));
    let (began, cells) = (here.stamps.position(), [AtomicU64::new(0), AtomicU64::new(0)]);
    let standing = |feed: &Feed, cell| feed.stamps.standing(began, cell, &Tagged);
    assert_eq!(standing(&here, &cells[0]), Standing::Good);
    assert_eq!(standing(&there, &cells[1]), Standing::Good);
    let purged = poll(&mut Box::pin(here.purge(TAG, PurgeKind::Hard)));
    assert!(matches!(purged, Poll::Ready(Ok(noted)) if noted.position == ledger.position()));
    assert_eq!(standing(&here, &cells[0]), Standing::Gone);
    assert!(there.stamps.is_current(&cells[1]), "within the lag it need not know");
    there.heard.store(0, Ordering::Release);
    assert_eq!(poll(&mut hit(&there)), Poll::Ready(true));
    assert_eq!(standing(&there, &cells[1]), Standing::Gone);
}

#[test]
fn a_ledger_that_forgot_makes_all_before_unknown() {
    let (ledger, feed) = alone();
    assert_eq!(poll(&mut hit(&feed)), Poll::Ready(true));
    let (began, cell) = (feed.stamps.position(), AtomicU64::new(0));
    assert_eq!(feed.stamps.standing(began, &cell, &Tagged), Standing::Good);
    ledger.forget();
    feed.heard.store(0, Ordering::Release);
    assert_eq!(poll(&mut hit(&feed)), Poll::Ready(true));
    assert_eq!(feed.stamps.standing(began, &cell, &Tagged), Standing::Unknown);
    assert_eq!(feed.stamps.position(), ledger.position());
}

#[test]
fn a_new_instance_knows_of_all_purges_that_the_ledger_remembers() {
    let (ledger, feed) = alone();
    assert_eq!(poll(&mut hit(&feed)), Poll::Ready(true));
    let began = feed.stamps.position();
    let _ = poll(&mut Box::pin(feed.purge(TAG, PurgeKind::Soft)));
    let later = feed.stamps.position();
    let new = on(&ledger, Arc::new(ManualClock::new()));
    assert_eq!(poll(&mut hit(&new)), Poll::Ready(true));
    let standing = |began| new.stamps.standing(began, &AtomicU64::new(0), &Tagged);
    assert_eq!((standing(began), standing(later)), (Standing::Soft, Standing::Good));
}

#[cfg(feature = "rt")]
#[tokio::test(start_paused = true)]
async fn in_a_runtime_a_task_follows_and_no_hit_asks() {
    let (ledger, feed) = with_clock(Arc::new(Paused(Instant::now())));
    assert!(feed.catch_up(feed.clock.now().ticks).await);
    for _ in 0..100 {
        tokio::time::sleep(LAG_MAX / 10).await;
        assert!(feed.catch_up(feed.clock.now().ticks).await);
    }
    assert_eq!(ledger.asked(), 1);
    let other = on(&ledger, Arc::new(Paused(Instant::now())));
    let (began, cell) = (feed.stamps.position(), AtomicU64::new(0));
    other.purge(TAG, PurgeKind::Hard).await.unwrap();
    tokio::time::sleep(LAG_MAX).await;
    assert_eq!(feed.stamps.standing(began, &cell, &Tagged), Standing::Gone);
}

#[cfg(feature = "rt")]
#[tokio::test(start_paused = true)]
async fn a_silent_ledger_is_asked_and_followed_again_when_it_speaks() {
    let (ledger, feed) = with_clock(Arc::new(Paused(Instant::now())));
    assert!(feed.catch_up(feed.clock.now().ticks).await);
    ledger.silence(true);
    tokio::time::sleep(LAG_MAX * 2).await;
    assert!(!feed.is_current(feed.clock.now().ticks));
    assert!(feed.catch_up(feed.clock.now().ticks).await);
    assert_eq!(ledger.asked(), 2);
    ledger.fail(true);
    tokio::time::sleep(LAG_MAX * 2).await;
    assert!(!feed.catch_up(feed.clock.now().ticks).await);
    ledger.fail(false);
    ledger.silence(false);
    tokio::time::sleep(BACK_OFF_MAX + ANSWER_MAX).await;
    assert!(feed.is_current(feed.clock.now().ticks));
}

#[cfg(feature = "rt")]
#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_feed_although_the_ledger_hangs() {
    let (ledger, feed) = with_clock(Arc::new(Paused(Instant::now())));
    assert!(feed.catch_up(feed.clock.now().ticks).await);
    tokio::time::sleep(LAG_MAX).await;
    let task = feed.task.lock().unwrap().clone().unwrap();
    feed.start();
    assert_eq!(feed.task.lock().unwrap().as_ref().unwrap().id(), task.id(), "there is only one");
    ledger.hang(true);
    tokio::time::sleep(LAG_MAX).await;
    assert!(!task.is_finished());
    drop(feed);
    tokio::task::yield_now().await;
    assert!(task.is_finished());
}

struct Tagged;

impl Targeted for Tagged {
    fn resource(&self) -> Target {
        Target::from_bytes([1; 16])
    }
    fn tags(&self) -> &[Target] {
        &[TAG]
    }
    fn prefixes(&self) -> Vec<Target> {
        Vec::new()
    }
    fn all(&self) -> Target {
        Target::from_bytes([4; 16])
    }
}

/// The clock of a paused runtime.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Moment {
        let nanos = self.0.elapsed().as_nanos() as u64;
        Moment { ticks: Ticks::from_nanos(nanos), ..Moment::default() }
    }
}

fn alone() -> (MemoryLedger, Arc<Feed>) {
    with_clock(Arc::new(ManualClock::new()))
}

fn with_clock(clock: Arc<dyn Clock>) -> (MemoryLedger, Arc<Feed>) {
    let ledger = MemoryLedger::new();
    let feed = on(&ledger, clock);
    (ledger, feed)
}

fn on(ledger: &MemoryLedger, clock: Arc<dyn Clock>) -> Arc<Feed> {
    let stamps = Arc::new(Stamps::mirror(1 << 16));
    Arc::new(Feed::new(Arc::new(ledger.clone()), stamps, clock, LAG_MAX))
}

fn hit(feed: &Arc<Feed>) -> Pin<Box<dyn Future<Output = bool>>> {
    let (feed, now) = (Arc::clone(feed), feed.clock.now().ticks);
    Box::pin(async move { feed.catch_up(now).await })
}

fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

const TAG: Target = Target::from_bytes([2; 16]);
