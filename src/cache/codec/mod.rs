//! Entries as bytes, for stores that keep them outside this process.
//!
//! A frame is, all numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 24 | [`Header`](frame::Header): magic, version, form, kind, id of the key, lengths of head and body |
//! | 12 | the nonce, where the form is encrypted |
//! | | the head, and its proof |
//! | | the body, and its proof |
//!
//! A proof is a sum of 8 bytes, or a tag of 16 where there are keys. It covers the header, the whole cache
//! key and its own part, and that of the body the head's proof too. So whoever needs only the head reads a
//! prefix, and nothing can be put together from parts of two frames.
//!
//! *Invariant:* every byte is accounted for. What decodes encodes to the same bytes again (but for the
//! nonce), and anything else is no entry. Nothing is allocated by a length that the input does not have.

mod entry;
mod fields;
mod frame;
mod index;
#[cfg(feature = "seal")]
mod keys_error;
mod plain;
#[cfg(feature = "seal")]
mod seal;
mod wire;

use std::borrow::Cow;
use std::fmt;
#[cfg(feature = "seal")]
use std::sync::Arc;

use bytes::Bytes;

use crate::cache::codec::frame::{Form, Frame, Kind, Sealed};
use crate::cache::key::CacheKey;

#[cfg(feature = "seal")]
pub use keys_error::{KeysError, KeysErrorKind};
#[cfg(feature = "seal")]
pub use seal::Keys;

/// How entries become bytes, and which bytes become entries again.
///
/// Every store that keeps its entries outside this process takes one. Entries that another codec wrote, in
/// another form or with a key that this one does not have, are misses.
///
/// | | finds damage | finds forgery | hides content | bytes for each entry |
/// |---|---|---|---|---|
/// | [`plain`](Self::plain) | yes | no | no | 44 and the key |
#[cfg_attr(
    feature = "seal",
    doc = "| [`authenticated`](Self::authenticated) | yes | yes | no | 56 |"
)]
#[cfg_attr(feature = "seal", doc = "| [`encrypted`](Self::encrypted) | yes | yes | yes | 68 |")]
///
/// ```
/// use bytes::Bytes;
/// use tower_keep::store::{CacheKey, Codec, Entry};
///
/// /// What a store writes, and what it makes of what it reads.
/// fn there_and_back(key: &CacheKey, entry: &Entry, codec: &Codec) -> Option<Entry> {
///     let bytes: Bytes = entry.encode(key, codec);
///     Entry::decode(key, bytes, codec)
/// }
/// let codec = Codec::plain();
/// # let _ = (there_and_back, codec);
/// ```
#[derive(Clone)]
pub struct Codec(Inner);

#[derive(Clone)]
enum Inner {
    Plain,
    #[cfg(feature = "seal")]
    Authenticated(Arc<Keys>),
    #[cfg(feature = "seal")]
    Encrypted(Arc<Keys>),
}

impl Codec {
    /// With sums that find damage: for a store that only your own services can write.
    ///
    /// Whoever can write to the store can make up entries.
    pub fn plain() -> Self {
        Self(Inner::Plain)
    }

    /// With tags (HMAC-SHA-256, 128 bits of it) that only the keys can make: for a store that others may
    /// write, but may read too.
    ///
    /// Whoever can write to the store can remove entries, and put back what once was under the same key:
    /// an old entry is as old as it says it is.
    ///
    /// ```
    /// use tower_keep::store::{Codec, Keys, KeysError};
    ///
    /// fn codec(secret: &[u8; 32]) -> Result<Codec, KeysError> {
    ///     Ok(Codec::authenticated(Keys::new(1, secret)?))
    /// }
    /// # let _ = codec;
    /// ```
    #[cfg(feature = "seal")]
    pub fn authenticated(keys: Keys) -> Self {
        Self(Inner::Authenticated(Arc::new(keys)))
    }

