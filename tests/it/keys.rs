//! What a key is made of: nobody is served what was made for another request.

mod origin;
mod posted;
mod steering;
mod target;

use axum::body::Body;
use http::{HeaderValue, Request};
use tower_keep::cache::{CacheOutcome, CachePolicy, DefaultFreshness, KeyParts, Reason};

use crate::support::{Got, Harness, request, response};

/// A cache over a service that answers with what it was asked, and lets it be kept for a minute.
fn echo() -> Harness {
    Harness::new(echoed)
}

fn echoed(request: &Request<Body>, call: usize) -> axum::response::Response {
    let mut seen = format!("call {call}: {} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        seen.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    response(&[("cache-control", "max-age=60")], seen)
}

fn reason(got: &Got) -> Option<Reason> {
    got.outcome.as_ref().and_then(CacheOutcome::reason)
}

/// Sends each request twice: each must be told from all that came before, and known again.
async fn each_has_its_own_entry(cache: &Harness, requests: Vec<(String, Request<Body>)>) {
    let again: Vec<_> = requests.iter().map(|(_, request)| copy(request)).collect();
    let mut bodies = Vec::new();
    for (what, request) in requests {
        let got = cache.send(request).await;
        assert!(!got.is_hit(), "{what} was taken for one before it");
        bodies.push((what, got.body));
    }
    for ((what, body), request) in bodies.into_iter().zip(again) {
        let got = cache.send(request).await;
        assert!(got.is_hit(), "{what} was not stored, or was dropped");
        assert_eq!(got.body, body, "{what}");
    }
}

/// The request goes to the service each time, and nothing of its answer is stored.
async fn is_never_stored(cache: &Harness, what: &str, wanted: Reason, request: &Request<Body>) {
    let entries = cache.store.entries();
    for _ in 0..2 {
        let calls = cache.inner.calls();
        let got = cache.send(copy(request)).await;
        assert_eq!(cache.inner.calls(), calls + 1, "{what}");
        assert_eq!(reason(&got), Some(wanted), "{what}");
    }
    assert_eq!(cache.store.entries(), entries, "{what}");
}

/// The same head without content.
fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

#[tokio::test]
async fn c16_values_that_hold_separators_do_not_run_together() {
    let cache = Harness::new(|_, call| {
        response(&[("cache-control", "max-age=60"), ("vary", "x-one, x-two")], format!("{call}"))
    });
    let values: &[(&[u8], &[u8])] = &[
        (b"a", b"b"),
        (b"a|b", b""),
        (b"", b"a|b"),
        (b"a,b", b""),
        (b"a", b",b"),
        (b"ab", b""),
        (b"a\tb", b""),
        (b"a\tb", b"b"),
        (b"a\xff", b"b"),
        (b"a", b"\xffb"),
        (b"a\x80", b"b"),
        (b"x-two: b", b""),
        (b"x-two", b"b"),
        // As a length of eight bytes might look, as far as a field value can.
        (b"a\x80\x80\x80\x80\x80\x80\x80\x80", b"b"),
        (b"\"a", b"b\""),
        (b"\"a,b\"", b""),
        (b"\"a , b\"", b""),
    ];
    let requests = values.iter().map(|(one, two)| {
        let mut request = request("GET", "/x", &[]);
        for (name, value) in [("x-one", one), ("x-two", two)] {
            request.headers_mut().insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        (format!("{one:?} {two:?}"), request)
    });
    each_has_its_own_entry(&cache, requests.collect()).await;
}

#[tokio::test]
async fn c16_a_missing_selecting_field_is_no_empty_one() {
    for (one, two) in
        [("x-one", "x-two"), ("accept-encoding", "accept-language"), ("authorization", "cookie")]
    {
        let cache = Harness::new(move |_, call| {
            let vary = format!("{one}, {two}");
            let fields = [("cache-control", "public, max-age=60"), ("vary", vary.as_str())];
            response(&fields, format!("{call}"))
        });
        let requests: [&[(&str, &str)]; 4] =
            [&[], &[(one, "")], &[(two, "")], &[(one, ""), (two, "")]];
        let named = |fields| (format!("{fields:?}"), request("GET", "/", fields));
        each_has_its_own_entry(&cache, requests.into_iter().map(named).collect()).await;
    }
}

#[tokio::test]
async fn c16_parts_of_a_key_function_do_not_run_together() {
    let parts = |head: tower_keep::head::RequestHead<'_>| -> Vec<Vec<u8>> {
        head.headers.get_all("x-part").iter().map(unescaped).collect()
    };
    let cache = Harness::with(
        move |layer| {
            layer.key(move |head| {
                parts(head).into_iter().fold(KeyParts::from(head), |key, part| key.part(part))
            })
        },
        echoed,
    );
    let lists: &[&[&str]] = &[
        &[],
        &[""],
        &["", ""],
        &["ab", "c"],
        &["a", "bc"],
        &["abc"],
        &["ab", "c", ""],
        &["", "ab", "c"],
        // The bytes that stand for one part of the length one, and for its length.
        &["\\01\\00\\00\\00\\00\\00\\00\\00a"],
        &["a", "\\00"],
        &["a\\00"],
        // A part that looks like the target that follows it.
        &["/x"],
    ];
    let requests = lists.iter().map(|list| {
        let fields: Vec<_> = list.iter().map(|part| ("x-part", *part)).collect();
        (format!("{list:?}"), request("GET", "/x", &fields))
    });
    each_has_its_own_entry(&cache, requests.collect()).await;
}

/// Where a key function makes up the target, it may hold any byte.
#[tokio::test]
async fn c16_a_target_does_not_read_like_a_part() {
    let cache = Harness::with(
        |layer| {
            layer.key(|head| {
                let field = |name| head.headers.get(name).map(unescaped);
                let target = field("x-target").map(|target| String::from_utf8(target).unwrap());
                let key = KeyParts::from(head).target(target.unwrap_or_default());
                field("x-part").into_iter().fold(key, |key, part| key.part(part))
            })
        },
        echoed,
    );
    let one = "\\01\\00\\00\\00\\00\\00\\00\\00";
    let (written, twice) = (format!("{one}a/x"), format!("{one}{one}a/x"));
    let requests = [
        [("x-part", "a"), ("x-target", "/x")].to_vec(),
        [("x-target", written.as_str())].to_vec(),
        [("x-target", twice.as_str())].to_vec(),
        [("x-part", one), ("x-target", "a/x")].to_vec(),
        [("x-target", "/x")].to_vec(),
        [("x-target", "")].to_vec(),
    ];
    let requests = requests.map(|fields| (format!("{fields:?}"), request("GET", "/x", &fields)));
    each_has_its_own_entry(&cache, requests.into()).await;
}

/// `\00` becomes the byte zero, which no field value can hold.
fn unescaped(value: &HeaderValue) -> Vec<u8> {
    let text = value.to_str().unwrap();
    text.replace("\\00", "\0").replace("\\01", "\x01").into_bytes()
}

#[tokio::test]
async fn c16_scopes_and_hosts_do_not_run_together() {
    let whole = Harness::with(|layer| layer.scope("ab"), echoed);
    let layers = ["", "a", "ab", "abhttp"].map(|scope| whole.layer.clone().scope(scope));
    for (at, layer) in layers.iter().enumerate() {
        for host in ["c.test", "bc.test", "abc.test", "httpc.test"] {
            let service = tower::Layer::layer(layer, whole.inner.clone());
            let request = request("GET", "/x", &[("host", host)]);
            let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
            assert!(!Got::read(response).await.is_hit(), "scope {at} and {host}");
        }
    }
}

/// Ends like a style sheet, a script or a picture, to one reader of URLs or another.
const DECEPTIONS: [&str; 12] = [
    "/account/x.css",
    "/account%3b.css",
    "/account;.js",
    "/account%0a.css",
    "/account%00.css",
    "/account%3fx.css",
    "/account%23x.css",
    "/account?x.css",
    "/static/..%2faccount",
    "/static/../account",
    "/account/.png",
    "/favicon.ico",
];

#[tokio::test]
async fn c17_no_path_is_a_reason_to_store() {
    let said: [&[(&str, &str)]; 4] = [
        &[("content-type", "text/css")],
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "no-store, max-age=60")],
        &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
    ];
    for fields in said {
        let cache = Harness::new(move |_, call| response(fields, format!("{call}")));
        for path in DECEPTIONS {
            assert!(!cache.get(path, &[]).await.is_hit());
            assert!(!cache.get(path, &[]).await.is_hit(), "{path} {fields:?}");
        }
        assert!(cache.store.is_empty(), "{fields:?}");
    }
}

#[tokio::test]
async fn c17_no_path_makes_the_page_of_a_session_storable() {
    let minute = DefaultFreshness::fixed(std::time::Duration::from_secs(60));
    for policy in [CachePolicy::shared().default_freshness(minute), CachePolicy::rfc9111()] {
        let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        let cache = Harness::with(
            |layer| layer.policy(policy),
            move |_, call| response(&[modified], format!("{call}")),
        );
        for path in DECEPTIONS {
            assert!(!cache.get(path, &[("cookie", "session=1")]).await.is_hit());
            assert!(!cache.get(path, &[]).await.is_hit(), "{path}");
        }
    }
}

#[tokio::test]
async fn c17_no_path_keeps_out_what_its_directives_let_in() {
    let cache = echo();
    for path in DECEPTIONS {
        assert!(!cache.get(path, &[]).await.is_hit());
        assert!(cache.get(path, &[]).await.is_hit(), "{path}");
    }
}
