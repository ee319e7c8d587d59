//! The service that tags responses.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{self, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::clock::Clock;
use crate::conditional::answer;
use crate::conditional::body::ConditionalBody;
use crate::conditional::current::Current;
use crate::conditional::etag::client::{Client, Coding, Given};
use crate::conditional::etag::future::{EtagFuture, Tagging, Version};
use crate::conditional::etag::layer::Config;
use crate::head::RequestHead;
use crate::rules::precondition::{Evaluated, evaluate};
use crate::rules::request::is_read;
use crate::time::Timestamp;

/// A service whose responses are tagged; made by [`EtagLayer`](crate::conditional::EtagLayer).
#[derive(Clone)]
pub struct Etag<S, C> {
    inner: S,
    config: Arc<Config>,
    clock: C,
}

impl<S, C> Etag<S, C> {
    pub(crate) fn new(inner: S, config: Arc<Config>, clock: C) -> Self {
        Self { inner, config, clock }
    }
}

impl<S, C> fmt::Debug for Etag<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Etag(..)")
    }
}

impl<S, C, ReqBody, B> Service<Request<ReqBody>> for Etag<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
    C: Clock + Clone,
{
    type Response = Response<ConditionalBody<B>>;
    type Error = S::Error;
    type Future = EtagFuture<S::Future, B, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let head = RequestHead::from(&request);
        if !is_read(head.method) {
            return EtagFuture::untouched(self.inner.call(request));
        }
        let Some(version) = &self.config.version else {
            let client = Client::of(head.headers, self.config.may_be_encoded);
            let tagging = self.tagging(client, None, head.method == Method::HEAD);
            return EtagFuture::asked(self.inner.call(request), tagging);
        };
        let Some(current) = version(head) else {
            return EtagFuture::untouched(self.inner.call(request));
        };
        if current.validators().is_none() {
            // A resource that is not there has no tag; the handler says so.
            return EtagFuture::untouched(self.inner.call(request));
        }
        if let Some((status, headers)) = self.decided(&current, head.headers) {
            let mut response = Response::new(ConditionalBody::empty());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            return EtagFuture::ready(response);
        }
        let client = Client::of(head.headers, self.config.may_be_encoded);
        let version = Box::new(Version::new(version.clone(), head, current));
        let tagging = self.tagging(client, Some(version), false);
        EtagFuture::asked(self.inner.call(request), tagging)
    }
}

impl<S, C: Clone> Etag<S, C> {
    fn tagging(&self, client: Client, version: Option<Box<Version>>, is_head: bool) -> Tagging<C> {
        let (config, clock) = (self.config.clone(), self.clock.clone());
        Tagging { client, version, is_head, config, clock }
    }
}

impl<S, C: Clock> Etag<S, C> {
    /// The answer, where the preconditions decide it.
    fn decided(&self, current: &Current, request: &HeaderMap) -> Option<(StatusCode, HeaderMap)> {
        if current.tag().is_none() && request.contains_key(header::IF_MATCH) {
            // The tag that it means, if there is one, is the handler's.
            return None;
        }
        // Few need to know it, and to ask the clock is dear.
        let now = match current.is_dated() {
            true => self.clock.now().wall,
            false => Timestamp::default(),
        };
        match evaluate(true, request, current.validators(), now) {
            Evaluated::Perform => None,
            Evaluated::NotModified { is_held_strongly } => {
                let may_be_encoded = self.config.may_be_encoded;
                let tag = current.tag().cloned();
                let given = tag.map(|tag| Given::before(tag, is_held_strongly, may_be_encoded));
                let varies = given.as_ref().and_then(Given::varies);
                let tag = given.as_ref().map(|given| &given.tag);
                let headers = current.not_modified(tag, varies, now);
                Some((StatusCode::NOT_MODIFIED, headers))
            }
            Evaluated::Failed => {
                let client = Client::of(request, self.config.may_be_encoded);
                let given = current.tag().map(|tag| client.given(tag.clone(), Coding::Plain));
                let mut headers = HeaderMap::new();
                current.complete(&mut headers, given.as_ref().map(|given| &given.tag), now);
                Some((StatusCode::PRECONDITION_FAILED, answer::failed(&headers)))
            }
        }
    }
}
