//! Why there are no newer keys.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::error::BoxError;

/// Why keys could not be had from the network. It shows nothing of what was received.
///
/// ```
/// use http::{Request, Response};
/// use tower_keep::auth::{JwksErrorKind, JwksKeys};
///
/// # let client = tower::service_fn(|_: Request<String>| async { Ok::<_, std::io::Error>(Response::new(String::new())) });
/// let error = JwksKeys::new("http://login.example/jwks", client).unwrap_err();
/// assert_eq!(error.kind(), JwksErrorKind::Url);
/// ```
#[derive(Clone, Debug)]
pub struct JwksError {
    kind: JwksErrorKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kinds of what can go wrong with keys from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwksErrorKind {
    /// The URL of the key set, or the issuer, is not one that may be asked: see [`JwksKeys::new`](crate::auth::JwksKeys::new).
    Url,
    /// The client failed, also in the middle of a body. The error's [`source`](Error::source) is the client's own.
    Client,
    /// No whole reply came in time.
    Deadline,
    /// The reply has another status than 200. That is so for every redirect.
    Status,
    /// The reply is no JSON by its `Content-Type`, or has a content coding.
    ContentType,
    /// The reply is longer than [`JwksKeys::BYTES_MAX`](crate::auth::JwksKeys::BYTES_MAX).
    TooLarge,
    /// The reply is no JWK Set (RFC 7517 §5), or no metadata of an issuer.
    Malformed,
    /// The set has more than [`KeySet::KEYS_MAX`](crate::auth::KeySet::KEYS_MAX) keys.
    TooManyKeys,
    /// The set has two keys of one id.
    DuplicateKeyId,
    /// The set shows secret or private keys. Whoever can read it can sign with them.
    SecretKey,
    /// The metadata is of another issuer (RFC 8414 §3.3).
    Issuer,
    /// The metadata names a key set at a URL that may not be asked.
    JwksUrl,
    /// So many wait already that nobody else may.
    Busy,
}

impl JwksError {
    /// What is wrong.
    pub fn kind(&self) -> JwksErrorKind {
        self.kind
    }

    pub(super) fn of_client(source: impl Into<BoxError>) -> Self {
        Self { kind: JwksErrorKind::Client, source: Some(Arc::from(source.into())) }
    }
}

impl JwksErrorKind {
    /// Whether a reply came which was refused.
    pub(super) fn is_refusal(self) -> bool {
        !matches!(self, Self::Client | Self::Deadline | Self::Busy)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Url => {
                "the URL is not one that may be asked for keys: https, or http to this machine where `http_to_loopback` says so"
            }
            Self::Client => "the client failed",
            Self::Deadline => "no whole reply came in time",
            Self::Status => "the reply has another status than 200",
            Self::ContentType => "the reply is not plain JSON",
            Self::TooLarge => "the reply is too long",
            Self::Malformed => "the reply is malformed",
            Self::TooManyKeys => "the set has too many keys",
            Self::DuplicateKeyId => "the set has two keys of one id",
            Self::SecretKey => "the set shows secret or private keys",
            Self::Issuer => "the metadata is of another issuer; the two are compared byte for byte",
            Self::JwksUrl => "the metadata names a URL that may not be asked for keys",
            Self::Busy => "too many wait already",
        }
    }
}

impl From<JwksErrorKind> for JwksError {
    fn from(kind: JwksErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())
    }
}

impl Error for JwksError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
