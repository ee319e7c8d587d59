//! Expires, Date and Age, however odd they are.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower_keep::test_util::ManualClock;

use super::{Asked, ETAG, NotStored, Reused, SAFE, fate};
use crate::support::{Harness, date_at, response};

#[tokio::test]
async fn c27_expires_less_date_is_the_freshness() {
    let dates = [-1000, -60, 0, 30, 60, 3600].map(date_at);
    let [past, minute_ago, now, soon, minute, hour] = dates.each_ref().map(String::as_str);
    for (expires, date, expected) in [
        (minute, Some(now), Reused(60)),
        (minute, None, Reused(60)),
        // Two digits of a year, and the third form.
        ("Sunday, 13-Sep-20 12:27:40 GMT", None, Reused(60)),
        ("Sun Sep 13 12:27:40 2020", None, Reused(60)),
        // 1999, as 2099 lies more than 50 years ahead.
        ("Monday, 13-Sep-99 12:27:40 GMT", None, NotStored),
        (now, Some(now), NotStored),
        (past, Some(now), NotStored),
        // A Date that is no date, or not there, is the time of receipt (RFC 9110 §6.6.1).
        (minute, Some("yesterday"), Reused(60)),
        // The freshness is 120 s; 60 s have passed already.
        (minute, Some(minute_ago), Reused(60)),
        (soon, Some(past), Reused(30)),
        // A clock that runs ahead of ours: the difference counts, and no age is less than none.
        (hour, Some(minute), Reused(3540)),
        (minute, Some(hour), NotStored),
    ] {
        let mut fields = vec![("expires", expires)];
        fields.extend(date.map(|date| ("date", date)));
        assert_eq!(fate(SAFE, 200, &fields).await, expected, "{fields:?}");
    }
}

#[tokio::test]
async fn c27_an_invalid_expires_is_in_the_past() {
    let (old, minute) = (date_at(-100_000), date_at(60));
    let lower = minute.replace("GMT", "UTC");
    let bad = ["0", "-1", "", " ", "never", "1600000060", "60", &lower, &minute[..20]];
    for expires in bad {
        // Not a heuristic instead, either.
        for policy in [SAFE, SAFE.default_freshness(super::defaults::MINUTE)] {
            let fields = [("expires", expires)];
            assert_eq!(fate(policy.clone(), 200, &fields).await, NotStored, "{expires}");
            let fields = [("expires", expires), ("last-modified", &old)];
            assert_eq!(fate(policy.clone(), 200, &fields).await, Asked, "{expires}");
            let fields = [("expires", expires), ("cache-control", "max-age=60")];
            assert_eq!(fate(policy, 200, &fields).await, Reused(60), "max-age comes first");
        }
    }
    let twice = [("expires", minute.as_str()), ("expires", minute.as_str())];
    assert_eq!(fate(SAFE, 200, &twice).await, NotStored, "a second line makes it invalid");
}

#[tokio::test]
async fn c27_an_expires_in_the_far_future_saturates() {
    for expires in ["Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 2112 00:00:00 GMT"] {
        for date in [date_at(0), "Mon, 01 Jan 0001 00:00:00 GMT".to_owned()] {
            let mut fields = vec![("expires", expires)];
            assert_eq!(fate(SAFE, 200, &fields).await, Reused(1 << 31), "{expires}");
            fields.push(("date", &date));
            let expected = if date.contains("0001") { NotStored } else { Reused(1 << 31) };
            assert_eq!(fate(SAFE, 200, &fields).await, expected, "{fields:?}");
        }
    }
    let early =
        [("expires", "Sat, 01 Jan 0000 00:00:00 GMT"), ("date", "Fri, 31 Dec 9999 23:59:59 GMT")];
    assert_eq!(fate(SAFE, 200, &early).await, NotStored);
}

