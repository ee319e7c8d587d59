//! What is asked of a request, and what it is told.

use futures_util::FutureExt as _;
use http::HeaderName;
use tower::limit::ConcurrencyLimit;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{JwtLayer, Key, KeySet, Refreshed, RequireScope, RequireToken};
use tower_keep::test_util::ManualClock;

use crate::auth::guarded::{Guarded, PUBLIC, answer, asker, read};
use crate::auth::scripted_keys::Script;
use crate::auth::tokens::{bearer, claims, header, others, signers, verifier};
use crate::support::{Inner, request, response};

/// RFC 9110 §7.6.1: a proxy further in removes the fields that `Connection` names.
#[test]
fn j27_no_client_has_our_field_removed_by_a_proxy_further_in() {
    let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        layer.optional().forward_claim("sub", HeaderName::from_static("x-user"))
    });
    let line = bearer("alice");
    for (said, left) in [
        ("x-user", &[][..]),
        ("X-User", &[]),
        ("close, x-user", &["close"]),
        ("x_user ,keep-alive,, x-other", &["keep-alive, x-other"]),
        ("close, x-users", &["close, x-users"]),
        ("\", x-user", &["\""]),
    ] {
        let fields = [("authorization", &*line), ("connection", said), ("connection", "x-user")];
        assert_eq!(guarded.get(&fields).status, 200);
        let seen = guarded.inner.seen().pop().unwrap().headers;
        assert_eq!(seen["x-user"], "alice");
        assert_eq!(seen.get_all("connection").iter().collect::<Vec<_>>(), left, "{said}");
    }
}

/// RFC 9110 §11.5: a realm is of all that one layer guards.
#[test]
fn a_route_that_asks_for_more_asks_in_the_realm_of_its_layer() {
    let guarded =
        Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| layer.optional().realm("notes"));
    let line = bearer("alice");
    let needs_token = guarded.layer.layer(RequireToken::new().layer(guarded.inner.clone()));
    let needs_scope = guarded.layer.layer(RequireScope::new("admin").layer(guarded.inner.clone()));
    let asked = [
        answer(needs_token, request("GET", "/", &[])),
        answer(needs_scope, request("GET", "/", &[("authorization", &line)])),
    ];
    for answer in asked {
        let challenge = answer.field("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"notes\""), "{challenge}");
    }
}

/// Who is known by name comes before those who might be anybody.
#[test]
fn k08_the_key_that_a_token_names_is_tried_before_keys_without_an_id() {
    let strangers = (0..3).map(|_| {
        let mut jwk = others().jwk(Es256);
        jwk.as_object_mut().unwrap().remove("kid");
        Key::from_jwk(jwk.to_string().as_bytes()).unwrap()
    });
    let keys = KeySet::new(strangers.chain([signers().key(Es256)])).unwrap();
    let guarded = Guarded::of(verifier(), keys);
    assert_eq!(header(Es256)["kid"], "ES256");
    assert_eq!(guarded.verdict(&signers().token(Es256, &claims("alice"))), "passes");
}

/// K02 further in: who waits for keys takes nothing from those who need not.
#[tokio::test]
async fn k02_who_waits_for_keys_holds_no_place_in_the_inner_service() {
    let keys = Script::asking(Some(signers().keys(&[Es256])));
    let layer = JwtLayer::with_clock(verifier(), keys.clone(), ManualClock::new());
    let inner = Inner::new(|request, _| response(&[], asker(request)));
    let limited = layer.layer(ConcurrencyLimit::new(inner.clone(), 1));
    let unknown = format!(
        "Bearer {}",
        signers().token(tower_keep::auth::Algorithm::Rs256, &claims("mallory"))
    );
    let waits = request("GET", "/", &[("authorization", &unknown)]);
    let mut waiting = Box::pin(limited.clone().oneshot(waits));
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!(keys.waiting(), 1);
    let known = request("GET", "/", &[("authorization", &bearer("alice"))]);
    let answered = limited.clone().oneshot(known).now_or_never().expect("at once").unwrap();
    assert_eq!(read(answered).await.body, "alice");
    keys.answer(Refreshed::Current(signers().keys(&PUBLIC)));
    assert_eq!(read(waiting.await.unwrap()).await.body, "mallory");
}
