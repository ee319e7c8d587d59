//! Several users of one resource under a cache that tells them apart: nobody gets another's content, nor a 304 for a tag
//! that was not his.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_http::compression::CompressionLayer;
use tower_keep::cache::{CacheControl, CacheLayer, CachePolicy, Partition};
use tower_keep::conditional::{ConditionalLayer, Current, EntityTag, EtagLayer};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::{Boxed, boxed};
use crate::support::{Got, Inner, request, response};

const USERS: [&str; 3] = ["ada", "bob", ""];

#[derive(Clone, Copy, Debug)]
enum Telling {
    Partition,
    Private,
    Vary,
}

fn user_of(fields: &http::HeaderMap) -> &str {
    fields.get("authorization").map_or("", |user| user.to_str().unwrap())
}

/// Users differ by what they see alone; in every third state they see the same.
fn page(user: &str, state: usize) -> String {
    let user = if state % 3 == 2 { "all" } else { user };
    format!("{user} sees {}. ", state % 4).repeat(10)
}

fn control(telling: Telling) -> CacheControl {
    let control = match telling {
        Telling::Private => CacheControl::private(),
        Telling::Partition | Telling::Vary => CacheControl::public(),
    };
    control.max_age(Duration::from_secs(60)).stale_while_revalidate(Duration::from_secs(60))
}

struct Users {
    clock: ManualClock,
    state: Arc<AtomicUsize>,
    service: Boxed,
}

impl Users {
    fn new(telling: Telling, is_versioned: bool, is_early: bool) -> Self {
        let (clock, state) = (ManualClock::new(), Arc::new(AtomicUsize::new(0)));
        let (shown, fetched) = (state.clone(), clock.clone());
        let inner = Inner::new(move |request: &Request<Body>, _| {
            if is_early {
                // The longer a fetch takes, the earlier it is begun.
                fetched.advance(Duration::from_secs(1));
            }
            let text = page(user_of(request.headers()), shown.load(Ordering::Relaxed));
            let mut response: Response<Body> = response(&[("content-type", "text/plain")], text);
            let control = http::HeaderValue::from(control(telling));
            response.headers_mut().insert("cache-control", control);
            if let Telling::Vary = telling {
                response.headers_mut().insert("vary", "authorization".parse().unwrap());
            }
            response
        });
        let mut etag = EtagLayer::with_clock(clock.clone());
        if is_versioned {
            let state = state.clone();
            etag = etag.by_version(move |request| {
                let (user, state) = (user_of(request.headers), state.load(Ordering::Relaxed));
                let tag = EntityTag::digest_of([user.as_bytes(), &state.to_be_bytes()]);
                let current = Current::tagged(tag).cache_control(control(telling));
                Some(match telling {
                    Telling::Vary => current.vary(http::header::AUTHORIZATION),
                    Telling::Partition | Telling::Private => current,
                })
            });
        }
        let inner = CompressionLayer::new().layer(etag.layer(inner));
        let inner = boxed(ConditionalLayer::with_clock(clock.clone()).layer(inner));
        let store = MemoryStore::with_bytes_max(1 << 20);
        let mut cache = CacheLayer::with_clock(store, clock.clone());
        let by_user = Partition::header(http::header::AUTHORIZATION);
        let named = Partition::with(|head| Some(user_of(head.headers).as_bytes().to_vec()));
        cache = match telling {
            Telling::Partition => cache.partition_by(named),
            Telling::Private => cache.private_by(by_user),
            Telling::Vary => cache,
        };
        if is_early {
            let policy = CachePolicy::shared();
            cache = cache.policy(policy.early_refresh(100.0));
        }
        Self { clock, state, service: boxed(cache.layer(inner)) }
    }

    async fn get(&self, user: &str, fields: &[(&str, &str)]) -> Got {
        let mut fields = fields.to_vec();
        if !user.is_empty() {
            fields.push(("authorization", user));
        }
        let request = request("GET", "/", &fields);
        Got::read(self.service.clone().oneshot(request).await.unwrap()).await
    }
}

async fn run(telling: Telling, is_versioned: bool, is_early: bool) {
    let users = Users::new(telling, is_versioned, is_early);
    // Which plain content each tag was given for, by user.
    let mut held: HashMap<(&str, String), String> = HashMap::new();
    let mut tags: Vec<String> = Vec::new();
    let mut not_modified = 0;
    for step in 0..400_usize {
        let mixed = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        match mixed % 8 {
            0 => {
                users.state.fetch_add(1, Ordering::Relaxed);
            }
            1 | 2 => {
                users.clock.advance(Duration::from_secs([1, 31, 58, 61, 121][mixed / 8 % 5]));
            }
            _ => {}
        }
        let user = USERS[mixed / 64 % 3];
        let mut fields: Vec<(&str, &str)> = Vec::new();
        if mixed / 256 % 2 == 0 {
            fields.push(("accept-encoding", "gzip"));
        }
        if mixed / 512 % 3 > 0 && !tags.is_empty() {
            fields
                .push(("if-none-match", &tags[tags.len() - 1 - mixed / 2048 % tags.len().min(6)]));
        }
        let got = users.get(user, &fields).await;
        let context =
            format!("{telling:?} {is_versioned} {is_early} {step} {user} {fields:?} {got:?}");
        if got.status == 304 {
            not_modified += 1;
            let tag = got.field("etag").unwrap().trim_start_matches("W/").to_owned();
            // Whatever he lists: with another's tag he has another's content, unless they are the same.
            let mut contents = held.iter().filter(|((_, known), _)| *known == tag);
            let seen: Vec<_> = contents.by_ref().map(|(_, content)| content).collect();
            let his = (0..12).map(|state| page(user, state)).collect::<Vec<_>>();
            assert!(seen.iter().all(|content| his.contains(content)), "{context}");
        } else {
            assert_eq!(got.status, 200, "{context}");
            if got.field("content-encoding").is_none() {
                let his = (0..12).map(|state| page(user, state)).any(|page| page == got.body);
                assert!(his, "{context}");
            }
            let Some(tag) = got.field("etag") else { continue };
            tags.push(tag.to_owned());
            if got.field("content-encoding").is_none() {
                let tag = tag.trim_start_matches("W/").to_owned();
                let known = held.entry((user, tag)).or_insert_with(|| got.body.clone());
                assert_eq!(*known, got.body, "{context}");
            }
        }
        if mixed / 4096 % 2 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(not_modified > 5, "{telling:?} {is_versioned}: {not_modified}");
}

#[tokio::test]
async fn no_user_gets_what_is_anothers() {
    for telling in [Telling::Partition, Telling::Private, Telling::Vary] {
        for is_versioned in [false, true] {
            for is_early in [false, true] {
                run(telling, is_versioned, is_early).await;
            }
        }
    }
}
