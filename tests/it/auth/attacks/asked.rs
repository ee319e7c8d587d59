//! What is asked of a request, and what it is told.

use std::time::Duration;

use futures_util::FutureExt as _;
use http::HeaderName;
use tower::limit::ConcurrencyLimit;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::auth::Algorithm::{Es256, Rs256};
use tower_keep::auth::{JwtLayer, Refreshed};
use tower_keep::test_util::ManualClock;
use tower_keep::time::Timestamp;

use crate::auth::guarded::{Guarded, PASSES, PUBLIC, asker, read};
use crate::auth::scripted_keys::Script;
use crate::auth::tokens::{NOW, bearer, claims, signers, verifier};
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

/// Nobody has looked at it since it expired.
#[test]
fn j28_a_clock_that_is_set_back_revives_no_token_that_is_remembered() {
    let guarded = Guarded::new();
    let token = signers().token(Es256, &claims("alice"));
    assert_eq!(guarded.verdict(&token), PASSES);
    guarded.clock.advance(Duration::from_secs(300));
    guarded.clock.set_wall(Timestamp::from_secs(NOW as i64));
    assert_eq!(guarded.verdict(&token), "it has expired");
}

/// K02 further in: who waits for keys takes nothing from those who need not.
#[tokio::test]
async fn k02_who_waits_for_keys_holds_no_place_in_the_inner_service() {
    let keys = Script::asking(Some(signers().keys(&[Es256])));
    let layer = JwtLayer::with_clock(verifier(), keys.clone(), ManualClock::new());
    let inner = Inner::new(|request, _| response(&[], asker(request)));
    let limited = layer.layer(ConcurrencyLimit::new(inner.clone(), 1));
    let unknown = format!("Bearer {}", signers().token(Rs256, &claims("mallory")));
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
