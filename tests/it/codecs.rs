//! A store that keeps bytes: what comes back from them is what was stored, or a miss.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{Cache, CacheLayer};
use tower_keep::store::{CacheKey, Codec, Entry, Ledger, Store, StoreError};
use tower_keep::test_util::{ManualClock, MemoryLedger};
use twox_hash::XxHash3_64;

use crate::support::{Got, Inner, request, response};

/// Keeps frames, as a store outside this process would.
#[derive(Clone)]
struct Bytewise {
    frames: Arc<Mutex<HashMap<CacheKey, Bytes>>>,
    codec: Codec,
    ledger: Arc<dyn Ledger>,
}

impl Bytewise {
    fn new() -> Self {
        let (codec, ledger) = (Codec::plain(), Arc::new(MemoryLedger::new()));
        Self { frames: Arc::default(), codec, ledger }
    }

    fn change(&self, change: impl Fn(&mut Vec<u8>)) {
        for frame in self.frames.lock().unwrap().values_mut() {
            let mut bytes = frame.to_vec();
            change(&mut bytes);
            *frame = bytes.into();
        }
    }
}

impl Store for Bytewise {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        let frame = self.frames.lock().unwrap().get(key).cloned();
        Ok(frame.and_then(|frame| Entry::decode(key, frame, &self.codec)))
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        let frame = entry.encode(key, &self.codec);
        self.frames.lock().unwrap().insert(key.clone(), frame);
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.frames.lock().unwrap().remove(key);
        Ok(())
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        Some(self.ledger.clone())
    }
}

fn over(store: &Bytewise, inner: Inner) -> Cache<Inner, Bytewise, ManualClock> {
    CacheLayer::with_clock(store.clone(), ManualClock::new()).layer(inner)
}

async fn get(cache: &Cache<Inner, Bytewise, ManualClock>) -> Got {
    Got::read(cache.clone().oneshot(request("GET", "/", &[])).await.unwrap()).await
}

/// Puts this in the place of the one digit in the values of the head, and makes good all that proves it.
fn forge(frame: &mut [u8], digit: u8) {
    let head_bytes = u32::from_le_bytes(frame[12..HEADER_BYTES - 8].try_into().unwrap()) as usize;
    let (head, body) = (HEADER_BYTES..HEADER_BYTES + head_bytes, HEADER_BYTES + head_bytes + 8);
    let at = frame[head.clone()].iter().rposition(|byte| *byte == b'6').unwrap();
    frame[HEADER_BYTES + at] = digit;
    let seed = XxHash3_64::oneshot(&frame[..HEADER_BYTES]);
    let proof = XxHash3_64::oneshot_with_seed(seed, &frame[head.clone()]);
    frame[head.end..body].copy_from_slice(&proof.to_le_bytes());
    let end = frame.len() - 8;
    let of_body = XxHash3_64::oneshot_with_seed(proof, &frame[body..end]);
    frame[end..].copy_from_slice(&of_body.to_le_bytes());
}

/// RFC 9112 §6.3: what follows would be taken for another response.
#[tokio::test]
async fn a_frame_whose_content_length_contradicts_its_body_is_a_miss() {
    for (digit, is_hit) in
        [(b'6', true), (b'2', false), (b'9', false), (b'0', false), (b'x', false)]
    {
        let store = Bytewise::new();
        let fields = [("cache-control", "max-age=100"), ("content-length", "6")];
        let cache =
            over(&store, Inner::new(move |_, call| response(&fields, format!("hello{call}"))));
        get(&cache).await;
        assert!(get(&cache).await.is_hit());
        store.change(|frame| forge(frame, digit));
        let got = get(&cache).await;
        assert_eq!(got.is_hit(), is_hit, "{}: {:?}", digit as char, got.headers);
        assert_eq!(got.field("content-length"), Some("6"), "{}", digit as char);
        assert_eq!(got.body.len(), 6, "{}", digit as char);
    }
}

/// A response of that many fields is stored by a store in this process, so it is by any other.
#[tokio::test]
async fn as_many_field_lines_as_are_stored_come_back_from_bytes() {
    for (lines, is_stored) in [(1, true), (509, true), (FIELDS_MAX, true), (FIELDS_MAX + 1, false)]
    {
        let store = Bytewise::new();
        let inner = Inner::new(move |_, _| {
            let mut response = response(&[("cache-control", "max-age=60")], "hello");
            for number in 1..lines {
                response.headers_mut().append("x-a", number.into());
            }
            response
        });
        let cache = over(&store, inner);
        let values = |got: &Got| {
            let values = got.headers.get_all("x-a").iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let first = get(&cache).await;
        let second = get(&cache).await;
        assert_eq!(second.is_hit(), is_stored, "{lines}: {:?}", first.field("cache-status"));
        assert_eq!(values(&second), values(&first), "{lines}");
        assert_eq!(values(&second).len(), lines - 1);
        assert_eq!(store.frames.lock().unwrap().is_empty(), !is_stored, "nothing lies there");
    }
}

const HEADER_BYTES: usize = 24;
/// Of a response that is stored.
const FIELDS_MAX: usize = 510;
