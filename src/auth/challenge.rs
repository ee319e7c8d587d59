//! A refusal as a response (RFC 6750 §3, RFC 9457; gRPC in its own way).

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Extensions, Response, StatusCode};

use crate::auth::refusal::{Refusal, RefusalKind};
use crate::head::RequestHead;
use crate::refusing::{self, grpc, trailers_only};

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
        let mut response = match grpc(request) {
            Some(family) => trailers_only(family, grpc_status(kind), kind.description()),
            None => {
                let mut response = refusing::problem(status(kind), problem(kind));
                let challenge = self.challenge(kind).and_then(|challenge| text(&challenge));
                let challenge = challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge));
                response.headers_mut().extend(challenge);
                response
            }
        };
        let wait = retry_after.map(|wait| (header::RETRY_AFTER, refusing::retry_after(wait)));
        response.headers_mut().extend(wait);
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

fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::NoToken | RefusalKind::InvalidToken => StatusCode::UNAUTHORIZED,
        RefusalKind::InvalidRequest => StatusCode::BAD_REQUEST,
        RefusalKind::InsufficientScope | RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// gRPC status codes: UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE.
fn grpc_status(kind: RefusalKind) -> u8 {
    match kind {
        RefusalKind::NoToken | RefusalKind::InvalidRequest | RefusalKind::InvalidToken => 16,
        RefusalKind::InsufficientScope | RefusalKind::Forbidden => 7,
        RefusalKind::Unavailable => 14,
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
