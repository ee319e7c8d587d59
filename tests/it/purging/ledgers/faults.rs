//! Ledgers that fail, hang, forget, or are not there: nothing is served of which nobody knows whether it was
//! purged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use tower_keep::cache::{Purge, PurgeErrorKind, Reason};
use tower_keep::store::{DynStore, MemoryStore, Reach};
use tower_keep::test_util::{ManualClock, MemoryLedger};

use super::super::{FRESH, Hit, Miss, Next, Shop, Validated, page, uri};
use super::{Pair, tagged};
use crate::support::{answered, response};

#[derive(Clone, Copy, Debug)]
enum Fault {
    Fails,
    Hangs,
}

fn set(ledger: &MemoryLedger, fault: Fault, on: bool) {
    match fault {
        Fault::Fails => ledger.fail(on),
        Fault::Hangs => ledger.hang(on),
    }
}

const FAULTS: [Fault; 2] = [Fault::Fails, Fault::Hangs];

/// Validated each time, because what is freshened then began where nobody knows either.
#[tokio::test(start_paused = true)]
async fn while_nobody_can_be_asked_everything_is_validated() {
    for fault in FAULTS {
        let pair = Pair::new();
        pair.warm(&["/a"]).await;
        set(&pair.ledger, fault, true);
        assert_eq!(pair.two.next("/a", &[]).await, Hit, "within the lag");
        pair.lag();
        for _ in 0..3 {
            assert_eq!(pair.two.next("/a", &[]).await, Validated, "{fault:?}");
        }
        set(&pair.ledger, fault, false);
        assert_eq!(pair.two.next("/a", &[]).await, Hit, "{fault:?}");
        assert_eq!(pair.one.next("/a", &[]).await, Hit, "{fault:?}");
    }
}

/// It may be gone: not even for a failed service, nor for who wants a stored response only.
#[tokio::test(start_paused = true)]
async fn what_nobody_knows_of_is_never_served_stale() {
    for fault in FAULTS {
        let fails = Arc::new(AtomicBool::new(false));
        let told = fails.clone();
        let stale = [("cache-control", "max-age=60, stale-if-error=600"), ("etag", "\"1\"")];
        let pair =
            Pair::with(MemoryLedger::new(), move |_, _| match told.load(Ordering::Relaxed) {
                true => answered(503, &[], "failed"),
                false => response(&stale, "page"),
            });
        pair.warm(&["/a"]).await;
        set(&pair.ledger, fault, true);
        fails.store(true, Ordering::Relaxed);
        pair.lag();
        let got = pair.two.get("/a", &[]).await;
        assert_eq!((got.status, got.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "failed"));
        for wanted in ["only-if-cached", "only-if-cached, max-stale"] {
            let got = pair.two.get("/a", &[("cache-control", wanted)]).await;
            assert_eq!(got.status, StatusCode::GATEWAY_TIMEOUT, "{fault:?}");
        }
        // While the ledger can be asked, it may stand in again.
        set(&pair.ledger, fault, false);
        pair.clock.advance(Duration::from_secs(61));
        let got = pair.two.get("/a", &[]).await;
        assert_eq!((got.body.as_str(), got.reason()), ("page", Some(Reason::StaleIfError)));
    }
}

