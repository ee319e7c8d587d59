use axum::body::Body;
use http::{HeaderName, Request, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{CacheLayer, Forward, Partition, Purge};
use tower_keep::store::DynStore;

use super::{Faulty, Mode, Op, Rig};
use crate::support::{Got, Inner, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

fn echo(request: &Request<Body>, call: usize) -> Response<Body> {
    let accept = request.headers().get("accept").map_or("-", |accept| accept.to_str().unwrap());
    response(&[FRESH, ("vary", "accept")], format!("{accept} {call}"))
}

#[tokio::test]
async fn a_store_that_is_waited_for_serves_hits() {
    let rig = Rig::new(|_, call| response(&[FRESH], format!("call {call}")));
    for is_hit in [false, true, true] {
        let got = rig.get("/").await;
        assert_eq!((got.is_hit(), got.body.as_str()), (is_hit, "call 0"));
    }
    assert_eq!(rig.get("/other").await.body, "call 1");
    let head = rig.send("HEAD", "/", &[]).await;
    assert!(head.is_hit() && head.body.is_empty());
    rig.send("PUT", "/", &[]).await;
    assert_eq!(rig.get("/").await.body, "call 3");
    rig.layer.handle().purge(Purge::url("http://a.test/".parse().unwrap())).await.unwrap();
    assert_eq!(rig.get("/").await.body, "call 4");
    assert_eq!(rig.stats().store_failures, 0);
}

#[tokio::test]
async fn a_store_that_is_waited_for_keeps_index_and_variants() {
    // How many answers come at once: none; that with the index; both.
    for now in 0..3 {
        let rig = Rig::new(echo);
        let send = async |accept| rig.send("GET", "/", &[("accept", accept)]).await;
        assert_eq!(send("a").await.body, "a 0");
        assert_eq!(send("b").await.body, "b 1");
        assert_eq!(rig.store.entries().len(), 3, "an index and two variants");
        for (accept, body) in [("a", "a 0"), ("b", "b 1"), ("a", "a 0")] {
            rig.store.answer_now(now);
            let got = send(accept).await;
            assert!(got.is_hit());
            assert_eq!(got.body, body);
        }
        rig.store.answer_now(now);
        assert_eq!(send("c").await.outcome.unwrap().forward(), Some(Forward::VaryMiss));
        rig.send("DELETE", "/", &[]).await;
        assert_eq!(send("a").await.body, "a 4");
    }
}

#[tokio::test]
async fn a_store_that_is_waited_for_keeps_partitions_apart() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    let rig = Rig::with(|layer| layer.partition_by(tenant), echo);
    let send = async |tenant| rig.send("GET", "/", &[("x-tenant", tenant)]).await;
    assert_eq!(send("one").await.body, "- 0");
    assert_eq!(send("two").await.body, "- 1");
    assert_eq!(send("one").await.body, "- 0");
    assert_eq!(send("two").await.body, "- 1");
    rig.send("PUT", "/", &[("x-tenant", "three")]).await;
    assert_eq!(send("one").await.body, "- 3");
}

#[tokio::test]
async fn a_store_that_is_waited_for_is_freshened_by_a_304() {
    let rig = Rig::new(|_, call| {
        let mut made = response(&[FRESH, ("etag", "\"a\"")], "abc");
        if call > 0 {
            *made.status_mut() = http::StatusCode::NOT_MODIFIED;
            *made.body_mut() = Body::empty();
        }
        made
    });
    rig.get("/").await;
    rig.clock.advance(std::time::Duration::from_secs(61));
    for is_hit in [false, true] {
        let got = rig.get("/").await;
        assert_eq!((got.status.as_u16(), got.body.as_str(), got.is_hit()), (200, "abc", is_hit));
    }
}

/// An index where a variant belongs, a response where a root belongs, and so on: a miss, and no panic.
#[tokio::test]
async fn an_entry_of_the_wrong_kind_is_a_miss() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    let rig = Rig::with(|layer| layer.partition_by(tenant), echo);
    let fields: [&[(&str, &str)]; 3] = [&[], &[("x-tenant", "one")], &[("x-forwarded-host", "b")]];
    for fields in fields {
        rig.send("GET", "/", fields).await;
    }
    let kinds = rig.store.entries();
    assert_eq!(kinds.len(), 7, "root, three indexes, three variants");
    for wrong in kinds.values() {
        let places =
            kinds.keys().filter(|key| format!("{:?}", kinds[*key]) != format!("{wrong:?}"));
        for place in places {
            let mut mixed = kinds.clone();
            mixed.insert(place.clone(), wrong.clone());
            for fields in fields {
                rig.store.0.lock().unwrap().entries = mixed.clone();
                let got = rig.send("GET", "/", fields).await;
                assert_eq!(got.status, 200, "{wrong:?}");
                assert!(got.body.starts_with("- "));
            }
        }
    }
}

#[tokio::test]
async fn an_erased_store_behaves_as_the_store_in_it() {
    let store = Faulty::default();
    let inner = Inner::new(echo);
    let service = CacheLayer::new(DynStore::new(store.clone())).layer(inner.clone());
    for _ in 0..2 {
        let sent = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
        assert_eq!(Got::read(sent).await.body, "- 0");
        super::settled().await;
    }
    store.set(Op::Get, &[Mode::Errs]);
    let sent = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
    assert_eq!(Got::read(sent).await.body, "- 1");
}
