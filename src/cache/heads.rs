//! The heads that a thread sent last, to be sent again.
//!
//! To put the head of a stored response together takes more than all the rest of a hit, and what many ask
//! for at a time is the same from one request to the next: its Age and Cache-Status change once a second.

use std::cell::RefCell;

use http::header::{self, HeaderMap};

use crate::cache::entry::EntryMeta;
use crate::cache::finish::CACHE_STATUS;
use crate::fields::cache_status::{CacheName, Member};
use crate::fields::number;
use crate::rules::present::not_modified;
use crate::time::DeltaSeconds;

/// The head of a fresh stored response of this age, as it is sent under the name that the cache has in
/// Cache-Status.
pub(crate) fn fresh(
    stored: &EntryMeta,
    is_not_modified: bool,
    age: u32,
    cache: Option<&CacheName>,
) -> HeaderMap {
    let (entry, cache_id) = (stored.id, cache.map_or(0, CacheName::id));
    let sent = Sent { entry, is_not_modified, cache: cache_id, age };
    // A place each for the whole and for the 304: of one that is popular both are sent in turn.
    let at = (entry.wrapping_mul(2) | u64::from(is_not_modified)) % HEADS_MAX as u64;
    let at = at as usize;
    let kept = HEADS.try_with(|heads| {
        let heads = heads.borrow();
        let (kept, head) = heads.get(at)?.as_ref()?;
        (*kept == sent).then(|| head.clone())
    });
    if let Ok(Some(head)) = kept {
        return head;
    }
    let mut head = match is_not_modified {
        true => not_modified(&stored.lines),
        false => stored.lines.to_map(),
    };
    add(&mut head, stored, age, cache);
    if stored.lines.bytes() > HEAD_BYTES_MAX {
        return head;
    }
    let _ = HEADS.try_with(|heads| {
        let mut heads = heads.borrow_mut();
        heads.resize_with(HEADS_MAX, || None);
        if let Some(slot) = heads.get_mut(at) {
            *slot = Some((sent, head.clone()));
        }
    });
    head
}

fn add(head: &mut HeaderMap, stored: &EntryMeta, age: u32, cache: Option<&CacheName>) {
    head.insert(header::AGE, number::value(u64::from(age)));
    if let Some(cache) = cache {
        let left = DeltaSeconds::from_duration(stored.lifetime).as_secs();
        let status = Member::new(cache).flag("hit").int("ttl", i64::from(left) - i64::from(age));
        // RFC 9211 §2: behind those of caches further in.
        head.append(CACHE_STATUS, status.finish());
    }
}

/// All that a head depends on.
#[derive(Clone, Copy, PartialEq)]
struct Sent {
    entry: u64,
    is_not_modified: bool,
    cache: u64,
    age: u32,
}

thread_local! {
    // Of the thread, so that threads which send the same do not meet in it.
    static HEADS: RefCell<Vec<Option<(Sent, HeaderMap)>>> = const { RefCell::new(Vec::new()) };
}

/// A head with more in it is put together each time.
const HEAD_BYTES_MAX: usize = 2 << 10;
/// So many, of some three kilobytes each at most, for every thread that serves.
const HEADS_MAX: usize = 64;
