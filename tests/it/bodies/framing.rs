use axum::body::Body;
use http::Response;
use http_body::Body as _;

use crate::scripted::Step::Data;
use crate::scripted::{fresh, read, scripted};
use crate::support::{Harness, answered, request, response};

#[tokio::test]
async fn c62_length_on_a_hit_is_that_of_the_stored_body() {
    let framings: [&[(&str, &str)]; 4] = [
        &[],
        &[("content-length", "6")],
        &[("transfer-encoding", "chunked")],
        // RFC 9110 §8.6 allows no sign and RFC 9112 §6.1 no length beside a coding; only digits are left.
        &[("content-length", "0006"), ("transfer-encoding", "chunked")],
    ];
    for fields in framings {
        let cache = Harness::new(move |_, _| fresh(fields, scripted(&[Data("abc"), Data("def")])));
        cache.get("/", &[]).await;
        let hit = cache.get("/", &[]).await;
        assert!(hit.is_hit());
        assert_eq!(hit.headers.get_all("content-length").iter().count(), 1, "{fields:?}");
        assert_eq!(hit.field("content-length"), Some("6"), "{fields:?}");
        assert_eq!(hit.field("transfer-encoding"), None, "{fields:?}");
        assert_eq!(hit.body, "abcdef");
    }
}

#[tokio::test]
async fn c62_head_has_the_length_of_the_stored_body_and_none_of_it() {
    let cache = Harness::new(|_, _| fresh(&[], scripted(&[Data("abcdef")])));
    cache.get("/", &[]).await;
    let response = cache.start(request("HEAD", "/", &[])).await;
    assert_eq!(response.headers()["content-length"], "6");
    assert!(response.body().is_end_stream());
    assert_eq!(response.body().size_hint().exact(), Some(0));
    assert!(read(response.into_body()).await.frames.is_empty());
}

#[tokio::test]
async fn c62_not_modified_has_no_content_and_no_other_length() {
    let cache = Harness::new(|_, _| fresh(&[("etag", "\"a\"")], scripted(&[Data("abcdef")])));
    cache.get("/", &[]).await;
    for method in ["GET", "HEAD"] {
        let got = cache.send(request(method, "/", &[("if-none-match", "\"a\"")])).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (304, ""));
        // RFC 9110 §8.6: none, or that of the 200.
        assert!(matches!(got.field("content-length"), None | Some("6")));
        assert_eq!(got.field("transfer-encoding"), None);
    }
}

#[tokio::test]
async fn c62_part_has_the_length_of_the_part() {
    let cache = Harness::new(|_, _| fresh(&[("content-length", "6")], scripted(&[Data("abcdef")])));
    cache.get("/", &[]).await;
    let part = cache.get("/", &[("range", "bytes=1-3")]).await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "bcd"));
    assert_eq!(part.field("content-length"), Some("3"));
    let none = cache.get("/", &[("range", "bytes=9-")]).await;
    assert_eq!((none.status.as_u16(), none.body.as_str()), (416, ""));
    assert_eq!(none.field("content-length"), Some("0"));
}

/// RFC 9111 §3.2, §4.3.4: neither a 304 nor the answer to HEAD brings a body, so neither sets its length.
#[tokio::test]
async fn c62_validation_leaves_the_length_of_the_stored_body() {
    for (method, status) in [("GET", 304), ("HEAD", 304), ("HEAD", 200)] {
        for length in [None, Some("6"), Some("9999"), Some("0")] {
            let cache = Harness::new(move |_, call| {
                let mut fields = vec![("cache-control", "max-age=60"), ("etag", "\"a\"")];
                match call {
                    0 => return response(&fields, "abcdef"),
                    1 => {}
                    _ => panic!("one validation is enough"),
                }
                fields.extend(length.map(|length| ("content-length", length)));
                fields.push(("transfer-encoding", "chunked"));
                fields.push(("content-encoding", "gzip"));
                answered(status, &fields, "")
            });
            cache.get("/", &[]).await;
            cache.advance(61);
            cache.send(request(method, "/", &[])).await;
            if status == 200 && length.is_some_and(|length| length != "6") {
                // Another length is another representation (RFC 9111 §4.3.5).
                assert!(cache.store.is_empty());
                continue;
            }
            let hit = cache.get("/", &[]).await;
            assert!(hit.is_hit(), "{method} {status} {length:?}");
            assert_eq!(hit.field("content-length"), Some("6"), "{method} {status} {length:?}");
            assert_eq!(hit.field("transfer-encoding"), None);
            assert_eq!(hit.field("content-encoding"), None);
            assert_eq!(hit.body, "abcdef");
        }
    }
}

#[tokio::test]
async fn c62_empty_bodies_are_stored_with_a_length_of_none() {
    let bodies: [fn() -> Body; 4] =
        [Body::empty, || Body::from(""), || scripted(&[]), || scripted(&[Data(""), Data("")])];
    for body in bodies {
        let cache = Harness::new(move |_, _| fresh(&[], body()));
        let miss = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
        assert_eq!(miss.text(), "");
        let hit = cache.start(request("GET", "/", &[])).await;
        assert_eq!(hit.headers()["content-length"], "0");
        assert!(hit.body().is_end_stream());
        assert!(read(hit.into_body()).await.frames.is_empty());
        assert_eq!(cache.inner.calls(), 1);
    }
}

fn no_content(length: Option<&'static str>, body: Body) -> Response<Body> {
    let mut made = Response::builder().status(204).header("cache-control", "max-age=60");
    if let Some(length) = length {
        made = made.header("content-length", length);
    }
    made.body(body).unwrap()
}

/// RFC 9110 §8.6.
#[tokio::test]
async fn c62_204_has_no_length() {
    for length in [None, Some("0")] {
        let cache = Harness::new(move |_, _| no_content(length, Body::empty()));
        cache.get("/", &[]).await;
        for method in ["GET", "HEAD"] {
            let got = cache.send(request(method, "/", &[])).await;
            assert!(got.is_hit());
            assert_eq!(
                (got.status.as_u16(), got.field("content-length")),
                (204, None),
                "{length:?}"
            );
        }
    }
}

/// RFC 9110 §15.3.5: whatever the handler attached, it is stored without, or not at all.
#[tokio::test]
async fn c62_204_with_a_body_is_never_replayed_with_it() {
    for length in [None, Some("6")] {
        let cache = Harness::new(move |_, _| no_content(length, scripted(&[Data("abcdef")])));
        cache.get("/", &[]).await;
        for method in ["GET", "HEAD"] {
            let got = cache.send(request(method, "/", &[])).await;
            assert_eq!(got.status, 204);
            if got.is_hit() {
                assert_eq!(
                    (got.field("content-length"), got.body.as_str()),
                    (None, ""),
                    "{method}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_answer_to_head_is_not_stored_as_an_empty_body() {
    let cache = Harness::new(|request, _| {
        fresh(
            &[("content-length", "6")],
            match request.method().as_str() {
                "HEAD" => Body::empty(),
                _ => scripted(&[Data("abcdef")]),
            },
        )
    });
    let head = cache.send(request("HEAD", "/", &[])).await;
    assert_eq!((head.field("content-length"), head.body.as_str()), (Some("6"), ""));
    assert!(cache.store.is_empty());
    assert_eq!(cache.get("/", &[]).await.body, "abcdef");
}
