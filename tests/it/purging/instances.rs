//! Several instances and several ledgers: what one knows and another does not, and answers that come late.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tower_keep::cache::{CacheHandle, CachePolicy, Purge, PurgeErrorKind, Reason};
use tower_keep::store::Catch;
use tower_keep::test_util::MemoryLedger;

use super::overtaken::{PATH, TAGGED, purges};
use super::sharing::{Shared, Slow, Talkative};
use super::{AnyLayer, ETAG, FRESH, Hit, Miss, Validated, page, settled};
use crate::scripted::{fresh, paused};
use crate::support::{request, response};

/// Else an instance would take a variant that another made by other fields for one of its own.
#[tokio::test]
async fn no_two_instances_give_a_list_of_variants_the_same_generation() {
    let shared = Shared::with(MemoryLedger::new());
    for round in 0..9 {
        let field = ["x-a", "x-b", "x-c"][round % 3];
        // It begins anew, as after a release in which the service varies by something else.
        let shop = shared.shop(
            |layer| layer,
            move |request, _| {
                let value = request.headers().get(field).map(|value| value.to_str().unwrap());
                response(&[FRESH, ("vary", field)], format!("{field}={value:?}"))
            },
        );
        for value in ["1", "alice", "bob"] {
            let fields = [(field, value)];
            let got = shop.get("/", &fields).await;
            assert_eq!(got.body, format!("{field}={:?}", Some(value)), "{round}");
            assert_eq!(shop.next("/", &fields).await, Hit, "{round} {value}");
        }
    }
}

/// The ledger was lost, and an answer of the lost one comes when the new one has told of another purge.
#[tokio::test(start_paused = true)]
async fn a_late_answer_of_a_lost_ledger_brings_nothing_back() {
    let slow = Slow::default();
    let change = |layer: AnyLayer| layer.store_deadline(Duration::from_secs(60));
    let shop =
        Shared::with(slow.clone()).shop(change, |request, call| page(request, call, &[TAGGED]));
    shop.warm(&["/warm"]).await;
    let answer = slow.hold_next_answer();
    let handle = shop.layer.handle();
    let other = handle.clone();
    let late = tokio::spawn(async move { other.purge(Purge::tag("unrelated")).await });
    settled().await;
    shop.warm(&["/a"]).await;
    slow.ledger.forget();
    tokio::time::sleep(Duration::from_secs(5)).await;
    handle.purge(Purge::tag("t")).await.unwrap();
    answer.send(()).unwrap();
    let late = late.await.unwrap();
    assert_eq!(late.unwrap_err().kind(), PurgeErrorKind::Store, "nobody knows of it any more");
    assert_eq!(shop.next("/a", &[]).await, Validated, "in the new one it stands nowhere");
    assert_eq!(shop.next("/a", &[]).await, Hit, "it is known again");
}

/// Purged by another instance while the answer is made.
#[tokio::test]
async fn a_post_that_fills_get_is_overtaken_by_a_purge_of_another_instance() {
    let all = purges().0.into_iter().map(Some).chain([None]);
    for purge in all {
        let shared = Shared::with(MemoryLedger::new());
        let other = Arc::new(OnceLock::<CacheHandle>::new());
        let (handle, meanwhile) = (other.clone(), purge.clone());
        let change = |layer: AnyLayer| layer.policy(CachePolicy::shared().post_fills_get());
        let shop = shared.shop(change, move |request, _| {
            let body = if request.method() == "POST" { "posted" } else { "got" };
            if let (Some(purge), "posted") = (&meanwhile, body) {
                at_once(handle.get().unwrap().purge(purge.clone())).unwrap();
            }
            response(&[FRESH, TAGGED, ("content-location", PATH)], body)
        });
        let elsewhere = shared.shop(|layer| layer, |_, _| response(&[], ""));
        other.set(elsewhere.layer.handle()).unwrap();
        shop.get("/warm", &[]).await;
        shop.send("POST", PATH, &[]).await;
        let expected = if purge.is_some() { "got" } else { "posted" };
        assert_eq!(shop.get(PATH, &[]).await.body, expected, "{purge:?}");
    }
}

/// What comes of work that needs nobody else.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(work).unwrap()
}

/// Wherever in the answer the purge stands.
#[tokio::test]
async fn no_purge_is_left_out_of_an_answer_that_is_too_long() {
    for before in [0, 1, Catch::PURGES_MAX] {
        let shared = Shared::with(Talkative::default());
        let shop = shared.shop(|layer| layer, |request, call| page(request, call, &[TAGGED]));
        shop.warm(&["/a"]).await;
        let other = shared.shop(|layer| layer, |_, _| response(&[], "")).layer.handle();
        for number in 0..=Catch::PURGES_MAX {
            let tag =
                if number == before { "t".to_owned() } else { format!("of nothing {number}") };
            other.purge(Purge::tag(tag)).await.unwrap();
        }
        shop.clock.advance(Duration::from_millis(101));
        assert_ne!(shop.next("/a", &[]).await, Hit, "{before}");
        assert_eq!(shop.next("/a", &[]).await, Hit, "{before}: it is known again");
    }
}

/// One after the other they would not all be done within the store's deadline.
#[tokio::test(start_paused = true)]
async fn all_that_a_write_purges_is_appended_side_by_side() {
    let slow = Slow::default();
    let groups: Vec<_> = (0..8).map(|number| format!("\"{number}\"")).collect();
    let shop = Shared::with(slow.clone()).shop(
        |layer| layer,
        move |request, call| match request.method().as_str() {
            "POST" => response(&[("cache-group-invalidation", &groups.join(", "))], "saved"),
            _ => {
                let group = format!("\"{}\"", &request.uri().path()[1..]);
                page(request, call, &[("cache-groups", &group)])
            }
        },
    );
    let paths = ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"];
    shop.warm(&paths).await;
    slow.close(true);
    let write = tokio::spawn(shop.service.clone().oneshot(request("POST", "/own", &[])));
    settled().await;
    assert_eq!(slow.begun(), 1 + paths.len());
    slow.close(false);
    drop(write.await.unwrap().unwrap());
    assert_eq!(shop.each(&paths).await, [Miss; 8]);
}

/// Whether it was overtaken nobody can say: the purge may yet come to light.
#[tokio::test]
async fn a_fill_that_was_under_way_when_the_ledger_failed_is_not_served() {
    let all = purges().0.into_iter().map(Some).chain([None]);
    for purge in all {
        let (script, body, _) = paused();
        let body = Mutex::new(Some(body));
        let ledger = MemoryLedger::new();
        let shop = Shared::with(ledger.clone()).shop(
            |layer| layer,
            move |request, call| match body.lock().unwrap().take() {
                Some(body) => fresh(&[ETAG, TAGGED], body),
                None => page(request, call, &[TAGGED]),
            },
        );
        let old = shop.start(request("GET", PATH, &[])).await.into_body();
        ledger.fail(true);
        match &purge {
            Some(purge) => {
                shop.layer.handle().purge(purge.clone()).await.unwrap_err();
            }
            None => {
                let got = shop.send("POST", PATH, &[]).await;
                assert_eq!(got.reason(), Some(Reason::InvalidationFailed));
            }
        }
        ledger.fail(false);
        drop(script);
        old.collect().await.unwrap();
        assert_ne!(shop.next(PATH, &[]).await, Hit, "{purge:?}");
        assert_eq!(shop.next(PATH, &[]).await, Hit, "{purge:?}: what came later is stored");
    }
}
