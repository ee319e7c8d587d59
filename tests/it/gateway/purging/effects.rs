//! What a purge does to what is stored.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::json;

use super::{guarded, is_hit, origin, purge};
use crate::gateway::program::Gateway;
use crate::gateway::wire::{self, Reply};

/// (host, path)
const STORED: [(&str, &str); 7] = [
    ("a.test", "/"),
    ("a.test", "/a"),
    ("a.test", "/a?q=1&r=%20"),
    ("a.test", "/a/b"),
    ("a.test", "/ab"),
    ("a.test", "/u/7"),
    ("b.test", "/a"),
];

#[tokio::test]
async fn c52_each_kind_of_purge_makes_the_next_get_a_miss_and_leaves_the_others() {
    let gateway = guarded(tagging_origin().await, &["--tag-header=Surrogate-Key"]).await;
    for (query, purged, reached) in [
        ("url=http://a.test/a", json!({"url": "http://a.test/a"}), &[1][..]),
        // As every encoder writes it, and a host in any case with the port that http implies.
        ("url=http%3A%2F%2FA.test%3A80%2Fa", json!({"url": "http://A.test:80/a"}), &[1]),
        (
            "url=http://a.test/a?q=1%26r=%2520&soft=0",
            json!({"url": "http://a.test/a?q=1&r=%20"}),
            &[2],
        ),
        ("url=http://a.test", json!({"url": "http://a.test"}), &[0]),
        ("prefix=http://a.test/a", json!({"prefix": "http://a.test/a"}), &[1, 2, 3]),
        ("prefix=http://b.test/", json!({"prefix": "http://b.test/"}), &[6]),
        ("tag=user:7", json!({"tag": "user:7"}), &[5]),
        ("soft=0&tag=user%3a7", json!({"tag": "user:7"}), &[5]),
        ("tag=no+such", json!({"tag": "no+such"}), &[]),
        ("all=1", json!({"all": true}), &[0, 1, 2, 3, 4, 5, 6]),
    ] {
        for (host, path) in STORED {
            get(&gateway, host, path).await;
        }
        let reply = purge(&gateway, query).await;
        assert_eq!(reply.status(), 200, "{query}: {reply:?}");
        assert_eq!(reply.field("content-type"), Some("application/json"));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
        let told: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        let expected = json!({"purged": purged, "soft": false, "reach": "this-process"});
        assert_eq!(told, expected, "{query}");
        for (at, (host, path)) in STORED.into_iter().enumerate() {
            let reply = get(&gateway, host, path).await;
            let is_hit = reply.field("cache-status").unwrap().starts_with("gateway; hit");
            assert_eq!(is_hit, !reached.contains(&at), "{query}: {host} {path}");
        }
    }
}

#[tokio::test]
async fn c52_what_was_purged_softly_is_validated_and_what_was_purged_is_fetched() {
    for (soft, validated) in [("&soft=1", true), ("&soft=0", false)] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let upstream = validating_origin(seen.clone()).await;
        let gateway = guarded(upstream, &["--tag-header", "cache-tag"]).await;
        for what in ["url=http://a.test/", "prefix=http://a.test/", "tag=page", "all=1"] {
            gateway.get("/").await;
            assert!(is_hit(&gateway, "/").await);
            seen.lock().unwrap().clear();
            let reply = purge(&gateway, &format!("{what}{soft}")).await;
            assert!(reply.body.contains(&format!("\"soft\":{validated}")), "{reply:?}");
            let next = gateway.get("/").await;
            assert_eq!((next.status(), next.body.as_str()), (200, "page"));
            assert_eq!(next.field("cache-tag"), None, "{next:?}");
            assert_eq!(*seen.lock().unwrap(), [validated], "{what}{soft}");
        }
    }
}

#[tokio::test]
async fn c52_what_was_purged_softly_stands_in_for_an_upstream_that_is_gone() {
    let response = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60, stale-if-error=60\r\n\
                    ETag: \"1\"\r\nContent-Length: 3\r\nConnection: close\r\n\r\nold";
    for (query, status) in [("all=1&soft=1", 200), ("all=1", 502)] {
        let gateway = guarded(origin::saying_once(response).await, &[]).await;
        assert_eq!(gateway.get("/").await.body, "old");
        assert_eq!(purge(&gateway, query).await.status(), 200);
        let next = gateway.get("/").await;
        assert_eq!(next.status(), status, "{query}: {next:?}");
        assert_eq!(next.body == "old", status == 200, "{next:?}");
    }
}

#[tokio::test]
async fn the_field_with_the_tags_is_not_sent_to_clients_whatever_becomes_of_the_response() {
    let gateway = guarded(tagging_origin().await, &["--tag-header", "SURROGATE-KEY"]).await;
    let plain = guarded(tagging_origin().await, &[]).await;
    for (path, fields) in [
        ("/u/7", ""),
        ("/u/7", ""), // a hit
        ("/u/7", "Range: bytes=0-1\r\n"),
        ("/u/7", "If-None-Match: \"1\"\r\n"),
        ("/no-store/u/7", ""),
        ("/u/7", "Cache-Control: no-store\r\n"),
        ("/u/7", "Authorization: Basic YTpi\r\n"),
    ] {
        let reply = gateway.get_with(path, fields).await;
        assert_eq!(reply.field("surrogate-key"), None, "{path} {fields}: {reply:?}");
        let reply = plain.get_with(path, fields).await;
        // RFC 9110 §15.4.5: a 304 need not repeat it.
        let is_there = reply.field("surrogate-key") == Some("page, user:7");
        assert!(is_there || reply.status() == 304, "{path} {fields}: {reply:?}");
    }
    for method in ["HEAD", "POST", "DELETE", "OPTIONS"] {
        let request = format!(
            "{method} /u/7 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let reply = wire::send(gateway.public, &request).await;
        assert_eq!(reply.field("surrogate-key"), None, "{method}: {reply:?}");
    }
}

#[tokio::test]
async fn without_tag_header_the_field_is_no_tag() {
    let gateway = guarded(tagging_origin().await, &[]).await;
    gateway.get("/u/7").await;
    assert_eq!(purge(&gateway, "tag=user:7").await.status(), 200);
    assert!(is_hit(&gateway, "/u/7").await);
}

async fn get(gateway: &Gateway, host: &str, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    wire::send(gateway.public, &request).await
}

/// What ends in `/u/7` is tagged with that user, and `/no-store` is just that.
async fn tagging_origin() -> SocketAddr {
    origin::of(async |uri: Uri| {
        let freshness = match uri.path().starts_with("/no-store") {
            true => "no-store",
            false => "max-age=60",
        };
        let mut fields = HeaderMap::new();
        fields.insert("cache-control", freshness.parse().unwrap());
        fields.insert("etag", "\"1\"".parse().unwrap());
        if uri.path().ends_with("/u/7") {
            fields.insert("surrogate-key", "page, user:7".parse().unwrap());
        }
        (fields, uri.to_string())
    })
    .await
}

/// Answers 304 to whoever has its one page, and keeps whether a request was conditional.
async fn validating_origin(seen: Arc<Mutex<Vec<bool>>>) -> SocketAddr {
    origin::of(move |fields: HeaderMap| async move {
        let is_conditional = fields.get("if-none-match").is_some_and(|tag| tag == "\"1\"");
        seen.lock().unwrap().push(is_conditional);
        let fields = [("cache-control", "max-age=60"), ("etag", "\"1\""), ("cache-tag", "page")];
        match is_conditional {
            true => (StatusCode::NOT_MODIFIED, fields).into_response(),
            false => (fields, "page").into_response(),
        }
    })
    .await
}
