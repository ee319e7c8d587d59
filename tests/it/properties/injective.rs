//! Two requests share a stored response where they ask for the same thing, and nowhere else.

use std::collections::BTreeMap;

use axum::body::Body;
use http::Request;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tower_keep::cache::Partition;

use super::{cases, run};
use crate::support::{Harness, request, response};

/// All of a request that a key is made of.
#[derive(Clone, Debug)]
struct Asked {
    host: &'static str,
    path: String,
    query: Option<String>,
    steering: Vec<(&'static str, &'static str)>,
    partition: Option<Vec<u8>>,
    selecting: [Option<&'static str>; 2],
}

/// The same, in one form for all requests that ask for the same thing.
#[derive(Debug, PartialEq)]
struct Meant<'a> {
    authority: &'static str,
    target: String,
    steering: BTreeMap<&'static str, Vec<&'static str>>,
    partition: &'a Option<Vec<u8>>,
    selecting: [Option<&'static str>; 2],
}

#[derive(Clone)]
struct Group(Option<Vec<u8>>);

impl Asked {
    fn target(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}"));
        format!("{}{}", self.path, query.unwrap_or_default())
    }

    fn request(&self) -> Request<Body> {
        let mut fields = vec![("host", self.host)];
        fields.extend(&self.steering);
        fields.extend(
            SELECTING
                .into_iter()
                .zip(self.selecting)
                .filter_map(|(name, value)| value.map(|value| (name, value))),
        );
        let mut request = request("GET", &self.target(), &fields);
        request.extensions_mut().insert(Group(self.partition.clone()));
        request
    }

    fn meant(&self) -> Meant<'_> {
        let authority = HOSTS.into_iter().find(|(host, _)| *host == self.host).unwrap().1;
        let mut steering: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in &self.steering {
            if *name != "forwarded" || value.contains("host") || value.contains("proto") {
                steering.entry(*name).or_default().push(*value);
            }
        }
        let (partition, selecting) = (&self.partition, self.selecting);
        Meant { authority, target: self.target(), steering, partition, selecting }
    }

    /// This request with one of its parts from another.
    fn with(&self, part: usize, other: Self) -> Self {
        let mut mixed = self.clone();
        match part {
            0 => mixed.host = other.host,
            1 => mixed.path = other.path,
            2 => mixed.query = other.query,
            3 => mixed.steering = other.steering,
            4 => mixed.partition = other.partition,
            5 => mixed.selecting = other.selecting,
            6 => (mixed.partition, mixed.steering) = (other.partition, other.steering),
            _ => (mixed.path, mixed.query) = (other.path, other.query),
        }
        mixed
    }
}

/// Few values for each part, so that what could run together does.
fn asked() -> impl Strategy<Value = Asked> {
    let line = (select(&STEERING[..]), select(&VALUES[..]));
    let selecting = option::of(select(&["", "a", "a,b", "b", "\"a,b\""][..]));
    (
        select(&HOSTS[..]),
        "/[a/%;.]{0,2}",
        option::of("[a=&;?/%]{0,2}"),
        vec(line, 0..3),
        option::of(vec(select(&[0u8, 1, b'a'][..]), 0..3)),
        [selecting.clone(), selecting],
    )
        .prop_map(|((host, _), path, query, steering, partition, selecting)| Asked {
            host,
            path,
            query,
            steering,
            partition,
            selecting,
        })
}

fn pair() -> impl Strategy<Value = (Asked, Asked)> {
    (asked(), asked(), 0..8usize, 0..4u8).prop_map(|(one, other, part, how)| {
        let second = match how {
            0 => one.clone(),
            1 => other,
            _ => one.with(part, other),
        };
        (one, second)
    })
}

/// Requests for one target that differ in their divisions only, which are made of few bytes.
fn divided() -> impl Strategy<Value = Asked> {
    let line = (select(&STEERING[1..3]), select(&["", "a"][..]));
    (option::of(vec(0..2u8, 0..4)), vec(line, 0..3)).prop_map(|(partition, steering)| Asked {
        host: "a.test",
        path: "/".to_owned(),
        query: None,
        steering,
        partition,
        selecting: [None, None],
    })
}

fn divided_by_group() -> Harness {
    let by_group = Partition::with(|head| head.extensions.get::<Group>()?.0.clone());
    Harness::with(
        |layer| layer.partition_by(by_group),
        |_, call| {
            let fields = [("cache-control", "max-age=60"), ("vary", "x-one, x-two")];
            response(&fields, format!("{call}"))
        },
    )
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn c16_keys_of_divisions_are_injective(requests in vec(divided(), 2..24)) {
        let cache = divided_by_group();
        let mut known: Vec<(Meant<'_>, String)> = Vec::new();
        for asked in &requests {
            let got = run(cache.send(asked.request()));
            let meant = asked.meant();
            let before = known.iter().find(|(other, _)| *other == meant).map(|(_, body)| body);
            prop_assert_eq!(got.is_hit(), before.is_some(), "{:?}", asked);
            match before {
                Some(body) => prop_assert_eq!(body, &got.body),
                None => known.push((meant, got.body)),
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn c16_keys_are_injective((one, other) in pair()) {
        let cache = divided_by_group();
        let (first, second) = run(async {
            (cache.send(one.request()).await, cache.send(other.request()).await)
        });
        prop_assert!(!first.is_hit());
        prop_assert_eq!(second.is_hit(), one.meant() == other.meant());
        prop_assert_eq!(second.body == "0", second.is_hit());
    }
}

const SELECTING: [&str; 2] = ["x-one", "x-two"];
/// Hosts, and the authority that each of them means.
const HOSTS: [(&str, &str); 9] = [
    ("a.test", "a.test"),
    ("A.test", "a.test"),
    ("a.test:80", "a.test"),
    ("a.test:8080", "a.test:8080"),
    ("a.test.", "a.test."),
    ("aa.test", "aa.test"),
    ("b.test", "b.test"),
    ("[::1]", "[::1]"),
    ("[::1]:80", "[::1]"),
];
const STEERING: [&str; 8] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-host",
    "x-original-url",
    "x-rewrite-url",
];
const VALUES: [&str; 6] = ["", "a", "a,b", "host=a", "for=a", "proto=a"];
