//! Bytes from a store, by what whoever can write to it can do: make up a frame, make up what is in a frame
//! whose sums are right, or change a frame.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use tower_keep::fuzzing::{decoded_again, framed};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const KEY: &[u8] = b"a key";
const RESPONSE: u8 = 0;

fuzz_target!(|input: &[u8]| {
    let [mode, input @ ..] = input else { return };
    match mode % 5 {
        // A response, an index, a root; more of the first.
        kind @ 0..3 => decode_framed(kind, input),
        3 => decode(input),
        _ => {
            let [low, high, bit, head @ ..] = input else { return };
            let Some(mut frame) = framed(KEY, RESPONSE, head, b"a body") else { return };
            let at = usize::from(u16::from_le_bytes([*low, *high])) % frame.len();
            frame[at] ^= 1 << (bit % 8);
            assert!(decoded_again(KEY, &frame).is_none(), "a changed frame is no entry");
        }
    }
});

fn decode_framed(kind: u8, head: &[u8]) {
    let body: &[u8] = if kind == RESPONSE { b"a body" } else { b"" };
    if let Some(frame) = framed(KEY, kind, head, body) {
        decode(&frame);
    }
}

/// What decodes encodes to the same bytes; and nothing takes more memory than is in proportion.
fn decode(bytes: &[u8]) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let again = decoded_again(KEY, bytes);
    let used = MEMORY.peak_usage().saturating_sub(before);
    // A field takes 6 bytes of a frame and more than a hundred of a map; there are at most 512, twice.
    assert!(used <= 16 * bytes.len() + (256 << 10), "{used} bytes for {}", bytes.len());
    if let Some(again) = again {
        assert_eq!(again, bytes, "what decodes encodes to the same bytes");
    }
}
