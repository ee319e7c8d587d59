//! What a reply is worth, by its head. Pure.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::auth::jwks::error::JwksErrorKind;
use crate::fields::cache_control::ResponseDirectives;
use crate::fields::number;

/// What is to be done with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// Its body is read, to at most [`BYTES_MAX`].
    Body,
    /// What is known already is good still (RFC 9110 §15.4.5).
    NotModified,
}

/// Judges a reply. `is_conditional` says whether it was asked with a validator.
pub(super) fn worth(
    status: StatusCode,
    headers: &HeaderMap,
    is_conditional: bool,
) -> Result<Worth, JwksErrorKind> {
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if is_conditional => return Ok(Worth::NotModified),
        // A redirect too: to be asked is what was configured, and nothing that a reply names.
        _ => return Err(JwksErrorKind::Status),
    }
    if !is_json(headers) {
        return Err(JwksErrorKind::ContentType);
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| number::read(length.as_bytes()));
    match length {
        Some(length) if length > BYTES_MAX as u64 => Err(JwksErrorKind::TooLarge),
        _ => Ok(Worth::Body),
    }
}

/// RFC 7517 §8.5.2, RFC 8414 §3.2: one content type, with or without parameters, and no coding of it (RFC 9110 §8.3, §8.4).
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let named = only.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let named = named.trim_ascii();
    let is_known = [&b"application/json"[..], b"application/jwk-set+json"]
        .iter()
        .any(|known| named.eq_ignore_ascii_case(known));
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    is_known && codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// How long a set is good by its reply: what is left of its `max-age` (RFC 9111 §4.2), within bounds. `None` where the reply
/// does not say.
pub(super) fn interval(headers: &HeaderMap) -> Option<Duration> {
    let lifetime = ResponseDirectives::read(headers).max_age?.as_duration();
    let age = headers.get(header::AGE).and_then(|age| number::read(age.as_bytes()));
    let left = lifetime.saturating_sub(Duration::from_secs(age.unwrap_or(0)));
    Some(left.clamp(INTERVAL_MIN, INTERVAL_MAX))
}

/// The validator for the next question (RFC 9110 §8.8.3).
pub(super) fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ETAG).filter(|tag| tag.len() <= VALIDATOR_BYTES_MAX).cloned()
}

pub(super) const BYTES_MAX: usize = 256 << 10;
pub(super) const INTERVAL_MIN: Duration = Duration::from_secs(60);
pub(super) const INTERVAL_MAX: Duration = Duration::from_secs(86_400);
const VALIDATOR_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn of(status: u16, lines: &[(&'static str, &str)]) -> Result<Worth, JwksErrorKind> {
        worth(StatusCode::from_u16(status).unwrap(), &fields(lines), false)
    }

    #[test]
    fn only_a_200_counts() {
        let json = ("content-type", "application/json");
        assert_eq!(of(200, &[json]), Ok(Worth::Body));
        for status in [100, 201, 203, 204, 206, 301, 302, 303, 304, 307, 308, 400, 404, 429, 500] {
            let reply = of(status, &[json, ("location", "https://a.test/")]);
            assert_eq!(reply, Err(JwksErrorKind::Status), "{status}");
        }
    }

    #[test]
    fn a_304_counts_where_a_validator_was_sent() {
        let reply = worth(StatusCode::NOT_MODIFIED, &HeaderMap::new(), true);
        assert_eq!(reply, Ok(Worth::NotModified));
    }

    #[test]
    fn the_content_type_must_be_json() {
        for fine in [
            "application/json",
            "Application/JWK-Set+JSON",
            "application/json;charset=utf-8",
            "application/json ; a=b",
        ] {
            assert_eq!(of(200, &[("content-type", fine)]), Ok(Worth::Body), "{fine}");
        }
        for wrong in [
            "text/html",
            "text/json",
            "application/jsonp",
            "application/json+x",
            "application/jwk+json",
            "",
            "json",
            "text/html;application/json",
            "application/json, text/html",
        ] {
            let reply = of(200, &[("content-type", wrong)]);
            assert_eq!(reply, Err(JwksErrorKind::ContentType), "{wrong}");
        }
        let twice = [("content-type", "application/json"); 2];
        assert_eq!(of(200, &twice), Err(JwksErrorKind::ContentType));
        assert_eq!(of(200, &[]), Err(JwksErrorKind::ContentType));
        let coded = [("content-type", "application/json"), ("content-encoding", "gzip")];
        assert_eq!(of(200, &coded), Err(JwksErrorKind::ContentType));
        let plain = [("content-type", "application/json"), ("content-encoding", "Identity")];
        assert_eq!(of(200, &plain), Ok(Worth::Body));
    }

    #[test]
    fn a_length_over_the_bound_is_refused_at_the_head() {
        let long = |length| {
            let length = ("content-length", length);
            of(200, &[("content-type", "application/json"), length])
        };
        assert_eq!(long("262144"), Ok(Worth::Body));
        assert_eq!(long("262145"), Err(JwksErrorKind::TooLarge));
        assert_eq!(long("18446744073709551615"), Err(JwksErrorKind::TooLarge));
    }

    #[test]
    fn the_interval_is_what_is_left_of_max_age_within_bounds() {
        let secs = |lines: &[_]| interval(&fields(lines)).map(|interval| interval.as_secs());
        for (cache_control, expected) in [
            ("max-age=600", 600),
            ("public, max-age=3600, must-revalidate", 3600),
            ("max-age=60", 60),
            ("max-age=59", 60),
            ("max-age=0", 60),
            ("max-age=x", 60),
            ("max-age=86400", 86_400),
            ("max-age=86401", 86_400),
            ("max-age=99999999999999999999", 86_400),
            ("max-age=900, max-age=300", 300),
        ] {
            let found = secs(&[("cache-control", cache_control)]);
            assert_eq!(found, Some(expected), "{cache_control}");
        }
        let hour = ("cache-control", "max-age=3600");
        assert_eq!(secs(&[hour, ("age", "600")]), Some(3000));
        assert_eq!(secs(&[hour, ("age", "3590")]), Some(60));
        assert_eq!(secs(&[hour, ("age", "99999999999999999")]), Some(60));
        assert_eq!(secs(&[hour, ("age", "-1")]), Some(3600));
        assert_eq!(secs(&[("cache-control", "no-cache"), ("age", "1")]), None);
        assert_eq!(secs(&[]), None);
    }

    #[test]
    fn a_validator_is_short() {
        assert_eq!(validator(&fields(&[("etag", "\"1\"")])).unwrap(), "\"1\"");
        assert_eq!(validator(&fields(&[("etag", &"x".repeat(257))])), None);
    }
}
