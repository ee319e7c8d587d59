//! J03 to J05: the texts of header and claims, and how long, deep and wide they may be.

use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::Verifier;

use super::guarded::{Guarded, PASSES};
use super::shapes::{CLAIMS, SHAPE, of};
use super::tokens::{claims, claims_text, encoded, header, header_text, signers, verifier};

const HEADER: &str = "the header is no JSON object with each name once";
const TOO_LONG: &str = "the token is too long";

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
    let other = Verifier::new("https://other.example", "api").bytes_max(2000);
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
    let headed = |value: &str| of(header_text(Es256, "x", Some(value)), &claims);
    let said = |value: &str| of(header(Es256).to_string(), claims_text("x", Some(value)));
    // The outermost object is one of them.
    for deep in [nested, objects] {
        assert_eq!(guarded.verdict(&headed(&deep(7))), PASSES);
        assert_eq!(guarded.verdict(&headed(&deep(8))), HEADER);
        assert_eq!(guarded.verdict(&said(&deep(15))), PASSES);
        assert_eq!(guarded.verdict(&said(&deep(16))), CLAIMS);
    }
    assert_eq!(guarded.verdict(&said(&nested(2000))), CLAIMS, "no stack is used up");
    assert_eq!(guarded.verdict(&headed(&wide(32))), PASSES);
    assert_eq!(guarded.verdict(&headed(&wide(33))), HEADER);
    assert_eq!(guarded.verdict(&said(&wide(128))), PASSES);
    assert_eq!(guarded.verdict(&said(&wide(129))), CLAIMS);
    let behind = |value: &str| format!("{},{}", &value[..value.len() - 1], &claims[1..]);
    assert_eq!(guarded.verdict(&of(header(Es256).to_string(), behind(&wide(120)))), PASSES);
    assert_eq!(guarded.verdict(&of(header(Es256).to_string(), behind(&wide(121)))), CLAIMS);
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
        format!("{object:?}"),
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
    let of_header =
        [r#""alg":"ES256""#, r#""\u0061lg":"ES256""#, r#""kid":"ES256""#, r#""typ":"at+jwt""#];
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
        assert_eq!(
            guarded.verdict(&of(with(&header, more), with(&claims, more))),
            PASSES,
            "{more}"
        );
    }
}

/// However many names there are beside it, and wherever the two stand.
#[test]
fn j05_no_name_stands_twice_among_many() {
    let guarded = Guarded::new();
    let (header, claims) = (header(Es256).to_string(), claims("alice").to_string());
    let with =
        |text: &str, more: &[String]| format!("{},{}}}", &text[..text.len() - 1], more.join(","));
    for width in [2, 6, 7, 8, 12, 13, 14, 15, 16, 17, 18, 24, 100] {
        let names: Vec<String> = (0..width).map(|n| format!("\"name{n}\":0")).collect();
        let nested = |names: &[String]| vec![format!("\"x\":[{{{}}}]", names.join(","))];
        assert_eq!(guarded.verdict(&of(&header, with(&claims, &names))), PASSES, "{width}");
        assert_eq!(guarded.verdict(&of(&header, with(&claims, &nested(&names)))), PASSES);
        for (first, second) in [(0, width - 1), (width / 2, width - 1), (0, 1)] {
            let mut twice = names.clone();
            twice[second] = names[first].clone();
            if first == second {
                continue;
            }
            for twice in [nested(&twice), twice] {
                assert_eq!(
                    guarded.verdict(&of(&header, with(&claims, &twice))),
                    CLAIMS,
                    "{twice:?}"
                );
                let headed = of(with(&header, &twice), &claims);
                assert_eq!(guarded.verdict(&headed), HEADER, "{twice:?}");
            }
        }
        // Of a claim that counts, the first or the last of all.
        let mut last = names.clone();
        last.push("\"sub\":\"bob\"".to_owned());
        assert_eq!(guarded.verdict(&of(&header, with(&claims, &last))), CLAIMS, "{width}");
    }
}
