//! What traces say of tokens, and what they do not. In a program of its own: whether an event is wanted is asked once for all
//! threads.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test may"
)]

#[path = "it/auth/tokens.rs"]
mod tokens;

use std::convert::Infallible;
use std::future::ready;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, Request, Response};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::auth::Algorithm::{Es256, Hs256};
use tower_keep::auth::{
    JwksKeys, JwtLayer, Key, KeySet, KeySource, Refreshed, RequireScope, TokenHeader,
};
use tower_keep::cache::{CacheLayer, Partition};
use tower_keep::store::{MemoryStore, Wait};
use tower_keep::test_util::ManualClock;
use tracing_subscriber::fmt::MakeWriter;

use tokens::{bearer, change, claims_with, header_text, others, signers, verifier};

const MARK: &str = "zq7hidden";

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn request(fields: &Fields<'_>) -> Request<Body> {
    // A call of gRPC is a POST.
    let is_call = fields.iter().any(|(name, _)| *name == "content-type");
    let method = if is_call { "POST" } else { "GET" };
    let mut request = Request::builder().method(method).uri("/me").header("host", "a.test");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// A token with the mark in all that is anybody's to choose.
fn marked(changes: Value, header: Option<(&str, &str)>) -> String {
    let mut claims =
        claims_with(json!({"sub": MARK, "jti": MARK, "client_id": MARK, "email": MARK}));
    change(&mut claims, changes);
    let (name, value) = header.unwrap_or(("kid", "\"zq7hidden\""));
    signers().token_of(Es256, header_text(Es256, name, Some(value)), claims.to_string())
}

/// Knows no key, and cannot be asked for one in the end.
struct Gone;

impl KeySource for Gone {
    fn keys(&self) -> Option<KeySet> {
        None
    }

    fn refreshed<'a>(&'a self, _: &'a TokenHeader) -> Option<Wait<'a, Refreshed>> {
        Some(Box::pin(async { Refreshed::Unavailable { retry_after: std::time::Duration::ZERO } }))
    }
}

async fn ask<S, B>(service: S, fields: &Fields<'_>) -> u16
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    service.oneshot(request(fields)).await.unwrap().status().as_u16()
}

#[test]
fn j30_traces_hold_no_token_and_no_part_of_one() {
    let _alone = alone();
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(
            Response::builder()
                .header("cache-control", "max-age=60")
                .body(Body::from(MARK))
                .unwrap(),
        )
    });
    let secret: Vec<u8> = (0..40).map(|n| n * 5 + 3).collect();
    let mut tokens = Vec::new();
    let log = traced(async |log: &Log| {
        let secrets = KeySet::new([Key::secret(Hs256, &secret).unwrap().with_id(MARK)]).unwrap();
        let keys = KeySet::new([signers().key(Es256).with_id(MARK)]).unwrap();
        let other = tower_keep::auth::Verifier::new("https://other.example", "api");
        let jwt = JwtLayer::with_clock(verifier(), keys, ManualClock::new())
            .or(other, secrets)
            .or_cookie("sid")
            .forward_claim("email", HeaderName::from_static("x-email"));
        let cache =
            CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), ManualClock::new());
        let divided = cache.clone().partition_by(Partition::principal());
        let inside = jwt.layer(divided.layer(inner));
        let outside = cache.layer(jwt.layer(inner));
        let scoped = jwt.layer(RequireScope::new("admin").layer(inner));
        let gone = JwtLayer::with_clock(verifier(), Gone, ManualClock::new()).layer(inner);
        let good = marked(json!({}), None);
        let forged = others().token_of(
            Es256,
            header_text(Es256, "kid", Some("\"zq7hidden\"")),
            claims_with(json!({"sub": MARK})).to_string(),
        );
        tokens.extend([
            good.clone(),
            forged,
            format!("{good}="),
            format!("{good}.{MARK}"),
            good.replacen("eyJ", "eyK", 2),
            format!("{MARK}.{MARK}.{MARK}"),
            MARK.repeat(1000),
            marked(json!({"exp": 1}), None),
            marked(json!({"nbf": 1_700_000_000}), None),
            marked(json!({"aud": MARK}), None),
            marked(json!({"iss": MARK}), None),
            marked(json!({"iss": "https://other.example"}), None),
            marked(json!({"cnf": {"jkt": MARK}}), None),
            marked(json!({"email": [MARK]}), None),
            marked(json!({}), Some(("kid", "\"zq7hidden-other\""))),
            marked(json!({}), Some(("kid", "\"zq7hidden\\u0000\""))),
            marked(json!({}), Some(("alg", "\"zq7hidden\""))),
            marked(json!({}), Some(("typ", "\"zq7hidden\""))),
            marked(json!({}), Some(("crit", "[\"zq7hidden\"]"))),
            marked(json!({}), Some(("cty", "\"zq7hidden\""))),
            marked(json!({}), Some(("jku", "\"https://zq7hidden\""))),
        ]);
        let mut statuses = Vec::new();
        for token in &tokens {
            let line = format!("Bearer {token}");
            let cookie = format!("sid={token}");
            for fields in [
                vec![("authorization", line.as_str())],
                vec![("authorization", &line), ("content-type", "application/grpc")],
                vec![("authorization", &line), ("authorization", &line)],
                vec![("cookie", &cookie)],
                vec![("authorization", &line), ("cookie", &cookie)],
                vec![("authorization", token)],
                vec![("proxy-authorization", &line)],
            ] {
                statuses.push(ask(inside.clone(), &fields).await);
                statuses.push(ask(outside.clone(), &fields).await);
                statuses.push(ask(scoped.clone(), &fields).await);
                statuses.push(ask(gone.clone(), &fields).await);
            }
        }
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(statuses, [200, 400, 401, 403, 503], "all kinds of answers");
        assert!(!log.text().is_empty());
    });
    let refusals = log.lines().filter(|line| line.contains("request refused")).count();
    assert!(refusals > 100 && log.contains("tower_keep::auth"), "{refusals}: {log}");
    for reason in [
        "it has expired",
        "there is more than one token",
        "the keys of the issuer are not there",
        "it is for another audience",
    ] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    assert!(!log.contains(MARK), "{log}");
    for token in &tokens {
        for part in token.split('.').filter(|part| part.len() >= 12) {
            let part = part.as_bytes();
            for run in part.windows(12) {
                let run = std::str::from_utf8(run).unwrap();
                assert!(!log.contains(run), "{run} of {token}: {log}");
            }
        }
    }
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    for shown in [
        hex,
        URL_SAFE_NO_PAD.encode(&secret),
        format!("{:?}", &secret[..8]).replace(['[', ']'], ""),
    ] {
        assert!(!log.contains(&shown), "{log}");
    }
}

