//! Entity tags, to be set (RFC 9110 §8.8.3).

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::fields::etag::EntityTag as Read;

/// An entity tag: which state of a resource a response shows (RFC 9110 §8.8.3).
///
/// A *strong* tag changes whenever a byte of the content does. A *weak* one, `W/"..."`, changes when the content means
/// something else; it is enough for a 304, and never for `If-Match` or a `Range`.
///
/// Two users' pages at one URL are two states: a tag made of a row's version alone would tell a browser in which
/// another user has logged in that it holds the page already. Put into it all that the content depends on.
///
/// ```
/// use tower_keep::conditional::EntityTag;
///
/// assert_eq!(EntityTag::from(7).to_value(), "\"7\"");
/// assert_eq!(EntityTag::strong("2026-11-25.3").unwrap().to_value(), "\"2026-11-25.3\"");
/// assert_eq!(EntityTag::weak("7").unwrap().to_value(), "W/\"7\"");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag {
    is_weak: bool,
    opaque: Opaque,
}

/// What stands between the quotes: most tags take no memory of their own.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Opaque {
    /// Zeroes behind the first so many.
    Short([u8; SHORT_BYTES], u8),
    Long(Box<[u8]>),
}

impl EntityTag {
    /// The longest opaque part of a tag that is made here, in bytes.
    pub const BYTES_MAX: usize = 256;

    /// `"opaque"`.
    ///
    /// # Errors
    ///
    /// If a tag may not hold one of the characters (RFC 9110 §8.8.3: no white space, no controls and no `"`), or if there
    /// are more than [`BYTES_MAX`](Self::BYTES_MAX) bytes. For anything else there is [`digest_of`](Self::digest_of).
    ///
    /// ```
    /// use tower_keep::conditional::EntityTag;
    ///
    /// assert!(EntityTag::strong("2026-11-25.3").is_ok());
    /// assert!(EntityTag::strong("row 7").is_err());
    /// ```
    pub fn strong(opaque: impl AsRef<[u8]>) -> Result<Self, EntityTagError> {
        Self::checked(false, opaque.as_ref())
    }

    /// `W/"opaque"`.
    ///
    /// # Errors
    ///
    /// As for [`strong`](Self::strong).
    ///
    /// ```
    /// use tower_keep::conditional::EntityTag;
    ///
    /// assert_eq!(EntityTag::weak("7").unwrap(), EntityTag::from(7).to_weak());
    /// ```
    pub fn weak(opaque: impl AsRef<[u8]>) -> Result<Self, EntityTagError> {
        Self::checked(true, opaque.as_ref())
    }

