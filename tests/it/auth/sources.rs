//! Where keys come from while the service runs.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::{HeaderName, Request};
use serde_json::json;
use tower::ServiceExt as _;
use tower_keep::auth::Algorithm::{EdDsa, Es256, Rs256};
use tower_keep::auth::{JwtLayer, KeySet, Refreshed, RefusalKind, Verified, Verifier};
use tower_keep::head::Principal;
use tower_keep::test_util::ManualClock;

use super::guarded::{Answer, Guarded, PASSES, PUBLIC, read};
use super::scripted_keys::Script;
use super::tokens::{
    AUDIENCE, bearer, claims, claims_with, header_text, others, signers, verifier,
};
use crate::support::request;

const SIGNATURE: &str = "no key of this algorithm and id has signed it";

type Waiting = Pin<Box<dyn Future<Output = Answer>>>;

/// A request of Alice's that is on its way.
fn ask(guarded: &Guarded) -> Waiting {
    send(guarded, request("GET", "/", &[("authorization", &bearer("alice"))]))
}

fn send(guarded: &Guarded, request: Request<Body>) -> Waiting {
    let response = guarded.service.clone().oneshot(request);
    Box::pin(async { read(response.await.unwrap()).await })
}

/// What there is of an answer at once.
fn now(waiting: &mut Waiting) -> Option<Answer> {
    waiting.now_or_never()
}

fn none() -> KeySet {
    KeySet::default()
}

fn current() -> Refreshed {
    Refreshed::Current(signers().keys(&PUBLIC))
}

#[test]
fn where_nothing_is_loaded_and_nobody_to_be_asked_it_is_503() {
    let keys = Script::fixed(None);
    let guarded = Guarded::of(verifier(), keys.clone());
    let refused = now(&mut ask(&guarded)).unwrap();
    assert_eq!((refused.status.as_u16(), refused.field("retry-after")), (503, Some("1")));
    keys.know(Some(signers().keys(&PUBLIC)));
    assert_eq!(now(&mut ask(&guarded)).unwrap().body, "alice");
    // Whatever else is wrong is wrong without keys too.
    keys.know(None);
    assert_eq!(guarded.verdict("a.b.c"), "not exact base64url");
    assert_eq!(guarded.get(&[]).status, 401);
}

#[test]
fn a_key_that_a_fixed_set_has_not_is_nobodys() {
    let guarded = Guarded::of(verifier(), Script::fixed(Some(none())));
    assert_eq!(guarded.verdict(&signers().token(Es256, &claims("alice"))), SIGNATURE);
}

#[test]
fn a_token_of_a_key_that_is_not_there_waits_for_newer_ones() {
    for known in [None, Some(none()), Some(signers().keys(&[Rs256])), Some(others().keys(&[EdDsa]))]
    {
        let is_loaded = known.is_some();
        for (answer, status) in [
            (current(), 200),
            (Refreshed::Current(none()), 401),
            (Refreshed::Current(signers().keys(&[Rs256])), 401),
            (Refreshed::Current(others().keys(&PUBLIC)), 401),
            (Refreshed::Unavailable { retry_after: Duration::from_millis(6001) }, 503),
        ] {
            let keys = Script::asking(known.clone());
            let guarded = Guarded::of(verifier(), keys.clone());
            let mut waiting = ask(&guarded);
            for _ in 0..3 {
                assert!(now(&mut waiting).is_none(), "{is_loaded} {status}");
            }
            assert_eq!((keys.waiting(), guarded.inner.calls()), (1, 0));
            keys.answer(answer);
            let got = now(&mut waiting).unwrap();
            assert_eq!(got.status, status, "{is_loaded} {got:?}");
            assert_eq!(guarded.inner.calls(), usize::from(status == 200));
            assert_eq!(got.field("retry-after"), (status == 503).then_some("7"), "rounded up");
            let kind = match status {
                200 => None,
                401 => Some(RefusalKind::InvalidToken),
                _ => Some(RefusalKind::Unavailable),
            };
            assert_eq!(got.kind(), kind);
            let asked = keys.asked();
            assert_eq!(asked.len(), 1, "once for each request");
            assert_eq!((asked[0].algorithm(), asked[0].key_id()), (Es256, Some("ES256")));
        }
    }
}

