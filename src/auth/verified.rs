//! A token that was verified.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::auth::claims::Times;
use crate::head::Principal;

/// A token that was verified: its signature, its times, and that it is meant for us.
///
/// It is made by [`Verifier::verify`](crate::auth::Verifier::verify) alone, so that who has one need not ask. A
/// [`JwtLayer`](crate::auth::JwtLayer) puts it into the extensions of the request. Clones share it, and `Debug` does not show what
/// it says.
///
/// What it says is what was true when it was issued.
#[derive(Clone)]
pub struct Verified(Arc<Inner>);

struct Inner {
    header: Vec<u8>,
    claims: Vec<u8>,
    said: Said,
}

/// What is read of the claims before anybody asks.
pub(crate) struct Said {
    pub(crate) issuer: Arc<str>,
    pub(crate) principal: Option<Principal>,
    /// Words with spaces between them.
    pub(crate) scope: String,
    pub(crate) times: Times,
}

impl Verified {
    pub(crate) fn new(header: Vec<u8>, claims: Vec<u8>, said: Said) -> Self {
        Self(Arc::new(Inner { header, claims, said }))
    }

    /// `iss`: who has issued it (RFC 7519 §4.1.1); empty where a verifier that waives it took a token without.
    pub fn issuer(&self) -> &str {
        &self.0.said.issuer
    }

    /// `sub`: whom the token is about, within its issuer (RFC 7519 §4.1.2). A plain JWT may be about nobody.
    pub fn subject(&self) -> Option<&str> {
        self.0.said.principal.as_ref().map(Principal::subject)
    }

    /// Issuer and subject, where there is a subject.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.said.principal.as_ref()
    }

    /// Whether the scope has this word (RFC 6749 §3.3): whole, and with case.
    pub fn has_scope(&self, wanted: &str) -> bool {
        !wanted.is_empty() && self.0.said.scope.split(' ').any(|word| word == wanted)
    }

    /// All claims, as the JSON object that was signed. No name stands in it twice, at any depth.
    pub fn claims_json(&self) -> &[u8] {
        &self.0.claims
    }

    /// The claims as a type of yours.
    ///
    /// # Errors
    ///
    /// If they are not of this type.
    pub fn claims<C: DeserializeOwned>(&self) -> Result<C, serde_json::Error> {
        serde_json::from_slice(&self.0.claims)
    }

    /// The header, as the JSON object that was signed.
    pub fn header_json(&self) -> &[u8] {
        &self.0.header
    }

    pub(crate) fn times(&self) -> &Times {
        &self.0.said.times
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let Inner { header, claims, said } = &*self.0;
        let subject = said.principal.as_ref().map_or(0, |principal| principal.subject().len());
        let texts = header.capacity() + claims.capacity() + said.scope.capacity();
        let names = said.issuer.len() + subject;
        size_of::<Inner>() + texts + names
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("times", &self.0.said.times).finish_non_exhaustive()
    }
}