    /// Encrypted, with tags: for a store that others may read and write.
    ///
    /// The cipher is AES-256-GCM-SIV (RFC 8452) with random nonces. It draws keys of its own for each nonce,
    /// so that one secret is good for far more than the 2^32 entries after which AES-GCM with random
    /// nonces must change it; and where a nonce does come twice, it shows only whether the two heads (or
    /// bodies) are equal. What stays visible is the length of an entry, and the key that the store itself
    /// is given: see [`CacheKey::as_bytes`].
    ///
    /// ```
    /// use tower_keep::store::{Codec, Keys, KeysError};
    ///
    /// fn codec(new: &[u8; 32], old: &[u8; 32]) -> Result<Codec, KeysError> {
    ///     Ok(Codec::encrypted(Keys::new(2, new)?.older(1, old)?))
    /// }
    /// # let _ = codec;
    /// ```
    #[cfg(feature = "seal")]
    pub fn encrypted(keys: Keys) -> Self {
        Self(Inner::Encrypted(Arc::new(keys)))
    }

    /// The frame of these parts; `None` where a part is too long, or no randomness can be had.
    fn seal(&self, key: &CacheKey, kind: Kind, head: &[u8], body: &[u8]) -> Option<Bytes> {
        let key = key.as_bytes();
        match &self.0 {
            Inner::Plain => plain::seal(key, kind, head, body),
            #[cfg(feature = "seal")]
            Inner::Authenticated(keys) => keys.authenticate(key, kind, head, body),
            #[cfg(feature = "seal")]
            Inner::Encrypted(keys) => keys.encrypt(key, kind, head, body),
        }
    }

    /// The frame of any head, with proofs that are right.
    #[cfg(fuzzing)]
    pub(crate) fn framed(
        &self,
        key: &CacheKey,
        kind: u8,
        head: &[u8],
        body: &[u8],
    ) -> Option<Bytes> {
        self.seal(key, Kind::read(kind)?, head, body)
    }

    /// The parts of a frame, all of which is genuine and written for this key.
    fn open<'a>(&self, key: &CacheKey, bytes: &'a [u8]) -> Option<Opened<'a>> {
        let frame = Frame::starting(bytes, self.form())?;
        let body = frame.whole_body()?;
        let head = self.open_head(key, &frame)?;
        Some(Opened { kind: frame.header.kind, head, body: self.open_body(key, &frame, body)? })
    }

    /// The head alone, for which the frame need not have come further.
    fn open_head<'a>(&self, key: &CacheKey, frame: &Frame<'a>) -> Option<Cow<'a, [u8]>> {
        let key = key.as_bytes();
        match &self.0 {
            Inner::Plain => plain::open_head(key, frame).map(Cow::Borrowed),
            #[cfg(feature = "seal")]
            Inner::Authenticated(keys) => keys.authentic_head(key, frame).map(Cow::Borrowed),
            #[cfg(feature = "seal")]
            Inner::Encrypted(keys) => keys.decrypted_head(key, frame).map(Cow::Owned),
        }
    }

    /// A copy of the body in memory of its own, exactly as long as it is.
    #[cfg_attr(not(feature = "seal"), expect(unused_variables, reason = "the head has it"))]
    fn open_body(&self, key: &CacheKey, frame: &Frame<'_>, body: Sealed<'_>) -> Option<Bytes> {
        match &self.0 {
            Inner::Plain => plain::open_body(frame, body).map(Bytes::copy_from_slice),
            #[cfg(feature = "seal")]
            Inner::Authenticated(keys) => {
                keys.authentic_body(key.as_bytes(), frame, body).map(Bytes::copy_from_slice)
            }
            #[cfg(feature = "seal")]
            Inner::Encrypted(keys) => {
                keys.decrypted_body(key.as_bytes(), frame, body).map(Bytes::from)
            }
        }
    }

    fn form(&self) -> Form {
        match &self.0 {
            Inner::Plain => Form::Plain,
            #[cfg(feature = "seal")]
            Inner::Authenticated(_) => Form::Authenticated,
            #[cfg(feature = "seal")]
            Inner::Encrypted(_) => Form::Encrypted,
        }
    }
}

/// What a frame held.
#[derive(Debug)]
struct Opened<'a> {
    kind: Kind,
    head: Cow<'a, [u8]>,
    body: Bytes,
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.form() {
            Form::Plain => "Codec(plain)",
            Form::Authenticated => "Codec(authenticated)",
            Form::Encrypted => "Codec(encrypted)",
        })
    }
}

#[cfg(test)]
mod tests;
