//! `partition_by` and `private_by`.

use std::collections::HashMap;

use axum::body::Body;
use http::{HeaderName, Request, header};
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, CachePolicy, Forward, Partition, Reason};

use super::{ALICE, BOB, asker, greeting, reason};
use crate::doubles::Keeping;
use crate::support::{Got, Harness, Inner, request, response};

pub(super) const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// The partition of a request, as a layer further out has found it.
#[derive(Clone)]
struct Group(Option<Vec<u8>>);

fn by_group() -> Partition {
    Partition::with(|head| head.extensions.get::<Group>().and_then(|group| group.0.clone()))
}

fn of_group(group: Option<&[u8]>, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = request("GET", "/x", fields);
    request.extensions_mut().insert(Group(group.map(<[u8]>::to_vec)));
    request
}

#[tokio::test]
async fn no_partition_is_served_what_was_stored_for_another() {
    let fields = &[("cache-control", "max-age=60")];
    let cache = greeting(|layer| layer.partition_by(Partition::header(TENANT)), fields);
    let tenants: [&[(&str, &str)]; 8] = [
        &[],
        &[("x-tenant", "")],
        &[("x-tenant", "a")],
        &[("x-tenant", "A")],
        &[("x-tenant", "ab")],
        &[("x-tenant", "a, b")],
        &[("x-tenant", "a"), ("x-tenant", "b")],
        &[("x-tenant", "b"), ("x-tenant", "a")],
    ];
    let mut bodies = Vec::new();
    for fields in tenants {
        let got = cache.get("/x", fields).await;
        assert!(!got.is_hit(), "{fields:?}");
        bodies.push(got.body);
    }
    for (fields, body) in tenants.into_iter().zip(bodies) {
        let got = cache.get("/x", fields).await;
        assert!(got.is_hit() && got.body == body, "{fields:?}");
    }
}

/// Partitions that begin alike, look like lengths, digests, or each other's keys.
#[tokio::test]
async fn partitions_whose_bytes_begin_alike_are_told_apart() {
    let cache = Harness::with(
        |layer| layer.partition_by(by_group()),
        |_, call| response(&[("cache-control", "max-age=60")], format!("{call}")),
    );
    let digest: Vec<u8> = (0..16).map(|n| n * 17).collect();
    let mut groups: Vec<Option<Vec<u8>>> = vec![
        None,
        Some(b"a".to_vec()),
        Some(b"ab".to_vec()),
        Some(b"a\0".to_vec()),
        Some([&1u64.to_le_bytes()[..], b"a"].concat()),
        Some([&[0][..], &1u64.to_le_bytes(), b"a"].concat()),
        Some([&digest[..], b"a"].concat()),
        Some(digest.clone()),
    ];
    groups.extend((0..16).map(|length| Some(digest[..length].to_vec())));
    groups.extend((1..10).map(|length| Some(vec![0; length])));
    groups.dedup();
    let ask = async |group: &Option<Vec<u8>>| cache.send(of_group(group.as_deref(), &[])).await;
    let mut bodies = HashMap::new();
    for group in &groups {
        let got = ask(group).await;
        let before = bodies.insert(group.clone(), got.body);
        assert_eq!(got.outcome.unwrap().is_hit(), before.is_some(), "{group:?}");
    }
    for group in &groups {
        let got = ask(group).await;
        assert!(got.is_hit() && got.body == bodies[group], "{group:?}");
    }
}

