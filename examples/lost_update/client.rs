//! One client of the service, over a connection of its own.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::BoxError;
use crate::routes::TEXT_BYTES_MAX;

pub(crate) struct Client {
    http: Pool<HttpConnector, Body>,
    origin: String,
}

/// What a client says of the state that it means.
pub(crate) type Condition<'a> = Option<(HeaderName, &'a HeaderValue)>;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) tag: Option<HeaderValue>,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn new(origin: &str) -> Self {
        let http = Pool::builder(TokioExecutor::new()).build_http();
        Self { http, origin: origin.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, BoxError> {
        self.send(Method::GET, path, None, "").await
    }

    pub(crate) async fn put(
        &self,
        path: &str,
        condition: Condition<'_>,
        text: &str,
    ) -> Result<Answer, BoxError> {
        self.send(Method::PUT, path, condition, text).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        condition: Condition<'_>,
        text: &str,
    ) -> Result<Answer, BoxError> {
        let uri = format!("{}{path}", self.origin);
        let mut request =
            Request::builder().method(method).uri(uri).body(Body::from(text.to_owned()))?;
        if let Some((name, value)) = condition {
            request.headers_mut().insert(name, value.clone());
        }
        let (head, body) = timeout(WAIT_MAX, self.http.request(request)).await??.into_parts();
        let body = Limited::new(body, TEXT_BYTES_MAX).collect().await?.to_bytes();
        let (status, tag) = (head.status, head.headers.get(ETAG).cloned());
        Ok(Answer { status, tag, text: String::from_utf8(body.into())? })
    }

    /// What is there, and its tag.
    pub(crate) async fn read(&self, path: &str) -> Result<(String, HeaderValue), BoxError> {
        let answer = self.get(path).await?;
        match answer {
            Answer { status: StatusCode::OK, tag: Some(tag), text } => Ok((text, tag)),
            other => Err(format!("GET {path}: {other:?}").into()),
        }
    }
}

pub(crate) fn if_match(tag: &HeaderValue) -> Condition<'_> {
    Some((IF_MATCH, tag))
}

/// Only if there is nothing yet.
pub(crate) fn if_new() -> Condition<'static> {
    static ANY: HeaderValue = HeaderValue::from_static("*");
    Some((IF_NONE_MATCH, &ANY))
}

/// All others' writes come first at the worst.
const WAIT_MAX: Duration = Duration::from_secs(60);
