//! Which of the fields that matter to a cache a request has, found in one pass: to ask for each by its
//! name would cost more than all the rest of a hit.

use http::header::{HeaderMap, HeaderValue};

/// Which fields a request has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survey<'a> {
    seen: u32,
    host: Sole<'a>,
}

/// A field that may stand in a request once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sole<'a> {
    Absent,
    One(&'a HeaderValue),
    Repeated,
}

/// A field, or some that are looked at together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Seen {
    Authorization,
    CacheControl,
    Connection,
    ContentLength,
    Cookie,
    /// If-None-Match, If-Modified-Since: what the client holds, for the cache to compare.
    Condition,
    Host,
    /// X-HTTP-Method-Override and its kin.
    MethodOverride,
    /// If-Match, If-Unmodified-Since: for the origin to check.
    Precondition,
    Pragma,
    Range,
    /// One that [`SteeringField`](crate::cache::SteeringField) lists, perhaps.
    Steering,
    TransferEncoding,
    Upgrade,
}

impl<'a> Survey<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut survey = Self { seen: 0, host: Sole::Absent };
        for (name, value) in headers {
            let Some(seen) = named(name.as_str().as_bytes()) else { continue };
            survey.seen |= bit(seen);
            if seen == Seen::Host {
                survey.host = match survey.host {
                    Sole::Absent => Sole::One(value),
                    _ => Sole::Repeated,
                };
            }
        }
        survey
    }

    pub(crate) fn has(&self, field: Seen) -> bool {
        self.seen & bit(field) != 0
    }

    /// Whether there is any of these.
    pub(crate) fn has_any(&self, fields: &[Seen]) -> bool {
        fields.iter().any(|field| self.has(*field))
    }

    pub(crate) fn host(&self) -> Sole<'a> {
        self.host
    }
}

const fn bit(field: Seen) -> u32 {
    1 << field as u8
}

/// What a field is to a cache, by its name in lower case. By the length first: that leaves one or two
/// names to compare with.
fn named(name: &[u8]) -> Option<Seen> {
    Some(match name.len() {
        4 if name == b"host" => Seen::Host,
        5 if name == b"range" => Seen::Range,
        6 => match name {
            b"cookie" => Seen::Cookie,
            b"pragma" => Seen::Pragma,
            b"x-host" => Seen::Steering,
            _ => return None,
        },
        7 if name == b"upgrade" => Seen::Upgrade,
        8 if name == b"if-match" => Seen::Precondition,
        9 if name == b"forwarded" => Seen::Steering,
        10 if name == b"connection" => Seen::Connection,
        13 => match name {
            b"authorization" => Seen::Authorization,
            b"cache-control" => Seen::CacheControl,
            b"if-none-match" => Seen::Condition,
            b"x-http-method" => Seen::MethodOverride,
            _ => steering(name)?,
        },
        14 if name == b"content-length" => Seen::ContentLength,
        17 => match name {
            b"if-modified-since" => Seen::Condition,
            b"transfer-encoding" => Seen::TransferEncoding,
            b"x-method-override" => Seen::MethodOverride,
            _ => steering(name)?,
        },
        19 if name == b"if-unmodified-since" => Seen::Precondition,
        22 if name == b"x-http-method-override" => Seen::MethodOverride,
        _ => steering(name)?,
    })
}

/// Perhaps one: all of them begin so, and few others do.
fn steering(name: &[u8]) -> Option<Seen> {
    (name.starts_with(b"x-") || name == b"front-end-https").then_some(Seen::Steering)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn survey(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(line).collect()
    }

    #[test]
    fn every_field_is_seen_by_its_name_and_no_other_is() {
        for (name, field) in [
            ("authorization", Seen::Authorization),
            ("cache-control", Seen::CacheControl),
            ("connection", Seen::Connection),
            ("content-length", Seen::ContentLength),
            ("cookie", Seen::Cookie),
            ("if-none-match", Seen::Condition),
            ("if-modified-since", Seen::Condition),
            ("range", Seen::Range),
            ("host", Seen::Host),
            ("x-http-method-override", Seen::MethodOverride),
            ("x-http-method", Seen::MethodOverride),
            ("x-method-override", Seen::MethodOverride),
            ("if-match", Seen::Precondition),
            ("if-unmodified-since", Seen::Precondition),
            ("pragma", Seen::Pragma),
            ("transfer-encoding", Seen::TransferEncoding),
            ("upgrade", Seen::Upgrade),
        ] {
            let headers = survey(&[(name, "x"), ("accept", "*/*")]);
            let survey = Survey::of(&headers);
            assert_eq!(survey.seen, bit(field), "{name}");
        }
        for name in ["accept", "user-agent", "hosts", "ranges", "if-matches", "x"] {
            let headers = survey(&[(name, "x")]);
            assert_eq!(Survey::of(&headers).seen, 0, "{name}");
        }
    }

    #[test]
    fn the_host_is_known_where_it_stands_once() {
        assert!(matches!(Survey::of(&HeaderMap::new()).host(), Sole::Absent));
        let mut headers = survey(&[("host", "a.test")]);
        assert!(matches!(Survey::of(&headers).host(), Sole::One(host) if host == "a.test"));
        headers.append("host", HeaderValue::from_static("a.test"));
        assert!(matches!(Survey::of(&headers).host(), Sole::Repeated));
    }
}
