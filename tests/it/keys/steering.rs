//! Fields that steer some services beside the target.

use axum::body::Body;
use http::{HeaderValue, Request};
use tower_keep::cache::{KeyParts, Reason, SteeringField};

use super::{each_has_its_own_entry, echo, echoed, is_never_stored, reason};
use crate::support::{Harness, request};

const STEERING: [(&str, &str, SteeringField); 20] = [
    ("x-envoy-original-path", "/evil", SteeringField::XEnvoyOriginalPath),
    ("x-forwarded-path", "/evil", SteeringField::XForwardedPath),
    ("x-forwarded-uri", "/evil", SteeringField::XForwardedUri),
    ("x-forwarded-host", "evil.test", SteeringField::XForwardedHost),
    ("x-forwarded-port", "6666", SteeringField::XForwardedPort),
    ("x-forwarded-prefix", "/evil", SteeringField::XForwardedPrefix),
    ("x-forwarded-proto", "evil", SteeringField::XForwardedProto),
    ("x-forwarded-scheme", "evil", SteeringField::XForwardedScheme),
    ("x-forwarded-server", "evil.test", SteeringField::XForwardedServer),
    ("x-forwarded-ssl", "evil", SteeringField::XForwardedSsl),
    ("x-host", "evil.test", SteeringField::XHost),
    ("x-http-host-override", "evil.test", SteeringField::XHttpHostOverride),
    ("x-original-host", "evil.test", SteeringField::XOriginalHost),
    ("x-original-uri", "/evil", SteeringField::XOriginalUri),
    ("x-original-url", "/evil", SteeringField::XOriginalUrl),
    ("x-rewrite-url", "/evil", SteeringField::XRewriteUrl),
    ("x-url-scheme", "evil", SteeringField::XUrlScheme),
    ("front-end-https", "evil", SteeringField::FrontEndHttps),
    ("forwarded", "host=evil.test", SteeringField::Forwarded),
    ("forwarded", "proto=evil", SteeringField::Forwarded),
];

#[tokio::test]
async fn c10_a_plain_request_never_gets_what_a_steering_field_brought() {
    for (name, value, _) in STEERING {
        let cache = echo();
        assert!(!cache.get("/x", &[(name, value)]).await.is_hit());
        let plain = cache.get("/x", &[]).await;
        assert!(!plain.is_hit(), "{name}");
        assert!(!plain.body.contains(name) && !plain.body.contains("evil"), "{name}");
        let steered = cache.get("/x", &[(name, value)]).await;
        assert!(steered.is_hit() && steered.body.contains(name), "{name}: it is a part of the key");
        assert!(cache.get("/x", &[]).await.is_hit(), "{name}");
    }
}

#[tokio::test]
async fn c10_a_steered_request_never_gets_the_plain_answer() {
    for (name, value, _) in STEERING {
        let cache = echo();
        cache.get("/x", &[]).await;
        assert!(cache.get("/x", &[(name, value)]).await.body.contains(value), "{name}");
        assert!(!cache.get("/x", &[(name, "")]).await.is_hit() || name == "forwarded", "{name}");
    }
}

#[tokio::test]
async fn c10_each_value_each_field_and_each_order_of_lines_is_its_own() {
    let cache = echo();
    let lists: &[&[(&str, &str)]] = &[
        &[],
        &[("x-forwarded-host", "")],
        &[("x-forwarded-host", ""), ("x-forwarded-host", "")],
        &[("x-forwarded-host", "a")],
        &[("x-forwarded-host", "A")],
        &[("x-forwarded-host", "a.test")],
        &[("x-forwarded-host", "b")],
        &[("x-forwarded-host", "a"), ("x-forwarded-host", "b")],
        &[("x-forwarded-host", "b"), ("x-forwarded-host", "a")],
        &[("x-forwarded-host", "a, b")],
        &[("x-forwarded-host", "a,b")],
        &[("x-host", "a")],
        &[("x-forwarded-host", "a"), ("x-host", "a")],
        &[("x-original-url", "/x")],
        &[("x-rewrite-url", "/x")],
        &[("x-forwarded-proto", "http")],
        &[("x-forwarded-port", "80")],
        &[("x-forwarded-prefix", "/x")],
        &[("forwarded", "host=a")],
        &[("forwarded", "host=a"), ("forwarded", "host=b")],
        &[("forwarded", "host=a;proto=b")],
    ];
    let requests = lists.iter().map(|fields| (format!("{fields:?}"), request("GET", "/x", fields)));
    each_has_its_own_entry(&cache, requests.collect()).await;
}

