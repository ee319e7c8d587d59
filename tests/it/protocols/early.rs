//! Requests in TLS early data (RFC 8470), which an attacker may replay; and TRACE.

use tower_keep::cache::{CacheHint, CachePolicy, Reason};

use super::{EAGER, ETAG, RFC, SAFE};
use crate::support::{Harness, answered, request, response};

const EARLY: (&str, &str) = ("early-data", "1");

/// RFC 8470 §4: a safe request may be answered at once, and §5.1: who forwards it says what it is.
#[tokio::test]
async fn c60_a_get_in_early_data_is_looked_up_and_goes_inwards_as_it_came() {
    let cache = Harness::new(|_, call| response(&[EAGER], format!("call {call}")));
    assert_eq!(cache.get("/", &[EARLY]).await.body, "call 0");
    assert_eq!(cache.inner.seen()[0].headers["early-data"], "1");
    for fields in [&[EARLY][..], &[], &[("early-data", "0")], &[EARLY, EARLY]] {
        for method in ["GET", "HEAD"] {
            assert!(cache.send(request(method, "/", fields)).await.is_hit(), "{fields:?}");
        }
    }
    cache.advance(60);
    cache.get("/", &[EARLY]).await;
    assert_eq!(cache.inner.seen()[1].headers["early-data"], "1", "in a validation, too");
}

/// RFC 8470 §5.2: 425 is the answer to how this one request came, and no representation of anything.
#[tokio::test]
async fn c60_a_425_to_early_data_is_no_answer_for_others() {
    for policy in [SAFE, RFC] {
        for is_hinted in [false, true] {
            let cache = Harness::with(
                |layer| layer.policy(policy.clone()),
                move |request, _| {
                    let is_early = request.headers().contains_key("early-data");
                    let mut made = match is_early {
                        true => answered(425, &[EAGER, ETAG], "too early"),
                        false => response(&[EAGER, ETAG], "page"),
                    };
                    if is_hinted {
                        let hint = CacheHint::fresh_for(std::time::Duration::from_secs(60));
                        made.extensions_mut().insert(hint.public());
                    }
                    made
                },
            );
            for _ in 0..2 {
                let early = cache.get("/", &[EARLY]).await;
                assert_eq!((early.status.as_u16(), early.is_hit()), (425, false));
                assert!(cache.store.is_empty());
            }
            assert_eq!(cache.get("/", &[]).await.body, "page");
            assert!(cache.get("/", &[EARLY]).await.is_hit());
        }
    }
}

/// It says nothing of the stored response: that stays, to be validated by who can.
#[tokio::test]
async fn c60_a_425_neither_freshens_nor_removes_what_is_stored() {
    let cache = Harness::new(|request, call| match call {
        0 => response(&[("cache-control", "max-age=60"), ETAG], "page"),
        _ if request.headers().contains_key("early-data") => answered(425, &[], "too early"),
        _ => answered(304, &[("cache-control", "max-age=60"), ETAG], ""),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    assert_eq!(cache.get("/", &[EARLY]).await.status, 425);
    assert_eq!(cache.get("/", &[]).await.body, "page");
    assert_eq!(cache.inner.seen()[2].headers["if-none-match"], "\"1\"");
    assert!(cache.get("/", &[]).await.is_hit());
}

/// Whoever replays a write must not bring back an old answer to it.
#[tokio::test]
async fn c60_the_answer_to_a_write_in_early_data_is_not_cached() {
    for policy in [SAFE, RFC, SAFE.post_fills_get()] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "LINK", "get"] {
            let cache = Harness::with(
                |layer| layer.policy(policy.clone()),
                move |request, _| {
                    let own = [EAGER, ETAG, ("content-location", "/")];
                    response(&own, request.method().as_str())
                },
            );
            for _ in 0..2 {
                let got = cache.send(request(method, "/", &[EARLY])).await;
                assert_eq!((got.is_hit(), got.reason()), (false, Some(Reason::Method)));
                assert!(cache.store.is_empty(), "{method}");
            }
            assert_eq!(cache.get("/", &[]).await.body, "GET", "{method}");
        }
    }
    // Nor is it less of a write.
    let cache = Harness::new(|_, call| response(&[EAGER], format!("call {call}")));
    cache.get("/", &[]).await;
    cache.send(request("POST", "/", &[EARLY])).await;
    assert_eq!(cache.get("/", &[]).await.body, "call 2");
}

/// RFC 9110 §9.3.8: it is answered with the request itself, fields and all.
#[tokio::test]
async fn c60_trace_is_neither_answered_from_the_store_nor_stored() {
    let policies: [CachePolicy; 3] = [SAFE, RFC, SAFE.post_fills_get()];
    for policy in policies {
        let cache = Harness::with(
            |layer| layer.policy(policy),
            |request, _| match request.method().as_str() {
                "TRACE" => {
                    let echo = format!("{:?}", request.headers());
                    let kind = ("content-type", "message/http");
                    response(&[EAGER, ETAG, kind, ("content-location", "/")], echo)
                }
                _ => response(&[EAGER, ETAG], "page"),
            },
        );
        for fields in [&[("x-own", "alice")][..], &[EARLY, ("x-own", "alice"), ETAG]] {
            for _ in 0..2 {
                let got = cache.send(request("TRACE", "/", fields)).await;
                assert!(got.body.contains("alice"));
                assert_eq!((got.is_hit(), got.reason()), (false, Some(Reason::Method)));
                assert!(cache.store.is_empty());
            }
        }
        cache.get("/", &[]).await;
        assert!(cache.send(request("TRACE", "/", &[])).await.body.contains("a.test"));
        let hit = cache.get("/", &[]).await;
        assert!(hit.is_hit() && hit.body == "page", "it is safe: nothing is removed for it");
    }
}
