//! `--jwt-keys` and `--jwks-url`: who may ask, and what of it the cache may give to whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use serde_json::json;
use tower_keep::auth::Algorithm;

use super::origin;
use super::program::{Gateway, run};
use super::purging::SecretFile;
use crate::auth::tokens::{AUDIENCE, ISSUER, claims_with, others, signers};

const FLAGS: [&str; 2] = ["--issuer=https://login.example", "--audience=api"];

/// The claims of an access token that is good now, for a minute.
fn claims(subject: &str, scope: &str) -> serde_json::Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    claims_with(json!({"sub": subject, "scope": scope, "iat": now - 1, "exp": now + 60}))
}

fn line(algorithm: Algorithm, subject: &str) -> String {
    let token = signers().token(algorithm, &claims(subject, "read"));
    format!("Authorization: Bearer {token}\r\n")
}

pub(super) fn alice() -> String {
    line(Algorithm::Es256, "alice")
}

pub(super) fn bob() -> String {
    line(Algorithm::Es256, "bob")
}

/// A gateway that lets tokens pass that are signed by a key of this set.
pub(super) struct Guarded {
    pub(super) gateway: Gateway,
    calls: Arc<AtomicUsize>,
    _file: SecretFile,
}

impl Guarded {
    /// Before an upstream that answers with whom it was asked by.
    pub(super) async fn with(cache_control: &'static str, jwks: &[u8], flags: &[&str]) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let upstream = origin::of(move |fields: HeaderMap| async move {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            let asker = fields.get("authorization").map_or("nobody", |line| line.to_str().unwrap());
            ([("cache-control", cache_control)], format!("{call} {asker}"))
        })
        .await;
        let file = SecretFile::of(std::str::from_utf8(jwks).unwrap());
        let keys = format!("--jwt-keys={}", file.path());
        let flags = [&[keys.as_str()], &FLAGS[..], flags].concat();
        Self { gateway: Gateway::with(upstream, &flags).await, calls, _file: file }
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

pub(super) fn es256() -> Vec<u8> {
    signers().jwks(&[Algorithm::Es256])
}

