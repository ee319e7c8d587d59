//! What is refused, how often one may, and what the log tells of it.

use futures_util::future::join_all;

use super::{SECRET, fresh_origin, guarded, is_hit, origin, purge};

#[tokio::test]
async fn c52_a_query_that_does_not_say_exactly_what_is_400_and_purges_nothing() {
    let gateway = guarded(fresh_origin().await, &[]).await;
    assert!(!is_hit(&gateway, "/").await);
    for (query, problem) in [
        ("", "one of url, prefix, tag and all is needed"),
        ("soft=1", "one of url, prefix, tag and all is needed"),
        ("all=1&tag=a", "more than one"),
        ("url=http://a.test/&url=http://a.test/", "more than one"),
        ("all=1&all=1", "more than one"),
        ("all=0", "all is 1"),
        ("all=", "all is 1"),
        ("all", "all is 1"),
        ("all=%31", "all is 1"),
        ("tag=", "empty"),
        ("tag", "empty"),
        ("url=", "empty"),
        ("all=1&soft=2", "soft is 0 or 1"),
        ("all=1&soft", "soft is 0 or 1"),
        ("all=1&soft=1&soft=1", "soft is given twice"),
        ("all=1&soft=0&soft=1", "soft is given twice"),
        ("all=1&", "a parameter other than"),
        ("&all=1", "a parameter other than"),
        ("all=1&hard=1", "a parameter other than"),
        ("ALL=1", "a parameter other than"),
        ("%61ll=1", "a parameter other than"),
        // What would purge another URL than was meant.
        ("url=http://a.test/?a=1&b=2", "& is %26"),
        ("url=http://a.test/%23top", "a fragment"),
        ("prefix=http://a.test/?q=1", "no part of a prefix"),
        ("url=/", "needs a scheme and an authority"),
        ("url=a.test", "needs a scheme and an authority"),
        ("prefix=*", "needs a scheme and an authority"),
        ("url=http://u%40a.test/", "needs a scheme and an authority"),
        ("url=http://a%20b/", "not a URL"),
        ("url=http://", "not a URL"),
        ("url=%0a", "not a URL"),
        ("tag=%", "two hexadecimal digits"),
        ("tag=%4", "two hexadecimal digits"),
        ("tag=%4g", "two hexadecimal digits"),
        ("tag=%+4", "two hexadecimal digits"),
        ("tag=%ff", "not UTF-8"),
        (&format!("tag={}", "t".repeat(257)), "the tag to purge is empty or too long"),
        (&format!("tag={}", "t".repeat((8 << 10) + 1)), "longer than 8 KiB"),
        (&format!("url=http://a.test/{}", "%41".repeat(8 << 10)), "longer than 8 KiB"),
        (&format!("prefix=http://a.test{}", "/s".repeat(17)), "too many segments"),
    ] {
        let reply = purge(&gateway, query).await;
        assert_eq!(reply.status(), 400, "{query}: {reply:?}");
        assert_eq!(reply.field("content-type"), Some("application/problem+json"));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
        let told: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((&told["status"], &told["title"]), (&400.into(), &"Bad Request".into()));
        assert!(told["detail"].as_str().unwrap().contains(problem), "{query}: {told}");
    }
    assert!(is_hit(&gateway, "/").await);
}

#[tokio::test]
async fn c52_only_post_purges() {
    let gateway = guarded(fresh_origin().await, &[]).await;
    assert!(!is_hit(&gateway, "/").await);
    let fields = format!("Authorization: Bearer {SECRET}\r\n");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PURGE"] {
        let reply = gateway.admin_with(method, "/purge?all=1", &fields).await;
        assert_eq!(reply.status(), 405, "{method}: {reply:?}");
        assert_eq!(reply.field("allow"), Some("POST"), "{method}");
        assert_eq!(reply.field("cache-control"), Some("no-store"), "{method}");
    }
    assert!(is_hit(&gateway, "/").await);
}

#[tokio::test]
async fn c52_more_than_ten_wide_purges_in_a_second_are_429() {
    let gateway = guarded(origin::nobody().await, &[]).await;
    // At once, and more than fit into the seconds that this could take.
    let queries = ["all=1", "tag=a", "prefix=http://a.test/", "tag=b&soft=1"];
    let replies = join_all((0..100).map(|at| purge(&gateway, queries[at % 4]))).await;
    let (done, over): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status() == 200);
    assert!(done.len() >= 10, "{}", done.len());
    assert!(!over.is_empty());
    for reply in over {
        assert_eq!(reply.status(), 429, "{reply:?}");
        assert_eq!(reply.field("retry-after"), Some("1"));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
        assert_eq!(reply.field("content-type"), Some("application/problem+json"));
    }
    for reply in join_all((0..20).map(|_| purge(&gateway, "url=http://a.test/"))).await {
        assert_eq!(reply.status(), 200, "one URL costs little: {reply:?}");
    }
}

#[tokio::test]
async fn c52_each_purge_is_a_line_in_the_log_that_nobody_can_forge() {
    let mut gateway = guarded(origin::nobody().await, &[]).await;
    let forged = "a%0A2030-01-01T00:00:00Z%20%20INFO%20gateway::audit:%20forged%1b[2K%0d%22%20soft";
    let escaped =
        r#"tag value="a\n2030-01-01T00:00:00Z  INFO gateway::audit: forged\u{1b}[2K\r\" soft""#;
    let long = format!("url=http://a.test/{}", "u".repeat(1000));
    for (query, told) in [
        ("url=http://a.test/x", r#"url" value="http://a.test/x" soft=false outcome="done""#),
        ("prefix=http://a.test/", r#"prefix" value="http://a.test/" soft=false outcome="done""#),
        ("tag=t&soft=1", r#"tag" value="t" soft=true outcome="done" reach="this-process""#),
        ("all=1", r#"all" value="1" soft=false outcome="done""#),
        (&format!("tag={forged}"), &escaped.replacen("tag ", "tag\" ", 1)),
        ("tag=%e2%80%ae%c3%a4", r#"value="\u{202e}\u{e4}" soft"#),
        (&long, r#"uuu"(+758 bytes) soft=false outcome="done""#),
        ("url=/x", r#"url" value="/x" soft=false outcome="refused""#),
        ("all=0", r#""-" value="-" soft=false outcome="refused" why="all is 1"#),
    ] {
        purge(&gateway, query).await;
        let line = gateway.audited().await;
        assert!(line.contains(told), "{query}: {line}");
        assert!(line.contains("peer=127.0.0.1:"), "{line}");
        assert!(line.is_ascii() && line.len() < 700, "{line}");
        assert!(!line.contains(SECRET), "{line}");
    }
    // Whoever puts the secret in the wrong place does not find it in the log.
    for wrong in ["Basic ", "Bearer x", ""] {
        let fields = format!("Authorization: {wrong}{SECRET}\r\n");
        gateway.admin_with("POST", "/purge?all=1&soft=1", &fields).await;
        let line = gateway.audited().await;
        assert!(line.contains("WARN") && line.contains(r#"outcome="unauthorised""#), "{line}");
        assert!(line.contains(r#"all" value="1" soft=true"#), "{line}");
        assert!(!line.contains(SECRET), "{line}");
    }
    gateway.admin("POST", &format!("/purge?all=1&secret={SECRET}")).await;
    assert!(!gateway.audited().await.contains(SECRET));
}
