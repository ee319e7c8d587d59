//! Authentication by tokens, at the public layer.

mod choices;
mod jwks;
pub mod tokens;
