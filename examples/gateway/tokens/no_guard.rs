//! In a build without tokens: the flags are refused before anything could be guarded.

use tower::Layer;
use tower_keep::cache::Partition;

use super::TokenFlags;
use crate::admin::Figures;

pub(crate) struct Guard {
    pub(crate) partition: Option<Partition>,
    never: std::convert::Infallible,
}

impl Guard {
    pub(crate) fn new(_: TokenFlags) -> Result<Self, String> {
        Err("tokens need a build with --features jwks-client".to_owned())
    }

    pub(crate) fn key_stats(&self) -> Option<Figures> {
        match self.never {}
    }
}

impl<S> Layer<S> for Guard {
    type Service = S;

    fn layer(&self, _: S) -> S {
        match self.never {}
    }
}
