//! Stored responses as heads and bodies of frames.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};

use crate::cache::codec::frame::Kind;
use crate::cache::codec::wire::{Reader, Writer};
use crate::cache::codec::{Codec, fields, index};
use crate::cache::entry::{Checked, Entry, EntryMeta, Staleness, Stored, StoredResponse};
use crate::cache::key::CacheKey;
use crate::cache::lines::Lines;
use crate::cache::mark::{Mark, Position, Target};
use crate::fields::number;
use crate::fields::vary::VaryList;
use crate::time::{DeltaSeconds, Moment, Ticks, Timestamp};

impl Entry {
    /// The entry as bytes, for a store outside this process. They are good under this key only.
    ///
    /// They are none at all, which decode to nothing, where the entry is larger than bytes can say (its fields
    /// more than 1 MiB), or where an encrypting codec gets no randomness.
    ///
    /// ```
    /// use tower_keep::store::{CacheKey, Codec, Entry};
    ///
    /// fn file_content(key: &CacheKey, entry: &Entry) -> Vec<u8> {
    ///     entry.encode(key, &Codec::plain()).to_vec()
    /// }
    /// # let _ = file_content;
    /// ```
    pub fn encode(&self, key: &CacheKey, codec: &Codec) -> Bytes {
        self.encoded(key, codec).unwrap_or_default()
    }

    /// The entry that was encoded under this key with this codec, or one that shares its keys.
    ///
    /// `None`, which is a miss, where the bytes are anything else: changed, cut off, lengthened, moved from
    /// another key, or written by another version. The entry owns its memory; `bytes` can go.
    ///
    /// ```
    /// use tower_keep::store::{CacheKey, Codec, Entry};
    ///
    /// fn from_file(key: &CacheKey, content: Vec<u8>) -> Option<Entry> {
    ///     Entry::decode(key, content.into(), &Codec::plain())
    /// }
    /// # let _ = from_file;
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "nobody is to keep the bytes beside the entry"
    )]
    pub fn decode(key: &CacheKey, bytes: Bytes, codec: &Codec) -> Option<Self> {
        let opened = codec.open(key, &bytes)?;
        let mut reader = Reader::new(&opened.head);
        let stored = match opened.kind {
            Kind::Response => Stored::Response(Arc::new(read_response(&mut reader, opened.body)?)),
            Kind::Index => Stored::Index(Arc::new(index::read(key, &mut reader)?)),
            Kind::Root => Stored::Root(Arc::new(index::read_generation(&mut reader)?)),
        };
        reader.end()?;
        Some(Self(stored))
    }

    fn encoded(&self, key: &CacheKey, codec: &Codec) -> Option<Bytes> {
        let mut head = Writer::new();
        let (kind, body) = match &self.0 {
            Stored::Response(response) => {
                write_response(response, &mut head)?;
                (Kind::Response, &response.body[..])
            }
            Stored::Index(index) => {
                index::write(key, index, &mut head)?;
                (Kind::Index, &[][..])
            }
            Stored::Root(generation) => {
                index::write_root(**generation, &mut head);
                (Kind::Root, &[][..])
            }
        };
        codec.seal(key, kind, &head.0, body)
    }
}

