//! J01, J02, J29: what is a token at all.

use http::HeaderValue;
use tower_keep::auth::Algorithm::{Es256, Hs256, Rs256};

use super::guarded::{Guarded, PASSES};
use super::tokens::{claims, encoded, header, header_text, others, signers, verifier};
use crate::support::request;

pub const SHAPE: &str = "not three parts of base64url with dots between them";
const ENCODING: &str = "not exact base64url";
pub const CLAIMS: &str = "the claims are no JSON object with each name once";

fn good() -> String {
    signers().token(Es256, &claims("alice"))
}

/// A token of these texts, signed as they stand.
pub fn of(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    signers().token_of(Es256, header, claims)
}

#[test]
fn j01_a_token_has_three_parts_and_two_dots() {
    let guarded = Guarded::new();
    let token = good();
    assert_eq!(guarded.verdict(&token), PASSES);
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{token}") };
    for bad in [
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!(".{claims}.{signature}"),
        format!(".{token}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{header}.{claims}..{signature}"),
        format!("{header}.{claims}.{signature}.{claims}.{signature}"),
        ".".to_owned(),
        "..".to_owned(),
        "....".to_owned(),
        "a".to_owned(),
    ] {
        assert_eq!(guarded.verdict(&bad), SHAPE, "{bad}");
    }
    let without_claims = signers().signed(Es256, &format!("{header}."));
    assert_eq!(guarded.verdict(&without_claims), CLAIMS);
}

/// All that a field can hold and base64url has not.
#[test]
fn j01_no_other_letter_stands_in_a_token() {
    let guarded = Guarded::new();
    let token = good();
    let parts: Vec<_> = token.split('.').map(str::as_bytes).collect();
    let mut tried = 0;
    for byte in 0..=255_u8 {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            continue;
        }
        for at in 0..3 {
            let mut parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
            parts[at].insert(4, byte);
            let value = [b"Bearer ", &parts.join(&b'.')[..]].concat();
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            let mut sent = request("GET", "/", &[]);
            sent.headers_mut().insert("authorization", value);
            let answer = guarded.send(sent);
            assert_eq!(answer.refusal.unwrap().detail(), ENCODING, "{byte} in part {at}");
            tried += 1;
        }
    }
    assert!(tried > 300 && guarded.inner.calls() == 0, "{tried}");
}

