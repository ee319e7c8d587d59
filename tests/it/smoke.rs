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

#[tokio::test]
async fn a_field_that_connection_names_is_no_way_to_poison_a_variant() {
    let cache = Harness::new(|request, _| {
        // As a proxy further in would see it.
        let hidden = request.headers().get("connection").is_some();
        let language = request.headers().get("accept-language").filter(|_| !hidden);
        let body = language.map_or("none", |language| language.to_str().unwrap()).to_owned();
        response(&[("cache-control", "max-age=60"), ("vary", "accept-language")], body)
    });
    let evil = [("connection", "accept-language"), ("accept-language", "de")];
    assert_eq!(cache.get("/x", &evil).await.body, "none");
    assert_eq!(cache.get("/x", &[("accept-language", "de")]).await.body, "de");
}
