//! Addresses and networks.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address, and how many of its bits all that are in it have in common.
///
/// It is read as it is shown, an address and the length of the prefix: `10.0.0.0/8`, `fd00::/8`. An address alone is a network of one.
/// IPv4 addresses that are written as IPv6 ones (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) are IPv4 addresses, here and in all that it is
/// asked about: a listener for both gets to see them so.
///
/// ```
/// use tower_keep::limit::{Network, NetworkErrorKind};
///
/// let inside: Network = "10.0.0.0/8".parse()?;
/// assert!(inside.contains("10.1.2.3".parse().unwrap()));
/// assert!(inside.contains("::ffff:10.1.2.3".parse().unwrap()));
/// assert_eq!("::1".parse::<Network>()?.to_string(), "::1/128");
///
/// let error = "10.1.2.3/8".parse::<Network>().unwrap_err();
/// assert_eq!(error.kind(), NetworkErrorKind::HostBits);
/// assert_eq!(error.to_string(), "the address has bits beyond its prefix: the network is 10.0.0.0/8");
/// # Ok::<(), tower_keep::limit::NetworkError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// None that is IPv4 written as IPv6, and no bits beyond the prefix.
    address: IpAddr,
    prefix_len: u8,
}

impl Network {
    /// The network of this address and so many bits, 32 at most for IPv4 and 128 for IPv6.
    ///
    /// ```
    /// use tower_keep::limit::Network;
    ///
    /// let documentation = Network::new("2001:db8::".parse().unwrap(), 32)?;
    /// assert_eq!(documentation.to_string(), "2001:db8::/32");
    /// # Ok::<(), tower_keep::limit::NetworkError>(())
    /// ```
    ///
    /// # Errors
    /// A prefix that is too long; an address that has bits beyond it.
    pub fn new(address: IpAddr, prefix_len: u8) -> Result<Self, NetworkError> {
        if prefix_len > width(address) {
            return Err(NetworkError(Fault::Prefix));
        }
        let network = Self::around(address, prefix_len);
        match masked(address, prefix_len) == address {
            true => Ok(network),
            false => Err(NetworkError(Fault::HostBits(network))),
        }
    }

    /// That of so many bits in which the address is.
    pub(crate) fn around(address: IpAddr, prefix_len: u8) -> Self {
        let first = masked(address, prefix_len);
        match (first, folded(first)) {
            // What is still IPv4 written as IPv6 has the 96 bits that say so.
            (IpAddr::V6(_), address @ IpAddr::V4(_)) => {
                Self { address, prefix_len: prefix_len.saturating_sub(96) }
            }
            _ => Self { address: first, prefix_len },
        }
    }

    /// That by which a client is counted: its address if that is IPv4, since the next one is another client; else so many bits of it,
    /// since one client has all that begin with them.
    pub(crate) fn of_client(address: IpAddr, ipv6_prefix: u8) -> Self {
        match folded(address) {
            address @ IpAddr::V4(_) => Self { address, prefix_len: 32 },
            address => Self::around(address, ipv6_prefix.min(128)),
        }
    }

    /// Whether the address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = folded(address);
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                masked(address, self.prefix_len) == self.address
            }
            _ => false,
        }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits all that are in it have in common.
    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }
}

impl From<IpAddr> for Network {
    /// This address alone.
    fn from(address: IpAddr) -> Self {
        Self::around(address, width(address))
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// # Errors
    /// What is no address, white space and zones of interfaces (`%eth0`) among it; what [`Network::new`] says.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix_len) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix_len)) => (address, Some(prefix_len)),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError(Fault::Address))?;
        let Some(prefix_len) = prefix_len else { return Ok(address.into()) };
        // One spelling: no sign, and no zeros before it.
        let is_number =
            prefix_len == "0" || prefix_len.starts_with(|c: char| c.is_ascii_digit() && c != '0');
        let prefix_len = prefix_len.parse().ok().filter(|_| is_number);
        Self::new(address, prefix_len.ok_or(NetworkError(Fault::Prefix))?)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}

/// Why something is no network.
///
/// ```
/// use tower_keep::limit::{Network, NetworkErrorKind};
///
/// let error = "10.0.0.0/33".parse::<Network>().unwrap_err();
/// assert_eq!(error.kind(), NetworkErrorKind::Prefix);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Address,
    Prefix,
    /// With the network that was meant, perhaps.
    HostBits(Network),
}

/// The kinds of [`NetworkError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkErrorKind {
    /// What stands there is no address.
    Address,
    /// The length of the prefix is no number, or more than the address has bits.
    Prefix,
    /// The address has bits beyond its prefix. A network that is wider than it looks is not taken for what it may have been meant to be.
    HostBits,
}