#[test]
fn j01_json_serialisations_are_refused_by_shape() {
    let guarded = Guarded::new();
    let token = good();
    let parts: Vec<_> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let signed = format!(r#""protected":"{header}","signature":"{signature}""#);
    for bad in [
        format!(r#"{{"payload":"{claims}",{signed}}}"#),
        format!(r#"{{"payload":"{claims}","signatures":[{{{signed}}}]}}"#),
    ] {
        assert_eq!(guarded.verdict(&bad), SHAPE, "{bad}");
    }
}

#[test]
fn j02_padding_and_white_space_are_refused() {
    let guarded = Guarded::new();
    let token = good();
    let parts: Vec<_> = token.split('.').collect();
    for at in 0..3 {
        for added in ["=", "==", " ", "\t", "%3D"] {
            for is_behind in [true, false] {
                let mut parts: Vec<String> = parts.iter().map(|part| part.to_string()).collect();
                let middle = parts[at].len() / 2;
                let place = if is_behind { parts[at].len() } else { middle };
                parts[at].insert_str(place, added);
                let bad = parts.join(".");
                if bad.trim() != bad {
                    continue;
                }
                assert_eq!(guarded.verdict(&bad), ENCODING, "{added:?} in part {at}");
            }
        }
    }
}

/// RFC 4648 §3.5: one string of bytes has one spelling. The signature covers the header and the claims as they stand.
#[test]
fn j02_bits_that_say_nothing_are_zero() {
    let guarded = Guarded::new();
    let keys = signers().keys(&[Hs256]);
    let by_secret = Guarded::of(verifier(), keys);
    let mut tried = 0;
    for spaces in 0..3 {
        let spaces = " ".repeat(spaces);
        let header = encoded(format!("{}{spaces}", header(Es256)));
        let claims = encoded(format!("{}{spaces}", claims("alice")));
        let good = signers().signed(Es256, &format!("{header}.{claims}"));
        assert_eq!(guarded.verdict(&good), PASSES);
        for bad in respelled(&header) {
            let bad = signers().signed(Es256, &format!("{bad}.{claims}"));
            assert_eq!(guarded.verdict(&bad), ENCODING, "{bad}");
            tried += 1;
        }
        for bad in respelled(&claims) {
            let bad = signers().signed(Es256, &format!("{header}.{bad}"));
            assert_eq!(guarded.verdict(&bad), ENCODING, "{bad}");
            tried += 1;
        }
    }
    for (guarded, algorithm) in [(&guarded, Es256), (&guarded, Rs256), (&by_secret, Hs256)] {
        let token = signers().token(algorithm, &claims("alice"));
        assert_eq!(guarded.verdict(&token), PASSES);
        for bad in respelled(&token) {
            assert_eq!(guarded.verdict(&bad), ENCODING, "{bad}");
            tried += 1;
        }
    }
    assert_eq!(tried, 2 * (15 + 3) + 15 + 15 + 3);
    // One letter alone is no byte.
    assert_eq!(guarded.verdict(&format!("{}.a", &good()[..good().rfind('.').unwrap()])), ENCODING);
}

/// The same bytes with other bits behind them.
fn respelled(part: &str) -> Vec<String> {
    let letters: Vec<char> =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().collect();
    let part_alone = part.rsplit('.').next().unwrap();
    let spare = [0, 0, 4, 2][part_alone.len() % 4];
    let last = part.chars().last().unwrap();
    let at = letters.iter().position(|letter| *letter == last).unwrap();
    (1..1 << spare)
        .map(|bits| format!("{}{}", &part[..part.len() - 1], letters[at | bits]))
        .collect()
}

/// RFC 7516: five parts. Whoever has a public key can encrypt, so that what decrypts is of nobody in particular.
#[test]
fn j29_an_encrypted_or_nested_token_is_refused() {
    let guarded = Guarded::by(verifier().or_plain_jwt());
    let encrypted = |header: &str| {
        format!("{}.a.AAAAAAAAAAAAAAAA.YWJj.AAAAAAAAAAAAAAAAAAAAAA", encoded(header))
    };
    for header in [
        r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"RS256"}"#,
        r#"{"alg":"dir","enc":"A256GCM","cty":"JWT"}"#,
        r#"{"alg":"ES256","kid":"ES256","typ":"at+jwt"}"#,
    ] {
        assert_eq!(guarded.verdict(&encrypted(header)), SHAPE, "{header}");
        let without_key = encrypted(header).replacen(".a.", "..", 1);
        assert_eq!(guarded.verdict(&without_key), SHAPE, "{header}");
    }
    // A token in a token: its own issuer vouches for the inside, and nobody has looked at that.
    let inner = others().token(Es256, &claims("alice"));
    for cty in ["\"JWT\"", "\"jwt\"", "\"application/jwt\"", "\"\"", "null"] {
        let outer = of(header_text(Es256, "cty", Some(cty)), &inner);
        let expected = "the header has a member of another type, or one that may not stand there";
        assert_eq!(guarded.verdict(&outer), expected, "{cty}");
        let claims = claims("alice").to_string();
        let outer = of(header_text(Es256, "cty", Some(cty)), &claims);
        assert_eq!(guarded.verdict(&outer), expected, "{cty}");
    }
    assert_eq!(guarded.verdict(&of(header(Es256).to_string(), &inner)), CLAIMS);
    assert_eq!(guarded.verdict(&of(header(Es256).to_string(), format!("{inner:?}"))), CLAIMS);
}
