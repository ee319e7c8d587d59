//! What Vary may say, and what of a request stands in keys for it.

use std::time::Duration;

use http::HeaderValue;
use tower_keep::cache::{CacheHint, CachePolicy, Reason};

use super::{Crowded, FRESH, RFC, SAFE};
use crate::doubles::Keeping;
use crate::support::{Harness, answered, request, response};

/// RFC 9111 §4.1; a member that is no field name is nothing that a request could match either.
#[tokio::test]
async fn c30_a_response_that_varies_on_anything_is_never_reused() {
    let lists: [&[&str]; 9] = [
        &["*"],
        &[" * "],
        &["x, *"],
        &["*, x"],
        &["x", "*"],
        &["*,*"],
        &["x y"],
        &["\"x\""],
        &["x;q=1"],
    ];
    for lines in lists {
        for (policy, is_hinted) in [(SAFE, false), (RFC, false), (SAFE, true)] {
            let cache = Harness::with(
                |layer| layer.policy(policy),
                move |_, call| {
                    let mut made = response(&[FRESH, ("etag", "\"1\"")], format!("call {call}"));
                    for line in lines {
                        made.headers_mut().append("vary", HeaderValue::from_static(line));
                    }
                    if is_hinted {
                        let hint = CacheHint::fresh_for(Duration::from_secs(60)).public();
                        made.extensions_mut().insert(hint);
                    }
                    made
                },
            );
            for call in 0..3 {
                let got = cache.get("/", &[("x", "1")]).await;
                assert_eq!((got.body, call), (format!("call {call}"), call), "{lines:?}");
            }
            assert_eq!(cache.get("/", &[]).await.reason(), Some(Reason::VaryAny), "{lines:?}");
            assert!(cache.store.is_empty(), "{lines:?}");
        }
    }
}

/// One URL whose Vary is another with every answer: the newest that is stored says what selects.
#[tokio::test]
async fn c30_a_vary_that_changes_selects_by_the_newest() {
    let cache = Harness::new(|request, _| {
        let vary = request.headers()["say"].to_str().unwrap();
        let value = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
        let body = format!("{:?} {:?}", value("x"), value("y"));
        let fields = [FRESH, ("vary", vary)];
        response(if vary.is_empty() { &fields[..1] } else { &fields }, body)
    });
    let ask = async |x: &str, y: &str, vary: &str| {
        let fields = [("x", x), ("y", y), ("say", vary)];
        let got = cache.get("/", &fields).await;
        (got.body == format!("{:?} {:?}", Some(x), Some(y)), got.is_hit())
    };
    let (own, hit, other) = ((true, false), (true, true), (false, true));
    assert_eq!(ask("1", "1", "x").await, own);
    assert_eq!(ask("1", "2", "x").await, other, "y does not select yet");
    assert_eq!(ask("2", "2", "x, y").await, own);
    assert_eq!(ask("1", "1", "x, y").await, own, "stored when x alone selected");
    assert_eq!(ask("1", "2", "y").await, own, "y selects now, too");
    assert_eq!(ask("7", "2", "y").await, other, "and now alone");
    assert_eq!(ask("1", "1", "y, x").await, own);
    assert_eq!(ask("2", "2", "y, x").await, own, "a list that came back brings nothing back");
    assert_eq!(ask("1", "1", "X,x , Y").await, hit, "the same names");
    // What is not stored changes nothing of what is.
    assert_eq!(ask("3", "3", "*").await, own);
    assert_eq!(ask("1", "1", "*").await, hit);
    assert_eq!(ask("3", "3", "").await, own);
    assert_eq!(ask("1", "1", "x").await, other, "for everybody now");
    cache.advance(60);
    assert_eq!(ask("1", "1", "*").await, own);
    assert_eq!(ask("1", "1", "*").await, own, "the stale one is gone");
}

