//! J01 to J05, J29: what is a token at all.

use http::HeaderValue;
use tower_keep::auth::Algorithm::{Es256, Hs256, Rs256};

use super::guarded::{Guarded, PASSES};
use super::tokens::{
    ISSUER, claims, claims_text, encoded, header, header_text, others, signers, verifier,
};
use crate::support::request;

const SHAPE: &str = "not three parts of base64url with dots between them";
const ENCODING: &str = "not exact base64url";
const HEADER: &str = "the header is no JSON object with each name once";
const CLAIMS: &str = "the claims are no JSON object with each name once";
const TOO_LONG: &str = "the token is too long";

fn good() -> String {
    signers().token(Es256, &claims("alice"))
}

/// A token of these texts, signed as they stand.
fn of(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
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
            assert_eq!(answer.refusal.unwrap().detail(), SHAPE, "{byte} in part {at}");
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
                assert_eq!(guarded.verdict(&bad), SHAPE, "{added:?} in part {at}");
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
    let letters: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .collect();
    let part_alone = part.rsplit('.').next().unwrap();
    let spare = [0, 0, 4, 2][part_alone.len() % 4];
    let last = part.chars().last().unwrap();
    let at = letters.iter().position(|letter| *letter == last).unwrap();
    (1..1 << spare).map(|bits| format!("{}{}", &part[..part.len() - 1], letters[at | bits])).collect()
}

/// A good token of this length.
fn of_length(length: usize) -> String {
    (0..4)
        .find_map(|spaces| {
            let header = encoded(format!("{}{}", header(Es256), " ".repeat(spaces)));
            let rest = length.checked_sub(header.len() + 2 + 86)?;
            let bytes = rest * 3 / 4;
            let claims = claims("alice").to_string();
            let padding = " ".repeat(bytes.checked_sub(claims.len())?);
            let claims = encoded(format!("{claims}{padding}"));
            let token = signers().signed(Es256, &format!("{header}.{claims}"));
            (token.len() == length).then_some(token)
        })
        .expect("a token so long")
}

#[test]
fn j03_a_token_is_at_most_so_long() {
    let guarded = Guarded::new();
    assert_eq!(guarded.verdict(&of_length(8192)), PASSES);
    assert_eq!(guarded.verdict(&of_length(8193)), TOO_LONG);
    assert_eq!(guarded.verdict(&"a".repeat(60_000)), TOO_LONG, "before anything is looked at");
    let short = Guarded::by(verifier().bytes_max(600));
    assert_eq!(short.verdict(&of_length(600)), PASSES);
    assert_eq!(short.verdict(&of_length(601)), TOO_LONG);
    let long = Guarded::by(verifier().bytes_max(usize::MAX));
    assert_eq!(long.verdict(&of_length(65_536)), PASSES);
    assert_eq!(long.verdict(&of_length(65_537)), TOO_LONG);
}

#[test]
fn j03_every_issuer_has_its_own_limit() {
    let keys = || signers().keys(&[Es256]);
    let other = tower_keep::auth::Verifier::new("https://other.example", "api").bytes_max(2000);
    let guarded = Guarded::with(verifier().bytes_max(600), keys(), |layer| layer.or(other, keys()));
    assert_eq!(guarded.verdict(&of_length(600)), PASSES);
    assert_eq!(guarded.verdict(&of_length(601)), TOO_LONG);
    assert_eq!(guarded.verdict(&of_length(2001)), TOO_LONG);
}

