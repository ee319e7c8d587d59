//! How a refusal is written: as problem details (RFC 9457), or to gRPC in its own way. No cache keeps it.

use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::fields::number;
use crate::head::RequestHead;

/// What a gRPC request is answered as: the media type of its family (gRPC over HTTP/2, gRPC-Web). All of them are POSTs. A proxy that asks
/// whether a request may pass asks with GET, has the client's own fields, and takes a 200 for a yes.
pub(crate) fn grpc(request: RequestHead<'_>) -> Option<&'static str> {
    if *request.method != Method::POST {
        return None;
    }
    let content_type = request.headers.get(header::CONTENT_TYPE)?.as_bytes();
    let families = ["application/grpc-web-text", "application/grpc-web", "application/grpc"];
    families.into_iter().find(|family| {
        let start = content_type.get(..family.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(family.as_bytes()))
    })
}

/// RFC 9457 §3.
pub(crate) fn problem<B>(status: StatusCode, problem: B) -> Response<B> {
    let mut response = Response::new(problem);
    *response.status_mut() = status;
    begin(&mut response, "application/problem+json");
    response
}

/// gRPC, responses, `Trailers-Only`: what happened is said in its own fields, and those alone make up the response. The message must have
/// no character that would have to be percent-encoded.
pub(crate) fn trailers_only<B: Default>(
    content_type: &'static str,
    status: u8,
    message: &'static str,
) -> Response<B> {
    let mut response = Response::new(B::default());
    begin(&mut response, content_type);
    let fields = response.headers_mut();
    fields.insert(GRPC_STATUS, number::value(status.into()));
    fields.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    response
}

/// RFC 9110 §10.2.3, in whole seconds: never earlier than what is true, and never at once.
pub(crate) fn retry_after(wait: Duration) -> HeaderValue {
    number::value(secs_up(wait).max(1))
}

/// In whole seconds, rounded up; saturates.
pub(crate) fn secs_up(length: Duration) -> u64 {
    length.as_secs().saturating_add(u64::from(length.subsec_nanos() > 0))
}

fn begin<B>(response: &mut Response<B>, content_type: &'static str) {
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r17_a_wait_is_rounded_up_and_is_a_second_at_least() {
        let said = |wait| retry_after(wait).to_str().unwrap().to_owned();
        assert_eq!(said(Duration::ZERO), "1");
        assert_eq!(said(Duration::from_nanos(1)), "1");
        assert_eq!(said(Duration::from_secs(1)), "1");
        assert_eq!(said(Duration::new(1, 1)), "2");
        assert_eq!(said(Duration::new(59, 999_999_999)), "60");
        assert_eq!(said(Duration::MAX), u64::MAX.to_string());
    }
}
