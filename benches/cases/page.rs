//! The route's answer: a body that is there already, and eight fields.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::cases::{BoxError, Case};

/// What the route answers.
pub(crate) struct Page {
    fields: [(HeaderName, HeaderValue); 8],
    map: HeaderMap,
    pub(crate) body: Bytes,
}

impl Page {
    pub(crate) fn new(case: Case, body_bytes: usize) -> Result<Self, BoxError> {
        let fields = response_fields(case, body_bytes)?;
        let map = fields.iter().cloned().collect();
        Ok(Self { fields, map, body: Bytes::from(vec![b'x'; body_bytes]) })
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        self.map.clone()
    }
}

/// The cheapest that there is: the fields are a map that is only cloned.
pub(crate) async fn answer_lean(State(page): State<Arc<Page>>) -> Response<Body> {
    let mut response = Response::new(Body::from(page.body.clone()));
    *response.headers_mut() = page.map.clone();
    response
}

pub(crate) async fn answer_page(State(page): State<Arc<Page>>) -> impl IntoResponse {
    (page.fields.clone(), page.body.clone())
}

/// Eight of them.
fn response_fields(
    case: Case,
    body_bytes: usize,
) -> Result<[(HeaderName, HeaderValue); 8], BoxError> {
    let freshness = if case == Case::GetNoStore { "no-store" } else { "public, max-age=3600" };
    let eighth = match case {
        Case::HitVariant => (header::VARY, "accept-encoding"),
        _ => (header::CONTENT_LANGUAGE, "en"),
    };
    let third = match case {
        // The tag is to be made.
        Case::Tagged => (header::SERVER, "shop"),
        _ => (header::ETAG, ETAG),
    };
    let length = HeaderValue::try_from(body_bytes.to_string())?;
    let text = HeaderValue::from_static;
    Ok([
        (header::CONTENT_TYPE, text("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, text(freshness)),
        (third.0, text(third.1)),
        (header::LAST_MODIFIED, text("Sat, 01 Nov 2025 08:00:00 GMT")),
        (header::X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (header::STRICT_TRANSPORT_SECURITY, text("max-age=31536000")),
        (eighth.0, text(eighth.1)),
        (header::CONTENT_LENGTH, length),
    ])
}

pub(crate) const ETAG: &str = "\"5d8c72a5edda8d6a\"";
