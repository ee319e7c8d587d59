//! What a resource's state is at present.

use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::conditional::tag::EntityTag;
use crate::fields::CacheControl;
use crate::fields::date;
use crate::fields::list;
use crate::fields::validators::Validators;
use crate::time::Timestamp;

/// The state that a resource is in: whether there is anything, and by which validators it is known (RFC 9110 §8.8).
///
/// [`Preconditions::check`](crate::conditional::Preconditions::check) holds what a client wants against it, and a version
/// function tells it to [`EtagLayer`](crate::conditional::EtagLayer). With the `axum` feature it is a response part that
/// sets `ETag` and `Last-Modified`.
///
/// ```
/// use tower_keep::conditional::Current;
///
/// # let modified = std::time::SystemTime::UNIX_EPOCH;
/// let row = Current::tagged(7).last_modified(modified);
/// let nothing = Current::absent();
/// # let _ = (row, nothing);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    exists: bool,
    tag: Option<EntityTag>,
    last_modified: Option<Timestamp>,
    cache_control: Option<HeaderValue>,
    vary: Option<HeaderValue>,
}

impl Current {
    /// The resource has no representation: a `GET` would be answered with 404. `If-Match` fails, `If-None-Match: *` holds.
    pub fn absent() -> Self {
        Self { exists: false, ..Self::unversioned() }
    }

    /// There is something, and nobody can tell one state of it from another. Only `*` knows it.
    pub fn unversioned() -> Self {
        Self { exists: true, tag: None, last_modified: None, cache_control: None, vary: None }
    }

    /// There is something, known by this tag. **It must differ wherever the content does**: for another user, another
    /// language, another format ([`EntityTag::digest_of`] makes one tag of several things).
    ///
    /// ```
    /// use tower_keep::conditional::{Current, EntityTag};
    ///
    /// let by_number = Current::tagged(7);
    /// let of_a_user = Current::tagged(EntityTag::digest_of(["ada", "en", "7"]));
    /// # let _ = (by_number, of_a_user);
    /// ```
    pub fn tagged(tag: impl Into<EntityTag>) -> Self {
        Self { tag: Some(tag.into()), ..Self::unversioned() }
    }

    /// There is something, last modified at this time. Counts in whole seconds: what changes twice in a second needs a
    /// tag.
    pub fn modified(at: SystemTime) -> Self {
        Self::unversioned().last_modified(at)
    }

    /// And it was last modified at this time.
    #[must_use]
    pub fn last_modified(mut self, at: SystemTime) -> Self {
        self.last_modified = Some(Timestamp::from(at));
        self
    }

    /// The `Cache-Control` that goes with it, also with a 304, which must repeat it (RFC 9110 §15.4.5). One that the
    /// handler sets itself stays.
    #[must_use]
    pub fn cache_control(mut self, value: CacheControl) -> Self {
        self.cache_control = Some(value.into());
        self
    }

    /// A request field that the content depends on, for `Vary`, also of a 304.
    #[must_use]
    pub fn vary(mut self, name: HeaderName) -> Self {
        self.vary = match self.vary.take() {
            None => Some(name.into()),
            Some(names) => {
                let names = [names.as_bytes(), b", ", name.as_str().as_bytes()].concat();
                HeaderValue::from_bytes(&names).ok()
            }
        };
        self
    }

    /// The validators; `None` where nothing is there.
    pub(crate) fn validators(&self) -> Option<Validators<'_>> {
        self.exists.then(|| Validators {
            etag: self.tag.as_ref().and_then(EntityTag::read),
            last_modified: self.last_modified,
        })
    }

    pub(crate) fn tag(&self) -> Option<&EntityTag> {
        self.tag.as_ref()
    }

    /// Whether it tells of the same state as another.
    pub(crate) fn is_same_state(&self, other: &Self) -> bool {
        let state = |current: &Self| (current.exists, current.tag.clone(), current.last_modified);
        state(self) == state(other)
    }

    /// Adds what a response with this state says, where it does not say so already.
    pub(crate) fn complete(
        &self,
        headers: &mut HeaderMap,
        tag: Option<&EntityTag>,
        now: Timestamp,
    ) {
        if let Some(tag) = tag {
            headers.entry(header::ETAG).or_insert_with(|| tag.to_value());
        }
        if let Some(modified) = self.last_modified {
            // RFC 9110 §8.8.2.1: no response was modified later than it was made.
            let modified = modified.min(now);
            headers.entry(header::LAST_MODIFIED).or_insert_with(|| date::format(modified));
        }
        if let Some(value) = &self.cache_control {
            headers.entry(header::CACHE_CONTROL).or_insert_with(|| value.clone());
        }
        for name in self.vary.iter().flat_map(|names| list::split(names.as_bytes())) {
            add_vary(headers, name);
        }
    }

    /// The fields of a 304 (RFC 9110 §15.4.5).
    pub(crate) fn not_modified(&self, tag: Option<&EntityTag>, now: Timestamp) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(FIELDS);
        self.complete(&mut headers, tag, now);
        if tag.is_some() {
            headers.remove(header::LAST_MODIFIED);
        }
        headers
    }
}

/// Adds a name to Vary, unless it stands there or `*` does.
pub(crate) fn add_vary(headers: &mut HeaderMap, name: &[u8]) {
    let is_there = list::members(headers, header::VARY)
        .any(|listed| listed == b"*" || listed.eq_ignore_ascii_case(name));
    if !is_there && let Ok(name) = HeaderValue::from_bytes(name) {
        // A map that is full goes without.
        let _ = headers.try_append(header::VARY, name);
    }
}

const FIELDS: usize = 4;
