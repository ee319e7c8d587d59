//! J30: what Debug and Display show. `tests/token_traces.rs` has what traces do.

use std::fmt::{Debug, Write as _};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderName, Request};
use serde_json::json;
use tower::{Layer as _, Service as _};
use tower_keep::auth::Algorithm::{self, EdDsa, Es256, Hs256, Rs256};
use tower_keep::auth::{
    JwtLayer, Key, KeySet, KeySource, Refreshed, RequireClaim, RequireScope, RequireToken, Verified,
};
use tower_keep::axum::Claims;
use tower_keep::cache::Partition;
use tower_keep::head::Principal;
use tower_keep::test_util::ManualClock;
use tower_keep::time::Timestamp;

use super::scripted_keys::Script;
use super::shown::{MARK, Shown};
use super::tokens::{NOW, claims_with, header_text, signers, verifier};
use crate::support::{Inner, request, response};

const SECRET: [u8; 32] = *b"\x9c\x11\xf3\x80\x07zq7hidden-zq7hidden-zq7h\x00\xff\xfe";

fn token(algorithm: Algorithm) -> String {
    let header = header_text(algorithm, "kid", Some(&format!("\"{MARK}\"")));
    let claims = claims_with(json!({
        "sub": format!("{MARK}-sub"), "scope": format!("{MARK}-scope"), "jti": MARK, "client_id": MARK,
        "email": format!("{MARK}@a.test"),
    }));
    signers().token_of(algorithm, header, claims.to_string())
}

fn keys() -> KeySet {
    KeySet::new(
        [Es256, EdDsa, Rs256]
            .map(|algorithm| signers().key(algorithm).with_id(MARK.to_owned() + algorithm.name())),
    )
    .unwrap()
}

#[test]
fn j30_keys_and_key_sets_show_their_algorithm_alone() {
    let mut shown = Shown::default();
    let secret = Key::secret(Hs256, &SECRET).unwrap().with_id(MARK);
    shown.show(&secret);
    shown.show(&KeySet::new([secret]).unwrap());
    shown.show(&keys());
    shown.hide_bytes("secret", &SECRET);
    for algorithm in [Es256, Rs256, EdDsa] {
        let jwk = signers().jwk(algorithm);
        shown.show(&signers().key(algorithm));
        for name in ["n", "x", "y"] {
            let Some(text) = jwk[name].as_str() else { continue };
            shown.hide_bytes("public key", &URL_SAFE_NO_PAD.decode(text).unwrap());
        }
    }
    assert!(shown.text.contains("Key(HS256)") && shown.text.contains("Key(EdDSA)"));
    let oct =
        |k: &str, alg: &str| json!({"kty": "oct", "k": k, "alg": alg, "kid": MARK}).to_string();
    let text = URL_SAFE_NO_PAD.encode(SECRET);
    for bad in [
        oct(&text, "HS512"),
        oct(&text, MARK),
        oct(&text, "ES256"),
        oct(&format!("{text}="), "HS256"),
        oct(&text, "HS256").replace("\"oct\"", "\"RSA\""),
        oct(&text, "HS256") + MARK,
        MARK.to_owned(),
        oct(&text, "HS256").replace("{", "{\"use\":\"zq7hidden\","),
        json!({"kty": "EC", "crv": "P-256", "d": text, "x": text, "y": text}).to_string(),
        json!({"kty": "OKP", "crv": "Ed25519", "x": text, "d": text}).to_string(),
    ] {
        let error = Key::from_jwk(bad.as_bytes()).unwrap_err();
        shown.show_error(&error);
        shown.show(&error.kind());
        let set = format!("{{\"keys\":[{bad},{bad}]}}");
        match KeySet::from_jwks(set.as_bytes()) {
            Ok(set) => shown.show(&set),
            Err(error) => shown.show_error(&error),
        }
    }
    shown.show_error(&Key::secret(Hs256, &SECRET[..31]).unwrap_err());
    shown.nothing_is_shown();
}

#[test]
fn j30_tokens_and_whoever_they_are_about_are_not_shown() {
    let mut shown = Shown::default();
    let now = Timestamp::from_secs(NOW as i64);
    let verifier = verifier();
    shown.show(&verifier);
    for algorithm in [Es256, Rs256] {
        let token = token(algorithm);
        shown.hide_token(&token);
        let keys = KeySet::new([signers().key(algorithm).with_id(MARK)]).unwrap();
        let verified = verifier.verify(token.as_bytes(), &keys, now).unwrap();
        shown.show(&verified);
        shown.show(&verified.principal());
        shown.show(&Principal::new(MARK, MARK));
        // What a handler asks for as a type of its own shows what that shows.
        let wrong: Result<Claims<Vec<u8>>, _> = verified.claims().map(Claims);
        assert!(wrong.is_err());
        for bad in [
            format!("{token}x"),
            token.replacen("eyJ", "eyK", 2),
            format!("{token}.{token}"),
            MARK.to_owned(),
        ] {
            let refusal = verifier.verify(bad.as_bytes(), &keys, now).unwrap_err();
            shown.show_error(&refusal);
            shown.show(&refusal.kind());
            shown.text += refusal.detail();
        }
    }
    shown.nothing_is_shown();
}

