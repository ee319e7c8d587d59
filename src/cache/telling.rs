//! How a layer tells requests apart: what makes up the key, and who is kept from whom.

use std::fmt;
use std::sync::Arc;

use http::uri::Scheme;

use crate::cache::key_parts::KeyParts;
use crate::cache::partition::Partition;
use crate::cache::place::{KeyStart, Place};
use crate::digest::Secret;
use crate::fields::survey::Survey;
use crate::head::RequestHead;
use crate::rules::identity;
use crate::rules::policy::Class;
use crate::rules::reason::Reason;

type KeyFn = dyn for<'a> Fn(RequestHead<'a>) -> KeyParts<'a> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Telling {
    /// What the user has set in place of the request's own parts.
    pub(crate) key: Option<Arc<KeyFn>>,
    pub(crate) scope: Arc<str>,
    /// Of scope and scheme: see [`Telling::settled`].
    start: KeyStart,
    pub(crate) scheme: Scheme,
    pub(crate) hosts: Option<Arc<[String]>>,
    pub(crate) partition: Option<Partition>,
}

impl Telling {
    /// By the request's own authority and target, and by nothing else.
    pub(crate) fn new() -> Self {
        Self {
            key: None,
            scope: "".into(),
            start: KeyStart::new("", Scheme::HTTP.as_str()),
            scheme: Scheme::HTTP,
            hosts: None,
            partition: None,
        }
    }

    /// To be called when something was changed.
    pub(crate) fn settled(&mut self) {
        self.start = KeyStart::new(&self.scope, self.scheme.as_str());
    }

    /// What every key begins with.
    pub(crate) fn start(&self) -> &KeyStart {
        &self.start
    }

    /// Where the request's resource lies in the store, or why it has no place there.
    pub(crate) fn place(
        &self,
        request: RequestHead<'_>,
        survey: &Survey<'_>,
        class: Class,
        secret: &Secret,
    ) -> Result<Place, Reason> {
        let parts = self.parts(request);
        let survey = parts.survey(request, survey);
        if let Some(hosts) = &self.hosts {
            let host = parts.host(&self.scheme, &survey).ok_or(Reason::Authority)?;
            if !hosts.contains(&host) {
                return Err(Reason::Host);
            }
        }
        let partition = self.partition.as_ref().and_then(|partition| partition.of(request, secret));
        let kind = [class as u8];
        let division: &[&[u8]] = match &partition {
            Some(partition) => &[&kind, partition],
            None if class == Class::Private => return Err(Reason::NoPartition),
            None => &[],
        };
        parts.place(&self.start, &self.scheme, division, &survey).ok_or(Reason::Authority)
    }

    /// Whether nobody else will be served what is stored for this request.
    pub(crate) fn is_of_one(&self, request: RequestHead<'_>) -> bool {
        let is_by_principal = self.partition.as_ref().is_some_and(Partition::is_by_principal);
        is_by_principal && identity::is_all_that_is_shown(request)
    }

    fn parts<'a>(&self, request: RequestHead<'a>) -> KeyParts<'a> {
        match &self.key {
            None => KeyParts::from(request),
            Some(key) => key(request),
        }
    }

    /// Every place that a write may be about, whoever sends it.
    /// And the scheme that it names, or else the layer's.
    pub(crate) fn written(
        &self,
        request: RequestHead<'_>,
        survey: &Survey<'_>,
    ) -> (Vec<Place>, Scheme) {
        let parts = self.parts(request);
        let survey = parts.survey(request, survey);
        (parts.written(&self.start, &self.scheme, &survey), parts.scheme(&self.scheme))
    }

    /// Scheme, authority (empty where it is not certain) and target of the request.
    pub(crate) fn base(&self, request: RequestHead<'_>) -> (String, String, String) {
        let parts = self.parts(request);
        parts.base(&self.scheme, &parts.survey(request, &Survey::of(request.headers)))
    }

    /// Whether two layers tell the same requests apart.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let same_partition = match (&self.partition, &other.partition) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is(other),
            _ => false,
        };
        let same_key = match (&self.key, &other.key) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same_partition
            && same_key
            && self.scope == other.scope
            && self.scheme == other.scheme
            && self.hosts == other.hosts
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling")
            .field("scope", &self.scope)
            .field("scheme", &self.scheme)
            .field("hosts", &self.hosts)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}
