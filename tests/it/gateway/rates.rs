//! `--rate`: who is counted together, where the limit stands, and what it answers. The rates are so slow that nothing comes back while a test
//! runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::origin;
use super::program::Gateway;
use super::tokens::{Guarded, alice, bob, es256};
use super::wire::Reply;
#[cfg(target_os = "linux")]
use super::wire::read_to_end;

/// A gateway before an upstream that counts its calls.
struct Limited {
    gateway: Gateway,
    calls: Arc<AtomicUsize>,
}

impl Limited {
    async fn with(cache_control: &'static str, flags: &[&str]) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let upstream = origin::of(move || async move {
            counted.fetch_add(1, Ordering::Relaxed);
            ([("cache-control", cache_control)], "made")
        })
        .await;
        Self { gateway: Gateway::with(upstream, flags).await, calls }
    }

    /// Two requests for each client.
    async fn two(flags: &[&str]) -> Self {
        Self::with("no-store", &[&["--rate=2/h"], flags].concat()).await
    }

    async fn status(&self, fields: &str) -> u16 {
        self.gateway.get_with("/", fields).await.status()
    }

    /// Over a connection from this address.
    #[cfg(target_os = "linux")]
    async fn status_from(&self, peer: [u8; 4], fields: &str) -> u16 {
        use tokio::io::AsyncWriteExt as _;
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((peer, 0).into()).unwrap();
        let mut stream = socket.connect(self.gateway.public).await.unwrap();
        let request =
            format!("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Reply::parse(&read_to_end(&mut stream).await).status()
    }

    /// What requests with these field lines are answered, one after the other.
    async fn statuses<const N: usize>(&self, lines: [&str; N]) -> [u16; N] {
        let mut statuses = [0; N];
        for (status, line) in statuses.iter_mut().zip(lines) {
            let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
            *status = self.status(&line).await;
        }
        statuses
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn secs(reply: &Reply, name: &str) -> u64 {
    reply.field(name).unwrap().parse().unwrap()
}

#[tokio::test]
async fn r17_beyond_the_burst_it_is_429_with_when_to_come_again() {
    let limited = Limited::with("no-store", &["--rate", "3/h", "--burst=2"]).await;
    for left in ["1", "0"] {
        let got = limited.gateway.get("/").await;
        assert_eq!((got.status(), &*got.body), (200, "made"));
        assert_eq!(got.field("ratelimit-policy"), Some("\"3-in-3600s-burst-2\";q=3;w=3600"));
        let line = got.field("ratelimit").unwrap();
        assert!(line.starts_with(&format!("\"3-in-3600s-burst-2\";r={left}")), "{line}");
        assert_eq!(got.field("x-ratelimit-limit"), Some("2"));
        assert_eq!(got.field("x-ratelimit-remaining"), Some(left));
        assert_eq!(got.field("retry-after"), None);
    }
    for _ in 0..3 {
        let got = limited.gateway.get("/").await;
        assert_eq!((got.status(), got.field("cache-control")), (429, Some("no-store")));
        assert!((1..=1_200).contains(&secs(&got, "retry-after")), "{got:?}");
        assert!(secs(&got, "x-ratelimit-reset") <= secs(&got, "retry-after"), "{got:?}");
        assert_eq!(got.field("content-type"), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["title"]),
            (&json!(429), &json!("Quota Exceeded"))
        );
        assert_eq!(problem["violated-policies"], json!(["3-in-3600s-burst-2"]));
        assert!(got.field("ratelimit").unwrap().contains(";r=0"), "{got:?}");
        assert!(got.field("ratelimit-policy").is_some());
        assert_eq!(got.field("x-ratelimit-remaining"), Some("0"));
    }
    assert_eq!(limited.calls(), 2, "what is refused goes no further");
    let rate = limited.gateway.stats().await["rate"].clone();
    assert_eq!(rate, json!({"admitted": 2, "refused": 3, "keyless": 0}));
}

#[tokio::test]
async fn without_a_rate_there_is_no_limit_and_nothing_is_told_of_one() {
    let limited = Limited::with("no-store", &[]).await;
    for _ in 0..5 {
        let got = limited.gateway.get("/").await;
        assert_eq!(got.status(), 200);
        assert!(!got.fields.iter().any(|(name, _)| name.contains("ratelimit")), "{got:?}");
    }
    assert!(limited.gateway.stats().await["rate"].is_null());
}

#[tokio::test]
async fn c05_hits_of_the_cache_are_counted_and_say_how_it_stands_now() {
    let limited = Limited::with("max-age=60", &["--rate=3/h"]).await;
    for left in ["2", "1", "0"] {
        let got = limited.gateway.get("/").await;
        assert_eq!((got.status(), got.field("x-ratelimit-remaining")), (200, Some(left)));
        assert_eq!(got.fields.iter().filter(|(name, _)| name == "ratelimit").count(), 1);
    }
    assert_eq!(limited.gateway.get("/").await.status(), 429, "although it is stored");
    assert_eq!(limited.calls(), 1);
}

#[tokio::test]
async fn c05_a_refusal_is_never_served_to_others() {
    let flags = ["--rate=1/h", "--rate-key=header:x-api-key"];
    let limited = Limited::with("max-age=60", &flags).await;
    let get = async |path: &str, key: &str| {
        limited.gateway.get_with(path, &format!("X-Api-Key: {key}\r\n")).await.status()
    };
    assert_eq!(get("/1", "a").await, 200);
    // Neither what is stored nor what is not becomes a 429 for somebody else.
    assert_eq!([get("/1", "a").await, get("/2", "a").await], [429, 429]);
    assert_eq!([get("/1", "b").await, get("/2", "c").await, get("/2", "d").await], [200; 3]);
    assert_eq!(limited.calls(), 2);
}

#[tokio::test]
async fn r01_what_a_client_says_of_itself_is_not_believed() {
    // The peer is 127.0.0.1: none of these proxies.
    for flags in [&[][..], &["--trusted-proxy=10.0.0.0/8", "--trusted-proxy=::1"]] {
        let limited = Limited::two(flags).await;
        let lines = [
            "X-Forwarded-For: 198.51.100.1",
            "X-Forwarded-For: 198.51.100.2, 10.0.0.1",
            "X-Forwarded-For: 198.51.100.3",
            "Forwarded: for=198.51.100.4",
        ];
        assert_eq!(limited.statuses(lines).await, [200, 200, 429, 429], "{flags:?}");
    }
}

/// On Linux all of 127.0.0.0/8 is this machine.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r01_each_peer_is_a_client_and_only_that_of_the_list_is_a_proxy() {
    for flags in [&[][..], &["--trusted-proxy=127.0.0.1"]] {
        let limited = Limited::two(flags).await;
        let mut statuses = Vec::new();
        for last in 1..=3 {
            let field = format!("X-Forwarded-For: 198.51.100.{last}\r\n");
            statuses.push(limited.status_from([127, 0, 0, 2], &field).await);
        }
        assert_eq!(statuses, [200, 200, 429], "{flags:?}");
        assert_eq!(limited.status_from([127, 0, 0, 3], "").await, 200, "{flags:?}");
        assert_eq!(limited.status("").await, 200, "{flags:?}");
    }
}

