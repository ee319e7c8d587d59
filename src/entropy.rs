//! Bytes that nobody can foretell.

use ahash::RandomState;

pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // No entropy from the system: the address space and the hasher's own seed have to do.
        let state = RandomState::new();
        let (one, two) = (state.hash_one(1u8), state.hash_one(2u8));
        bytes = (u128::from(one) << 64 | u128::from(two)).to_le_bytes();
    }
    bytes
}
