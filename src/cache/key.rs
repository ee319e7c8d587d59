//! Keys: what makes two requests ask for the same thing (RFC 9111 §2).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::fields::vary::Selecting;

/// The key under which a store keeps one entry: opaque bytes, compared whole.
///
/// Every part stands in it with its length, so that no two different requests have the same key. It
/// holds targets and selecting values, which may be confidential: `Debug` shows its length only.
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey(Bytes);

impl CacheKey {
    /// The bytes, for stores that keep entries elsewhere.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key of the variant with these selecting values in this generation of the index under `self`.
    pub(crate) fn variant(&self, generation: Generation, values: &Selecting) -> Self {
        self.below(VARIANT, generation, values.as_bytes())
    }

    #[cfg(test)]
    pub(crate) fn for_test(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    fn below(&self, kind: u8, generation: Generation, part: &[u8]) -> Self {
        let mut out = Vec::with_capacity(1 + 8 + self.0.len() + 16 + part.len());
        out.push(kind);
        push(&mut out, &self.0);
        out.extend_from_slice(&generation.0);
        out.extend_from_slice(part);
        Self(out.into())
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({} bytes)", self.0.len())
    }
}

/// A random name for what lies under one index: a new one cuts off all that lay there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [u8; 16]);

/// Where everything about one resource lies, for one request.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    resource: CacheKey,
    target_at: usize,
    division: Option<Bytes>,
}

/// What every target of one origin shares in its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) scope: &'a str,
    pub(crate) scheme: &'a str,
    pub(crate) authority: &'a str,
}

impl Place {
    /// The place of a target, divided by what is given last, if anything.
    pub(crate) fn new(
        origin: Origin<'_>,
        parts: &[Cow<'_, [u8]>],
        target: &str,
        division: Option<Bytes>,
    ) -> Self {
        let Origin { scope, scheme, authority } = origin;
        let mut key = Vec::with_capacity(64 + scope.len() + authority.len() + target.len());
        key.extend_from_slice(&[RESOURCE, GET]);
        for part in [scope, scheme, authority] {
            push(&mut key, part.as_bytes());
        }
        push_count(&mut key, parts.len());
        for part in parts {
            push(&mut key, part);
        }
        let target_at = key.len();
        key.extend_from_slice(target.as_bytes());
        Self { resource: CacheKey(key.into()), target_at, division }
    }

    /// The resource's own key: its one response, or its index.
    pub(crate) fn resource(&self) -> &CacheKey {
        &self.resource
    }

    /// The key of the generation that the divisions of the resource hang on.
    pub(crate) fn root(&self) -> CacheKey {
        let mut bytes = self.resource.0.to_vec();
        if let Some(kind) = bytes.first_mut() {
            *kind = ROOT;
        }
        CacheKey(bytes.into())
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
        let mut bytes = self.resource.0.get(..self.target_at).unwrap_or_default().to_vec();
        bytes.extend_from_slice(target.as_bytes());
        Self { resource: CacheKey(bytes.into()), target_at: self.target_at, division: None }
    }
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
