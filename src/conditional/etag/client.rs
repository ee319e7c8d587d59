//! Which form of a tag a client gets.

use http::header::{self, HeaderMap, HeaderName};

use crate::conditional::current::add_vary;
use crate::conditional::tag::EntityTag;
use crate::fields::accept_encoding::takes_a_coding;
use crate::fields::etag::{Held, held};
use crate::fields::list;

/// What the form of a tag depends on besides the response.
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
}

/// A tag as a client gets it.
pub(crate) struct Given {
    pub(crate) tag: EntityTag,
    /// Others get another form of it: no cache may give them this one.
    depends_on_codings: bool,
}

impl Client {
    pub(crate) fn of(request: &HeaderMap, may_be_encoded: bool) -> Self {
        let held = list::copied(request, &[header::IF_NONE_MATCH]);
        Self { is_encoded_for: may_be_encoded && takes_a_coding(request), may_be_encoded, held }
    }

    /// RFC 9110 §8.8.3.3: responses that differ by their coding must not share a strong tag. And who holds the weak form alone
    /// gets it again: a 304 with a strong tag would be of no use to a cache that has stored the weak one (RFC 9111 §4.3.4).
    pub(crate) fn given(&self, tag: EntityTag, coding: Coding) -> Given {
        let is_weak = match coding {
            Coding::Untagged => true,
            Coding::Plain if self.is_encoded_for => true,
            Coding::Plain | Coding::Tagged => held(&self.held, Some(tag.read())) == Held::Weakly,
        };
        Given::of(tag, is_weak, self.may_be_encoded && coding != Coding::Tagged)
    }
}

impl Given {
    /// Before there is a response whose coding could be looked at: in the form that the client holds.
    pub(crate) fn before(tag: EntityTag, is_held_strongly: bool, may_be_encoded: bool) -> Self {
        Self::of(tag, !is_held_strongly, may_be_encoded)
    }

    fn of(tag: EntityTag, is_weak: bool, may_be_encoded: bool) -> Self {
        let tag = if is_weak { tag.to_weak() } else { tag };
        Self { depends_on_codings: may_be_encoded && !tag.is_weak(), tag }
    }

    /// What Vary must tell.
    pub(crate) fn varies(&self) -> Option<HeaderName> {
        self.depends_on_codings.then_some(header::ACCEPT_ENCODING)
    }

    pub(crate) fn add_vary(&self, headers: &mut HeaderMap) {
        if let Some(name) = self.varies() {
            add_vary(headers, &name);
        }
    }
}