#[tokio::test]
async fn r02_behind_a_trusted_proxy_the_client_is_what_the_proxy_has_added() {
    let limited = Limited::two(&["--trusted-proxy", "127.0.0.1"]).await;
    let lines = [
        "X-Forwarded-For: 198.51.100.1",
        "X-Forwarded-For: 203.0.113.1, 198.51.100.1",
        "X-Forwarded-For: 203.0.113.2, 198.51.100.1",
        "X-Forwarded-For: 203.0.113.3\r\nX-Forwarded-For: 198.51.100.1",
        "X-Forwarded-For: 203.0.113.4, 198.51.100.1, 127.0.0.1",
    ];
    assert_eq!(limited.statuses(lines).await, [200, 200, 429, 429, 429], "one client");
    let lines = ["X-Forwarded-For: 198.51.100.2", "X-Forwarded-For: 198.51.100.1, 203.0.113.1"];
    assert_eq!(limited.statuses(lines).await, [200, 200], "others");
    let rate = limited.gateway.stats().await["rate"].clone();
    assert_eq!(rate, json!({"admitted": 4, "refused": 3, "keyless": 0}));
}

#[tokio::test]
async fn r02_a_network_of_proxies_is_walked_through_to_its_end() {
    let flags = ["--trusted-proxy=127.0.0.0/8", "--trusted-proxy=10.0.0.0/8"];
    let limited = Limited::two(&flags).await;
    let lines = [
        "X-Forwarded-For: 203.0.113.1, 198.51.100.1, 10.1.2.3, 10.9.9.9",
        "X-Forwarded-For: 203.0.113.2, 198.51.100.1, 10.3.2.1",
        "X-Forwarded-For: 198.51.100.1, 127.9.9.9",
        "X-Forwarded-For: 198.51.100.2, 127.9.9.9",
    ];
    assert_eq!(limited.statuses(lines).await, [200, 200, 429, 200]);
}

