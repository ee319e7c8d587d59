//! What was purged softly is stale, and what was purged hard is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use tower_keep::cache::{CachePolicy, Forward, Purge, Reason};

use super::{ETAG, Fields, Hit, Miss, Next, Shop, Validated, page, uri};
use crate::support::{answered, response};

fn url() -> Purge {
    Purge::url(uri("http://a.test/"))
}

fn kinds() -> [Purge; 4] {
    [url(), Purge::prefix(uri("http://a.test/")), Purge::tag("t"), Purge::all()]
}

#[tokio::test]
async fn a_soft_purge_has_it_validated_and_a_304_makes_it_fresh_again() {
    for purge in kinds() {
        let shop = Shop::new(|request, call| page(request, call, &[("cache-groups", "\"t\"")]));
        shop.warm(&["/"]).await;
        for _ in 0..3 {
            shop.purge(purge.clone().soft()).await;
            let got = shop.get("/", &[]).await;
            assert_eq!((got.status, got.body.as_str()), (StatusCode::OK, "call 0"));
            assert_eq!(got.forward(), Some(Forward::Stale), "{purge:?}");
            let asked = shop.inner.seen().pop().unwrap();
            assert_eq!(asked.headers["if-none-match"], "\"1\"");
            assert_eq!(shop.next("/", &[]).await, Hit, "{purge:?}");
        }
        shop.purge(purge.clone()).await;
        assert_eq!(shop.next("/", &[]).await, Miss, "{purge:?}");
    }
}

#[tokio::test]
async fn a_soft_purge_has_it_replaced_where_the_service_has_another() {
    let shop = Shop::new(|_, call| {
        let etag = format!("\"{call}\"");
        response(&[super::FRESH, ("etag", &etag)], format!("call {call}"))
    });
    shop.warm(&["/"]).await;
    shop.purge(url().soft()).await;
    assert_eq!(shop.get("/", &[]).await.body, "call 1");
    assert_eq!(shop.next("/", &[]).await, Hit);
    assert_eq!(shop.get("/", &[]).await.body, "call 1");
}

#[tokio::test]
async fn without_a_validator_a_soft_purge_has_it_fetched_anew() {
    let shop = Shop::new(|_, call| response(&[super::FRESH], format!("call {call}")));
    shop.warm(&["/"]).await;
    shop.purge(url().soft()).await;
    let got = shop.get("/", &[]).await;
    assert_eq!((got.body.as_str(), got.forward()), ("call 1", Some(Forward::Stale)));
    assert_eq!(shop.next("/", &[]).await, Hit);
}

/// A service that fails when it is told to.
fn failing(cache_control: &'static str) -> (Shop, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let told = fails.clone();
    let shop = Shop::new(move |request, call| match told.load(Ordering::Relaxed) {
        true => answered(503, &[], "failed"),
        false if request.headers().contains_key("if-none-match") => {
            answered(304, &[("cache-control", cache_control), ETAG], "")
        }
        false => response(&[("cache-control", cache_control), ETAG], format!("call {call}")),
    });
    (shop, fails)
}

/// RFC 5861 §4; RFC 9111 §4.2.4, §5.2.2.2.
#[tokio::test]
async fn a_soft_purge_leaves_what_may_stand_in_for_a_failed_service_and_a_hard_one_does_not() {
    for (cache_control, may_stand_in) in [
        ("max-age=60, stale-if-error=60", true),
        ("max-age=60", false),
        ("max-age=60, must-revalidate, stale-if-error=60", false),
        ("max-age=60, proxy-revalidate, stale-if-error=60", false),
    ] {
        for purge in kinds().into_iter().filter(|purge| *purge != Purge::tag("t")) {
            for (purge, stands_in) in [(purge.clone(), false), (purge.soft(), may_stand_in)] {
                let (shop, fails) = failing(cache_control);
                shop.warm(&["/"]).await;
                shop.purge(purge.clone()).await;
                fails.store(true, Ordering::Relaxed);
                let got = shop.get("/", &[]).await;
                let body = if stands_in { "call 0" } else { "failed" };
                assert_eq!(got.body, body, "{cache_control} {purge:?}");
                let reason = got.reason() == Some(Reason::StaleIfError);
                assert_eq!(reason, stands_in, "{cache_control} {purge:?}");
                fails.store(false, Ordering::Relaxed);
                assert_ne!(shop.next("/", &[]).await, Hit, "still stale after the failure");
            }
        }
    }
}

