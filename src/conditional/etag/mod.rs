//! `EtagLayer`: tags for responses that have none.

pub(crate) mod budget;
pub(crate) mod client;
pub(crate) mod future;
mod gathering;
pub(crate) mod layer;
pub(crate) mod service;
