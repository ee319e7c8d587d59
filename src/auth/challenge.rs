//! A refusal as a response (RFC 6750 §3, RFC 9457; gRPC in its own way).

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{Extensions, Method, Response, StatusCode};

use crate::auth::refusal::{Refusal, RefusalKind};
use crate::head::RequestHead;

/// What a challenge says besides the error.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    /// `None` where nobody has named it.
    realm: Option<Realm>,
    /// Words with spaces between them.
    scope: String,
}

/// How a challenge begins. In the extensions of a request it is that of the layer which has let it pass.
#[derive(Clone, Debug)]
pub(crate) struct Realm(Arc<str>);

impl Challenge {
    pub(crate) fn new() -> Self {
        Self { realm: None, scope: String::new() }
    }

    /// RFC 9110 §11.5. What a quoted string cannot hold is left out.
    pub(crate) fn realm(self, realm: &str) -> Self {
        let mut start = "Bearer realm=\"".to_owned();
        for letter in realm.chars().filter(|letter| (' '..='~').contains(letter)) {
            if matches!(letter, '"' | '\\') {
                start.push('\\');
            }
            start.push(letter);
        }
        start.push('"');
        self.within(&Realm(start.into()))
    }

    fn within(self, realm: &Realm) -> Self {
        Self { realm: Some(realm.clone()), ..self }
    }

    /// In the realm of the layer that has let a request of these extensions pass.
    pub(crate) fn within_that_of(self, request: &Extensions) -> Self {
        match request.get::<Realm>() {
            Some(realm) => self.within(realm),
            None => self,
        }
    }

    /// The realm that somebody has named.
    pub(crate) fn named_realm(&self) -> Option<&Realm> {
        self.realm.as_ref()
    }

    /// RFC 6749 §3.3: the words that a quoted string and a scope can hold.
    pub(crate) fn and_scope(mut self, word: &str) -> Self {
        let letters = word.chars().filter(|letter| is_of_scope(*letter));
        if !self.scope.is_empty() {
            self.scope.push(' ');
        }
        self.scope.extend(letters);
        self
    }

    /// The response to this request. No cache keeps it.
    pub(crate) fn response(
        &self,
        refusal: Refusal,
        retry_after: Option<Duration>,
        request: RequestHead<'_>,
    ) -> Response<&'static str> {
        let kind = refusal.kind();
        let grpc = grpc(request);
        let (status, problem) = match &grpc {
            // gRPC, responses: what happened is said in its own fields, and those alone make up the response.
            Some(_) => (StatusCode::OK, ""),
            None => (status(kind), problem(kind)),
        };
        let mut response = Response::new(problem);
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry_after) = retry_after {
            let secs = retry_after.as_millis().div_ceil(1000).max(1);
            fields.extend(text(&secs.to_string()).map(|secs| (header::RETRY_AFTER, secs)));
        }
        match grpc {
            Some(content_type) => {
                fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                fields.insert(GRPC_STATUS, HeaderValue::from_static(grpc_status(kind)));
                fields.insert(GRPC_MESSAGE, HeaderValue::from_static(kind.description()));
            }
            None => {
                let problem = HeaderValue::from_static("application/problem+json");
                fields.insert(header::CONTENT_TYPE, problem);
                let challenge = self.challenge(kind).and_then(|challenge| text(&challenge));
                fields.extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
            }
        }
        response.extensions_mut().insert(refusal);
        response
    }

    /// RFC 6750 §3: who has shown no token learns only how to.
    fn challenge(&self, kind: RefusalKind) -> Option<String> {
        let start = self.realm.as_ref().map_or("Bearer realm=\"api\"", |realm| &*realm.0);
        let error = match kind {
            RefusalKind::NoToken => return Some(start.to_owned()),
            RefusalKind::InvalidRequest => "invalid_request",
            RefusalKind::InvalidToken => "invalid_token",
            RefusalKind::InsufficientScope => "insufficient_scope",
            RefusalKind::Forbidden | RefusalKind::Unavailable => return None,
        };
        let description = kind.description();
        let mut line = format!("{start}, error=\"{error}\", error_description=\"{description}\"");
        if kind == RefusalKind::InsufficientScope {
            line.push_str(", scope=\"");
            line.push_str(&self.scope);
            line.push('"');
        }
        Some(line)
    }
}

/// What a gRPC request is answered as: the media type of its family (gRPC over HTTP/2, gRPC-Web). All of them are POSTs. A proxy that asks
/// whether a request may pass asks with GET, has the client's own fields, and takes a 200 for a yes.
fn grpc(request: RequestHead<'_>) -> Option<&'static str> {
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

fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::NoToken | RefusalKind::InvalidToken => StatusCode::UNAUTHORIZED,
        RefusalKind::InvalidRequest => StatusCode::BAD_REQUEST,
        RefusalKind::InsufficientScope | RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// gRPC status codes: UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE.
fn grpc_status(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NoToken | RefusalKind::InvalidRequest | RefusalKind::InvalidToken => "16",
        RefusalKind::InsufficientScope | RefusalKind::Forbidden => "7",
        RefusalKind::Unavailable => "14",
    }
}

/// RFC 9457 §3.
fn problem(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NoToken => {
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Send a token as Authorization: Bearer."}"#
        }
        RefusalKind::InvalidRequest => {
            r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"The request must have one token, in one place."}"#
        }
        RefusalKind::InvalidToken => {
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"The token is not valid."}"#
        }
        RefusalKind::InsufficientScope => {
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"The scope of the token is too small."}"#
        }
        RefusalKind::Forbidden => {
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"The token does not allow this."}"#
        }
        RefusalKind::Unavailable => {
            r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Tokens cannot be verified at the moment."}"#
        }
    }
}

/// RFC 6749 §3.3: `scope-token`.
fn is_of_scope(letter: char) -> bool {
    ('!'..='~').contains(&letter) && !matches!(letter, '"' | '\\')
}

fn text(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
