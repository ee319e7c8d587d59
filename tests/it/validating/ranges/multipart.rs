//! Several ranges at once, how many of them, and what a part has not (RFC 9110 §14.6, §15.3.7.2).

use std::collections::HashSet;

use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::super::{ETAG, FRESH};
use super::{DIGITS, digits};
use crate::scripted::{Step, fresh, scripted};
use crate::support::{Got, Harness, request, response};

/// The content of a multipart, as its Content-Type says where it is divided: for each part its Content-Type, its
/// Content-Range and its bytes (RFC 2046 §5.1).
fn parts(got: &Got) -> Vec<(Option<&str>, &str, &str)> {
    assert_eq!((got.status.as_u16(), got.field("content-range")), (206, None));
    assert_eq!(got.field("content-length"), Some(&*got.body.len().to_string()));
    let boundary = boundary(got);
    let content = got.body.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let content = content.strip_suffix(&format!("\r\n--{boundary}--\r\n")).unwrap();
    let part = |part| {
        let (head, bytes) = str::split_once(part, "\r\n\r\n").unwrap();
        let field = |name| head.split("\r\n").find_map(|line| line.strip_prefix(name));
        (field("Content-Type: "), field("Content-Range: bytes ").unwrap(), bytes)
    };
    content.split(&format!("\r\n--{boundary}\r\n")).map(part).collect()
}

fn boundary(got: &Got) -> &str {
    let kind = got.field("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert!(boundary.len() == 32 && boundary.bytes().all(|byte| byte.is_ascii_hexdigit()));
    boundary
}

#[tokio::test]
async fn c24_several_ranges_of_a_stored_response_are_a_multipart() {
    let cache = digits(&[FRESH, ETAG, ("content-type", "text/plain"), ("x-own", "1")]).await;
    cache.advance(7);
    let text = Some("text/plain");
    for range in ["bytes=0-1,4-5", "bytes=0-1, ,4-5", "bytes=20-,0-1,4-5,10-,-0"] {
        let got = cache.get("/", &[("range", range)]).await;
        assert_eq!(parts(&got), [(text, "0-1/10", "01"), (text, "4-5/10", "45")], "{range}");
        let kept = ["etag", "cache-control", "date", "x-own"];
        assert!(got.is_hit() && kept.iter().all(|name| got.headers.contains_key(*name)));
        assert_eq!(got.field("age"), Some("7"));
    }
    // They may touch, and are then two all the same.
    let got = cache.get("/", &[("range", "bytes=0-3,4-4,-5")]).await;
    let all = [(text, "0-3/10", "0123"), (text, "4-4/10", "4"), (text, "5-9/10", "56789")];
    assert_eq!(parts(&got), all);
    // RFC 9110 §9.3.2, §14.2: not for HEAD.
    let head = cache.send(request("HEAD", "/", &[("range", "bytes=0-1,4-5")])).await;
    assert_eq!((head.status.as_u16(), head.field("content-length")), (200, Some("10")));
    // RFC 9110 §13.1.5: not for who holds other bytes.
    let other = [("range", "bytes=0-1,4-5"), ("if-range", "\"2\"")];
    assert_eq!(cache.get("/", &other).await.body, DIGITS);
    let same = [("range", "bytes=0-1,4-5"), ("if-range", "\"1\"")];
    assert_eq!(parts(&cache.get("/", &same).await).len(), 2);
    let bare = digits(&[FRESH]).await;
    let got = bare.get("/", &[("range", "bytes=0-1,4-5")]).await;
    assert_eq!(parts(&got), [(None, "0-1/10", "01"), (None, "4-5/10", "45")]);
    assert_eq!(cache.inner.calls(), 1);
}

#[tokio::test]
async fn c24_the_body_of_a_multipart_tells_its_size_and_its_end() {
    let cache = digits(&[FRESH, ETAG]).await;
    for (range, pieces) in [("bytes=3-5", 1), ("bytes=0-1,4-5", 5)] {
        let response = cache.start(request("GET", "/", &[("range", range)])).await;
        let length: u64 = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let mut body = response.into_body();
        assert_eq!(format!("{body:?}"), "CacheBody(parts)");
        let mut came = 0;
        for _ in 0..pieces {
            assert!(!body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some(length - came));
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(!piece.is_empty());
            came += piece.len() as u64;
        }
        assert!(body.is_end_stream(), "{range}");
        assert_eq!((came, body.size_hint().exact()), (length, Some(0)));
        assert!(body.frame().await.is_none());
    }
}

/// Who knew it could have content stored that ends a part and begins one of its own.
#[tokio::test]
async fn c24_nobody_can_foretell_the_boundary() {
    let cache = digits(&[FRESH, ETAG]).await;
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let got = cache.get("/", &[("range", "bytes=0-1,4-5")]).await;
        let number = u128::from_str_radix(boundary(&got), 16).unwrap();
        assert!(seen.insert(number));
    }
    // Each bit differs somewhere.
    let (all, any) = seen.iter().fold((u128::MAX, 0), |(all, any), one| (all & one, any | one));
    assert_eq!((all, any), (0, u128::MAX));
}

