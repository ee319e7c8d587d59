//! Whether somebody was found to be asking, and by whom that is forgotten.

use http::header::{self, HeaderValue};
use http::{Extensions, HeaderName};

use crate::head::{Principal, RequestHead};

/// In the extensions of a request: the fields that say who asks, as a layer further out has set them.
#[cfg(feature = "jwt")]
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) std::sync::Arc<[HeaderName]>);

#[cfg(feature = "jwt")]
impl Told {
    /// And those that a layer still further out has set.
    pub(crate) fn and(self, further_out: Option<&Self>) -> Self {
        match further_out {
            None => self,
            Some(other) => Self(self.0.iter().chain(&*other.0).cloned().collect()),
        }
    }
}

/// Whether a layer further out has set this field to say who asks.
pub(crate) fn is_told_by(extensions: &Extensions, name: &HeaderName) -> bool {
    #[cfg(feature = "jwt")]
    return extensions.get::<Told>().is_some_and(|told| told.0.contains(name));
    #[cfg(not(feature = "jwt"))]
    return {
        let _ = (extensions, name);
        false
    };
}

/// Whether a layer further out knows who asks: the answer may then be for him alone, whatever fields the request has.
pub(crate) fn is_known(extensions: &Extensions) -> bool {
    let is_known = extensions.get::<Principal>().is_some();
    // A token may be about nobody, and grant something all the same. Where a layer in between has found nobody, what one further out
    // has found is still in its fields.
    #[cfg(feature = "jwt")]
    let is_known = is_known
        || extensions.get::<crate::auth::verified::Verified>().is_some()
        || extensions.get::<Told>().is_some();
    is_known
}

/// Whether it is known who asks, and that by all credentials which the request has in `Authorization`: a bearer token tells of
/// whom it is only where the principal was made of it. A connection's principal may be a frontend, and the token a user's.
pub(crate) fn is_all_that_is_shown(request: RequestHead<'_>) -> bool {
    let Some(principal) = request.extensions.get::<Principal>() else { return false };
    if !request.headers.contains_key(header::AUTHORIZATION) {
        return true;
    }
    let is_bearer = |line: &HeaderValue| {
        line.as_bytes().get(..BEARER.len()).is_some_and(|it| it.eq_ignore_ascii_case(BEARER))
    };
    is_of_a_token(principal, request.extensions)
        && request.headers.get_all(header::AUTHORIZATION).iter().all(is_bearer)
}

#[cfg(feature = "jwt")]
fn is_of_a_token(principal: &Principal, extensions: &Extensions) -> bool {
    let verified = extensions.get::<crate::auth::verified::Verified>();
    verified.and_then(|verified| verified.principal()) == Some(principal)
}

#[cfg(not(feature = "jwt"))]
fn is_of_a_token(_: &Principal, _: &Extensions) -> bool {
    false
}

/// For a request that is made on behalf of everybody.
pub(crate) fn forget(extensions: &mut Extensions) {
    extensions.remove::<Principal>();
    #[cfg(feature = "jwt")]
    extensions.remove::<crate::auth::verified::Verified>();
}

const BEARER: &[u8] = b"bearer ";
