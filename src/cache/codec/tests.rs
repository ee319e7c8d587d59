//! Entries there and back, and everything that is no entry.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::*;
use crate::cache::entry::{Checked, Entry, EntryMeta, Staleness, Stored, StoredResponse};
use crate::cache::lines::Lines;
use crate::cache::mark::{Mark, Position, Target};
use crate::fields::etag;
use crate::fields::vary::VaryList;
use crate::time::{Moment, Ticks, Timestamp};

mod damage;
#[cfg(feature = "seal")]
mod forgery;
mod round;

fn key(bytes: &[u8]) -> CacheKey {
    CacheKey::for_test(bytes)
}

/// One of each form.
fn codecs() -> Vec<Codec> {
    vec![
        Codec::plain(),
        #[cfg(feature = "seal")]
        Codec::authenticated(forgery::keys(&[1])),
        #[cfg(feature = "seal")]
        Codec::encrypted(forgery::keys(&[1])),
    ]
}

fn map(lines: &[(&str, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    map
}

fn meta(headers: &HeaderMap) -> EntryMeta {
    let at = |millis: i64| Timestamp::from_millis(1_700_000_000_000 + millis);
    EntryMeta {
        status: StatusCode::OK,
        id: EntryMeta::next_id(),
        has_etag: etag::of(headers).is_some(),
        lines: Lines::copied_from(headers),
        lifetime: Duration::from_secs(3600),
        initial_age: Duration::from_micros(12_345_678),
        requested: Moment { wall: at(0), ticks: Ticks::from_nanos(1_000_000_000) },
        received: Moment { wall: at(250), ticks: Ticks::from_nanos(1_250_000_000) },
        began: Position { ledger: 7, mark: Mark::new(9) },
        checked: Checked::default(),
        tags: Box::new([Target::from_bytes([1; 16]), Target::from_bytes([2; 16])]),
        date: at(0),
        last_modified: Some(at(-86_400_000)),
        vary: VaryList::default(),
        staleness: Staleness::default(),
        immutable: false,
        is_explicit: true,
        is_hinted: false,
        is_local: true,
        residence_seen: AtomicU64::new(0),
    }
}

fn response(headers: &HeaderMap, body: &[u8], trailers: Option<HeaderMap>) -> Entry {
    whole(meta(headers), body, trailers)
}

fn whole(meta: EntryMeta, body: &[u8], trailers: Option<HeaderMap>) -> Entry {
    let (body, trailers) = (Bytes::copy_from_slice(body), trailers.map(Box::new));
    Entry(Stored::Response(Arc::new(StoredResponse { meta, body, trailers })))
}

/// An ordinary response: eight fields.
fn page(body: &[u8]) -> Entry {
    let fields = map(&[
        ("date", b"Tue, 14 Nov 2023 22:13:20 GMT"),
        ("content-type", b"text/html; charset=utf-8"),
        ("cache-control", b"public, max-age=3600"),
        ("etag", b"\"33a64df551425fcc55e4d42a148795d9\""),
        ("last-modified", b"Mon, 13 Nov 2023 22:13:20 GMT"),
        ("x-request-id", b"0c9a4a8e-6f1b-4d07-9f0e-2b4c1b8c9d10"),
        ("link", b"</a.css>; rel=preload"),
        ("link", b"</b.js>; rel=preload"),
    ]);
    response(&fields, body, None)
}

fn stored(entry: &Entry) -> &StoredResponse {
    match &entry.0 {
        Stored::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn decoded(key: &CacheKey, bytes: &[u8], codec: &Codec) -> Option<Entry> {
    Entry::decode(key, Bytes::copy_from_slice(bytes), codec)
}
