//! The stores: what each of them has to do, and what is particular to one.

#[allow(dead_code, reason = "its `main` is not called here")]
#[path = "../../examples/own_store.rs"]
mod own_store;
mod scans;
mod suite;
mod wrong;
