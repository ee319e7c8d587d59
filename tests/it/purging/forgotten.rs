//! When so much was purged since that nobody remembers when this was: it does not come back.

use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Request, Response};
use http_body_util::BodyExt as _;
use tower_keep::cache::{Partition, Purge};
use tower_keep::store::DynStore;
use tower_keep::test_util::ManualClock;

use super::overtaken::Late;
use super::{AnyLayer, ETAG, Fields, Hit, Shop, memory, uri};
use crate::scripted::paused;
use crate::support::{answered, request, response};

/// More URLs than the cache remembers purges of, long after the fills that those could overtake. When some
/// of them have to be forgotten they are old too, so that nothing that is stored is in doubt.
async fn forget(shop: &Shop) {
    let handle = shop.layer.handle();
    for round in 0..2 {
        shop.clock.advance(Duration::from_secs(6 * 60));
        for number in 0..35_000 {
            let url = format!("http://b.test/{round}/{number}");
            handle.purge(Purge::url(uri(&url))).await.unwrap();
        }
    }
}

/// Fresh for a day.
fn day(request: &Request<Body>, call: usize, fields: Fields<'_>) -> Response<Body> {
    let fields = [&[("cache-control", "max-age=86400"), ETAG], fields].concat();
    match request.headers().contains_key("if-none-match") {
        true => answered(304, &fields, ""),
        false => response(&fields, format!("call {call}")),
    }
}

fn divided(layer: AnyLayer) -> AnyLayer {
    layer.partition_by(Partition::header(HeaderName::from_static("x-tenant")))
}

/// The one response, its variants, its divisions and theirs.
const PLACES: [Fields<'static>; 4] =
    [&[], &[("x-tenant", "a")], &[("x-forwarded-port", "1")], &[("x", "2"), ("x-tenant", "b")]];

#[tokio::test]
async fn a_url_that_was_purged_is_not_served_when_the_purge_is_forgotten() {
    for vary in ["", "x"] {
        let answer = move |request: &Request<Body>, call| day(request, call, &[("vary", vary)]);
        let shop = Shop::over(memory(), ManualClock::new(), divided, answer);
        for fields in PLACES {
            shop.get("/a", fields).await;
            assert_eq!(shop.next("/a", fields).await, Hit);
        }
        shop.warm(&["/kept"]).await;
        shop.purge(Purge::url(uri("http://a.test/a"))).await;
        forget(&shop).await;
        for fields in PLACES {
            assert_ne!(shop.next("/a", fields).await, Hit, "{vary:?} {fields:?}");
        }
        assert_eq!(shop.next("/kept", &[]).await, Hit, "these purges tell nothing of others");
    }
}

/// In its place it was written, by a method that a service carries out.
#[tokio::test]
async fn a_resource_that_was_written_is_not_served_when_the_write_is_forgotten() {
    let answer = |request: &Request<Body>, call| day(request, call, &[]);
    let shop = Shop::over(memory(), ManualClock::new(), divided, answer);
    for fields in PLACES {
        shop.get("/a", fields).await;
    }
    shop.send("PUT", "/a", &[]).await;
    forget(&shop).await;
    for fields in PLACES {
        assert_ne!(shop.next("/a", fields).await, Hit, "{fields:?}");
    }
}

/// It was put after the purge had removed what was there.
async fn put_late(waited: Duration) {
    for vary in ["", "x"] {
        let late = Late::over(memory());
        let answer = move |request: &Request<Body>, call| day(request, call, &[("vary", vary)]);
        let store = DynStore::new(late.clone());
        let shop = Shop::over(store, ManualClock::new(), |layer| layer, answer);
        shop.get("/a", &[]).await;
        tokio::time::sleep(waited).await;
        shop.purge(Purge::url(uri("http://a.test/a"))).await;
        late.arrive().await;
        forget(&shop).await;
        let got = shop.get("/a", &[("cache-control", "only-if-cached")]).await;
        assert_eq!(got.status, 504, "{vary:?} {waited:?}: from before the purge");
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_that_a_purge_overtook_is_removed_and_does_not_come_back() {
    put_late(Duration::ZERO).await;
}

/// The store had not acknowledged it when its deadline was over, so that nobody waits for it any more.
#[tokio::test(start_paused = true)]
async fn a_put_that_nobody_waited_for_any_more_does_not_come_back_after_a_purge() {
    put_late(Duration::from_secs(9)).await;
}

/// It took longer than the cache remembers purges of resources for.
#[tokio::test]
async fn a_fill_that_ends_when_the_purge_is_forgotten_is_not_served() {
    let (script, body, _) = paused();
    let body = Mutex::new(Some(body));
    let shop = Shop::new(move |request, call| match body.lock().unwrap().take() {
        Some(body) => day(request, call, &[]).map(|_| body),
        None => day(request, call, &[]),
    });
    let old = shop.start(request("GET", "/a", &[])).await.into_body();
    shop.purge(Purge::url(uri("http://a.test/a"))).await;
    forget(&shop).await;
    drop(script);
    old.collect().await.unwrap();
    assert_ne!(shop.next("/a", &[]).await, Hit, "from before the purge");
}
