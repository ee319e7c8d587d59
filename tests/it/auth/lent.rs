//! J27: who asks is what the layer says, and nobody else.

use axum::Router;
use axum::routing::get;
use http::{HeaderName, HeaderValue, Request};
use serde_json::{Value, json};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{Verified, Verifier};
use tower_keep::head::Principal;
use tower_keep::time::Timestamp;

use super::guarded::{Guarded, PUBLIC, answer};
use super::tokens::{NOW, bearer, claims_text, claims_with, header, others, signers, verifier};
use crate::support::request;

/// What was verified of somebody else's token, by his own keys.
fn mallory() -> Verified {
    let token = others().token(Es256, &claims_with(json!({"sub": "mallory", "iss": "mallory"})));
    let keys = others().keys(&[Es256]);
    let now = Timestamp::from_secs(NOW as i64);
    Verifier::new("mallory", "api").verify(token.as_bytes(), &keys, now).unwrap()
}

fn with_extensions(fields: &[(&str, &str)]) -> Request<axum::body::Body> {
    let mut sent = request("GET", "/", fields);
    sent.extensions_mut().insert(mallory());
    sent.extensions_mut().insert(Principal::new("mallory", "mallory"));
    sent.extensions_mut().insert("another's");
    sent
}

fn optional() -> Guarded {
    Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| layer.optional())
}

#[test]
fn j27_what_others_have_attached_is_removed() {
    let guarded = optional();
    assert_eq!(guarded.send(with_extensions(&[])).body, "nobody");
    let seen = guarded.inner.seen().pop().unwrap();
    assert!(seen.extensions.get::<Verified>().is_none());
    assert!(seen.extensions.get::<Principal>().is_none());
    assert_eq!(seen.extensions.get(), Some(&"another's"), "the rest stays");
    for (line, who) in [(bearer("alice"), "alice"), (bearer("bob"), "bob")] {
        let sent = with_extensions(&[("authorization", &line)]);
        assert_eq!(guarded.send(sent).body, who);
        let seen = guarded.inner.seen().pop().unwrap();
        assert_eq!(seen.extensions.get::<Principal>().unwrap().subject(), who);
    }
    // A token that is about nobody does not make its bearer anybody else.
    let plain = Guarded::by(verifier().or_plain_jwt());
    let token = signers().token(Es256, &claims_with(json!({"sub": null})));
    let line = format!("Bearer {token}");
    assert_eq!(plain.send(with_extensions(&[("authorization", &line)])).body, "nobody");
    let seen = plain.inner.seen().pop().unwrap();
    assert!(seen.extensions.get::<Principal>().is_none());
}

#[test]
fn j27_a_route_without_the_layer_has_no_claims() {
    use tower_keep::axum::Claims;

    let jwt = Guarded::new().layer;
    let claims = async |claims: Option<Claims<Value>>| claims.is_some().to_string();
    let app = Router::new()
        .route("/in", get(claims))
        .layer(jwt)
        .route("/out", get(claims))
        .route("/needed", get(async |Claims(claims): Claims<Value>| claims.to_string()));
    let line = bearer("alice");
    let ask = |path: &str| answer(app.clone(), request("GET", path, &[("authorization", &line)]));
    assert_eq!(ask("/in").body, "true");
    assert_eq!(ask("/out").body, "false");
    assert_eq!(ask("/needed").status, 401);
}

/// With the subject in a field for a service behind this one.
fn forwarding(name: &'static str, is_optional: bool) -> Guarded {
    Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        let layer = layer.forward_claim("sub", HeaderName::from_static(name));
        if is_optional { layer.optional() } else { layer }
    })
}

