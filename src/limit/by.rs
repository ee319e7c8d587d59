//! What is counted together.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderName;

use crate::head::{Principal, RequestHead};
use crate::limit::client::ClientAddress;
use crate::limit::key::{KeyParts, LimitKey};
use crate::limit::refusal::Keyless;

/// What is counted together: by whom, or by what, a limit counts.
///
/// Of whatever a key is made, a store sees 16 bytes: a digest with a secret. `Debug` shows by what is counted, and nothing of a request.
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
/// let each_user = tenant.and(LimitBy::principal());
/// assert_eq!(format!("{each_user:?}"), "LimitBy::with(..).and(LimitBy::principal())");
/// ```
#[derive(Clone)]
pub struct LimitBy(Arc<[Part]>);

/// Gives its parts of a key, or says why there are none.
type PartsFn = dyn Fn(RequestHead<'_>, &mut KeyParts) -> Result<(), Keyless> + Send + Sync;

#[derive(Clone)]
enum Part {
    Everyone,
    Client { address: Arc<ClientAddress>, is_peer: bool },
    Header(HeaderName),
    Principal,
    With { kind: Kind, shown: Arc<str>, parts: Arc<PartsFn> },
}

/// Tells apart by what is counted.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Keyless = 1,
    Client,
    Header,
    Principal,
    With,
    #[cfg(feature = "jwt")]
    Claim,
    #[cfg(feature = "axum")]
    Route,
}

impl LimitBy {
    /// All requests together.
    pub fn everyone() -> Self {
        Self::one(Part::Everyone)
    }

    /// By the address at the other end of the connection, which the server has put into the request's extensions as a `T`: IPv4
    /// addresses one by one, also where they are written as IPv6, and IPv6 addresses by the first 64 bits. The
    /// function says where in it, as in [`ClientAddress::of_peer`], which has more to choose from.
    ///
    /// Behind a proxy it is the proxy's, and all of its clients are counted together: see [`ClientAddress::behind`].
    ///
    /// A request that came without a `T` has no key.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use tonic::transport::server::TcpConnectInfo;
    /// use tower_keep::limit::LimitBy;
    ///
    /// let http = LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip());
    /// let grpc = LimitBy::peer(|info: &TcpConnectInfo| info.remote_addr().map(|address| address.ip()));
    /// # let _ = (http, grpc);
    /// ```
    pub fn peer<T, A>(peer: impl Fn(&T) -> A + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
        A: Into<Option<IpAddr>>,
    {
        let address = Arc::new(ClientAddress::of_peer(peer));
        Self::one(Part::Client { address, is_peer: true })
    }

    /// By the client's address, as it is told from what the server and proxies of yours say: see [`ClientAddress`].
    ///
    /// A request of which the server did not say where it came from has no key.
    pub fn client(address: ClientAddress) -> Self {
        Self::one(Part::Client { address: Arc::new(address), is_peer: false })
    }

    /// By the value of a field, such as an API key, byte for byte. The value goes into a digest and is kept nowhere, however long it is. Of several
    /// lines the first counts, which is what `HeaderMap::get` reads: so nobody becomes another by a second line behind one that was checked.
    ///
    /// **A client can send any value**, and with each another it is another client, unless somebody further out has set the
    /// field or checked it. Where nobody has, count by [`peer`](Self::peer) too, in a limit of its own.
    ///
    /// A request without the field has no key.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_keep::limit::LimitBy;
    ///
    /// let by_api_key = LimitBy::header(HeaderName::from_static("x-api-key"));
    /// assert_eq!(format!("{by_api_key:?}"), "LimitBy::header(x-api-key)");
    /// ```
    pub fn header(name: HeaderName) -> Self {
        Self::one(Part::Header(name))
    }

    /// By who asks: the [`Principal`] that a layer further out has found, by issuer and subject.
    ///
    /// A request without one has no key.
    ///
    /// ```
    /// use tower_keep::head::Principal;
    /// use tower_keep::limit::LimitBy;
    ///
    /// let by_user = LimitBy::principal();
    /// let mut request = http::Request::get("/").body(()).unwrap();
    /// assert!(by_user.key_of((&request).into(), &[7; 16]).is_none());
    /// request.extensions_mut().insert(Principal::new("sessions", "user:7"));
    /// assert!(by_user.key_of((&request).into(), &[7; 16]).is_some());
    /// ```
    pub fn principal() -> Self {
        Self::one(Part::Principal)
    }

    /// By whatever the function makes of the request: it gives the parts of the key. `None` is a request without a key.
    pub fn with(
        parts: impl Fn(RequestHead<'_>, &mut KeyParts) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        Self::made(Kind::With, "LimitBy::with(..)", move |request, to| {
            parts(request, to).ok_or(Keyless::Unknown)
        })
    }

