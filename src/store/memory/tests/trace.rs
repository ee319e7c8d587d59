//! Requests as they come: few URLs are asked for often, many once.

/// Which URLs are asked for, one after the other.
pub(super) struct Trace {
    pub(super) name: &'static str,
    pub(super) urls: Vec<u64>,
}

impl Trace {
    /// The URL of rank k is asked for as often as 1 / k^0.9.
    pub(super) fn zipf(requests: usize, urls: usize) -> Self {
        let mut random = Random(1);
        let ranks = Ranks::new(urls);
        Self { name: "zipf", urls: (0..requests).map(|_| ranks.draw(&mut random)).collect() }
    }

    /// The same, but every fifth request is for a URL that is never asked for again.
    pub(super) fn zipf_with_scans(requests: usize, urls: usize) -> Self {
        let mut random = Random(2);
        let ranks = Ranks::new(urls);
        let next = |at: usize| match at % 5 {
            0 => (urls + at) as u64,
            _ => ranks.draw(&mut random),
        };
        Self { name: "zipf with 20 % scans", urls: (0..requests).map(next).collect() }
    }

    /// The same, but ten times on the way other URLs become the popular ones.
    pub(super) fn shifting(requests: usize, urls: usize) -> Self {
        let mut random = Random(3);
        let ranks = Ranks::new(urls);
        let next = |at: usize| {
            let shift = at * 10 / requests * (urls / 20);
            (ranks.draw(&mut random) + shift as u64) % urls as u64
        };
        Self { name: "shifting", urls: (0..requests).map(next).collect() }
    }
}

/// The share of the requests that is for the URLs up to each rank.
struct Ranks(Vec<f64>);

impl Ranks {
    fn new(urls: usize) -> Self {
        let mut sum = 0.0;
        let up_to = (1..=urls).map(|rank| {
            sum += (rank as f64).powf(-0.9);
            sum
        });
        Self(up_to.collect())
    }

    fn draw(&self, random: &mut Random) -> u64 {
        let at = random.share() * self.0[self.0.len() - 1];
        self.0.partition_point(|up_to| *up_to < at) as u64
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    /// At least 0 and less than 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
