//! Authentication by tokens, at the public layer.

mod jwks;
pub mod tokens;
