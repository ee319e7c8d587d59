use std::sync::Arc;

use http::{HeaderMap, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limit::headers::{IsWithin, RateLimitFields, Told};
use crate::limit::policies::{LimitUnit, Policies};
use crate::limit::quota::{Quota, Quotas};
use crate::limit::refusal::{Jitter, LimitRefusalKind};
use crate::limit::retry_info::tests::read;
use crate::limit::verdict::{Outcome, Verdict};

/// Of a quota of 60 in a minute by this name, as it stands.
fn refused(name: &str, outcome: Outcome, refill: Duration, cost: u64) -> LimitRefusal {
    let quotas = Quotas::new([Quota::per_minute(60)]).unwrap();
    let policies = Arc::new(Policies::new(&quotas, &[name], LimitUnit::Requests));
    let verdict = Verdict::new(outcome, [refill]);
    LimitRefusal::by_quotas(&verdict, &quotas, cost, &policies, Jitter::default(), 0).unwrap()
}

fn exceeded() -> LimitRefusal {
    refused("api", Outcome::Refused, Duration::from_millis(60_001), 1)
}

fn never() -> LimitRefusal {
    refused("api", Outcome::Never, Duration::ZERO, 61)
}

fn request(content_type: &str) -> Request<()> {
    Request::post("/").header("content-type", content_type).body(()).unwrap()
}

/// The response to a request that is none of gRPC.
fn http(refusal: LimitRefusal) -> Response<Bytes> {
    refusal.response((&request("application/json")).into())
}

fn grpc(refusal: LimitRefusal) -> Response<Bytes> {
    refusal.response((&request("application/grpc+proto")).into())
}

fn field<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    let mut lines = response.headers().get_all(name).iter();
    let line = lines.next().map(|line| line.to_str().unwrap());
    assert!(lines.next().is_none(), "{name} stands there twice");
    line
}

fn problem(response: &Response<Bytes>) -> Value {
    assert_eq!(field(response, "content-type"), Some("application/problem+json"));
    assert_eq!(field(response, "cache-control"), Some("no-store"));
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn r17_a_quota_that_is_used_up_is_a_429_with_retry_after_rounded_up() {
    let response = http(exceeded());
    assert_eq!(response.status(), 429);
    assert_eq!(field(&response, "retry-after"), Some("2"));
    let expected = json!({
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Quota Exceeded",
        "status": 429,
        "detail": "The quota is used up.",
        "violated-policies": ["api"],
    });
    assert_eq!(problem(&response), expected);
    assert_eq!(response.headers().len(), 3);
    let refusal = response.extensions().get::<LimitRefusal>().unwrap();
    assert_eq!(refusal.kind(), LimitRefusalKind::QuotaExceeded);
}

#[test]
fn several_policies_that_are_violated_are_all_named() {
    let quotas = Quotas::new([1, 2, 3].map(Quota::per_hour)).unwrap();
    let policies = Arc::new(Policies::new(&quotas, &["a", "b", "c"], LimitUnit::Requests));
    let refills = [3_600, 0, 3_600].map(Duration::from_secs);
    let verdict = Verdict::new(Outcome::Refused, refills);
    let refusal = LimitRefusal::by_quotas(&verdict, &quotas, 1, &policies, Jitter::default(), 0);
    let response = http(refusal.unwrap());
    assert_eq!(problem(&response)["violated-policies"], json!(["a", "c"]));
    assert_eq!(field(&response, "retry-after"), Some("3600"));
}

#[test]
fn a_name_is_escaped() {
    let response = http(refused("a\"b\\c ", Outcome::Refused, Duration::from_secs(60), 1));
    assert_eq!(problem(&response)["violated-policies"], json!(["a\"b\\c "]));
}

#[test]
fn a_store_that_refuses_without_a_reason_is_not_asked_again_at_once() {
    let response = http(refused("api", Outcome::Refused, Duration::ZERO, 1));
    assert_eq!(field(&response, "retry-after"), Some("1"));
    assert_eq!(problem(&response)["violated-policies"], json!([]));
    let response = grpc(refused("api", Outcome::Refused, Duration::ZERO, 1));
    assert_eq!(field(&response, "grpc-retry-pushback-ms"), Some("1"));
}

#[test]
fn r08_a_cost_over_the_burst_is_a_429_that_says_never() {
    let response = http(never());
    assert_eq!(response.status(), 429);
    assert_eq!(field(&response, "retry-after"), None);
    let detail = "The request costs more than is ever admitted at once.";
    assert_eq!(problem(&response)["detail"], detail);
    let response = grpc(never());
    assert_eq!(field(&response, "grpc-status"), Some("8"));
    assert_eq!(field(&response, "grpc-retry-pushback-ms"), Some("-1"));
    assert_eq!(field(&response, "grpc-status-details-bin"), None);
}

/// Each refusal, its status, that of gRPC, and in how many seconds to come back.
fn all() -> Vec<(LimitRefusal, u16, u64, Option<u64>)> {
    vec![
        (exceeded(), 429, 8, Some(2)),
        (never(), 429, 8, None),
        (LimitRefusal::too_many_at_once(), 429, 8, None),
        (LimitRefusal::no_key(Keyless::Unknown), 500, 13, None),
        (LimitRefusal::no_key(Keyless::Header), 400, 3, None),
        (LimitRefusal::no_key(Keyless::Principal), 403, 7, None),
        (LimitRefusal::unavailable(Duration::from_millis(4_001)), 503, 14, Some(5)),
    ]
}

#[test]
fn r17_every_refusal_is_a_problem_that_is_not_stored() {
    let mut details = Vec::new();
    for (refusal, status, _, retry_after) in all() {
        let words = refusal.to_string();
        let response = http(refusal);
        let problem = problem(&response);
        assert_eq!(response.status(), status);
        assert_eq!(problem["status"], status);
        if problem["type"] == "about:blank" {
            // RFC 9457 §4.2.1: then the title is that of the status.
            assert_eq!(problem["title"], response.status().canonical_reason().unwrap());
        }
        let retry_after = retry_after.map(|secs| secs.to_string());
        assert_eq!(field(&response, "retry-after"), retry_after.as_deref());
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail.to_lowercase(), format!("{words}."));
        details.push(detail);
    }
    details.sort();
    details.dedup();
    assert_eq!(details.len(), all().len());
}

