//! What a run can show to be wrong.

use std::fmt;

#[derive(Debug)]
pub struct Fault {
    pub kind: Kind,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Somebody waits, and nothing will wake them (but, where nobody is slow, a deadline).
    Hang,
    /// It does not come to an end.
    Endless,
    /// A body ended cleanly and was not whole.
    Truncated,
    /// Parts of several bodies, or of none, or another resource's.
    Mixed,
    /// What was said of the length was not so.
    Length,
    /// A client has an error that nothing explains.
    Unexplained,
    /// Served though it was purged.
    Purged,
    /// Something is left when all is over.
    Leaked,
    /// Stored, and should not be; or not, and should.
    Stored,
    /// More calls of the inner service than there is reason for.
    Calls,
}

impl Fault {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}
