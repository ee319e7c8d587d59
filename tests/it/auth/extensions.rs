//! J14, J15: what a token says about how it is to be read, and by which key.

use std::io::ErrorKind;
use std::net::TcpListener;

use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::Verified;

use super::guarded::{Guarded, PASSES};
use super::headers::{MEMBER, SIGNATURE, with};
use super::scripted_keys::Script;
use super::tokens::{claims, encoded, header_text, others, signers, verifier};

const CRITICAL: &str = "the header has a critical member that nobody understands";

/// A good token of a header that has these members too.
fn of(header: &str) -> String {
    signers().token_of(Es256, header, claims("alice").to_string())
}

#[test]
fn j14_a_critical_extension_must_be_understood() {
    let crit = |crit: &str, more: &str| {
        of(&format!(r#"{{"alg":"ES256","kid":"ES256","typ":"at+jwt","crit":{crit}{more}}}"#))
    };
    let x = r#","x":1"#;
    let guarded = Guarded::new();
    let understanding =
        Guarded::by(verifier().understands("x").understands("alg").understands("b64"));
    // Malformed, whoever understands what.
    for (names, more) in [
        ("[]", x),
        ("\"x\"", x),
        ("{}", x),
        ("{\"x\":1}", x),
        ("null", x),
        ("true", x),
        ("1", x),
        ("[1]", x),
        ("[null]", x),
        ("[[\"x\"]]", x),
        ("[\"x\",1]", x),
        ("[\"x\"]", ""),
        ("[\"x\",\"x\"]", x),
        ("[\"x\",\"\\u0078\"]", x),
        ("[\"alg\"]", ""),
        ("[\"x\",\"kid\"]", x),
        ("[\"typ\"]", ""),
        ("[\"crit\"]", ""),
        ("[\"jwk\"]", ",\"jwk\":{}"),
        ("[\"\"]", x),
        ("[\"x5t#S256\"]", ",\"x5t#S256\":\"a\""),
        ("[\"X\"]", x),
        ("[\"x \"]", x),
    ] {
        for guarded in [&guarded, &understanding] {
            assert_eq!(guarded.verdict(&crit(names, more)), CRITICAL, "{names} {more}");
        }
    }
    for names in ["[\"x\"]", "[\"y\",\"x\"]", "[\"x\",\"y\"]", "[\"y\"]"] {
        let token = crit(names, r#","x":1,"y":2"#);
        assert_eq!(guarded.verdict(&token), CRITICAL, "{names}");
        let expected = if names == "[\"x\"]" { PASSES } else { CRITICAL };
        assert_eq!(understanding.verdict(&token), expected, "{names}");
    }
    assert!(!understanding.passes(&crit("[\"b64\"]", ",\"b64\":true")), "registered by RFC 7797");
    assert_eq!(guarded.verdict(&with("x", Some("1"))), PASSES, "not critical");
    assert_eq!(understanding.verdict(&with("y", Some("1"))), PASSES, "understood, and not there");
    let seen = understanding.inner.seen();
    let header = seen[0].extensions.get::<Verified>().unwrap().header_json();
    assert!(std::str::from_utf8(header).unwrap().contains(r#""x":1"#), "for whoever heeds it");
}

#[test]
fn j15_what_changes_the_meaning_of_the_claims_is_refused() {
    let guarded = Guarded::by(verifier().or_plain_jwt());
    for name in ["b64", "zip", "enc", "cty"] {
        for value in ["true", "false", "null", "\"DEF\"", "\"A256GCM\"", "\"JWT\"", "\"\"", "{}"] {
            assert_eq!(guarded.verdict(&with(name, Some(value))), MEMBER, "{name} {value}");
        }
    }
    for name in ["B64", "Zip", "encx"] {
        assert_eq!(guarded.verdict(&with(name, Some("true"))), PASSES, "{name}");
    }
}

/// CVE-2018-0114: a token says nothing about which key is to be believed.
#[test]
fn j15_keys_that_a_token_brings_along_are_not_used() {
    let keys = Script::asking(Some(signers().keys(&[Es256])));
    let guarded = Guarded::of(verifier(), keys.clone());
    let jwk = others().jwk(Es256).to_string();
    let chain = format!("[\"{}\"]", encoded("a certificate"));
    for (name, value) in [
        ("jwk", jwk.as_str()),
        ("jku", "\"https://evil.example/jwks\""),
        ("x5c", &chain),
        ("x5u", "\"https://evil.example/x\""),
        ("x5t", "\"AAAA\""),
        ("x5t#S256", "\"AAAA\""),
    ] {
        let header = header_text(Es256, name, Some(value));
        let claims = claims("alice").to_string();
        let forged = others().token_of(Es256, &header, &claims);
        assert_eq!(guarded.verdict(&forged), SIGNATURE, "{name} {value}");
        let good = signers().token_of(Es256, &header, &claims);
        assert_eq!(guarded.verdict(&good), PASSES, "{name} {value}");
    }
    // Of another type they make the header one that other readers refuse.
    for (name, value) in [("jwk", "null"), ("jku", "7"), ("x5c", "\"\""), ("x5u", "{}")] {
        let header = header_text(Es256, name, Some(value));
        let good = signers().token_of(Es256, &header, claims("alice").to_string());
        assert_eq!(guarded.verdict(&good), super::headers::MEMBER, "{name} {value}");
    }
    assert_eq!(keys.asked(), [], "the issuer's keys are known");
}

#[tokio::test]
async fn j15_nothing_is_fetched_from_where_a_token_says() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = format!("\"http://{}/keys\"", trap.local_addr().unwrap());
    let guarded = Guarded::new();
    for name in ["jku", "x5u"] {
        let header = header_text(Es256, name, Some(&address));
        let claims = claims("alice").to_string();
        for by in [signers(), others()] {
            let token = by.token_of(Es256, &header, &claims);
            assert_eq!(guarded.passes(&token), std::ptr::eq(by, signers()), "{name}");
        }
    }
    tokio::task::yield_now().await;
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
