use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{CacheLayer, Reason};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::scripted::fresh;
use crate::support::{Got, Harness, Inner, request};

/// Bytes that are different at every place, so that nothing in them can change places unseen.
fn pattern(bytes: usize) -> Bytes {
    (0..bytes).map(|at| b"abcdefghijklmnopqrstuvwxyz"[(at % 26 + at / 26) % 26]).collect()
}

/// A body of this data in frames of these sizes, again and again.
fn framed(data: &Bytes, sizes: &'static [usize]) -> Body {
    let mut rest = data.clone();
    let frames = std::iter::from_fn({
        let mut sizes = sizes.iter().cycle();
        move || {
            let next = *sizes.next()?;
            (!rest.is_empty()).then(|| rest.split_to(next.min(rest.len())))
        }
    });
    Body::new(StreamBody::new(tokio_stream::iter(
        frames.map(|frame| Ok::<_, Infallible>(Frame::data(frame))),
    )))
}

fn with_length(length: Option<usize>, body: Body) -> Response<Body> {
    let length = length.map(|length| length.to_string());
    match &length {
        Some(length) => fresh(&[("content-length", length)], body),
        None => fresh(&[], body),
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_stored_and_one_byte_more_is_not() {
    for (bytes, is_stored) in [(0, true), (999, true), (1000, true), (1001, false), (5000, false)] {
        for has_length in [true, false] {
            for sizes in [&[100_usize][..], &[1], &[1000], &[1001], &[5000], &[999, 1, 1, 998]] {
                let data = pattern(bytes);
                let cache = Harness::with(
                    |layer| layer.body_bytes_max(1000),
                    move |_, _| with_length(has_length.then_some(bytes), framed(&data, sizes)),
                );
                let what = format!("{bytes} {has_length} {sizes:?}");
                assert_eq!(cache.get("/", &[]).await.body.as_bytes(), pattern(bytes), "{what}");
                let again = cache.get("/", &[]).await;
                assert_eq!(again.is_hit(), is_stored, "{what}");
                assert_eq!(again.body.as_bytes(), pattern(bytes), "{what}");
                assert_eq!(cache.store.entries(), u64::from(is_stored), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_length_over_the_cap_is_told_at_the_head() {
    // Once by the Content-Length, once by what the body says of itself.
    for length in [Some(1001), None] {
        let cache = Harness::with(
            |layer| layer.body_bytes_max(1000),
            move |_, _| with_length(length, Body::from(pattern(1001))),
        );
        let response = cache.start(request("GET", "/", &[])).await;
        assert_eq!(
            response.headers()["cache-status"],
            "tower-keep; fwd=uri-miss; detail=too-large"
        );
        assert_eq!(format!("{:?}", response.body()), "CacheBody(passing)");
        let got = Got::read(response).await;
        assert_eq!(got.outcome.unwrap().reason(), Some(Reason::TooLarge));
        assert_eq!(got.body.len(), 1001);
    }
}

#[tokio::test]
async fn a_store_that_keeps_less_than_the_layer_lowers_the_cap() {
    let store = MemoryStore::with_bytes_max(64 << 20).entry_bytes_max(4000);
    let layer = CacheLayer::with_clock(store.clone(), ManualClock::new());
    let inner = Inner::new(|request, _| {
        let bytes = request.uri().path().trim_start_matches('/').parse().unwrap();
        with_length(None, framed(&pattern(bytes), &[512]))
    });
    let service = layer.layer(inner);
    for (bytes, is_stored) in [(2000, true), (4001, false), (100_000, false)] {
        let path = format!("/{bytes}");
        for expected in [false, is_stored] {
            let response = service.clone().oneshot(request("GET", &path, &[])).await.unwrap();
            let got = Got::read(response).await;
            assert_eq!((got.is_hit(), got.body.len()), (expected, bytes));
        }
        assert!(store.bytes() <= 4000);
    }
}

#[tokio::test]
async fn a_big_body_is_stored_whole_whatever_its_frames() {
    let sizes: [&[usize]; 6] =
        [&[1], &[4095, 2], &[4096], &[65_537, 1], &[1, 70_000, 3, 4097], &[300_000]];
    for sizes in sizes {
        for has_length in [true, false] {
            let data = pattern(200_003);
            let cache = Harness::new(move |_, _| {
                with_length(has_length.then_some(data.len()), framed(&data, sizes))
            });
            let miss = cache.get("/", &[]).await;
            let hit = cache.get("/", &[]).await;
            assert!(!miss.is_hit() && hit.is_hit(), "{sizes:?}");
            assert!(miss.body.as_bytes() == pattern(200_003), "{sizes:?}");
            assert!(hit.body.as_bytes() == pattern(200_003), "{sizes:?}");
            assert_eq!(hit.field("content-length"), Some("200003"));
        }
    }
}
