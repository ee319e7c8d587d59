//! The secret of the admin listener.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use siphasher::sip128::{Hash128, SipHasher24};

/// Not the secret itself, which nothing keeps, but its digest under a key that is made at every start.
///
/// Digests compare in the same time wherever they differ, and who does not know the key cannot bring them
/// near to each other step by step.
pub(crate) struct Secret {
    key: [u8; 16],
    digest: Hash128,
}

impl Secret {
    /// Reads it from a file, without the line end that an editor leaves there.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        // Bounded: it may be a device that never ends.
        let most = BYTES_MAX + LINE_END_BYTES_MAX + 1;
        file.take(most as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        Self::new(bytes.strip_suffix(b"\r").unwrap_or(bytes))
    }

    fn new(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() < BYTES_MIN {
            return Err(format!("the secret is shorter than {BYTES_MIN} bytes"));
        }
        if bytes.len() > BYTES_MAX {
            return Err(format!("the secret is longer than {BYTES_MAX} bytes"));
        }
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err("the secret has bytes other than visible ASCII characters".into());
        }
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| format!("no random bytes: {error}"))?;
        Ok(Self { key, digest: digest(&key, bytes) })
    }

    /// Whether the request carries it as a bearer token (RFC 6750 §2.1), on the only Authorization line.
    pub(crate) fn is_shown_in(&self, fields: &HeaderMap) -> bool {
        let mut lines = fields.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return false;
        };
        let Some((scheme, token)) = line.as_bytes().split_at_checked(SCHEME.len()) else {
            return false;
        };
        // RFC 9110 §11.1: the scheme in any case, then spaces.
        let spaces = token.iter().take_while(|byte| **byte == b' ').count();
        let token = token.get(spaces..).unwrap_or_default();
        scheme.eq_ignore_ascii_case(SCHEME) && spaces > 0 && digest(&self.key, token) == self.digest
    }
}

fn digest(key: &[u8; 16], bytes: &[u8]) -> Hash128 {
    SipHasher24::new_with_key(key).hash(bytes)
}

const SCHEME: &[u8] = b"Bearer";

/// What nobody guesses over a network, if it is random.
const BYTES_MIN: usize = 16;
const BYTES_MAX: usize = 4 << 10;
const LINE_END_BYTES_MAX: usize = 2;
