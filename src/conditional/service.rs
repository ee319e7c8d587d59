//! The service that answers preconditions.

use std::task::{Context, Poll};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::clock::Clock;
use crate::conditional::body::ConditionalBody;
use crate::conditional::future::ConditionalFuture;
use crate::fields::list;
use crate::rules::partial::Terms;
use crate::rules::request::is_read;

/// A service whose clients' preconditions are answered; made by
/// [`ConditionalLayer`](crate::conditional::ConditionalLayer).
#[derive(Clone, Copy, Debug)]
pub struct Conditional<S, C> {
    inner: S,
    clock: C,
    ranges: Terms,
}

impl<S, C> Conditional<S, C> {
    pub(crate) fn new(inner: S, clock: C, ranges: Terms) -> Self {
        Self { inner, clock, ranges }
    }
}

/// What a request asks of its response.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) fields: HeaderMap,
    pub(crate) is_get: bool,
    pub(crate) ranges: Terms,
}

impl<S, C, ReqBody, B> Service<Request<ReqBody>> for Conditional<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
    C: Clock + Clone,
{
    type Response = Response<ConditionalBody<B>>;
    type Error = S::Error;
    type Future = ConditionalFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let asked = is_read(request.method()).then(|| Asked {
            fields: list::copied(request.headers(), &FIELDS),
            is_get: *request.method() == Method::GET,
            ranges: self.ranges,
        });
        if let Some(asked) = asked.as_ref().filter(|asked| !asked.fields.is_empty()) {
            asked.keep_back(request.headers_mut());
        }
        ConditionalFuture::new(self.inner.call(request), asked, self.clock.clone())
    }
}

impl Asked {
    /// Takes from the request what nobody further in may answer, or would answer otherwise.
    fn keep_back(&self, request: &mut HeaderMap) {
        // RFC 9110 §13.1.3, §13.1.4: beside a field with tags the one with a date is ignored. Who does not know of the tag
        // would answer by the date.
        if request.contains_key(header::IF_NONE_MATCH) {
            request.remove(header::IF_MODIFIED_SINCE);
        }
        if request.contains_key(header::IF_MATCH) {
            request.remove(header::IF_UNMODIFIED_SINCE);
        }
        // A single range goes to who may be able to seek. Of several few know, and of If-Range too: a part that is sent
        // although it does not hold (§13.1.5) cannot be mended here. Nor may a part that has no tag be held against a
        // precondition: §13.2.2 has the range last.
        let is_several = |range: &HeaderValue| range.as_bytes().contains(&b',');
        let is_ours = || {
            !self.ranges.are_answered()
                || BEFORE_RANGE.iter().any(|name| request.contains_key(name))
                || request.get_all(header::RANGE).iter().any(is_several)
        };
        if self.is_get && is_ours() {
            request.remove(header::RANGE);
            request.remove(header::IF_RANGE);
        }
    }
}

static BEFORE_RANGE: [HeaderName; 5] = [
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
];
static FIELDS: [HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];
