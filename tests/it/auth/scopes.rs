//! J24, J25: what a token grants, and to whom alone.

use serde_json::{Value, json};
use tower::Layer as _;
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{RefusalKind, RequireScope};

use super::guarded::{Guarded, PASSES, answer};
use super::tokens::{signers, verifier};
use super::whom::{token, with};
use crate::support::request;

const BOUND: &str = "it is bound to a key that nobody asks for";

/// Whether a route that asks for these words lets this token in.
fn grants(guarded: &Guarded, token: &str, words: &[&str]) -> bool {
    let (first, more) = words.split_first().unwrap();
    let wanted = more.iter().fold(RequireScope::new(first), |all, word| all.and(word));
    let service = guarded.layer.layer(wanted.layer(guarded.inner.clone()));
    let value = format!("Bearer {token}");
    let answer = answer(service, request("GET", "/", &[("authorization", &value)]));
    let is_granted = answer.status == 200;
    let kind = (!is_granted).then_some(RefusalKind::InsufficientScope);
    assert_eq!(answer.kind(), kind, "{answer:?}");
    is_granted
}

#[test]
fn j24_a_scope_is_a_string_of_whole_words_with_spaces_between_them() {
    let guarded = Guarded::new();
    for scope in ["write", "read write", "write read", " write ", "read  write"] {
        assert!(grants(&guarded, &token(json!({"scope": scope})), &["write"]), "{scope:?}");
    }
    for scope in [
        "",
        "read",
        "writer",
        "rewrite",
        "write:all",
        "Write",
        "WRITE",
        "read,write",
        "read\twrite",
        "read\nwrite",
        "read\u{a0}write",
        "read+write",
        "\"write\"",
        "writ e",
        "write\u{0}",
    ] {
        assert!(!grants(&guarded, &token(json!({"scope": scope})), &["write"]), "{scope:?}");
    }
    for (words, is_granted) in [
        (&["read", "write"][..], true),
        (&["write", "read"], true),
        (&["read", "admin"], false),
        (&["read write"], true),
        (&["read admin"], false),
        (&[""], false),
        (&["read", ""], false),
        (&["read", "read"], true),
    ] {
        assert_eq!(
            grants(&guarded, &token(json!({"scope": "read write"})), words),
            is_granted,
            "{words:?}"
        );
    }
    assert!(!grants(&guarded, &with("scope", None), &["read"]));
    assert!(!grants(&guarded, &with("scope", None), &[""]));
}

#[test]
fn j24_of_another_shape_or_name_a_scope_grants_nothing_unless_asked() {
    let shapes = ["[\"write\"]", "[\"read write\"]", "{\"write\":true}", "null", "true", "1"];
    let (guarded, scp) =
        (Guarded::new(), Guarded::by(verifier().or_scope_in("scp").or_scope_in("roles")));
    for shape in shapes {
        assert!(!grants(&guarded, &with("scope", Some(shape)), &["write"]), "{shape}");
        assert!(!grants(&scp, &with("scope", Some(shape)), &["write"]), "{shape}");
    }
    for name in ["scp", "roles"] {
        for (shape, is_granted) in [
            ("\"write\"", true),
            ("\"read write\"", true),
            ("[\"write\"]", true),
            ("[\"read\",\"write\"]", true),
            ("[\"read write\"]", false),
            ("[\"writer\"]", false),
            ("[[\"write\"]]", false),
            ("[1,\"write\"]", true),
            ("{\"write\":1}", false),
            ("null", false),
            ("1", false),
            ("[\"Write\"]", false),
            ("[\"\"]", false),
        ] {
            let token = with(name, Some(shape));
            assert!(!grants(&guarded, &token, &["write"]), "{name} {shape}");
            assert_eq!(grants(&scp, &token, &["write"]), is_granted, "{name} {shape}");
            assert!(grants(&scp, &token, &["read"]), "the scope itself counts too");
        }
    }
    let token = with("Roles", Some("[\"write\"]"));
    assert!(!grants(&scp, &token, &["write"]), "a name has case");
    // A word at the end of one and the start of the other are no word.
    let halves = token_of_two("wri", "[\"te\"]");
    assert!(!grants(&scp, &halves, &["write"]));
}

fn token_of_two(scope: &str, scp: &str) -> String {
    let scp: Value = serde_json::from_str(scp).unwrap();
    token(json!({"scope": scope, "scp": scp}))
}

/// RFC 7800 §3.1: whoever has only the token has not the key that it is bound to.
#[test]
fn j25_a_bound_token_is_refused() {
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    for verifier in [verifier(), verifier().or_plain_jwt().waive_audience().waive_expiry()] {
        let guarded = Guarded::by(verifier);
        for value in [
            json!({"jkt": thumbprint}),
            json!({"x5t#S256": thumbprint}),
            json!({"kid": "ES256"}),
            json!({"jwk": signers().jwk(Es256)}),
            json!({"unknown": 1}),
            json!({}),
            json!(null),
            json!("x"),
            json!([]),
            json!(true),
        ] {
            let token = with("cnf", Some(&value.to_string()));
            assert_eq!(guarded.verdict(&token), BOUND, "{value}");
            // A proof that nobody checks changes nothing.
            let line = format!("Bearer {token}");
            let fields = [("authorization", line.as_str()), ("dpop", "a.b.c")];
            assert_eq!(guarded.get(&fields).refusal.unwrap().detail(), BOUND, "{value}");
        }
        assert_eq!(guarded.verdict(&with("CNF", Some("{}"))), PASSES);
    }
}