#[test]
fn r17_to_grpc_every_refusal_is_trailers_alone() {
    for (refusal, _, code, retry_after) in all() {
        let (words, wait) = (refusal.to_string(), refusal.retry_after());
        // What no client has to decode.
        assert!(words.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'%'));
        let response = grpc(refusal);
        assert_eq!(response.status(), 200);
        assert!(response.body().is_empty());
        assert_eq!(field(&response, "content-type"), Some("application/grpc"));
        assert_eq!(field(&response, "cache-control"), Some("no-store"));
        assert_eq!(field(&response, "grpc-status"), Some(code.to_string().as_str()));
        assert_eq!(field(&response, "grpc-message"), Some(words.as_str()));
        let retry_after = retry_after.map(|secs| secs.to_string());
        assert_eq!(field(&response, "retry-after"), retry_after.as_deref());
        let details = response.headers().get("grpc-status-details-bin");
        assert_eq!(details.map(read), wait.map(|wait| (code, words, wait)));
        assert!(response.extensions().get::<LimitRefusal>().is_some());
    }
}

#[test]
fn r17_a_grpc_library_reads_the_status_and_its_details() {
    let response = grpc(exceeded());
    let status = tonic::Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(status.message(), "the quota is used up");
    assert_eq!(status.details().get(..4), Some(&b"\x08\x08\x12\x14"[..]));
    assert_eq!(field(&response, "grpc-retry-pushback-ms"), Some("1001"));
}

#[test]
fn families_of_grpc_are_answered_in_their_own_type() {
    for family in ["application/grpc", "application/grpc-web", "application/grpc-web-text"] {
        let response = exceeded().response((&request(family)).into());
        assert_eq!(field(&response, "content-type"), Some(family));
    }
    // A question whether a request may pass has its fields, and takes a 200 for a yes.
    let mut asks = request("application/grpc");
    *asks.method_mut() = http::Method::GET;
    assert_eq!(exceeded().response((&asks).into()).status(), 429);
}

