//! Tokens and keys.

mod differential;
