//! Collapsed requests (RFC 9111 §4): one request for many, and a body that all of them read while it comes.
//!
//! [`Table`] knows the flight of a key. Who finds none leads it, and tells it by [`Lead`] what came; the others
//! follow. A body is behind its flight: whoever reads and has reached its end asks the inner body for more, on
//! behalf of all. So it comes as fast as the fastest reads, and needs no task of its own while anybody does.

mod asking;
mod follower;
mod gathered;
mod reader;
mod shared;
mod state;
mod table;
mod wakers;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use crate::error::BoxError;
use crate::rules::reason::Reason;
use crate::time::Ticks;

pub(crate) use follower::{Arrival, Follower};
pub(crate) use reader::{ReadError, Reader};
pub(crate) use shared::{Body, Shared};
pub(crate) use table::{Joined, Lead, Table};

/// The head of a response that others may use, and what a flight notes when it begins.
pub(crate) trait Head: Send + Sync + 'static {
    type Begun: Send + Sync;

    /// What of these trailers is for those who did not ask for them.
    fn shared(&self, trailers: &HeaderMap) -> HeaderMap;
}

/// An inner body, whoever polls it.
pub(crate) trait Source: Send {
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>;

    fn is_end_stream(&self) -> bool;
}

/// What becomes of a body. Each is told its end exactly once, when no lock is held.
pub(crate) trait Sink<H: Head>: Send {
    fn complete(
        self: Box<Self>,
        flight: &Arc<Shared<H>>,
        head: Arc<H>,
        body: Bytes,
        trailers: Option<HeaderMap>,
    );

    fn abandon(self: Box<Self>, flight: &Arc<Shared<H>>, reason: Reason);
}

/// What a flight needs of its surroundings.
pub(crate) trait Keeper: Send + Sync + 'static {
    /// Does this in the background, within bounds. Where that cannot be, it is dropped, and no lock is held.
    fn keep_on(&self, work: Task);

    fn now(&self) -> Ticks;

    /// `None` where nothing keeps the time.
    fn sleep(&self, length: Duration) -> Option<Task>;

    /// Asks for memory for a body. What is refused must not be kept.
    fn take(&self, bytes: u64) -> bool;

    fn give_back(&self, bytes: u64);

    /// Whether so much could be had; if not, bodies that have not moved for a while make room.
    fn make_room(&self, bytes: u64);

    /// Notes a body that may have to make room.
    fn note(&self, body: Weak<dyn Yielding>);
}

/// A body on its way that may be let go of by the store, where its memory is needed for others.
pub(crate) trait Yielding: Send + Sync {
    /// Keeps nothing for the store any more, unless something came of it since then.
    fn yield_room(self: Arc<Self>, still_since: Ticks);
}

pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
