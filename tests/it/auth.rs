//! Authentication by tokens, at the public layer.

mod choices;
mod differential;
mod jwks;
pub mod tokens;
