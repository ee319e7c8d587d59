//! The lists of names that the stored responses of one core have in common.

use std::sync::{PoisonError, RwLock};

use crate::cache::lines::{Lines, Names};

/// *Invariant*: at most [`LISTS_MAX`], of [`LIST_BYTES_MAX`] each, so that a service whose every answer has other fields costs no more
/// than the sharing.
#[derive(Debug, Default)]
pub(crate) struct SharedNames(RwLock<Vec<Names>>);

impl SharedNames {
    /// Makes the lines share their names with others that have the same, where there is room for that.
    pub(crate) fn share(&self, lines: &mut Lines) {
        if lines.names_bytes() > LIST_BYTES_MAX {
            return;
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|names| lines.share(names)) || known.len() >= LISTS_MAX {
            return;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < LISTS_MAX && !known.iter().any(|names| lines.share(names)) {
            let names = lines.names().clone();
            lines.share(&names);
            known.push(names);
        }
    }
}

const LISTS_MAX: usize = 64;
/// Longer lists are each entry's own, and count as its bytes.
const LIST_BYTES_MAX: usize = 4 << 10;
