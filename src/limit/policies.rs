//! The quotas of a layer as policies with names (draft-ietf-httpapi-ratelimit-headers-11 §3).

use std::fmt::Write as _;

use http::HeaderValue;

use crate::limit::quota::{Quota, Quotas};

/// What the costs of a layer count, as `RateLimit-Policy` names it.
///
/// ```
/// use tower_keep::limit::LimitUnit;
///
/// assert_eq!(LimitUnit::default(), LimitUnit::Requests);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitUnit {
    /// Requests, or what they are worth.
    #[default]
    Requests,
    /// Bytes of bodies: `content-bytes`.
    ContentBytes,
}

/// What is the same in all responses: the names, and the line that tells what each allows.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    policies: Vec<Policy>,
    unit: LimitUnit,
    /// `RateLimit-Policy`; `None` where it would be too long (R20).
    line: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
struct Policy {
    quota: Quota,
    name: Box<str>,
    quoted: Box<str>,
}

impl Policies {
    /// The quotas under these names, in their order. Of a name, what a String cannot hold is left out (RFC 9651 §3.3.3), and what is longer
    /// than 64 characters; where nothing is left, and where no name was given, it is made of the quota, such as `100-in-60s`. Of two that are
    /// alike the later gets a number, such as `api-2`.
    pub(crate) fn new<N: AsRef<str>>(quotas: &Quotas, names: &[N], unit: LimitUnit) -> Self {
        let mut policies: Vec<Policy> = Vec::with_capacity(Quotas::MAX);
        for (at, quota) in quotas.as_slice().iter().enumerate() {
            let name = names.get(at).map(|name| clean(name.as_ref()));
            let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| made_of(quota));
            let name = free(name, |name| policies.iter().any(|taken| &*taken.name == name));
            policies.push(Policy::new(*quota, name));
        }
        Self::of(policies, unit)
    }

    fn of(policies: Vec<Policy>, unit: LimitUnit) -> Self {
        let members: Vec<String> = policies.iter().map(|policy| policy.member(unit)).collect();
        let line = members.join(", ");
        let line = Some(line).filter(|line| line.len() <= LINE_BYTES_MAX);
        let line = line.and_then(|line| HeaderValue::try_from(line).ok());
        Self { policies, unit, line }
    }

    /// The same, without any of the names that are taken. `None` if none of these is.
    pub(crate) fn beside(&self, is_taken: impl Fn(&str) -> bool) -> Option<Self> {
        if !self.names().any(&is_taken) {
            return None;
        }
        let mut policies: Vec<Policy> = Vec::with_capacity(self.policies.len());
        for policy in &self.policies {
            let name = free(policy.name.to_string(), |name| {
                let own = || policies.iter().any(|own| &*own.name == name);
                is_taken(name) || own()
            });
            policies.push(Policy::new(policy.quota, name));
        }
        Some(Self::of(policies, self.unit))
    }

    /// The names, in the order of the quotas.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(|policy| &*policy.name)
    }

    /// A name between quotation marks: a String as RFC 9651 §4.1.6 writes it, which is a string of JSON too. Both put a backslash before
    /// `"` and `\`, and before nothing else that is printable.
    pub(crate) fn quote(name: &str) -> String {
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push('"');
        for letter in name.chars() {
            if matches!(letter, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(letter);
        }
        quoted.push('"');
        quoted
    }

    /// The names between quotation marks, in the order of the quotas.
    pub(crate) fn quoted(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(|policy| &*policy.quoted)
    }

    /// `RateLimit-Policy`.
    pub(crate) fn line(&self) -> Option<&HeaderValue> {
        self.line.as_ref()
    }
}

impl Policy {
    fn new(quota: Quota, name: String) -> Self {
        let quoted = Policies::quote(&name).into();
        Self { quota, name: name.into(), quoted }
    }

    /// Draft 11 §3.1.
    fn member(&self, unit: LimitUnit) -> String {
        let (amount, secs) = in_whole_secs(&self.quota);
        let unit = match unit {
            LimitUnit::Requests => "",
            LimitUnit::ContentBytes => ";qu=\"content-bytes\"",
        };
        format!("{};q={amount}{unit};w={secs}", self.quoted)
    }
}

/// `q` and `w`: amount and period, as the quota was set. The burst is not `q`: over a long time the key has the amount for each period,
/// whatever it has at once; that is told by `r`, which is never more than the burst.
///
/// A window is in whole seconds (draft 11 §3.1.3). Where the period is not, it is rounded up, and the amount is what comes back within it,
/// rounded down: 5 in 1.5 s are `q=6;w=2`. So it never tells of more than there is.
fn in_whole_secs(quota: &Quota) -> (u64, u64) {
    let period = quota.period();
    let secs = period.as_secs().saturating_add(u64::from(period.subsec_nanos() > 0));
    let within = u128::from(quota.amount()) * (u128::from(secs) * 1_000_000_000);
    let amount = within / period.as_nanos().max(1);
    (u64::try_from(amount).unwrap_or(u64::MAX).min(INTEGER_MAX), secs.min(INTEGER_MAX))
}

/// A name that tells one quota from all others.
fn made_of(quota: &Quota) -> String {
    let nanos = quota.period().as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let whole = units.into_iter().find(|(unit, _)| nanos.is_multiple_of(*unit));
    let (unit, letters) = whole.unwrap_or((1, "ns"));
    let mut name = format!("{}-in-{}{letters}", quota.amount(), nanos / unit);
    if quota.burst_max() != quota.amount() {
        // Writing to a String cannot fail.
        let _ = write!(name, "-burst-{}", quota.burst_max());
    }
    name
}

/// RFC 9651 §3.3.3: a String holds printable ASCII alone.
fn clean(name: &str) -> String {
    name.chars().filter(|letter| (' '..='~').contains(letter)).take(NAME_LETTERS_MAX).collect()
}

/// The name, with a number where it is taken. Each that is taken is one of finitely many.
fn free(name: String, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(&name) {
        return name;
    }
    let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
    numbered.into_iter().find(|name| !is_taken(name)).unwrap_or(name)
}

/// The longest line that is shown (R20).
pub(crate) const LINE_BYTES_MAX: usize = 512;
/// RFC 9651 §3.3.1: an Integer has at most 15 digits.
pub(crate) const INTEGER_MAX: u64 = 999_999_999_999_999;
const NAME_LETTERS_MAX: usize = 64;

#[cfg(test)]
mod tests;
