//! What goes on, on stderr: a bar drawn over itself on a terminal, a line for each scenario elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// How far a scenario is.
pub(crate) struct State {
    pub(crate) answered: usize,
    pub(crate) requests: usize,
    pub(crate) calls: usize,
    pub(crate) queue: usize,
    pub(crate) elapsed: Duration,
}

pub(crate) struct Progress {
    is_drawn: bool,
    has_color: bool,
    name_width: usize,
}

impl Progress {
    pub(crate) fn new(name_width: usize) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_drawn = std::io::stderr().is_terminal() && !is_dumb;
        Self { is_drawn, has_color: is_drawn && !is_set("NO_COLOR"), name_width }
    }

    /// Draws the bar over the one before.
    pub(crate) fn show(&self, name: &str, state: &State) {
        if self.is_drawn {
            self.write(&format!("\r{}\x1b[K", self.bar(name, state)));
        }
    }

    /// The last of a scenario: it stays.
    pub(crate) fn end(&self, name: &str, state: &State) {
        self.show(name, state);
        let seconds = state.elapsed.as_secs_f64();
        self.write(&match self.is_drawn {
            true => "\n".to_owned(),
            false => format!("{name}: {} answers in {seconds:.1} s\n", state.answered),
        });
    }

    fn bar(&self, name: &str, state: &State) -> String {
        let filled = (WIDTH * state.answered).checked_div(state.requests).unwrap_or(0).min(WIDTH);
        let full = self.colored("36", &"█".repeat(filled));
        let rest = self.colored("2", &"░".repeat(WIDTH - filled));
        let queue_color = if state.queue == 0 { "32" } else { "1;31" };
        let queue = self.colored(queue_color, &format!("{:>4} in line", state.queue));
        let width = self.name_width;
        let (calls, seconds) = (state.calls, state.elapsed.as_secs_f64());
        format!("{name:<width$}  {full}{rest}  {calls:>6} calls  {queue}  {seconds:>5.1} s")
    }

    fn colored(&self, color: &str, text: &str) -> String {
        match self.has_color && !text.is_empty() {
            true => format!("\x1b[{color}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    // `eprint!` panics when nobody reads any more.
    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Of the bar. The whole line fits into 80 columns, since one that wraps cannot be drawn over.
const WIDTH: usize = 16;