#[tokio::test]
async fn c27_date_counts_into_the_age_and_never_below_nothing() {
    for (date, expected) in [
        (None, Reused(60)),
        (Some(date_at(0)), Reused(60)),
        (Some(date_at(-20)), Reused(40)),
        (Some(date_at(-60)), NotStored),
        (Some(date_at(-1_600_000_000)), NotStored),
        (Some(date_at(3600)), Reused(60)),
        (Some("Fri, 31 Dec 9999 23:59:59 GMT".into()), Reused(60)),
        (Some("not a date".into()), Reused(60)),
    ] {
        let mut fields = vec![("cache-control", "max-age=60")];
        fields.extend(date.as_deref().map(|date| ("date", date)));
        assert_eq!(fate(SAFE, 200, &fields).await, expected, "{date:?}");
    }
}

#[tokio::test]
async fn c27_a_missing_date_is_the_time_of_receipt() {
    let cache = Harness::always(SAFE, 200, &[("cache-control", "max-age=60")]);
    cache.get("/", &[]).await;
    cache.advance(20);
    assert_eq!(cache.get("/", &[]).await.field("date"), Some(date_at(0).as_str()));
}

#[tokio::test]
async fn c27_age_saturates_and_its_first_member_counts() {
    for (ages, expected, age) in [
        (&["0"][..], Reused(60), "0"),
        (&["20"], Reused(40), "20"),
        (&["020"], Reused(40), "20"),
        (&["59"], Reused(1), "59"),
        (&["60"], NotStored, ""),
        (&["2147483648"], NotStored, ""),
        (&["18446744073709551616"], NotStored, ""),
        (&["99999999999999999999999999999999"], NotStored, ""),
        // RFC 9111 §5.1: the first of a list; what is no number then is ignored.
        (&["20, 5"], Reused(40), "20"),
        (&["20", "5"], Reused(40), "20"),
        (&["5", "99999"], Reused(55), "5"),
        (&["-1"], Reused(60), "0"),
        (&["-99999999999999999999"], Reused(60), "0"),
        (&["1.5"], Reused(60), "0"),
        (&["20s"], Reused(60), "0"),
        (&[""], Reused(60), "0"),
        (&["x, 20"], Reused(60), "0"),
    ] {
        let mut fields = vec![("cache-control", "max-age=60")];
        fields.extend(ages.iter().map(|age| ("age", *age)));
        assert_eq!(fate(SAFE, 200, &fields).await, expected, "{ages:?}");
        if expected != NotStored {
            let cache = Harness::always(SAFE, 200, &fields);
            cache.get("/", &[]).await;
            let hit = cache.get("/", &[]).await;
            assert_eq!(hit.headers.get_all("age").iter().collect::<Vec<_>>(), [age], "{ages:?}");
        }
    }
}

#[tokio::test]
async fn c27_an_age_beyond_all_bounds_never_overflows() {
    let huge = "99999999999999999999";
    let control = format!("max-age={huge}");
    let cache = Harness::always(SAFE, 200, &[("cache-control", &control), ("age", huge), ETAG]);
    cache.get("/", &[]).await;
    for _ in 0..3 {
        let hit = cache.get("/", &[("cache-control", "max-stale")]).await;
        assert_eq!((hit.is_hit(), hit.field("age")), (true, Some("2147483648")));
        assert!(!cache.get("/", &[]).await.is_hit(), "as old as it is long fresh: stale");
        cache.clock.advance(Duration::from_secs(1_000_000_000));
    }
}

/// RFC 9111 §4.2.3: the time that the response took counts, as it may have been made at its beginning.
#[tokio::test]
async fn the_response_delay_counts_into_the_age() {
    let clock = Arc::new(OnceLock::<ManualClock>::new());
    let slow = clock.clone();
    let cache = Harness::new(move |_, _| {
        slow.get().unwrap().advance(Duration::from_millis(7500));
        response(&[("cache-control", "max-age=60"), ("age", "10")], "page")
    });
    assert!(clock.set(cache.clock.clone()).is_ok());
    cache.get("/", &[]).await;
    cache.clock.advance(Duration::from_millis(499));
    assert_eq!(
        cache.get("/", &[]).await.field("age"),
        Some("17"),
        "rounded down, when it is written"
    );
    cache.clock.advance(Duration::from_millis(1));
    assert_eq!(cache.get("/", &[]).await.field("age"), Some("18"));
}
