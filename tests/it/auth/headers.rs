//! J06, J16, J17: algorithm, key id and type of a token.

use serde_json::json;
use tower_keep::auth::Algorithm::{EdDsa, Es256, Hs256, Rs256};
use tower_keep::auth::KeySet;

use super::guarded::{Guarded, PASSES, PUBLIC};
use super::scripted_keys::Script;
use super::tokens::{claims, encoded, header_text, signers, verifier};

const ALGORITHM: &str = "the algorithm is not known";
pub const MEMBER: &str = "the header has a member of another type, or one that may not stand there";
const KEY_ID: &str = "the key id is too long, not printable, or missing";
const TYPE: &str =
    "typ is of another type than the verifier takes: at+jwt, or a plain JWT where it says so";
pub const SIGNATURE: &str = "no key of this algorithm and id has signed it";

/// A good token but for this member of its header.
pub fn with(name: &str, value: Option<&str>) -> String {
    let claims = claims("alice").to_string();
    signers().token_of(Es256, header_text(Es256, name, value), claims)
}

#[test]
fn j06_algorithms_are_those_of_a_list_by_their_exact_names() {
    for algorithm in PUBLIC {
        let token = signers().token(algorithm, &claims("alice"));
        assert_eq!(Guarded::new().verdict(&token), PASSES, "{algorithm}");
    }
    let keys = Script::asking(Some(signers().keys(&PUBLIC)));
    let guarded = Guarded::of(verifier(), keys.clone());
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "es256",
        "Es256",
        " ES256",
        "ES256 ",
        "ES256\\u0000",
        "ES256K",
        "ES256X",
        "ES25",
        "EdDsa",
        "ED25519",
        "Ed448",
        "RS1",
        "RS224",
        "RSA-OAEP",
        "dir",
        "A128KW",
        "PBES2-HS256+A128KW",
        "HS256,ES256",
        "ESZ56",
        "\\u0415S256",
    ] {
        let quoted = format!("\"{name}\"");
        assert_eq!(guarded.verdict(&with("alg", Some(&quoted))), ALGORITHM, "{name}");
    }
    assert_eq!(guarded.verdict(&with("alg", None)), ALGORITHM);
    for value in ["null", "0", "true", "[\"ES256\"]", "{\"ES256\":1}", "[]"] {
        assert_eq!(guarded.verdict(&with("alg", Some(value))), MEMBER, "{value}");
    }
    assert_eq!((keys.looks(), keys.asked().len()), (0, 0), "no key is looked for");
    assert_eq!(guarded.verdict(&with("alg", Some("\"\\u0045S256\""))), PASSES);
}

/// Neither an empty signature nor a real one makes a token of nobody.
#[test]
fn j06_none_cannot_be_put_into_words() {
    let guarded = Guarded::new();
    let unsigned = |name: &str| {
        let header = json!({"alg": name, "typ": "at+jwt"}).to_string();
        format!("{}.{}", encoded(header), encoded(claims("alice").to_string()))
    };
    for name in ["none", "None", "NONE", ""] {
        assert!(!guarded.passes(&format!("{}.", unsigned(name))), "{name}");
        assert_eq!(guarded.verdict(&format!("{}.AA", unsigned(name))), ALGORITHM, "{name}");
        let mac = signers().signed(Hs256, &unsigned(name));
        assert_eq!(guarded.verdict(&mac), ALGORITHM, "{name}");
    }
}

/// RFC 9864 §2.2.
#[test]
fn j06_ed25519_has_two_names() {
    let guarded = Guarded::new();
    let claims = claims("alice").to_string();
    for name in ["\"EdDSA\"", "\"Ed25519\""] {
        let token = signers().token_of(EdDsa, header_text(EdDsa, "alg", Some(name)), &claims);
        assert_eq!(guarded.verdict(&token), PASSES, "{name}");
    }
}

#[test]
fn j06_a_verifier_may_take_fewer_algorithms_than_there_are_keys() {
    let guarded = Guarded::by(verifier().algorithms([Rs256, EdDsa]));
    for algorithm in PUBLIC {
        let verdict = guarded.verdict(&signers().token(algorithm, &claims("alice")));
        let expected = if [Rs256, EdDsa].contains(&algorithm) { PASSES } else { ALGORITHM };
        assert_eq!(verdict, expected, "{algorithm}");
    }
    let none = Guarded::by(verifier().algorithms([]));
    assert_eq!(none.verdict(&with("x", None)), ALGORITHM);
}

/// A key set of one key that has this id.
fn named(id: &str) -> KeySet {
    KeySet::new([signers().key(Es256).with_id(id)]).unwrap()
}

