//! How much memory streamed misses take. A program of its own, with one test at a time: nothing else allocates
//! here.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty};
use peak_alloc::PeakAlloc;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::{CacheBody, CacheLayer};
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
/// The most that one step of gathering takes beyond what came.
const SEGMENT: usize = 64 << 10;
const FILLS: usize = 8;

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

/// What one test allocates is no other's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(body: &mut CacheBody<Frames>) -> Option<usize> {
    Some(body.frame().await?.unwrap().into_data().unwrap().len())
}

/// Bodies of unknown length that grow side by side, each far over the cap: how much memory they added at most,
/// when half of each had come, and when half of them had then lost their clients.
async fn used_at_once(layer: &CacheLayer<MemoryStore>) -> (Used, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut bodies = Vec::with_capacity(FILLS);
    for at in 0..FILLS {
        let request = Request::get(format!("http://a.test/{at}")).body(Empty::new()).unwrap();
        bodies.push(layer.layer(service_fn(inner)).oneshot(request).await.unwrap().into_body());
    }
    // Up to the cap, where none of them is given up yet.
    for _ in 0..CAP / FRAME {
        for body in &mut bodies {
            assert_eq!(read(body).await, Some(FRAME));
        }
    }
    let peak = MEMORY.peak_usage() - before;
    bodies.truncate(FILLS / 2);
    // What goes on in the background is soon over the cap, and of use to nobody then.
    layer.handle().drain(Duration::from_secs(60)).await.unwrap();
    let after_leaving = MEMORY.current_usage() - before;
    for _ in CAP / FRAME..FRAMES / 2 {
        for body in &mut bodies {
            assert_eq!(read(body).await, Some(FRAME));
        }
    }
    let at_half = MEMORY.current_usage().saturating_sub(before);
    let peak = peak.max(MEMORY.peak_usage() - before);
    for body in &mut bodies {
        let mut rest = 0;
        while let Some(bytes) = read(body).await {
            rest += bytes;
        }
        assert_eq!(rest, FRAMES * FRAME / 2, "the client gets all of it");
    }
    (Used { peak, at_half }, after_leaving)
}

#[test]
fn c42_fills_at_once_take_the_cap_each_and_give_it_back() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let layer =
            CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).body_bytes_max(CAP as u64);
        used_at_once(&layer).await;
        let (used, after_leaving) = used_at_once(&layer).await;
        println!(
            "{FILLS} at once over the cap of {CAP}: {used:?}, {after_leaving} with half of them"
        );
        assert!(used.peak <= FILLS * (CAP + SEGMENT + HEAD) + 2 * FRAME, "{used:?}");
        assert!(used.peak >= FILLS * CAP, "all were gathered at the same time: {used:?}");
        assert!(after_leaving <= FILLS / 2 * (CAP + SEGMENT + HEAD), "{after_leaving}");
        assert!(used.at_half <= FILLS * HEAD, "what was gathered is freed: {used:?}");
        assert_eq!(layer.handle().stats().stored, 0);
    });
}

#[test]
fn a_streamed_miss_that_outgrows_the_cap_peaks_at_the_cap_and_two_frames() {
    let _alone = alone();
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
