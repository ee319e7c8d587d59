//! Keys: what makes two requests ask for the same thing (RFC 9111 §2).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use crate::fields::vary::Selecting;

/// The key under which a store keeps one entry: opaque bytes, compared whole.
///
/// Every part stands in it with its length, so that no two different requests have the same key. It
/// holds targets and selecting values, which may be confidential: `Debug` shows its length only.
///
/// A key of usual length needs no memory beside itself, and so is a large value: a store keeps a copy of
/// its [bytes](Self::as_bytes), and looks up by them.
///
/// ```
/// use tower_keep::store::CacheKey;
///
/// /// Where a store of files would keep the entry.
/// fn file_name(key: &CacheKey) -> String {
///     key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
/// }
/// # let _ = file_name;
/// ```
#[derive(Clone)]
pub struct CacheKey(Repr);

#[derive(Clone)]
enum Repr {
    Short { length: u8, bytes: [u8; SHORT_BYTES_MAX] },
    Long(Vec<u8>),
}

impl CacheKey {
    /// The bytes, for stores that keep entries elsewhere.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Repr::Long(bytes) => bytes,
        }
    }

    /// The key of the variant with these selecting values in this generation of the index under `self`.
    pub(crate) fn variant(&self, generation: Generation, values: &Selecting) -> Self {
        self.below(VARIANT, generation, values.as_bytes())
    }

    /// The key with these bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut key = Self::empty();
        key.extend(bytes);
        key
    }

    #[cfg(test)]
    pub(crate) fn for_test(bytes: &[u8]) -> Self {
        Self::from_bytes(bytes)
    }

    /// The key of the resource that this one belongs to, and its root; `None` where it is no key of ours.
    pub(crate) fn resource_and_root(&self) -> Option<[Self; 2]> {
        let mut bytes = self.as_bytes();
        // A variant hangs on a division at most, and that on a resource.
        for _ in 0..3 {
            match bytes {
                [RESOURCE | ROOT, ..] => {
                    let key = Self::from_bytes(bytes);
                    return Some([key.of_kind(RESOURCE), key.of_kind(ROOT)]);
                }
                [DIVISION | VARIANT, rest @ ..] => bytes = first_part(rest)?,
                _ => return None,
            }
        }
        None
    }

    pub(crate) fn is_resource(&self) -> bool {
        self.as_bytes().first() == Some(&RESOURCE)
    }

    pub(super) fn of_kind(&self, kind: u8) -> Self {
        let mut key = Self::empty();
        key.extend(&[kind]);
        key.extend(self.as_bytes().get(1..).unwrap_or_default());
        key
    }

    pub(super) fn below(&self, kind: u8, generation: Generation, part: &[u8]) -> Self {
        let mut key = Self::empty();
        key.extend(&[kind]);
        key.push(self.as_bytes());
        key.extend(&generation.0);
        key.extend(part);
        key
    }

    pub(super) fn empty() -> Self {
        Self(Repr::Short { length: 0, bytes: [0; SHORT_BYTES_MAX] })
    }

    pub(super) fn extend(&mut self, more: &[u8]) {
        match &mut self.0 {
            Repr::Short { length, bytes } => {
                let end = usize::from(*length) + more.len();
                match (bytes.get_mut(usize::from(*length)..end), u8::try_from(end)) {
                    (Some(room), Ok(end)) => {
                        room.copy_from_slice(more);
                        *length = end;
                    }
                    _ => {
                        let mut long = Vec::with_capacity(end + LONG_BYTES_MORE);
                        long.extend_from_slice(self.as_bytes());
                        long.extend_from_slice(more);
                        self.0 = Repr::Long(long);
                    }
                }
            }
            Repr::Long(bytes) => bytes.extend_from_slice(more),
        }
    }

    /// Appends a part with its length, so that no two lists of parts read alike.
    pub(super) fn push(&mut self, part: &[u8]) {
        self.count(part.len());
        self.extend(part);
    }

    /// A number in as few bytes as it needs, seven bits in each, the last one below 128: none is the
    /// beginning of another.
    pub(super) fn count(&mut self, mut count: usize) {
        while count > 0x7f {
            self.extend(&[count as u8 | 0x80]);
            count >>= 7;
        }
        self.extend(&[count as u8]);
    }
}

impl PartialEq for CacheKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for CacheKey {}

impl PartialOrd for CacheKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CacheKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({} bytes)", self.as_bytes().len())
    }
}

/// A key with its hash: it is looked up more than once, and handed from one to another.
#[derive(Debug)]
pub(crate) struct HashedKey {
    hash: u64,
    key: CacheKey,
}

impl HashedKey {
    pub(crate) fn new(key: CacheKey, hasher: &impl BuildHasher) -> Arc<Self> {
        Arc::new(Self { hash: hasher.hash_one(&key), key })
    }
}

impl PartialEq for HashedKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for HashedKey {}

impl Hash for HashedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A random name for what lies under one index: a new one cuts off all that lay there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [u8; 16]);

/// The part that these bytes begin with, as [`CacheKey::push`] wrote it.
fn first_part(bytes: &[u8]) -> Option<&[u8]> {
    let mut length = 0usize;
    for (at, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return bytes.get(at + 1..)?.get(..length);
        }
    }
    None
}

/// Appends a part with its length, so that no two lists of parts read alike.
pub(crate) fn push(out: &mut Vec<u8>, part: &[u8]) {
    push_count(out, part.len());
    out.extend_from_slice(part);
}

pub(crate) fn push_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u64).to_le_bytes());
}

pub(super) const RESOURCE: u8 = 0;
pub(super) const ROOT: u8 = 1;
pub(super) const DIVISION: u8 = 2;
const VARIANT: u8 = 3;
pub(super) const FLIGHT: u8 = 4;
/// The method class of GET and HEAD, the one that is stored.
pub(super) const GET: u8 = 0;
/// Room for a host of 24 letters and a target of 80, with what else a key holds.
const SHORT_BYTES_MAX: usize = 118;
/// So many are enough for a part of any length that there is.
const LENGTH_BYTES_MAX: usize = 4;
/// What else is likely to come, once a key is long.
const LONG_BYTES_MORE: usize = 64;
