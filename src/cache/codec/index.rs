//! Indexes and roots as heads of frames.

use crate::cache::codec::fields;
use crate::cache::codec::wire::{Reader, Writer};
use crate::cache::index::Index;
use crate::cache::key::{CacheKey, Generation};
use crate::fields::vary::{Selecting, VaryList};
use crate::time::Timestamp;

/// The variants by their selecting values only, the least recently used first: their keys follow from the
/// index's own, so that no index leads to what lies under another resource.
pub(super) fn write(key: &CacheKey, index: &Index, out: &mut Writer) -> Option<()> {
    out.bytes(&index.generation().0);
    fields::write_names(index.vary().names(), out)?;
    out.i64(index.until().as_millis());
    let stem = key.variant(index.generation(), &Selecting::from_bytes(&[])?);
    let variants = index.variants();
    out.u8(u8::try_from(variants.len()).ok()?);
    for (variant, alias) in variants {
        out.part(variant.as_bytes().strip_prefix(stem.as_bytes())?)?;
        out.u8(u8::from(alias.is_some()));
        if let Some(alias) = alias {
            out.part(alias.as_bytes())?;
        }
    }
    Some(())
}

pub(super) fn read(key: &CacheKey, reader: &mut Reader<'_>) -> Option<Index> {
    let generation = read_generation(reader)?;
    let vary = VaryList::from_names(fields::read_names(reader)?)?;
    let until = Timestamp::from_millis(reader.i64()?);
    let count = reader.u8()?;
    let mut variants: Vec<(CacheKey, Option<Selecting>)> = Vec::new();
    for _ in 0..count {
        let variant = key.variant(generation, &Selecting::from_bytes(reader.part()?)?);
        let alias = match reader.u8()? {
            0 => None,
            1 => Some(Selecting::from_bytes(reader.part()?)?),
            _ => return None,
        };
        if variants.iter().any(|(known, _)| *known == variant) {
            return None;
        }
        variants.push((variant, alias));
    }
    Index::restored(generation, vary, variants, until)
}

pub(super) fn write_root(generation: Generation, out: &mut Writer) {
    out.bytes(&generation.0);
}

pub(super) fn read_generation(reader: &mut Reader<'_>) -> Option<Generation> {
    reader.array().map(Generation)
}
