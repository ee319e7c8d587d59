//! Frames with tags that only keys can make, and the keys.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{constant_time, hkdf, hmac};
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::cache::codec::frame::{
    Form, Frame, HEADER_BYTES, Header, Kind, NONCE_BYTES, Sealed, TAG_BYTES,
};
use crate::cache::codec::keys_error::{KeysError, KeysErrorKind};

/// The secrets of a [`Codec`](crate::store::Codec): one that writes, and older ones that still read.
///
/// Each has an id, which stands in every entry that it wrote. To change the secret, give the new one to all
/// instances as an older one first, then let it write; when the old entries have gone, leave the old one out.
/// Entries that none of them wrote are misses. The same secrets may serve both forms: each form draws keys of
/// its own from them. The secrets themselves are not kept, and what was drawn from them is wiped when the last
/// clone of the codec goes.
///
/// ```
/// use tower_keep::store::{Codec, Keys, KeysErrorKind};
///
/// let (new, old) = ([7; 31], [9; 31]); // 32 random bytes each, from your configuration
/// # let (new, old): ([u8; 32], [u8; 32]) = (std::array::from_fn(|n| n as u8), std::array::from_fn(|n| !n as u8));
/// let codec = Codec::encrypted(Keys::new(2, &new)?.older(1, &old)?);
///
/// assert_eq!(Keys::new(3, &[0; 32]).unwrap_err().kind(), KeysErrorKind::Weak);
/// # let _ = codec;
/// # Ok::<(), tower_keep::store::KeysError>(())
/// ```
pub struct Keys {
    /// The first one writes.
    all: Vec<Key>,
}

struct Key {
    id: u32,
    mac: hmac::Key,
    cipher: LessSafeKey,
}

impl Keys {
    /// Writes and reads with this secret: 32 bytes from a source of randomness, no password.
    ///
    /// # Errors
    /// [`KeysErrorKind::Weak`] where all bytes are the same, as in a secret that was never filled in.
    pub fn new(id: u32, secret: &[u8; 32]) -> Result<Self, KeysError> {
        Ok(Self { all: vec![Key::new(id, secret)?] })
    }

    /// Also reads what this secret wrote.
    ///
    /// # Errors
    /// [`KeysErrorKind::Repeated`] where the id is taken, [`KeysErrorKind::TooMany`] where there are 8, and
    /// those of [`Keys::new`].
    pub fn older(mut self, id: u32, secret: &[u8; 32]) -> Result<Self, KeysError> {
        if self.all.len() >= KEYS_MAX {
            return Err(KeysError::new(KeysErrorKind::TooMany));
        }
        if self.find(id).is_some() {
            return Err(KeysError::new(KeysErrorKind::Repeated));
        }
        self.all.push(Key::new(id, secret)?);
        Ok(self)
    }

    pub(super) fn authenticate(
        &self,
        cache_key: &[u8],
        kind: Kind,
        head: &[u8],
        body: &[u8],
    ) -> Option<Bytes> {
        let key = self.all.first()?;
        let header = Header::new(Form::Authenticated, kind, key.id, head.len(), body.len())?;
        let head_tag = key.tag(Bound::head(header, cache_key), head);
        let body_tag = key.tag(Bound::body(header, cache_key, &head_tag), body);
        let mut out = Vec::with_capacity(header.frame_bytes()?);
        for part in [&header.to_bytes()[..], head, &head_tag, body, &body_tag] {
            out.extend_from_slice(part);
        }
        Some(out.into())
    }

