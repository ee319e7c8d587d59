//! What a response is tagged with, so that it can be purged with others (RFC 9875).

use crate::cache::hint::CacheHint;
use crate::fields::groups::{CACHE_GROUPS, Malformed, strings, words};
use crate::head::ResponseHead;
use crate::rules::policy::CachePolicy;
use crate::rules::reason::Reason;

/// The tags of a response: of its hint, its Cache-Groups, and the field that the policy names.
///
/// More of them than are kept, or such as cannot be read, are a reason not to store it: what could not be
/// purged would be served.
pub(crate) fn tags_of(
    policy: &CachePolicy,
    hint: Option<&CacheHint>,
    response: ResponseHead<'_>,
) -> Result<Vec<Box<str>>, Reason> {
    let unreadable = |_: Malformed| Reason::Tags;
    let mut tags = strings(response.headers, &CACHE_GROUPS).map_err(unreadable)?;
    if let Some(field) = &policy.tags_from {
        tags.extend(words(response.headers, field).map_err(unreadable)?);
    }
    tags.extend(hint.into_iter().flat_map(|hint| hint.tags.iter().cloned()));
    if tags.is_empty() {
        return Ok(tags);
    }
    tags.sort_unstable();
    tags.dedup();
    match tags.len() <= TAGS_MAX && tags.iter().all(|tag| is_tag(tag)) {
        true => Ok(tags),
        false => Err(Reason::Tags),
    }
}

/// Whether it is no longer than a tag may be, and not empty.
pub(crate) fn is_tag(tag: &str) -> bool {
    (1..=TAG_BYTES_MAX).contains(&tag.len())
}

/// RFC 9875 §2 asks for 32 at least.
pub(crate) const TAGS_MAX: usize = 64;
/// RFC 9875 §2 asks for 32 at least.
pub(crate) const TAG_BYTES_MAX: usize = 256;