/// A source that shows the headers that it is asked for.
struct Showing(std::sync::Mutex<String>);

impl KeySource for Showing {
    fn keys(&self) -> Option<KeySet> {
        None
    }

    fn refreshed<'a>(
        &'a self,
        header: &'a tower_keep::auth::TokenHeader,
    ) -> Option<tower_keep::store::Wait<'a, Refreshed>> {
        writeln!(self.0.lock().unwrap(), "{header:?} {header:#?}").unwrap();
        None
    }
}

#[tokio::test]
async fn j30_layers_services_futures_and_bodies_show_no_token() {
    let mut shown = Shown::default();
    let token = token(Es256);
    shown.hide_token(&token);
    shown.hide_bytes("secret", &SECRET);
    let secret = Key::secret(Hs256, &SECRET).unwrap().with_id(MARK);
    let inner = || Inner::new(|_, _| response(&[], MARK));
    let layer = JwtLayer::with_clock(
        verifier(),
        KeySet::new([signers().key(Es256).with_id(MARK)]).unwrap(),
        ManualClock::new(),
    )
    .or(
        tower_keep::auth::Verifier::new("https://other.example", "api"),
        KeySet::new([secret]).unwrap(),
    )
    .or_cookie("sid")
    .forward_claim("sub", HeaderName::from_static("x-user"));
    let line = format!("Bearer {token}");
    let waiting = Script::asking(None);
    let asking = JwtLayer::with_clock(verifier(), waiting, ManualClock::new());
    for (layer, fields) in [
        (&layer, vec![("authorization", line.as_str())]),
        (&layer, vec![("authorization", line.as_str()), ("authorization", &line)]),
        (&layer, vec![("authorization", MARK)]),
        (&layer, vec![("cookie", "sid=zq7hidden.zq7hidden.zq7hidden")]),
        (&asking, vec![("authorization", line.as_str())]),
    ] {
        let mut service = layer.layer(Quiet(inner()));
        let future = service.call(request("GET", "/", &fields));
        shown.show(layer);
        shown.show(&service);
        shown.show(&future);
        let is_waiting = std::ptr::eq(layer, &asking);
        if !is_waiting {
            let response = future.await.unwrap();
            shown.show(response.body());
            shown.show(&response.headers());
            shown.show(&response.extensions().get::<tower_keep::auth::Refusal>());
        }
    }
    shown.show(&Refreshed::Current(keys()));
    shown.show(&Partition::claim(MARK));
    shown.show(&RequireToken::new());
    shown.show(&RequireScope::new("read"));
    let asks = RequireClaim::new(|verified: &Verified| verified.subject() == Some(MARK));
    shown.show(&asks);
    let mut required = asks.layer(Quiet(inner()));
    shown.show(&required);
    shown.show(&required.call(request("GET", "/", &[("authorization", &line)])));
    let showing = std::sync::Arc::new(Showing(Default::default()));
    let unknown = JwtLayer::with_clock(verifier(), showing.clone(), ManualClock::new());
    let refused = unknown
        .layer(Quiet(inner()))
        .call(request("GET", "/", &[("authorization", &line)]))
        .await
        .unwrap();
    assert_eq!(refused.status(), 503);
    shown.text += &showing.0.lock().unwrap();
    assert!(shown.text.contains("TokenHeader"), "{}", shown.text);
    shown.nothing_is_shown();
}

/// A service that shows nothing itself.
#[derive(Clone)]
struct Quiet(Inner);

impl Debug for Quiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Quiet")
    }
}

impl tower::Service<Request<Body>> for Quiet {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

/// The search finds what it looks for.
#[test]
fn j30_what_is_shown_would_be_found() {
    for (at, leak) in [
        format!("{SECRET:?}"),
        format!("{SECRET:#?}"),
        format!("{SECRET:x?}"),
        URL_SAFE_NO_PAD.encode(SECRET),
        STANDARD.encode(SECRET),
        SECRET.iter().map(|byte| format!("{byte:02x}")).collect(),
        SECRET.escape_ascii().to_string(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut shown = Shown::default();
        shown.text += &" ".repeat(1001);
        shown.hide_bytes("secret", &SECRET);
        shown.text += &leak;
        let found =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shown.nothing_is_shown()));
        assert!(found.is_err(), "{at} {leak}");
    }
}
