//! What clients, and logs, get to see of the cache's own work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderName, Request, Response};
use sfv::{BareItem, List, ListEntry, Parser};
use tower::{Layer as _, Service as _, ServiceExt as _};
use tower_keep::cache::{CacheLayer, KeyParts, Partition};
use tower_keep::head::RequestHead;
use tower_keep::store::{CacheKey, DynStore, Entry, MemoryStore, Store, StoreError};

use crate::support::{Got, Harness, Inner, TestLayer, answered, request, response};

/// A request full of secrets: in its target, its credentials, and the fields that select and divide.
const TARGET: &str = "/secret-path/x?token=secret-query";
const SECRETS: [(&str, &str); 6] = [
    ("authorization", "Bearer secret-credential"),
    ("cookie", "session=secret-cookie"),
    ("x-tenant", "secret-tenant"),
    ("x-forwarded-host", "secret-steering"),
    ("accept-language", "secret-language"),
    ("x-api-key", "secret-key"),
];

fn answer(request: &Request<Body>, _: usize) -> Response<Body> {
    let fields = [
        ("cache-control", "public, max-age=60, stale-if-error=60"),
        ("vary", "authorization, cookie, accept-language"),
        ("etag", "\"a\""),
    ];
    match (request.method().as_str(), request.headers().contains_key("x-fails")) {
        (_, true) => answered(503, &[], ""),
        ("GET", _) if request.headers().contains_key("if-none-match") => answered(304, &fields, ""),
        ("GET" | "HEAD", _) => response(&fields, "x"),
        _ => answered(204, &[], ""),
    }
}

/// A request, how far the clock goes before it, and how its Cache-Status ends.
type Told = (&'static str, &'static [(&'static str, &'static str)], u64, &'static str);

/// One for each outcome there is.
const REQUESTS: [Told; 11] = [
    ("GET", &[], 0, "fwd=uri-miss; ttl=60; stored"),
    ("GET", &[], 0, "hit; ttl=60"),
    ("HEAD", &[], 0, "hit; ttl=60"),
    ("GET", &[("if-none-match", "\"a\"")], 1, "hit; ttl=59"),
    ("GET", &[("cookie", "session=secret-other")], 0, "fwd=vary-miss; ttl=60; stored"),
    ("GET", &[("cache-control", "no-cache")], 0, "fwd=request; fwd-status=304; ttl=60; stored"),
    ("GET", &[], 61, "fwd=stale; fwd-status=304; ttl=60; stored"),
    ("GET", &[("x-fails", "1")], 61, "fwd=stale; fwd-status=503; ttl=-1; detail=stale-if-error"),
    ("GET", &[("if-match", "\"a\"")], 0, "fwd=bypass; detail=precondition"),
    ("PUT", &[], 0, "fwd=method; detail=method"),
    ("GET", &[("cache-control", "only-if-cached")], 0, "detail=only-if-cached"),
];

fn secretive(method: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut all = SECRETS.to_vec();
    all.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
    all.extend(fields);
    request(method, TARGET, &all)
}

fn by_tenant(layer: TestLayer) -> TestLayer {
    layer.partition_by(Partition::header(HeaderName::from_static("x-tenant")))
}

fn text(headers: &HeaderMap) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect()
}

#[tokio::test]
async fn c63_cache_status_has_no_key_and_no_secret_unless_asked() {
    let cache = Harness::with(by_tenant, answer);
    for (method, fields, secs, expected) in REQUESTS {
        cache.advance(secs);
        let got = cache.send(secretive(method, fields)).await;
        let what = format!("{method} {fields:?} {expected}");
        assert!(!text(&got.headers).contains("secret"), "{what}: {:?}", got.headers);
        assert!(!text(&got.headers).contains("key"), "{what}: {:?}", got.headers);
        assert!(got.field("cache-status").unwrap().ends_with(&format!("; {expected}")), "{what}");
    }
}

/// What was asked for is the target. Credentials and all that selects or divides stay where they were.
#[tokio::test]
async fn c63_key_that_was_asked_for_is_the_target_alone() {
    let cache = Harness::with(|layer| by_tenant(layer).cache_status_with_key(), answer);
    for (method, fields, secs, _) in REQUESTS {
        cache.advance(secs);
        let got = cache.send(secretive(method, fields)).await;
        let status = got.field("cache-status").unwrap();
        let key = format!("; key=\"http://a.test{TARGET}\"");
        assert!(status.contains(&key), "{status}");
        let rest = text(&got.headers).replacen(&key, "", 1);
        assert!(!rest.contains("secret"), "{method} {fields:?}: {rest}");
    }
}

/// A target is an attacker's to choose: it ends neither its string nor the field.
#[tokio::test]
async fn c63_key_cannot_break_out_of_its_string() {
    let cache = Harness::with(
        |layer| {
            layer.cache_status_with_key().key(|head: RequestHead<'_>| {
                let target = head.headers.get("x-target").unwrap().as_bytes().to_vec();
                KeyParts::from(head).target(String::from_utf8(target).unwrap())
            })
        },
        |_, _| response(&[("cache-control", "max-age=60")], "x"),
    );
    for target in [
        r#"/"; hit"#,
        r#"/\"; hit, other; hit"#,
        r"/\",
        "/caf\u{e9}",
        "/a%0d%0ab",
        &"/x".repeat(9000),
    ] {
        let mut asked = request("GET", "/", &[]);
        asked
            .headers_mut()
            .insert("x-target", http::HeaderValue::from_bytes(target.as_bytes()).unwrap());
        let got = cache.send(asked).await;
        let field = got.headers["cache-status"].as_bytes();
        let list: List = Parser::new(field).parse().unwrap();
        let [ListEntry::Item(item)] = list.as_slice() else { panic!("{list:?}") };
        assert!(field.len() < 2000);
        assert!(!item.params.contains_key("hit"), "{list:?}");
        let key = item.params.get("key").and_then(BareItem::as_string).unwrap().as_str();
        assert!(key.starts_with("http://a.test/"), "{key}");
    }
}