#[tokio::test]
async fn only_good_tokens_pass() {
    let all = signers().jwks(&[Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa]);
    let guarded = Guarded::with("no-store", &all, &[]).await;
    let got = guarded.gateway.get("/").await;
    assert_eq!((got.status(), got.field("cache-control")), (401, Some("no-store")));
    assert_eq!(got.field("www-authenticate"), Some("Bearer realm=\"api\""));
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let got = guarded.gateway.get_with("/", &line(algorithm, "alice")).await;
        assert_eq!(got.status(), 200, "{algorithm}");
    }
    let now = claims("alice", "read");
    let forged = others().token(Algorithm::Es256, &now);
    let mut expired = now.clone();
    expired["exp"] = expired["iat"].clone();
    let expired = signers().token(Algorithm::Es256, &expired);
    for token in [forged, expired, "a.b.c".to_owned()] {
        let line = format!("Authorization: Bearer {token}\r\n");
        let got = guarded.gateway.get_with("/", &line).await;
        assert_eq!(got.status(), 401, "{token}");
        assert!(got.field("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
    let two = format!("{}{}", alice(), alice());
    assert_eq!(guarded.gateway.get_with("/", &two).await.status(), 400);
    assert_eq!(guarded.calls(), 3, "nothing else reached the upstream");
}

#[tokio::test]
async fn c02_what_is_stored_is_for_good_tokens_alone() {
    let guarded = Guarded::with("public, max-age=60", &es256(), &[]).await;
    let first = guarded.gateway.get_with("/", &alice()).await;
    let second = guarded.gateway.get_with("/", &bob()).await;
    assert_eq!(first.body, second.body, "by the upstream's own word");
    assert_eq!(guarded.gateway.get("/").await.status(), 401);
    assert_eq!(guarded.calls(), 1);
}

#[tokio::test]
async fn c01_what_nobody_called_public_is_not_shared() {
    let guarded = Guarded::with("max-age=60", &es256(), &[]).await;
    for line in [alice(), bob(), alice()] {
        let got = guarded.gateway.get_with("/", &line).await;
        assert!(line.contains(got.body.split(' ').next_back().unwrap()), "{got:?}");
    }
    assert_eq!(guarded.calls(), 3);
}

#[tokio::test]
async fn c02_a_partition_by_sub_is_of_each_user() {
    for said in ["max-age=60", "public, max-age=60"] {
        let guarded = Guarded::with(said, &es256(), &["--partition-by", "sub"]).await;
        let mut bodies = Vec::new();
        for line in [alice(), bob(), alice(), bob()] {
            let got = guarded.gateway.get_with("/", &line).await;
            bodies.push(got.body.split(' ').next().unwrap().to_owned());
        }
        assert_eq!(bodies, ["0", "1", "0", "1"], "{said}");
    }
}

#[tokio::test]
async fn the_scope_must_have_all_words() {
    let guarded = Guarded::with("no-store", &es256(), &["--require-scope", "read write"]).await;
    let send = async |scope: &str| {
        let token = signers().token(Algorithm::Es256, &claims("alice", scope));
        guarded.gateway.get_with("/", &format!("Authorization: Bearer {token}\r\n")).await
    };
    assert_eq!(send("write x read").await.status(), 200);
    let got = send("read").await;
    assert_eq!(got.status(), 403);
    let challenge = got.field("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\"")
            && challenge.ends_with("scope=\"read write\"")
    );
    assert_eq!(guarded.gateway.get("/").await.status(), 401);
}

#[tokio::test]
async fn plain_tokens_pass_where_they_are_asked_for() {
    let header = json!({"alg": "ES256", "typ": "JWT"}).to_string();
    let now = claims("alice", "read");
    let plain = json!({"iss": ISSUER, "aud": [AUDIENCE], "exp": now["exp"]}).to_string();
    let token = signers().token_of(Algorithm::Es256, &header, &plain);
    let line = format!("Authorization: Bearer {token}\r\n");
    for (typ, status) in [("--typ=at+jwt", 401), ("--typ=JWT", 200)] {
        let guarded = Guarded::with("no-store", &es256(), &[typ]).await;
        assert_eq!(guarded.gateway.get_with("/", &line).await.status(), status, "{typ}");
    }
}

#[tokio::test]
async fn j08_a_file_holds_secrets_or_public_keys() {
    let guarded = Guarded::with("no-store", &signers().jwks(&[Algorithm::Hs256]), &[]).await;
    let got = guarded.gateway.get_with("/", &line(Algorithm::Hs256, "alice")).await;
    assert_eq!(got.status(), 200);

    let mixed = signers().jwks(&[Algorithm::Hs256, Algorithm::Es256]);
    let unusable = br#"{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256"}]}"#.to_vec();
    for (jwks, named) in [
        (mixed, "mixes secrets and public keys"),
        (unusable, "no key in it that can be used"),
        (b"{}".to_vec(), "malformed"),
        (b"{\"keys\":[]}".to_vec(), "no key in it that can be used"),
        (vec![b' '; 300_000], "longer than"),
    ] {
        let file = SecretFile::of(std::str::from_utf8(&jwks).unwrap());
        let keys = format!("--jwt-keys={}", file.path());
        let needed = ["--listen=127.0.0.1:0", "--upstream=http://127.0.0.1:9", &keys];
        let output = run(&[&needed[..], &FLAGS].concat()).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("--jwt-keys: ") && text.contains(named), "{named}: {text}");
        assert!(!text.contains("AAAA"));
    }
}

/// A gateway that fetches its keys from here.
async fn fetching(issuer: SocketAddr) -> Gateway {
    let upstream = origin::of(async || "hello").await;
    let url = format!("--jwks-url=http://{issuer}/keys");
    Gateway::with(upstream, &[&[url.as_str()], &FLAGS[..]].concat()).await
}

