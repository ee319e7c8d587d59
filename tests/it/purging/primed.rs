//! Responses that somebody puts into the cache in the place of the inner service.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use tower_keep::cache::{CacheHint, CachePolicy, Partition, Purge, Reason};
use tower_keep::test_util::ManualClock;

use super::{AnyLayer, ETAG, FRESH, Fields, Hit, Miss, Shop, Validated, page, stores, uri};
use std::time::Duration;

fn asked(method: &str, uri: &str, fields: Fields<'_>) -> Request<()> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn given(status: u16, fields: Fields<'_>, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

fn shop(change: impl FnOnce(AnyLayer) -> AnyLayer) -> Shop {
    Shop::with(change, |request, call| page(request, call, &[]))
}

/// Puts it and tells why it is not stored.
async fn put(shop: &Shop, request: &Request<()>, response: Response<Bytes>) -> Option<Reason> {
    shop.layer.handle().put(request, response).await.err().map(|error| error.kind())
}

#[tokio::test]
async fn what_was_put_is_a_hit_on_every_store() {
    for (what, store) in stores() {
        let shop = Shop::over(
            store,
            ManualClock::new(),
            |layer| layer,
            |request, call| page(request, call, &[]),
        );
        let fields = [FRESH, ETAG, ("x-made-by", "hand"), ("age", "7"), ("connection", "close")];
        for url in ["http://a.test/page?q", "/page?origin-form"] {
            let request =
                asked("GET", url, if url.starts_with('/') { &[("host", "a.test")] } else { &[] });
            assert_eq!(put(&shop, &request, given(203, &fields, "primed")).await, None, "{what}");
        }
        assert_eq!(shop.layer.handle().stats().stored, 2);
        for path in ["/page?q", "/page?origin-form"] {
            let got = shop.get(path, &[]).await;
            assert!(got.is_hit(), "{what} {path}");
            assert_eq!((got.status.as_u16(), got.body.as_str()), (203, "primed"));
            assert_eq!((got.field("x-made-by"), got.field("age")), (Some("hand"), Some("7")));
            assert_eq!(got.field("content-length"), Some("6"));
            assert!(!got.headers.contains_key("connection"), "{:?}", got.headers);
            assert!(got.headers.contains_key("date") && got.trailers.is_none());
        }
        assert_eq!(shop.inner.calls(), 0);
        assert_eq!(shop.next("/page", &[]).await, Miss);
    }
}

/// It ages as any response, and is validated by the service then.
#[tokio::test]
async fn what_was_put_is_stale_when_its_freshness_is_over() {
    let shop = shop(|layer| layer);
    let request = asked("GET", "http://a.test/", &[]);
    assert_eq!(put(&shop, &request, given(200, &[FRESH, ETAG], "primed")).await, None);
    shop.clock.advance(Duration::from_secs(59));
    assert_eq!(shop.next("/", &[]).await, Hit);
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(shop.next("/", &[]).await, Validated);
    assert_eq!(shop.get("/", &[]).await.body, "primed");
}

#[tokio::test]
async fn what_was_put_is_selected_as_its_request_would_be() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    let shop = Shop::with(
        |layer| layer.partition_by(tenant),
        |request, call| page(request, call, &[("vary", "accept-language")]),
    );
    let fields = [("x-tenant", "a"), ("accept-language", "de"), ("x-forwarded-port", "9")];
    let request = asked("GET", "http://a.test/", &fields);
    let response = given(200, &[FRESH, ("vary", "accept-language")], "Hallo");
    assert_eq!(put(&shop, &request, response).await, None);
    let others: [Fields<'_>; 4] = [
        &[],
        &[fields[0], fields[1]],
        &[fields[0], fields[2], ("accept-language", "en")],
        &[fields[1], fields[2], ("x-tenant", "b")],
    ];
    for other in others {
        assert_eq!(shop.next("/", other).await, Miss, "{other:?}");
    }
    let got = shop.get("/", &fields).await;
    assert_eq!((got.is_hit(), got.body.as_str()), (true, "Hallo"));
}

#[tokio::test]
async fn what_was_put_lies_in_the_scope_of_the_handle() {
    let shop = shop(|layer| layer);
    let request = asked("GET", "http://a.test/", &[]);
    let other = shop.layer.clone().scope("other").handle();
    other.put(&request, given(200, &[FRESH], "primed")).await.unwrap();
    assert_eq!(shop.next("/", &[]).await, Miss);
}

/// Request method and fields, status and fields of the response, and why it is not stored.
const REFUSED: [(&str, Fields<'static>, u16, Fields<'static>, Reason); 22] = [
    ("GET", &[], 200, &[], Reason::NoFreshness),
    ("GET", &[], 200, &[("cache-control", "no-store")], Reason::NoStore),
    ("GET", &[], 200, &[FRESH, ("cache-control", "private")], Reason::Private),
    ("GET", &[], 200, &[FRESH, ("set-cookie", "a=1")], Reason::SetCookie),
    ("GET", &[], 200, &[FRESH, ("vary", "*")], Reason::VaryAny),
    ("GET", &[], 200, &[FRESH, ("cache-groups", "\"")], Reason::Tags),
    ("GET", &[], 200, &[FRESH, ("content-type", "text/event-stream")], Reason::EventStream),
    ("GET", &[], 200, &[("cache-control", "max-age=0")], Reason::NothingToReuse),
    ("GET", &[], 206, &[FRESH, ("content-range", "bytes 0-1/9")], Reason::Status),
    ("GET", &[], 304, &[FRESH], Reason::Status),
    ("GET", &[("cache-control", "no-store")], 200, &[FRESH], Reason::RequestNoStore),
    ("GET", &[("authorization", "Basic a")], 200, &[FRESH], Reason::Authorization),
    ("GET", &[("range", "bytes=0-1")], 404, &[FRESH], Reason::Status),
    ("GET", &[("if-match", "\"1\"")], 200, &[FRESH], Reason::Precondition),
    ("GET", &[("content-length", "3")], 200, &[FRESH], Reason::RequestBody),
    ("GET", &[("upgrade", "h2c")], 200, &[FRESH], Reason::Upgrade),
    ("GET", &[("host", "b.test")], 200, &[FRESH], Reason::Authority),
    ("GET", &[("x-http-method-override", "PUT")], 200, &[FRESH], Reason::MethodOverride),
    ("HEAD", &[], 200, &[FRESH], Reason::Method),
    ("POST", &[], 200, &[FRESH], Reason::Method),
    ("PUT", &[], 204, &[FRESH], Reason::Method),
    ("OPTIONS", &[], 200, &[FRESH], Reason::Method),
];

