use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const MAX: usize = 8192;

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn shape(token: &str) -> Result<(), Detail> {
    Compact::of(token.as_bytes(), MAX).map(|_| ()).map_err(|refusal| refusal.0)
}

fn header(text: &str) -> Result<TokenHeader, Detail> {
    let token = format!("{}.e30.AA", encoded(text));
    Compact::of(token.as_bytes(), MAX)
        .unwrap()
        .header()
        .map(|(header, _)| header)
        .map_err(|refusal| refusal.0)
}

#[test]
fn j01_three_parts_of_the_alphabet_and_nothing_else() {
    assert_eq!(shape("eyJ9.e30.AA"), Ok(()));
    assert_eq!(shape("eyJ9..AA"), Ok(()), "an empty part of claims is refused with the claims");
    for token in [
        "",
        ".",
        "..",
        "a",
        "a.b",
        "a.b.",
        ".b.c",
        "a.b.c.",
        ".a.b.c",
        "a.b.c.d",
        "a.b.c.d.e",
        "{\"payload\":\"a\"}",
    ] {
        assert_eq!(shape(token), Err(Detail::Shape), "{token:?}");
    }
    for part in ["AA ", " AA", "AA=", "A+", "A/", "A\n", "AA\0", "\u{e9}AA", "{\"", "A", "AB"] {
        for token in [format!("{part}.AA.AA"), format!("AA.{part}.AA"), format!("AA.AA.{part}")] {
            let compact = Compact::of(token.as_bytes(), MAX).unwrap();
            let parts = [decoded(compact.header), compact.claims(), compact.signature()];
            let refused = Err(Refusal(Detail::Encoding));
            assert_eq!(parts.into_iter().filter(|part| *part == refused).count(), 1, "{token:?}");
        }
    }
}

#[test]
fn j02_one_string_of_bytes_has_one_spelling() {
    for (text, is_exact) in
        [("AA", true), ("AB", false), ("AAA", true), ("AAB", false), ("A", false), ("AAAAA", false)]
    {
        let token = format!("a.b.{text}");
        let signature = Compact::of(token.as_bytes(), MAX).unwrap().signature();
        assert_eq!(signature.is_ok(), is_exact, "{text}");
    }
}

#[test]
fn j03_the_length_is_looked_at_first() {
    let long = "a".repeat(MAX + 1);
    assert_eq!(shape(&long), Err(Detail::TooLong));
    let many: Vec<_> = (0..40).map(|at| format!("\"{at}\":0")).collect();
    let many = format!("{{\"alg\":\"HS256\",{}}}", many.join(","));
    assert_eq!(header(&many), Err(Detail::HeaderSyntax));
    assert_eq!(header(&"[".repeat(4_000)), Err(Detail::HeaderSyntax));
}

#[test]
fn j04_j05_one_reading_of_a_header() {
    for text in [
        "null",
        "\"alg\"",
        "{\"alg\":\"HS256\"}x",
        "\u{feff}{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"\\u0061lg\":\"RS256\"}",
        "{\"alg\":\"HS256\",\"x\":{\"y\":1,\"y\":1}}",
    ] {
        assert_eq!(header(text), Err(Detail::HeaderSyntax), "{text}");
    }
}

