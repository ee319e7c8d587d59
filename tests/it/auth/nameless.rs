//! Keys without ids.

use futures_util::FutureExt as _;
use serde_json::json;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{Key, KeySet, Refreshed};

use super::guarded::{Guarded, read};
use super::scripted_keys::Script;
use super::tokens::{Signers, claims, header, others, signers, verifier};
use crate::support::request;

/// RFC 7517 §4.5: key ids are optional, and keys without them change too.
#[tokio::test]
async fn k04_a_token_that_names_no_key_may_be_signed_by_a_newer_one() {
    let nameless = |signers: &Signers| {
        let mut jwk = signers.jwk(Es256);
        jwk.as_object_mut().unwrap().remove("kid");
        KeySet::new([Key::from_jwk(jwk.to_string().as_bytes()).unwrap()]).unwrap()
    };
    for header in [json!({"alg": "ES256", "typ": "at+jwt"}), header(Es256)] {
        let token = signers().token_of(Es256, header.to_string(), claims("alice").to_string());
        let line = format!("Bearer {token}");
        let sent = || request("GET", "/", &[("authorization", &line)]);

        let keys = Script::asking(Some(nameless(others())));
        let guarded = Guarded::of(verifier(), keys.clone());
        let waiting = guarded.layer.layer(guarded.inner.clone()).oneshot(sent());
        let mut waiting = Box::pin(waiting);
        assert!((&mut waiting).now_or_never().is_none());
        keys.answer(Refreshed::Current(nameless(signers())));
        assert_eq!(read(waiting.await.unwrap()).await.status, 200);

        // The same keys are not tried again.
        let same = nameless(others());
        let keys = Script::asking(Some(same.clone()));
        let guarded = Guarded::of(verifier(), keys.clone());
        let mut waiting = Box::pin(guarded.layer.layer(guarded.inner.clone()).oneshot(sent()));
        assert!((&mut waiting).now_or_never().is_none());
        keys.answer(Refreshed::Current(same));
        assert_eq!(read(waiting.await.unwrap()).await.status, 401);
    }
}
