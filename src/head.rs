//! The heads of requests and responses, borrowed: all that a rule may look at.

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
