//! What a route asks of a token besides that it is good.

use http::Method;
use tower::Layer as _;
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{RefusalKind, RequireClaim, RequireScope, RequireToken, Verified};

use super::answers::{Fields, is_told};
use super::guarded::{Guarded, PUBLIC, answer};
use super::tokens::{bearer, claims, signers, verifier};
use crate::support::request;

/// Behind a layer in which a token is optional.
fn optional() -> Guarded {
    Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| layer.optional())
}

#[test]
fn a_scope_that_is_too_small_is_told_with_the_words_that_it_takes() {
    let guarded = Guarded::new();
    let wanted = RequireScope::new("notes:write").and("admin").and("a\"\\\r\u{e9}b");
    let service = guarded.layer.layer(wanted.layer(guarded.inner.clone()));
    let line = bearer("alice");
    let refused = answer(service, request("GET", "/", &[("authorization", &line)]));
    is_told(
        &refused,
        RefusalKind::InsufficientScope,
        403,
        Some(
            "Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"the scope of the token is too small\", scope=\"notes:write admin ab\"",
        ),
        "Forbidden",
        "The scope of the token is too small.",
    );
    assert_eq!(guarded.inner.calls(), 0);
}

#[test]
fn what_a_service_denies_by_the_claims_is_forbidden_without_a_challenge() {
    let guarded = Guarded::new();
    let deny = RequireClaim::new(|verified| verified.subject() != Some("alice"));
    let service = guarded.layer.layer(deny.layer(guarded.inner.clone()));
    let line = bearer("alice");
    let refused = answer(service.clone(), request("GET", "/", &[("authorization", &line)]));
    let detail = "The token does not allow this.";
    is_told(&refused, RefusalKind::Forbidden, 403, None, "Forbidden", detail);
    let line = bearer("bob");
    assert_eq!(answer(service, request("GET", "/", &[("authorization", &line)])).body, "bob");
    assert_eq!(guarded.inner.calls(), 1);
}

/// Without a layer further out nobody has a token, whatever the request says.
#[test]
fn j27_a_requirement_alone_lets_nobody_in() {
    let guarded = Guarded::new();
    let line = bearer("alice");
    let sent = || request("GET", "/", &[("authorization", &line)]);
    let inner = || guarded.inner.clone();
    for refused in [
        answer(RequireToken::new().layer(inner()), sent()),
        answer(RequireScope::new("read").layer(inner()), sent()),
        answer(RequireClaim::new(|_| true).layer(inner()), sent()),
    ] {
        assert_eq!((refused.status.as_u16(), refused.kind()), (401, Some(RefusalKind::NoToken)));
    }
    assert_eq!(guarded.inner.calls(), 0);
}

#[test]
fn a_route_in_an_optional_layer_may_need_a_token() {
    let guarded = optional();
    let layer = &guarded.layer;
    let line = bearer("alice");
    for required in [RequireToken::new(), RequireToken::default()] {
        let service = layer.layer(required.layer(guarded.inner.clone()));
        let without = answer(service.clone(), request("GET", "/", &[]));
        let challenge = "Bearer realm=\"api\"";
        let detail = "Send a token as Authorization: Bearer.";
        is_told(&without, RefusalKind::NoToken, 401, Some(challenge), "Unauthorized", detail);
        let with = answer(service, request("GET", "/", &[("authorization", &line)]));
        assert_eq!(with.body, "alice");
    }
    for service in [
        layer.layer(RequireScope::new("read").layer(guarded.inner.clone())),
        layer.layer(RequireClaim::new(|_| true).layer(guarded.inner.clone())),
    ] {
        let without = answer(service.clone(), request("GET", "/", &[]));
        assert_eq!((without.status.as_u16(), without.kind()), (401, Some(RefusalKind::NoToken)));
        assert_eq!(answer(service, request("GET", "/", &[("authorization", &line)])).body, "alice");
    }
}

