//! The rules of RFC 9111 as pure functions: facts, stored metadata and a moment in, a decision with its
//! reason out. One file per section; no clock, no I/O, no locks.

pub(crate) mod freshness;
pub(crate) mod identity;
pub(crate) mod invalidate;
pub(crate) mod partial;
pub(crate) mod parts;
pub(crate) mod policy;
pub(crate) mod precondition;
pub(crate) mod present;
pub(crate) mod reason;
pub(crate) mod request;
pub(crate) mod reuse;
pub(crate) mod storable;
pub(crate) mod stored_fields;
pub(crate) mod tags;
pub(crate) mod validate;
