//! Entity tags, to be set (RFC 9110 §8.8.3).

use std::error::Error;
use std::fmt;

use http::HeaderValue;

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
pub struct EntityTag(HeaderValue);

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
    /// assert!(EntityTag::strong("row 7").is_err());
    /// ```
    pub fn strong(opaque: impl AsRef<[u8]>) -> Result<Self, EntityTagError> {
        Self::quoted(b"\"", opaque.as_ref())
    }

    /// `W/"opaque"`.
    ///
    /// # Errors
    ///
    /// As for [`strong`](Self::strong).
    pub fn weak(opaque: impl AsRef<[u8]>) -> Result<Self, EntityTagError> {
        Self::quoted(b"W/\"", opaque.as_ref())
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
        let mut digest = Digest::new();
        for part in parts {
            digest.part(part.as_ref());
        }
        digest.tag()
    }

    /// The field's value.
    pub fn to_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether it is a weak one.
    pub fn is_weak(&self) -> bool {
        self.0.as_bytes().starts_with(b"W/")
    }

    /// The same as a weak one.
    #[must_use]
    pub fn to_weak(&self) -> Self {
        match self.is_weak() {
            true => self.clone(),
            false => Self(value([b"W/", self.0.as_bytes()].concat())),
        }
    }

    pub(crate) fn read(&self) -> Option<Read<'_>> {
        Read::parse(self.0.as_bytes())
    }

    fn quoted(before: &[u8], opaque: &[u8]) -> Result<Self, EntityTagError> {
        if opaque.len() > Self::BYTES_MAX {
            return Err(EntityTagError(EntityTagErrorKind::TooLong));
        }
        let text = [before, opaque, b"\""].concat();
        if Read::parse(&text).is_none() {
            return Err(EntityTagError(EntityTagErrorKind::Character));
        }
        Ok(Self(value(text)))
    }
}

/// A strong tag of a version number.
impl From<u64> for EntityTag {
    fn from(version: u64) -> Self {
        Self(value(format!("\"{version}\"").into_bytes()))
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntityTag({})", String::from_utf8_lossy(self.0.as_bytes()))
    }
}

/// A tag that is being made.
pub(crate) struct Digest(blake3::Hasher);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// One part, told from the next by its length.
    pub(crate) fn part(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    pub(crate) fn tag(&self) -> EntityTag {
        let digits = self.0.finalize().to_hex();
        let digits = digits.get(..TAG_DIGITS).unwrap_or(&digits);
        EntityTag(value([b"\"", digits.as_bytes(), b"\""].concat()))
    }
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

fn value(text: Vec<u8>) -> HeaderValue {
    // Only what was read as a tag comes here, and every tag is a value: the fallback is not reached.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).unwrap_or(EMPTY)
}

const EMPTY: HeaderValue = HeaderValue::from_static("\"\"");
/// 160 bits: to find two contents of one tag takes 2^80 steps.
const TAG_DIGITS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_what_the_grammar_allows() {
        for good in ["", "a", "!#$%&'()*+,-./", "W/", "\u{e9}"] {
            let (strong, weak) = (EntityTag::strong(good).unwrap(), EntityTag::weak(good).unwrap());
            assert!(!strong.is_weak() && weak.is_weak());
            assert_eq!(strong.to_weak(), weak);
            assert_eq!(weak.to_weak(), weak);
        }
        for bad in ["a\"", " ", "\t", "a\nb", "\0", "\u{7f}"] {
            let error = EntityTag::strong(bad).unwrap_err();
            assert_eq!(error.kind(), EntityTagErrorKind::Character, "{bad:?}");
        }
        let longest = "a".repeat(EntityTag::BYTES_MAX);
        assert!(EntityTag::weak(&longest).is_ok());
        let error = EntityTag::weak(longest + "a").unwrap_err();
        assert_eq!(error.kind(), EntityTagErrorKind::TooLong);
    }

    /// The digest of BLAKE3's published vector for no input, its first 20 bytes.
    #[test]
    fn a_digest_is_the_same_everywhere() {
        assert_eq!(Digest::new().tag().to_value(), "\"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9\"");
        assert_eq!(EntityTag::digest_of([""; 0]), Digest::new().tag());
    }

    #[test]
    fn where_parts_end_counts() {
        assert_ne!(EntityTag::digest_of(["ab", "c"]), EntityTag::digest_of(["a", "bc"]));
        assert_ne!(EntityTag::digest_of(["", "a"]), EntityTag::digest_of(["a", ""]));
    }
}
