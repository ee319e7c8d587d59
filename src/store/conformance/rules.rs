//! The rules that one caller can see.

use std::time::Duration;

use crate::cache::key::CacheKey;
use crate::store::conformance::entries::{index, key, response, root};
use crate::store::conformance::{Bound, Tried};
use crate::store::contract::Store;

pub(super) async fn nothing_is_found_where_nothing_was_put<St: Store>(store: &Tried<St>) {
    let rule = "nothing is found where nothing was put";
    store.expect_none(rule, &key("nothing")).await;
    store.remove(rule, &key("nothing")).await;
    store.expect_none(rule, &key("nothing")).await;
}

/// Stored responses, the indexes that lead to them, and the roots of what is divided.
pub(super) async fn what_was_put_is_found_whole<St: Store>(store: &Tried<St>) {
    let rule = "what was put is found whole";
    let entries = [response(1, 0), response(2, 100), response(3, 70_000), index(4), root(5)];
    for (at, entry) in entries.into_iter().enumerate() {
        let key = key(format!("whole {at}"));
        store.put(rule, &key, entry.clone()).await;
        store.expect(rule, &key, &entry).await;
        store.expect(rule, &key, &entry).await;
        store.remove(rule, &key).await;
    }
}

pub(super) async fn some_of_what_was_put_is_found<St: Store>(store: &Tried<St>) {
    let rule = "some of what was put is found";
    let mut found = false;
    for number in 0..64 {
        let (key, entry) = (key(format!("some {number}")), response(number, 10));
        store.put(rule, &key, entry.clone()).await;
        found |= store.expect(rule, &key, &entry).await;
        store.remove(rule, &key).await;
    }
    assert!(found, "{rule}: of 64 small entries none was there right after its put");
}

pub(super) async fn a_put_takes_the_place_of_what_was_there<St: Store>(store: &Tried<St>) {
    let rule = "a put takes the place of what was there";
    let key = key("place");
    // Longer, shorter, and of another kind.
    for number in 0..20 {
        let entry = match number % 4 {
            0 => response(number, 10),
            1 => response(number, 5000),
            2 => response(number, 100),
            _ => index(number),
        };
        store.put(rule, &key, entry.clone()).await;
        store.expect(rule, &key, &entry).await;
    }
    store.remove(rule, &key).await;
}

pub(super) async fn what_was_removed_is_gone<St: Store>(store: &Tried<St>) {
    let rule = "what was removed is gone";
    let (key, other) = (key("removed"), key("not removed"));
    let kept = response(100, 10);
    store.put(rule, &other, kept.clone()).await;
    for number in 0..4 {
        // Put twice: both are gone then.
        store.put(rule, &key, response(number, 10)).await;
        store.put(rule, &key, response(number + 10, 10)).await;
        store.remove(rule, &key).await;
        store.expect_none(rule, &key).await;
        store.remove(rule, &key).await;
        store.expect_none(rule, &key).await;
        store.expect(rule, &other, &kept).await;
    }
    store.remove(rule, &other).await;
}

/// Keys are compared whole: their last byte counts, their length does, and no byte ends them.
pub(super) async fn keys_are_told_apart<St: Store>(store: &Tried<St>) {
    let rule = "keys are told apart";
    let keys = alike();
    let entries: Vec<_> = (0..keys.len() as u64).map(|number| response(number, 10)).collect();
    for (at, (key, entry)) in keys.iter().zip(&entries).enumerate() {
        store.put(rule, key, entry.clone()).await;
        // Those that are most alike follow each other: a small store has not forgotten them yet.
        for (key, entry) in keys.iter().zip(&entries).take(at + 1).skip(at.saturating_sub(4)) {
            store.expect(rule, key, entry).await;
        }
    }
    for (key, entry) in keys.iter().zip(&entries) {
        store.expect(rule, key, entry).await;
    }
    for (at, removed) in keys.iter().enumerate() {
        store.remove(rule, removed).await;
        for (key, entry) in keys.iter().zip(&entries).skip(at + 1) {
            store.expect(rule, key, entry).await;
        }
        store.expect_none(rule, removed).await;
    }
}

/// An entry that is too long is not kept. It is newer than what lies under its key, which is not found
/// again either.
pub(super) async fn what_is_too_long_leaves_nothing<St: Store>(store: &Tried<St>) {
    let rule = "what is too long leaves nothing, not even what was there before";
    let entry_bytes_max = store.store.entry_bytes_max();
    let Ok(too_long) = usize::try_from(entry_bytes_max) else { return };
    if too_long > TOO_LONG_MAX {
        return;
    }
    let (key, long) = (key("too long"), response(2, too_long));
    assert!(long.bytes() > entry_bytes_max);
    for _ in 0..2 {
        store.put(rule, &key, response(1, 10)).await;
        // It may say so, or not.
        let _ = store.store.put(&key, long.clone(), RETAIN_FOR).await;
        store.expect_none(rule, &key).await;
    }
}

/// Ten times what the store has room for; small entries first, then large ones, then both.
pub(super) async fn the_bound_holds<St: Store>(store: &Tried<St>, bound: Option<Bound<St>>) {
    let rule = "the bound holds";
    let bytes_max = bound.as_ref().map_or(BYTES_MAX_TYPICAL, |bound| bound.bytes_max);
    let large = usize::try_from(bytes_max / 64).unwrap_or(usize::MAX).clamp(64, 1 << 20);
    let mut put = 0;
    for number in 0.. {
        let body_bytes = match put * 4 / bytes_max.max(1) {
            0..4 => large / 16,
            4..20 => large,
            _ if number % 2 == 0 => large,
            _ => large / 16,
        };
        let (key, entry) = (key(format!("bound {number}")), response(number, body_bytes));
        put += entry.bytes() + key.as_bytes().len() as u64;
        store.put(rule, &key, entry.clone()).await;
        store.expect(rule, &key, &entry).await;
        // To ask may take the store long.
        let is_last = put / 10 > bytes_max;
        if let Some(bound) = bound.as_ref().filter(|_| is_last || number % 16 == 0) {
            let bytes = (bound.bytes)(&store.store);
            assert!(bytes <= bytes_max, "{rule}: {bytes} bytes are kept where {bytes_max} may be");
        }
        if is_last {
            break;
        }
    }
}

fn alike() -> Vec<CacheKey> {
    let long = vec![b'x'; 64 << 10];
    let mut longer = long.clone();
    longer.push(b'x');
    let mut other = long.clone();
    if let Some(last) = other.last_mut() {
        *last = b'y';
    }
    let short: [&[u8]; 14] = [
        b"",
        b"\0",
        b"\0\0",
        b"\0a",
        b"a",
        b"a\0",
        b"a\0b",
        b"ab",
        b"aB",
        b"a ",
        b"a/",
        b"../a",
        b"\xff",
        b"\xff\xfe",
    ];
    let mut keys: Vec<_> = short.iter().map(key).collect();
    keys.extend([long, longer, other].iter().map(key));
    // No byte at all: the one key of the suite that is not under its first bytes.
    keys.push(CacheKey::from_bytes(b""));
    keys.extend((0..=255_u8).map(|last| key([b'k', last])));
    keys
}

pub(super) const RETAIN_FOR: Duration = Duration::from_secs(3600);
/// Of a store that did not say.
const BYTES_MAX_TYPICAL: u64 = 1 << 20;
/// A store whose entries may be longer is not asked to refuse one.
const TOO_LONG_MAX: usize = 64 << 20;
