//! What divides the stored responses of one resource among groups of clients.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;

use crate::digest::Secret;
use crate::fields::vary::is_secret;
use crate::head::{Principal, RequestHead};

/// Tells to which group of clients a request belongs: what is stored for one is never served to another.
///
/// ```
/// use tower_keep::cache::{CacheLayer, Partition};
/// use tower_keep::store::MemoryStore;
///
/// #[derive(Clone)]
/// struct Tenant(u64);
///
/// let by_header = Partition::header(http::HeaderName::from_static("x-tenant"));
/// let by_extension = Partition::with(|head| {
///     head.extensions.get::<Tenant>().map(|tenant| tenant.0.to_le_bytes().to_vec())
/// });
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).partition_by(by_extension);
/// # let _ = (by_header, cache);
/// ```
#[derive(Clone)]
pub struct Partition(How);

type PartitionFn = dyn Fn(RequestHead<'_>) -> Option<Vec<u8>> + Send + Sync;

#[derive(Clone)]
enum How {
    Principal,
    Header(HeaderName),
    With(Arc<PartitionFn>),
}

impl Partition {
    /// By who asks: the [`Principal`](crate::head::Principal) that a layer further out has found, by issuer and subject.
    ///
    /// A request without one belongs to no partition. Since nobody else is served what was made for one, the answer to a
    /// request with a bearer token may be stored without the word that RFC 9111 §3.5 asks for; but only where the principal is that
    /// token's, as a `JwtLayer` has found it.
    ///
    /// ```
    /// use tower_keep::cache::{CacheLayer, Partition};
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).partition_by(Partition::principal());
    /// # let _ = cache;
    /// ```
    pub fn principal() -> Self {
        Self(How::Principal)
    }

    /// By the value of a field that somebody you trust has set. Credentials and cookies are kept as keyed
    /// digests only.
    ///
    /// A request without the field belongs to no partition.
    ///
    /// ```
    /// use tower_keep::cache::Partition;
    ///
    /// let by_session = Partition::header(http::header::COOKIE);
    /// assert_eq!(format!("{by_session:?}"), "Partition::header(cookie)");
    /// ```
    pub fn header(name: HeaderName) -> Self {
        Self(How::Header(name))
    }

    /// By whatever the function makes of the request; `None` belongs to no partition.
    ///
    /// ```
    /// use tower_keep::cache::Partition;
    ///
    /// let by_host = Partition::with(|head| head.uri.host().map(|host| host.as_bytes().to_vec()));
    /// ```
    pub fn with(name: impl Fn(RequestHead<'_>) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self(How::With(Arc::new(name)))
    }

    /// Whether the other is a clone of this one, or reads the same field.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (How::Principal, How::Principal) => true,
            (How::Header(one), How::Header(other)) => one == other,
            (How::With(one), How::With(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether it keeps everybody apart from every other.
    pub(crate) fn is_by_principal(&self) -> bool {
        matches!(self.0, How::Principal)
    }

    pub(crate) fn of(&self, request: RequestHead<'_>, secret: &Secret) -> Option<Vec<u8>> {
        match &self.0 {
            How::With(name) => name(request),
            How::Principal => request.extensions.get().map(Principal::to_bytes),
            How::Header(name) => {
                let lines = || request.headers.get_all(name).iter().map(|line| line.as_bytes());
                lines().next()?;
                if is_secret(name) {
                    return Some(secret.digest(lines()).to_vec());
                }
                let mut out = Vec::new();
                for line in lines() {
                    out.extend_from_slice(&(line.len() as u64).to_le_bytes());
                    out.extend_from_slice(line);
                }
                Some(out)
            }
        }
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            How::Principal => f.write_str("Partition::principal()"),
            How::Header(name) => write!(f, "Partition::header({name})"),
            How::With(_) => f.write_str("Partition::with(..)"),
        }
    }
}