/// Whatever an issuer replies with.
#[test]
fn j30_traces_of_fetches_hold_no_key_and_no_id_of_one() {
    let _alone = alone();
    let secret = "zq7hiddenzq7hiddenzq7hiddenzq7hiddenzq7hidd";
    let mut good = signers().jwk(Es256);
    good["kid"] = MARK.into();
    let (x, y) = (good["x"].as_str().unwrap().to_owned(), good["y"].as_str().unwrap().to_owned());
    let mut private = good.clone();
    private["d"] = secret.into();
    let replies = [
        json!({ "keys": [good] }),
        json!({ "keys": [{"kty": MARK, "kid": MARK}] }),
        json!({ "keys": [good, good] }),
        json!({ "keys": [private] }),
        json!({ "keys": [{"kty": "oct", "alg": "HS256", "kid": MARK, "k": secret}] }),
        json!({ MARK: [] }),
        json!(MARK.repeat(60_000)),
    ];
    let log = traced(async |_: &Log| {
        for reply in replies {
            let text = reply.to_string();
            let client = service_fn(move |_: Request<Body>| {
                let response = Response::builder().header("content-type", "application/json");
                let response = response
                    .header("etag", "\"zq7hidden\"")
                    .body(Body::from(text.clone()))
                    .unwrap();
                ready(Ok::<_, Infallible>(response))
            });
            let keys = JwksKeys::new("https://login.test/jwks", client).unwrap();
            let _ = keys.load().await;
            let jwt = JwtLayer::new(verifier(), keys);
            let inner = service_fn(async |_: Request<Body>| {
                Ok::<_, Infallible>(Response::new(Body::empty()))
            });
            let line = format!("Bearer {}", marked(json!({}), None));
            ask(jwt.layer(inner), &vec![("authorization", &line)]).await;
        }
    });
    assert!(log.contains("keys fetched") && log.contains("WARN"), "{log}");
    for hidden in [MARK, &x[..12], &y[..12]] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
}

/// In builds with assertions, once for each layer, and not of one that stands further in.
#[test]
fn c02_a_cache_outside_is_warned_of_once() {
    let _alone = alone();
    let said = "a cache stands outside a layer";
    let warnings =
        |log: &str| log.lines().filter(|line| line.contains("WARN") && line.contains(said)).count();
    let inner =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let cache = || CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), ManualClock::new());
    let jwt = || JwtLayer::with_clock(verifier(), signers().keys(&[Es256]), ManualClock::new());
    let line = bearer("alice");
    let inside = traced(async |_: &Log| {
        let service = jwt().layer(cache().layer(inner));
        for _ in 0..3 {
            assert_eq!(ask(service.clone(), &vec![("authorization", &line)]).await, 200);
        }
    });
    assert_eq!(warnings(&inside), 0, "{inside}");
    let outside = traced(async |_: &Log| {
        let layer = jwt();
        let (one, other) = (cache().layer(layer.layer(inner)), cache().layer(layer.layer(inner)));
        for _ in 0..3 {
            for service in [&one, &other] {
                assert_eq!(ask(service.clone(), &vec![("authorization", &line)]).await, 200);
                assert_eq!(ask(service.clone(), &vec![]).await, 401);
            }
        }
    });
    assert_eq!(warnings(&outside), usize::from(cfg!(debug_assertions)), "{outside}");
    let between = traced(async |_: &Log| {
        let service = jwt().layer(cache().layer(RequireScope::new("read").layer(inner)));
        for _ in 0..3 {
            assert_eq!(ask(service.clone(), &vec![("authorization", &line)]).await, 200);
        }
    });
    assert_eq!(warnings(&between), usize::from(cfg!(debug_assertions)), "{between}");
}

/// What is traced while this runs, at every level.
fn traced(run: impl AsyncFnOnce(&Log)) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(run(&log)));
    log.text()
}

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