/// The fields of the last request that came through, but for the credentials and Host.
fn seen(guarded: &Guarded) -> Vec<(String, HeaderValue)> {
    let seen = guarded.inner.seen().pop().unwrap();
    let mut fields: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| !["authorization", "host"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    fields.sort();
    fields
}

#[test]
fn j27_fields_that_look_like_ours_are_removed() {
    let line = bearer("alice");
    let ours = || ("x-user".to_owned(), HeaderValue::from_static("alice"));
    for is_optional in [false, true] {
        let guarded = forwarding("x-user", is_optional);
        for name in ["x-user", "X-USER", "x_user", "X_User", "x.user", "x~user", "x!user", "x|user"]
        {
            for times in [1, 2, 3] {
                let mut fields = vec![(name, "mallory"); times];
                fields.push(("authorization", &line));
                fields.insert(0, ("x-user", "mallory"));
                assert_eq!(guarded.get(&fields).status, 200);
                assert_eq!(seen(&guarded), [ours()], "{name} {times}");
                fields.retain(|(name, _)| *name != "authorization");
                let answer = guarded.get(&fields);
                assert_eq!(answer.status, if is_optional { 200 } else { 401 });
                if is_optional {
                    assert_eq!(seen(&guarded), [], "{name} {times}: nobody is nobody");
                }
            }
        }
        // Others are let alone.
        for name in ["x-users", "xx-user", "x-use", "xuser", "x--user", "user"] {
            guarded.get(&[(name, "mallory"), ("authorization", &line)]);
            let theirs = (name.to_owned(), HeaderValue::from_static("mallory"));
            let mut expected = vec![theirs, ours()];
            expected.sort();
            assert_eq!(seen(&guarded), expected, "{name}");
        }
    }
    let with_marks = forwarding("x_user", false);
    with_marks.get(&[("x-user", "mallory"), ("authorization", &line)]);
    assert_eq!(seen(&with_marks), [("x_user".to_owned(), HeaderValue::from_static("alice"))]);
}

/// Also where the token has no such claim.
#[test]
fn j27_a_field_of_a_claim_that_is_not_there_is_removed() {
    let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        layer
            .forward_claim("tenant", HeaderName::from_static("x-tenant"))
            .forward_claim("sub", HeaderName::from_static("x-user"))
    });
    let line = bearer("alice");
    let fields = [("x-tenant", "acme"), ("x_tenant", "acme"), ("authorization", line.as_str())];
    assert_eq!(guarded.get(&fields).status, 200);
    assert_eq!(seen(&guarded), [("x-user".to_owned(), HeaderValue::from_static("alice"))]);
}

#[test]
fn j27_a_claim_stands_in_its_field_as_it_is_or_the_request_is_refused() {
    let forwarded = |value: &str| {
        let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
            layer.forward_claim("tenant", HeaderName::from_static("x-tenant"))
        });
        let claims = claims_text("tenant", Some(value));
        let token = signers().token_of(Es256, header(Es256).to_string(), claims);
        let answer = guarded.bearer(&token);
        match answer.refusal {
            None => {
                assert!(!format!("{:?}", guarded.inner.seen()).contains("mallory"));
                Ok(seen(&guarded).pop().map(|(_, value)| value.to_str().unwrap().to_owned()))
            }
            Some(refusal) => {
                assert_eq!((answer.status.as_u16(), guarded.inner.calls()), (403, 0));
                Err(refusal.detail())
            }
        }
    };
    for (value, text) in [
        ("\"acme\"", "acme"),
        ("\"a b, c\"", "a b, c"),
        ("\"\\u0061\"", "a"),
        ("7", "7"),
        ("-7.50e3", "-7.50e3"),
        ("true", "true"),
        ("false", "false"),
        ("\"~!\\\"\\\\\"", "~!\"\\"),
    ] {
        assert_eq!(forwarded(value), Ok(Some(text.to_owned())), "{value}");
    }
    for value in [
        "\"\"",
        "\" a\"",
        "\"a \"",
        "\" \"",
        "\"a\\r\\nx-user: mallory\"",
        "\"a\\u0000\"",
        "\"a\\tb\"",
        "\"\\u007f\"",
        "\"caf\u{e9}\"",
        "\"\u{1f511}\"",
        "null",
        "[]",
        "[\"acme\"]",
        "{}",
        "{\"a\":1}",
    ] {
        let detail = "a claim that is passed on has no form that a field can hold";
        assert_eq!(forwarded(value), Err(detail), "{value}");
    }
}
