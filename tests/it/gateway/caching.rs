use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::HeaderMap;

use super::origin;
use super::program::Gateway;

#[tokio::test]
async fn a_miss_is_stored_and_the_next_is_a_hit_and_stats_count_both() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let address = origin::of(move || async move {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        ([("cache-control", "max-age=60")], format!("call {call}"))
    })
    .await;
    let gateway = Gateway::before(address).await;
    let (first, second) = (gateway.get("/").await, gateway.get("/").await);
    assert_eq!((first.body.as_str(), second.body.as_str()), ("call 0", "call 0"));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(first.field("cache-status").unwrap().starts_with("gateway; fwd="), "{first:?}");
    assert!(second.field("cache-status").unwrap().starts_with("gateway; hit"), "{second:?}");
    let stats = gateway.stats().await;
    for (name, count) in [("hits", 1), ("misses", 1), ("stored", 1), ("entries", 1)] {
        assert_eq!(stats[name], count, "{name} in {stats}");
    }
    assert!(stats["bytes"].as_u64().unwrap() > 6, "{stats}");
}

#[tokio::test]
async fn c24_several_ranges_are_a_multipart_with_its_length_on_the_wire() {
    let head = [("cache-control", "max-age=60"), ("content-type", "text/plain")];
    let gateway = Gateway::before(origin::of(async move || (head, "0123456789")).await).await;
    gateway.get("/").await;
    let got = gateway.get_with("/", "Range: bytes=0-1, 8-\r\n").await;
    assert_eq!(got.status_line, "HTTP/1.1 206 Partial Content");
    assert_eq!((got.field("content-range"), got.field("transfer-encoding")), (None, None));
    assert_eq!(got.field("content-length"), Some(&*got.body.len().to_string()));
    let kind = got.field("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range, bytes| {
        let fields = format!("Content-Type: text/plain\r\nContent-Range: bytes {range}/10");
        format!("--{boundary}\r\n{fields}\r\n\r\n{bytes}\r\n")
    };
    let (first, last) = (part("0-1", "01"), part("8-9", "89"));
    assert_eq!(got.body, format!("{first}{last}--{boundary}--\r\n"));
}

#[tokio::test]
async fn a_response_over_entry_bytes_max_passes_and_is_not_stored() {
    let address = origin::of(async || ([("cache-control", "max-age=60")], "x".repeat(2048))).await;
    let gateway = Gateway::with(address, &["--entry-bytes-max=1KiB"]).await;
    assert_eq!(gateway.get("/").await.body.len(), 2048);
    assert_eq!(gateway.stats().await["stored"], 0);
}

#[tokio::test]
async fn a_stale_response_stands_in_for_an_upstream_that_is_gone() {
    let explicit = "HTTP/1.1 200 OK\r\nCache-Control: max-age=0, stale-if-error=60\r\nETag: \"1\"\r\n\
                    Content-Length: 3\r\nConnection: close\r\n\r\nold";
    let silent = "HTTP/1.1 200 OK\r\nCache-Control: max-age=0\r\nETag: \"1\"\r\n\
                  Content-Length: 3\r\nConnection: close\r\n\r\nold";
    let forbidden = "HTTP/1.1 200 OK\r\nCache-Control: max-age=0, must-revalidate\r\nETag: \"1\"\r\n\
                     Content-Length: 3\r\nConnection: close\r\n\r\nold";
    for (mode, response, status) in [
        // RFC 5861 §4
        ("safe", explicit, 200),
        ("safe", silent, 502),
        // RFC 9111 §4.2.4: when disconnected
        ("rfc", silent, 200),
        ("rfc", forbidden, 502),
    ] {
        let gateway = Gateway::with(origin::saying_once(response).await, &["--mode", mode]).await;
        assert_eq!(gateway.get("/").await.body, "old");
        let second = gateway.get("/").await;
        assert_eq!(second.status(), status, "{mode}, {response}: {second:?}");
        assert_eq!(second.body == "old", status == 200, "{second:?}");
    }
}

#[tokio::test]
async fn a_field_that_the_upstream_does_not_get_selects_no_variant() {
    let address = origin::of(async |fields: HeaderMap| {
        let language =
            fields.get("accept-language").map_or("none", |value| value.to_str().unwrap());
        let head = [("cache-control", "max-age=60"), ("vary", "accept-language")];
        (head, language.to_owned())
    })
    .await;
    let gateway = Gateway::before(address).await;
    let hidden = "Connection: accept-language\r\nAccept-Language: de\r\n";
    assert_eq!(gateway.get_with("/", hidden).await.body, "none");
    assert_eq!(gateway.get_with("/", "Accept-Language: de\r\n").await.body, "de");
}

#[tokio::test]
async fn c52_admin_is_never_on_the_public_route() {
    let gateway = Gateway::before(origin::echo().await).await;
    for path in ["/stats", "/healthz"] {
        assert!(gateway.get(path).await.body.starts_with(&format!("GET {path}\n")));
    }
}

#[tokio::test]
async fn admin_answers_two_paths_and_get_only() {
    let gateway = Gateway::before(origin::nobody().await).await;
    let health = gateway.admin("GET", "/healthz").await;
    assert_eq!((health.status(), health.body.as_str()), (200, "ok"));
    assert_eq!(gateway.admin("GET", "/").await.status(), 404);
    assert_eq!(gateway.admin("POST", "/stats").await.status(), 405);
}
