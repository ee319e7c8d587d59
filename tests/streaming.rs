//! How much memory a streaming response takes on its way through the conditional layers, and what it waits for. A program of
//! its own, with one test at a time: nothing else allocates here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty};
use peak_alloc::PeakAlloc;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::conditional::{ConditionalLayer, EtagLayer};
use tower_keep::store::MemoryStore;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const FRAME: usize = 64 << 10;
const FRAMES: usize = (1 << 30) / FRAME;
/// Heads, boxes and the channel.
const HEAD: usize = 16 << 10;

/// A body whose producer is paused until the test makes the next frame.
struct Paused {
    frames: Receiver<Bytes>,
    /// What it says of what is left, if it knows.
    left: Option<u64>,
}

impl Body for Paused {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = self.frames.poll_recv(cx);
        if let Poll::Ready(Some(frame)) = &polled {
            self.left = self.left.map(|left| left - frame.len() as u64);
        }
        polled.map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// What one test allocates is no other's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

type Slot = Mutex<Option<Response<Paused>>>;

/// A service that answers once, with a body that waits for the test.
fn paused(kind: &str, length: Option<u64>) -> (Sender<Bytes>, Slot) {
    let (producer, frames) = channel(1);
    let response = Response::builder().header("content-type", kind);
    let body = Paused { frames, left: length };
    (producer, Mutex::new(Some(response.body(body).unwrap())))
}

/// Reads the whole response, each frame made when the one before has come out: how much memory that took at most.
async fn passes<S, B>(service: S, producer: Sender<Bytes>, frame: usize, frames: usize) -> usize
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let request = Request::get("http://a.test/").body(Empty::new()).unwrap();
    // The head leaves before the producer has made anything.
    let response = service.oneshot(request).now_or_never().expect("the head is not held back");
    let response = response.unwrap();
    assert!(!response.headers().contains_key("etag"));
    let mut body = std::pin::pin!(response.into_body());
    for at in 0..frames {
        assert!(body.frame().now_or_never().is_none(), "nothing was made yet");
        producer.try_send(vec![at as u8; frame].into()).unwrap();
        let data = body.frame().now_or_never().expect("a frame leaves when it was made");
        let data = data.unwrap().unwrap().into_data().unwrap();
        assert_eq!(
            (data.len(), data.first(), data.last()),
            (frame, Some(&(at as u8)), Some(&(at as u8)))
        );
    }
    drop(producer);
    assert!(body.frame().await.is_none());
    MEMORY.peak_usage().saturating_sub(before)
}

/// Through both layers, and through both under a cache whose entries may have one frame.
async fn peaks(kind: &'static str, length: Option<u64>, frame: usize, frames: usize) -> [usize; 2] {
    let layers = |service| ConditionalLayer::new().layer(EtagLayer::new().layer(service));
    let (producer, slot) = paused(kind, length);
    let slot: &'static Slot = Box::leak(Box::new(slot));
    let answer = move |_: Request<Empty<Bytes>>| async move {
        Ok::<_, Infallible>(slot.lock().unwrap().take().unwrap())
    };
    let alone = passes(layers(service_fn(answer)), producer, frame, frames).await;
    let (producer, again) = paused(kind, length);
    *slot.lock().unwrap() = again.lock().unwrap().take();
    let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).body_bytes_max(FRAME as u64);
    let service = cache.layer(layers(service_fn(answer)));
    [alone, passes(service, producer, frame, frames).await]
}

fn measured(kind: &'static str, length: Option<u64>, frame: usize, frames: usize) {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // A channel of tokio's would make its reader wait now and then, so that others have a turn.
    runtime.block_on(tokio::task::unconstrained(async {
        // Whatever is made once in a program is made here.
        peaks(kind, length, frame, 3).await;
        let [alone, cached] = peaks(kind, length, frame, frames).await;
        println!("{frames} frames of {frame} bytes: {alone} alone, {cached} under the cache");
        assert!(alone <= 2 * frame + HEAD, "{alone}");
        assert!(cached <= 3 * frame + FRAME + HEAD, "{cached}");
    }));
}

#[test]
fn a_gibibyte_of_unknown_length_passes_in_a_few_frames() {
    measured("application/octet-stream", None, FRAME, FRAMES);
}

#[test]
fn a_gibibyte_that_says_its_length_passes_in_a_few_frames() {
    measured("application/octet-stream", Some(1 << 30), FRAME, FRAMES);
}

#[test]
fn an_event_stream_passes_event_by_event() {
    measured("text/event-stream", None, 64, 10_000);
}
