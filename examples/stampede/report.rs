//! The figures of a scenario, the table of all, and what it shows.

use std::time::Duration;

use crate::crowd::Answers;
use crate::origin::Origin;

pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) requests: usize,
    pub(crate) calls: usize,
    pub(crate) failures: Vec<String>,
    queue_max: usize,
    /// In order.
    took: Vec<Duration>,
}

impl Figures {
    pub(crate) fn new(name: &'static str, requests: usize, origin: &Origin, all: Answers) -> Self {
        let Answers { mut took, failures } = all;
        took.sort_unstable();
        let (calls, queue_max) = (origin.calls(), origin.queue_max());
        Self { name, requests, calls, failures, queue_max, took }
    }

    /// The least time in which this many of a hundred answers were there.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.took.len() * percent).div_ceil(100);
        self.took.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    fn slowest(&self) -> Duration {
        self.percentile(100)
    }

    fn row(&self) -> [String; COLUMNS] {
        [
            self.name.to_owned(),
            self.requests.to_string(),
            self.calls.to_string(),
            self.slowest().as_millis().to_string(),
            self.percentile(50).as_millis().to_string(),
            self.percentile(99).as_millis().to_string(),
            self.queue_max.to_string(),
        ]
    }
}

pub(crate) fn table(all: &[Figures]) -> String {
    let mut rows = HEAD.map(|row| row.map(str::to_owned)).to_vec();
    rows.extend(all.iter().map(Figures::row));
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule = widths.map(|width| "─".repeat(width));
    rows.insert(HEAD.len(), rule);
    let mut text = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            text += &match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        text.truncate(text.trim_end_matches(' ').len());
        text += "\n";
    }
    text
}

/// One sentence, true whatever the figures are.
pub(crate) fn sentence(without: &Figures, with: &Figures, stale: &Figures) -> String {
    wrapped(&format!(
        "For the same {} requests the origin was called {} without the layer, {} with it and {} with \
         stale-while-revalidate; half of the answers took up to {}, {} and {}, the slowest {}, {} \
         and {}.",
        without.requests,
        times(without.calls),
        times(with.calls),
        times(stale.calls),
        in_words(without.percentile(50)),
        in_words(with.percentile(50)),
        in_words(stale.percentile(50)),
        in_words(without.slowest()),
        in_words(with.slowest()),
        in_words(stale.slowest()),
    ))
}

/// In lines that fit a terminal, which would break them within words.
fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let gap = match width {
            0 => "",
            _ if width + 1 + word.len() > LINE_MAX => "\n",
            _ => " ",
        };
        width = if gap == " " { width + 1 + word.len() } else { word.len() };
        lines += gap;
        lines += word;
    }
    lines
}

fn times(count: usize) -> String {
    match count {
        1 => "once".into(),
        _ => format!("{count} times"),
    }
}

fn in_words(time: Duration) -> String {
    match time.as_millis() {
        0 => "less than 1 ms".into(),
        millis @ 1..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

const LINE_MAX: usize = 80;

const COLUMNS: usize = 7;

const HEAD: [[&str; COLUMNS]; 3] = [
    ["", "", "calls", "slowest", "", "99th", "longest"],
    ["", "", "of the", "answer", "median", "percentile", "queue at"],
    ["scenario", "requests", "origin", "(ms)", "(ms)", "(ms)", "origin"],
];
