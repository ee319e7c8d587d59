//! What a store keeps: stored responses, and the indexes that lead to their variants.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::cache::index::Index;
use crate::cache::key::Generation;
use crate::cache::lines::Lines;
use crate::cache::mark::{Position, Target};
use crate::fields::etag::{self, EntityTag};
use crate::fields::validators::Validators;
use crate::fields::vary::VaryList;
use crate::time::{DeltaSeconds, Moment, Timestamp};

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
    Root(Arc<Generation>),
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
    pub(crate) requested: Moment,
    /// When the response came: `response_time`.
    pub(crate) received: Moment,
    /// Where its fetch began: what was purged later than that makes it unusable.
    pub(crate) began: Position,
    pub(crate) checked: Checked,
    /// What it is tagged with.
    pub(crate) tags: Box<[Target]>,
    pub(crate) date: Timestamp,
    /// Whether its ETag is one that can be compared: see [`Self::etag`].
    pub(crate) has_etag: bool,
    pub(crate) last_modified: Option<Timestamp>,
    pub(crate) vary: VaryList,
    pub(crate) staleness: Staleness,
    /// RFC 8246: a reload need not ask again while the response is fresh.
    pub(crate) immutable: bool,
    /// Its freshness was not the policy's default.
    pub(crate) is_explicit: bool,
    /// Its freshness was a handler's hint, which no stored field tells of.
    pub(crate) is_hinted: bool,
    /// It came to this process, whose ticks count for it. Of what was read from bytes only the wall clock does.
    pub(crate) is_local: bool,
    /// The longest residence that anybody was told, in milliseconds: ages do not run backwards, even if
    /// the wall clock does.
    pub(crate) residence_seen: AtomicU64,
}

/// When it was last held against what was purged: see [`Stamps`](crate::cache::stamps::Stamps). It goes with
/// one position and is never given to another.
#[derive(Debug)]
pub(crate) struct Checked(pub(crate) crate::sync::atomic::AtomicU64);

impl Default for Checked {
    fn default() -> Self {
        Self(crate::sync::atomic::AtomicU64::new(0))
    }
}

/// When a stored response may be served although it is not fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Staleness {
    /// RFC 9111 §5.2.2.4: validated before every use.
    pub(crate) no_cache: bool,
    /// RFC 9111 §5.2.2.2, §5.2.2.8, §5.2.2.10: never served stale.
    pub(crate) forbidden: bool,
    /// RFC 5861 §3.
    pub(crate) while_revalidate: DeltaSeconds,
    /// RFC 5861 §4.
    pub(crate) if_error: DeltaSeconds,
}

impl Entry {
    /// About how many bytes of memory the entry takes: body, fields and what they are kept in.
    pub fn bytes(&self) -> u64 {
        let bytes = match &self.0 {
            Stored::Response(response) => response.bytes(),
            Stored::Index(index) => index.bytes(),
            Stored::Root(_) => size_of::<Generation>(),
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
        let own = size_of_val(&*self.meta.tags) + self.meta.vary.bytes();
        size_of::<Self>() + self.meta.lines.bytes() + self.body.len() + own + trailers
    }
}

impl EntryMeta {
    /// How old it was when it was asked for, as far as that is known: without the time that the answer took. To
    /// who waited for the answer, that time is no age.
    pub(crate) fn age_on_the_way(&self) -> Duration {
        self.initial_age.saturating_sub(self.received.ticks.since(self.requested.ticks))
    }

    /// RFC 9111 §4.2.3: `current_age`. It never runs backwards while the entry stays in this process.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        let millis = u64::try_from(self.residence(now).as_millis()).unwrap_or(u64::MAX);
        // The wall clock may step forward and back again; what was once told stays told.
        let seen = self.residence_seen.load(Ordering::Relaxed);
        if millis > seen {
            self.residence_seen.fetch_max(millis, Ordering::Relaxed);
        }
        self.initial_age.saturating_add(Duration::from_millis(millis.max(seen)))
    }

    /// RFC 9111 §4.2.3: `resident_time`, the greater of what the two clocks say.
    pub(crate) fn residence(&self, now: Moment) -> Duration {
        let by_ticks = match self.is_local {
            true => now.ticks.as_nanos().saturating_sub(self.received.ticks.as_nanos()) / NANOS,
            false => 0,
        };
        let by_wall = now.wall.as_millis().saturating_sub(self.received.wall.as_millis());
        Duration::from_millis(by_ticks.max(u64::try_from(by_wall).unwrap_or(0)))
    }

    /// Whether it was asked for later than another.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        match self.is_local && other.is_local {
            true => self.requested.ticks > other.requested.ticks,
            false => self.requested.wall > other.requested.wall,
        }
    }

    /// Whether it is stamped with a time that is yet to come: by a clock that is wrong, or by somebody who
    /// would have it live for ever. So much may two clocks differ.
    pub(crate) fn is_of_the_future(&self, now: Moment) -> bool {
        !self.is_local && self.received.wall.since(now.wall) > CLOCKS_DIFFER_MAX
    }

    pub(crate) fn etag(&self) -> Option<EntityTag<'_>> {
        if self.has_etag { etag::sole(self.lines.get_all(&header::ETAG)) } else { None }
    }

    /// Its validators.
    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators { etag: self.etag(), last_modified: self.last_modified }
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
            began: self.began,
            checked: Checked::default(),
            tags: Box::default(),
            date: self.date,
            has_etag: self.has_etag,
            last_modified: self.last_modified,
            vary: self.vary.clone(),
            staleness: self.staleness,
            immutable: self.immutable,
            is_explicit: self.is_explicit,
            is_hinted: self.is_hinted,
            is_local: self.is_local,
            residence_seen: AtomicU64::new(0),
        }
    }

    /// The same head once more, for who may not take this one.
    pub(crate) fn copied(&self) -> Self {
        Self {
            lifetime: self.lifetime,
            initial_age: self.initial_age,
            tags: self.tags.clone(),
            residence_seen: AtomicU64::new(self.residence_seen.load(Ordering::Relaxed)),
            ..self.once(self.lines.clone(), self.received)
        }
    }

    pub(crate) fn next_id() -> u64 {
        static IDS: AtomicU64 = AtomicU64::new(0);
        IDS.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn has_validator(&self) -> bool {
        self.has_etag || self.last_modified.is_some()
    }
}

/// Names, values and the map's own memory.
fn fields_bytes(fields: &HeaderMap) -> usize {
    let text: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    text + fields.capacity() * FIELD_BYTES
}

const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(5);
/// In a millisecond.
const NANOS: u64 = 1_000_000;
/// What `HeaderMap` keeps for a field beside its text: the bucket, and its slot in the index.
const FIELD_BYTES: usize = 112;
