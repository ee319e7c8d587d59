//! What a resource's state is at present.

use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::conditional::tag::EntityTag;
use crate::fields::validators::Validators;
use crate::fields::{CacheControl, date, list};
use crate::time::Timestamp;

/// The state that a resource is in: whether there is anything, and by which validators it is known (RFC 9110 §8.8).
///
/// [`Preconditions::check`](crate::conditional::Preconditions::check) holds what a client wants against it, and a version
/// function tells it to [`EtagLayer`](crate::conditional::EtagLayer). With the `axum` feature it is a response part that
/// sets `ETag` and `Last-Modified`; give the same to the answers to `GET` that you check writes against.
///
/// What you set here is not changed by any layer. Where a compression layer lies outside, its answers have the same tag as the plain
/// ones: for what is only read make it [weak](EntityTag::to_weak), for what is also written keep it strong and do not compress
/// it, or do without ranges.
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
    vary: Vec<HeaderName>,
}

impl Current {
    /// The resource has no representation: `If-Match` fails, `If-None-Match: *` holds. For requests that may create it; one
    /// that may not (`DELETE`, `PATCH`) is answered with 404, whatever its preconditions (RFC 9110 §13.2.1).
    ///
    /// ```
    /// use tower_keep::conditional::Current;
    ///
    /// let row: Option<u64> = None;
    /// assert_eq!(Current::from(row), Current::absent());
    /// ```
    pub fn absent() -> Self {
        Self { exists: false, ..Self::exists() }
    }

    /// There is something. By itself that matches `*` alone: nobody can tell one state of it from another.
    ///
    /// ```
    /// use http::Request;
    /// use tower_keep::conditional::{Current, Preconditions};
    ///
    /// let request = Request::put("/").header("if-match", "*").body(()).unwrap();
    /// assert!(Preconditions::of(&request).check(&Current::exists()).is_ok());
    /// ```
    pub fn exists() -> Self {
        Self { exists: true, tag: None, last_modified: None, cache_control: None, vary: Vec::new() }
    }

    /// There is something, known by this tag. **It must differ wherever the content does**: for another user, another
    /// language, another format ([`EntityTag::digest_of`] makes one tag of several things). And it must never come again: a
    /// row that is removed and made anew must not count from the begin.
    ///
    /// ```
    /// use tower_keep::conditional::{Current, EntityTag};
    ///
    /// let by_number = Current::tagged(7);
    /// let of_a_user = Current::tagged(EntityTag::digest_of(["ada", "en", "7"]));
    /// # let _ = (by_number, of_a_user);
    /// ```
    pub fn tagged(tag: impl Into<EntityTag>) -> Self {
        Self { tag: Some(tag.into()), ..Self::exists() }
    }

    /// And it was last modified at this time. Counts in whole seconds: what changes twice in a second needs a tag. A time before 1970
    /// counts for none: it is mostly that of a clock that was not set.
    ///
    /// ```
    /// use tower_keep::conditional::Current;
    ///
    /// fn state(file: &std::fs::Metadata) -> std::io::Result<Current> {
    ///     Ok(Current::exists().last_modified(file.modified()?))
    /// }
    /// # let _ = state;
    /// ```
    #[must_use]
    pub fn last_modified(mut self, at: SystemTime) -> Self {
        let at = Timestamp::from(at);
        self.last_modified = (at.as_secs() >= 0).then_some(at);
        self
    }

    /// The `Cache-Control` that goes with it, also with a 304, which must repeat it (RFC 9110 §15.4.5). One that the
    /// handler sets itself stays.
    ///
    /// ```
    /// use tower_keep::cache::CacheControl;
    /// use tower_keep::conditional::Current;
    ///
    /// let current = Current::tagged(7).cache_control(CacheControl::no_cache());
    /// # let _ = current;
    /// ```
    #[must_use]
    pub fn cache_control(mut self, value: CacheControl) -> Self {
        self.cache_control = Some(value.into());
        self
    }

    /// A request field that the content depends on, for `Vary`, also of a 304.
    ///
    /// ```
    /// use tower_keep::conditional::Current;
    ///
    /// let current = Current::tagged(7).vary(http::header::ACCEPT_LANGUAGE);
    /// # let _ = current;
    /// ```
    #[must_use]
    pub fn vary(mut self, name: HeaderName) -> Self {
        self.vary.push(name);
        self
    }

    /// The validators; `None` where nothing is there.
    pub(crate) fn validators(&self) -> Option<Validators<'_>> {
        self.exists.then(|| Validators {
            etag: self.tag.as_ref().map(EntityTag::read),
            last_modified: self.last_modified,
        })
    }

    /// Whether the time of day counts for it.
    pub(crate) fn is_dated(&self) -> bool {
        self.last_modified.is_some()
    }

    pub(crate) fn tag(&self) -> Option<&EntityTag> {
        self.tag.as_ref()
    }

    /// Whether it tells of the same state as another.
    pub(crate) fn is_same_state(&self, other: &Self) -> bool {
        (self.exists, &self.tag, self.last_modified)
            == (other.exists, &other.tag, other.last_modified)
    }

    /// Adds what a response with this state says, where it does not say so already.
    pub(crate) fn complete(
        &self,
        headers: &mut HeaderMap,
        tag: Option<&EntityTag>,
        now: Timestamp,
    ) {
        let fields = [
            (header::ETAG, tag.map(EntityTag::to_value)),
            (header::LAST_MODIFIED, self.dated(now)),
            (header::CACHE_CONTROL, self.cache_control.clone()),
        ];
        for (name, value) in fields {
            if let Some(value) = value
                && !headers.contains_key(&name)
            {
                // A map that is full goes without.
                let _ = headers.try_insert(name, value);
            }
        }
        for name in &self.vary {
            add_vary(headers, name);
        }
    }

    /// The fields of a 304 (RFC 9110 §15.4.5); `varies` is one more name for Vary.
    pub(crate) fn not_modified(
        &self,
        tag: Option<&EntityTag>,
        varies: Option<HeaderName>,
        now: Timestamp,
    ) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(FIELDS);
        match tag {
            Some(tag) => headers.insert(header::ETAG, tag.to_value()),
            None => self.dated(now).and_then(|at| headers.insert(header::LAST_MODIFIED, at)),
        };
        if let Some(value) = &self.cache_control {
            headers.insert(header::CACHE_CONTROL, value.clone());
        }
        match varies {
            // In one step, where nothing else is there.
            Some(name) if self.vary.is_empty() => {
                headers.insert(header::VARY, name.into());
            }
            varies => self.vary.iter().chain(&varies).for_each(|name| add_vary(&mut headers, name)),
        }
        headers
    }

    /// RFC 9110 §8.8.2.1: no response was modified later than it was made.
    fn dated(&self, now: Timestamp) -> Option<HeaderValue> {
        self.last_modified.map(|modified| date::format(modified.min(now)))
    }
}

/// The state of a row that may be there.
impl<T: Into<EntityTag>> From<Option<T>> for Current {
    fn from(tag: Option<T>) -> Self {
        tag.map_or_else(Self::absent, Self::tagged)
    }
}

/// Adds a name to Vary, unless it stands there or `*` does.
pub(crate) fn add_vary(headers: &mut HeaderMap, name: &HeaderName) {
    let is_it =
        |listed: &[u8]| listed == b"*" || listed.eq_ignore_ascii_case(name.as_str().as_bytes());
    let is_there = list::members(headers, header::VARY).any(is_it);
    if !is_there {
        // A map that is full goes without.
        let _ = headers.try_append(header::VARY, name.clone().into());
    }
}

const FIELDS: usize = 4;