    /// As [`LimitBy::with`], for those that know why there is no key.
    pub(crate) fn made(
        kind: Kind,
        shown: impl Into<Arc<str>>,
        parts: impl Fn(RequestHead<'_>, &mut KeyParts) -> Result<(), Keyless> + Send + Sync + 'static,
    ) -> Self {
        Self::one(Part::With { kind, shown: shown.into(), parts: Arc::new(parts) })
    }

    /// By both: those that are alike in one and in the other are counted together. A request that has no key by one has none.
    ///
    /// ```
    /// use tower_keep::limit::LimitBy;
    ///
    /// let each_method = LimitBy::with(|head, parts| Some(parts.part(head.method.as_str().as_bytes())));
    /// let each_method_of_each_user = LimitBy::principal().and(each_method);
    /// # let _ = each_method_of_each_user;
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self(others) = other;
        Self(self.0.iter().chain(&*others).cloned().collect())
    }

    /// The key of a request with this secret, for tests of your own functions and for those who ask a
    /// [`LimitStore`](crate::limit::LimitStore) themselves. `None` if it has none.
    ///
    /// ```
    /// use http::{HeaderName, Request};
    /// use tower_keep::limit::LimitBy;
    ///
    /// let by = LimitBy::header(HeaderName::from_static("x-api-key"));
    /// let key = |value: &str, secret| {
    ///     let request = Request::get("/").header("x-api-key", value).body(()).unwrap();
    ///     by.key_of((&request).into(), &[secret; 16])
    /// };
    /// assert_eq!(key("a", 1), key("a", 1));
    /// assert_ne!(key("a", 1), key("b", 1));
    /// assert_ne!(key("a", 1), key("a", 2));
    /// ```
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
        self.0.iter().try_for_each(|part| part.give(request, &mut parts))?;
        Ok(parts.key())
    }

    /// The one key of all requests that have none.
    pub(crate) fn key_of_keyless(secret: &[u8; 16]) -> LimitKey {
        let mut parts = KeyParts::new(secret);
        parts.section(Kind::Keyless as u8);
        parts.key()
    }

    fn one(part: Part) -> Self {
        Self(Arc::new([part]))
    }
}

impl Part {
    fn give(&self, request: RequestHead<'_>, to: &mut KeyParts) -> Result<(), Keyless> {
        match self {
            Self::Everyone => {}
            Self::Client { address, .. } => {
                let network = address.network_of(request).ok_or(Keyless::Unknown)?;
                to.section(Kind::Client as u8);
                match network.address() {
                    IpAddr::V4(address) => to.part(&address.octets()),
                    IpAddr::V6(address) => to.part(&address.octets()),
                }
            }
            Self::Header(name) => {
                let line = request.headers.get(name).ok_or(Keyless::Header)?;
                to.section(Kind::Header as u8);
                to.part(name.as_str().as_bytes());
                to.part(line.as_bytes());
            }
            Self::Principal => {
                let who = request.extensions.get::<Principal>().ok_or(Keyless::Principal)?;
                to.section(Kind::Principal as u8);
                to.part(who.issuer().as_bytes());
                to.part(who.subject().as_bytes());
            }
            Self::With { kind, parts, .. } => {
                to.section(*kind as u8);
                parts(request, to)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LimitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            match index {
                0 => write!(f, "{part:?}")?,
                _ => write!(f, ".and({part:?})")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("LimitBy::everyone()"),
            Self::Client { is_peer: true, .. } => f.write_str("LimitBy::peer(..)"),
            Self::Client { .. } => f.write_str("LimitBy::client(..)"),
            Self::Header(name) => write!(f, "LimitBy::header({name})"),
            Self::Principal => f.write_str("LimitBy::principal()"),
            Self::With { shown, .. } => f.write_str(shown),
        }
    }
}

#[cfg(test)]
mod tests;