/// What a client sends in steering fields must not read like a partition that it does not belong to.
#[tokio::test]
async fn steering_fields_do_not_read_like_a_partition() {
    let names = ["forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"];
    for length in 0..4 {
        for value in [0u8, 1] {
            let cache = Harness::with(
                |layer| layer.partition_by(by_group()),
                |_, call| response(&[("cache-control", "max-age=60")], format!("{call}")),
            );
            cache.send(of_group(Some(&vec![value; length]), &[])).await;
            for first in names {
                for second in names {
                    let fields = [(first, ""), (second, "")];
                    let outsider = cache.send(of_group(None, &fields)).await;
                    assert_ne!(outsider.body, "0", "{fields:?} for {value} {length} times");
                    let outsider = cache.send(of_group(None, &fields[..1])).await;
                    assert_ne!(outsider.body, "0", "{first} for {value} {length} times");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_partition_does_not_make_a_shared_cache_private() {
    for said in ["private, max-age=60", "private=\"x\", private, max-age=60", "no-store"] {
        let cache = Harness::with(
            |layer| layer.partition_by(Partition::header(header::AUTHORIZATION)),
            move |request, _| response(&[("cache-control", said)], asker(request)),
        );
        cache.get("/me", &[ALICE]).await;
        assert!(!cache.get("/me", &[ALICE]).await.is_hit(), "{said}");
    }
    let cache = greeting(
        |layer| layer.partition_by(Partition::header(header::AUTHORIZATION)),
        &[("cache-control", "max-age=60")],
    );
    let got = cache.get("/me", &[ALICE]).await;
    assert_eq!(reason(&got), Some(Reason::Authorization), "RFC 9111 §3.5");
}

#[tokio::test]
async fn c01_a_partition_keeps_apart_even_what_the_origin_shares() {
    let cache = greeting(
        |layer| layer.partition_by(Partition::header(header::AUTHORIZATION)),
        &[("cache-control", "public, max-age=60")],
    );
    cache.get("/me", &[ALICE]).await;
    for fields in [&[BOB][..], &[], &[("authorization", "Bearer alic")], &[ALICE, BOB]] {
        let got = cache.get("/me", fields).await;
        assert!(!got.is_hit(), "{fields:?}");
    }
    assert!(cache.get("/me", &[ALICE]).await.body.contains("alice"));
}

/// RFC 9111 §5.2.2.7, §3.5: a private cache keeps what is for one user.
#[tokio::test]
async fn a_private_layer_keeps_private_answers_for_their_own_user_only() {
    for said in ["private, max-age=60", "max-age=60", "private, max-age=60, s-maxage=0"] {
        let cache = Harness::with(
            |layer| {
                // Whose cache it is stays, whatever policy is set later.
                let layer = layer.private_by(Partition::header(header::AUTHORIZATION));
                layer.policy(CachePolicy::shared())
            },
            move |request, _| response(&[("cache-control", said)], asker(request)),
        );
        cache.get("/me", &[ALICE]).await;
        assert!(cache.get("/me", &[ALICE]).await.is_hit(), "{said}");
        let bob = cache.get("/me", &[BOB]).await;
        assert!(!bob.is_hit() && !bob.body.contains("alice"), "{said}");
        assert!(cache.get("/me", &[BOB]).await.body.contains("bob"), "{said}");
    }
}

#[tokio::test]
async fn a_request_without_partition_goes_past_a_private_layer() {
    let fields = &[("cache-control", "public, max-age=60")];
    let cache =
        greeting(|layer| layer.private_by(Partition::header(header::AUTHORIZATION)), fields);
    for method in ["GET", "HEAD", "GET"] {
        let got = cache.send(request(method, "/me", &[])).await;
        assert_eq!(reason(&got), Some(Reason::NoPartition));
        assert_eq!(got.outcome.unwrap().forward(), Some(Forward::Bypass));
        assert!(cache.store.is_empty());
    }
    cache.get("/me", &[ALICE]).await;
    assert!(!cache.get("/me", &[]).await.body.contains("alice"));
    assert_eq!(cache.inner.calls(), 5);
}

/// A private and a shared clone of one layer share a store, and nothing that is in it.
#[tokio::test]
async fn a_shared_clone_is_not_served_what_a_private_one_stored() {
    let inner =
        Inner::new(|request, _| response(&[("cache-control", "max-age=60")], asker(request)));
    let whole = greeting(|layer| layer, &[]);
    let (shared, parted, private) = (
        whole.layer.clone(),
        whole.layer.clone().partition_by(Partition::header(TENANT)),
        whole.layer.clone().private_by(Partition::header(TENANT)),
    );
    let ask = async |layer: &crate::support::TestLayer| {
        let request = request("GET", "/me", &[("x-tenant", "alice")]);
        Got::read(layer.layer(inner.clone()).oneshot(request).await.unwrap()).await.is_hit()
    };
    assert!(!ask(&private).await);
    assert!(!ask(&shared).await);
    assert!(!ask(&parted).await);
    assert!(ask(&private).await && ask(&shared).await && ask(&parted).await);
}

#[tokio::test]
async fn credentials_stand_in_no_key() {
    let secrets = [("authorization", "Bearer secret"), ("cookie", "session=secret")];
    for name in [header::AUTHORIZATION, header::COOKIE] {
        let store = Keeping::default();
        let layer = CacheLayer::new(store.clone()).private_by(Partition::header(name.clone()));
        let said = [("cache-control", "max-age=60"), ("vary", "authorization, cookie")];
        let inner = Inner::new(move |_, _| response(&said, "x"));
        for _ in 0..2 {
            let service = layer.layer(inner.clone());
            Got::read(service.oneshot(request("GET", "/x", &secrets)).await.unwrap()).await;
        }
        assert_eq!(inner.calls(), 1, "{name}");
        let keys = store.keys();
        assert!(keys.len() >= 3, "the root, the index and the variant");
        for key in keys {
            let holds = |part: &[u8]| key.as_bytes().windows(part.len()).any(|bytes| bytes == part);
            assert!(!holds(b"secret") && !holds(b"Bearer"), "{name}");
            assert!(!format!("{key:?}").contains("/x"));
        }
    }
}
