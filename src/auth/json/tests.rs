use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { depth: 4, members: 8 };

fn read(text: &str) -> Result<Vec<(Cow<'_, str>, Value<'_>)>, Malformed> {
    object(text.as_bytes(), LIMITS)
}

#[test]
fn members_are_read_in_order_and_as_they_stand() {
    let text =
        r#" { "a" : "x" , "b":-1.50e+3,"c":[1, {"d":[]}],"e":{"f":null},"g":true,"h":false } "#;
    let members = read(text).unwrap();
    let expected: [(&str, Value<'_>); 6] = [
        ("a", Value::String("x".into())),
        ("b", Value::Number("-1.50e+3")),
        ("c", Value::Array(br#"[1, {"d":[]}]"#)),
        ("e", Value::Object(br#"{"f":null}"#)),
        ("g", Value::Bool(true)),
        ("h", Value::Bool(false)),
    ];
    for ((name, value), (expected, of)) in members.iter().zip(&expected) {
        assert_eq!((&**name, value), (*expected, of));
    }
    assert_eq!(members.len(), expected.len());
    assert_eq!(read("{}").unwrap(), []);
}

#[test]
fn what_holds_no_escape_is_not_copied() {
    let members = read(r#"{"a":"x","b":"\u0041\ud83d\ude00\n"}"#).unwrap();
    assert!(matches!(&members[0].1, Value::String(Cow::Borrowed("x"))));
    assert_eq!(members[1].1, Value::String("A\u{1f600}\n".into()));
}

#[test]
fn a_name_stands_once_at_every_depth_and_in_every_spelling() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"alg":1,"\u0061lg":1}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"\u0062":2}]}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert_eq!(read(text), Err(Malformed::Duplicate), "{text}");
    }
    assert!(read(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).is_ok());
}

#[test]
fn a_number_is_one_that_an_f64_holds() {
    let (small, great) = (format!("1{}", "0".repeat(308)), format!("1{}", "0".repeat(309)));
    for (number, is_one) in [
        ("1.7976931348623157e308", true),
        ("1e308", true),
        ("1E+309", false),
        ("-1e309", false),
        ("1e-999999999999", true),
        ("1e999999999999", false),
        ("0e999999999999", true),
        (&small, true),
        (&great, false),
        (&format!("-{great}.5"), false),
    ] {
        for text in [format!("{{\"a\":{number}}}"), format!("{{\"a\":[{{\"b\":{number}}}]}}")] {
            assert_eq!(read(&text).is_ok(), is_one, "{number}");
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                is_one,
                "{number}"
            );
        }
    }
}

#[test]
fn a_name_stands_once_among_many() {
    let limits = Limits { depth: 4, members: 128 };
    for count in 1..=FEW + 2 {
        let names: Vec<_> = (0..count).map(|at| format!("n{at}")).collect();
        let of = |names: &[String]| format!("{{\"{}\":0}}", names.join("\":0,\""));
        let nested = |names: &[String]| format!("{{\"n0\":{{\"n0\":[{}]}}}}", of(names));
        assert_eq!(object(of(&names).as_bytes(), limits).unwrap().len(), count);
        assert!(object(nested(&names).as_bytes(), limits).is_ok());
        for again in &names {
            let mut names = names.clone();
            names.push(again.replace('n', "\\u006e"));
            assert_eq!(object(of(&names).as_bytes(), limits), Err(Malformed::Duplicate));
            assert_eq!(object(nested(&names).as_bytes(), limits), Err(Malformed::Duplicate));
        }
    }
}

#[test]
fn depth_and_members_are_bounded() {
    assert!(read(r#"{"a":{"b":[[]]}}"#).is_ok());
    assert_eq!(read(r#"{"a":{"b":[[[]]]}}"#), Err(Malformed::Limit));
    let of = |count: usize| {
        let members: Vec<_> = (0..count).map(|at| format!("\"{at}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(read(&of(8)).is_ok());
    assert_eq!(read(&of(9)), Err(Malformed::Limit));
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    assert_eq!(read(&deep), Err(Malformed::Limit));
}

#[test]
fn anything_else_is_no_object() {
    for text in [
        "",
        " ",
        "null",
        "[]",
        "\"a\"",
        "1",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1}x",
        "{\"a\":1}{}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":0x1}",
        "{\"a\":tru}",
        "{\"a\":nul}",
        "{\"a\":True}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\" 1}",
        "{\"a\":[1 2]}",
        "{\"a\":[1,]}",
        "{\"a\":[}",
        "\u{feff}{}",
        "{}\u{a0}",
        "\u{b}{}",
        "{/**/}",
        "{\"a\":1 /* */}",
    ] {
        assert_eq!(read(text), Err(Malformed::Syntax), "{text:?}");
    }
    for bytes in [&b"{\"a\":\"\xff\"}"[..], b"\xef\xbb\xbf{}", b"{\0}\0", b"\xfe\xff\0{\0}"] {
        assert_eq!(object(bytes, LIMITS), Err(Malformed::Syntax), "{bytes:?}");
    }
}

#[test]
fn elements_of_an_array_are_its_values() {
    let members = read(r#"{"a":["x", 1 ,[2]]}"#).unwrap();
    let Value::Array(text) = members[0].1 else { panic!("an array") };
    let expected = [Value::String("x".into()), Value::Number("1"), Value::Array(b"[2]")];
    assert_eq!(elements(text, LIMITS).unwrap(), expected);
    assert_eq!(elements(b"[]", LIMITS).unwrap(), []);
}

/// JSON that may be a token's, and some that is nearly so.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,2})?",
        "\"[a-c\\\\\"u0-9 ]{0,6}\"",
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(("[a-c]{0,1}", inner), 0..4).prop_map(|all| {
                let members: Vec<_> =
                    all.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
        ]
    });
    value.prop_map(|value| format!("{{\"x\":{value}}}"))
}

/// The witness rounds in another way.
fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= other.abs() * 1e-12
}

proptest! {
    /// Another parser as a witness: what is accepted here, it accepts, and reads alike.
    #[test]
    fn what_is_accepted_is_json_with_the_same_values(text in texts()) {
        let Ok(members) = read(&text) else { return Ok(()) };
        let witness: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (name, value) in &members {
            let of = &witness[&**name];
            let is_same = match value {
                Value::Null => of.is_null(),
                Value::Bool(value) => of.as_bool() == Some(*value),
                Value::Number(text) => is_near(of.as_f64().unwrap(), text.parse().unwrap()),
                Value::String(value) => of.as_str() == Some(value),
                Value::Array(text) | Value::Object(text) => {
                    serde_json::from_slice::<serde_json::Value>(text).unwrap() == *of
                }
            };
            prop_assert!(is_same, "{}", name);
        }
        prop_assert_eq!(witness.as_object().unwrap().len(), members.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = object(&bytes, LIMITS);
        let _ = elements(&bytes, LIMITS);
    }
}