    pub(super) fn authentic_head<'a>(
        &self,
        cache_key: &[u8],
        frame: &Frame<'a>,
    ) -> Option<&'a [u8]> {
        let bound = Bound::head(frame.header, cache_key);
        self.find(frame.header.key_id)?.checked(bound, frame.head)
    }

    pub(super) fn authentic_body<'a>(
        &self,
        cache_key: &[u8],
        frame: &Frame<'_>,
        body: Sealed<'a>,
    ) -> Option<&'a [u8]> {
        let bound = Bound::body(frame.header, cache_key, frame.head.proof);
        self.find(frame.header.key_id)?.checked(bound, body)
    }

    pub(super) fn encrypt(
        &self,
        cache_key: &[u8],
        kind: Kind,
        head: &[u8],
        body: &[u8],
    ) -> Option<Bytes> {
        let key = self.all.first()?;
        let header = Header::new(Form::Encrypted, kind, key.id, head.len(), body.len())?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let mut out = Vec::with_capacity(header.frame_bytes()?);
        out.extend_from_slice(&header.to_bytes());
        out.extend_from_slice(&nonce);
        let head_tag = key.encrypt(&mut out, Bound::head(header, cache_key), &nonce, head)?;
        key.encrypt(&mut out, Bound::body(header, cache_key, &head_tag), &nonce, body)?;
        Some(out.into())
    }

    pub(super) fn decrypted_head(&self, cache_key: &[u8], frame: &Frame<'_>) -> Option<Vec<u8>> {
        let bound = Bound::head(frame.header, cache_key);
        self.find(frame.header.key_id)?.decrypted(bound, frame.nonce, frame.head)
    }

    pub(super) fn decrypted_body(
        &self,
        cache_key: &[u8],
        frame: &Frame<'_>,
        body: Sealed<'_>,
    ) -> Option<Vec<u8>> {
        let bound = Bound::body(frame.header, cache_key, frame.head.proof);
        self.find(frame.header.key_id)?.decrypted(bound, frame.nonce, body)
    }

    fn find(&self, id: u32) -> Option<&Key> {
        self.all.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Key {
    fn new(id: u32, secret: &[u8; 32]) -> Result<Self, KeysError> {
        let [first, rest @ ..] = secret;
        if rest.iter().all(|byte| byte == first) {
            return Err(KeysError::new(KeysErrorKind::Weak));
        }
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"tower-keep").extract(secret);
        let drawn = |purpose: &[u8]| -> Result<Zeroizing<[u8; 32]>, Unspecified> {
            let mut key = Zeroizing::new([0; 32]);
            prk.expand(&[purpose], hkdf::HKDF_SHA256)?.fill(key.as_mut())?;
            Ok(key)
        };
        let keys = || -> Result<Self, Unspecified> {
            let mac = drawn(b"authenticated 1")?;
            let cipher = drawn(b"encrypted 1")?;
            Ok(Self {
                id,
                mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_ref()),
                cipher: LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, cipher.as_ref())?),
            })
        };
        keys().map_err(|_| KeysError::new(KeysErrorKind::Refused))
    }

    /// Half of the HMAC, which RFC 2104 §5 allows: 128 bits are what the cipher's tag has too.
    fn tag(&self, bound: Bound<'_>, bytes: &[u8]) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(&bound.start);
        context.update(bound.head_tag);
        context.update(&(bound.cache_key.len() as u64).to_le_bytes());
        context.update(bound.cache_key);
        context.update(bytes);
        let whole = context.sign();
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }

    fn checked<'a>(&self, bound: Bound<'_>, part: Sealed<'a>) -> Option<&'a [u8]> {
        let tag = self.tag(bound, part.bytes);
        constant_time::verify_slices_are_equal(&tag, part.proof).ok()?;
        Some(part.bytes)
    }

    /// Appends the part and its tag.
    fn encrypt(
        &self,
        out: &mut Vec<u8>,
        bound: Bound<'_>,
        nonce: &[u8],
        bytes: &[u8],
    ) -> Option<[u8; TAG_BYTES]> {
        let at = out.len();
        out.extend_from_slice(bytes);
        let nonce = bound.nonce(nonce)?;
        let part = out.get_mut(at..)?;
        let tag = self.cipher.seal_in_place_separate_tag(nonce, bound.aad(), part).ok()?;
        out.extend_from_slice(tag.as_ref());
        tag.as_ref().try_into().ok()
    }

    fn decrypted(&self, bound: Bound<'_>, nonce: &[u8], part: Sealed<'_>) -> Option<Vec<u8>> {
        let nonce = bound.nonce(nonce)?;
        let mut out = vec![0; part.bytes.len()];
        self.cipher
            .open_separate_gather(nonce, bound.aad(), part.bytes, part.proof, &mut out)
            .ok()?;
        Some(out)
    }
}

/// What a part's tag covers besides the part. The start says how long all is that follows but the cache
/// key, which comes last or after its length: no two read alike.
#[derive(Clone, Copy)]
struct Bound<'a> {
    start: [u8; 1 + HEADER_BYTES],
    /// Of the same frame; empty for the head itself.
    head_tag: &'a [u8],
    cache_key: &'a [u8],
}

impl<'a> Bound<'a> {
    fn head(header: Header, cache_key: &'a [u8]) -> Self {
        Self { start: start(HEAD, header), head_tag: &[], cache_key }
    }

    fn body(header: Header, cache_key: &'a [u8], head_tag: &'a [u8]) -> Self {
        Self { start: start(BODY, header), head_tag, cache_key }
    }

    fn aad(&self) -> Aad<Vec<u8>> {
        Aad::from([&self.start, self.head_tag, self.cache_key].concat())
    }

    /// The frame's nonce for the head; for the body its last bit is the other one.
    fn nonce(&self, nonce: &[u8]) -> Option<Nonce> {
        let mut nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let (last, [part, ..]) = (nonce.last_mut()?, self.start);
        *last ^= part;
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

fn start(part: u8, header: Header) -> [u8; 1 + HEADER_BYTES] {
    let mut start = [part; 1 + HEADER_BYTES];
    start.iter_mut().skip(1).zip(header.to_bytes()).for_each(|(to, from)| *to = from);
    start
}

const HEAD: u8 = 0;
const BODY: u8 = 1;
const KEYS_MAX: usize = 8;
