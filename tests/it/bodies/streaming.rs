use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http::Request;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::cache::{CacheBody, CacheLayer};
use tower_keep::store::MemoryStore;

use crate::scripted::Step::Data;
use crate::scripted::{fresh, paused, read, scripted};
use crate::support::{Harness, request};

#[tokio::test]
async fn a_streamed_miss_needs_one_frame_before_the_clients_first_byte() {
    // The last of these is at its end with the first frame, as far as its length tells.
    for length in [None, Some("11"), Some("5")] {
        let (script, body, made) = paused();
        let body = Mutex::new(Some(body));
        let cache = Harness::new(move |_, _| {
            let length: Vec<_> =
                length.map(|length| ("content-length", length)).into_iter().collect();
            fresh(&length, body.lock().unwrap().take().unwrap())
        });
        let response = cache.start(request("GET", "/", &[])).await;
        assert_eq!(format!("{:?}", response.body()), "CacheBody(passing and being stored)");
        assert_eq!(made.load(Ordering::Relaxed), 0, "the head waits for no frame");
        script.send(Data("first")).unwrap();
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        assert_eq!(made.load(Ordering::Relaxed), 1);
        if length == Some("5") {
            continue;
        }
        script.send(Data("second")).unwrap();
        drop(script);
        assert_eq!(read(body).await.text(), "second");
        assert_eq!(cache.get("/", &[]).await.body, "firstsecond");
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }
}

/// Nothing is read from the inner service that the client did not ask for.
#[tokio::test]
async fn a_slow_client_holds_the_inner_body_back() {
    let (script, body, made) = paused();
    for _ in 0..100 {
        script.send(Data("frame")).unwrap();
    }
    let body = Mutex::new(Some(body));
    let cache = Harness::new(move |_, _| fresh(&[], body.lock().unwrap().take().unwrap()));
    let mut body = cache.start(request("GET", "/", &[])).await.into_body();
    for asked in 1..=100 {
        body.frame().await.unwrap().unwrap();
        assert_eq!(made.load(Ordering::Relaxed), asked);
    }
}

#[tokio::test]
async fn every_frame_of_a_miss_passes_as_it_came_and_a_hit_is_one() {
    let cache =
        Harness::new(|_, _| fresh(&[], scripted(&[Data("a"), Data(""), Data("bc"), Data("def")])));
    let miss = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
    assert_eq!(miss.frames, ["a", "", "bc", "def"]);
    let hit = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
    assert_eq!(hit.frames, ["abcdef"]);
}

#[tokio::test]
async fn what_a_body_says_of_its_size_is_passed_on() {
    let cache = Harness::new(|request, _| match request.uri().path() {
        "/known" => fresh(&[], Body::from("abcdef")),
        _ => fresh(&[], scripted(&[Data("abcdef")])),
    });
    let miss = cache.start(request("GET", "/known", &[])).await.into_body();
    assert_eq!(miss.size_hint().exact(), Some(6));
    assert!(!miss.is_end_stream());
    read(miss).await;
    let miss = cache.start(request("GET", "/unknown", &[])).await.into_body();
    assert_eq!((miss.size_hint().lower(), miss.size_hint().upper()), (0, None));
    read(miss).await;
    for path in ["/known", "/unknown"] {
        let hit = cache.start(request("GET", path, &[])).await.into_body();
        assert_eq!(hit.size_hint().exact(), Some(6));
        assert!(!hit.is_end_stream());
        assert_eq!(read(hit).await.text(), "abcdef");
    }
}

/// Servers need not poll a body that says it is at its end, nor past the last frame of such a body.
#[tokio::test]
async fn a_body_that_says_it_is_at_its_end_is_stored_without_being_polled_there() {
    for (path, frames) in [("/", 0), ("/one", 1)] {
        let cache = Harness::new(|request, _| match request.uri().path() {
            "/" => fresh(&[], Body::empty()),
            _ => fresh(&[], Body::from("one")),
        });
        let mut body = cache.start(request("GET", path, &[])).await.into_body();
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        assert!(body.is_end_stream());
        drop(body);
        assert!(cache.get(path, &[]).await.is_hit());
    }
}

/// An entry owns its bytes: what is stored keeps no buffer of a connection alive.
#[tokio::test]
async fn a_stored_body_holds_no_buffer_of_the_inner_service() {
    struct Buffer(Arc<AtomicUsize>);
    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &[b'x'; 9000]
        }
    }
    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let count = alive.clone();
    let cache = Harness::new(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        let frame = Bytes::from_owner(Buffer(count.clone())).slice(..100);
        fresh(&[("content-length", "100")], Body::from(frame))
    });
    assert_eq!(cache.get("/", &[]).await.body.len(), 100);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    assert_eq!(cache.get("/", &[]).await.body, "x".repeat(100));
    assert_eq!(cache.inner.calls(), 1);
}

/// Frames of another type than `Bytes`, in several pieces, in a body that is not `Sync`.
#[tokio::test]
async fn a_body_of_any_buffer_passes_and_is_stored() {
    type Pieces = Chain<&'static [u8], &'static [u8]>;
    async fn inner(_: Request<Full<Bytes>>) -> Result<http::Response<OtherBody>, Infallible> {
        let not_sync = std::cell::Cell::new(0);
        let frames = ["ab", "ef"].into_iter().map(move |text| {
            not_sync.set(not_sync.get() + 1);
            Ok(Frame::data(text.as_bytes().chain(&b"+"[..])))
        });
        let body: OtherBody = Box::pin(StreamBody::new(tokio_stream::iter(frames)));
        Ok(http::Response::builder().header("cache-control", "max-age=60").body(body).unwrap())
    }
    type OtherBody =
        std::pin::Pin<Box<dyn http_body::Body<Data = Pieces, Error = Infallible> + Send>>;
    fn is_send<T: Send>(what: T) -> T {
        what
    }
    let mut service =
        CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).layer(service_fn(inner));
    for _ in 0..2 {
        let request = request("GET", "/", &[]).map(|_| Full::default());
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        let body: CacheBody<OtherBody> = is_send(response.into_body());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ab+ef+");
    }
}
