//! How a layer tells requests apart: what makes up the key, and who is kept from whom.

use std::fmt;
use std::sync::Arc;

use http::uri::Scheme;

use crate::cache::key::Place;
use crate::cache::key_parts::KeyParts;
use crate::cache::partition::Partition;
use crate::digest::Secret;
use crate::head::RequestHead;
use crate::rules::policy::Class;
use crate::rules::reason::Reason;

type KeyFn = dyn for<'a> Fn(RequestHead<'a>) -> KeyParts<'a> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Telling {
    pub(crate) key: Arc<KeyFn>,
    pub(crate) scope: Arc<str>,
    pub(crate) scheme: Scheme,
    pub(crate) hosts: Option<Arc<[String]>>,
    pub(crate) partition: Option<Partition>,
}

impl Telling {
    /// By the request's own authority and target, and by nothing else.
    pub(crate) fn new() -> Self {
        Self {
            key: Arc::new(|head: RequestHead<'_>| KeyParts::from(head)),
            scope: "".into(),
            scheme: Scheme::HTTP,
            hosts: None,
            partition: None,
        }
    }

    /// Where the request's resource lies in the store, or why it has no place there.
    pub(crate) fn place(
        &self,
        request: RequestHead<'_>,
        class: Class,
        secret: &Secret,
    ) -> Result<Place, Reason> {
        let parts = (self.key)(request);
        if let Some(hosts) = &self.hosts {
            let host = parts.host(&self.scheme).ok_or(Reason::Authority)?;
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
        parts.place(&self.scope, &self.scheme, division).ok_or(Reason::Authority)
    }

    /// Every place that a write may be about, whoever sends it.
    pub(crate) fn written(&self, request: RequestHead<'_>) -> Vec<Place> {
        (self.key)(request).written(&self.scope, &self.scheme)
    }

    /// Scheme, authority (empty where it is not certain) and target of the request.
    pub(crate) fn base(&self, request: RequestHead<'_>) -> (String, String, String) {
        (self.key)(request).base(&self.scheme)
    }

    /// Whether two layers tell the same requests apart.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let same_partition = match (&self.partition, &other.partition) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is(other),
            _ => false,
        };
        same_partition
            && Arc::ptr_eq(&self.key, &other.key)
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
