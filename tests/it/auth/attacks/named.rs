//! What is not as it should be yet.

use tower::Layer as _;
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{Key, KeySet, RequireScope, RequireToken};

use crate::auth::guarded::{Guarded, PASSES, PUBLIC, answer};
use crate::auth::tokens::{bearer, claims, others, signers, verifier};
use crate::support::request;

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
    assert_eq!(guarded.verdict(&signers().token(Es256, &claims("alice"))), PASSES);
}
