//! A body that comes from another thread.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Frame;
use loom::sync::Mutex;

use crate::cache::collapse::Source;
use crate::error::BoxError;

/// What was sent, and then waiting for more.
#[derive(Clone)]
pub(super) struct Origin(Arc<Mutex<Coming>>);

#[derive(Default)]
struct Coming {
    /// `None` is the end.
    frames: VecDeque<Option<&'static str>>,
    waker: Option<Waker>,
    /// So often it says that it has nothing, and at once that it has something.
    restless: u64,
}

impl Origin {
    pub(super) fn new(frames: impl IntoIterator<Item = Option<&'static str>>) -> Self {
        let frames = frames.into_iter().collect();
        Self(Arc::new(Mutex::new(Coming { frames, ..Coming::default() })))
    }

    pub(super) fn restless(self, times: u64) -> Self {
        self.0.lock().unwrap().restless = times;
        self
    }

    /// Wakes whoever waits, also where nothing was sent.
    pub(super) fn send(&self, frames: impl IntoIterator<Item = Option<&'static str>>) {
        let waker = {
            let mut coming = self.0.lock().unwrap();
            coming.frames.extend(frames);
            coming.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Source for Origin {
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut coming = self.0.lock().unwrap();
        if let Some(left) = coming.restless.checked_sub(1) {
            coming.restless = left;
            drop(coming);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(frame) = coming.frames.pop_front() else {
            let replaced = coming.waker.replace(cx.waker().clone());
            drop(coming);
            drop(replaced);
            return Poll::Pending;
        };
        Poll::Ready(frame.map(|data| Ok(Frame::data(Bytes::from_static(data.as_bytes())))))
    }

    fn is_end_stream(&self) -> bool {
        false
    }
}
