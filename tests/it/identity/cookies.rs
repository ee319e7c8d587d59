//! Cookies, as clients send them and as services set them.

use axum::body::Body;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use tower_keep::cache::{CachePolicy, Reason, SetCookie};

use super::{LAST_MODIFIED, greeting, policies, reason};
use crate::support::{Harness, answered, request, response};

const COOKIE: (&str, &str) = ("cookie", "session=alice");

#[tokio::test]
async fn c18_a_page_for_a_cookie_is_not_stored_by_default_freshness() {
    for policy in policies() {
        for cookie in ["session=alice", "theme=dark", ""] {
            let cache = greeting(|layer| layer.policy(policy.clone()), &[LAST_MODIFIED]);
            cache.get("/", &[("cookie", cookie)]).await;
            assert!(cache.store.is_empty(), "{cookie}");
            let anonymous = cache.get("/", &[]).await;
            assert!(!anonymous.is_hit() && !anonymous.body.contains("alice"));
        }
    }
}

#[tokio::test]
async fn c18_the_same_page_without_a_cookie_is_stored_by_default_freshness() {
    for policy in policies().into_iter().skip(1) {
        let cache = greeting(|layer| layer.policy(policy), &[LAST_MODIFIED]);
        cache.get("/", &[]).await;
        assert!(cache.get("/", &[]).await.is_hit());
    }
}

#[tokio::test]
async fn c18_explicit_freshness_shares_a_page_for_a_cookie() {
    for policy in policies() {
        let cache = greeting(|layer| layer.policy(policy), &[("cache-control", "max-age=60")]);
        cache.get("/", &[COOKIE]).await;
        assert!(cache.get("/", &[]).await.is_hit());
    }
}

#[tokio::test]
async fn c18_where_vary_names_the_cookie_each_has_its_own_page() {
    let cache = greeting(|layer| layer, &[("cache-control", "max-age=60"), ("vary", "Cookie")]);
    let cookies: [&[(&str, &str)]; 6] = [
        &[],
        &[("cookie", "")],
        &[COOKIE],
        &[("cookie", "session=alic")],
        &[("cookie", "session=alice; a=b")],
        &[COOKIE, ("cookie", "a=b")],
    ];
    let mut bodies = Vec::new();
    for fields in cookies {
        let got = cache.get("/", fields).await;
        assert!(!got.is_hit(), "{fields:?}");
        bodies.push(got.body);
    }
    for (fields, body) in cookies.into_iter().zip(bodies) {
        let got = cache.get("/", fields).await;
        assert!(got.is_hit() && got.body == body, "{fields:?}");
    }
}

#[tokio::test]
async fn c18_a_policy_may_send_every_cookie_past_the_cache() {
    let cache = greeting(
        |layer| layer.policy(CachePolicy::shared().bypass_on_cookie()),
        &[("cache-control", "max-age=60")],
    );
    let got = cache.get("/", &[COOKIE]).await;
    assert_eq!(reason(&got), Some(Reason::Cookie));
    assert!(cache.store.is_empty(), "it stores nothing");
    cache.get("/", &[]).await;
    assert!(!cache.get("/", &[COOKIE]).await.is_hit(), "and looks nothing up");
    assert!(cache.get("/", &[]).await.is_hit());
}

/// Sets the cookie of whoever asks, under the fields given.
fn setting(policy: CachePolicy, fields: &'static [(&'static str, &'static str)]) -> Harness {
    Harness::with(
        |layer| layer.policy(policy),
        move |_, call| {
            let (one, two) = (format!("session={call}"), format!("csrf={call}"));
            let cookies = [("set-cookie", one.as_str()), ("Set-Cookie", two.as_str())];
            response(&[fields, &cookies].concat(), "page")
        },
    )
}

#[tokio::test]
async fn c19_a_response_that_sets_a_cookie_is_not_stored() {
    let said: [&'static [(&'static str, &'static str)]; 4] = [
        &[("cache-control", "max-age=60")],
        &[("cache-control", "public, s-maxage=60, immutable")],
        &[("cdn-cache-control", "max-age=60")],
        &[("expires", "Sun, 06 Nov 2094 08:49:37 GMT")],
    ];
    for fields in said {
        let cache = setting(CachePolicy::shared(), fields);
        let first = cache.get("/", &[]).await;
        assert_eq!(reason(&first), Some(Reason::SetCookie), "{fields:?}");
        assert!(cache.store.is_empty(), "{fields:?}");
        let second = cache.get("/", &[]).await;
        assert_eq!(second.field("set-cookie"), Some("session=1"), "its own");
    }
}

/// None of the answers that can be made of a stored response has a Set-Cookie.
async fn replays_no_cookie(cache: &Harness) {
    let asked: [&[(&str, &str)]; 5] = [
        &[],
        &[("if-none-match", "*")],
        &[("range", "bytes=0-1")],
        &[("range", "bytes=9-")],
        &[("cookie", "session=0")],
    ];
    for method in ["GET", "HEAD"] {
        for fields in asked {
            let got = cache.send(request(method, "/", fields)).await;
            assert!(got.is_hit(), "{method} {fields:?}");
            assert!(!got.headers.contains_key("set-cookie"), "{method} {fields:?}");
        }
    }
}

