//! What an attacker, a neighbour or a fault tries, one rule each.

mod asked;
mod named;
mod runtimes;
mod second;
mod whose;
