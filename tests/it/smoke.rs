use crate::support::{Harness, response};

#[tokio::test]
async fn a_fresh_response_is_served_again() {
    let cache = Harness::new(|_, call| {
        response(&[("cache-control", "max-age=60")], format!("call {call}"))
    });
    assert_eq!(cache.get("/x", &[]).await.body, "call 0");
    let hit = cache.get("/x", &[]).await;
    assert_eq!(hit.body, "call 0");
    assert!(hit.is_hit());
    assert_eq!(hit.field("age"), Some("0"));
    assert_eq!(hit.field("cache-status"), Some("tower-keep; hit; ttl=60"));
    cache.advance(61);
    assert_eq!(cache.get("/x", &[]).await.body, "call 1");
}