/// What is fetched meanwhile is served to who asked, and to nobody else.
#[tokio::test(start_paused = true)]
async fn what_is_fetched_while_nobody_can_be_asked_is_not_served_unvalidated() {
    for fault in FAULTS {
        let pair = Pair::new();
        set(&pair.ledger, fault, true);
        for _ in 0..3 {
            assert_ne!(pair.two.next("/a", &[]).await, Hit, "{fault:?}");
        }
        assert_eq!(pair.two.layer.handle().stats().stored, 0, "{fault:?}");
        set(&pair.ledger, fault, false);
        assert_ne!(pair.two.next("/a", &[]).await, Hit, "{fault:?}: where it began is not known");
        assert_eq!(pair.two.next("/a", &[]).await, Hit, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_the_ledger_does_not_take_is_an_error() {
    for fault in FAULTS {
        let pair = Pair::new();
        pair.warm(&["/a"]).await;
        set(&pair.ledger, fault, true);
        let url = || Purge::url(uri("http://a.test/a"));
        for purge in [url(), url().soft(), Purge::tag("/a"), Purge::all()] {
            let error = pair.one.layer.handle().purge(purge.clone()).await.unwrap_err();
            assert_eq!(error.kind(), PurgeErrorKind::Store, "{fault:?} {purge:?}");
        }
        let purges = [Purge::all(), Purge::tag(""), Purge::tag("/a")];
        let tally = pair.one.layer.handle().purge_from(tokio_stream::iter(purges)).await;
        assert_eq!((tally.purged, tally.failed), (0, 3), "{fault:?}");
        set(&pair.ledger, fault, false);
        let reach = pair.one.layer.handle().purge(Purge::all()).await.unwrap();
        assert_eq!(reach, Reach::EveryInstance);
    }
}

/// The client is told, where it looks: what the write made unusable may still be served elsewhere.
#[tokio::test(start_paused = true)]
async fn a_write_that_the_ledger_does_not_take_says_so() {
    for fault in FAULTS {
        let pair = Pair::new();
        pair.warm(&["/a"]).await;
        set(&pair.ledger, fault, true);
        let got = pair.one.send("PUT", "/a", &[]).await;
        assert_eq!(got.status, StatusCode::OK, "{fault:?}");
        assert_eq!(got.reason(), Some(Reason::InvalidationFailed), "{fault:?}");
        assert_ne!(pair.one.next("/a", &[]).await, Hit, "it is removed all the same");
    }
}

/// More purges between two answers than one of them tells.
#[tokio::test]
async fn what_is_older_than_a_gap_is_validated() {
    for (purges, expected) in [(2, Hit), (3, Validated)] {
        let pair = Pair::with(MemoryLedger::with_purges_max(2), tagged);
        pair.ledger.silence(true);
        pair.warm(&["/a", "/b"]).await;
        for purge in 0..purges {
            pair.purge(Purge::tag(format!("of nothing {purge}"))).await;
        }
        pair.lag();
        assert_eq!(pair.two.each(&["/a", "/b"]).await, [expected; 2], "{purges}");
        assert_eq!(pair.two.each(&["/a", "/b"]).await, [Hit; 2], "it is known again");
        assert_eq!(pair.one.each(&["/a", "/b"]).await, [Hit; 2]);
    }
}

/// As after a flush: nobody knows any more what was purged before.
#[tokio::test]
async fn what_is_older_than_the_history_is_validated_and_never_served_stale() {
    let fails = Arc::new(AtomicBool::new(false));
    let told = fails.clone();
    let pair =
        Pair::with(MemoryLedger::new(), move |request, call| match told.load(Ordering::Relaxed) {
            true => answered(503, &[], "failed"),
            false => page(request, call, &[("cache-control", "stale-if-error=600")]),
        });
    pair.ledger.silence(true);
    for _ in 0..5 {
        pair.purge(Purge::all()).await;
        pair.lag();
    }
    pair.warm(&["/a", "/b"]).await;
    pair.ledger.forget();
    pair.lag();
    fails.store(true, Ordering::Relaxed);
    for shop in [&pair.one, &pair.two] {
        assert_eq!(shop.get("/a", &[]).await.body, "failed");
    }
    fails.store(false, Ordering::Relaxed);
    assert_eq!(pair.two.each(&["/a", "/b"]).await, [Validated; 2]);
    assert_eq!(pair.two.each(&["/a", "/b"]).await, [Hit; 2]);
    assert_eq!(pair.one.each(&["/a", "/b"]).await, [Hit; 2], "what the other has validated");
    // Marks begin anew with it: the first purges of the new history count.
    pair.purge(Purge::tag("of nothing")).await;
    pair.purge(Purge::url(uri("http://a.test/a")).soft()).await;
    pair.lag();
    assert_eq!(pair.two.each(&["/a", "/b"]).await, [Validated, Hit]);
}

/// An instance that appends where another began anew knows that too.
#[tokio::test]
async fn who_purges_in_a_new_history_leaves_the_old_one() {
    let pair = Pair::new();
    pair.ledger.silence(true);
    pair.warm(&["/a"]).await;
    pair.ledger.forget();
    pair.purge(Purge::tag("of nothing")).await;
    assert_eq!(pair.one.next("/a", &[]).await, Validated);
    pair.lag();
    assert_eq!(pair.two.next("/a", &[]).await, Hit, "it was validated in the new one");
}

/// Without a ledger nobody knows what the other has purged: see `Store::ledger`.
#[tokio::test]
async fn without_a_ledger_two_caches_over_one_store_validate_what_the_other_stored() {
    let store = MemoryStore::with_bytes_max(1 << 20);
    let clock = ManualClock::new();
    for (etag, expected) in [("\"1\"", Validated), ("", Miss)] {
        let shop = || {
            Shop::over(
                DynStore::new(store.clone()),
                clock.clone(),
                |layer| layer,
                move |request, call| match etag {
                    "" => response(&[FRESH], format!("call {call}")),
                    _ => page(request, call, &[]),
                },
            )
        };
        let (one, two) = (shop(), shop());
        let path = if etag.is_empty() { "/without" } else { "/with" };
        for _ in 0..2 {
            for (at, shop) in [&one, &two].into_iter().enumerate() {
                let first: Next = if at == 0 { Miss } else { expected };
                let next = shop.next(path, &[]).await;
                assert!(next == first || next == expected, "{path} {at}: {next:?}");
                assert_eq!(shop.next(path, &[]).await, Hit, "its own");
            }
        }
        let reach = one.layer.handle().purge(Purge::all()).await.unwrap();
        assert_eq!(reach, Reach::ThisProcess);
    }
}
