//! A limit that looks on, and its figures.

use tower_keep::limit::{LimitRefusalKind, NoKey, Quota};

use super::limited::Limited;
use crate::support::request;

#[test]
fn in_shadow_mode_all_is_counted_and_all_is_let_through() {
    let limited = Limited::with(Quota::per_second(3), |layer| layer.shadow());
    let answers: Vec<_> =
        (0..10).map(|_| limited.send(request("GET", "/", &[("x-key", "a")]))).collect();
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == "done"));
    let over = answers.iter().filter_map(|answer| answer.refusal.as_ref());
    let over: Vec<_> = over.map(|refusal| refusal.kind()).collect();
    assert_eq!(over, [LimitRefusalKind::QuotaExceeded; 7]);
    assert!(answers.iter().all(|answer| answer.headers.is_empty()));
    assert!(limited.send(request("GET", "/", &[])).status == 200, "also without a key");
    let stats = limited.layer.handle().stats();
    assert_eq!((stats.admitted, stats.refused, stats.keyless), (3, 7, 1));
    assert_eq!(limited.inner.calls(), 11);
}

#[test]
fn figures_tell_what_was_let_through_and_what_was_not() {
    let limited = Limited::with(Quota::per_second(3), |layer| layer.no_key(NoKey::Refuse));
    limited.admitted("a");
    limited.admitted("b");
    limited.send(request("GET", "/", &[]));
    let stats = limited.layer.handle().stats();
    assert_eq!((stats.admitted, stats.refused, stats.keyless), (6, 2, 1));
    assert_eq!(limited.layer.clone().handle().stats(), stats);
}