    /// A strong tag of all that the content depends on, such as a user, a language and the version of a row: 160 bits of
    /// a BLAKE3 digest, the same in every instance. Each part counts with its length.
    ///
    /// ```
    /// use tower_keep::conditional::EntityTag;
    ///
    /// let page = |user: &str, version: u64| EntityTag::digest_of([user.as_bytes(), &version.to_be_bytes()]);
    /// assert_eq!(page("ada", 7), page("ada", 7));
    /// assert_ne!(page("ada", 7), page("bob", 7));
    /// ```
    pub fn digest_of<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let mut hasher = blake3::Hasher::new();
        parts.into_iter().for_each(|part| add(&mut hasher, part.as_ref()));
        Self::of(&hasher.finalize())
    }

    /// A strong tag of a response's content.
    pub(crate) fn of_content(status: StatusCode, headers: &HeaderMap, content: &[u8]) -> Self {
        // RFC 9110 §8.8.1: what the content means changes with these, and its state too. As a key they leave the content
        // where the digest is fastest: at the begin.
        let mut meaning = blake3::Hasher::new();
        meaning.update(&status.as_u16().to_le_bytes());
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            let lines = headers.get_all(name);
            meaning.update(&(lines.iter().count() as u64).to_le_bytes());
            lines.iter().for_each(|line| add(&mut meaning, line.as_bytes()));
        }
        Self::of(&blake3::keyed_hash(meaning.finalize().as_bytes(), content))
    }

    /// The field's value.
    ///
    /// ```
    /// use tower_keep::conditional::EntityTag;
    ///
    /// assert_eq!(EntityTag::from(7).to_weak().to_value(), "W/\"7\"");
    /// ```
    pub fn to_value(&self) -> HeaderValue {
        let opaque = self.opaque();
        let mut text = Vec::with_capacity(opaque.len() + if self.is_weak { 4 } else { 2 });
        text.extend_from_slice(if self.is_weak { b"W/\"" } else { b"\"" });
        text.extend_from_slice(opaque);
        text.push(b'"');
        // Every tag is a value: what stands for none is not reached.
        HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(EMPTY)
    }

    /// Whether it is a weak one.
    ///
    /// ```
    /// use tower_keep::conditional::EntityTag;
    ///
    /// assert!(EntityTag::from(7).to_weak().is_weak());
    /// ```
    pub fn is_weak(&self) -> bool {
        self.is_weak
    }

    /// The same as a weak one.
    #[must_use]
    pub fn to_weak(&self) -> Self {
        Self { is_weak: true, opaque: self.opaque.clone() }
    }

    pub(crate) fn read(&self) -> Read<'_> {
        Read::new(self.is_weak, self.opaque())
    }

    fn opaque(&self) -> &[u8] {
        match &self.opaque {
            Opaque::Short(bytes, length) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Opaque::Long(bytes) => bytes,
        }
    }

    fn checked(is_weak: bool, opaque: &[u8]) -> Result<Self, EntityTagError> {
        if opaque.len() > Self::BYTES_MAX {
            return Err(EntityTagError(EntityTagErrorKind::TooLong));
        }
        if !Read::may_hold(opaque) {
            return Err(EntityTagError(EntityTagErrorKind::Character));
        }
        let mut short = [0; SHORT_BYTES];
        let opaque = match short.get_mut(..opaque.len()) {
            Some(place) => {
                place.copy_from_slice(opaque);
                Opaque::Short(short, opaque.len() as u8)
            }
            None => Opaque::Long(opaque.into()),
        };
        Ok(Self { is_weak, opaque })
    }

    fn numbered(version: i128) -> Self {
        let mut digits = [0; SHORT_BYTES];
        // A number of 64 bits, and its sign, stands in less.
        let mut rest = version.unsigned_abs() as u64;
        let is_negative = version < 0;
        let length = rest.checked_ilog10().unwrap_or(0) as usize + 1 + usize::from(is_negative);
        if is_negative && let Some(sign) = digits.first_mut() {
            *sign = b'-';
        }
        for place in digits.iter_mut().take(length).skip(usize::from(is_negative)).rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self { is_weak: false, opaque: Opaque::Short(digits, length as u8) }
    }

    fn of(digest: &blake3::Hash) -> Self {
        let mut digits = [0; SHORT_BYTES];
        for (place, byte) in digits.chunks_exact_mut(2).zip(digest.as_bytes()) {
            for (place, digit) in place.iter_mut().zip([byte >> 4, byte & 15]) {
                *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            }
        }
        Self { is_weak: false, opaque: Opaque::Short(digits, SHORT_BYTES as u8) }
    }
}

macro_rules! from_number {
    ($($number:ty),*) => {$(
        /// A strong tag of a version number. A row that is removed and made anew must not count from the begin again, or who
        /// has seen the old one may overwrite the new.
        impl From<$number> for EntityTag {
            fn from(version: $number) -> Self {
                Self::numbered(version.into())
            }
        }
    )*};
}

from_number!(u64, i64, u32, i32);

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weak = if self.is_weak { "W/" } else { "" };
        write!(f, "EntityTag({weak}\"{}\")", String::from_utf8_lossy(self.opaque()))
    }
}

/// Adds a part to a digest, told from the next by its length.
fn add(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}

/// Why a tag cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTagError(EntityTagErrorKind);

/// The kinds of what is wrong with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntityTagErrorKind {
    /// It holds a character that a tag may not hold.
    Character,
    /// It is longer than [`EntityTag::BYTES_MAX`].
    TooLong,
}

impl EntityTagError {
    /// What is wrong.
    pub fn kind(&self) -> EntityTagErrorKind {
        self.0
    }
}

impl fmt::Display for EntityTagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            EntityTagErrorKind::Character => {
                "an entity tag holds no white space, no controls and no quotes"
            }
            EntityTagErrorKind::TooLong => "an entity tag is 256 bytes long at most",
        })
    }
}

impl Error for EntityTagError {}

const EMPTY: HeaderValue = HeaderValue::from_static("\"\"");
/// The digits of 160 bits: to find two contents of one tag takes 2^80 steps.
const SHORT_BYTES: usize = 40;

#[cfg(test)]
mod tests;
