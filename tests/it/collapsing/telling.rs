//! What is told of it.

use tower_keep::cache::Forward;

use super::{Crowd, FRESH, settled};
use crate::support::{answered, request, response};

/// RFC 9211 §2.6.
#[tokio::test]
async fn cache_status_tells_who_was_answered_by_another_requests_response() {
    let crowd = Crowd::new(|_, _| Ok(response(&[FRESH], "page")));
    let clients = crowd.crowd(2, &[]).await;
    crowd.origin.let_go(1);
    let mut told = Vec::new();
    for client in clients {
        let got = client.await.unwrap().unwrap();
        assert_eq!(got.forward(), Some(Forward::UriMiss));
        told.push(got.field("cache-status").unwrap().to_owned());
    }
    told.sort();
    assert_eq!(
        told,
        ["tower-keep; fwd=uri-miss; ttl=60; collapsed", "tower-keep; fwd=uri-miss; ttl=60; stored"]
    );
}

#[tokio::test]
async fn cache_status_tells_why_it_went_inwards_for_those_who_waited_too() {
    let crowd = Crowd::new(|request, _| {
        Ok(match request.headers().contains_key("if-none-match") {
            true => answered(304, &[FRESH], ""),
            false => response(&[FRESH, ("etag", "\"1\"")], "page"),
        })
    });
    crowd.origin.let_go(1);
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(std::time::Duration::from_secs(61));
    let clients = crowd.crowd(3, &[]).await;
    crowd.origin.let_go(1);
    let mut told = std::collections::BTreeMap::new();
    for client in clients {
        let got = client.await.unwrap().unwrap();
        assert_eq!((&*got.body, got.forward()), ("page", Some(Forward::Stale)));
        *told.entry(got.field("cache-status").unwrap().to_owned()).or_insert(0) += 1;
    }
    let expected = [
        ("tower-keep; fwd=stale; fwd-status=304; ttl=60; stored".to_owned(), 1),
        ("tower-keep; fwd=stale; ttl=60; collapsed".to_owned(), 2),
    ];
    assert_eq!(told.into_iter().collect::<Vec<_>>(), expected);
    let stats = crowd.layer.handle().stats();
    assert_eq!((stats.misses, stats.revalidated, stats.collapsed), (1, 1, 2));
}

#[tokio::test]
async fn what_is_under_way_is_counted() {
    let crowd = Crowd::new(|_, _| Ok(response(&[FRESH], "page")));
    for path in ["/1", "/2", "/2"] {
        crowd.send(request("GET", path, &[]));
    }
    settled().await;
    assert_eq!(crowd.layer.handle().stats().flights, 2);
    crowd.origin.let_go(2);
    crowd.assert_nothing_left().await;
}
