//! The suite finds what is wrong with a store: each of these breaks one rule.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread::{self, ThreadId};
use std::time::Duration;

use tower_keep::store::conformance::StoreSuite;
use tower_keep::store::{Answer, CacheKey, Entry, Store, StoreError, StoreErrorKind};

/// A map that does one thing wrong.
struct Wrong {
    how: How,
    map: Mutex<HashMap<Vec<u8>, Entry>>,
    /// What each thread saw last.
    seen: Mutex<HashMap<(ThreadId, Vec<u8>), Entry>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Not,
    KeepsNothing,
    KeepsTheOldest,
    CutsKeys,
    EndsKeysAtNul,
    IgnoresCase,
    ForgetsToRemove,
    RefusesToRemoveNothing,
    KeepsTheOldWhereTheNewIsTooLong,
    Grows,
    SaysAbsent,
    EachThreadRemembers,
    Fails,
}

impl Wrong {
    fn name(&self, key: &CacheKey) -> Vec<u8> {
        let bytes = key.as_bytes();
        match self.how {
            How::CutsKeys => bytes[..bytes.len().min(60_000)].to_vec(),
            // Behind the first bytes of all keys of the suite, which have one.
            How::EndsKeysAtNul => {
                let (first, rest) = bytes.split_at(bytes.len().min(23));
                let rest = rest.split(|byte| *byte == 0).next().unwrap();
                [first, rest].concat()
            }
            How::IgnoresCase => bytes.to_ascii_lowercase(),
            _ => bytes.to_vec(),
        }
    }

    fn bytes(&self) -> u64 {
        let map = self.map.lock().unwrap();
        map.iter().map(|(key, entry)| key.len() as u64 + entry.bytes()).sum()
    }
}

impl Store for Wrong {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        match self.how {
            How::Fails => Err(StoreError::new(StoreErrorKind::Unavailable)),
            How::EachThreadRemembers => {
                let mut seen = self.seen.lock().unwrap();
                let place = (thread::current().id(), self.name(key));
                if let Some(found) = self.map.lock().unwrap().get(&place.1) {
                    return Ok(Some(seen.entry(place).or_insert_with(|| found.clone()).clone()));
                }
                Ok(None)
            }
            _ => Ok(self.map.lock().unwrap().get(&self.name(key)).cloned()),
        }
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        let name = self.name(key);
        self.seen.lock().unwrap().remove(&(thread::current().id(), name.clone()));
        let mut map = self.map.lock().unwrap();
        if self.how != How::Grows && map.len() == 300 {
            map.clear();
        }
        match self.how {
            How::KeepsNothing => {}
            How::KeepsTheOldest => _ = map.entry(name).or_insert(entry),
            How::KeepsTheOldWhereTheNewIsTooLong if entry.bytes() > self.entry_bytes_max() => {}
            _ if entry.bytes() > self.entry_bytes_max() => _ = map.remove(&name),
            _ => _ = map.insert(name, entry),
        }
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        let name = self.name(key);
        if self.how == How::ForgetsToRemove {
            return Ok(());
        }
        let removed = self.map.lock().unwrap().remove(&name);
        match self.how {
            How::RefusesToRemoveNothing if removed.is_none() => {
                Err(StoreError::new(StoreErrorKind::Corrupt))
            }
            _ => Ok(()),
        }
    }

    fn get_now(&self, _: &CacheKey) -> Answer {
        if self.how == How::SaysAbsent { Answer::Absent } else { Answer::Later }
    }

    fn entry_bytes_max(&self) -> u64 {
        100_000
    }
}

/// What the suite says of it, up to the first colon.
async fn verdict(how: How) -> String {
    let store = Wrong { how, map: Mutex::default(), seen: Mutex::default() };
    let suite = StoreSuite::new(store).bounded(40_000_000, Wrong::bytes);
    match tokio::spawn(suite.run()).await {
        Ok(()) => String::new(),
        Err(error) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().unwrap();
            text.split(':').next().unwrap().to_owned()
        }
    }
}

#[tokio::test]
async fn the_suite_names_the_rule_that_a_store_breaks() {
    for (how, rule) in [
        (How::Not, ""),
        (How::KeepsNothing, "some of what was put is found"),
        (How::KeepsTheOldest, "a put takes the place of what was there"),
        (How::CutsKeys, "keys are told apart"),
        (How::EndsKeysAtNul, "keys are told apart"),
        (How::IgnoresCase, "keys are told apart"),
        (How::ForgetsToRemove, "what was removed is gone"),
        (How::RefusesToRemoveNothing, "nothing is found where nothing was put"),
        (
            How::KeepsTheOldWhereTheNewIsTooLong,
            "what is too long leaves nothing, not even what was there before",
        ),
        (How::Grows, "the bound holds"),
        (How::SaysAbsent, "what was put is found whole"),
        (How::EachThreadRemembers, "no thread finds what was replaced"),
        (How::Fails, "nothing is found where nothing was put"),
    ] {
        assert_eq!(verdict(how).await, rule, "{how:?}");
    }
}
