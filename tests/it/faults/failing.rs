use http::HeaderName;
use tower_keep::cache::{Partition, Purge, PurgeErrorKind, Reason};

use super::{Mode, Op, Rig};
use crate::support::{answered, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test]
async fn a_store_that_cannot_be_asked_costs_a_miss() {
    let rig = Rig::new(|_, call| response(&[FRESH], format!("call {call}")));
    rig.get("/").await;
    rig.store.set(Op::Get, &[Mode::Errs]);
    rig.store.log();
    let got = rig.get("/").await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "call 1"));
    assert_eq!(got.field("cache-status"), Some("tower-keep; fwd=uri-miss; detail=store-failed"));
    assert_eq!(got.outcome.unwrap().reason(), Some(Reason::StoreFailed));
    // It is asked once, and not bothered with the response.
    assert_eq!(rig.store.log(), [Op::Get]);
    assert_eq!(rig.stats().store_failures, 1);
    rig.store.set(Op::Get, &[Mode::Works]);
    assert_eq!(rig.get("/").await.body, "call 0");
}

/// Root, index and variant: wherever the store fails on the way, the inner service is asked.
#[tokio::test]
async fn a_store_that_fails_half_way_costs_a_miss() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    for works in 0..3 {
        let rig = Rig::with(
            |layer| layer.partition_by(tenant.clone()),
            |_, call| response(&[FRESH, ("vary", "accept")], format!("call {call}")),
        );
        let fields = [("x-tenant", "one")];
        rig.send("GET", "/", &fields).await;
        assert!(rig.send("GET", "/", &fields).await.is_hit());
        let mut modes = vec![Mode::Works; works];
        modes.push(Mode::Errs);
        rig.store.set(Op::Get, &modes);
        let got = rig.send("GET", "/", &fields).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "call 1"), "{works}");
        assert_eq!(got.outcome.unwrap().reason(), Some(Reason::StoreFailed), "{works}");
    }
}

/// Each step of storing a variant in a partition, in turn.
#[tokio::test]
async fn a_store_that_cannot_be_written_leaves_the_response_whole() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    for works in 0..3 {
        let rig = Rig::with(
            |layer| layer.partition_by(tenant.clone()),
            |_, call| response(&[FRESH, ("vary", "accept")], format!("call {call}")),
        );
        let mut modes = vec![Mode::Works; works];
        modes.push(Mode::Errs);
        rig.store.set(Op::Put, &modes);
        for call in 0..2 {
            let got = rig.send("GET", "/", &[("x-tenant", "one")]).await;
            assert_eq!((got.status.as_u16(), got.body), (200, format!("call {call}")), "{works}");
        }
        let stats = rig.stats();
        assert_eq!((stats.stored, stats.not_stored, stats.store_failures), (0, 2, 2), "{works}");
        rig.store.set(Op::Put, &[Mode::Works]);
        rig.send("GET", "/", &[("x-tenant", "one")]).await;
        assert_eq!(rig.send("GET", "/", &[("x-tenant", "one")]).await.body, "call 2");
    }
}

#[tokio::test]
async fn a_304_that_cannot_be_stored_still_answers() {
    let rig = Rig::new(|_, call| match call {
        0 => response(&[FRESH, ("etag", "\"a\"")], "abc"),
        _ => answered(304, &[FRESH, ("etag", "\"a\"")], ""),
    });
    rig.get("/").await;
    rig.clock.advance(std::time::Duration::from_secs(61));
    rig.store.set(Op::Put, &[Mode::Errs]);
    let got = rig.get("/").await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "abc"));
}

/// The client learns that what it changed may still be served (RFC 9111 §4.4).
#[tokio::test]
async fn an_invalidation_that_fails_says_so() {
    let removals: [(&[Mode], bool); 4] = [
        (&[Mode::Works], false),
        (&[Mode::Errs], true),
        // The resource's own key, and the root of its divisions.
        (&[Mode::Errs, Mode::Works], true),
        (&[Mode::Works, Mode::Errs, Mode::Works], true),
    ];
    for (modes, fails) in removals {
        for (method, status) in [("PUT", 204), ("POST", 303), ("DELETE", 200), ("BREW", 200)] {
            let rig = Rig::new(move |_, _| answered(status, &[], "done"));
            rig.store.set(Op::Remove, modes);
            let got = rig.send(method, "/", &[]).await;
            assert_eq!((got.status.as_u16(), got.body.as_str()), (status, "done"));
            let detail = if fails { "invalidation-failed" } else { "method" };
            let expected = format!("tower-keep; fwd=method; detail={detail}");
            assert_eq!(got.field("cache-status"), Some(&*expected), "{method} {modes:?}");
            assert_eq!(rig.stats().store_failures > 0, fails);
        }
    }
}

#[tokio::test]
async fn an_invalidation_that_fails_for_another_target_says_so() {
    for field in ["location", "content-location"] {
        let rig = Rig::new(move |_, _| answered(201, &[(field, "/other")], ""));
        // Whichever of the two resources comes first.
        for modes in [
            [Mode::Errs, Mode::Works, Mode::Works, Mode::Works],
            [Mode::Works, Mode::Works, Mode::Works, Mode::Errs],
        ] {
            rig.store.set(Op::Remove, &modes);
            rig.store.log();
            let got = rig.send("POST", "/", &[]).await;
            assert_eq!(
                got.outcome.unwrap().reason(),
                Some(Reason::InvalidationFailed),
                "{modes:?}"
            );
            // One failure is no reason to leave the others where they are.
            assert_eq!(rig.store.log(), [Op::Remove; 4]);
            rig.store.set(Op::Remove, &[Mode::Works]);
            let got = rig.send("POST", "/", &[]).await;
            assert_eq!(got.outcome.unwrap().reason(), Some(Reason::Method));
        }
    }
}

/// RFC 9111 §4.3.5: HEAD shows that the stored response is not the one any more.
#[tokio::test]
async fn a_drop_by_head_that_fails_says_so() {
    let rig = Rig::new(|request, _| match request.method().as_str() {
        "HEAD" => response(&[FRESH, ("etag", "\"b\"")], ""),
        _ => response(&[FRESH, ("etag", "\"a\"")], "abc"),
    });
    rig.get("/").await;
    rig.clock.advance(std::time::Duration::from_secs(61));
    rig.store.set(Op::Remove, &[Mode::Errs]);
    let got = rig.send("HEAD", "/", &[]).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.outcome.unwrap().reason(), Some(Reason::InvalidationFailed));
}

#[tokio::test]
async fn a_purge_that_fails_says_so() {
    let rig = Rig::new(|_, _| response(&[FRESH], "x"));
    rig.get("/").await;
    let (handle, url) = (rig.layer.handle(), http::Uri::from_static("http://a.test/"));
    for modes in [&[Mode::Errs][..], &[Mode::Errs, Mode::Works], &[Mode::Works, Mode::Errs]] {
        rig.store.set(Op::Remove, modes);
        let error = handle.purge(Purge::url(url.clone())).await.unwrap_err();
        assert_eq!(error.kind(), PurgeErrorKind::Store, "{modes:?}");
        assert!(std::error::Error::source(&error).is_some());
    }
    rig.store.set(Op::Remove, &[Mode::Works]);
    handle.purge(Purge::url(url.clone())).await.unwrap();
    assert!(!rig.get("/").await.is_hit());
}
