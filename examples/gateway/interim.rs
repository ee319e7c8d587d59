//! Interim responses (1xx) on HTTP/1.1: what hyper's server has no call for, RFC 9110 §15.2 wants from who forwards.
//!
//! The upstream's interim responses wait in a queue that the client's connection shares with the request it serves.
//! They are written when hyper flushes. It does so only with nothing left to write of its own, so they land between two
//! messages, never within one; and the final response is not handed to hyper before the queue is empty.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::{HeaderMap, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::fields;

/// The interim responses of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interims(Arc<Mutex<Queue>>);

/// The interim responses to one request; in its extensions on the way to the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Interim {
    queue: Interims,
    request: u64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Which request of this connection is being answered.
    request: u64,
    open: bool,
    bytes: Vec<u8>,
    answering: Option<Waker>,
}

impl Interims {
    /// Answers a request, and lets its interim responses out before. An HTTP/1.0 client may get none
    /// (RFC 9110 §15.2), an HTTP/2 connection carries many requests at once.
    pub(crate) async fn before<F: Future>(
        self,
        mut request: Request<hyper::body::Incoming>,
        answer: impl FnOnce(Request<hyper::body::Incoming>) -> F,
    ) -> F::Output {
        if request.version() != Version::HTTP_11 {
            return answer(request).await;
        }
        let interim = self.opened();
        request.extensions_mut().insert(interim);
        let mut answering = pin!(answer(request));
        let mut answer = None;
        poll_fn(|context| {
            self.lock().answering = Some(context.waker().clone());
            if answer.is_none() {
                answer = Some(ready!(answering.as_mut().poll(context)));
            }
            let mut queue = self.lock();
            if !queue.bytes.is_empty() {
                return Poll::Pending;
            }
            queue.open = false;
            answer.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn opened(&self) -> Interim {
        let mut queue = self.lock();
        queue.request = queue.request.wrapping_add(1);
        queue.open = true;
        queue.bytes.clear();
        Interim { queue: self.clone(), request: queue.request }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interim {
    /// Takes one from the upstream, unless the request is answered already: a revalidation behind it outlives it.
    pub(crate) fn push(&self, status: StatusCode, headers: &HeaderMap) {
        // hyper sends a 100 itself when the request's body is wanted; a 101 is no interim response here.
        if status == StatusCode::CONTINUE || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let mut headers = headers.clone();
        fields::clean_response(&mut headers, status);
        let mut queue = self.queue.lock();
        if !queue.open || queue.request != self.request || queue.bytes.len() > QUEUE_BYTES_MAX {
            return;
        }
        let phrase = status.canonical_reason().unwrap_or_default();
        // Writing to a Vec does not fail.
        let _ = write!(queue.bytes, "HTTP/1.1 {} {phrase}\r\n", status.as_str());
        for (name, value) in &headers {
            queue.bytes.extend_from_slice(name.as_str().as_bytes());
            queue.bytes.extend_from_slice(b": ");
            queue.bytes.extend_from_slice(value.as_bytes());
            queue.bytes.extend_from_slice(b"\r\n");
        }
        queue.bytes.extend_from_slice(b"\r\n");
        if let Some(answering) = queue.answering.take() {
            answering.wake();
        }
    }
}

/// A connection that writes them.
pub(crate) struct Relaying<T> {
    pub(crate) io: T,
    pub(crate) interims: Interims,
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Relaying<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, interims } = &mut *self;
        let mut queue = interims.lock();
        while !queue.bytes.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(context, &queue.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            queue.bytes.drain(..written);
            if queue.bytes.is_empty()
                && let Some(answering) = queue.answering.take()
            {
                answering.wake();
            }
        }
        drop(queue);
        Pin::new(io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Relaying<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

/// More than this is not kept for a client that does not read.
const QUEUE_BYTES_MAX: usize = 16 << 10;
