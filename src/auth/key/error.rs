//! Why a key is not taken.

use std::error::Error;
use std::fmt;

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(pub(crate) KeyErrorKind);

/// The kinds of what is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// It is not what a key of its type is: a member is missing, of another type, or of another length.
    Malformed,
    /// Its algorithm is not known, or does not go with its type.
    Algorithm,
    /// It is not for verifying signatures.
    Use,
    /// It can be guessed or computed, or is of a kind that often can: too short or too long, of an odd exponent, or made by a
    /// generator that is known to be broken.
    Weak,
    /// It is a private key. Whoever verifies needs none.
    Private,
    /// It is in a format that is not read here, such as a certificate; or there are several keys where one is asked for, or a
    /// public key in place of a secret.
    Format,
    /// The set has secrets beside public keys, one id twice, or is too large.
    Set,
}

impl KeyError {
    /// What is wrong.
    pub fn kind(&self) -> KeyErrorKind {
        self.0
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            KeyErrorKind::Malformed => "the key is malformed",
            KeyErrorKind::Algorithm => {
                "the key is of an algorithm that is not known or does not go with it"
            }
            KeyErrorKind::Use => "the key is not for verifying signatures",
            KeyErrorKind::Weak => "the key is too weak",
            KeyErrorKind::Private => "the key is a private one",
            KeyErrorKind::Format => "it is not one key in a format that is read here",
            KeyErrorKind::Set => {
                "the set mixes secrets and public keys, has one id twice, or is too large"
            }
        })
    }
}

impl Error for KeyError {}
