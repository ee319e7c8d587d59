//! Lists of fields and of names.
//!
//! A list of fields is its count, then the lengths of all names and values, then all names, then all
//! values: so the values are copied as one.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cache::codec::wire::{Reader, Writer};

/// `None` where there are more fields than a stored response may have, or longer ones.
pub(super) fn write<'a>(
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    out: &mut Writer,
) -> Option<()> {
    let fields: Vec<_> = fields.collect();
    let count = u16::try_from(fields.len()).ok().filter(|count| *count <= FIELDS_MAX)?;
    out.u16(count);
    for (name, value) in &fields {
        let length = u32::try_from(value.len()).ok().filter(|length| length & SENSITIVE == 0)?;
        out.u16(u16::try_from(name.as_str().len()).ok()?);
        out.u32(length | if value.is_sensitive() { SENSITIVE } else { 0 });
    }
    fields.iter().for_each(|(name, _)| out.bytes(name.as_str().as_bytes()));
    fields.iter().for_each(|(_, value)| out.bytes(value.as_bytes()));
    Some(())
}

/// The names and the values, these in one piece of memory that holds nothing else.
///
/// A value that could not have been received, such as one with a line break in it, makes all of it
/// unreadable: RFC 9110 §5.5.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<(Vec<HeaderName>, Vec<HeaderValue>)> {
    let count = reader.u16()?;
    if count > FIELDS_MAX {
        return None;
    }
    let table = reader.take(usize::from(count) * LENGTHS_BYTES)?.chunks(LENGTHS_BYTES);
    let lengths: Vec<Lengths> = table.map(Lengths::read).collect::<Option<_>>()?;
    let total = |of: fn(&Lengths) -> usize| lengths.iter().map(of).sum();
    let mut name_bytes = Reader::new(reader.take(total(|lengths| lengths.name))?);
    let mut value_bytes = Bytes::copy_from_slice(reader.take(total(|lengths| lengths.value))?);
    let mut names = Vec::with_capacity(lengths.len());
    let mut values = Vec::with_capacity(lengths.len());
    for lengths in &lengths {
        names.push(HeaderName::from_lowercase(name_bytes.take(lengths.name)?).ok()?);
        let bytes = value_bytes.split_to(lengths.value);
        let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
        value.set_sensitive(lengths.is_sensitive);
        values.push(value);
    }
    are_grouped(&names).then_some((names, values))
}

/// As [`read`], for the fields of which a map is kept.
pub(super) fn read_map(reader: &mut Reader<'_>) -> Option<HeaderMap> {
    let (names, values) = read(reader)?;
    let mut map = HeaderMap::try_with_capacity(names.len()).ok()?;
    for (name, value) in names.into_iter().zip(values) {
        map.try_append(name, value).ok()?;
    }
    Some(map)
}

pub(super) fn write_names(names: &[HeaderName], out: &mut Writer) -> Option<()> {
    out.u8(u8::try_from(names.len()).ok()?);
    names.iter().try_for_each(|name| out.part(name.as_str().as_bytes()))
}

pub(super) fn read_names(reader: &mut Reader<'_>) -> Option<Vec<HeaderName>> {
    let count = reader.u8()?;
    (0..count).map(|_| HeaderName::from_lowercase(reader.part()?).ok()).collect()
}

/// Whether the lines of one name stand together, as a map gives them out.
fn are_grouped(names: &[HeaderName]) -> bool {
    let firsts = names.chunk_by(|one, next| one == next).filter_map(<[_]>::first);
    let mut firsts: Vec<&str> = firsts.map(HeaderName::as_str).collect();
    firsts.sort_unstable();
    firsts.is_sorted_by(|one, next| one < next)
}

struct Lengths {
    name: usize,
    value: usize,
    is_sensitive: bool,
}

impl Lengths {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (name, value) = (reader.u16()?, reader.u32()?);
        Some(Self {
            name: usize::from(name),
            value: usize::try_from(value & !SENSITIVE).ok()?,
            is_sensitive: value & SENSITIVE != 0,
        })
    }
}

/// As many as a stored response may have.
const FIELDS_MAX: u16 = 512;
/// What the lengths of one field take.
const LENGTHS_BYTES: usize = 6;
/// Set in the length of a value that is not to be shown.
const SENSITIVE: u32 = 1 << 31;