/// RFC 9211 §2: each cache adds its member; the one that is closest to the client comes last.
#[tokio::test]
async fn c63_members_of_other_caches_stay_before_the_one_of_this() {
    let cache = Harness::with(
        |layer| layer.cache_status("the edge"),
        |_, _| {
            let fields =
                [("cache-control", "max-age=60"), ("cache-status", "origin; hit; key=\"o\"")];
            response(&fields, "x")
        },
    );
    for own in ["\"the edge\"; fwd=uri-miss; ttl=60; stored", "\"the edge\"; hit; ttl=60"] {
        let got = cache.get("/", &[]).await;
        let members: Vec<_> = got.headers.get_all("cache-status").iter().collect();
        assert_eq!(members, ["origin; hit; key=\"o\"", own]);
    }
}

#[tokio::test]
async fn c63_cache_status_can_be_left_out_and_the_outcome_is_still_told_inside() {
    let cache = Harness::with(|layer| layer.without_cache_status(), answer);
    for (method, fields, secs, _) in REQUESTS {
        cache.advance(secs);
        let got = cache.send(secretive(method, fields)).await;
        assert_eq!(got.field("cache-status"), None, "{method} {fields:?}");
        assert!(got.outcome.is_some(), "{method} {fields:?}");
    }
}

/// RFC 9211 §2.1: a hit is an answer from the store, which a 504 is not (RFC 9111 §5.2.1.7).
#[tokio::test]
async fn c63_refusal_is_no_hit() {
    let cache = Harness::new(answer);
    let got = cache.get("/", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(got.status, 504);
    assert!(!got.is_hit());
    assert_eq!(got.field("cache-status"), Some("tower-keep; detail=only-if-cached"));
    assert_eq!(cache.layer.handle().stats().hits, 0);
}

/// Nothing else is added, whatever a debugger would like to see.
#[tokio::test]
async fn c63_fields_of_a_response_are_its_own_and_these() {
    let cache =
        Harness::new(|_, _| response(&[("cache-control", "max-age=60"), ("x-own", "1")], "x"));
    let names = |got: &Got| {
        let mut names: Vec<_> = got.headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names(&cache.get("/", &[]).await), "cache-control cache-status x-own");
    let hit = cache.get("/", &[]).await;
    assert_eq!(names(&hit), "age cache-control cache-status content-length date x-own");
    let refused = cache.get("/other", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(names(&refused), "cache-control cache-status");
    for sent in [request("OPTIONS", "/", &[]), request("GET", "/", &[("upgrade", "x")])] {
        assert_eq!(names(&cache.send(sent).await), "cache-control cache-status x-own");
    }
}

/// Keeps what it is given, for the test to look at.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<(CacheKey, Entry)>>>);

impl Store for Collected {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        let entries = self.0.lock().unwrap();
        Ok(entries.iter().rev().find(|(other, _)| other == key).map(|(_, entry)| entry.clone()))
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        self.0.lock().unwrap().push((key.clone(), entry));
        Ok(())
    }

    async fn remove(&self, _: &CacheKey) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn c63_debug_shows_no_target_and_no_secret() {
    let collected = Collected::default();
    let inner = Inner::new(|request, call| {
        let mut made = answer(request, call);
        *made.body_mut() = "secret-body".into();
        made
    });
    let layer = CacheLayer::new(collected.clone())
        .partition_by(Partition::header(HeaderName::from_static("x-tenant")))
        .cache_status_with_key();
    let service = layer.layer(inner);
    let mut shown = String::new();
    for _ in 0..2 {
        let future = service.clone().call(secretive("GET", &[]));
        shown += &format!("{future:?}");
        let response = future.await.unwrap();
        shown += &format!("{:?}", response.body());
        Got::read(response).await;
    }
    for (key, entry) in collected.0.lock().unwrap().iter() {
        shown += &format!("{key:?} {key:#?} {entry:?} {entry:#?}");
        let bytes = key.as_bytes();
        assert!(!shown.contains(&format!("{bytes:?}")), "a key as numbers");
    }
    let memory = MemoryStore::with_bytes_max(1 << 20);
    let (key, entry) = collected.0.lock().unwrap()[0].clone();
    memory.put(&key, entry, Duration::MAX).await.unwrap();
    shown += &format!("{layer:?} {service:?} {:?} {memory:?}", layer.handle());
    shown += &format!("{:?}", CacheLayer::new(DynStore::new(memory)));
    assert!(shown.contains("CacheKey(") && shown.contains("Entry(200 OK, 11 bytes)"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("a.test"), "{shown}");
}

/// Credentials and cookies that select or divide stand in no key as they came.
#[tokio::test]
async fn c63_keys_hold_credentials_only_as_digests() {
    for name in ["authorization", "cookie", "proxy-authorization", "x-tenant"] {
        let collected = Collected::default();
        let partition = Partition::header(HeaderName::from_static(name));
        let service =
            CacheLayer::new(collected.clone()).partition_by(partition).layer(Inner::new(answer));
        let sent = secretive("GET", &[("proxy-authorization", "Basic secret-proxy")]);
        Got::read(service.clone().oneshot(sent).await.unwrap()).await;
        let entries = collected.0.lock().unwrap();
        assert!(!entries.is_empty());
        for (key, _) in entries.iter() {
            let text = String::from_utf8_lossy(key.as_bytes());
            for secret in ["secret-credential", "secret-cookie", "secret-proxy"] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    }
}
