//! Which form of a tag a client gets.

use http::header::{self, HeaderMap};

use crate::conditional::tag::EntityTag;
use crate::fields::accept_encoding::takes_a_coding;
use crate::fields::etag::{Comparison, is_listed};

/// What the tag of a response depends on besides its content.
pub(crate) struct Client {
    /// A layer further out would encode a plain response for it.
    is_encoded_for: bool,
    /// A plain response is encoded for others.
    may_be_encoded: bool,
    /// Its If-None-Match.
    held: HeaderMap,
}

/// What a response's content codings have to do with its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// The content has none yet.
    Plain,
    /// The tag was made of the encoded content.
    Tagged,
    /// The tag is the same for all codings of the content.
    Untagged,
    /// The response is not there to be looked at.
    Unknown,
}

/// A tag as a client gets it.
pub(crate) struct Given {
    pub(crate) tag: EntityTag,
    /// Others get another form of it: no cache may give them this one.
    pub(crate) depends_on_codings: bool,
}

impl Client {
    pub(crate) fn of(request: &HeaderMap, may_be_encoded: bool) -> Self {
        let mut held = HeaderMap::new();
        for line in request.get_all(header::IF_NONE_MATCH) {
            // As many lines as a map took before.
            let _ = held.try_append(header::IF_NONE_MATCH, line.clone());
        }
        Self { is_encoded_for: may_be_encoded && takes_a_coding(request), may_be_encoded, held }
    }

    /// RFC 9110 §8.8.3.3: responses that differ by their coding must not share a strong tag. And who holds the weak form alone
    /// gets it again: a 304 with a strong tag would be of no use to a cache that has stored the weak one (RFC 9111 §4.3.4).
    pub(crate) fn given(&self, tag: &EntityTag, coding: Coding) -> Given {
        let lists = |comparison| {
            let held = |tag| is_listed(&self.held, header::IF_NONE_MATCH, tag, comparison);
            !self.held.is_empty() && tag.read().is_some_and(held)
        };
        let is_weak = match coding {
            Coding::Untagged => true,
            Coding::Unknown => !lists(Comparison::Strong),
            Coding::Plain if self.is_encoded_for => true,
            Coding::Plain | Coding::Tagged => lists(Comparison::Weak) && !lists(Comparison::Strong),
        };
        let may_be_encoded = self.may_be_encoded && coding != Coding::Tagged;
        let tag = if is_weak { tag.to_weak() } else { tag.clone() };
        Given { depends_on_codings: may_be_encoded && !tag.is_weak(), tag }
    }
}

impl Given {
    /// Vary, where it must be told.
    pub(crate) fn add_vary(&self, headers: &mut HeaderMap) {
        if self.depends_on_codings {
            crate::conditional::current::add_vary(headers, b"accept-encoding");
        }
    }
}
