//! What is counted together.

use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::head::RequestHead;

/// A key as stores see it: 16 bytes, a digest with a secret that nobody outside can make or read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey([u8; 16]);

impl LimitKey {
    /// The bytes of the digest.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Both halves.
    pub(crate) fn halves(self) -> (u64, u64) {
        let both = u128::from_le_bytes(self.0);
        (both as u64, (both >> 64) as u64)
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitKey(..)")
    }
}

/// Takes the parts of a key. Each stands in it with its length, so that no two lists of parts are alike.
pub struct KeyParts(SipHasher13);

impl KeyParts {
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(secret))
    }

    /// One part more.
    pub fn part(&mut self, bytes: &[u8]) {
        self.0.write_u64(bytes.len() as u64);
        // Numbers and addresses are a few words: those are taken in as such, with the digest of their bytes.
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.0.write_u64(u64::from_ne_bytes(*word));
        }
        if !rest.is_empty() {
            self.0.write(rest);
        }
    }

    pub(crate) fn key(&self) -> LimitKey {
        LimitKey(self.0.finish128().as_bytes())
    }
}

impl fmt::Debug for KeyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyParts(..)")
    }
}

/// What is counted together: by whom, or by what, a limit counts.
///
/// ```
/// use tower_keep::limit::LimitBy;
///
/// #[derive(Clone)]
/// struct Tenant(u64); // put into the extensions by your authentication
///
/// let tenant = LimitBy::with(|head, parts| {
///     let Tenant(id) = head.extensions.get()?;
///     parts.part(&id.to_le_bytes());
///     Some(())
/// });
/// ```
#[derive(Clone)]
pub struct LimitBy(Arc<[Part]>);

type PartFn = dyn Fn(RequestHead<'_>, &mut KeyParts) -> Option<()> + Send + Sync;

#[derive(Clone)]
enum Part {
    Everyone,
    With(Arc<PartFn>),
}

impl LimitBy {
    /// All requests together.
    pub fn everyone() -> Self {
        Self(Arc::new([Part::Everyone]))
    }

    /// By whatever the function makes of the request: it gives the parts of the key. `None` is a request without a key.
    pub fn with(
        parts: impl Fn(RequestHead<'_>, &mut KeyParts) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new([Part::With(Arc::new(parts))]))
    }

    /// By both: those that are alike in one and in the other are counted together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.iter().chain(&*other.0).cloned().collect())
    }

    /// The key of a request with this secret, for tests of your own functions and for those who ask a
    /// [`LimitStore`](crate::limit::LimitStore) themselves. `None` if it has none.
    pub fn key_of(&self, request: RequestHead<'_>, secret: &[u8; 16]) -> Option<LimitKey> {
        self.key(request, secret).ok()
    }

    /// The key of a request, or why it has none.
    pub(crate) fn key(
        &self,
        request: RequestHead<'_>,
        secret: &[u8; 16],
    ) -> Result<LimitKey, Keyless> {
        let mut parts = KeyParts::new(secret);
        for part in &*self.0 {
            match part {
                Part::Everyone => {}
                Part::With(with) => with(request, &mut parts).ok_or(Keyless::Unknown)?,
            }
        }
        Ok(parts.key())
    }
}

impl fmt::Debug for LimitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitBy(..)")
    }
}

/// What a request lacks that has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyless {
    /// The server did not say from where it came, or a function knew nothing: not the client's fault.
    Unknown,
}
