//! On the paused clock of the runtime: a deadline passes without anybody waiting for it.

use std::time::Duration;

use http::HeaderName;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{CacheLayer, Partition, Purge, PurgeErrorKind, Reason};
use tower_keep::clock::Clock;
use tower_keep::time::{Moment, Ticks, Timestamp};

use super::{DEADLINE, Faulty, Mode, Op, Rig, settled, timed};
use crate::support::{Got, Inner, answered, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_delays_a_request_by_its_deadline() {
    let rig = Rig::new(|_, call| response(&[FRESH], format!("call {call}")));
    rig.get("/").await;
    rig.store.set(Op::Get, &[Mode::Hangs]);
    let (got, took) = timed(rig.get("/")).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "call 1"));
    assert_eq!(got.outcome.unwrap().reason(), Some(Reason::StoreFailed));
    assert_eq!(took, DEADLINE);
    assert_eq!(rig.stats().store_failures, 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_layers() {
    for millis in [1, 10, 1000] {
        let deadline = Duration::from_millis(millis);
        let rig = Rig::with(|layer| layer.store_deadline(deadline), |_, _| response(&[FRESH], "x"));
        rig.store.set(Op::Get, &[Mode::Hangs]);
        let (got, took) = timed(rig.get("/")).await;
        assert_eq!((got.body.as_str(), took), ("x", deadline));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_within_the_deadline_counts() {
    let rig = Rig::new(|_, call| response(&[FRESH], format!("call {call}")));
    rig.get("/").await;
    rig.store.set(Op::Get, &[Mode::After(Duration::from_millis(49))]);
    let (got, took) = timed(rig.get("/")).await;
    assert!(got.is_hit());
    assert_eq!(took, Duration::from_millis(49));
}

/// Goes with the runtime's own clock, as the system's would.
#[derive(Clone)]
struct RuntimeClock(tokio::time::Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Moment {
        let nanos = u64::try_from(self.0.elapsed().as_nanos()).unwrap();
        let wall = Timestamp::from_secs(1_600_000_000).plus(self.0.elapsed());
        Moment { wall, ticks: Ticks::from_nanos(nanos) }
    }
}

/// However many questions a request needs (root, index, variant), the store has the one deadline.
#[tokio::test(start_paused = true)]
async fn a_slow_store_delays_a_look_up_by_one_deadline_in_all() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    let store = Faulty::default();
    let service = CacheLayer::with_clock(store.clone(), RuntimeClock(tokio::time::Instant::now()))
        .partition_by(tenant)
        .layer(Inner::new(|_, _| response(&[FRESH, ("vary", "accept")], "x")));
    let send = async || {
        let sent = service.clone().oneshot(request("GET", "/", &[("x-tenant", "one")]));
        let got = Got::read(sent.await.unwrap()).await;
        settled().await;
        got
    };
    send().await;
    for (millis, is_hit, most) in [(0, true, 0), (16, true, 48), (20, false, 50), (49, false, 50)] {
        store.set(Op::Get, &[Mode::After(Duration::from_millis(millis))]);
        let (got, took) = timed(send()).await;
        assert_eq!((got.is_hit(), got.body.as_str()), (is_hit, "x"), "{millis}");
        assert!(took <= Duration::from_millis(most), "{millis}: {took:?}");
    }
}

/// Not even by the time that storing takes.
#[tokio::test(start_paused = true)]
async fn a_put_that_hangs_delays_nobody() {
    let rig = Rig::new(|_, call| match call {
        0 => response(&[FRESH, ("etag", "\"a\"")], "abc"),
        _ => answered(304, &[FRESH, ("etag", "\"a\"")], ""),
    });
    rig.store.set(Op::Put, &[Mode::Works, Mode::Hangs]);
    rig.get("/").await;
    rig.clock.advance(Duration::from_secs(61));
    let (got, took) =
        timed(async { Got::read(rig.start(request("GET", "/", &[])).await).await }).await;
    assert_eq!((got.body.as_str(), took), ("abc", Duration::ZERO));
    rig.store.set(Op::Put, &[Mode::Hangs]);
    let (got, took) = timed(rig.send("GET", "/other", &[])).await;
    assert_eq!((got.status.as_u16(), took), (304, Duration::ZERO));
    let failures = rig.stats().store_failures;
    tokio::time::sleep(DEADLINE * 2).await;
    settled().await;
    assert!(rig.stats().store_failures > failures, "what hangs in the background is given up");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_hangs_delays_a_write_by_one_deadline_in_all() {
    for fields in [&[][..], &[("location", "/a"), ("content-location", "/b")]] {
        let rig = Rig::new(move |_, _| answered(201, fields, "done"));
        rig.store.set(Op::Remove, &[Mode::Hangs]);
        let (got, took) = timed(rig.send("POST", "/", &[])).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (201, "done"));
        assert_eq!(got.outcome.unwrap().reason(), Some(Reason::InvalidationFailed));
        assert!(took <= DEADLINE, "{fields:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_hangs_ends_and_says_so() {
    let rig = Rig::new(|_, _| response(&[FRESH], "x"));
    rig.store.set(Op::Remove, &[Mode::Hangs]);
    let (handle, url) = (rig.layer.handle(), http::Uri::from_static("http://a.test/"));
    let (purged, took) = timed(handle.purge(Purge::url(url.clone()))).await;
    assert_eq!(purged.unwrap_err().kind(), PurgeErrorKind::Store);
    assert!(took <= 2 * DEADLINE, "{took:?}");
}

/// A write that is answered while its removal hangs still keeps out what was on its way before it.
#[tokio::test(start_paused = true)]
async fn a_write_whose_removal_hangs_still_overtakes() {
    let rig = Rig::new(|_, call| response(&[FRESH], format!("call {call}")));
    let before = rig.start(request("GET", "/", &[])).await;
    rig.store.set(Op::Remove, &[Mode::Hangs]);
    timed(rig.send("PUT", "/", &[])).await;
    assert_eq!(Got::read(before).await.body, "call 0");
    settled().await;
    assert!(rig.store.entries().is_empty());
    assert_eq!(rig.get("/").await.body, "call 2");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_hangs_does_not_keep_the_others_from_being_done() {
    let rig = Rig::new(|_, _| answered(201, &[("location", "/other")], "done"));
    rig.store.set(Op::Remove, &[Mode::Hangs, Mode::Works]);
    rig.store.log();
    let (got, _) = timed(rig.send("POST", "/", &[])).await;
    assert_eq!(got.outcome.unwrap().reason(), Some(Reason::InvalidationFailed));
    assert_eq!(rig.store.log(), [Op::Remove; 4]);
}

/// What waits for a store that hangs is bounded in bytes, and given back when it is given up.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_hanging_store_is_bounded_in_bytes() {
    let rig = Rig::new(|_, _| response(&[FRESH], "x".repeat(1_000_000)));
    rig.store.set(Op::Put, &[Mode::Hangs]);
    for at in 0..80 {
        rig.get(&format!("/{at}")).await;
    }
    let refused = rig.stats().not_stored;
    assert!((10..20).contains(&refused), "64 MiB may wait, {refused} of 80 were refused");
    settled().await;
    tokio::time::sleep(DEADLINE * 2).await;
    settled().await;
    rig.store.set(Op::Put, &[Mode::Works]);
    rig.get("/again").await;
    settled().await;
    assert_eq!(rig.stats().stored, 1);
}
