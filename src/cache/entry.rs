//! What a store keeps: stored responses, and the indexes that lead to their variants.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::cache::index::Index;
use crate::cache::key::Generation;
use crate::cache::lines::Lines;
use crate::fields::etag::EntityTag;
use crate::fields::vary::VaryList;
use crate::time::{Moment, Ticks, Timestamp};

/// What a [`Store`](crate::store::Store) keeps under one key: opaque, and cheap to clone.
///
/// An entry owns its bytes: none of them is a slice of a connection's buffer.
///
/// ```
/// use tower_keep::store::{CacheKey, Entry};
///
/// /// What an entry weighs in a store that is bounded in bytes.
/// fn weight(key: &CacheKey, entry: &Entry) -> u64 {
///     key.as_bytes().len() as u64 + entry.bytes()
/// }
/// # let _ = weight;
/// ```
#[derive(Clone)]
pub struct Entry(pub(crate) Stored);

#[derive(Clone, Debug)]
pub(crate) enum Stored {
    Response(Arc<StoredResponse>),
    /// Which fields select among the variants of a resource, and which variants there are.
    Index(Arc<Index>),
    /// The generation that the divisions of a resource hang on.
    Root(Generation),
}

#[derive(Debug)]
pub(crate) struct StoredResponse {
    pub(crate) meta: EntryMeta,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<Box<HeaderMap>>,
}

/// The head of a stored response, and what was read from it when it was stored: a hit parses no field.
#[derive(Debug)]
pub(crate) struct EntryMeta {
    /// Tells this head from every other in the process.
    pub(crate) id: u64,
    pub(crate) status: StatusCode,
    pub(crate) lines: Lines,
    /// RFC 9111 §4.2.1.
    pub(crate) lifetime: Duration,
    /// RFC 9111 §4.2.3: `corrected_initial_age`.
    pub(crate) initial_age: Duration,
    /// When it was asked for. Of two responses the one that was asked for later is the newer.
    pub(crate) requested: Ticks,
    /// When the response came: `response_time`.
    pub(crate) received: Moment,
    pub(crate) date: Timestamp,
    pub(crate) etag: Option<EntityTag>,
    pub(crate) last_modified: Option<Timestamp>,
    pub(crate) vary: VaryList,
    pub(crate) staleness: Staleness,
    /// RFC 8246: a reload need not ask again while the response is fresh.
    pub(crate) immutable: bool,
    /// Its freshness was not the policy's default.
    pub(crate) is_explicit: bool,
    /// Its freshness was a handler's hint, which no stored field tells of.
    pub(crate) is_hinted: bool,
    /// The longest residence that anybody was told, in milliseconds: ages do not run backwards, even if
    /// the wall clock does.
    pub(crate) residence_seen: AtomicU64,
}

/// When a stored response may be served although it is not fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Staleness {
    /// RFC 9111 §5.2.2.4: validated before every use.
    pub(crate) no_cache: bool,
    /// RFC 9111 §5.2.2.2, §5.2.2.8, §5.2.2.10: never served stale.
    pub(crate) forbidden: bool,
    /// RFC 5861 §3.
    pub(crate) while_revalidate: Duration,
    /// RFC 5861 §4.
    pub(crate) if_error: Duration,
}

impl Entry {
    /// About how many bytes of memory the entry takes: body, fields and what they are kept in.
    pub fn bytes(&self) -> u64 {
        let bytes = match &self.0 {
            Stored::Response(response) => response.bytes(),
            Stored::Index(index) => index.bytes(),
            Stored::Root(_) => 0,
        };
        (bytes + size_of::<Self>()) as u64
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Stored::Response(response) => {
                return write!(f, "Entry({}, {} bytes)", response.meta.status, response.body.len());
            }
            Stored::Index(_) => "index",
            Stored::Root(_) => "root",
        };
        write!(f, "Entry({kind})")
    }
}

impl StoredResponse {
    pub(crate) fn bytes(&self) -> usize {
        let trailers = self.trailers.as_deref().map_or(0, fields_bytes);
        size_of::<Self>() + self.meta.lines.bytes() + self.body.len() + trailers
    }
}

impl EntryMeta {
    /// RFC 9111 §4.2.3: `current_age`. It never runs backwards while the entry stays in this process.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        let by_ticks = now.ticks.as_nanos().saturating_sub(self.received.ticks.as_nanos()) / NANOS;
        let by_wall = now.wall.as_millis().saturating_sub(self.received.wall.as_millis());
        let millis = by_ticks.max(u64::try_from(by_wall).unwrap_or(0));
        // The wall clock may step forward and back again; what was once told stays told.
        let seen = self.residence_seen.load(Ordering::Relaxed);
        if millis > seen {
            self.residence_seen.fetch_max(millis, Ordering::Relaxed);
        }
        self.initial_age.saturating_add(Duration::from_millis(millis.max(seen)))
    }

    /// The field as it came, to send inwards in a conditional request.
    pub(crate) fn field(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.lines.get(name)
    }

    /// This head with other fields, for one answer: it is of no age and not to be stored.
    pub(crate) fn once(&self, lines: Lines, received: Moment) -> Self {
        Self {
            id: Self::next_id(),
            status: self.status,
            lines,
            lifetime: Duration::ZERO,
            initial_age: Duration::ZERO,
            requested: self.requested,
            received,
            date: self.date,
            etag: self.etag.clone(),
            last_modified: self.last_modified,
            vary: self.vary.clone(),
            staleness: self.staleness,
            immutable: self.immutable,
            is_explicit: self.is_explicit,
            is_hinted: self.is_hinted,
            residence_seen: AtomicU64::new(0),
        }
    }

    pub(crate) fn next_id() -> u64 {
        static IDS: AtomicU64 = AtomicU64::new(0);
        IDS.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn has_validator(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }
}

/// Names, values and the map's own memory.
fn fields_bytes(fields: &HeaderMap) -> usize {
    let text: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    text + fields.capacity() * FIELD_BYTES
}

/// In a millisecond.
const NANOS: u64 = 1_000_000;
/// What `HeaderMap` keeps for a field beside its text: the bucket, and its slot in the index.
const FIELD_BYTES: usize = 112;
