//! A thousand at once.

use http::Response;

use super::{Crowd, FRESH, settled};
use crate::scripted::Step::{Data, Pending};
use crate::scripted::scripted;
use crate::support::{answered, request, response};

const CROWD: usize = 1000;

#[tokio::test]
async fn c38_a_thousand_concurrent_misses_are_one_call_and_every_body_is_whole() {
    let steps = [Data("some "), Pending, Data("of "), Pending, Pending, Data("it")];
    let crowd = Crowd::new(move |_, _| Ok(crate::scripted::fresh(&[], scripted(&steps))));
    let clients = crowd.crowd(CROWD, &[]).await;
    assert_eq!(crowd.origin.calls(), 1);
    crowd.origin.let_go(1);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "some of it");
    }
    let stats = crowd.layer.handle().stats();
    assert_eq!((stats.misses, stats.collapsed, stats.stored), (1, CROWD as u64 - 1, 1));
    assert!(crowd.get(&[]).await.unwrap().is_hit());
    assert_eq!(crowd.origin.calls(), 1);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn a_thousand_concurrent_misses_over_three_codings_are_three_calls() {
    let crowd = Crowd::new(|request, _| {
        let coding = request.headers()["accept-encoding"].to_str().unwrap();
        Ok(response(&[FRESH, ("vary", "accept-encoding")], format!("in {coding}")))
    });
    let mut clients = Vec::new();
    for n in 0..CROWD {
        let coding = ["br", "gzip", "zstd"][n % 3];
        let sent = crowd.send(request("GET", "/", &[("accept-encoding", coding)]));
        clients.push((coding, sent));
    }
    settled().await;
    assert_eq!(crowd.origin.calls(), 1, "what selects is not known yet");
    crowd.origin.let_go(1);
    settled().await;
    assert_eq!(crowd.origin.calls(), 3, "one leads for each");
    crowd.origin.let_go(2);
    for (coding, client) in clients {
        assert_eq!(client.await.unwrap().unwrap().body, format!("in {coding}"));
    }
    assert_eq!(crowd.origin.calls(), 3);
    crowd.assert_nothing_left().await;
    // When they have expired it is known what selects: three lead from the beginning.
    crowd.clock.advance(std::time::Duration::from_secs(61));
    for coding in ["br", "gzip", "zstd", "br"] {
        crowd.send(request("GET", "/", &[("accept-encoding", coding)]));
    }
    settled().await;
    assert_eq!(crowd.origin.calls(), 6);
    crowd.origin.let_go(3);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c38_where_the_response_cannot_be_shared_nobody_waits_in_line() {
    for (status, cache_control) in
        [(200, "no-store"), (200, "private"), (302, ""), (404, "no-cache")]
    {
        let crowd = Crowd::new(move |_, call| {
            Ok(answered(status, &[("cache-control", cache_control)], format!("call {call}")))
        });
        let clients = crowd.crowd(CROWD, &[]).await;
        assert_eq!(crowd.origin.calls(), 1, "it is not known yet");
        crowd.origin.let_go(1);
        settled().await;
        assert_eq!(crowd.origin.running(), CROWD - 1, "all at once, {cache_control}");
        crowd.origin.let_go(CROWD - 1);
        let mut bodies = std::collections::HashSet::new();
        for client in clients {
            bodies.insert(client.await.unwrap().unwrap().body);
        }
        assert_eq!(bodies.len(), CROWD, "each has its own, {cache_control}");
        // For a while it is known, and nobody waits from the beginning.
        let more = crowd.crowd(3, &[]).await;
        assert_eq!(crowd.origin.running(), 3, "{cache_control}");
        crowd.origin.let_go(3);
        for client in more {
            client.await.unwrap().unwrap();
        }
        crowd.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn a_response_that_can_be_shared_ends_the_time_in_which_nobody_waits() {
    let crowd = Crowd::new(|_, call| {
        let cache_control = if call == 0 { "no-store" } else { "max-age=60" };
        Ok(response(&[("cache-control", cache_control)], format!("call {call}")))
    });
    crowd.origin.let_go(2);
    crowd.get(&[]).await.unwrap();
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(std::time::Duration::from_secs(61));
    let clients = crowd.crowd(9, &[]).await;
    assert_eq!(crowd.origin.running(), 1);
    crowd.origin.let_go(1);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "call 2");
    }
}

/// RFC 9110 §15.5: a fault of one request says little of what others would be answered (C20), but if the next
/// ones have it too, nobody waits in line for it.
#[tokio::test]
async fn c20_who_sends_a_bad_request_does_not_keep_others_from_waiting_for_each_other() {
    let crowd = Crowd::new(|request, _| {
        Ok(match request.headers().contains_key("x-bad") {
            true => answered(400, &[], "bad"),
            false => response(&[FRESH], "page"),
        })
    });
    let bad = crowd.send(request("GET", "/", &[("x-bad", "1")]));
    settled().await;
    let good = crowd.crowd(CROWD, &[]).await;
    crowd.origin.let_go(1);
    assert_eq!(bad.await.unwrap().unwrap().status, 400);
    settled().await;
    assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "one of the others leads");
    crowd.origin.let_go(1);
    for client in good {
        assert_eq!(client.await.unwrap().unwrap().body, "page");
    }
    crowd.clock.advance(std::time::Duration::from_secs(61));
    let all_bad = crowd.crowd(9, &[("x-bad", "1")]).await;
    assert_eq!(crowd.origin.running(), 1);
    crowd.origin.let_go(4);
    settled().await;
    assert_eq!(crowd.origin.running(), 5, "after four of them all the rest at once");
    crowd.origin.let_go(5);
    for client in all_bad {
        assert_eq!(client.await.unwrap().unwrap().status, 400);
    }
}

