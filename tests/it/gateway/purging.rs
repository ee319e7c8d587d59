//! `POST /purge`: who may, and what it does to what is stored.

mod desk;
mod effects;
mod refusals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::origin;
use super::program::Gateway;
use super::wire::{self, Reply};

const SECRET: &str = "correct-horse-battery-staple";

/// A file that is there as long as this is.
pub(super) struct SecretFile(PathBuf);

impl SecretFile {
    pub(super) fn of(content: &str) -> Self {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("secret-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The gateway with a secret, in a file that ends as editors end it. It is read at the start only.
async fn guarded(upstream: SocketAddr, flags: &[&str]) -> Gateway {
    let file = SecretFile::of(&format!("{SECRET}\n"));
    Gateway::with(upstream, &[&["--admin-secret-file", file.path()], flags].concat()).await
}

async fn purge(gateway: &Gateway, query: &str) -> Reply {
    let authorization = format!("Authorization: Bearer {SECRET}\r\n");
    gateway.admin_with("POST", &format!("/purge?{query}"), &authorization).await
}

async fn is_hit(gateway: &Gateway, path: &str) -> bool {
    gateway.get(path).await.field("cache-status").unwrap().starts_with("gateway; hit")
}

/// Everything is fresh for a minute.
async fn fresh_origin() -> SocketAddr {
    origin::of(async |method: http::Method, uri: http::Uri| {
        ([("cache-control", "max-age=60")], format!("{method} {uri}"))
    })
    .await
}

#[tokio::test]
async fn c52_purging_is_off_without_a_secret_file() {
    let gateway = Gateway::before(fresh_origin().await).await;
    assert!(!is_hit(&gateway, "/").await);
    assert_eq!(purge(&gateway, "all=1").await.status(), 404);
    assert!(is_hit(&gateway, "/").await);
}

#[tokio::test]
async fn c52_purging_is_never_on_the_public_route() {
    let gateway = guarded(fresh_origin().await, &[]).await;
    assert!(!is_hit(&gateway, "/").await);
    let request = format!(
        "POST /purge?all=1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 0\r\n\
         Authorization: Bearer {SECRET}\r\n\r\n"
    );
    let reply = wire::send(gateway.public, &request).await;
    assert_eq!(reply.body, "POST /purge?all=1", "it is the upstream's to answer");
    assert!(is_hit(&gateway, "/").await);
}

#[tokio::test]
async fn c52_whoever_does_not_show_the_secret_once_purges_nothing_and_learns_nothing() {
    let gateway = guarded(fresh_origin().await, &[]).await;
    assert!(!is_hit(&gateway, "/").await);
    let right = format!("Authorization: Bearer {SECRET}\r\n");
    let mut answers = Vec::new();
    for fields in [
        String::new(),
        "Authorization: Bearer wrong-horse-battery-staple\r\n".into(),
        // Part of it, and more than it.
        format!("Authorization: Bearer {}\r\n", &SECRET[..SECRET.len() - 1]),
        format!("Authorization: Bearer {SECRET}0\r\n"),
        format!("Authorization: Bearer {SECRET}, Bearer {SECRET}\r\n"),
        "Authorization: Bearer\r\n".into(),
        "Authorization: \r\n".into(),
        // Another scheme, or none.
        format!("Authorization: Basic {SECRET}\r\n"),
        format!("Authorization: Digest {SECRET}\r\n"),
        format!("Authorization: Bearer{SECRET}\r\n"),
        format!("Authorization: {SECRET}\r\n"),
        format!("Authorization: Bearer \u{e9}{SECRET}\r\n"),
        // Two lines, even if one is right.
        format!("{right}{right}"),
        format!("{right}Authorization: Bearer wrong-horse-battery-staple\r\n"),
        format!("Authorization: Bearer wrong-horse-battery-staple\r\n{right}"),
        format!("X-Authorization: Bearer {SECRET}\r\n"),
        format!("Cookie: Authorization=Bearer {SECRET}\r\n"),
    ] {
        // A wrong query is not told apart either.
        for query in ["all=1", "all=2", ""] {
            let reply = gateway.admin_with("POST", &format!("/purge?{query}"), &fields).await;
            assert_eq!(reply.status(), 401, "{fields:?}: {reply:?}");
            assert_eq!(reply.field("www-authenticate"), Some("Bearer"));
            assert_eq!(reply.field("cache-control"), Some("no-store"));
            answers.push(reply.body);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(is_hit(&gateway, "/").await);

    let in_query = format!("/purge?all=1&secret={SECRET}");
    assert_eq!(gateway.admin("POST", &in_query).await.status(), 401);
    // RFC 9110 §11.1: the scheme's name in any case, and one space or more.
    let unusual = format!("authorization: bEARER   {SECRET}\r\n");
    assert_eq!(gateway.admin_with("POST", "/purge?all=1", &unusual).await.status(), 200);
    assert!(!is_hit(&gateway, "/").await);
}

#[tokio::test]
async fn health_and_counts_need_no_secret() {
    let gateway = guarded(origin::nobody().await, &[]).await;
    assert_eq!(gateway.admin("GET", "/healthz").await.body, "ok");
    assert_eq!(gateway.stats().await["hits"], 0);
}
