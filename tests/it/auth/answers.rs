//! What a client is told (RFC 6750 §3, RFC 9457), and J26: how little.

use serde_json::{Value, json};
use tower_keep::auth::Algorithm::{Es256, Rs256};
use tower_keep::auth::RefusalKind;

use super::guarded::{Answer, Guarded, PUBLIC};
use super::scripted_keys::Script;
use super::tokens::{bearer, claims, claims_with, header_text, others, signers, verifier};
use crate::support::request;

pub type Fields<'a> = &'a [(&'a str, &'a str)];

/// All that there is of a refusal, field by field.
fn told(answer: &Answer) -> (u16, Vec<String>, Value) {
    let mut fields: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    fields.sort();
    (answer.status.as_u16(), fields, serde_json::from_str(&answer.body).unwrap())
}

pub fn is_told(
    answer: &Answer,
    kind: RefusalKind,
    status: u16,
    challenge: Option<&str>,
    title: &str,
    detail: &str,
) {
    let mut fields = vec![
        "cache-control: no-store".to_owned(),
        "content-type: application/problem+json".to_owned(),
    ];
    fields.extend(challenge.map(|challenge| format!("www-authenticate: {challenge}")));
    let problem =
        json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
    assert_eq!(told(answer), (status, fields, problem));
    assert_eq!(answer.kind(), Some(kind));
}

#[test]
fn without_a_token_a_client_learns_only_how_to_send_one() {
    let guarded = Guarded::new();
    let silent: [Fields; 10] = [
        &[],
        &[("authorization", "Basic YWxpY2U6c2VjcmV0")],
        &[("authorization", "DPoP a.b.c")],
        &[("authorization", "Bearerx a.b.c")],
        &[("authorization", "")],
        &[("authorization", "a.b.c")],
        &[("proxy-authorization", "Bearer a.b.c")],
        &[("cookie", "session=a.b.c; authorization=a.b.c")],
        &[("x-authorization", "Bearer a.b.c")],
        &[("authorization", "Negotiate a")],
    ];
    for fields in silent {
        is_told(
            &guarded.get(fields),
            RefusalKind::NoToken,
            401,
            Some("Bearer realm=\"api\""),
            "Unauthorized",
            "Send a token as Authorization: Bearer.",
        );
    }
    assert_eq!(guarded.inner.calls(), 0);
}

/// RFC 9700 §4.3.2: a query ends up in logs. RFC 6750 §2.2: nor is a form looked at.
#[test]
fn a_token_in_the_target_or_the_body_is_none() {
    let guarded = Guarded::new();
    let token = signers().token(Es256, &claims("alice"));
    let form = format!("access_token={token}");
    let mut posted = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
    *posted.body_mut() = form.clone().into();
    for sent in [request("GET", &format!("/?{form}"), &[]), posted] {
        assert_eq!(guarded.send(sent).kind(), Some(RefusalKind::NoToken));
    }
    // And where there is one in its place too, it is let alone.
    let line = bearer("bob");
    let sent = request("GET", &format!("/?{form}"), &[("authorization", &line)]);
    assert_eq!(guarded.send(sent).body, "bob");
}

#[test]
fn a_request_with_two_tokens_or_an_empty_one_is_malformed() {
    let (line, other) = (bearer("alice"), bearer("bob"));
    let guarded = Guarded::new();
    let malformed: [Fields; 7] = [
        &[("authorization", &line), ("authorization", &line)],
        &[("authorization", &line), ("authorization", &other)],
        &[("authorization", &line), ("authorization", "Basic YQ==")],
        &[("authorization", "Basic YQ=="), ("authorization", "")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "bearer   ")],
    ];
    for fields in malformed {
        is_told(
            &guarded.get(fields),
            RefusalKind::InvalidRequest,
            400,
            Some(
                "Bearer realm=\"api\", error=\"invalid_request\", error_description=\"the request must have one token, in one place\"",
            ),
            "Bad Request",
            "The request must have one token, in one place.",
        );
    }
    assert_eq!(guarded.inner.calls(), 0);
}

#[test]
fn the_name_of_the_scheme_has_no_case_and_spaces_follow_it() {
    let guarded = Guarded::new();
    let token = signers().token(Es256, &claims("alice"));
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer     "] {
        let line = format!("{scheme}{token}");
        assert_eq!(guarded.get(&[("authorization", &line)]).body, "alice", "{scheme:?}");
    }
    for scheme in ["Bearer\t", "Bearer", "Bearer:", "Bearer=", "Token ", "\"Bearer\" "] {
        let line = format!("{scheme}{token}");
        let kind = guarded.get(&[("authorization", &line)]).kind();
        assert_eq!(kind, Some(RefusalKind::NoToken), "{scheme:?}");
    }
    // Two in one line, or anything behind it.
    for more in [" a", ", Bearer a.b.c", ",", " realm=\"x\""] {
        assert!(!guarded.passes(&format!("{token}{more}")), "{more}");
    }
}

