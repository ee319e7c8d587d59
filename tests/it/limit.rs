//! Rate limiting, at the public layer.

mod addresses;
mod claims_and_routes;
mod support;
mod vectors;
