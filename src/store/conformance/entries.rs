//! Entries and keys to try a store with.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::cache::entry::{Checked, Entry, EntryMeta, Staleness, Stored, StoredResponse};
use crate::cache::index::Index;
use crate::cache::key::{CacheKey, Generation};
use crate::cache::lines::Lines;
use crate::cache::mark::Position;
use crate::fields::vary::VaryList;
use crate::time::{Moment, Ticks, Timestamp};

/// A stored response with a body of this length, or a little longer, which tells its number.
pub(crate) fn response(number: u64, body_bytes: usize) -> Entry {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(body_bytes.max(8), number as u8);
    body.shrink_to_fit();
    let mut headers = HeaderMap::new();
    headers.insert("x-number", HeaderValue::from(number));
    let response = StoredResponse { meta: meta(&headers), body: body.into(), trailers: None };
    Entry(Stored::Response(Arc::new(response)))
}

/// An index without variants, which tells its number by its generation.
pub(crate) fn index(number: u64) -> Entry {
    Entry(Stored::Index(Arc::new(Index::new(generation(number), VaryList::default()))))
}

/// The root of a resource's divisions.
pub(crate) fn root(number: u64) -> Entry {
    Entry(Stored::Root(Arc::new(generation(number))))
}

/// The key with these bytes, under what sets the suite's apart.
pub(crate) fn key(bytes: impl AsRef<[u8]>) -> CacheKey {
    let mut all = b"tower-keep conformance\0".to_vec();
    all.extend_from_slice(bytes.as_ref());
    CacheKey::from_bytes(&all)
}

/// The number of a response of the suite's.
pub(crate) fn number(entry: &Entry) -> Option<u64> {
    let (_, body) = parts(entry)?;
    let number = body.get(..8).and_then(|first| first.try_into().ok());
    number.map(u64::from_be_bytes)
}

/// Whether both are the same in all that a store could have damaged.
pub(crate) fn same(one: &Entry, other: &Entry) -> bool {
    match (&one.0, &other.0) {
        (Stored::Response(_), Stored::Response(_)) => parts(one) == parts(other),
        (Stored::Index(one), Stored::Index(other)) => one.generation() == other.generation(),
        (Stored::Root(one), Stored::Root(other)) => one == other,
        _ => false,
    }
}

fn parts(entry: &Entry) -> Option<((StatusCode, HeaderMap, Duration), &Bytes)> {
    let Stored::Response(response) = &entry.0 else { return None };
    let meta = &response.meta;
    Some(((meta.status, meta.lines.to_map(), meta.lifetime), &response.body))
}

fn generation(number: u64) -> Generation {
    Generation((u128::from(number) << 64 | u128::from(number)).to_be_bytes())
}

fn meta(headers: &HeaderMap) -> EntryMeta {
    let at = Moment { wall: Timestamp::from_secs(1_600_000_000), ticks: Ticks::from_nanos(1) };
    EntryMeta {
        id: EntryMeta::next_id(),
        status: StatusCode::OK,
        lines: Lines::copied_from(headers),
        lifetime: Duration::from_secs(60),
        initial_age: Duration::ZERO,
        requested: at,
        received: at,
        began: Position::default(),
        checked: Checked::default(),
        tags: Box::default(),
        date: at.wall,
        has_etag: false,
        last_modified: None,
        vary: VaryList::default(),
        staleness: Staleness::default(),
        immutable: false,
        is_explicit: true,
        is_hinted: false,
        is_local: true,
        residence_seen: AtomicU64::new(0),
    }
}
