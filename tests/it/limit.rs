//! Rate limits: who is counted together, what is charged, and what the rest is told.

mod addresses;
mod caches;
mod claims_and_routes;
mod clocks;
mod concurrency;
mod costs;
mod failing;
mod grpc;
mod limited;
mod quotas;
mod ready;
mod settling;
mod shadow;
mod support;
mod vectors;
mod whom;