#[tokio::test]
async fn c10_bytes_beyond_ascii_are_told_apart() {
    let cache = echo();
    let values: [&[u8]; 4] = [b"\xff", b"\xfe", b"\xff\xff", b"\xc3\xbf"];
    let requests = values.map(|value| {
        let mut request = request("GET", "/x", &[]);
        request.headers_mut().insert("x-host", HeaderValue::from_bytes(value).unwrap());
        (format!("{value:?}"), request)
    });
    each_has_its_own_entry(&cache, requests.into()).await;
}

#[tokio::test]
async fn c10_forwarded_steers_by_host_and_proto_only_however_it_is_written() {
    for plain in ["for=192.0.2.1", "by=_x;for=\"[2001:db8::1]\"", "", ";;,"] {
        let cache = echo();
        cache.get("/x", &[]).await;
        assert!(cache.get("/x", &[("forwarded", plain)]).await.is_hit(), "{plain}");
    }
    for steering in [
        "HOST=evil.test",
        "for=192.0.2.1;host=evil.test",
        "for=192.0.2.1, for=192.0.2.2;Host=\"evil.test\"",
        "for=192.0.2.1;proto=evil",
        "host =evil.test",
        "for=\"a;host=evil.test",
        ";;host=evil.test",
    ] {
        let cache = echo();
        cache.get("/x", &[("forwarded", steering)]).await;
        let plain = cache.get("/x", &[]).await;
        assert!(!plain.is_hit(), "{steering}");
        let behind = [("forwarded", "for=192.0.2.1"), ("forwarded", steering)];
        assert_ne!(cache.get("/x", &behind).await.body, plain.body, "{steering}");
    }
}

#[tokio::test]
async fn c10_a_field_that_is_ignored_is_no_part_of_the_key() {
    for (name, value, field) in STEERING {
        let cache = Harness::with(
            |layer| layer.key(move |head| KeyParts::from(head).ignored(field)),
            echoed,
        );
        cache.get("/x", &[(name, value)]).await;
        assert!(cache.get("/x", &[]).await.is_hit(), "{name}");
        for (other, value, field_of_other) in STEERING {
            if field_of_other != field {
                assert!(!cache.get("/x", &[(other, value)]).await.is_hit(), "{other} {name}");
            }
        }
    }
}

/// Only two of them stand for something else that is in the key; and what is no scheme does not.
#[tokio::test]
async fn c10_a_field_that_is_trusted_is_still_told_apart() {
    for (name, value, field) in STEERING {
        let cache = Harness::with(
            |layer| layer.key(move |head| KeyParts::from(head).trusted(field)),
            echoed,
        );
        cache.get("/x", &[(name, value)]).await;
        assert!(!cache.get("/x", &[]).await.is_hit(), "{name}");
        assert!(cache.get("/x", &[(name, value)]).await.is_hit(), "{name}");
    }
}

#[tokio::test]
async fn c10_a_trusted_host_and_scheme_stand_for_the_requests_own() {
    let cache = Harness::with(
        |layer| {
            layer.key(|head| {
                KeyParts::from(head)
                    .trusted(SteeringField::XForwardedHost)
                    .trusted(SteeringField::XForwardedProto)
            })
        },
        echoed,
    );
    let get = async |fields: &[(&str, &str)]| cache.get("/x", fields).await.is_hit();
    assert!(!get(&[("host", "inside:8080"), ("x-forwarded-host", "Shop.test")]).await);
    assert!(get(&[("host", "other:8081"), ("x-forwarded-host", "shop.test")]).await);
    assert!(get(&[("host", "shop.test")]).await, "the same authority");
    assert!(!get(&[("host", "shop.test"), ("x-forwarded-host", "b.test")]).await);
    assert!(!get(&[("host", "shop.test"), ("x-forwarded-proto", "https")]).await);
    assert!(get(&[("host", "shop.test:443"), ("x-forwarded-proto", "https")]).await);
    assert!(get(&[("host", "shop.test:80"), ("x-forwarded-proto", "http")]).await);
    for hosts in [&["a.test", "b.test"][..], &["a.test, b.test"], &[""], &["a b"]] {
        let fields: Vec<_> = hosts.iter().map(|host| ("x-forwarded-host", *host)).collect();
        let request = request("GET", "/x", &fields);
        is_never_stored(&cache, &format!("{hosts:?}"), Reason::Authority, &request).await;
    }
}

