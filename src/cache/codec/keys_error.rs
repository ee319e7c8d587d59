//! Why secrets cannot be keys.

use std::error::Error;
use std::fmt;

/// Why secrets cannot be the keys of a codec. It shows none of them.
#[derive(Debug)]
pub struct KeysError {
    kind: KeysErrorKind,
}

/// The kinds of wrong keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeysErrorKind {
    /// All bytes of the secret are the same.
    Weak,
    /// Two secrets have the same id.
    Repeated,
    /// There are more than 8.
    TooMany,
    /// The cryptographic library did not take it.
    Refused,
}

impl KeysError {
    pub(super) fn new(kind: KeysErrorKind) -> Self {
        Self { kind }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> KeysErrorKind {
        self.kind
    }
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            KeysErrorKind::Weak => "all bytes of the secret are the same",
            KeysErrorKind::Repeated => "two secrets have the same id",
            KeysErrorKind::TooMany => "there are more than 8 secrets",
            KeysErrorKind::Refused => "the cryptographic library did not take the secret",
        })
    }
}

impl Error for KeysError {}
