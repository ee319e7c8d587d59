//! What an attacker, a neighbour or a fault tries, one rule each.

mod asked;
mod runtimes;
mod whose;