#[test]
fn j06_algorithms_are_exact_names() {
    assert_eq!(header(r#"{"alg":"ES256"}"#).unwrap().algorithm(), Algorithm::Es256);
    for name in [
        "none",
        "None",
        "NONE",
        "",
        " HS256",
        "HS256 ",
        "hs256",
        "HS1",
        "A128KW",
        "RSA-OAEP",
        "ES256K",
        "HS256\\u0000",
    ] {
        assert_eq!(header(&format!("{{\"alg\":\"{name}\"}}")), Err(Detail::Algorithm), "{name}");
    }
    assert_eq!(header("{}"), Err(Detail::Algorithm));
    for value in ["null", "[\"HS256\"]", "{}", "1", "true"] {
        assert_eq!(header(&format!("{{\"alg\":{value}}}")), Err(Detail::HeaderMember), "{value}");
    }
}

#[test]
fn j14_critical_names_are_extensions_that_stand_in_the_header() {
    for value in [
        "[]",
        "null",
        "\"x\"",
        "{}",
        "[1]",
        "[\"x\",1]",
        "[\"x\",\"x\"]",
        "[\"y\"]",
        "[\"x\",\"y\"]",
        "[\"alg\"]",
        "[\"crit\"]",
        "[\"b64\"]",
        "[\"\"]",
    ] {
        let text = format!("{{\"alg\":\"HS256\",\"crit\":{value},\"x\":1}}");
        assert_eq!(header(&text), Err(Detail::Critical), "{value}");
    }
    let text = r#"{"alg":"HS256","crit":["x"],"x":1}"#;
    assert_eq!(header(text).unwrap().critical(), ["x"]);
}

#[test]
fn j15_what_would_change_the_payload_is_refused_and_keys_in_it_are_not_looked_at() {
    for name in ["b64", "zip", "enc", "cty"] {
        for value in ["true", "false", "null", "\"JWT\""] {
            let text = format!("{{\"alg\":\"HS256\",\"{name}\":{value}}}");
            assert_eq!(header(&text), Err(Detail::HeaderMember), "{name} {value}");
        }
    }
    let plain = header(r#"{"alg":"RS256","kid":"a"}"#).unwrap();
    for member in [
        r#""jwk":{"kty":"RSA"}"#,
        r#""jku":"http://a.test""#,
        r#""x5u":"http://a.test""#,
        r#""x5c":[]"#,
    ] {
        let text = format!(r#"{{"alg":"RS256","kid":"a",{member}}}"#);
        assert_eq!(header(&text).unwrap(), plain, "{member}");
    }
}

#[test]
fn j15_keys_in_it_are_of_their_types() {
    for name in ["jku", "x5u", "x5t", "x5t#S256", "jwk", "x5c"] {
        let text = format!("{{\"alg\":\"HS256\",\"{name}\":1}}");
        assert_eq!(header(&text), Err(Detail::HeaderMember), "{name}");
    }
}

#[test]
fn j16_a_key_id_is_short_and_printable() {
    let of = |id: &str| header(&format!("{{\"alg\":\"HS256\",\"kid\":\"{id}\"}}"));
    assert_eq!(of("../../etc/passwd").unwrap().key_id(), Some("../../etc/passwd"));
    assert!(of(&"k".repeat(128)).is_ok() && of("").is_ok());
    for id in [&"k".repeat(129), "a\\r\\nb", "a\\u0000", "\u{e9}", "\\u007f", "\\t"] {
        assert_eq!(of(id), Err(Detail::KeyId), "{id}");
    }
    for value in ["1", "null", "[\"a\"]"] {
        let text = format!("{{\"alg\":\"HS256\",\"kid\":{value}}}");
        assert_eq!(header(&text), Err(Detail::HeaderMember), "{value}");
    }
}

#[test]
fn j17_types_are_compared_without_case_and_prefix() {
    for (named, read) in [
        ("at+jwt", TokenType::AccessToken),
        ("AT+JWT", TokenType::AccessToken),
        ("application/at+jwt", TokenType::AccessToken),
        ("Application/AT+jwt", TokenType::AccessToken),
        ("application/application/at+jwt", TokenType::Other),
        ("application/a/b", TokenType::Other),
        ("text/at+jwt", TokenType::Other),
        ("at+jwt ", TokenType::Other),
        ("", TokenType::Other),
        ("JWT", TokenType::Jwt),
        ("application/jwt", TokenType::Jwt),
        ("dpop+jwt", TokenType::Other),
        ("logout+jwt", TokenType::Other),
    ] {
        let header = header(&format!("{{\"alg\":\"HS256\",\"typ\":\"{named}\"}}")).unwrap();
        assert_eq!(header.token_type(), read, "{named}");
    }
    assert_eq!(header(r#"{"alg":"HS256"}"#).unwrap().token_type(), TokenType::None);
    assert_eq!(header(r#"{"alg":"HS256","typ":1}"#), Err(Detail::HeaderMember));
}

#[test]
fn j30_debug_shows_no_key_id() {
    let header = header(r#"{"alg":"HS256","kid":"secret"}"#).unwrap();
    assert!(!format!("{header:?}").contains("secret"));
}