/// One user's answer is not another's: with credentials one waits only for others with credentials, and none is
/// served what may not be stored.
#[tokio::test]
async fn requests_with_credentials_are_not_answered_by_each_others_responses() {
    for name in ["authorization", "cookie"] {
        let crowd = Crowd::new(move |request, _| {
            let who = request.headers().get(name).map_or("nobody", |who| who.to_str().unwrap());
            let fresh = if name == "cookie" { ("x", "y") } else { FRESH };
            Ok(response(&[fresh], format!("for {who}")))
        });
        let mut clients = Vec::new();
        for n in 0..30 {
            let who = format!("user{n}");
            clients.push((who.clone(), crowd.send(request("GET", "/", &[(name, &who)]))));
            settled().await;
        }
        let nobody = crowd.send(request("GET", "/", &[]));
        settled().await;
        assert_eq!(crowd.origin.running(), 2, "{name}");
        crowd.origin.let_go(31);
        for (who, client) in clients {
            assert_eq!(client.await.unwrap().unwrap().body, format!("for {who}"));
        }
        assert_eq!(nobody.await.unwrap().unwrap().body, "for nobody");
        assert_eq!(crowd.origin.calls(), 31);
    }
}

#[tokio::test]
async fn partitions_do_not_wait_for_each_other() {
    let tenant = tower_keep::cache::Partition::header(http::HeaderName::from_static("x-tenant"));
    let crowd = Crowd::with(
        |layer| layer.partition_by(tenant),
        |request, _| {
            let tenant = request.headers()["x-tenant"].to_str().unwrap().to_owned();
            Ok(response(&[FRESH], tenant))
        },
    );
    let mut clients = Vec::new();
    for n in 0..20 {
        let tenant = ["a", "b"][n % 2];
        clients.push((tenant, crowd.send(request("GET", "/", &[("x-tenant", tenant)]))));
    }
    settled().await;
    assert_eq!(crowd.origin.running(), 2);
    crowd.origin.let_go(2);
    for (tenant, client) in clients {
        assert_eq!(client.await.unwrap().unwrap().body, tenant);
    }
}

#[tokio::test]
async fn each_goes_by_itself_where_the_route_says_so() {
    let crowd = Crowd::new(|_, _| Ok(response(&[FRESH], "page")));
    let apart =
        Crowd::with(|layer| layer.without_collapsing(), |_, _| Ok(response(&[FRESH], "page")));
    for (crowd, running) in [(&crowd, 1), (&apart, 9)] {
        let clients = crowd.crowd(9, &[]).await;
        assert_eq!(crowd.origin.running(), running);
        crowd.origin.let_go(9);
        for client in clients {
            assert_eq!(client.await.unwrap().unwrap().body, "page");
        }
    }
}

