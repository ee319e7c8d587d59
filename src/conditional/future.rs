//! The future of a response whose preconditions are answered.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use crate::clock::Clock;
use crate::conditional::answer::{ended, failed};
use crate::conditional::body::ConditionalBody;
use crate::conditional::service::Asked;
use crate::fields::date::{self, Dated};
use crate::fields::list;
use crate::fields::number;
use crate::fields::validators::Validators;
use crate::rules::partial::{Content, partial};
use crate::rules::precondition::{Evaluated, evaluate, range_counts};
use crate::rules::present::guides;

pin_project! {
    /// The future of [`Conditional`](crate::conditional::Conditional).
    #[derive(Debug)]
    pub struct ConditionalFuture<F, C> {
        #[pin]
        inner: F,
        // `None` where it is not a GET or HEAD, and when it is answered.
        asked: Option<Asked>,
        clock: C,
    }
}

impl<F, C> ConditionalFuture<F, C> {
    pub(crate) fn new(inner: F, asked: Option<Asked>, clock: C) -> Self {
        Self { inner, asked, clock }
    }
}

impl<F, C, B, E> Future for ConditionalFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    C: Clock,
{
    type Output = Result<Response<ConditionalBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        Poll::Ready(Ok(match this.asked.take() {
            // §13.2.1: where the answer without preconditions is no success, they do not count.
            Some(asked) if response.status().is_success() => answer(&asked, response, this.clock),
            _ => response.map(ConditionalBody::passing),
        }))
    }
}

fn answer<B: Body, C: Clock>(
    asked: &Asked,
    mut response: Response<B>,
    clock: &C,
) -> Response<ConditionalBody<B>> {
    let mut counts = false;
    if !asked.fields.is_empty() {
        let now = clock.now().wall;
        let validators = Validators::of(response.headers(), now);
        match evaluate(true, &asked.fields, Some(validators), now) {
            Evaluated::Perform => {}
            Evaluated::NotModified { .. } => {
                let headers = not_modified(response.headers(), validators);
                return ended(response, StatusCode::NOT_MODIFIED, headers);
            }
            Evaluated::Failed => {
                let headers = failed(response.headers());
                return ended(response, StatusCode::PRECONDITION_FAILED, headers);
            }
        }
        let date = match date::sole(response.headers(), header::DATE, now) {
            Dated::At(date) => date,
            Dated::Absent | Dated::Invalid => now,
        };
        counts = asked.fields.contains_key(header::RANGE)
            && range_counts(&asked.fields, validators, date, now);
    }
    match known_length(asked, &response) {
        Some(length) if counts => in_part(asked, response, length),
        length => {
            tell_of_ranges(asked, &mut response, length);
            response.map(ConditionalBody::passing)
        }
    }
}

/// The fields of a 304 in the place of a response with these.
fn not_modified(of: &HeaderMap, validators: Validators<'_>) -> HeaderMap {
    let mut headers = guides(of.iter(), validators.etag.is_some());
    for (name, value) in of {
        if guides_caches(name) {
            // A map that is full goes without.
            let _ = headers.try_append(name, value.clone());
        }
    }
    headers
}

/// The answer to a Range of a response whose body is as long as that.
fn in_part<B: Body>(
    asked: &Asked,
    response: Response<B>,
    length: u64,
) -> Response<ConditionalBody<B>> {
    let (mut head, body) = response.into_parts();
    let (status, headers) = (&mut head.status, &mut head.headers);
    let body = match partial(&asked.fields, status, headers, length, &asked.ranges) {
        Content::Whole => {
            add_accept_ranges(&mut head.headers);
            ConditionalBody::passing(body)
        }
        Content::Parts(parts) => ConditionalBody::parts(parts, body),
        Content::Empty => ConditionalBody::empty(),
    };
    Response::from_parts(head, body)
}

/// RFC 9110 §14.3: tells who may ask for the rest of it later that he may.
fn tell_of_ranges<B>(asked: &Asked, response: &mut Response<B>, length: Option<u64>) {
    let is_known = match asked.is_get {
        true => length.is_some(),
        // The body that a GET would have is not there to be asked.
        false => {
            is_divisible(asked, response) && response.headers().contains_key(header::CONTENT_LENGTH)
        }
    };
    if is_known {
        add_accept_ranges(response.headers_mut());
    }
}

fn add_accept_ranges(headers: &mut HeaderMap) {
    if !headers.contains_key(header::ACCEPT_RANGES) {
        // A map that is full goes without.
        let _ = headers.try_insert(header::ACCEPT_RANGES, BYTES);
    }
}

/// RFC 9110 §15.4.5: whether a field is there to guide caches: how old it is (RFC 9111 §5.1), Cache-Control for some of them
/// (RFC 9213), and by what they can purge it (RFC 9875).
fn guides_caches(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "age" | "cache-groups" | "cache-tag" | "surrogate-key" | "surrogate-control")
        || name.ends_with("-cache-control")
}

/// How long the body of a GET is, if parts of it may be sent: by itself, or by its Content-Length. Where the two differ it is
/// left to the server to complain.
fn known_length<B: Body>(asked: &Asked, response: &Response<B>) -> Option<u64> {
    if !asked.is_get || !is_divisible(asked, response) {
        return None;
    }
    let hint = response.body().size_hint();
    let mut said = response.headers().get_all(header::CONTENT_LENGTH).iter();
    let said = match (said.next(), said.next()) {
        (None, _) => return hint.exact(),
        (Some(said), None) => number::read(said.as_bytes())?,
        (Some(_), Some(_)) => return None,
    };
    let agrees = hint.lower() <= said && hint.upper().is_none_or(|upper| said <= upper);
    agrees.then_some(said)
}

/// RFC 9110 §14.2, §14.3: whether this is a whole 200, and nobody further in said that he wants no ranges of it.
fn is_divisible<B>(asked: &Asked, response: &Response<B>) -> bool {
    let headers = response.headers();
    asked.ranges.are_answered()
        && response.status() == StatusCode::OK
        && !headers.contains_key(header::CONTENT_RANGE)
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && !list::members(headers, header::ACCEPT_RANGES)
            .any(|unit| unit.eq_ignore_ascii_case(b"none"))
}

const BYTES: HeaderValue = HeaderValue::from_static("bytes");
