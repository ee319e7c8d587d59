//! Tokens that were verified a moment ago, so that the same one costs no second look at its signature.

use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::auth::jwk::KeySet;
use crate::auth::key::Key;
use crate::auth::verified::Verified;
use crate::entropy::random;

/// Verified tokens by a keyed digest of all their bytes: of a token itself nothing is kept, and who does not know the key makes
/// no two of one digest.
///
/// *Invariant:* what it gives is a matter of signatures alone. Who asks looks at the times again, and whether the key is still
/// there.
pub(crate) struct Memo {
    secret: [u8; 16],
    tokens: Cache<Digest, Arc<Remembered>, ByBytes, ahash::RandomState>,
    /// Whether there ever was one: to ask the table would take each of its locks.
    is_used: AtomicBool,
}

pub(crate) type Digest = [u8; 16];

pub(crate) struct Remembered {
    pub(crate) verified: Verified,
    /// Which of those who are trusted has issued it.
    pub(crate) issuer: usize,
    key: [u8; 32],
}

impl Remembered {
    /// Whether the key that has signed it is still one of the issuer's.
    pub(crate) fn is_signed_by(&self, keys: &KeySet) -> bool {
        keys.keys().iter().any(|key| *key.identity() == self.key)
    }
}

impl Memo {
    /// For so many bytes of tokens and what is known of them.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity((bytes_max / ENTRY_BYTES).max(1))
            .weight_capacity(bytes_max as u64)
            .shards((bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX))
            .build();
        let hasher = ahash::RandomState::new();
        let tokens = match options {
            Ok(options) => {
                Cache::with_options(options, ByBytes, hasher, DefaultLifecycle::default())
            }
            Err(_) => {
                Cache::with(1, bytes_max as u64, ByBytes, hasher, DefaultLifecycle::default())
            }
        };
        Self { secret: random(), tokens, is_used: AtomicBool::new(false) }
    }

    pub(crate) fn digest(&self, token: &[u8]) -> Digest {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write(token);
        hasher.finish128().as_bytes()
    }

    pub(crate) fn find(&self, token: &Digest) -> Option<Arc<Remembered>> {
        self.tokens.get(token)
    }

    pub(crate) fn remember(&self, token: Digest, issuer: usize, verified: Verified, key: &Key) {
        let remembered = Remembered { verified, issuer, key: *key.identity() };
        self.tokens.insert(token, Arc::new(remembered));
        if !self.is_used() {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn forget(&self, token: &Digest) {
        self.tokens.remove(token);
    }

    /// False where nothing was ever remembered.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Digest, Arc<Remembered>> for ByBytes {
    fn weight(&self, _: &Digest, remembered: &Arc<Remembered>) -> u64 {
        (remembered.verified.bytes() + OVERHEAD_BYTES) as u64
    }
}

/// What an entry takes of the table, with its digest and its own fields.
const OVERHEAD_BYTES: usize = 192;
/// A common one, with claims of some hundred bytes.
const ENTRY_BYTES: usize = 1024;
/// A shard holds the largest token, and more.
const SHARD_BYTES_MIN: usize = 256 << 10;
const SHARDS_MAX: usize = 16;