#[tokio::test]
async fn c24_more_ranges_than_ranges_max_are_a_200() {
    let of = |count: u64| (0..count).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(",");
    let mut cache = Harness::new(|_, _| response(&[FRESH], "x".repeat(100)));
    cache.get("/", &[]).await;
    let given = cache.layer.clone();
    for (set, most) in
        [(None, 8), (Some(0), 0), (Some(1), 1), (Some(2), 2), (Some(64), 64), (Some(1000), 64)]
    {
        let given = given.clone();
        cache.change(|_| set.map_or(given.clone(), |set| given.ranges_max(set)));
        for (count, status) in [(most, 206), (most + 1, 200)].into_iter().filter(|(n, _)| *n > 0) {
            let got = cache.get("/", &[("range", &format!("bytes={}", of(count)))]).await;
            assert_eq!((got.status.as_u16(), got.is_hit()), (status, true), "{set:?} {count}");
            assert_eq!(got.body.len() == 100, status == 200);
        }
    }
    cache.change(|_| given.clone().ranges_max(2));
    // Also those that it has not, and those that are of no use in all.
    for range in ["bytes=0-0,100-,-0", "bytes=100-,101-,102-"] {
        assert_eq!(cache.get("/", &[("range", range)]).await.status, 200, "{range}");
    }
    cache.change(|_| given.ranges_max(0));
    assert_eq!(cache.get("/", &[("range", "bytes=100-")]).await.status, 200);
}

/// The trailers of the whole are not those of a part, nor is the digest of its content (RFC 9530 §2).
#[tokio::test]
async fn c24_a_part_has_neither_the_trailers_nor_the_content_digest_of_the_whole() {
    let digests = [("content-digest", "sha-256=:AA==:"), ("repr-digest", "sha-256=:AA==:")];
    let cache = Harness::new(move |_, _| {
        fresh(&digests, scripted(&[Step::Data(DIGITS), Step::Trailer("x-sum", "45")]))
    });
    cache.get("/", &[]).await;
    let whole = cache.get("/", &[]).await;
    assert!(whole.is_hit() && whole.trailers.is_some());
    assert_eq!(whole.field("trailer"), Some("x-sum"));
    for range in ["bytes=0-1", "bytes=0-1,4-5"] {
        let got = cache.get("/", &[("range", range)]).await;
        assert_eq!((got.status.as_u16(), got.trailers.as_ref()), (206, None), "{range}");
        assert_eq!((got.field("trailer"), got.field("content-digest")), (None, None), "{range}");
        assert_eq!(got.field("content-length"), Some(&*got.body.len().to_string()));
        assert_eq!(got.field("repr-digest"), Some("sha-256=:AA==:"));
    }
}
