//! The transitions of requests that wait for each other.

use super::Event::{
    Arrived, ArrivedForOthers, ArrivedPurged, CameLater, Grounded, InTheForeground, Led, Released,
    Waited,
};
use super::*;
use crate::cache::flow::Verdict;

const MEANWHILE: &[(&str, &str)] =
    &[("cache-control", "max-age=60, stale-while-revalidate=9"), ("age", "61"), ("etag", "\"a\"")];
const TOO_OLD: &[(&str, &str)] =
    &[("cache-control", "max-age=60, stale-while-revalidate=9"), ("age", "70"), ("etag", "\"a\"")];
const NO_CACHE: &[(&str, &str)] = &[("cache-control", "no-cache"), ("etag", "\"a\"")];
const SINCE_STALE: &[(&str, &str)] =
    &[("cache-control", "max-age=60"), ("age", "60"), ("etag", "\"a\"")];

const fn case(name: &'static str, steps: &'static [(Event, &'static str)]) -> Case {
    Case { collapses: true, ..super::case(name, steps) }
}

const fn asking(
    name: &'static str,
    request: &'static [(&'static str, &'static str)],
    steps: &'static [(Event, &'static str)],
) -> Case {
    Case { request, ..case(name, steps) }
}

pub(super) const CASES: &[Case] = &[
    case(
        "leads",
        &[(Nothing, "join"), (Led, "call as it came"), (Answered(200, FRESH), "relay stored")],
    ),
    case("leads, inner error", &[(Nothing, "join"), (Led, "call as it came"), (Failed, "relay")]),
    case(
        "leads, validates",
        &[(Kept(OLD), "join"), (Led, "call conditional"), (Answered(304, FRESH), "freshen")],
    ),
    case(
        "leads, another's 304",
        &[
            (Kept(OLD), "join"),
            (Led, "call conditional"),
            (Answered(304, &[("etag", "\"b\"")]), "call unconditional"),
            (Answered(200, FRESH), "relay stored"),
        ],
    ),
    case("follows", &[(Nothing, "join"), (Arrived(FRESH), "follow")]),
    case("follows what is stale", &[(Kept(OLD), "join"), (Arrived(FRESH), "follow")]),
    case("comes later", &[(Nothing, "join"), (CameLater(FRESH), "follow")]),
    case(
        "what came has to be validated by each",
        &[(Nothing, "join"), (Arrived(NO_CACHE), "call as it came")],
    ),
    case("what came is stale", &[(Nothing, "join"), (Arrived(SINCE_STALE), "call as it came")]),
    case(
        "what came may be served while it is refreshed",
        &[(Nothing, "join"), (Arrived(MEANWHILE), "follow")],
    ),
    case("... to who comes later too", &[(Nothing, "join"), (CameLater(MEANWHILE), "follow")]),
    case(
        "purged before this one came",
        &[(Nothing, "join"), (ArrivedPurged(FRESH), "join"), (Led, "call as it came")],
    ),
    case(
        "purged again and again",
        &[
            (Nothing, "join"),
            (ArrivedPurged(FRESH), "join"),
            (ArrivedPurged(FRESH), "join"),
            (ArrivedPurged(FRESH), "call as it came"),
        ],
    ),
    case(
        "selected by other values",
        &[(Nothing, "join"), (ArrivedForOthers, "join"), (Arrived(FRESH), "follow")],
    ),
    case("released", &[(Nothing, "join"), (Released, "call as it came")]),
    case("released, and validates", &[(Kept(OLD), "join"), (Released, "call conditional")]),
    case(
        "failed, and nothing stored",
        &[(Nothing, "join"), (Waited(Failure::Error), "call as it came")],
    ),
    case(
        "failed, and what is stored may stand in",
        &[(Kept(OLD_KEPT), "join"), (Waited(Failure::Unavailable), "serve")],
    ),
    case(
        "failed, and what is stored may not",
        &[(Kept(OLD), "join"), (Waited(Failure::Unavailable), "call conditional")],
    ),
    case("failed twice", &[(Nothing, "join"), (Grounded(Failure::Panic), "back off")]),
    case(
        "failed twice, and what is stored may stand in",
        &[(Kept(OLD_KEPT), "join"), (Grounded(Failure::Deadline), "serve")],
    ),
    case("stale, and refreshed behind", &[(Kept(MEANWHILE), "serve and refresh")]),
    case(
        "stale, and nothing to refresh it behind",
        &[
            (Kept(MEANWHILE), "serve and refresh"),
            (InTheForeground, "get"),
            (Kept(MEANWHILE), "join"),
        ],
    ),
    case("stale for too long", &[(Kept(TOO_OLD), "join")]),
    case(
        "purged softly, and refreshed behind",
        &[(Event::Purged(Standing::Soft, MEANWHILE), "serve and refresh")],
    ),
    case(
        "unknown, and never served meanwhile",
        &[(Event::Purged(Standing::Unknown, MEANWHILE), "join")],
    ),
    asking(
        "only if cached, and refreshed behind",
        &[("cache-control", "only-if-cached")],
        &[(Kept(MEANWHILE), "serve and refresh")],
    ),
    asking(
        "only if cached, and nothing to refresh it behind",
        &[("cache-control", "only-if-cached")],
        &[
            (Kept(MEANWHILE), "serve and refresh"),
            (InTheForeground, "get"),
            (Kept(MEANWHILE), "refuse"),
        ],
    ),
    asking(
        "wants it validated, and so did who leads",
        &[("cache-control", "no-cache")],
        &[(Kept(FRESH), "join"), (Arrived(FRESH), "follow")],
    ),
    asking(
        "wants it validated, and it was not for this one",
        &[("cache-control", "no-cache")],
        &[(Nothing, "join"), (CameLater(FRESH), "call as it came")],
    ),
    asking(
        "wants nothing stored, and nobody waits for it",
        &[("cache-control", "no-store")],
        &[(Nothing, "call as it came")],
    ),
    asking("a part", &[("range", "bytes=0-1")], &[(Nothing, "call as it came")]),
    Case { method: "HEAD", ..case("HEAD", &[(Nothing, "call as it came")]) },
    case(
        "store failed",
        &[(Lost, "join"), (Led, "call as it came"), (Answered(200, FRESH), "relay stored")],
    ),
];

