//! How quotas stand, as fields of a response: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), and the three
//! that came before them.

use std::cmp::Reverse;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::fields::number;
use crate::limit::policies::{INTEGER_MAX, LINE_BYTES_MAX, Policies};
use crate::limit::quota::Quotas;
use crate::limit::verdict::{Outcome, Standing, Verdict};
use crate::refusing::secs_up;

/// Which fields tell clients how their quotas stand, on responses and refusals alike.
///
/// A line that would be longer than 512 bytes is left out. What a response has of such fields from elsewhere, such as a copy from a cache, is
/// removed; what another limit further in has told stays beside.
///
/// ```
/// use tower_keep::limit::RateLimitFields;
///
/// assert_eq!(RateLimitFields::default(), RateLimitFields::None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateLimitFields {
    /// None. Such fields of others are left as they are.
    #[default]
    None,
    /// `RateLimit-Policy: "api";q=100;w=60` and `RateLimit: "api";r=42;t=35`, with a member for each quota.
    Draft11,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` of the strictest quota: the burst, what is left of it, and the
    /// seconds until it is whole, or in a refusal until the request is admitted.
    Legacy,
    /// All of them.
    Both,
}

/// What there is to tell: how quotas stand after a request of this cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) verdict: &'a Verdict,
    pub(crate) quotas: &'a Quotas,
    pub(crate) cost: u64,
}

/// Whether a limit further out tells of its quotas too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IsWithin(bool);

/// In the extensions of a request, for [`IsWithin`].
#[derive(Clone, Copy)]
struct Around;

/// In the extensions of a response to a limit further out: its fields are of this response, and a limit further in has written them. A copy
/// from a cache has none.
#[derive(Clone, Copy)]
struct Shown {
    /// `RateLimit` and `RateLimit-Policy`: where they are missing, they were too long.
    has_lists: bool,
    is_refused: bool,
}

impl RateLimitFields {
    /// Looks for limits further out, and tells those further in of this one. A request has room for that in most servers, where a response
    /// would need it made.
    pub(crate) fn enter(self, request: &mut Extensions) -> IsWithin {
        IsWithin(self != Self::None && request.insert(Around).is_some())
    }

    /// Writes them. The quotas that are told are those that the policies were made of.
    pub(crate) fn show(
        self,
        policies: &Policies,
        told: Told<'_>,
        is_within: IsWithin,
        fields: &mut HeaderMap,
        extensions: &mut Extensions,
    ) {
        if self == Self::None {
            return;
        }
        let shown = extensions.get::<Shown>().copied();
        if shown.is_none() {
            forget(fields);
        }
        let had_lists = shown.is_some_and(|shown| shown.has_lists);
        let was_refused = shown.is_some_and(|shown| shown.is_refused);
        let has_lists = self != Self::Legacy;
        match (has_lists, had_lists) {
            (true, true) => join(policies, told, fields),
            (true, false) => {
                insert(fields, RATELIMIT_POLICY, policies.line().cloned());
                let mut limit = Line::new();
                told.write_members(policies, &mut limit);
                insert(fields, RATELIMIT, limit.finish());
            }
            (false, _) => {}
        }
        if self != Self::Draft11 && !was_refused {
            told.write_legacy(fields);
        }
        if is_within.0 {
            extensions.insert(Shown {
                has_lists: has_lists || had_lists,
                is_refused: was_refused || told.is_refused(),
            });
        } else if shown.is_some() {
            extensions.remove::<Shown>();
        }
    }
}

/// Removes all that a response says of limits.
pub(crate) fn forget(fields: &mut HeaderMap) {
    let of_limits = |name: &&HeaderName| {
        let name = name.as_str();
        name.starts_with("ratelimit") || name.starts_with("x-ratelimit-")
    };
    let names: Vec<HeaderName> = fields.keys().filter(of_limits).cloned().collect();
    for name in names {
        fields.remove(name);
    }
}

/// What a limit further out says, behind what one further in has said. The same name for two policies would say of each what is true of the
/// other, so the one further out gets a number. Who refuses is in the answer alone, under its own name.
fn join(policies: &Policies, told: Told<'_>, fields: &mut HeaderMap) {
    let lists = [fields.remove(RATELIMIT_POLICY), fields.remove(RATELIMIT)];
    let is_taken = |name: &str| lists.iter().flatten().any(|list| has_member(list, name));
    let renamed = policies.beside(is_taken);
    let policies = renamed.as_ref().unwrap_or(policies);
    let [policy, limit] = lists;
    // R20: where the one further in was too long, the one further out alone would pass for all.
    if let (Some(inner), Some(own)) = (policy, policies.line()) {
        let mut joined = Line::after(&inner);
        joined.push(own.as_bytes());
        insert(fields, RATELIMIT_POLICY, joined.finish());
    }
    if let Some(inner) = limit {
        let mut joined = Line::after(&inner);
        told.write_members(policies, &mut joined);
        insert(fields, RATELIMIT, joined.finish());
    }
}

fn insert(fields: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        fields.insert(name, value);
    }
}

/// Whether a list of ours has a member of this name. A name that ends with what another holds is taken for it, which is to the safe side.
fn has_member(list: &HeaderValue, name: &str) -> bool {
    let mut member = Policies::quote(name);
    member.push(';');
    list.as_bytes().windows(member.len()).any(|part| part == member.as_bytes())
}

impl Told<'_> {
    fn is_refused(self) -> bool {
        self.verdict.outcome() != Outcome::Admitted
    }

    /// Draft 11 §4.1.
    fn write_members(self, policies: &Policies, line: &mut Line) {
        // Draft 11 §6: Retry-After is not earlier than the end of any window.
        let longest = match self.verdict.outcome() {
            Outcome::Refused => self.verdict.retry_after(self.quotas, self.cost),
            _ => None,
        };
        for (at, (name, standing)) in policies.quoted().zip(self.standings()).enumerate() {
            if at > 0 {
                line.push(b", ");
            }
            line.push(name.as_bytes());
            line.push(b";r=");
            let remaining = standing.remaining();
            line.push_number(remaining);
            let window = self.window(standing, remaining);
            let secs = secs_up(longest.map_or(window, |longest| window.min(longest)));
            // A key that has its whole burst has no window.
            if secs > 0 {
                line.push(b";t=");
                line.push_number(secs);
            }
        }
    }

    /// In what time a client may use `r` and go on so for ever (draft 11 §4.1.2): the time in which so much comes back. So `r` in `t` is never
    /// faster than the quota, which the time until the burst is whole would be (§6). Where nothing is left, until there is something.
    fn window(self, standing: Standing<'_>, remaining: u64) -> Duration {
        let wait = if self.is_refused() { standing.retry_after(self.cost) } else { None };
        wait.filter(|wait| !wait.is_zero()).unwrap_or_else(|| match remaining {
            0 => standing.retry_after(1).unwrap_or_default(),
            _ => standing.quota().time_of(remaining).rounded_up(),
        })
    }

    /// Until when the burst is whole, or where this quota refuses, until it admits.
    fn reset(self, standing: Standing<'_>) -> Duration {
        let wait = if self.is_refused() { standing.retry_after(self.cost) } else { None };
        wait.filter(|wait| !wait.is_zero()).unwrap_or_else(|| standing.refill())
    }

    /// Of one quota: the one that refuses for the longest time; else the one that has the fewest units left, since it is the next to refuse. Its
    /// limit is the burst, as that is what remains when the reset has come.
    fn write_legacy(self, fields: &mut HeaderMap) {
        let strictest = match self.is_refused() {
            true => self
                .standings()
                .max_by_key(|standing| standing.retry_after(self.cost).unwrap_or(Duration::MAX)),
            false => self
                .standings()
                .min_by_key(|standing| (standing.remaining(), Reverse(standing.refill()))),
        };
        let Some(strictest) = strictest else { return };
        let remaining = strictest.remaining();
        // Of two limits, the stricter is told.
        let inner = fields.get(X_REMAINING).and_then(|inner| number::read(inner.as_bytes()));
        if inner.is_some_and(|inner| inner <= remaining) {
            return;
        }
        fields.insert(X_LIMIT, number::value(strictest.quota().burst_max()));
        fields.insert(X_REMAINING, number::value(remaining));
        fields.insert(X_RESET, number::value(secs_up(self.reset(strictest))));
    }

    fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        self.verdict.standings(self.quotas)
    }
}

/// A field value of at most [`LINE_BYTES_MAX`].
struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    /// More than there is room for, once something had none.
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; LINE_BYTES_MAX], length: 0 }
    }

    /// For more members of a list.
    fn after(list: &HeaderValue) -> Self {
        let mut line = Self::new();
        line.push(list.as_bytes());
        line.push(b", ");
        line
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.length.saturating_add(part.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(part);
        }
        self.length = end;
    }

    /// An Integer, of 15 digits at most (RFC 9651 §3.3.1).
    fn push_number(&mut self, number: u64) {
        let mut rest = number.min(INTEGER_MAX);
        if let Some(digits) = number::small(rest) {
            return self.push(digits.as_bytes());
        }
        let mut digits = [b'0'; 15];
        let mut begin = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
            begin -= 1;
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(begin..).unwrap_or_default());
    }

    fn finish(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(self.bytes.get(..self.length)?).ok()
    }
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

#[cfg(test)]
mod tests;
