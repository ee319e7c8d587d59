//! Groups that an origin makes unusable by its answer to a write (RFC 9875).

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::Purge;

use super::{Fields, Hit, Miss, Next, Shop, page};
use crate::support::{Got, answered, request};

type Lines = &'static [(&'static str, &'static str)];

const INVALIDATES: (&str, &str) = ("cache-group-invalidation", "\"scripts\"");

/// Pages are in groups; a path below `/changes` answers any method with this status and these fields.
fn origin(status: u16, fields: Lines) -> Shop {
    Shop::new(move |request, call| grouped(request, call, status, fields))
}

fn grouped(request: &Request<Body>, call: usize, status: u16, fields: Lines) -> Response<Body> {
    let group = match request.uri().path() {
        "/scripts" => r#""scripts";q=1, "all""#,
        "/Scripts" => r#""Scripts""#,
        "/styles" => r#""styles", "all", "more than one""#,
        _ => "",
    };
    match request.uri().path().starts_with("/changes") {
        true => answered(status, fields, ""),
        false => page(request, call, &[("cache-groups", group)]),
    }
}

const PATHS: [&str; 4] = ["/scripts", "/Scripts", "/styles", "/in-no-group"];

/// Which of [`PATHS`] still is a hit when this method was answered so.
async fn after(method: &str, status: u16, fields: Lines) -> Vec<Next> {
    let shop = origin(status, fields);
    shop.warm(&PATHS).await;
    shop.send(method, "/changes", &[]).await;
    shop.each(&PATHS).await
}

const NONE: [Next; 4] = [Hit; 4];

/// RFC 9875 §3: on the response to a request with an unsafe method.
#[tokio::test]
async fn the_answer_to_a_write_makes_its_groups_unusable_whatever_its_status() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
        for status in [200, 204, 303, 404, 409, 500] {
            let hits = after(method, status, &[INVALIDATES]).await;
            assert_eq!(hits, [Miss, Hit, Hit, Hit], "{method} {status}");
        }
    }
}

/// RFC 9875 §3: caches ignore it on the response to a request with a safe method.
#[tokio::test]
async fn the_answer_to_a_read_makes_no_group_unusable() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND"] {
        for fields in [&[INVALIDATES][..], &[INVALIDATES, ("cache-control", "max-age=60")]] {
            assert_eq!(after(method, 200, fields).await, NONE, "{method}");
        }
    }
}

#[tokio::test]
async fn every_string_of_every_line_names_a_group_and_parameters_do_not_count() {
    const NAME: &str = "cache-group-invalidation";
    let cases: [(Lines, [Next; 4]); 6] = [
        (&[(NAME, r#""all""#)], [Miss, Hit, Miss, Hit]),
        (&[(NAME, r#""scripts";a=1;b="styles""#)], [Miss, Hit, Hit, Hit]),
        (&[(NAME, r#""x", "styles""#)], [Hit, Hit, Miss, Hit]),
        (&[(NAME, r#""x""#), (NAME, r#""more than one""#)], [Hit, Hit, Miss, Hit]),
        (&[(NAME, r#""Scripts""#)], [Hit, Miss, Hit, Hit]),
        (&[(NAME, r#""SCRIPTS", "script", "scripts ", "", "/scripts""#)], NONE),
    ];
    for (fields, expected) in cases {
        assert_eq!(after("POST", 200, fields).await, expected, "{fields:?}");
    }
}

/// RFC 9651 §4.2: a field that cannot be parsed is ignored as a whole.
#[tokio::test]
async fn a_list_that_cannot_be_read_names_no_group() {
    for value in [
        "scripts",
        "\"scripts",
        "\"scripts\",",
        "\"scripts\" \"x\"",
        "(\"scripts\")",
        "\"scripts\", 1",
    ] {
        let fields: Lines = Box::leak(Box::new([("cache-group-invalidation", value)]));
        assert_eq!(after("POST", 200, fields).await, NONE, "{value}");
    }
    // The write itself is one all the same.
    let shop = Shop::new(|request, call| match request.method().as_str() {
        "PUT" => answered(204, &[("cache-group-invalidation", "(")], ""),
        _ => page(request, call, &[]),
    });
    shop.warm(&["/page"]).await;
    shop.send("PUT", "/page", &[]).await;
    assert_eq!(shop.next("/page", &[]).await, Miss);
}

/// RFC 9875 §2.1: groups of two origins have nothing in common.
#[tokio::test]
async fn a_write_reaches_the_groups_of_its_own_origin_only() {
    let hosts = ["a.test", "b.test", "a.test:8080", "sub.a.test"];
    for written in hosts {
        let shop = origin(200, &[INVALIDATES]);
        for _ in 0..2 {
            for host in hosts {
                shop.get("/scripts", &[("host", host)]).await;
            }
        }
        shop.send("POST", "/changes", &[("host", written)]).await;
        for host in hosts {
            let expected = if host == written { Miss } else { Hit };
            let next = shop.next("/scripts", &[("host", host)]).await;
            assert_eq!(next, expected, "{written}: {host}");
        }
    }
}

/// RFC 9110 §7.2: nobody knows which of the two is meant.
#[tokio::test]
async fn a_write_whose_authority_is_not_certain_reaches_all_that_it_may_be_about() {
    let hosts = ["a.test", "b.test", "c.test"];
    let shop = origin(200, &[INVALIDATES]);
    for host in hosts {
        shop.get("/scripts", &[("host", host)]).await;
    }
    shop.send("POST", "/changes", &[("host", "a.test"), ("host", "b.test")]).await;
    for (host, expected) in hosts.into_iter().zip([Miss, Miss, Hit]) {
        assert_eq!(shop.next("/scripts", &[("host", host)]).await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_write_reaches_the_groups_of_its_own_scope_only() {
    let shop = origin(200, &[INVALIDATES]);
    let scoped = ["", "shop", "shops"].map(|scope| shop.layer.clone().scope(scope));
    let send = async |at: usize, method, path| {
        let service = scoped[at].layer(shop.inner.clone());
        Got::read(service.oneshot(request(method, path, &[])).await.unwrap()).await
    };
    for at in 0..3 {
        send(at, "GET", "/scripts").await;
        assert!(send(at, "GET", "/scripts").await.is_hit());
    }
    send(1, "POST", "/changes").await;
    for at in 0..3 {
        assert_eq!(send(at, "GET", "/scripts").await.is_hit(), at != 1, "{at}");
    }
}

/// A purge by the operator is of the scope, a group of an origin.
#[tokio::test]
async fn a_purge_by_tag_reaches_the_groups_of_all_origins() {
    let shop = origin(200, &[]);
    let hosts: [Fields<'_>; 3] =
        [&[("host", "a.test")], &[("host", "b.test")], &[("host", "a.test:81")]];
    for host in hosts {
        shop.get("/scripts", host).await;
        shop.get("/Scripts", host).await;
    }
    shop.purge(Purge::tag("scripts")).await;
    for host in hosts {
        assert_eq!(shop.next("/scripts", host).await, Miss, "{host:?}");
        assert_eq!(shop.next("/Scripts", host).await, Hit, "{host:?}");
    }
}

/// Before the client has its answer, of which it may tell others at once.
#[tokio::test]
async fn groups_are_unusable_when_the_head_of_the_answer_is_there() {
    let shop = origin(200, &[INVALIDATES]);
    shop.warm(&["/scripts"]).await;
    let answer = shop.start(request("POST", "/changes", &[])).await;
    assert_eq!(shop.next("/scripts", &[]).await, Miss);
    drop(answer);
}