/// A window past the freshness, however fresh it was when it was purged.
#[tokio::test]
async fn stale_if_error_ends_where_it_would_without_a_purge() {
    for (secs, stands_in) in [(0, true), (59, true), (119, true), (121, false)] {
        let (shop, fails) = failing("max-age=60, stale-if-error=60");
        shop.warm(&["/"]).await;
        shop.purge(url().soft()).await;
        shop.clock.advance(Duration::from_secs(secs));
        fails.store(true, Ordering::Relaxed);
        assert_eq!(shop.get("/", &[]).await.status == 200, stands_in, "{secs}");
    }
}

/// RFC 9111 §5.2.1.7 and §5.2.1.2: nothing fit is stored, however stale the client would have it.
#[tokio::test]
async fn a_request_for_stored_responses_only_gets_504_after_a_purge_of_either_kind() {
    for purge in kinds().into_iter().flat_map(|purge| [purge.clone(), purge.soft()]) {
        let shop = Shop::new(|request, call| page(request, call, &[("cache-groups", "\"t\"")]));
        shop.warm(&["/"]).await;
        shop.purge(purge.clone()).await;
        for wanted in ["only-if-cached", "only-if-cached, max-stale", "only-if-cached, max-stale=9"]
        {
            let calls = shop.inner.calls();
            let got = shop.get("/", &[("cache-control", wanted)]).await;
            assert_eq!(got.status, StatusCode::GATEWAY_TIMEOUT, "{purge:?} {wanted}");
            assert_eq!(got.reason(), Some(Reason::OnlyIfCached));
            assert_eq!(shop.inner.calls(), calls);
        }
    }
}

/// RFC 9111 §5.2.1.2: it accepts a response that is past its freshness, not one that was purged.
#[tokio::test]
async fn max_stale_does_not_accept_what_was_purged() {
    let fields: Fields<'_> = &[("cache-control", "max-stale")];
    for (purge, expected) in [(url().soft(), Validated), (url(), Miss)] {
        let shop = Shop::new(|request, call| page(request, call, &[]));
        shop.warm(&["/"]).await;
        shop.purge(purge).await;
        assert_eq!(shop.next("/", fields).await, expected);
    }
}

/// RFC 9111 §4.3.2: a client's own condition is answered by what is validated first.
#[tokio::test]
async fn a_conditional_request_for_what_was_purged_softly_is_validated_first() {
    let held: Fields<'_> = &[("if-none-match", "\"1\"")];
    let shop = Shop::new(|request, call| page(request, call, &[]));
    shop.warm(&["/"]).await;
    shop.purge(url().soft()).await;
    let calls = shop.inner.calls();
    assert_eq!(shop.get("/", held).await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(shop.inner.calls(), calls + 1);
    assert_eq!(shop.get("/", held).await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(shop.inner.calls(), calls + 1, "it is fresh again");
}

/// Whichever came first, and however often.
#[tokio::test]
async fn of_a_hard_and_a_soft_purge_the_hard_one_counts() {
    for (purges, expected) in [
        (vec![url(), url().soft()], Miss),
        (vec![url().soft(), url()], Miss),
        (vec![Purge::tag("t"), url().soft()], Miss),
        (vec![Purge::all().soft(), Purge::tag("t")], Miss),
        (vec![Purge::prefix(uri("http://a.test/")).soft(), Purge::all(), url().soft()], Miss),
        (vec![url().soft(), Purge::tag("t").soft(), Purge::all().soft()], Validated),
    ] {
        let shop = Shop::new(|request, call| page(request, call, &[("cache-groups", "\"t\"")]));
        shop.warm(&["/"]).await;
        for purge in &purges {
            shop.purge(purge.clone()).await;
        }
        assert_eq!(shop.next("/", &[]).await, expected, "{purges:?}");
        let expected: Next = Hit;
        assert_eq!(shop.next("/", &[]).await, expected, "{purges:?}");
    }
}

/// RFC 9111 §4.2.4: where the policy allows stale answers while the service cannot be asked.
#[tokio::test]
async fn an_origin_that_forbids_storing_after_a_soft_purge_is_heard() {
    let policy = CachePolicy::shared().stale_on_disconnect(Duration::from_secs(600));
    let shop = Shop::with(
        |layer| layer.policy(policy),
        |_, call| match call {
            0 => response(&[super::FRESH, ETAG], "old"),
            _ => response(&[("cache-control", "no-store")], "now"),
        },
    );
    shop.warm(&["/"]).await;
    shop.purge(url().soft()).await;
    for _ in 0..2 {
        assert_eq!(shop.get("/", &[]).await.body, "now");
    }
    assert_eq!(shop.next("/", &[]).await, Miss, "what it said before is dropped");
}
