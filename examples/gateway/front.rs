//! The outermost service: what the cache and everything behind it should not see, and what the client should not.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tower::{Service, ServiceExt as _};

use crate::proxy::ProxyError;
use crate::{complain, fields};

/// Answers one request, whatever happens.
///
/// The fields of the client's connection are removed here, outside the cache, so that the cache chooses by the same
/// fields as the upstream does. Removed further in, `Connection: accept-language` would store the answer to a request
/// without that field for everyone who sends it.
pub(crate) async fn answer<S, B>(
    service: S,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible>
where
    S: Service<Request<Body>, Response = Response<B>, Error = ProxyError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    // A tunnel to a host of the client's choice is a forward proxy's work.
    if request.method() == Method::CONNECT {
        let mut refusal =
            refusal(StatusCode::METHOD_NOT_ALLOWED, "this gateway opens no tunnels\n");
        // Empty: no method is allowed there (RFC 9110 §10.2.1).
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static(""));
        return Ok(refusal);
    }
    let mut request = request.map(Body::new);
    let version = request.version();
    fields::clean_request(request.headers_mut(), version);
    Ok(match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            complain(&error.with_causes());
            match error {
                ProxyError::TimedOut => {
                    refusal(StatusCode::GATEWAY_TIMEOUT, "the upstream took too long\n")
                }
                ProxyError::TargetTooLong => {
                    refusal(StatusCode::URI_TOO_LONG, "the target is too long\n")
                }
                ProxyError::Unreachable(_) => {
                    refusal(StatusCode::BAD_GATEWAY, "the upstream cannot be reached\n")
                }
                ProxyError::NotAsked => {
                    refusal(StatusCode::BAD_GATEWAY, "the upstream gave no valid answer\n")
                }
            }
        }
    })
}

/// What the gateway itself says. It is about this moment, so no cache further out may keep it.
fn refusal(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
