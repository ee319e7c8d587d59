//! The bytes of a partial answer, cut out of a body that comes in pieces (RFC 9110 §14.6).

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;

use bytes::{Buf, Bytes};

/// What is still to be sent.
#[derive(Debug)]
pub(crate) struct Parts {
    parts: VecDeque<Part>,
    /// What follows the last part.
    closing: Bytes,
    /// How many bytes of the body were taken.
    at: u64,
}

/// Bytes of the body, and what stands before them.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) lead: Bytes,
    /// Not empty, and behind that of the part before.
    pub(crate) range: Range<u64>,
}

impl Parts {
    /// The bytes of the range, and nothing else.
    pub(crate) fn single(range: Range<u64>) -> Self {
        Self::new([Part { lead: Bytes::new(), range }], Bytes::new())
    }

    pub(crate) fn new(parts: impl IntoIterator<Item = Part>, closing: Bytes) -> Self {
        Self { parts: parts.into_iter().collect(), closing, at: 0 }
    }

    /// How many bytes are still to be sent.
    pub(crate) fn length(&self) -> u64 {
        let sum = |sum: u64, Part { lead, range }: &Part| {
            let bytes = range.end.saturating_sub(range.start);
            sum.saturating_add(lead.len() as u64).saturating_add(bytes)
        };
        self.parts.iter().fold(self.closing.len() as u64, sum)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.parts.is_empty() && self.closing.is_empty()
    }

    /// The next piece to send, never an empty one. What it takes of the body it takes from `source`, which holds the
    /// bytes that follow those taken before; nothing is copied.
    ///
    /// `None` where it is done, or where more of the body is needed and `source` is empty.
    pub(crate) fn next(&mut self, source: &mut Bytes) -> Option<Bytes> {
        let Some(part) = self.parts.front_mut() else {
            return taken(&mut self.closing);
        };
        if let Some(lead) = taken(&mut part.lead) {
            return Some(lead);
        }
        let skipped = at_most(part.range.start.saturating_sub(self.at), source);
        source.advance(skipped);
        self.at = self.at.saturating_add(skipped as u64);
        if source.is_empty() {
            return None;
        }
        let piece = source.split_to(at_most(part.range.end.saturating_sub(self.at), source));
        self.at = self.at.saturating_add(piece.len() as u64);
        part.range.start = self.at;
        if part.range.is_empty() {
            self.parts.pop_front();
        }
        Some(piece)
    }
}

fn taken(bytes: &mut Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then(|| mem::take(bytes))
}

/// So many bytes, or all that there are.
fn at_most(count: u64, source: &Bytes) -> usize {
    usize::try_from(count).map_or(source.len(), |count| count.min(source.len()))
}

#[cfg(test)]
mod tests;