#[test]
fn requests_wait_for_each_other_only_where_one_answer_may_be_for_both() {
    let flight = |request, kept: Option<&'static [(&'static str, &'static str)]>| {
        let case = asking("flight", request, &[]);
        let (mut transaction, facts) = begin(&case);
        let command = match kept {
            None => happen(&mut transaction, &facts, &Nothing),
            Some(kept) => happen(&mut transaction, &facts, &Kept(kept)),
        };
        assert_eq!(name(&command), "join");
        transaction.flight()
    };
    let plain = flight(&[], None);
    assert_eq!(plain, flight(&[("accept", "a/b")], None), "what selects is not known yet");
    assert_ne!(plain, flight(&[("authorization", "x")], None));
    assert_ne!(plain, flight(&[("cookie", "x")], None));
    assert_ne!(plain, flight(&[("if-none-match", "\"x\"")], None));
    // The stored validators take the place of the client's own.
    assert_eq!(flight(&[], Some(OLD)), flight(&[("if-none-match", "\"x\"")], Some(OLD)));
}

#[test]
fn what_an_answer_is_to_those_who_wait() {
    let verdict = |status: u16, fields: &'static [(&'static str, &'static str)]| {
        let (mut transaction, facts) = begin(&case("verdict", &[]));
        happen(&mut transaction, &facts, &Nothing);
        happen(&mut transaction, &facts, &Led);
        let command = happen(&mut transaction, &facts, &Answered(status, fields));
        command.verdict(StatusCode::from_u16(status).unwrap())
    };
    let by_request = |by_request| Verdict::Unusable { by_request };
    assert_eq!(verdict(200, FRESH), Verdict::Streams);
    assert_eq!(verdict(503, FRESH), Verdict::Streams);
    assert_eq!(verdict(200, NO_STORE), by_request(false));
    assert_eq!(verdict(302, &[]), by_request(false));
    for status in [404, 405, 410, 451] {
        assert_eq!(verdict(status, &[]), by_request(false), "{status}");
    }
    for status in [400, 401, 403, 413, 416, 429, 431] {
        assert_eq!(verdict(status, &[]), by_request(true), "{status}");
    }
    for (status, failure) in [
        (500, Failure::Status),
        (501, Failure::Status),
        (502, Failure::Unavailable),
        (503, Failure::Unavailable),
        (504, Failure::Unavailable),
        (505, Failure::Status),
        (999, Failure::Status),
    ] {
        assert_eq!(verdict(status, &[]), Verdict::Failed(failure), "{status}");
    }
}
