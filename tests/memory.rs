//! How much memory a streamed miss takes. The one test of its own program: nothing else allocates here.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty};
use peak_alloc::PeakAlloc;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const FRAME: usize = 64 << 10;
const CAP: usize = 1 << 20;
const FRAMES: usize = (8 << 20) / FRAME;
/// The heads of request and response and their copies, the boxed future of the request, the key, and the list
/// of what was gathered: some 1,400 bytes where this was written. The rest is room for other versions of the
/// dependencies, and still an eighth of a frame only.
const HEAD: usize = 8 << 10;

/// 128 frames, each allocated when it is asked for.
struct Frames {
    left: usize,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(vec![b'x'; FRAME].into()))))
    }
}

async fn inner(request: Request<Empty<Bytes>>) -> Result<Response<Frames>, Infallible> {
    let mut response = Response::builder().header("cache-control", "max-age=60");
    if request.uri().path() == "/length" {
        response = response.header("content-length", FRAMES * FRAME);
    }
    Ok(response.body(Frames { left: FRAMES }).unwrap())
}

/// What one request added to the memory in use: at most at any time, and when half of the body, four times
/// the cap, had come.
#[derive(Debug)]
struct Used {
    peak: usize,
    at_half: usize,
}

async fn used(path: &str, cap: usize) -> Used {
    let layer = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).body_bytes_max(cap as u64);
    let service = layer.layer(service_fn(inner));
    let mut at_half = 0;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let request = Request::get(format!("http://a.test{path}")).body(Empty::new()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.iter().all(|byte| *byte == b'x'));
        bytes += data.len();
        if bytes == FRAMES * FRAME / 2 {
            drop(data);
            at_half = MEMORY.current_usage().saturating_sub(before);
        }
    }
    let peak = MEMORY.peak_usage() - before;
    assert_eq!(bytes, FRAMES * FRAME, "the client gets all of it");
    assert_eq!(layer.handle().stats().stored, 0);
    Used { peak, at_half }
}

#[test]
fn a_streamed_miss_that_outgrows_the_cap_peaks_at_the_cap_and_two_frames() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Whatever is made once in a program is made here.
        used("/", CAP).await;
        let outgrown = used("/", CAP).await;
        println!("over the cap of {CAP}: {outgrown:?}");
        assert!(outgrown.peak <= CAP + 2 * FRAME + HEAD, "{outgrown:?}");
        assert!(outgrown.peak >= CAP, "it was gathered until then: {outgrown:?}");
        assert!(outgrown.at_half <= HEAD, "what was gathered is freed: {outgrown:?}");
        // Where the head says that it is too long, nothing is gathered at all.
        let known = used("/length", CAP).await;
        println!("with a length over it: {known:?}");
        assert!(known.peak <= 2 * FRAME + HEAD, "{known:?}");
    });
}
