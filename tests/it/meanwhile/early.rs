//! Responses that are refreshed before they are stale.

use std::time::Duration;

use tower_keep::cache::CachePolicy;

use crate::collapsing::{Crowd, settled};
use crate::support::{request, response};

/// Hits near the end of the freshness refresh it, by a chance that grows; and most of them do not.
#[tokio::test]
async fn what_is_asked_for_much_is_refreshed_before_it_expires() {
    let crowd = Crowd::with(
        |layer| layer.policy(CachePolicy::shared().early_refresh(1.0)),
        |_, call| Ok(response(&[("cache-control", "max-age=60")], format!("call {call}"))),
    );
    let first = crowd.send(request("GET", "/", &[]));
    settled().await;
    // It takes two seconds.
    crowd.clock.advance(Duration::from_secs(2));
    crowd.origin.let_go(1);
    first.await.unwrap().unwrap();
    // Half of its life is left: not one of a thousand hits has it refreshed.
    crowd.clock.advance(Duration::from_secs(30));
    for _ in 0..1000 {
        assert!(crowd.get(&[]).await.unwrap().is_hit());
    }
    assert_eq!(crowd.layer.handle().stats().refreshes, 0);
    // Of a thousand in the last second it is certain that one has; and it leaves at once, as a hit.
    crowd.clock.advance(Duration::from_secs(27));
    for _ in 0..1000 {
        let got = crowd.get(&[]).await.unwrap();
        assert_eq!((got.is_hit(), got.reason(), &*got.body), (true, None, "call 0"));
    }
    settled().await;
    assert_eq!((crowd.layer.handle().stats().refreshes, crowd.origin.calls()), (1, 2));
    crowd.origin.let_go(1);
    crowd.assert_nothing_left().await;
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 1");
}

#[tokio::test]
async fn without_the_option_nothing_is_refreshed_early() {
    for factor in [0.0, -1.0, f64::NAN] {
        let crowd = Crowd::with(
            |layer| layer.policy(CachePolicy::shared().early_refresh(factor)),
            |_, _| Ok(response(&[("cache-control", "max-age=60")], "page")),
        );
        let first = crowd.send(request("GET", "/", &[]));
        settled().await;
        crowd.clock.advance(Duration::from_secs(30));
        crowd.origin.let_go(1);
        first.await.unwrap().unwrap();
        crowd.clock.advance(Duration::from_millis(29_999));
        for _ in 0..1000 {
            assert!(crowd.get(&[]).await.unwrap().is_hit());
        }
        assert_eq!(crowd.origin.calls(), 1);
    }
}