#[tokio::test]
async fn what_may_not_be_stored_is_refused_with_the_rules_reason() {
    for (method, fields, status, answer, reason) in REFUSED {
        let shop = shop(|layer| layer);
        let request = asked(method, "http://a.test/", fields);
        let refused = put(&shop, &request, given(status, answer, "primed")).await;
        assert_eq!(refused, Some(reason), "{method} {fields:?} {status} {answer:?}");
        assert_eq!(shop.next("/", &[]).await, Miss, "{method} {fields:?} {status} {answer:?}");
    }
    let error = shop(|layer| layer).layer.handle();
    let error = error.put(&asked("GET", "/", &[]), given(200, &[FRESH], "")).await.unwrap_err();
    assert_eq!(error.kind(), Reason::Authority);
    assert_eq!(error.to_string(), "the response was not stored: authority");
}

#[tokio::test]
async fn what_the_layer_bounds_is_refused() {
    let request = asked("GET", "http://a.test/", &[]);
    for (bytes, refused) in [(100, None), (101, Some(Reason::TooLarge))] {
        let shop = shop(|layer| layer.body_bytes_max(100));
        let response = given(200, &[FRESH], vec![b'x'; bytes]);
        assert_eq!(put(&shop, &request, response).await, refused);
    }
    // A store of 8 MiB keeps an eighth of that at most, for fields too.
    let response = given(200, &[FRESH, ("x-long", &"x".repeat(200 << 10))], vec![b'x'; 1 << 20]);
    let own = shop(|layer| layer.body_bytes_max(8 << 20));
    assert_eq!(put(&own, &request, response).await, Some(Reason::TooLarge));
    let hosts = shop(|layer| layer.hosts(["b.test"]));
    assert_eq!(put(&hosts, &request, given(200, &[FRESH], "")).await, Some(Reason::Host));
    let private =
        shop(|layer| layer.private_by(Partition::header(HeaderName::from_static("x-user"))));
    assert_eq!(put(&private, &request, given(200, &[FRESH], "")).await, Some(Reason::NoPartition));
}

#[tokio::test]
async fn what_was_put_is_purged_like_any_other() {
    let field = HeaderName::from_static("surrogate-key");
    for purge in [
        Purge::url(uri("http://a.test/a/b")),
        Purge::prefix(uri("http://a.test/a")),
        Purge::tag("hint"),
        Purge::tag("group"),
        Purge::tag("key"),
        Purge::all(),
    ] {
        for (purge, expected) in [(purge.clone(), Miss), (purge.soft(), Validated)] {
            let policy = CachePolicy::shared().tags_from(field.clone());
            let shop = shop(|layer| layer.policy(policy));
            let fields = [FRESH, ETAG, ("cache-groups", "\"group\""), ("surrogate-key", "key")];
            let mut response = given(200, &fields, "primed");
            let hint = CacheHint::fresh_for(Duration::from_secs(60)).tag("hint");
            response.extensions_mut().insert(hint);
            assert_eq!(put(&shop, &asked("GET", "http://a.test/a/b", &[]), response).await, None);
            let got = shop.get("/a/b", &[]).await;
            assert!(got.is_hit() && !got.headers.contains_key("surrogate-key"));
            shop.purge(purge.clone()).await;
            assert_eq!(shop.next("/a/b", &[]).await, expected, "{purge:?}");
        }
    }
}

/// RFC 9111 §4: of several responses the most recent one is used.
#[tokio::test]
async fn what_is_put_later_takes_the_place_of_what_was_stored() {
    let shop = shop(|layer| layer);
    let request = asked("GET", "http://a.test/", &[]);
    shop.warm(&["/"]).await;
    for body in ["one", "two"] {
        assert_eq!(put(&shop, &request, given(200, &[FRESH], body)).await, None);
        assert_eq!(shop.get("/", &[]).await.body, body);
    }
}

/// Nothing that is stored holds on to the memory that it was put from.
#[tokio::test]
async fn the_body_and_fields_that_were_put_are_copied() {
    let shop = shop(|layer| layer);
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let value = Bytes::from(vec![b'y'; 1 << 20]);
    let mut headers = HeaderMap::new();
    headers.insert("x-y", http::HeaderValue::from_maybe_shared(value.slice(..9)).unwrap());
    let mut response = given(200, &[FRESH], large.slice(..7));
    response.headers_mut().extend(headers);
    assert!(!large.is_unique() && !value.is_unique());
    assert_eq!(put(&shop, &asked("GET", "http://a.test/", &[]), response).await, None);
    assert!(large.is_unique() && value.is_unique());
    let got = shop.get("/", &[]).await;
    assert_eq!((got.body.as_str(), got.field("x-y")), ("xxxxxxx", Some("yyyyyyyyy")));
}