#[tokio::test]
async fn k01_keys_are_fetched_once_whatever_tokens_come() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = fetches.clone();
    let issuer = origin::of(move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        ([("content-type", "application/json")], es256())
    })
    .await;
    let gateway = fetching(issuer).await;
    assert_eq!(gateway.get_with("/", &alice()).await.status(), 200);
    for id in 0..50 {
        let header = json!({"alg": "ES256", "kid": id.to_string(), "typ": "at+jwt"}).to_string();
        let claims = claims("alice", "read").to_string();
        let token = signers().token_of(Algorithm::Es256, &header, &claims);
        let got = gateway.get_with("/", &format!("Authorization: Bearer {token}\r\n")).await;
        assert_eq!(got.status(), 401, "{id}");
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    assert_eq!(gateway.get_with("/", &alice()).await.status(), 200);
}

#[tokio::test]
async fn k10_without_keys_it_starts_and_says_when_to_come_again() {
    let gateway = fetching(origin::nobody().await).await;
    let got = gateway.get_with("/", &alice()).await;
    assert_eq!((got.status(), got.field("cache-control")), (503, Some("no-store")));
    let secs: u64 = got.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&secs), "{secs}");
    assert_eq!(gateway.get("/").await.status(), 401, "for that no key is needed");
    let keys = gateway.stats().await["keys"].clone();
    assert_eq!((&keys["keys"], &keys["failures"]), (&json!(0), &json!(1)), "{keys}");
    assert_eq!(keys["last_error"], "Client");
}

#[tokio::test]
async fn k06_a_set_with_secrets_is_not_taken_from_the_network() {
    let secrets = async || {
        let set = signers().jwks(&[Algorithm::Hs256]);
        ([("content-type", "application/json")], set)
    };
    let gateway = fetching(origin::of(secrets).await).await;
    let got = gateway.get_with("/", &line(Algorithm::Hs256, "alice")).await;
    assert_eq!(got.status(), 503, "{got:?}");
}

#[tokio::test]
async fn k02_a_fetch_that_hangs_ends_in_503() {
    let hanging = async || {
        tokio::time::sleep(Duration::from_secs(600)).await;
    };
    let gateway = fetching(origin::of(hanging).await).await;
    let got = gateway.get_with("/", &alice()).await;
    assert_eq!(got.status(), 503);
}

#[tokio::test]
async fn wrong_flags_about_tokens_exit_2_and_are_named() {
    let fine = ["--listen=127.0.0.1:0", "--upstream=http://127.0.0.1:9"];
    let keys = "--jwt-keys=keys.jwks";
    for (flags, named) in [
        (&["--issuer=a"][..], "--issuer needs --jwt-keys or --jwks-url"),
        (&["--audience=a"], "--audience needs"),
        (&["--typ=JWT"], "--typ needs"),
        (&["--require-scope=a"], "--require-scope needs"),
        (&["--partition-by=sub"], "--partition-by needs"),
        (&[keys, "--jwks-url=https://a.test"], "exclude each other"),
        (&[keys], "--issuer is required"),
        (&[keys, "--issuer=a"], "--audience is required"),
        (&[keys, "--issuer=a", "--audience=b", "--typ=id"], "--typ: \"id\""),
        (&[keys, "--issuer=a", "--audience=b", "--require-scope=a  b"], "--require-scope: "),
    ] {
        let output = run(&[&fine[..], flags].concat()).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
        assert!(text.contains(named), "{flags:?}: {text}");
    }
    for (flags, named) in [
        (&["--jwt-keys=no/such/file", "--issuer=a", "--audience=b"], "--jwt-keys: no/such/file: "),
        (&["--jwks-url=http://login.example/keys", "--issuer=a", "--audience=b"], "--jwks-url: "),
        (&["--jwks-url=login.example", "--issuer=a", "--audience=b"], "--jwks-url: "),
    ] {
        let output = run(&[&fine[..], flags].concat()).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {text}");
        assert!(text.contains(named), "{flags:?}: {text}");
    }
}
