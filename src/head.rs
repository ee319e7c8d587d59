//! The heads of requests and responses, borrowed: all that a rule may look at.

use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Uri, request};

/// A request without its body.
///
/// ```
/// use tower_keep::head::RequestHead;
///
/// let request = http::Request::get("http://example.com/a?b").body(()).unwrap();
/// let head = RequestHead::from(&request);
/// assert_eq!(head.uri.query(), Some("b"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as the service sees it: inside a nested router, what the router left of it.
    pub uri: &'a Uri,
    /// The fields.
    pub headers: &'a HeaderMap,
    /// What servers, routers and layers further out have attached.
    pub extensions: &'a Extensions,
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a request::Parts> for RequestHead<'a> {
    fn from(parts: &'a request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

/// A response without its body.
///
/// ```
/// use tower_keep::head::ResponseHead;
///
/// let response = http::Response::builder().status(404).body(()).unwrap();
/// assert_eq!(ResponseHead::from(&response).status, http::StatusCode::NOT_FOUND);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: StatusCode,
    /// The fields.
    pub headers: &'a HeaderMap,
    /// What the handler and layers further in have attached.
    pub extensions: &'a Extensions,
}

impl<'a, B> From<&'a Response<B>> for ResponseHead<'a> {
    fn from(response: &'a Response<B>) -> Self {
        Self {
            status: response.status(),
            headers: response.headers(),
            extensions: response.extensions(),
        }
    }
}

/// Who asks: a subject of an issuer. A layer that authenticates puts it into the extensions of a request, for layers and
/// handlers further in.
///
/// [`JwtLayer`](https://docs.rs/tower-keep/latest/tower_keep/auth/struct.JwtLayer.html) does that for tokens; any other that knows who
/// asks may do the same. A cache further in then keeps the answers to such a request apart as it does those to one with
/// `Authorization` (RFC 9111 §3.5), also where a cookie has said who it is. It stands inside a `JwtLayer`, if there is one: that removes
/// every principal from further out, and without it a cache does not know that somebody asks.
///
/// `Debug` does not show who it is.
///
/// ```
/// use tower_keep::head::Principal;
///
/// let mut request = http::Request::get("/me").body(()).unwrap();
/// request.extensions_mut().insert(Principal::new("sessions", "user:7"));
/// assert_eq!(request.extensions().get::<Principal>().unwrap().subject(), "user:7");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    issuer: Arc<str>,
    subject: Arc<str>,
}

impl Principal {
    /// The subject of this issuer. Two issuers may mean different people by one subject (RFC 7519 §4.1.2).
    pub fn new(issuer: impl Into<Arc<str>>, subject: impl Into<Arc<str>>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into() }
    }

    /// Who says so.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who it is.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// No two have the same.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (issuer, subject) = (self.issuer.as_bytes(), self.subject.as_bytes());
        [&(issuer.len() as u64).to_le_bytes()[..], issuer, subject].concat()
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal(..)")
    }
}