fn write_response(response: &StoredResponse, out: &mut Writer) -> Option<()> {
    let meta = &response.meta;
    // What the ETag field says is not said again; a tag that it does not say has no place to stand.
    if meta.has_etag && meta.etag().is_none() {
        return None;
    }
    out.u16(final_status(meta.status)?.as_u16());
    out.u16(flags(response));
    write_position(meta.began, out);
    for length in [meta.lifetime, meta.initial_age] {
        // 584 years are as good as any longer time.
        out.u64(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
    }
    for window in [meta.staleness.while_revalidate, meta.staleness.if_error] {
        out.u32(window.as_secs());
    }
    // A wall clock that was set back in between says that it was asked for after it came.
    let requested = meta.requested.wall.min(meta.received.wall);
    for at in [requested, meta.received.wall, meta.date] {
        out.i64(at.as_millis());
    }
    if let Some(at) = meta.last_modified {
        out.i64(at.as_millis());
    }
    fields::write_names(meta.vary.names(), out)?;
    write_tags(&meta.tags, out)?;
    fields::write(meta.lines.iter(), out)?;
    match response.trailers.as_deref() {
        Some(trailers) => fields::write(trailers.iter(), out),
        None => Some(()),
    }
}

fn read_response(reader: &mut Reader<'_>, body: Bytes) -> Option<StoredResponse> {
    let status = final_status(StatusCode::from_u16(reader.u16()?).ok()?)?;
    let flags = reader.u16()?;
    if flags & !KNOWN != 0 {
        return None;
    }
    let has = |flag: u16| flags & flag != 0;
    let began = read_position(reader)?;
    let mut length = || reader.u64().map(Duration::from_nanos);
    let (lifetime, initial_age) = (length()?, length()?);
    let mut window = || {
        let secs = reader.u32()?;
        (secs <= DeltaSeconds::MAX.as_secs()).then(|| DeltaSeconds::new(u64::from(secs)))
    };
    let (while_revalidate, if_error) = (window()?, window()?);
    let mut at = || reader.i64().map(Timestamp::from_millis);
    let (requested, received, date) = (at()?, at()?, at()?);
    let last_modified = if has(LAST_MODIFIED) { Some(at()?) } else { None };
    let vary = VaryList::from_names(fields::read_names(reader)?)?;
    let tags = read_tags(reader)?;
    let (names, values) = fields::read(reader)?;
    let lines = Lines::of(names, values)?;
    if !is_framed(&lines, body.len()) {
        return None;
    }
    let trailers = if has(TRAILERS) { Some(Box::new(fields::read_map(reader)?)) } else { None };
    let meta = EntryMeta {
        id: EntryMeta::next_id(),
        status,
        has_etag: has(ETAG),
        lines,
        lifetime,
        initial_age,
        requested: elsewhere(requested),
        received: elsewhere(received),
        began,
        checked: Checked::default(),
        tags,
        date,
        last_modified,
        vary,
        staleness: Staleness {
            no_cache: has(NO_CACHE),
            forbidden: has(FORBIDDEN),
            while_revalidate,
            if_error,
        },
        immutable: has(IMMUTABLE),
        is_explicit: has(EXPLICIT),
        is_hinted: has(HINTED),
        is_local: false,
        residence_seen: AtomicU64::new(0),
    };
    // What a frame says of its ETag field holds for the field.
    if meta.has_etag && meta.etag().is_none() || requested > received {
        return None;
    }
    Some(StoredResponse { meta, body, trailers })
}

/// RFC 9112 §6.3: nothing that was stored says of its body what is not so.
fn is_framed(lines: &Lines, body_bytes: usize) -> bool {
    let mut lengths = lines.get_all(&header::CONTENT_LENGTH);
    let is_true = match (lengths.next(), lengths.next()) {
        (None, _) => true,
        (Some(length), None) => *length == number::value(body_bytes as u64),
        (Some(_), Some(_)) => false,
    };
    let foreign = [header::TRANSFER_ENCODING, header::CONNECTION, header::AGE];
    is_true && foreign.iter().all(|name| lines.get(name).is_none())
}

/// RFC 9111 §3: a final status.
fn final_status(status: StatusCode) -> Option<StatusCode> {
    (!status.is_informational()).then_some(status)
}

fn flags(response: &StoredResponse) -> u16 {
    let meta = &response.meta;
    [
        (NO_CACHE, meta.staleness.no_cache),
        (FORBIDDEN, meta.staleness.forbidden),
        (IMMUTABLE, meta.immutable),
        (EXPLICIT, meta.is_explicit),
        (HINTED, meta.is_hinted),
        (ETAG, meta.has_etag),
        (LAST_MODIFIED, meta.last_modified.is_some()),
        (TRAILERS, response.trailers.is_some()),
    ]
    .into_iter()
    .filter_map(|(flag, is_set)| is_set.then_some(flag))
    .fold(0, |flags, flag| flags | flag)
}

/// A moment of another process: only its wall clock is known, and its ticks count for nothing.
fn elsewhere(wall: Timestamp) -> Moment {
    Moment { wall, ticks: Ticks::default() }
}

fn write_position(position: Position, out: &mut Writer) {
    out.u64(position.ledger);
    out.u64(position.mark.as_u64());
}

fn read_position(reader: &mut Reader<'_>) -> Option<Position> {
    Some(Position { ledger: reader.u64()?, mark: Mark::new(reader.u64()?) })
}

fn write_tags(tags: &[Target], out: &mut Writer) -> Option<()> {
    out.u8(u8::try_from(tags.len()).ok().filter(|count| *count <= TAGS_MAX)?);
    tags.iter().for_each(|tag| out.bytes(&tag.to_bytes()));
    Some(())
}

fn read_tags(reader: &mut Reader<'_>) -> Option<Box<[Target]>> {
    let count = reader.u8().filter(|count| *count <= TAGS_MAX)?;
    let tags = reader.take(usize::from(count) * 16)?.as_chunks().0;
    Some(tags.iter().map(|tag| Target::from_bytes(*tag)).collect())
}

/// More than a stored response may have.
const TAGS_MAX: u8 = 128;
const NO_CACHE: u16 = 1;
const FORBIDDEN: u16 = 1 << 1;
const IMMUTABLE: u16 = 1 << 2;
const EXPLICIT: u16 = 1 << 3;
const HINTED: u16 = 1 << 4;
const ETAG: u16 = 1 << 5;
const LAST_MODIFIED: u16 = 1 << 6;
const TRAILERS: u16 = 1 << 7;
const KNOWN: u16 = (1 << 8) - 1;
