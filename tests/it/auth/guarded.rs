//! A service behind a layer that verifies tokens.

use std::fmt::Debug;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_keep::auth::{
    Algorithm, Jwt, JwtLayer, KeySource, Refusal, RefusalKind, Verified, Verifier,
};
use tower_keep::test_util::ManualClock;

use super::tokens::{signers, verifier};
use crate::support::{Inner, request, response};

/// What the issuer signs with, secrets aside.
pub const PUBLIC: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];
/// What a test finds of a token that is let pass.
pub const PASSES: &str = "passes";

/// A service that says who asks, behind a layer.
pub struct Guarded {
    pub clock: ManualClock,
    pub inner: Inner,
    pub layer: JwtLayer<ManualClock>,
    pub service: Jwt<Inner, ManualClock>,
}

/// A response with its body read to the end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub refusal: Option<Refusal>,
}

impl Guarded {
    /// By all public keys of the issuer.
    pub fn new() -> Self {
        Self::by(verifier())
    }

    /// By these rules and all public keys.
    pub fn by(verifier: Verifier) -> Self {
        Self::of(verifier, signers().keys(&PUBLIC))
    }

    pub fn of(verifier: Verifier, keys: impl KeySource) -> Self {
        Self::with(verifier, keys, |layer| layer)
    }

    /// With a layer that is changed first.
    pub fn with(
        verifier: Verifier,
        keys: impl KeySource,
        change: impl FnOnce(JwtLayer<ManualClock>) -> JwtLayer<ManualClock>,
    ) -> Self {
        let clock = ManualClock::new();
        let layer = change(JwtLayer::with_clock(verifier, keys, clock.clone()));
        let inner = Inner::new(|request, _| response(&[], asker(request)));
        let service = layer.layer(inner.clone());
        Self { clock, inner, layer, service }
    }

    /// Another service behind the same layer.
    pub fn again(&self) -> Self {
        let layer = self.layer.clone();
        let service = layer.layer(self.inner.clone());
        Self { clock: self.clock.clone(), inner: self.inner.clone(), layer, service }
    }

    /// The answer, which must be there at once.
    pub fn send(&self, request: Request<Body>) -> Answer {
        answer(self.service.clone(), request)
    }

    pub fn get(&self, fields: &[(&str, &str)]) -> Answer {
        self.send(request("GET", "/", fields))
    }

    pub fn bearer(&self, token: &str) -> Answer {
        self.get(&[("authorization", &format!("Bearer {token}"))])
    }

    /// [`PASSES`], or what is wrong with the token, in words for a trace; the rest of the answer is as it must be then.
    pub fn verdict(&self, token: &str) -> &'static str {
        let before = self.inner.calls();
        let answer = self.bearer(token);
        let called = self.inner.calls() - before;
        match answer.refusal {
            None => {
                assert_eq!((answer.status.as_u16(), called), (200, 1), "{answer:?}");
                PASSES
            }
            Some(refusal) => {
                let is_bad_token = refusal.kind() == RefusalKind::InvalidToken;
                assert!(is_bad_token && called == 0, "{called} calls: {answer:?}");
                assert_eq!(answer.status, 401);
                refusal.detail()
            }
        }
    }

    pub fn passes(&self, token: &str) -> bool {
        self.verdict(token) == PASSES
    }
}

/// Who asks, as handlers get to know it.
pub fn asker<B>(request: &Request<B>) -> String {
    let verified = request.extensions().get::<Verified>();
    verified.and_then(Verified::subject).unwrap_or("nobody").to_owned()
}

/// What a service answers, which must be there at once.
pub fn answer<S, B>(service: S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Debug,
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: Debug,
{
    let response = service.oneshot(request).now_or_never().expect("nothing to wait for");
    read(response.unwrap()).now_or_never().expect("a whole body")
}

pub async fn read<B>(response: Response<B>) -> Answer
where
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: Debug,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        refusal: parts.extensions.get().copied(),
    }
}

impl Answer {
    /// The value of a field, if there is one.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn kind(&self) -> Option<RefusalKind> {
        self.refusal.as_ref().map(Refusal::kind)
    }
}
