//! What a cache needs and no more: of memory, and of the runtime.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, Partition, Reason};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::doubles::Keeping;
use crate::support::{Got, Harness, Inner, answered, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// A connection's buffer, of which a message is made; it tells whether anybody still holds a slice of it.
#[derive(Clone, Default)]
struct Buffer(Arc<()>);

struct Lent(Arc<()>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        let _ = &self.0;
        b"\"0123456789\""
    }
}

impl Buffer {
    fn bytes(&self) -> Bytes {
        Bytes::from_owner(Lent(self.0.clone()))
    }

    fn value(&self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.bytes()).unwrap()
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// A response all of which lies in the buffer.
    fn response(&self, status: u16) -> Response<Body> {
        let frames = if status == 304 {
            Vec::new()
        } else {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", self.value());
            vec![Ok::<_, Infallible>(Frame::data(self.bytes())), Ok(Frame::trailers(trailers))]
        };
        let mut response = answered(status, &[FRESH, ("vary", "x-name, cookie")], "")
            .map(|_| Body::new(StreamBody::new(stream::iter(frames))));
        for name in ["etag", "x-own"] {
            response.headers_mut().insert(HeaderName::from_static(name), self.value());
        }
        response
    }

    fn request(&self) -> Request<Body> {
        let mut request = request("GET", "/", &[]);
        for name in ["x-name", "cookie", "x-tenant", "x-host"] {
            request.headers_mut().insert(HeaderName::from_static(name), self.value());
        }
        request
    }
}

/// Else a small response would keep a large buffer in memory as long as it is stored.
#[tokio::test]
async fn what_is_stored_holds_no_buffer_that_it_came_in() {
    let (clock, store) = (ManualClock::new(), MemoryStore::with_bytes_max(1 << 20));
    let layer = CacheLayer::with_clock(store.clone(), clock.clone())
        .partition_by(Partition::header(HeaderName::from_static("x-tenant")));
    for (status, secs) in [(200, 0), (304, 61)] {
        clock.advance(Duration::from_secs(secs));
        let (asked, came) = (Buffer::default(), Buffer::default());
        let made = came.clone();
        let service = layer.layer(tower::service_fn(move |_: Request<Body>| {
            let response = made.response(status);
            async move { Ok::<_, Infallible>(response) }
        }));
        let got = Got::read(service.oneshot(asked.request()).await.unwrap()).await;
        assert!(got.outcome.unwrap().is_stored(), "{status}");
        // What a client gets of a miss is the inner service's own.
        assert_eq!(came.is_held(), status == 200);
        drop(got);
        assert!(!asked.is_held(), "a part of the request is kept: {status}");
        assert!(!came.is_held(), "a part of the response is kept: {status}");
        let again = layer.layer(Inner::new(|_, _| answered(500, &[], "")));
        let hit = again.oneshot(Buffer::default().request()).await.unwrap();
        assert!(Got::read(hit).await.is_hit(), "{status}");
    }
}

/// Answers with so many lines: of one name, or each of its own.
fn lines(count: usize, is_one_name: bool) -> HeaderMap {
    let mut lines = HeaderMap::new();
    for line in 0..count {
        let name = if is_one_name { "x-a".to_owned() } else { format!("x-{line}") };
        lines.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("1"));
    }
    lines
}

#[tokio::test]
async fn a_response_of_very_many_lines_passes_and_is_not_stored() {
    // One more line is Cache-Control.
    for (count, is_stored) in [(509, true), (510, false), (20_000, false), (30_000, false)] {
        for is_one_name in [true, false] {
            let count = if is_one_name { count } else { count.min(20_000) };
            let cache = Harness::new(move |_, _| {
                let mut response = response(&[FRESH], "page");
                response.headers_mut().extend(lines(count, is_one_name));
                response
            });
            let got = cache.get("/", &[]).await;
            assert_eq!(got.headers.len(), count + 2, "and Cache-Status");
            let reason = (!is_stored).then_some(Reason::TooLarge);
            assert_eq!((got.outcome.unwrap().is_stored(), got.reason()), (is_stored, reason));
            assert_eq!(cache.get("/", &[]).await.is_hit(), is_stored, "{count} {is_one_name}");
        }
    }
}

#[tokio::test]
async fn a_304_of_very_many_lines_passes_and_is_not_stored() {
    for (count, is_one_name) in [(512, true), (512, false), (30_000, true), (20_000, false)] {
        let cache = Harness::new(move |_, call| {
            let mut response = match call {
                0 => response(&[FRESH, ("etag", "\"1\"")], "page"),
                _ => answered(304, &[FRESH, ("etag", "\"1\"")], ""),
            };
            if call > 0 {
                response.headers_mut().extend(lines(count, is_one_name));
            }
            response
        });
        cache.get("/", &[]).await;
        cache.advance(61);
        let got = cache.get("/", &[]).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "page"));
        assert!(!got.outcome.unwrap().is_stored(), "{count} {is_one_name}");
        assert!(!cache.get("/", &[]).await.is_hit(), "{count} {is_one_name}");
    }
}

/// A length is only what the head says, and here neither layer nor store bounds it.
#[tokio::test]
async fn an_absurd_content_length_reserves_no_memory() {
    for length in [u64::MAX, i64::MAX as u64, 1 << 50] {
        let layer = CacheLayer::new(Keeping::default()).body_bytes_max(u64::MAX);
        let length = length.to_string();
        let service = layer
            .layer(Inner::new(move |_, _| response(&[FRESH, ("content-length", &length)], "page")));
        for _ in 0..2 {
            let got = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
            assert!(!got.body().outcome().is_hit(), "it was cut short");
            let got = crate::scripted::read(got.into_body()).await;
            assert_eq!(got.text(), "page");
            assert!(got.error.is_some(), "and that is told");
        }
    }
}

/// A store in this process answers at once, so its deadline needs no timer.
#[test]
fn a_runtime_without_a_timer_will_do_for_a_store_in_this_process() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(is_a_cache());
}

#[test]
fn no_runtime_is_needed_for_a_store_in_this_process() {
    is_a_cache().now_or_never().expect("it waits for nothing");
}

/// A miss, a hit, a validation, a variant and a write.
async fn is_a_cache() {
    let cache = Harness::new(|request, _| match request.headers().contains_key("if-none-match") {
        true => answered(304, &[("etag", "\"1\"")], ""),
        false => response(&[FRESH, ("etag", "\"1\""), ("vary", "x-name")], "page"),
    });
    assert!(!cache.get("/", &[]).await.is_hit());
    assert!(cache.get("/", &[]).await.is_hit());
    cache.advance(61);
    assert!(!cache.get("/", &[]).await.is_hit());
    assert!(cache.get("/", &[]).await.is_hit());
    cache.get("/", &[("x-name", "a")]).await;
    cache.send(request("PUT", "/", &[])).await;
    assert!(!cache.get("/", &[]).await.is_hit());
}
