//! The tests of the public layer and of the gateway over sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test may"
)]

mod auth;
mod bodies;
mod bounds;
mod codecs;
mod collapsing;
mod conditional;
mod conditions;
mod cookies;
mod crowding;
mod disclosure;
mod doubles;
mod endless;
mod faults;
mod freshening;
mod gateway;
mod identity;
mod keys;
mod limit;
mod meanwhile;
mod nested_clones;
mod nesting;
mod not_stored;
mod overtaking;
mod properties;
mod protocols;
mod purging;
mod readiness;
mod reuse;
mod scripted;
mod shared_bodies;
mod shortcuts;
mod smoke;
mod stores;
mod storing;
mod support;
mod telling;
mod telling_apart;
mod upgrades;
mod validating;
mod warming;
mod writes;
