//! What an attacker, a neighbour or a fault tries, one rule each.

mod asked;
mod open;
mod runtimes;
mod whose;
