//! A write makes all that is stored for its target unusable, for whomever it was stored (RFC 9111 §4.4).

use axum::body::Body;
use http::{Request, header};
use tower_keep::cache::{CacheLayer, Partition, Purge};
use tower_keep::store::MemoryStore;

use super::partitions::TENANT;
use crate::support::{Harness, TestLayer, request, response};

/// What a resource may be stored as: for each tenant, each steering field and each selecting value.
const DIVISIONS: [&[(&str, &str)]; 9] = [
    &[],
    &[("x-tenant", "a")],
    &[("x-tenant", "b")],
    &[("x-forwarded-host", "evil.test")],
    &[("forwarded", "host=evil.test")],
    &[("x-tenant", "a"), ("x-forwarded-host", "evil.test")],
    &[("accept-language", "de")],
    &[("x-tenant", "a"), ("accept-language", "de")],
    &[("x-tenant", "a"), ("x-host", "evil.test"), ("accept-language", "de")],
];

/// A cache that holds each division of `/x`, and of `/other`.
async fn filled(
    change: impl FnOnce(TestLayer) -> TestLayer,
    divisions: &[&[(&str, &str)]],
) -> Harness {
    let cache = Harness::with(change, |_, call| {
        let fields = [("cache-control", "private=\"x\", max-age=60"), ("vary", "accept-language")];
        response(&fields, format!("{call}"))
    });
    for path in ["/x", "/other"] {
        for fields in divisions {
            assert!(!cache.get(path, fields).await.is_hit(), "{fields:?}");
        }
        for fields in divisions {
            assert!(cache.get(path, fields).await.is_hit(), "{fields:?}");
        }
    }
    cache
}

async fn is_gone(cache: &Harness, divisions: &[&[(&str, &str)]], what: &str) {
    for fields in divisions {
        assert!(!cache.get("/x", fields).await.is_hit(), "{what} left {fields:?}");
        assert!(cache.get("/other", fields).await.is_hit(), "{what} took another resource too");
    }
}

fn by_tenant(layer: TestLayer) -> TestLayer {
    layer.partition_by(Partition::header(TENANT))
}

#[tokio::test]
async fn c23_a_write_by_anybody_removes_every_partition_and_every_steered_variant() {
    for method in ["PUT", "POST", "DELETE", "PATCH", "FROBNICATE"] {
        for writer in DIVISIONS {
            let cache = filled(by_tenant, &DIVISIONS).await;
            cache.send(request(method, "/x", writer)).await;
            is_gone(&cache, &DIVISIONS, &format!("{method} of {writer:?}")).await;
        }
    }
}

#[tokio::test]
async fn c23_a_write_with_content_and_a_method_override_removes_them_too() {
    let cache = filled(by_tenant, &DIVISIONS).await;
    let mut write: Request<Body> = request("POST", "/x", &[("x-http-method-override", "DELETE")]);
    *write.body_mut() = Body::from("a=b");
    cache.send(write).await;
    is_gone(&cache, &DIVISIONS, "an overridden POST").await;
}

#[tokio::test]
async fn a_purge_removes_every_partition_and_every_steered_variant() {
    let cache = filled(by_tenant, &DIVISIONS).await;
    cache.layer.handle().purge(Purge::url("http://a.test/x".parse().unwrap())).await.unwrap();
    is_gone(&cache, &DIVISIONS, "a purge").await;
}

/// RFC 9111 §4.4: a cache MUST do so for any unsafe request, so also for one that is in no partition.
#[tokio::test]
async fn c23_a_write_without_partition_removes_what_a_private_layer_keeps() {
    let users: Vec<_> = DIVISIONS.into_iter().filter(|each| is_of_tenant(each)).collect();
    for writer in DIVISIONS {
        let private = |layer: TestLayer| layer.private_by(Partition::header(TENANT));
        let cache = filled(private, &users).await;
        cache.send(request("PUT", "/x", writer)).await;
        is_gone(&cache, &users, &format!("PUT of {writer:?}")).await;
    }
}

fn is_of_tenant(fields: &[(&str, &str)]) -> bool {
    fields.iter().any(|(name, _)| *name == "x-tenant")
}

#[tokio::test]
async fn a_purge_removes_what_a_private_layer_keeps() {
    let users: Vec<_> = DIVISIONS.into_iter().filter(|each| is_of_tenant(each)).collect();
    let private = |layer: TestLayer| layer.private_by(Partition::header(TENANT));
    let cache = filled(private, &users).await;
    cache.layer.handle().purge(Purge::url("http://a.test/x".parse().unwrap())).await.unwrap();
    is_gone(&cache, &users, "a purge").await;
}

/// What is divided hangs on a generation: a new one must not lead to what the old one did.
#[tokio::test]
async fn what_a_write_removed_does_not_come_back_with_the_next_answer() {
    let cache = filled(by_tenant, &DIVISIONS).await;
    cache.send(request("PUT", "/x", &[])).await;
    assert!(!cache.get("/x", DIVISIONS[1]).await.is_hit());
    for fields in DIVISIONS.into_iter().skip(2) {
        assert!(!cache.get("/x", fields).await.is_hit(), "{fields:?}");
    }
}

#[tokio::test]
async fn partitions_show_in_debug_by_their_kind_only() {
    let layer = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
    let by_secret = layer.clone().private_by(Partition::header(header::AUTHORIZATION));
    assert!(format!("{by_secret:?}").contains("Partition::header(authorization)"));
    let by_function = layer.partition_by(Partition::with(|_| Some(b"secret".to_vec())));
    assert!(format!("{by_function:?}").contains("Partition::with(..)"));
}
