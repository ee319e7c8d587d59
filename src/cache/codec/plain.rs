//! Frames with sums: they find damage, and no malice.
//!
//! The head starts with the cache key itself. A sum that anybody can calculate would let two keys be found
//! that share one, so the key is compared whole.

use bytes::Bytes;
use twox_hash::XxHash3_64;

use crate::cache::codec::frame::{Form, Frame, Header, Kind, Sealed};
use crate::cache::codec::wire::Reader;

pub(super) fn seal(key: &[u8], kind: Kind, head: &[u8], body: &[u8]) -> Option<Bytes> {
    let key_bytes = u32::try_from(key.len()).ok()?.to_le_bytes();
    let head_bytes = (key_bytes.len() + key.len()).checked_add(head.len())?;
    let header = Header::new(Form::Plain, kind, 0, head_bytes, body.len())?;
    let mut keyed = Vec::with_capacity(head_bytes);
    for part in [&key_bytes, key, head] {
        keyed.extend_from_slice(part);
    }
    let head_sum = head_sum(header, &keyed);
    let mut out = Vec::with_capacity(header.frame_bytes()?);
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(&keyed);
    out.extend_from_slice(&head_sum.to_le_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&body_sum(head_sum, body).to_le_bytes());
    Some(out.into())
}

pub(super) fn open_head<'a>(key: &[u8], frame: &Frame<'a>) -> Option<&'a [u8]> {
    let mut reader = Reader::new(frame.head.bytes);
    let key_bytes = usize::try_from(reader.u32()?).ok()?;
    let is_ours = reader.take(key_bytes)? == key
        && head_sum(frame.header, frame.head.bytes).to_le_bytes() == frame.head.proof;
    is_ours.then(|| reader.rest())
}

/// The body of a frame whose head was found to be whole.
pub(super) fn open_body<'a>(frame: &Frame<'_>, body: Sealed<'a>) -> Option<&'a [u8]> {
    let head_sum = u64::from_le_bytes(frame.head.proof.try_into().ok()?);
    (body_sum(head_sum, body.bytes).to_le_bytes() == body.proof).then_some(body.bytes)
}

fn head_sum(header: Header, head: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(&header.to_bytes()), head)
}

/// Hangs on the head's, so that a body goes with its own head only.
fn body_sum(head_sum: u64, body: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(head_sum, body)
}
