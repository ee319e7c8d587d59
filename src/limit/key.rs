//! A key as stores see it, and what it is made of.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// A key as stores see it: 16 bytes, a digest with a secret that nobody outside can make or read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey {
    low: u64,
    high: u64,
}

impl LimitKey {
    /// The bytes of the digest.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.high) << 64 | u128::from(self.low)).to_le_bytes()
    }

    /// Both halves.
    pub(crate) fn halves(self) -> (u64, u64) {
        (self.low, self.high)
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitKey(..)")
    }
}

/// Takes the parts of a key. Each stands in it with its length, so that no two lists of parts are alike.
pub struct KeyParts {
    secret: [u8; 16],
    /// What has not gone into a hasher, in whole words: most keys are short, and one step over all of such a one is quicker than one for
    /// each part.
    words: [[u8; 8]; SHORT],
    count: usize,
    /// Of a key that is not short.
    hasher: Option<SipHasher13>,
}

impl KeyParts {
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        Self { secret: *secret, words: [[0; 8]; SHORT], count: 0, hasher: None }
    }

    /// One part more.
    #[inline]
    pub fn part(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            // The length tells how much of it is there.
            self.word(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    /// What one member of a [`LimitBy`] gives stands behind its kind. Where a length is expected a kind is none, since no part is so long: so no
    /// member looks like another, nor like two.
    #[inline]
    pub(crate) fn section(&mut self, kind: u8) {
        self.word(1 << 63 | u64::from(kind));
    }

    #[inline]
    fn word(&mut self, word: u64) {
        match self.words.get_mut(self.count) {
            Some(place) => {
                *place = word.to_le_bytes();
                self.count += 1;
            }
            None => self.word_through(word),
        }
    }

    #[cold]
    fn word_through(&mut self, word: u64) {
        let hasher = self.hasher.get_or_insert_with(|| SipHasher13::new_with_key(&self.secret));
        hasher.write(self.words.as_flattened());
        self.count = 0;
        self.word(word);
    }

    pub(crate) fn key(&mut self) -> LimitKey {
        let rest = self.words.get(..self.count).unwrap_or_default().as_flattened();
        let digest = match &mut self.hasher {
            None => SipHasher13::new_with_key(&self.secret).hash(rest),
            Some(hasher) => {
                hasher.write(rest);
                hasher.finish128()
            }
        };
        LimitKey { low: digest.h1, high: digest.h2 }
    }
}

impl fmt::Debug for KeyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyParts(..)")
    }
}

/// The words of a key that goes into the hasher at once.
const SHORT: usize = 8;
