//! Bodies that do what a test tells them, and what can be said of any body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a body does when it is polled.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Data(&'static str),
    Trailer(&'static str, &'static str),
    /// Not ready; it wakes its reader at once.
    Pending,
    Error,
    Panic,
}

/// A body that does these steps and then ends. Like a stream, it does not know that it is at its end
/// before it is polled there.
pub fn scripted(steps: &[Step]) -> Body {
    let (script, body, _) = paused();
    for step in steps {
        script.send(*step).unwrap();
    }
    body
}

/// The same as [`scripted`], but it says at any time how much data is left and whether it is at its end.
pub fn knowing(steps: &[Step]) -> Body {
    let (script, body, _) = paused_with(|script| {
        script.left = Some(steps.iter().map(Step::bytes).sum());
    });
    for step in steps {
        script.send(*step).unwrap();
    }
    body
}

/// A body that waits for its steps, and ends when the sender is dropped; and how many frames it has made.
pub fn paused() -> (UnboundedSender<Step>, Body, Arc<AtomicUsize>) {
    paused_with(|_| {})
}

fn paused_with(
    change: impl FnOnce(&mut Scripted),
) -> (UnboundedSender<Step>, Body, Arc<AtomicUsize>) {
    let (script, steps) = unbounded_channel();
    let made = Arc::new(AtomicUsize::new(0));
    let mut body = Scripted { steps, made: made.clone(), left: None };
    change(&mut body);
    (script, Body::new(body), made)
}

struct Scripted {
    steps: UnboundedReceiver<Step>,
    made: Arc<AtomicUsize>,
    /// The bytes to come, of a body that knows.
    left: Option<u64>,
}

impl Step {
    fn bytes(&self) -> u64 {
        if let Self::Data(data) = self { data.len() as u64 } else { 0 }
    }
}

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(step) = ready!(self.steps.poll_recv(cx)) else { return Poll::Ready(None) };
        if let Step::Pending = step {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        self.left = self.left.map(|left| left - step.bytes());
        Poll::Ready(Some(match step {
            Step::Data(data) => Ok(Frame::data(data.into())),
            Step::Trailer(name, value) => Ok(Frame::trailers(HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]))),
            Step::Error => Err(io::Error::other("the origin broke off")),
            Step::Pending | Step::Panic => panic!("the handler panics in its body"),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_some() && self.steps.is_closed() && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// A 200 with these fields that is fresh for a minute.
pub fn fresh(fields: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::builder().header("cache-control", "max-age=60");
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(body).unwrap()
}

/// All that came of a body, in order.
#[derive(Debug, Default)]
pub struct Read {
    pub frames: Vec<Bytes>,
    pub trailers: Option<HeaderMap>,
    /// The message of the error in which it ended.
    pub error: Option<String>,
}

impl Read {
    pub fn text(&self) -> String {
        String::from_utf8(self.frames.concat()).unwrap()
    }
}

/// Reads a body to its end or error, and checks at every step that what it says of the rest was true.
pub async fn read<B>(mut body: B) -> Read
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    let mut read = Read::default();
    let mut said = Vec::new();
    loop {
        said.push((body.is_end_stream(), body.size_hint(), read.frames.concat().len() as u64));
        let Some(frame) = body.frame().await else { break };
        let (ended, ..) = said.last().unwrap();
        assert!(!ended, "a frame after the end of the stream");
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => read.frames.push(data),
            Ok(Err(frame)) => read.trailers = frame.into_trailers().ok(),
            Err(error) => {
                read.error = Some(error.to_string());
                return read;
            }
        }
    }
    let whole = read.frames.concat().len() as u64;
    for (_, hint, before) in said {
        let rest = whole - before;
        assert!(hint.lower() <= rest, "{hint:?}, but {rest} bytes were left");
        assert!(hint.upper().is_none_or(|upper| rest <= upper), "{hint:?}, but {rest} were left");
    }
    assert!(body.frame().await.is_none(), "a frame after the end");
    read
}