#[tokio::test]
async fn c10_x_forwarded_for_is_neither_a_part_of_the_key_nor_a_bypass() {
    let cache = echo();
    cache.get("/x", &[("x-forwarded-for", "192.0.2.1")]).await;
    for fields in [&[("x-forwarded-for", "192.0.2.2")][..], &[], &[("x-forwarded-for", "host=a")]] {
        assert!(cache.get("/x", fields).await.is_hit(), "{fields:?}");
    }
}

#[tokio::test]
async fn c10_a_method_override_goes_past_the_cache() {
    for name in ["x-http-method-override", "X-HTTP-Method", "x-method-override"] {
        for value in ["DELETE", "delete", "GET", ""] {
            let cache = echo();
            for method in ["GET", "HEAD"] {
                let request = request(method, "/x", &[(name, value)]);
                is_never_stored(&cache, name, Reason::MethodOverride, &request).await;
            }
            assert!(!cache.get("/x", &[]).await.is_hit(), "{name}");
            let overridden = cache.get("/x", &[(name, value)]).await;
            assert!(!overridden.is_hit(), "{name}: it is not answered from the store");
            assert_eq!(reason(&overridden), Some(Reason::MethodOverride));
            let plain = cache.get("/x", &[]).await;
            assert!(plain.is_hit() && !plain.body.contains("method"), "{name}");
        }
    }
}

fn with_content(method: &str, fields: &[(&str, &str)], content: Body) -> Request<Body> {
    let mut request = request(method, "/x", fields);
    *request.body_mut() = content;
    request
}

/// Content whose length nobody knows before it has come.
fn streamed(parts: &'static [&'static str]) -> Body {
    Body::from_stream(futures_util::stream::iter(
        parts.iter().map(|part| {
            Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(part.as_bytes()))
        }),
    ))
}

#[tokio::test]
async fn c13_a_get_or_head_with_content_goes_past_the_cache() {
    for is_filled in [false, true] {
        let cache = echo();
        if is_filled {
            cache.get("/x", &[]).await;
        }
        let declared: [&[(&str, &str)]; 5] = [
            &[],
            &[("content-length", "4")],
            &[("content-length", "0")],
            &[("transfer-encoding", "chunked")],
            &[("content-type", "application/x-www-form-urlencoded")],
        ];
        for method in ["GET", "HEAD"] {
            for fields in declared {
                for content in [Body::from("a=b&"), streamed(&["a=", "b&"]), streamed(&[])] {
                    let got = cache.send(with_content(method, fields, content)).await;
                    assert_eq!(reason(&got), Some(Reason::RequestBody), "{method} {fields:?}");
                }
            }
        }
        let empty = cache.get("/x", &[]).await;
        assert_eq!(empty.is_hit(), is_filled, "what a fat request got was stored");
    }
}

#[tokio::test]
async fn c13_content_that_is_only_declared_counts_too() {
    for fields in [
        &[("content-length", "4")][..],
        &[("content-length", "00")],
        &[("content-length", "x")],
        &[("transfer-encoding", "chunked")],
        &[("transfer-encoding", "")],
    ] {
        let cache = echo();
        cache.get("/x", &[]).await;
        let request = request("GET", "/x", fields);
        is_never_stored(&cache, &format!("{fields:?}"), Reason::RequestBody, &request).await;
    }
    let cache = echo();
    cache.get("/x", &[("content-length", "0")]).await;
    assert!(cache.get("/x", &[("content-length", "0")]).await.is_hit(), "no content");
}