#[tokio::test]
async fn c19_a_policy_may_store_the_response_without_its_cookies() {
    let policy = CachePolicy::shared().set_cookie(SetCookie::StoredWithoutCookies);
    let cache = setting(policy, &[("cache-control", "max-age=60"), ("etag", "\"1\"")]);
    let first = cache.get("/", &[]).await;
    let cookies: Vec<_> = first.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["session=0", "csrf=0"], "the client that it was made for");
    replays_no_cookie(&cache).await;
}

/// RFC 9111 §5.2.2.4, §5.2.2.7: the qualified forms, for caches that store the rest.
#[tokio::test]
async fn c19_a_cookie_that_the_origin_excepts_is_left_out() {
    let said: [&'static [(&'static str, &'static str)]; 3] = [
        &[("cache-control", "max-age=60, no-cache=\"Set-Cookie\"")],
        &[("cache-control", "max-age=60, private=\"x-a, set-cookie\"")],
        &[("cache-control", "max-age=60"), ("cache-control", "No-Cache=set-cookie")],
    ];
    for fields in said {
        let cache = setting(CachePolicy::rfc9111(), fields);
        assert_eq!(cache.get("/", &[]).await.field("set-cookie"), Some("session=0"));
        replays_no_cookie(&cache).await;
        let strict = setting(CachePolicy::shared(), fields);
        strict.get("/", &[]).await;
        assert_ne!(strict.get("/", &[]).await.field("set-cookie"), Some("session=0"));
    }
}

/// RFC 9111 §7.3: allowed, and never without the origin's word.
#[tokio::test]
async fn c19_cookies_are_replayed_only_where_the_policy_and_the_origin_say_so() {
    for (fields, is_replayed) in [
        (&[("cache-control", "max-age=60")][..], true),
        (&[LAST_MODIFIED], false),
        (&[("cache-control", "public"), LAST_MODIFIED], false),
    ] {
        let cache = setting(CachePolicy::rfc9111(), fields);
        cache.get("/", &[]).await;
        let second = cache.get("/", &[]).await;
        assert_eq!(second.is_hit(), is_replayed, "{fields:?}");
        let wanted = if is_replayed { "session=0" } else { "session=1" };
        assert_eq!(second.field("set-cookie"), Some(wanted), "{fields:?}");
    }
}

/// Sets no cookie at first, and one for each client that validates.
fn greeted_on_return(request: &Request<Body>, call: usize) -> Response<Body> {
    let cookie = format!("session={call}");
    let fields =
        [("cache-control", "max-age=60"), ("etag", "\"1\""), ("set-cookie", cookie.as_str())];
    match request.headers().contains_key("if-none-match") || request.method() == "HEAD" {
        true if request.method() == "GET" => answered(304, &fields, ""),
        true => response(&fields, ""),
        false => response(&fields[..2], "page"),
    }
}

#[tokio::test]
async fn c19_a_cookie_set_by_a_validation_reaches_nobody_else() {
    for set_cookie in [SetCookie::NotStored, SetCookie::StoredWithoutCookies] {
        for method in ["GET", "HEAD"] {
            let policy = CachePolicy::shared().set_cookie(set_cookie);
            let cache = Harness::with(|layer| layer.policy(policy), greeted_on_return);
            cache.get("/", &[]).await;
            cache.advance(61);
            let second = cache.send(request(method, "/", &[])).await;
            assert_eq!(second.field("set-cookie"), Some("session=1"), "its own");
            let third = cache.get("/", &[]).await;
            assert!(third.is_hit(), "{set_cookie:?} {method}: validated all the same");
            assert!(!third.headers.contains_key("set-cookie"), "{set_cookie:?} {method}");
        }
    }
}

#[tokio::test]
async fn c19_a_cookie_in_trailers_is_not_replayed() {
    let cache = Harness::new(|_, _| {
        let mut trailers = HeaderMap::new();
        trailers.insert("set-cookie", "session=alice".parse().unwrap());
        trailers.insert("x-sum", "1".parse().unwrap());
        let frames = [
            Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from("page"))),
            Ok(http_body::Frame::trailers(trailers)),
        ];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync());
        let mut response = response(&[("cache-control", "max-age=60")], "");
        *response.body_mut() = body;
        response
    });
    cache.get("/", &[]).await;
    let hit = cache.get("/", &[]).await;
    let trailers = hit.trailers.clone().unwrap();
    assert!(hit.is_hit() && trailers.contains_key("x-sum"));
    assert!(!trailers.contains_key("set-cookie"));
    assert!(!hit.headers.contains_key("set-cookie"));
    assert!(!hit.field("trailer").unwrap_or_default().contains("set-cookie"));
}