/// J26: whoever forges tokens does not learn how far one came, in no byte of the answer.
#[test]
fn j26_whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        layer.or(
            tower_keep::auth::Verifier::new("https://other.example", "api"),
            others().keys(&PUBLIC),
        )
    });
    let claims = claims("alice").to_string();
    let of = |by: &super::tokens::Signers, name: &str, value: Option<&str>| {
        by.token_of(Es256, header_text(Es256, name, value), &claims)
    };
    let said = |changes: Value| signers().token(Es256, &claims_with(changes));
    let good = signers().token(Es256, &claims_with(json!({})));
    let bad = [
        "a".into(),
        "a.b.c".into(),
        format!("{good}="),
        good.replacen("eyJ", "eyK", 2),
        "x".repeat(10_000),
        of(signers(), "alg", Some("\"none\"")),
        of(signers(), "kid", Some("\"nobody's\"")),
        of(signers(), "kid", Some("1")),
        of(signers(), "crit", Some("[\"x\"]")),
        of(signers(), "typ", Some("\"JWT\"")),
        of(others(), "kid", Some("\"ES256\"")),
        of(others(), "kid", None),
        signers().token_of(Rs256, header_text(Es256, "x", None), &claims),
        said(json!({"exp": 1})),
        said(json!({"exp": "1"})),
        said(json!({"nbf": 1_700_000_000})),
        said(json!({"iss": "https://other.example"})),
        said(json!({"iss": "https://third.example"})),
        said(json!({"aud": "other"})),
        said(json!({"sub": null})),
        said(json!({"cnf": {}})),
        signers().token_of(Es256, header_text(Es256, "x", None), "{"),
    ];
    let mut details: Vec<&str> = Vec::new();
    for token in &bad {
        let answer = guarded.bearer(token);
        is_told(
            &answer,
            RefusalKind::InvalidToken,
            401,
            Some(
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"the token is not valid\"",
            ),
            "Unauthorized",
            "The token is not valid.",
        );
        assert_eq!(answer.refusal.unwrap().to_string(), "the token is not valid");
        details.push(answer.refusal.unwrap().detail());
    }
    details.sort_unstable();
    details.dedup();
    assert!(details.len() > 12, "what differs is for traces: {details:?}");
    assert_eq!(guarded.inner.calls(), 0);
}

/// Where nobody can judge, nobody is sent away as if his token were bad, and nobody is let pass.
#[test]
fn without_keys_the_answer_is_503_and_when_to_come_again() {
    let guarded = Guarded::of(verifier(), Script::fixed(None));
    let refused = guarded.get(&[("authorization", &bearer("alice"))]);
    let (status, mut fields, problem) = told(&refused);
    assert!(fields.contains(&"retry-after: 1".to_owned()), "{fields:?}");
    fields.retain(|field| !field.starts_with("retry-after"));
    assert_eq!(fields, ["cache-control: no-store", "content-type: application/problem+json"]);
    assert_eq!((status, refused.kind()), (503, Some(RefusalKind::Unavailable)));
    let detail = "Tokens cannot be verified at the moment.";
    assert_eq!(
        problem,
        json!({"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": detail})
    );
    assert_eq!(guarded.inner.calls(), 0);
}

#[test]
fn a_realm_is_a_quoted_string() {
    for (realm, quoted) in [
        ("shop", "shop"),
        ("", ""),
        ("a \"b\" \\c", "a \\\"b\\\" \\\\c"),
        ("a\r\nSet-Cookie: x=1\0\u{7f}", "aSet-Cookie: x=1"),
        ("caf\u{e9}", "caf"),
        ("x\", error=\"y", "x\\\", error=\\\"y"),
    ] {
        let guarded =
            Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| layer.realm(realm));
        let expected = format!("Bearer realm=\"{quoted}\"");
        assert_eq!(guarded.get(&[]).field("www-authenticate"), Some(&*expected), "{realm:?}");
        let bad = guarded.bearer("a");
        let expected = format!(
            "{expected}, error=\"invalid_token\", error_description=\"the token is not valid\""
        );
        assert_eq!(bad.field("www-authenticate"), Some(&*expected), "{realm:?}");
    }
}

/// Nothing of the request comes back.
#[test]
fn no_answer_reflects_the_request() {
    let guarded = Guarded::new();
    let marks = "reflected-zq7";
    let of = |name: &str| {
        let header = header_text(Es256, name, Some(&format!("\"{marks}\"")));
        signers().token_of(Es256, header, claims_with(json!({"sub": marks})).to_string())
    };
    let lines = [
        format!("Bearer {marks}"),
        format!("{marks} {marks}"),
        format!("Bearer {}", of("kid")),
        format!("Bearer {}", of("alg")),
        format!("Bearer {}", of("typ")),
    ];
    for line in lines {
        let path = format!("/{marks}?{marks}");
        let answer = guarded.send(request(
            "GET",
            &path,
            &[("authorization", &line), ("x-request-id", marks)],
        ));
        assert!(answer.refusal.is_some());
        let all = format!("{:?} {} {:?}", answer.headers, answer.body, answer.refusal);
        assert!(!all.contains("zq7"), "{all}");
    }
}
