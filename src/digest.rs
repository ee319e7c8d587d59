//! A keyed digest for what must be recognised but not kept: credentials and cookies.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// The key of the digests of one cache. Never shown.
#[derive(Clone, Copy)]
pub(crate) struct Secret([u8; 16]);

impl Secret {
    pub(crate) const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// The digest of `parts`, each counted with its length so that no two lists read alike.
    pub(crate) fn digest<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_depend_on_the_key_and_on_where_parts_end() {
        let (one, two) = (Secret::new([1; 16]), Secret::new([2; 16]));
        let parts = |list: &'static [&'static str]| list.iter().map(|part| part.as_bytes());
        assert_ne!(one.digest(parts(&["ab", "c"])), one.digest(parts(&["a", "bc"])));
        assert_ne!(one.digest(parts(&["ab"])), two.digest(parts(&["ab"])));
        assert_eq!(one.digest(parts(&["ab"])), one.digest(parts(&["ab"])));
        assert_eq!(format!("{one:?}"), "Secret(..)");
    }
}