#[test]
fn r17_a_grpc_client_is_not_told_to_come_back_early() {
    let told = |wait| grpc(LimitRefusal::unavailable(wait));
    let pushback = |wait| field(&told(wait), "grpc-retry-pushback-ms").unwrap().to_owned();
    assert_eq!(pushback(Duration::from_nanos(1)), "1");
    assert_eq!(pushback(Duration::from_millis(5)), "5");
    assert_eq!(pushback(Duration::from_nanos(5_000_001)), "6");
    // More than 32 bits: not again, since what clients cannot read is that too.
    assert_eq!(pushback(Duration::from_millis(2_147_483_647)), "2147483647");
    assert_eq!(pushback(Duration::from_millis(2_147_483_648)), "-1");
    assert_eq!(pushback(Duration::MAX), "-1");
    // Nobody knows when: the client's own policy decides.
    let response = grpc(LimitRefusal::too_many_at_once());
    assert_eq!(field(&response, "grpc-retry-pushback-ms"), None);
}

/// What is said of one refusal in all places.
struct Said {
    retry_after: Duration,
    windows: Vec<Duration>,
    pushback: i64,
    delay: Duration,
}

fn said(refusal: &LimitRefusal, fields: &HeaderMap) -> Said {
    let to_http = http(refusal.clone());
    let to_grpc = grpc(refusal.clone());
    let list: sfv::List = sfv::Parser::new(fields["ratelimit"].as_bytes()).parse().unwrap();
    let windows = list.iter().map(|member| {
        let sfv::ListEntry::Item(item) = member else { panic!("{member:?}") };
        let window = item.params.get("t").and_then(sfv::BareItem::as_integer);
        Duration::from_secs(window.map_or(0, |secs| i64::from(secs) as u64))
    });
    Said {
        retry_after: Duration::from_secs(field(&to_http, "retry-after").unwrap().parse().unwrap()),
        windows: windows.collect(),
        pushback: field(&to_grpc, "grpc-retry-pushback-ms").unwrap().parse().unwrap(),
        delay: read(&to_grpc.headers()["grpc-status-details-bin"]).2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn r17_nothing_tells_a_client_to_come_back_before_it_is_admitted(
        quotas in prop::collection::vec((1_u64..1 << 20, 1_u64..1 << 50), 1..=4),
        parts in prop::collection::vec(0_u32..=1_000, 4),
        part in 0_u64..1_000,
        fraction in 0.0..1.0,
        random in any::<u64>(),
    ) {
        let quotas = quotas.into_iter().map(|(amount, nanos)| Quota::per(amount, Duration::from_nanos(nanos)));
        let quotas = Quotas::new(quotas).unwrap();
        let least = quotas.as_slice().iter().map(Quota::burst_max).min().unwrap();
        let cost = (least * part / 1_000).max(1);
        let refills = quotas.as_slice().iter().zip(&parts).map(|(quota, part)| quota.refill() * *part / 1_000);
        let verdict = Verdict::new(Outcome::Refused, refills);
        let wait = verdict.retry_after(&quotas, cost).unwrap();
        let policies = Arc::new(Policies::new::<&str>(&quotas, &[], LimitUnit::Requests));
        let jitter = Jitter::up_to(fraction);
        let refusal = LimitRefusal::by_quotas(&verdict, &quotas, cost, &policies, jitter, random).unwrap();
        let mut response = http(refusal.clone());
        let (told, fields) = (Told { verdict: &verdict, quotas: &quotas, cost }, RateLimitFields::Draft11);
        let mut extensions = std::mem::take(response.extensions_mut());
        fields.show(&policies, told, IsWithin::default(), response.headers_mut(), &mut extensions);
        let said = said(&refusal, response.headers());
        prop_assert!(said.retry_after >= wait);
        prop_assert!(said.retry_after >= Duration::from_secs(1));
        prop_assert!(said.windows.iter().all(|window| *window <= said.retry_after));
        prop_assert!(said.delay >= wait);
        prop_assert!(said.pushback == -1 || Duration::from_millis(said.pushback as u64) >= wait);
    }
}