/// RFC 6750 §3.1: a token that is sent must be good, whether one had to be sent or not.
#[test]
fn an_optional_token_is_good_or_refused() {
    let guarded = optional();
    let line = bearer("alice");
    assert_eq!(guarded.get(&[("authorization", &line)]).body, "alice");
    let silent: [Fields; 4] = [
        &[],
        &[("authorization", "Basic YWxpY2U6")],
        &[("authorization", "a")],
        &[("cookie", "session=a.b.c")],
    ];
    for fields in silent {
        let answer = guarded.get(fields);
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "nobody"), "{fields:?}");
        let seen = guarded.inner.seen().pop().unwrap();
        assert!(seen.extensions.get::<Verified>().is_none());
    }
    let calls = guarded.inner.calls();
    let bad: [(Fields, u16); 4] = [
        (&[("authorization", "Bearer a.b.c")], 401),
        (&[("authorization", "Bearer")], 400),
        (&[("authorization", &line), ("authorization", &line)], 400),
        (&[("authorization", "Basic a"), ("authorization", "Basic b")], 400),
    ];
    for (fields, status) in bad {
        assert_eq!(guarded.get(fields).status, status, "{fields:?}");
    }
    guarded.clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(guarded.get(&[("authorization", &line)]).status, 401, "not as nobody either");
    assert_eq!(guarded.inner.calls(), calls);
}

/// A browser that cannot send `Authorization` has it in a cookie, where that was asked for.
#[test]
fn a_cookie_may_carry_the_token() {
    let guarded =
        Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| layer.or_cookie("sid"));
    let token = signers().token(Es256, &claims("alice"));
    let line = format!("Bearer {}", signers().token(Es256, &claims("bob")));
    let [alone, among, other_case, longer] = [
        format!("sid={token}"),
        format!("a=1; sid={token} ; b=2"),
        format!("SID={token}"),
        format!("xsid={token}; sidx={token}"),
    ];
    let asked: [(Fields, u16, &str); 13] = [
        (&[("cookie", &alone)], 200, "alice"),
        (&[("cookie", &among)], 200, "alice"),
        (&[("cookie", "a=1"), ("cookie", &alone)], 200, "alice"),
        (&[("cookie", &alone), ("authorization", "Basic YQ==")], 200, "alice"),
        (&[("authorization", &line)], 200, "bob"),
        (&[("authorization", &line), ("cookie", "a=1")], 200, "bob"),
        (&[("authorization", &line), ("cookie", &alone)], 400, ""),
        (&[("authorization", "Bearer"), ("cookie", &alone)], 400, ""),
        (&[("cookie", &alone), ("cookie", &alone)], 400, ""),
        (&[("cookie", "sid=")], 400, ""),
        (&[("cookie", "sid=a.b.c")], 401, ""),
        (&[("cookie", &other_case)], 401, ""),
        (&[("cookie", &longer)], 401, ""),
    ];
    for (fields, status, body) in asked {
        let answer = guarded.get(fields);
        assert_eq!(answer.status, status, "{fields:?}");
        assert!(status != 200 || answer.body == body, "{fields:?} {answer:?}");
    }
    let without = Guarded::new();
    assert_eq!(without.get(&[("cookie", &alone)]).kind(), Some(RefusalKind::NoToken));
}

#[test]
fn every_method_is_asked_for_a_token() {
    let guarded = Guarded::new();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ] {
        for upgrade in [&[][..], &[("connection", "upgrade"), ("upgrade", "websocket")]] {
            let refused = guarded.send(request(method.as_str(), "/", upgrade));
            assert_eq!(refused.status, 401, "{method}");
        }
    }
    assert_eq!(guarded.inner.calls(), 0);
}

/// RFC 6749 §3.3: a space stands between words.
#[test]
fn j24_words_in_one_string_are_all_asked_for_and_none_lets_nobody_pass() {
    for (asked, is_enough) in
        [("read", true), ("read write", false), (" read ", true), ("", false), ("  ", false)]
    {
        let guarded = Guarded::new();
        let scoped = guarded.layer.layer(RequireScope::new(asked).layer(guarded.inner.clone()));
        let line = bearer("alice");
        let got = answer(scoped, request("GET", "/", &[("authorization", &line)]));
        assert_eq!(got.status == 200, is_enough, "{asked:?}");
    }
}