#[test]
fn j16_a_key_id_is_compared_and_nothing_else() {
    let hostile = [
        "../../../../dev/null",
        "' OR 1=1; --",
        "https://evil.example/k?x#y",
        "a b",
        "~",
        "",
        "$(id)",
        "%00",
        "<script>",
        "{{7*7}}",
        "*",
        "ES256.*",
        "es256",
        "ES256 ",
        " ES256",
        "ES25",
    ];
    for id in hostile {
        let quoted = json!(id).to_string();
        let token = with("kid", Some(&quoted));
        assert_eq!(Guarded::new().verdict(&token), SIGNATURE, "{id}");
        assert_eq!(Guarded::of(verifier(), named(id)).verdict(&token), PASSES, "{id}");
        assert_eq!(Guarded::of(verifier(), named(&format!("{id}x"))).verdict(&token), SIGNATURE);
    }
}

#[test]
fn j16_a_key_id_is_a_short_printable_string() {
    let longest = "k".repeat(128);
    let guarded = Guarded::of(verifier(), named(&longest));
    assert_eq!(guarded.verdict(&with("kid", Some(&format!("\"{longest}\"")))), PASSES);
    let keys = Script::asking(Some(signers().keys(&PUBLIC)));
    let guarded = Guarded::of(verifier(), keys.clone());
    let too_long = "k".repeat(129);
    for id in
        [too_long.as_str(), "a\\u0000", "\\r\\n", "a\\tb", "\\u007f", "caf\u{e9}", "\u{1f511}"]
    {
        assert_eq!(guarded.verdict(&with("kid", Some(&format!("\"{id}\"")))), KEY_ID, "{id}");
        // Also where there is a key of this id.
        let id: String = serde_json::from_str(&format!("\"{id}\"")).unwrap();
        let guarded = Guarded::of(verifier(), named(&id));
        assert_eq!(guarded.verdict(&with("kid", Some(&json!(id).to_string()))), KEY_ID);
    }
    for value in ["0", "null", "true", "[\"ES256\"]", "{\"ES256\":1}"] {
        assert_eq!(guarded.verdict(&with("kid", Some(value))), MEMBER, "{value}");
    }
    assert_eq!((keys.looks(), keys.asked().len()), (0, 0));
}

/// K08: without one, any key of the algorithm may have signed it, or none where an option says so.
#[test]
fn j16_a_token_without_a_key_id_is_refused_where_one_is_asked_for() {
    let token = with("kid", None);
    assert_eq!(Guarded::new().verdict(&token), PASSES);
    assert_eq!(Guarded::by(verifier().require_key_id()).verdict(&token), KEY_ID);
    assert_eq!(Guarded::by(verifier().require_key_id()).verdict(&with("x", None)), PASSES);
}

#[test]
fn j17_the_type_is_that_of_an_access_token() {
    let access = ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+jwt"];
    let plain = ["JWT", "jwt", "Jwt", "application/jwt", "Application/JWT"];
    let neither = [
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "id+jwt",
        "oauth-authz-req+jwt",
        "",
        "application/",
        "application/application/at+jwt",
        "x/at+jwt",
        "at+jwt ",
        " at+jwt",
        "at+jwt;v=1",
        "at+jwtx",
        "xat+jwt",
        "at jwt",
        "application/x/jwt",
        "/jwt",
        "JOSE",
        "JWT,at+jwt",
    ];
    let strict = Guarded::new();
    let lax = Guarded::by(verifier().or_plain_jwt());
    let typed = |name: &str| with("typ", Some(&format!("\"{name}\"")));
    for name in access {
        assert_eq!(
            (strict.verdict(&typed(name)), lax.verdict(&typed(name))),
            (PASSES, PASSES),
            "{name}"
        );
    }
    for name in plain {
        assert_eq!(
            (strict.verdict(&typed(name)), lax.verdict(&typed(name))),
            (TYPE, PASSES),
            "{name}"
        );
    }
    for name in neither {
        assert_eq!(
            (strict.verdict(&typed(name)), lax.verdict(&typed(name))),
            (TYPE, TYPE),
            "{name}"
        );
    }
    for value in ["null", "1", "[\"at+jwt\"]", "{}"] {
        let token = with("typ", Some(value));
        assert_eq!((strict.verdict(&token), lax.verdict(&token)), (MEMBER, MEMBER), "{value}");
    }
    let without = with("typ", None);
    assert_eq!((strict.verdict(&without), lax.verdict(&without)), (TYPE, PASSES));
}
