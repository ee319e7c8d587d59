//! Where keys come from.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::jwk::KeySet;
use crate::auth::token::TokenHeader;
use crate::store::ledger::Wait;

/// Gives the keys of one issuer. [`KeySet`] is one that never changes; `JwksKeys` fetches them.
///
/// Several issuers have a source each, so that no key id of one ever names a key of another (RFC 8725 §3.8).
///
/// ```
/// use std::sync::RwLock;
/// use tower_keep::auth::{KeySet, KeySource};
///
/// /// Keys that an operator changes while the service runs.
/// struct Changing(RwLock<KeySet>);
///
/// impl KeySource for Changing {
///     fn keys(&self) -> Option<KeySet> {
///         self.0.read().ok().map(|keys| keys.clone())
///     }
/// }
/// ```
pub trait KeySource: Send + Sync + 'static {
    /// The keys as they are known now; `None` where none were ever loaded. It is asked once for each request, and must not wait.
    ///
    /// A key that is no longer in the set verifies nothing from then on, also of tokens that are remembered.
    fn keys(&self) -> Option<KeySet>;

    /// Asks for newer keys, since [`keys`](Self::keys) has none for a token of this header, or none at all. The answer must come within a
    /// bounded time; the layer waits a minute, where its clock can sleep. Many callers must cost one question (RFC 7517 has no way to ask
    /// for one key).
    ///
    /// `None` where there is nothing to wait for: what `keys` says is all there is. That is the default.
    fn refreshed<'a>(&'a self, header: &'a TokenHeader) -> Option<Wait<'a, Refreshed>> {
        let _ = header;
        None
    }
}

/// What came of asking for newer keys.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refreshed {
    /// These are the issuer's keys, as new as they have to be: what is not among them is not the issuer's.
    Current(KeySet),
    /// Nobody knows, since the issuer cannot be asked, or did not answer in time.
    Unavailable {
        /// When to come again.
        retry_after: Duration,
    },
}

impl KeySource for KeySet {
    fn keys(&self) -> Option<KeySet> {
        Some(self.clone())
    }
}

impl<T: KeySource + ?Sized> KeySource for Arc<T> {
    fn keys(&self) -> Option<KeySet> {
        (**self).keys()
    }

    fn refreshed<'a>(&'a self, header: &'a TokenHeader) -> Option<Wait<'a, Refreshed>> {
        (**self).refreshed(header)
    }
}
