//! Keys: what makes two requests ask for the same thing (RFC 9111 §2).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use bytes::Bytes;

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

    fn of_kind(&self, kind: u8) -> Self {
        let mut key = Self::empty();
        key.extend(&[kind]);
        key.extend(self.as_bytes().get(1..).unwrap_or_default());
        key
    }

    fn below(&self, kind: u8, generation: Generation, part: &[u8]) -> Self {
        let mut key = Self::empty();
        key.extend(&[kind]);
        key.push(self.as_bytes());
        key.extend(&generation.0);
        key.extend(part);
        key
    }

    fn empty() -> Self {
        Self(Repr::Short { length: 0, bytes: [0; SHORT_BYTES_MAX] })
    }

    fn extend(&mut self, more: &[u8]) {
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
    fn push(&mut self, part: &[u8]) {
        self.count(part.len());
        self.extend(part);
    }

    /// A number in as few bytes as it needs, seven bits in each, the last one below 128: none is the
    /// beginning of another.
    fn count(&mut self, mut count: usize) {
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

/// A random name for what lies under one index: a new one cuts off all that lay there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [u8; 16]);

/// Where everything about one resource lies, for one request.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    resource: CacheKey,
    scope_to: usize,
    authority: Range<usize>,
    target_at: usize,
    division: Option<Bytes>,
}

/// What all keys of one layer begin with: its scope and scheme.
#[derive(Clone, Debug)]
pub(crate) struct KeyStart {
    bytes: Box<[u8]>,
    scope_to: usize,
}

impl KeyStart {
    pub(crate) fn new(scope: &str, scheme: &str) -> Self {
        let mut key = CacheKey::empty();
        key.extend(&[RESOURCE, GET]);
        key.push(scope.as_bytes());
        let scope_to = key.as_bytes().len();
        key.push(scheme.as_bytes());
        Self { bytes: key.as_bytes().into(), scope_to }
    }

    /// The scope, as it begins every key of it.
    pub(crate) fn scope(&self) -> &[u8] {
        self.bytes.get(..self.scope_to).unwrap_or_default()
    }
}

impl Place {
    /// The place of a target, divided by what is given last, if anything.
    pub(crate) fn new(
        start: &KeyStart,
        authority: &[u8],
        parts: &[Cow<'_, [u8]>],
        target: &str,
        division: Option<Bytes>,
    ) -> Self {
        let (resource, scope_to) = (CacheKey::empty(), start.scope_to);
        let mut place = Self { resource, scope_to, authority: 0..0, target_at: 0, division };
        let key = &mut place.resource;
        key.extend(&start.bytes);
        key.push(authority);
        let origin_to = key.as_bytes().len();
        place.authority = origin_to.saturating_sub(authority.len())..origin_to;
        key.count(parts.len());
        for part in parts {
            key.push(part);
        }
        place.target_at = key.as_bytes().len();
        key.extend(target.as_bytes());
        place
    }

    /// The resource's own key: its one response, or its index.
    pub(crate) fn resource(&self) -> &CacheKey {
        &self.resource
    }

    /// The scope, as it begins every key of it.
    pub(crate) fn scope(&self) -> &[u8] {
        self.resource.as_bytes().get(..self.scope_to).unwrap_or_default()
    }

    /// Scope, scheme and authority, as they begin every key of the origin.
    pub(crate) fn origin(&self) -> &[u8] {
        self.resource.as_bytes().get(..self.authority.end).unwrap_or_default()
    }

    pub(crate) fn authority(&self) -> &[u8] {
        self.resource.as_bytes().get(self.authority.clone()).unwrap_or_default()
    }

    /// The origin, and what else the key holds before the target.
    pub(crate) fn before_target(&self) -> &[u8] {
        self.resource.as_bytes().get(..self.target_at).unwrap_or_default()
    }

    /// The target as it stands in the key.
    pub(crate) fn target(&self) -> &[u8] {
        self.resource.as_bytes().get(self.target_at..).unwrap_or_default()
    }

    /// The key of the generation that the divisions of the resource hang on.
    pub(crate) fn root(&self) -> CacheKey {
        self.resource.of_kind(ROOT)
    }

    /// The key of this request's division under the given root, where it has one.
    pub(crate) fn divided(&self, root: Generation) -> Option<CacheKey> {
        let division = self.division.as_ref()?;
        Some(self.resource.below(DIVISION, root, division))
    }

    pub(crate) fn is_divided(&self) -> bool {
        self.division.is_some()
    }

    /// The place of another target of the same origin.
    pub(crate) fn sibling(&self, target: &str) -> Self {
        let mut resource = CacheKey::empty();
        resource.extend(self.before_target());
        resource.extend(target.as_bytes());
        Self { resource, division: None, authority: self.authority.clone(), ..*self }
    }
}

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

const RESOURCE: u8 = 0;
const ROOT: u8 = 1;
const DIVISION: u8 = 2;
const VARIANT: u8 = 3;
/// The method class of GET and HEAD, the one that is stored.
const GET: u8 = 0;
/// Room for a host of 24 letters and a target of 80, with what else a key holds.
const SHORT_BYTES_MAX: usize = 118;
/// So many are enough for a part of any length that there is.
const LENGTH_BYTES_MAX: usize = 4;
/// What else is likely to come, once a key is long.
const LONG_BYTES_MORE: usize = 64;
