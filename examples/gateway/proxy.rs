//! The innermost service: one upstream, streamed both ways, over pooled connections.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{HOST, VIA};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::{self, OnUpgrade};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tower::Service;

use crate::interim::Interim;
use crate::upstream::{Upstream, host_of};
use crate::{NAME, fields};

#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Passing>,
    upstream: Arc<Upstream>,
    timeout: Duration,
}

/// Why there is no response. It is an error, not a 502, so that a cache around this service can tell an upstream that
/// is gone from one that answers 502, and serve a stale response (RFC 9111 §4.2.4).
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("the upstream cannot be reached or ended the connection")]
    Unreachable(#[from] ClientError),
    #[error("the upstream took too long to the head of its response")]
    TimedOut,
    #[error("the upstream switched protocols unasked")]
    NotAsked,
    #[error("the target is too long for a URI")]
    TargetTooLong,
}

impl Proxy {
    pub(crate) fn new(upstream: Upstream, timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, upstream: Arc::new(upstream), timeout }
    }

    async fn forward(self, mut request: Request<Body>) -> Result<Response<Incoming>, ProxyError> {
        let client_side =
            fields::upgrade_wanted(request.headers()).map(|_| upgrade::on(&mut request));
        let (request, moved) = self.inward(request)?;
        let mut response = self.head(request, moved).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client_side = client_side.ok_or(ProxyError::NotAsked)?;
            tokio::spawn(relay(client_side, upgrade::on(&mut response)));
        }
        // RFC 9110 §2.5: a version is that of the one who sends, not of the one who sent before.
        *response.version_mut() = Version::HTTP_11;
        let status = response.status();
        fields::clean_response(response.headers_mut(), status);
        Ok(response)
    }

    /// The request as the upstream gets it, and a sign of life from its body.
    fn inward(
        &self,
        request: Request<Body>,
    ) -> Result<(Request<Passing>, watch::Receiver<()>), ProxyError> {
        let (mut parts, body) = request.into_parts();
        let target = self.upstream.target(&parts.uri).ok_or(ProxyError::TargetTooLong)?;
        if let Some(host) = host_of(&parts.uri) {
            parts.headers.insert(HOST, host);
        }
        if let Some(via) = via(parts.version) {
            parts.headers.append(VIA, via);
        }
        parts.uri = target;
        parts.version = Version::HTTP_11;
        let interim = parts.extensions.remove::<Interim>();
        // Of the connection that it came on, not of the one it goes out on.
        parts.extensions.clear();
        let (moved, sign) = watch::channel(());
        let mut request = Request::from_parts(parts, Passing { body, moved });
        if let Some(interim) = interim {
            hyper::ext::on_informational(&mut request, move |response| {
                interim.push(response.status(), response.headers());
            });
        }
        Ok((request, sign))
    }

    /// Waits for the response's head, as long as the request's body moves and `timeout` more: a long upload is no slow
    /// upstream.
    async fn head(
        &self,
        request: Request<Passing>,
        mut moved: watch::Receiver<()>,
    ) -> Result<Response<Incoming>, ProxyError> {
        let mut response = self.client.request(request);
        loop {
            tokio::select! {
                response = &mut response => return Ok(response?),
                Ok(()) = moved.changed() => {}
                () = tokio::time::sleep(self.timeout) => return Err(ProxyError::TimedOut),
            }
        }
    }
}

impl Service<Request<Body>> for Proxy {
    type Response = Response<Incoming>;
    type Error = ProxyError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ProxyError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().forward(request))
    }
}

impl ProxyError {
    /// The error with everything that caused it, for the operator.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// A request's body on its way, which tells of every frame that was taken from it.
pub(crate) struct Passing {
    body: Body,
    moved: watch::Sender<()>,
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.moved.send_replace(());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Carries both directions of an upgraded connection until both have ended.
async fn relay(client: OnUpgrade, upstream: OnUpgrade) {
    let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else {
        return;
    };
    // An error is one side gone; dropping both tells the other.
    let _ =
        tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await;
}

/// RFC 9110 §7.6.3: the protocol it came in by, and who passes it on.
fn via(received: Version) -> Option<HeaderValue> {
    let version = match received {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    HeaderValue::try_from(format!("{version} {NAME}")).ok()
}
