//! Authentication by tokens, at the public layer.

pub mod tokens;