#[test]
fn a_known_key_never_waits_whatever_is_wrong() {
    let keys = Script::asking(Some(signers().keys(&PUBLIC)));
    let guarded = Guarded::of(verifier(), keys.clone());
    for algorithm in PUBLIC {
        let token = signers().token(algorithm, &claims("alice"));
        assert_eq!(guarded.verdict(&token), PASSES);
        assert_eq!(guarded.verdict(&token), PASSES, "remembered or not");
        let forged = others().token(algorithm, &claims("alice"));
        assert_eq!(guarded.verdict(&forged), SIGNATURE, "{algorithm}");
        let nameless = signers().token_of(
            algorithm,
            header_text(algorithm, "kid", None),
            claims("alice").to_string(),
        );
        assert_eq!(guarded.verdict(&nameless), PASSES);
    }
    assert_eq!(keys.asked(), []);
}

/// K01: what costs nothing to make costs the issuer nothing.
#[test]
fn a_token_that_is_no_good_anyway_asks_for_no_keys() {
    let keys = Script::asking(None);
    let guarded = Guarded::of(verifier(), keys.clone());
    let of = |changes| signers().token(Es256, &claims_with(changes));
    for bad in [
        "a".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(9000),
        of(json!({"exp": 1_600_000_000})),
        of(json!({"exp": null})),
        of(json!({"nbf": 1_600_000_001})),
        of(json!({"iat": 1_600_000_001})),
        of(json!({"exp": 1_700_000_000})),
        of(json!({"iss": "https://other.example"})),
        of(json!({"aud": "other"})),
        of(json!({"sub": ""})),
        of(json!({"jti": null})),
        of(json!({"cnf": {}})),
        signers().token_of(
            Es256,
            header_text(Es256, "typ", Some("\"JWT\"")),
            claims("a").to_string(),
        ),
        signers().token_of(
            Es256,
            header_text(Es256, "crit", Some("[\"x\"]")),
            claims("a").to_string(),
        ),
        signers().token_of(
            Es256,
            header_text(Es256, "alg", Some("\"x\"")),
            claims("a").to_string(),
        ),
        signers().token_of(
            Es256,
            header_text(Es256, "kid", Some("\"\\u0000\"")),
            claims("a").to_string(),
        ),
    ] {
        assert_ne!(guarded.verdict(&bad), PASSES);
    }
    guarded.get(&[]);
    guarded.get(&[("authorization", "Bearer")]);
    assert_eq!((keys.looks(), keys.asked().len()), (0, 0));
}

#[test]
fn who_gives_up_waiting_leaves_nothing_behind() {
    let keys = Script::asking(None);
    let guarded = Guarded::of(verifier(), keys.clone());
    let mut all: Vec<_> = (0..10).map(|_| ask(&guarded)).collect();
    for waiting in &mut all {
        assert!(now(waiting).is_none());
    }
    // Before it was ever polled, too.
    all.push(ask(&guarded));
    assert_eq!(keys.waiting(), 10);
    all.truncate(3);
    assert_eq!((keys.waiting(), guarded.inner.calls()), (3, 0));
    keys.answer(current());
    for waiting in &mut all {
        assert_eq!(now(waiting).unwrap().body, "alice");
    }
    assert_eq!((keys.waiting(), guarded.inner.calls()), (0, 3));
}

#[tokio::test]
async fn many_wait_at_once_and_are_woken() {
    let keys = Script::asking(Some(none()));
    let guarded = Guarded::of(verifier(), keys.clone());
    let all = join_all((0..100).map(|_| ask(&guarded)));
    let answered = async {
        tokio::task::yield_now().await;
        assert_eq!(keys.waiting(), 100);
        keys.answer(current());
    };
    let (all, ()) = tokio::join!(all, answered);
    assert!(all.iter().all(|answer| answer.status == 200));
}

