//! The answers that take the place of a response.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;

use crate::conditional::body::ConditionalBody;

/// An answer in the place of this response: without its body, and with its extensions, which caches and other layers further
/// out read.
pub(crate) fn ended<T, B: Body>(
    response: Response<T>,
    status: StatusCode,
    headers: HeaderMap,
) -> Response<ConditionalBody<B>> {
    let (mut head, _) = response.into_parts();
    (head.status, head.headers) = (status, headers);
    Response::from_parts(head, ConditionalBody::empty())
}

/// The fields of a 412: which state it is that the client did not mean. No cache keeps it.
pub(crate) fn failed(of: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(FAILED_FIELDS);
    for name in [header::ETAG, header::DATE] {
        if let Some(value) = of.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

const FAILED_FIELDS: usize = 3;
