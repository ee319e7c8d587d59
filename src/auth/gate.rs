//! What a layer does with a request before anybody further in sees it.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};

use crate::auth::challenge::Challenge;
use crate::auth::credentials::token;
use crate::auth::forward::Forwarded;
use crate::auth::jwk::KeySet;
use crate::auth::keys::Refreshed;
use crate::auth::refusal::{Anonymous, Detail, Refusal, RefusalKind};
use crate::auth::token::TokenHeader;
use crate::auth::trusts::{Finding, Trusts};
use crate::auth::verified::Verified;
use crate::clock::Clock;
use crate::head::Principal;

#[derive(Debug)]
pub(crate) struct Gate<C> {
    pub(crate) trusts: Arc<Trusts>,
    pub(crate) needs_token: bool,
    pub(crate) cookie: Option<Arc<str>>,
    pub(crate) forwarded: Forwarded,
    pub(crate) challenge: Challenge,
    pub(crate) clock: C,
}

/// Whether a request may pass.
pub(crate) enum Passage {
    Open,
    Closed(Refusal),
    /// Once the issuer was asked for newer keys than these, it is known.
    Ask(Asked),
}

/// What an issuer is asked.
pub(crate) struct Asked {
    pub(crate) issuer: usize,
    pub(crate) header: TokenHeader,
    /// The keys that were tried.
    pub(crate) tried: Option<KeySet>,
}

impl<C: Clock> Gate<C> {
    /// Takes from a request what says who asks, and lets it pass with what its token says instead.
    pub(crate) fn look_at<B>(&self, request: &mut Request<B>) -> Passage {
        request.extensions_mut().remove::<Verified>();
        request.extensions_mut().remove::<Principal>();
        self.forwarded.clear(request.headers_mut());
        if let Some(realm) = self.challenge.named_realm() {
            request.extensions_mut().insert(realm.clone());
        }
        #[cfg(feature = "tracing")]
        self.trusts.cache_outside().look_at(request);
        self.judge(request, None)
    }

    /// What is known when the issuer was asked: `None` lets the request pass.
    pub(crate) fn look_again<B>(
        &self,
        request: &mut Request<B>,
        issuer: usize,
        tried: Option<&KeySet>,
        refreshed: &Refreshed,
    ) -> Option<Response<&'static str>> {
        let (refusal, retry_after) = match refreshed {
            Refreshed::Unavailable { retry_after } => (Refusal(Detail::Keys), Some(*retry_after)),
            Refreshed::Current(keys) if tried.is_some_and(|tried| tried.is(keys)) => {
                (Refusal(Detail::Signature), None)
            }
            Refreshed::Current(keys) => match self.judge(request, Some((issuer, keys))) {
                Passage::Open => return None,
                Passage::Closed(refusal) => (refusal, None),
                Passage::Ask(_) => (Refusal(Detail::Signature), None),
            },
        };
        Some(self.refused(refusal, retry_after, request))
    }

    fn judge<B>(&self, request: &mut Request<B>, newer: Option<(usize, &KeySet)>) -> Passage {
        let token = match token(request.headers(), self.cookie.as_deref()) {
            Ok(token) => token,
            Err(refusal) if !self.needs_token && refusal.kind() == RefusalKind::NoToken => {
                request.extensions_mut().insert(Anonymous);
                return Passage::Open;
            }
            Err(refusal) => return Passage::Closed(refusal),
        };
        match self.trusts.judge(token, self.clock.now(), newer) {
            Finding::Bad(refusal) => Passage::Closed(refusal),
            Finding::NoKey(issuer, header, tried) => Passage::Ask(Asked { issuer, header, tried }),
            Finding::Good(verified) => match self.forwarded.set(request.headers_mut(), &verified) {
                Err(refusal) => Passage::Closed(refusal),
                Ok(()) => {
                    if let Some(principal) = verified.principal().cloned() {
                        request.extensions_mut().insert(principal);
                    }
                    if let Some(told) = self.forwarded.told() {
                        let told = told.and(request.extensions().get());
                        request.extensions_mut().insert(told);
                    }
                    request.extensions_mut().insert(verified);
                    Passage::Open
                }
            },
        }
    }

    pub(crate) fn refused<B>(
        &self,
        refusal: Refusal,
        retry_after: Option<Duration>,
        request: &Request<B>,
    ) -> Response<&'static str> {
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "tower_keep::auth", reason = refusal.detail(), "request refused");
        self.challenge.response(refusal, retry_after, request.into())
    }
}