#[tokio::test]
async fn r03_the_field_that_is_named_is_read_and_no_other() {
    let named = ["--trusted-proxy=127.0.0.1", "--client-header"];
    for (field, [first, second, rotated], others) in [
        (
            "Forwarded",
            [
                "Forwarded: for=198.51.100.1",
                "Forwarded: for=198.51.100.2",
                "Forwarded: for=203.0.113.1, for=198.51.100.1;proto=https",
            ],
            [
                "X-Forwarded-For: 203.0.113.1",
                "X-Forwarded-For: 203.0.113.2",
                "X-Real-IP: 203.0.113.3",
            ],
        ),
        (
            "CF-Connecting-IP",
            [
                "CF-Connecting-IP: 198.51.100.1",
                "CF-Connecting-IP: 198.51.100.2",
                "X-Forwarded-For: 203.0.113.1\r\nCF-Connecting-IP: 198.51.100.1",
            ],
            [
                "X-Forwarded-For: 203.0.113.1",
                "Forwarded: for=203.0.113.2",
                "X-Real-IP: 203.0.113.3",
            ],
        ),
        (
            "X-Forwarded-For",
            [
                "X-Forwarded-For: 198.51.100.1",
                "X-Forwarded-For: 198.51.100.2",
                "Forwarded: for=203.0.113.1\r\nX-Forwarded-For: 198.51.100.1",
            ],
            ["Forwarded: for=203.0.113.1", "Forwarded: for=203.0.113.2", "X-Real-IP: 203.0.113.3"],
        ),
    ] {
        let limited = Limited::two(&[&named[..], &[field]].concat()).await;
        let lines = [first, rotated, first, second];
        assert_eq!(limited.statuses(lines).await, [200, 200, 429, 200], "{field}");
        // Without the field it is the proxy, whatever else is said.
        assert_eq!(limited.statuses(others).await, [200, 200, 429], "{field}");
    }
}

/// RFC 9110 §7.6.1: a field that a client puts on the list of its connection is removed, and what is counted by it is gone.
#[tokio::test]
async fn r01_a_field_that_is_listed_in_connection_makes_no_client_of_its_own() {
    let by_proxy = Limited::two(&["--trusted-proxy=127.0.0.1"]).await;
    let by_key = Limited::two(&["--rate-key=header:X-Api-Key"]).await;
    for (limited, name) in [(by_proxy, "X-Forwarded-For"), (by_key, "X-Api-Key")] {
        let mut statuses = Vec::new();
        for last in 1..=3 {
            let line = format!("Connection: {name}\r\n{name}: 198.51.100.{last}\r\n");
            statuses.push(limited.status(&line).await);
        }
        assert_eq!(statuses, [200, 200, 429], "{name}");
    }
}

#[tokio::test]
async fn r06_by_a_field_each_value_is_a_client_and_all_without_are_one() {
    let limited = Limited::two(&["--rate-key", "header:X-Api-Key"]).await;
    let lines = ["X-Api-Key: a", "x-api-key: a", "X-API-KEY: a", "X-Api-Key: A", "X-Api-Key: b"];
    assert_eq!(limited.statuses(lines).await, [200, 200, 429, 200, 200]);
    let lines = ["", "X-Forwarded-For: 198.51.100.1", "", "X-Api-Key: c"];
    assert_eq!(limited.statuses(lines).await, [200, 200, 429, 200]);
    let rate = limited.gateway.stats().await["rate"].clone();
    assert_eq!(rate, json!({"admitted": 7, "refused": 2, "keyless": 3}));
}

#[tokio::test]
async fn r18_by_address_and_by_field_it_is_in_front_of_the_tokens() {
    for key in ["--rate-key=peer", "--rate-key=header:x-none"] {
        let guarded = Guarded::with("no-store", &es256(), &["--rate=2/h", key]).await;
        let bad = "Authorization: Bearer a.b.c\r\n";
        assert_eq!(guarded.gateway.get_with("/", bad).await.status(), 401);
        assert_eq!(guarded.gateway.get("/").await.status(), 401);
        for line in [bad, &alice()] {
            assert_eq!(guarded.gateway.get_with("/", line).await.status(), 429, "{key}");
        }
        assert_eq!(guarded.calls(), 0);
    }
}

#[tokio::test]
async fn r18_by_user_it_is_behind_the_tokens_and_in_front_of_the_cache() {
    let flags = ["--rate=2/h", "--rate-key=sub"];
    let guarded = Guarded::with("public, max-age=60", &es256(), &flags).await;
    let get = async |line: &str| guarded.gateway.get_with("/", line).await;
    // With a name that is Alice's, and no signature of hers.
    let alice = alice();
    let (signed, _) = alice.trim_end().rsplit_once('.').unwrap();
    for line in [format!("{signed}.AAAA\r\n"), String::new()].iter().cycle().take(6) {
        let got = get(line).await;
        assert_eq!((got.status(), got.field("ratelimit")), (401, None));
    }
    for left in ["1", "0"] {
        let got = get(&alice).await;
        assert_eq!((got.status(), got.field("x-ratelimit-remaining")), (200, Some(left)));
    }
    // Another token of the same user, from another address as it says, is the same user.
    let again = format!("{}X-Forwarded-For: 198.51.100.1\r\n", self::alice());
    for line in [&alice, &again] {
        assert_eq!(get(line).await.status(), 429, "a hit would not be counted, but it is");
    }
    assert_eq!(get(&bob()).await.status(), 200);
    assert_eq!(guarded.calls(), 1);
    let rate = guarded.gateway.stats().await["rate"].clone();
    assert_eq!(rate, json!({"admitted": 3, "refused": 2, "keyless": 0}));
}