const SECRETS: [(&str, &str); 4] = [
    ("authorization", "Bearer tOpSeCrEt"),
    ("authorization", "Basic dG9wc2VjcmV0"),
    ("cookie", "theme=dark; session=tOpSeCrEt"),
    ("proxy-authorization", "Digest username=\"tOpSeCrEt\""),
];

#[tokio::test]
async fn c30_credentials_that_select_stand_in_no_key() {
    for policy in [SAFE, RFC] {
        for (name, secret) in SECRETS {
            let store = Keeping::default();
            let cache = Crowded::over(store.clone(), policy.clone(), move |_, call| {
                let said = ("cache-control", "public, max-age=60");
                let vary = ("vary", "AUTHORIZATION, Cookie,Proxy-Authorization, x");
                response(&[said, vary, ("content-language", "en")], format!("call {call}"))
            });
            let also = ("accept-language", "en");
            let another = format!("{secret}2");
            let truncated = &secret[..secret.len() - 1];
            let [own, longer, shorter] =
                [secret, &another, truncated].map(|value| [also, (name, value)]);
            let users = [&[also][..], &own, &longer, &shorter];
            for _ in 0..2 {
                for (at, fields) in users.iter().enumerate() {
                    let body = cache.get("/", fields).await.body;
                    assert_eq!(body, format!("call {at}"), "each is its own: {fields:?}");
                }
            }
            let keys = store.keys();
            assert!(keys.len() > users.len(), "the index and the variants");
            for word in secret.split([' ', '=', ';', '"']).filter(|word| word.len() > 3) {
                for case in [word.to_owned(), word.to_lowercase()] {
                    let holds =
                        |key: &[u8]| key.windows(case.len()).any(|part| part == case.as_bytes());
                    assert!(!keys.iter().any(|key| holds(key.as_bytes())), "{word} of {name}");
                }
            }
        }
    }
}

/// So many names that a key of their values would be a weapon.
#[tokio::test]
async fn c30_a_vary_of_200_names_passes_and_is_not_stored() {
    let names: &'static [String] = (0..200).map(|at| format!("x-{at}")).collect::<Vec<_>>().leak();
    let line = |count: usize| names[..count].join(", ");
    let over_lines = |count: usize| line(count).replace(", x-", "\nx-");
    for (vary, is_stored) in [
        (line(32), true),
        (over_lines(32), true),
        (line(33), false),
        (line(200), false),
        (over_lines(200), false),
        (line(200) + ", *", false),
        ("x-1, ".repeat(20_000), false),
    ] {
        let cache = Harness::with(
            |layer| layer.policy(CachePolicy::shared()),
            move |_, call| {
                let lines = vary.split('\n').map(|line| ("vary", line));
                let fields: Vec<_> = [FRESH].into_iter().chain(lines).collect();
                response(&fields, format!("call {call}"))
            },
        );
        let got = cache.get("/", &[("x-31", "1")]).await;
        let reason = (!is_stored).then_some(Reason::VaryTooWide);
        assert_eq!((got.reason(), cache.store.is_empty()), (reason, !is_stored));
        assert_eq!(cache.get("/", &[("x-31", "1")]).await.is_hit(), is_stored);
        assert!(!cache.get("/", &[("x-31", "2")]).await.is_hit());
    }
}

/// A 304 is no way around that limit, nor a reason to fail a client.
#[tokio::test]
async fn c30_a_304_that_brings_200_names_stores_nothing() {
    let names = (0..200).map(|at| format!("x-{at}")).collect::<Vec<_>>().join(", ");
    let cache = Harness::new(move |_, call| match call {
        0 => response(&[FRESH, ("etag", "\"1\"")], "page"),
        1 => answered(304, &[FRESH, ("etag", "\"1\""), ("vary", &names)], ""),
        _ => response(&[], "new"),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    let got = cache.send(request("GET", "/", &[])).await;
    assert_eq!((got.body.as_str(), got.reason()), ("page", Some(Reason::VaryTooWide)));
    assert_eq!(cache.get("/", &[]).await.body, "new");
}
