//! Random clients of one resource that changes, in every order of the layers: whatever they send, nobody gets what is not
//! his, and no tag stands for two things.

mod model;
mod orders;

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt as _;

use self::model::{Model, Sent};
use self::orders::{Order, orders};
use crate::support::request;

/// Numbers that are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.roll(from.len())) }
    }
}

const CODINGS: [Option<&str>; 8] = [
    None,
    None,
    Some("gzip"),
    Some("gzip"),
    Some("identity"),
    Some("br"),
    Some("gzip;q=0"),
    Some("br, gzip;q=0.5, *;q=0"),
];

/// A request of somebody who has seen some of these tags.
fn draw(dice: &mut Dice, tags: &[String]) -> Sent {
    let method = if dice.roll(5) == 0 { "HEAD" } else { "GET" };
    let mut fields = Vec::new();
    if let Some(Some(coding)) = dice.pick(&CODINGS) {
        fields.push(("accept-encoding", (*coding).to_owned()));
    }
    let name = ["if-none-match", "if-none-match", "if-match", ""][dice.roll(4)];
    if !name.is_empty()
        && let Some(one) = dice.pick(tags)
    {
        let mut list = one.clone();
        if dice.roll(3) == 0 {
            list = format!("{list}, {}", dice.pick(tags).unwrap());
        }
        if dice.roll(12) == 0 {
            list = "*".to_owned();
        }
        fields.push((name, list));
    }
    if dice.roll(2) == 0 {
        let (first, length) = (dice.roll(400), dice.roll(300));
        let range = match dice.roll(5) {
            0 => format!("bytes={first}-"),
            1 => format!("bytes=-{length}"),
            2 => format!("bytes=0-3,{}-{}", first + 9, first + length + 9),
            _ => format!("bytes={first}-{}", first + length),
        };
        fields.push(("range", range));
        if dice.roll(2) == 0
            && let Some(tag) = dice.pick(tags)
        {
            fields.push(("if-range", tag.clone()));
        }
    }
    Sent { method, fields }
}

async fn run(order: &Order, seed: u64, steps: usize) {
    let mut dice = Dice(seed);
    let stack = order.build();
    let mut model = Model::new(order).await;
    for _ in 0..steps {
        match dice.roll(10) {
            0 => model.change(dice.roll(3)),
            1 | 2 => {
                let secs = [1, 20, 45, 61, 100][dice.roll(5)];
                stack.clock.advance(std::time::Duration::from_secs(secs));
                model.pass(secs);
            }
            _ => {}
        }
        let sent = draw(&mut dice, model.tags());
        let fields: Vec<_> =
            sent.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = stack.start(request(sent.method, "/", &fields)).await;
        let (head, bytes) = read(response).await;
        model.hold_to(&format!("{} seed {seed}", order.name), &sent, &head, &bytes);
        // Refreshes in the background come to their end, or not yet.
        if dice.roll(2) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn read(response: Response<Body>) -> (http::response::Parts, Vec<u8>) {
    let (head, body) = response.into_parts();
    (head, body.collect().await.unwrap().to_bytes().to_vec())
}

/// With more seeds than a run of all tests has time for: `TOWER_KEEP_SEEDS=100`.
#[tokio::test]
async fn whatever_clients_send_no_tag_stands_for_two_things() {
    let (seeds, steps) = match std::env::var("TOWER_KEEP_SEEDS") {
        Ok(seeds) => (seeds.parse().unwrap(), 200),
        Err(_) => (3, 80),
    };
    for order in orders() {
        for seed in 0..seeds {
            run(&order, seed, steps).await;
        }
    }
}
