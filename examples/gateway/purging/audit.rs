//! One line in the log for every purge that was asked for.

use std::fmt;
use std::net::SocketAddr;

use super::Outcome;
use super::ask::{Ask, Problem};

/// Never the secret: neither the fields of the request nor a query that cannot be read are given to this.
pub(super) fn note(peer: SocketAddr, ask: &Result<Ask, Problem>, outcome: &Outcome) {
    let (what, value) = ask.as_ref().map_or(("-", "-"), Ask::name_and_value);
    let soft = ask.as_ref().is_ok_and(|ask| ask.soft);
    let value = OneLine(value);
    let (outcome, why) = match outcome {
        Outcome::Done(reach) => {
            let reach = super::name_of(*reach);
            tracing::info!(target: TARGET, %peer, what, %value, soft, outcome = "done", reach, "purge");
            return;
        }
        Outcome::Unauthorised(..STRANGERS_MAX) => ("unauthorised", ""),
        // Or a stranger fills the disk.
        Outcome::Unauthorised(STRANGERS_MAX) => {
            ("unauthorised", "and no more of these are noted in this second")
        }
        Outcome::Unauthorised(_) => return,
        Outcome::Refused(problem) => ("refused", problem.as_ref()),
        Outcome::TooMany => ("refused", "too many in this second"),
        Outcome::Failed => ("failed", "the store did not carry it out"),
    };
    tracing::warn!(target: TARGET, %peer, what, %value, soft, outcome, why, "purge");
}

/// A value that a client chose, quoted, in ASCII and at a bounded length, so that it can forge no line and no
/// field of one.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        let shown = rest.by_ref().take(CHARS_MAX);
        write!(f, "\"{}\"", shown.flat_map(char::escape_default).collect::<String>())?;
        match rest.as_str().len() {
            0 => Ok(()),
            more => write!(f, "(+{more} bytes)"),
        }
    }
}

const TARGET: &str = "gateway::audit";

/// Lines about requests without the secret, in a second.
const STRANGERS_MAX: u32 = 10;

const CHARS_MAX: usize = 256;
