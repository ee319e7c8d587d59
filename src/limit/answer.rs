//! A refusal as a response (RFC 6585 §4, RFC 9457, draft-ietf-httpapi-ratelimit-headers-11 §5; gRPC in its own way).

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::fields::number;
use crate::head::RequestHead;
use crate::limit::refusal::{Keyless, LimitRefusal, Reason};
use crate::limit::retry_info;
use crate::refusing::{self, grpc, trailers_only};

impl LimitRefusal {
    /// The response to this request, with the refusal in its extensions. No cache keeps it.
    pub(crate) fn response(self, request: RequestHead<'_>) -> Response<Bytes> {
        let mut response = match grpc(request) {
            Some(family) => self.to_grpc(family),
            None => refusing::problem(self.reason.status(), self.problem()),
        };
        let wait = self.retry_after.map(|wait| (header::RETRY_AFTER, refusing::retry_after(wait)));
        response.headers_mut().extend(wait);
        response.extensions_mut().insert(self);
        response
    }

    fn to_grpc(&self, family: &'static str) -> Response<Bytes> {
        let (status, message) = (self.reason.grpc_status(), self.reason.description());
        let mut response = trailers_only(family, status, message);
        let fields = response.headers_mut();
        if let Some(wait) = self.retry_after {
            let details = retry_info::details(status, message, wait);
            fields.extend(details.map(|details| (GRPC_STATUS_DETAILS, details)));
        }
        let pushback = match (self.retry_after, self.reason) {
            (Some(wait), _) => Some(pushback(wait)),
            (None, Reason::TooExpensive) => Some(NOT_AGAIN),
            // Nobody knows when: the client's own policy decides.
            (None, _) => None,
        };
        fields.extend(pushback.map(|pushback| (GRPC_RETRY_PUSHBACK, pushback)));
        response
    }

    /// RFC 9457 §3.
    fn problem(&self) -> Bytes {
        Bytes::from_static(match self.reason {
            Reason::QuotaExceeded => return self.quota_exceeded(),
            Reason::TooExpensive => {
                br#"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"The request costs more than is ever admitted at once."}"#
            }
            Reason::TooManyAtOnce => {
                br#"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests are under way at once."}"#
            }
            Reason::NoKey(Keyless::Unknown) => {
                br#"{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"The request cannot be counted."}"#
            }
            Reason::NoKey(Keyless::Header) => {
                br#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"The request lacks a field that it must have."}"#
            }
            Reason::NoKey(Keyless::Principal) => {
                br#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"Nobody is known to ask."}"#
            }
            Reason::Unavailable => {
                br#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Limits cannot be asked at the moment."}"#
            }
        })
    }

    /// Draft 11 §5.1.
    fn quota_exceeded(&self) -> Bytes {
        let length = self.violated_quoted().map(|name| name.len() + 1).sum::<usize>();
        let mut problem = Vec::with_capacity(QUOTA_EXCEEDED.len() + length + 2);
        problem.extend_from_slice(QUOTA_EXCEEDED);
        for (at, name) in self.violated_quoted().enumerate() {
            if at > 0 {
                problem.push(b',');
            }
            problem.extend_from_slice(name.as_bytes());
        }
        problem.extend_from_slice(b"]}");
        problem.into()
    }
}

impl Reason {
    /// RFC 6585 §4; RFC 9110 §15.
    fn status(self) -> StatusCode {
        match self {
            Self::QuotaExceeded | Self::TooExpensive | Self::TooManyAtOnce => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::NoKey(Keyless::Unknown) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoKey(Keyless::Header) => StatusCode::BAD_REQUEST,
            Self::NoKey(Keyless::Principal) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// gRPC status codes: RESOURCE_EXHAUSTED, INTERNAL, INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE.
    fn grpc_status(self) -> u8 {
        match self {
            Self::QuotaExceeded | Self::TooExpensive | Self::TooManyAtOnce => 8,
            Self::NoKey(Keyless::Unknown) => 13,
            Self::NoKey(Keyless::Header) => 3,
            Self::NoKey(Keyless::Principal) => 7,
            Self::Unavailable => 14,
        }
    }
}

/// gRFC A6: in how many milliseconds to retry, rounded up. Clients read 32 bits; what is longer is no retry at all.
fn pushback(wait: Duration) -> HeaderValue {
    let millis = wait.as_nanos().div_ceil(1_000_000).max(1);
    match i32::try_from(millis) {
        Ok(millis) => number::value(u64::from(millis.unsigned_abs())),
        Err(_) => NOT_AGAIN,
    }
}

/// gRFC A6: a negative number is not to retry.
const NOT_AGAIN: HeaderValue = HeaderValue::from_static("-1");
const GRPC_RETRY_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const QUOTA_EXCEEDED: &[u8] = br#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Quota Exceeded","status":429,"detail":"The quota is used up.","violated-policies":["#;

#[cfg(test)]
mod tests;
