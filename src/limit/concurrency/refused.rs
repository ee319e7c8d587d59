//! What who is refused is told.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Response, StatusCode};

use crate::head::RequestHead;

/// Why a request may not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    TooManyAtOnce,
    /// Not the client's fault.
    NoKey,
}

/// RFC 6585 §4, without a word on when to come again: nobody knows. No cache keeps it.
pub(crate) fn refused(why: Why, request: RequestHead<'_>) -> Response<Bytes> {
    let (status, grpc_status, grpc_message, problem) = match why {
        Why::TooManyAtOnce => (
            StatusCode::TOO_MANY_REQUESTS,
            "8",
            "too many requests at once",
            r#"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests at once."}"#,
        ),
        Why::NoKey => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "13",
            "the server does not know who asks",
            r#"{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"The server does not know who asks."}"#,
        ),
    };
    let mut response = Response::new(Bytes::from_static(problem.as_bytes()));
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_grpc(request) {
        // gRPC, responses: what happened is said in its own fields, and those alone make up the response.
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        fields.insert(GRPC_STATUS, HeaderValue::from_static(grpc_status));
        fields.insert(GRPC_MESSAGE, HeaderValue::from_static(grpc_message));
        return response.map(|_| Bytes::new());
    }
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.status_mut() = status;
    response
}

fn is_grpc(request: RequestHead<'_>) -> bool {
    let content_type = request.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let start = content_type.and_then(|content_type| content_type.get(..GRPC.len()));
    *request.method == Method::POST && start.is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

const GRPC: &[u8] = b"application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
