//! A token between reading and believing it.

use crate::auth::claims::Registered;
use crate::auth::jwk::KeySet;
use crate::auth::key::Key;
use crate::auth::refusal::Refusal;
use crate::auth::token::{Compact, TokenHeader};
use crate::auth::verified::{Said, Verified};

/// A token that was read, and of which nothing is verified.
pub(crate) struct Unverified<'a> {
    compact: Compact<'a>,
    header: TokenHeader,
    header_text: Vec<u8>,
    claims_text: Vec<u8>,
    signature: Vec<u8>,
}

/// Why no key has signed a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// There is none of its algorithm and id.
    NoKey,
    /// It names one that has not.
    Forged,
}

impl<'a> Unverified<'a> {
    pub(crate) fn read(token: &'a [u8], bytes_max: usize) -> Result<Self, Refusal> {
        let compact = Compact::of(token, bytes_max)?;
        let (header, header_text) = compact.header()?;
        let (claims_text, signature) = (compact.claims()?, compact.signature()?);
        Ok(Self { compact, header, header_text, claims_text, signature })
    }

    /// How long it is.
    pub(crate) fn bytes(&self) -> usize {
        self.compact.bytes()
    }

    pub(crate) fn header(&self) -> &TokenHeader {
        &self.header
    }

    pub(crate) fn claims_text(&self) -> &[u8] {
        &self.claims_text
    }

    /// The same token, of which all is verified.
    pub(crate) fn into_verified(self, said: Said) -> Verified {
        Verified::new(self.header_text, self.claims_text, said)
    }

    pub(crate) fn claims(&self) -> Result<Registered<'_>, Refusal> {
        Registered::read(&self.claims_text)
    }

    /// The key that has signed it.
    pub(crate) fn signer<'k>(&self, keys: &'k KeySet) -> Result<&'k Key, Unsigned> {
        let mut is_named = false;
        let signer = candidates(keys, &self.header).take(TRIES_MAX).find(|key| {
            is_named |= self.header.key_id().is_some() && key.id() == self.header.key_id();
            key.has_signed(self.compact.signed(), &self.signature)
        });
        // Where none of them was named, the one that has signed it may be newer than the set.
        signer.ok_or(if is_named { Unsigned::Forged } else { Unsigned::NoKey })
    }
}

/// The keys that a token of this header may be signed by (RFC 8725 §3.1): of its algorithm, and of its key id where both have one.
/// First the one that it names, and then those that have no id.
pub(crate) fn candidates<'k>(
    keys: &'k KeySet,
    header: &TokenHeader,
) -> impl Iterator<Item = &'k Key> {
    let of_algorithm = |key: &&Key| key.algorithm() == header.algorithm();
    let is_named = |key: &&Key| header.key_id().is_some() && key.id() == header.key_id();
    let may_be_meant = |key: &&Key| header.key_id().is_none() || key.id().is_none();
    let keys = keys.keys().iter();
    let named = keys.clone().filter(of_algorithm).filter(is_named);
    named.chain(keys.filter(of_algorithm).filter(may_be_meant))
}

/// How many keys are tried for one token: a token without a key id must not be a lever.
const TRIES_MAX: usize = 3;
