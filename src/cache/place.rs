//! Where everything about one resource lies in a store.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::cache::key::{CacheKey, DIVISION, FLIGHT, GET, Generation, RESOURCE, ROOT};
use crate::fields::vary::{Selecting, VaryList};

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

    /// What requests have in common that may wait for one of them: the resource and the division, who they are
    /// as far as a response depends on that by rule, and the values by which they select, once it is known which.
    pub(crate) fn flight(&self, class: u8, selecting: Option<(&VaryList, &Selecting)>) -> CacheKey {
        // Behind the target, which has no length of its own: from the end its length can be told.
        let length = u32::try_from(self.resource.as_bytes().len()).unwrap_or(u32::MAX);
        let [a, b, c, d] = length.to_le_bytes();
        let mut key = self.resource.of_kind(FLIGHT);
        if selecting.is_none() && self.division.is_none() {
            key.extend(&[class, 0, 0, a, b, c, d]);
            return key;
        }
        key.extend(&[class, u8::from(self.division.is_some())]);
        key.push(self.division.as_deref().unwrap_or_default());
        if let Some((vary, values)) = selecting {
            key.count(vary.names().len());
            for name in vary.names() {
                key.push(name.as_str().as_bytes());
            }
            key.extend(values.as_bytes());
        }
        key.extend(&[a, b, c, d]);
        key
    }

    /// Whether whatever lies here lies there.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.resource == other.resource && self.division == other.division
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
