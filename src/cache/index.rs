//! The index of a resource whose responses vary: which fields select, and which variants there are.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::key::{CacheKey, Generation};
use crate::fields::vary::{Selecting, VaryList};
use crate::time::{Ticks, Timestamp};

/// Lies under a resource's own key (or a division of it); the variants lie under keys of their own.
///
/// *Invariant*: at most [`VARIANTS_MAX`] variants, the least recently used leaves first, so that one hot
/// URL cannot push out the rest of the store.
#[derive(Debug)]
pub(crate) struct Index {
    generation: Generation,
    vary: VaryList,
    variants: Vec<Variant>,
    /// Until when the longest retained of them may be of use.
    until: Timestamp,
}

#[derive(Debug)]
struct Variant {
    key: CacheKey,
    /// Another way to ask for the same variant: by the language of its content.
    alias: Option<Selecting>,
    used: AtomicU64,
}

impl Index {
    /// An index with no variants yet; `generation` is random.
    pub(crate) fn new(generation: Generation, vary: VaryList) -> Self {
        Self { generation, vary, variants: Vec::new(), until: Timestamp::from_millis(i64::MIN) }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn vary(&self) -> &VaryList {
        &self.vary
    }

    /// Notes that a variant was asked for.
    pub(crate) fn touch(&self, key: &CacheKey, now: Ticks) {
        if let Some(variant) = self.variants.iter().find(|variant| variant.key == *key) {
            variant.used.fetch_max(now.as_nanos(), Ordering::Relaxed);
        }
    }

    /// The variant that is known by this alias.
    pub(crate) fn aliased(&self, alias: &Selecting) -> Option<&CacheKey> {
        self.variants
            .iter()
            .find(|variant| variant.alias.as_ref() == Some(alias))
            .map(|variant| &variant.key)
    }

    /// Until when the index has to be kept.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }

    /// This index with one variant more, of use until then; and the key of the variant that left for it.
    pub(crate) fn with(
        &self,
        key: CacheKey,
        alias: Option<Selecting>,
        until: Timestamp,
        now: Ticks,
    ) -> (Self, Option<CacheKey>) {
        let mut variants = Vec::with_capacity((self.variants.len() + 1).min(VARIANTS_MAX));
        let others = self.variants.iter().filter(|variant| variant.key != key);
        variants.extend(others.map(Variant::copy));
        let mut left = None;
        if variants.len() >= VARIANTS_MAX {
            let least = variants
                .iter()
                .enumerate()
                .min_by_key(|(_, variant)| variant.used.load(Ordering::Relaxed));
            if let Some((at, _)) = least {
                left = Some(variants.swap_remove(at).key);
            }
        }
        variants.push(Variant { key, alias, used: AtomicU64::new(now.as_nanos()) });
        (
            Self {
                generation: self.generation,
                vary: self.vary.clone(),
                variants,
                until: self.until.max(until),
            },
            left,
        )
    }

    /// The variants and their aliases, the least recently used first.
    pub(crate) fn variants(&self) -> Vec<(&CacheKey, Option<&Selecting>)> {
        let mut variants: Vec<&Variant> = self.variants.iter().collect();
        variants.sort_by_cached_key(|variant| variant.used.load(Ordering::Relaxed));
        variants.iter().map(|variant| (&variant.key, variant.alias.as_ref())).collect()
    }

    /// An index that was taken apart by [`Index::variants`]. Ticks mean nothing elsewhere: the variants keep
    /// their order, and all count as used before any that is asked for from now on.
    pub(crate) fn restored(
        generation: Generation,
        vary: VaryList,
        variants: Vec<(CacheKey, Option<Selecting>)>,
        until: Timestamp,
    ) -> Option<Self> {
        let restored = |(rank, (key, alias))| Variant { key, alias, used: AtomicU64::new(rank) };
        let variants: Vec<Variant> = (0..).zip(variants).map(restored).collect();
        let is_index = variants.len() <= VARIANTS_MAX;
        is_index.then_some(Self { generation, vary, variants, until })
    }

    pub(crate) fn bytes(&self) -> usize {
        let variants: usize = self.variants.iter().map(Variant::bytes).sum();
        size_of::<Self>() + self.vary.bytes() + variants
    }
}

impl Variant {
    fn copy(&self) -> Self {
        Self {
            key: self.key.clone(),
            alias: self.alias.clone(),
            used: AtomicU64::new(self.used.load(Ordering::Relaxed)),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.key.as_bytes().len()
            + self.alias.as_ref().map_or(0, |alias| alias.as_bytes().len())
    }
}

/// How many variants of one resource are kept.
pub(crate) const VARIANTS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> CacheKey {
        CacheKey::for_test(&[n])
    }

    #[test]
    fn the_least_recently_used_variant_leaves_a_full_index() {
        let mut index = Index::new(Generation([0; 16]), VaryList::default());
        for n in 0..VARIANTS_MAX as u8 {
            let (next, left) =
                index.with(key(n), None, Timestamp::default(), Ticks::from_nanos(u64::from(n)));
            assert_eq!(left, None);
            index = next;
        }
        index.touch(&key(0), Ticks::from_nanos(1000));
        let (index, left) =
            index.with(key(200), None, Timestamp::default(), Ticks::from_nanos(2000));
        assert_eq!(left, Some(key(1)));
        let (_, left) = index.with(key(200), None, Timestamp::default(), Ticks::from_nanos(3000));
        assert_eq!(left, None, "a variant that is there already takes no more room");
    }
}
