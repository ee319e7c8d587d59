//! A response on its way into the store, gathered while it passes to the client.

use bytes::Bytes;
use http::HeaderMap;

use crate::rules::reason::Reason;

/// Gathers a copy of a body, and hands it on when it is whole.
///
/// *Invariant*: what ended early, in an error, or at another length than it said, never reaches the sink's
/// `complete`. *Invariant*: it holds at most `bytes_max` and one segment.
pub(crate) struct Fill {
    gathered: Gathered,
    length: Option<u64>,
    bytes_max: u64,
    /// A length leaves open whether trailers follow, where the head announces some.
    awaits_trailers: bool,
    sink: Option<Box<dyn Sink>>,
}

/// Where a whole body goes.
pub(crate) trait Sink: Send {
    fn complete(self: Box<Self>, body: Bytes, trailers: Option<HeaderMap>);
    fn abandon(self: Box<Self>, reason: Reason);
}

impl Fill {
    /// `length` is the Content-Length, if there is one; at most `bytes_max`.
    pub(crate) fn new(
        length: Option<u64>,
        bytes_max: u64,
        awaits_trailers: bool,
        sink: Box<dyn Sink>,
    ) -> Self {
        Self { gathered: Gathered::default(), length, bytes_max, awaits_trailers, sink: Some(sink) }
    }

    /// Copies a part of the body. After an error the fill is to be abandoned.
    pub(crate) fn push(&mut self, data: &[u8]) -> Result<(), Reason> {
        let bytes = self.gathered.bytes.saturating_add(data.len() as u64);
        if bytes > self.bytes_max {
            return Err(Reason::TooLarge);
        }
        if self.length.is_some_and(|length| bytes > length) {
            return Err(Reason::Length);
        }
        self.gathered.push(data, self.length.unwrap_or(0));
        Ok(())
    }

    /// Whether all that the Content-Length announced is there.
    pub(crate) fn is_at_length(&self) -> bool {
        self.length == Some(self.gathered.bytes)
    }

    /// The body ended.
    pub(crate) fn finish(mut self, trailers: Option<HeaderMap>) {
        let Some(sink) = self.sink.take() else { return };
        if self.length.is_none() || self.is_at_length() {
            sink.complete(std::mem::take(&mut self.gathered).into_bytes(), trailers);
        } else {
            sink.abandon(Reason::Length);
        }
    }

    pub(crate) fn abandon(mut self, reason: Reason) {
        if let Some(sink) = self.sink.take() {
            sink.abandon(reason);
        }
    }
}

impl Drop for Fill {
    /// The reader left. RFC 9112 §6.3: a message is whole when its Content-Length is, and HTTP/1.1 servers
    /// ask for no more then. Not so in a panic.
    fn drop(&mut self) {
        let Some(sink) = self.sink.take() else { return };
        if self.is_at_length() && !self.awaits_trailers && !std::thread::panicking() {
            sink.complete(std::mem::take(&mut self.gathered).into_bytes(), None);
        } else {
            sink.abandon(Reason::ClientLeft);
        }
    }
}

/// Copied bytes, in segments: they never hold on to a connection's buffer, and growing copies nothing.
#[derive(Default)]
struct Gathered {
    segments: Vec<Vec<u8>>,
    bytes: u64,
}

impl Gathered {
    /// `length` is how many bytes will come in all, if that is known.
    fn push(&mut self, mut data: &[u8], length: u64) {
        self.bytes += data.len() as u64;
        while !data.is_empty() {
            let room = self.segments.last().map_or(0, |last| last.capacity() - last.len());
            if room == 0 {
                self.segments.push(Vec::with_capacity(self.next_segment(data.len(), length)));
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            if let Some(last) = self.segments.last_mut() {
                last.extend_from_slice(now);
            }
            data = later;
        }
    }

    /// The whole where its length is known, unless that is very much; else as much as came, within bounds, so that a body of many
    /// small frames takes few segments and one of large frames wastes little.
    fn next_segment(&self, came: usize, length: u64) -> usize {
        match usize::try_from(length) {
            Ok(length) if length > 0 && self.segments.is_empty() => length.min(SEGMENT_BYTES_FIRST),
            _ => came.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
        }
    }

    /// All of it in one piece of exactly its size.
    fn into_bytes(self) -> Bytes {
        let mut segments = self.segments;
        if segments.len() == 1 && segments.first().is_some_and(|only| only.len() == only.capacity())
        {
            return segments.pop().map(Bytes::from).unwrap_or_default();
        }
        let mut whole = Vec::with_capacity(segments.iter().map(Vec::len).sum());
        for segment in segments {
            whole.extend_from_slice(&segment);
        }
        Bytes::from(whole)
    }
}

const SEGMENT_BYTES_MIN: usize = 4 << 10;
const SEGMENT_BYTES_MAX: usize = 64 << 10;
/// A length is only what the head says: no more than this is reserved for it.
const SEGMENT_BYTES_FIRST: usize = 1 << 20;
