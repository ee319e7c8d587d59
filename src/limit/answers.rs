//! What clients are told.

use bytes::Bytes;
use http::Response;

use crate::head::RequestHead;
use crate::limit::key::Keyless;
use crate::limit::quota::Quotas;
use crate::limit::refusal::{LimitRefusal, LimitRefusalKind};
use crate::limit::verdict::{Outcome, Verdict};

#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {}

impl Answers {
    pub(crate) fn shows(&self) -> bool {
        false
    }

    pub(crate) fn refusal(&self, quotas: &Quotas, verdict: &Verdict, cost: u64) -> LimitRefusal {
        let kind = match verdict.outcome {
            Outcome::Never => LimitRefusalKind::TooExpensive,
            _ => LimitRefusalKind::QuotaExceeded,
        };
        LimitRefusal { kind, retry_after: verdict.retry_after(quotas, cost) }
    }

    pub(crate) fn refused(
        &self,
        refusal: LimitRefusal,
        _quotas: &Quotas,
        _verdict: &Verdict,
        _request: RequestHead<'_>,
    ) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
        if let Some(after) = refusal.retry_after {
            let secs = after.as_nanos().div_ceil(1_000_000_000).max(1).to_string();
            response.headers_mut().insert("retry-after", secs.parse().unwrap());
        }
        response.extensions_mut().insert(refusal);
        response
    }

    pub(crate) fn keyless(&self, _: Keyless, _: RequestHead<'_>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    }

    pub(crate) fn unavailable(&self, _: RequestHead<'_>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        response
    }

    pub(crate) fn show<B>(&self, _: &mut Response<B>, _: &Quotas, _: &Verdict) {}
}