/// RFC 9111 §5.2.1.4: each wants the inner service asked, and so it is, for all of them.
#[tokio::test]
async fn c46_forced_validations_are_collapsed_to_one_call() {
    for (field, value) in
        [("cache-control", "no-cache"), ("cache-control", "max-age=0"), ("pragma", "no-cache")]
    {
        for etag in [&[][..], &[("etag", "\"1\"")]] {
            let crowd = Crowd::new(move |request, call| {
                Ok(match request.headers().contains_key("if-none-match") {
                    true => answered(304, etag, ""),
                    false => response(&[&[FRESH], etag].concat(), format!("call {call}")),
                })
            });
            crowd.origin.let_go(1);
            crowd.get(&[]).await.unwrap();
            let clients = crowd.crowd(CROWD, &[(field, value)]).await;
            assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "{value}");
            crowd.origin.let_go(1);
            for client in clients {
                let got = client.await.unwrap().unwrap();
                let body = if etag.is_empty() { "call 1" } else { "call 0" };
                assert_eq!((got.is_hit(), &*got.body), (false, body), "{value}");
            }
            // Who comes later was not asked for.
            let later = crowd.send(request("GET", "/", &[(field, value)]));
            settled().await;
            assert_eq!(crowd.origin.calls(), 3, "{value}");
            crowd.origin.let_go(1);
            later.await.unwrap().unwrap();
            crowd.assert_nothing_left().await;
        }
    }
}

/// ... nor may it have the rest of a body whose head was there when it came.
#[tokio::test]
async fn c46_a_forced_validation_does_not_join_a_response_that_is_coming() {
    let crowd = Crowd::new(|_, _| Ok(crate::scripted::fresh(&[], scripted(&[Pending, Data("x")]))));
    crowd.origin.let_go(1);
    let coming: Response<_> = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
    let forced = crowd.send(request("GET", "/", &[("cache-control", "no-cache")]));
    settled().await;
    assert_eq!(crowd.origin.calls(), 2);
    drop(coming);
    crowd.origin.let_go(1);
    forced.await.unwrap().unwrap();
}

#[tokio::test]
async fn c46_only_if_cached_waits_for_nobody() {
    let crowd = Crowd::new(|_, _| Ok(response(&[FRESH], "page")));
    let first = crowd.send(request("GET", "/", &[]));
    settled().await;
    let got = crowd.get(&[("cache-control", "only-if-cached")]).await.unwrap();
    assert_eq!(got.status, 504);
    crowd.origin.let_go(1);
    first.await.unwrap().unwrap();
}

/// RFC 9111 §4.2.3 counts the time of the answer as its age. Those who waited for it are served it all the same.
#[tokio::test]
async fn who_waits_for_an_answer_that_takes_longer_than_it_is_fresh_gets_it() {
    let crowd = Crowd::new(|_, call| {
        Ok(response(&[("cache-control", "max-age=1")], format!("call {call}")))
    });
    let clients = crowd.crowd(CROWD, &[]).await;
    crowd.clock.advance(std::time::Duration::from_secs(2));
    crowd.origin.let_go(1);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "call 0");
    }
    assert_eq!(crowd.origin.calls(), 1);
    let later = crowd.crowd(2, &[]).await;
    assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "it is not stored");
    crowd.origin.let_go(1);
    for client in later {
        assert_eq!(client.await.unwrap().unwrap().body, "call 1");
    }
    crowd.assert_nothing_left().await;
}

/// When the store fails, everybody asks the origin: all the more they wait for each other.
#[tokio::test]
async fn a_store_that_fails_does_not_send_the_whole_crowd_inwards() {
    use tower::{Layer as _, ServiceExt as _};
    let origin = super::Origin::new(|_, _| Ok(response(&[FRESH], "page")));
    let layer = tower_keep::cache::CacheLayer::new(Failing);
    let service = layer.layer(origin.clone());
    let clients: Vec<_> = (0..CROWD)
        .map(|_| tokio::spawn(service.clone().oneshot(request("GET", "/", &[]))))
        .collect();
    settled().await;
    assert_eq!(origin.calls(), 1);
    origin.let_go(1);
    for client in clients {
        let got = crate::support::Got::read(client.await.unwrap().unwrap()).await;
        assert_eq!(got.body, "page");
    }
    assert_eq!(layer.handle().stats().stored, 0);
}

struct Failing;

impl tower_keep::store::Store for Failing {
    async fn get(
        &self,
        _: &tower_keep::store::CacheKey,
    ) -> Result<Option<tower_keep::store::Entry>, tower_keep::store::StoreError> {
        Err(tower_keep::store::StoreError::new(tower_keep::store::StoreErrorKind::Unavailable))
    }

    async fn put(
        &self,
        _: &tower_keep::store::CacheKey,
        _: tower_keep::store::Entry,
        _: std::time::Duration,
    ) -> Result<(), tower_keep::store::StoreError> {
        panic!("nothing is known of what it holds")
    }

    async fn remove(
        &self,
        _: &tower_keep::store::CacheKey,
    ) -> Result<(), tower_keep::store::StoreError> {
        Ok(())
    }
}
