//! The two validators of a response, together (RFC 9110 §8.8).

use http::header::{HeaderMap, LAST_MODIFIED};

use super::date::{self, Dated};
use super::etag::{self, EntityTag};
use crate::time::Timestamp;

/// What tells one state of a resource from another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Validators<'a> {
    pub(crate) etag: Option<EntityTag<'a>>,
    pub(crate) last_modified: Option<Timestamp>,
}

impl<'a> Validators<'a> {
    /// Those of a response with these fields; what cannot be read is none.
    pub(crate) fn of(headers: &'a HeaderMap, now: Timestamp) -> Self {
        let last_modified = match date::sole(headers, LAST_MODIFIED, now) {
            Dated::At(modified) => Some(modified),
            Dated::Absent | Dated::Invalid => None,
        };
        Self { etag: etag::of(headers), last_modified }
    }
}