/// The time is that of the end of the waiting.
#[test]
fn a_token_may_expire_while_it_waits() {
    let keys = Script::asking(None);
    let guarded = Guarded::of(verifier(), keys.clone());
    let mut waiting = ask(&guarded);
    assert!(now(&mut waiting).is_none());
    guarded.clock.advance(Duration::from_secs(300));
    keys.answer(current());
    let refused = now(&mut waiting).unwrap();
    assert_eq!(refused.refusal.unwrap().detail(), "it has expired");
    assert_eq!((refused.status.as_u16(), guarded.inner.calls()), (401, 0));
}

#[test]
fn who_has_waited_is_told_of_inside_like_all_others() {
    let keys = Script::asking(None);
    let guarded = Guarded::with(verifier(), keys.clone(), |layer| {
        layer.optional().forward_claim("sub", HeaderName::from_static("x-user"))
    });
    let mut sent =
        request("GET", "/", &[("authorization", &bearer("alice")), ("x-user", "mallory")]);
    sent.extensions_mut().insert(Principal::new("mallory", "mallory"));
    let mut waiting = send(&guarded, sent);
    assert!(now(&mut waiting).is_none());
    keys.answer(current());
    assert_eq!(now(&mut waiting).unwrap().body, "alice");
    let seen = guarded.inner.seen().pop().unwrap();
    let users: Vec<_> = seen.headers.get_all("x-user").iter().collect();
    assert_eq!(users, ["alice"]);
    assert_eq!(seen.extensions.get::<Principal>().unwrap().subject(), "alice");
    assert_eq!(seen.extensions.get::<Verified>().unwrap().subject(), Some("alice"));
    // A token is good or refused, also where none was needed.
    keys.answer(Refreshed::Unavailable { retry_after: Duration::ZERO });
    let refused = now(&mut ask(&guarded)).unwrap();
    assert_eq!((refused.status.as_u16(), refused.field("retry-after")), (503, Some("1")));
}

/// RFC 8725 §3.8: nobody is asked about another's tokens.
#[test]
fn of_several_issuers_the_one_is_asked_whose_token_it_is() {
    let (ours, theirs) = (Script::asking(None), Script::asking(None));
    let other = Verifier::new("https://other.example", AUDIENCE);
    let clock = ManualClock::new();
    let layer = JwtLayer::with_clock(verifier(), ours.clone(), clock).or(other, theirs.clone());
    let guarded = Guarded::with(verifier(), none(), |_| layer);
    let token = signers().token(Es256, &claims_with(json!({"iss": "https://other.example"})));
    let mut waiting =
        send(&guarded, request("GET", "/", &[("authorization", &format!("Bearer {token}"))]));
    assert!(now(&mut waiting).is_none());
    assert_eq!((ours.waiting(), theirs.waiting(), ours.looks()), (0, 1, 0));
    ours.answer(current());
    ours.know(Some(signers().keys(&PUBLIC)));
    assert!(now(&mut waiting).is_none(), "it is not theirs");
    theirs.answer(Refreshed::Current(others().keys(&PUBLIC)));
    assert_eq!(now(&mut waiting).unwrap().refusal.unwrap().detail(), SIGNATURE);
    assert_eq!(ours.looks(), 0);
}

/// K04: a source that does not keep its word is not waited for for ever.
#[tokio::test]
async fn k04_who_waits_for_a_source_that_never_answers_is_told_after_a_minute() {
    let guarded = Guarded::of(verifier(), Script::asking(None));
    let mut waiting = ask(&guarded);
    assert!((&mut waiting).now_or_never().is_none());
    guarded.clock.advance(Duration::from_secs(59));
    assert!((&mut waiting).now_or_never().is_none());
    guarded.clock.advance(Duration::from_secs(1));
    let answer = waiting.now_or_never().unwrap();
    assert_eq!((answer.status.as_u16(), answer.field("retry-after")), (503, Some("1")));
}
