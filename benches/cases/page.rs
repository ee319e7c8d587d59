//! The route's answer: a body that is there already, and eight fields.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::cases::{BoxError, Case};

/// What the route answers.
pub(crate) struct Page {
    headers: HeaderMap,
    body: Bytes,
}

impl Page {
    pub(crate) fn new(case: Case, body_bytes: usize) -> Result<Self, BoxError> {
        let headers = response_headers(case, body_bytes)?;
        Ok(Self { headers, body: Bytes::from(vec![b'x'; body_bytes]) })
    }
}

pub(crate) async fn answer_page(State(page): State<Arc<Page>>) -> Response<Body> {
    let mut response = Response::new(Body::from(page.body.clone()));
    *response.headers_mut() = page.headers.clone();
    response
}

/// Eight of them.
fn response_headers(case: Case, body_bytes: usize) -> Result<HeaderMap, BoxError> {
    let freshness = if case == Case::GetNoStore { "no-store" } else { "public, max-age=3600" };
    let eighth = match case {
        Case::HitVariant => (header::VARY, "accept-encoding"),
        _ => (header::CONTENT_LANGUAGE, "en"),
    };
    let fields: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, freshness),
        (header::ETAG, ETAG),
        (header::LAST_MODIFIED, "Sat, 01 Nov 2025 08:00:00 GMT"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        eighth,
    ];
    let mut headers: HeaderMap =
        fields.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::try_from(body_bytes.to_string())?);
    Ok(headers)
}

pub(crate) const ETAG: &str = "\"5d8c72a5edda8d6a\"";