#[test]
fn j03_header_and_claims_are_so_deep_and_so_wide_at_most() {
    let guarded = Guarded::new();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let wide = |width: usize| {
        let members: Vec<_> = (0..width).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    let claims = claims("alice").to_string();
    let header = |value: &str| of(header_text(Es256, "x", Some(value)), &claims);
    let said = |value: &str| of(super::tokens::header(Es256).to_string(), claims_text("x", Some(value)));
    // The outermost object is one of them.
    for deep in [nested, objects] {
        assert_eq!(guarded.verdict(&header(&deep(7))), PASSES);
        assert_eq!(guarded.verdict(&header(&deep(8))), HEADER);
        assert_eq!(guarded.verdict(&said(&deep(15))), PASSES);
        assert_eq!(guarded.verdict(&said(&deep(16))), CLAIMS);
    }
    assert_eq!(guarded.verdict(&said(&nested(2000))), CLAIMS, "no stack is used up");
    assert_eq!(guarded.verdict(&header(&wide(32))), PASSES);
    assert_eq!(guarded.verdict(&header(&wide(33))), HEADER);
    assert_eq!(guarded.verdict(&said(&wide(128))), PASSES);
    assert_eq!(guarded.verdict(&said(&wide(129))), CLAIMS);
    let behind = |value: &str| format!("{},{}", &value[..value.len() - 1], &claims[1..]);
    assert_eq!(guarded.verdict(&of(super::tokens::header(Es256).to_string(), behind(&wide(120)))), PASSES);
    assert_eq!(guarded.verdict(&of(super::tokens::header(Es256).to_string(), behind(&wide(121)))), CLAIMS);
}

/// Texts that are no JSON object in UTF-8, or none alone.
fn no_objects(object: &str) -> Vec<Vec<u8>> {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| object.encode_utf16().flat_map(bytes).collect();
    let open = &object[..object.len() - 1];
    let mut bad: Vec<Vec<u8>> = vec![
        format!("\u{feff}{object}").into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        [open.as_bytes(), b",\"x\":\"\xff\"}"].concat(),
        [open.as_bytes(), b",\"x\":\"\xc0\xaf\"}"].concat(),
        [open.as_bytes(), b",\"x\":\"\xed\xa0\x80\"}"].concat(),
    ];
    let texts = [
        format!("{object}x"),
        format!("{object}{object}"),
        format!("{object}\0"),
        format!("{object}\u{c}"),
        format!("{object},"),
        format!("{object}//"),
        format!("\u{a0}{object}"),
        format!("[{object}]"),
        format!("{:?}", object),
        open.to_owned(),
        format!("{open},}}"),
        format!("{open},x:1}}"),
        format!("{open},'x':1}}"),
        format!("{open},\"x\":\"\n\"}}"),
        format!("{open},\"x\":\"\\x41\"}}"),
        format!("{open},\"x\":\"\\ud800\"}}"),
        format!("{open},\"x\":NaN}}"),
        format!("{open},\"x\":/**/1}}"),
        String::new(),
        "null".into(),
        "1".into(),
    ];
    bad.extend(texts.map(String::into_bytes));
    bad
}

#[test]
fn j04_header_and_claims_are_one_json_object_in_utf_8_and_nothing_else() {
    let guarded = Guarded::new();
    let (header, claims) = (header(Es256).to_string(), claims("alice").to_string());
    for (at, bad) in no_objects(&claims).into_iter().enumerate() {
        let text = String::from_utf8_lossy(&bad).into_owned();
        assert_eq!(guarded.verdict(&of(&header, bad)), CLAIMS, "{at} {text}");
    }
    for (at, bad) in no_objects(&header).into_iter().enumerate() {
        // A header without a byte is no part.
        let expected = if bad.is_empty() { SHAPE } else { HEADER };
        let text = String::from_utf8_lossy(&bad).into_owned();
        assert_eq!(guarded.verdict(&of(bad, &claims)), expected, "{at} {text}");
    }
    let spacious = |text: &str| format!(" \t\r\n{text} \t\r\n");
    assert_eq!(guarded.verdict(&of(spacious(&header), spacious(&claims))), PASSES);
    let names = claims_text("name", Some("\"\u{e9}\u{1f511} \\ud83d\\udd11 \\u0000\""));
    assert_eq!(guarded.verdict(&of(&header, names)), PASSES);
}

#[test]
fn j05_no_name_stands_twice_at_any_depth() {
    let guarded = Guarded::new();
    let (header, claims) = (header(Es256).to_string(), claims("alice").to_string());
    let with = |text: &str, more: &str| format!("{},{more}}}", &text[..text.len() - 1]);
    let anywhere = [
        r#""x":1,"x":1"#,
        r#""x":1,"\u0078":1"#,
        r#""x":{"a":1,"a":1}"#,
        r#""x":{"a":1,"b":{},"\u0061":1}"#,
        r#""x":[1,[{"a":{"b":[{"c":1,"c":2}]}}]]"#,
        r#""":1,"":1"#,
        r#""\u00e9":1,"é":1"#,
        r#""\ud83d\udd11":1,"🔑":1"#,
    ];
    let of_header = [r#""alg":"ES256""#, r#""\u0061lg":"ES256""#, r#""kid":"ES256""#, r#""typ":"at+jwt""#];
    let of_claims = [
        r#""iss":"https://login.example""#,
        r#""sub":"alice""#,
        r#""\u0073ub":"bob""#,
        r#""exp":1600000300"#,
        r#""scope":"read write""#,
        r#""aud":"api""#,
    ];
    for more in anywhere.iter().chain(&of_header) {
        assert_eq!(guarded.verdict(&of(with(&header, more), &claims)), HEADER, "{more}");
    }
    for more in anywhere.iter().chain(&of_claims) {
        assert_eq!(guarded.verdict(&of(&header, with(&claims, more))), CLAIMS, "{more}");
    }
    // In different objects, and with other case, they are different names.
    for more in [r#""x":{"alg":1,"sub":2,"x":[{"x":1},{"x":1}]}"#, r#""Sub":1,"ALG":1"#] {
        assert_eq!(guarded.verdict(&of(with(&header, more), with(&claims, more))), PASSES, "{more}");
    }
}

/// RFC 7516: five parts. Whoever has a public key can encrypt, so that what decrypts is of nobody in particular.
#[test]
fn j29_an_encrypted_or_nested_token_is_refused() {
    let guarded = Guarded::by(verifier().or_plain_jwt());
    let encrypted = |header: &str| format!("{}.a.AAAAAAAAAAAAAAAA.YWJj.AAAAAAAAAAAAAAAAAAAAAA", encoded(header));
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
    assert!(inner.len() > ISSUER.len());
}