impl NetworkError {
    /// What kind of error it is.
    pub fn kind(&self) -> NetworkErrorKind {
        match self.0 {
            Fault::Address => NetworkErrorKind::Address,
            Fault::Prefix => NetworkErrorKind::Prefix,
            Fault::HostBits(_) => NetworkErrorKind::HostBits,
        }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fault::Address => {
                f.write_str("there is no IP address, such as in 10.0.0.0/8 or fd00::/8")
            }
            Fault::Prefix => f.write_str(
                "the length of the prefix is a whole number, at most 32 for IPv4 and 128 for IPv6",
            ),
            Fault::HostBits(network) => {
                write!(f, "the address has bits beyond its prefix: the network is {network}")
            }
        }
    }
}

impl Error for NetworkError {}

/// RFC 4291 §2.5.5.2: an IPv4 address that is written as an IPv6 one is the IPv4 address.
pub(crate) fn folded(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The bits of an address.
fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address without the bits beyond the prefix.
fn masked(address: IpAddr, prefix_len: u8) -> IpAddr {
    let beyond = u32::from(width(address).saturating_sub(prefix_len));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(beyond).unwrap_or(0);
            Ipv4Addr::from(u32::from(address) & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(beyond).unwrap_or(0);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_shown_in_one_spelling() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::1", "::1/128"),
            ("FD00:0:0::/8", "fd00::/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(network(text).to_string(), shown, "{text}");
            assert_eq!(network(shown), network(text));
        }
        assert_eq!(format!("{:?}", network("10.0.0.0/8")), "Network(10.0.0.0/8)");
    }

    #[test]
    fn what_is_no_network_is_an_error_that_says_so() {
        use NetworkErrorKind::{Address, HostBits, Prefix};
        for (text, kind) in [
            ("", Address),
            ("/8", Address),
            ("10.0.0/8", Address),
            ("10.0.0.01", Address),
            (" 10.0.0.0/8", Address),
            ("fe80::1%eth0", Address),
            ("[::1]", Address),
            ("localhost", Address),
            ("10.0.0.0/", Prefix),
            ("10.0.0.0/+8", Prefix),
            ("10.0.0.0/08", Prefix),
            ("10.0.0.0/00", Prefix),
            ("10.0.0.0/8 ", Prefix),
            ("10.0.0.0/8/8", Prefix),
            ("10.0.0.0/33", Prefix),
            ("10.0.0.0/256", Prefix),
            ("::/129", Prefix),
            ("10.0.0.0/255.0.0.0", Prefix),
            ("10.0.0.1/8", HostBits),
            ("128.0.0.0/0", HostBits),
            ("fd00::1/8", HostBits),
            ("::ffff:10.0.0.0/102", HostBits),
            ("::ffff:0.0.0.0/95", HostBits),
            ("::ffff:0.0.0.0/0", HostBits),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err().kind(), kind, "{text}");
        }
        let error = "::ffff:10.1.0.0/104".parse::<Network>().unwrap_err();
        assert!(error.to_string().ends_with("the network is 10.0.0.0/8"), "{error}");
    }

    #[test]
    fn a_network_contains_what_begins_as_it_does_and_nothing_of_the_other_kind() {
        for (text, within, without) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.0", "a00::"),
            ("0.0.0.0/0", "::ffff:1.2.3.4", "::"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("::/0", "::", "::ffff:1.2.3.4"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(network(text).contains(address(within)), "{text} {within}");
            assert!(!network(text).contains(address(without)), "{text} {without}");
        }
    }

    #[test]
    fn clients_are_counted_by_their_address_or_by_what_begins_it() {
        for (client, counted) in [
            ("203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(Network::of_client(address(client), 64), network(counted), "{client}");
        }
        let client = address("2001:db8:1:2ff::1");
        for (prefix, counted) in
            [(56, "2001:db8:1:200::/56"), (255, "2001:db8:1:2ff::1"), (0, "::/0")]
        {
            assert_eq!(Network::of_client(client, prefix), network(counted), "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_network_that_is_read_as_it_is_shown_or_an_error(
            text in "[0-9a-f:./%+ ]{0,24}", bits: u128, is_v4: bool, prefix_len: u8
        ) {
            if let Ok(network) = text.parse::<Network>() {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
            let address: IpAddr = match is_v4 {
                true => Ipv4Addr::from(bits as u32).into(),
                false => Ipv6Addr::from(bits).into(),
            };
            let network = Network::around(address, prefix_len.min(width(address)));
            prop_assert!(network.contains(address) && network.contains(network.address()));
            prop_assert_eq!(Network::new(network.address(), network.prefix_len()), Ok(network));
            prop_assert_eq!(network.to_string().parse(), Ok(network));
        }
    }
}
