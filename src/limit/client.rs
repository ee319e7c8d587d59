//! Where a request comes from, as far as that can be trusted.

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderMap};

use crate::head::RequestHead;
use crate::limit::forwarded::ForwardedIn;
use crate::limit::network::{Network, folded};

/// From which address a client asks: that of the connection, or behind proxies of yours the one that they have written down.
///
/// ```
/// use std::net::SocketAddr;
/// use axum::extract::ConnectInfo;
/// use tonic::transport::server::TcpConnectInfo;
/// use tower_keep::limit::{ClientAddress, ForwardedIn, LimitBy, Network};
///
/// // One for HTTP and for gRPC, behind load balancers in one network.
/// let balancers: Network = "10.0.0.0/8".parse()?;
/// let client = ClientAddress::of_peer(|info: &ConnectInfo<SocketAddr>| info.0.ip())
///     .or_of_peer(|info: &TcpConnectInfo| info.remote_addr().map(|address| address.ip()))
///     .behind([balancers], ForwardedIn::XForwardedFor)
///     .ipv6_prefix(56);
///
/// let mut request = http::Request::get("/").header("x-forwarded-for", "1.2.3.4, 198.51.100.7").body(()).unwrap();
/// request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 50_000))));
/// assert_eq!(client.address_of((&request).into()), Some([198, 51, 100, 7].into()));
///
/// let by_client = LimitBy::client(client);
/// # let _ = by_client;
/// # Ok::<(), tower_keep::limit::NetworkError>(())
/// ```
#[derive(Clone)]
pub struct ClientAddress {
    peers: Vec<Arc<PeerFn>>,
    behind: Option<Behind>,
    ipv6_prefix: u8,
    hops_max: usize,
}

type PeerFn = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

#[derive(Clone, Debug)]
struct Behind {
    proxies: Arc<[Network]>,
    field: ForwardedIn,
}

impl ClientAddress {
    /// The address at the other end of the connection, which the server has put into the request's extensions as a `T`. The function says where
    /// in it: it gives an `IpAddr`, or an `Option` of one where there may be none.
    ///
    /// axum's is `ConnectInfo<SocketAddr>`, and is there if the service was made with `into_make_service_with_connect_info`. tonic's
    /// is `TcpConnectInfo`, or `TlsConnectInfo<TcpConnectInfo>`. A request without has no key.
    pub fn of_peer<T, A>(peer: impl Fn(&T) -> A + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
        A: Into<Option<IpAddr>>,
    {
        let nowhere = Self { peers: Vec::new(), behind: None, ipv6_prefix: 64, hops_max: HOPS_MAX };
        nowhere.or_of_peer(peer)
    }

    /// And where that is not there, another extension: for a limit that several servers share.
    #[must_use]
    pub fn or_of_peer<T, A>(mut self, peer: impl Fn(&T) -> A + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
        A: Into<Option<IpAddr>>,
    {
        let peer = move |extensions: &Extensions| peer(extensions.get::<T>()?).into();
        self.peers.push(Arc::new(peer));
        self
    }

    /// Where the peer is in one of these networks, it is a proxy, and the client is whoever it has written into this field: read from
    /// the right, the first address that is in none of them. If all are, it is the left-most.
    ///
    /// **Each of these proxies must append to the field, or overwrite it**, also where a client has sent one: what it leaves as the client sent it,
    /// the client has chosen, and with it under which key it is counted. And nobody else may send from these networks. A field with one
    /// address, such as `CF-Connecting-IP`, must be overwritten.
    ///
    /// From a peer in none of them the field is not looked at, and no other field ever is. A member that is no address, such as
    /// `unknown`, ends the walk: the client is then the last proxy before it, so that all whom that one does not name are counted together.
    /// So it is after [`hops_max`](Self::hops_max) members, and after 4096 bytes. All lines of the field count, in their order.
    ///
    /// A second call takes the place of the first.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use tower_keep::limit::{ClientAddress, ForwardedIn, Network};
    ///
    /// #[derive(Clone)]
    /// struct Peer(IpAddr);
    ///
    /// let networks: Vec<Network> = vec!["10.0.0.0/8".parse()?, "fd00::/8".parse()?];
    /// let client = ClientAddress::of_peer(|peer: &Peer| peer.0).behind(networks, ForwardedIn::Forwarded);
    /// let from = |peer: &str, field: &str| {
    ///     let mut request = http::Request::get("/").header("forwarded", field).body(()).unwrap();
    ///     request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    ///     client.address_of((&request).into()).unwrap().to_string()
    /// };
    /// assert_eq!(from("10.0.0.1", r#"for="[2001:db8::1]:4711", for=10.0.0.2"#), "2001:db8::1");
    /// assert_eq!(from("10.0.0.1", "for=198.51.100.7, for=unknown"), "10.0.0.1");
    /// assert_eq!(from("203.0.113.9", "for=198.51.100.7"), "203.0.113.9");
    /// # Ok::<(), tower_keep::limit::NetworkError>(())
    /// ```
    #[must_use]
    pub fn behind(
        mut self,
        proxies: impl IntoIterator<Item = Network>,
        field: impl Into<ForwardedIn>,
    ) -> Self {
        self.behind = Some(Behind { proxies: proxies.into_iter().collect(), field: field.into() });
        self
    }

    /// IPv6 addresses that have so many bits in common are counted as one client; 64 unless set, and never more than 128. One
    /// client mostly has a whole /64 to choose from, and many have a /56 or a /48.
    #[must_use]
    pub fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits.min(128);
        self
    }

    /// So many members of the field are read, from the right; 16 unless set.
    #[must_use]
    pub fn hops_max(mut self, members: usize) -> Self {
        self.hops_max = members;
        self
    }

    /// The client's address, for logs and for functions of your own: whole, while a limit counts IPv6 by
    /// [prefix](Self::ipv6_prefix). `None` where the server did not say who the peer is.
    pub fn address_of(&self, request: RequestHead<'_>) -> Option<IpAddr> {
        let peer = self.peers.iter().find_map(|peer| peer(request.extensions))?;
        let peer = folded(peer);
        Some(match &self.behind {
            Some(behind) => behind.client(peer, request.headers, self.hops_max),
            None => peer,
        })
    }

    /// All whose address is in it are counted together.
    pub(crate) fn network_of(&self, request: RequestHead<'_>) -> Option<Network> {
        Some(Network::of_client(self.address_of(request)?, self.ipv6_prefix))
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddress")
            .field("behind", &self.behind)
            .field("ipv6_prefix", &self.ipv6_prefix)
            .field("hops_max", &self.hops_max)
            .finish_non_exhaustive()
    }
}

impl Behind {
    /// Each says who asked it: that is believed as long as the one who says so is trusted.
    fn client(&self, peer: IpAddr, headers: &HeaderMap, hops_max: usize) -> IpAddr {
        let mut client = peer;
        let mut hops = self.field.hops(headers).take(hops_max);
        while self.proxies.iter().any(|network| network.contains(client)) {
            match hops.next() {
                Some(Some(address)) => client = address,
                // There is nothing more, or nothing that can be read.
                _ => break,
            }
        }
        client
    }
}

const HOPS_MAX: usize = 16;
