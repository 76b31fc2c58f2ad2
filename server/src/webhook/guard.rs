//! Turns addresses that others chose into whether anything may be sent there: to public ones, and to those that the
//! operator allows.
//!
//! Whoever can subscribe chooses where this server sends to, and this server may reach what they cannot: itself, the
//! machines beside it, the address at which a cloud gives out credentials. What a name says counts for nothing here, only
//! the addresses that it leads to.
//!
//! To refuse more: a row in [`NOT_PUBLIC`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;

/// Networks that are not public, of version 4 and, within what is given out at all ([`GLOBAL`]), of version 6.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",        // this host
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // shared by customers of a carrier; one cloud's metadata
    "127.0.0.0/8",      // loopback
    "168.63.129.16/32", // the host of a virtual machine in one cloud
    "169.254.0.0/16",   // link-local; most clouds' metadata
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocols; one cloud's metadata
    "192.0.2.0/24",     // documentation
    "192.88.99.0/24",   // relays to version 6
    "192.168.0.0/16",   // private
    "198.18.0.0/15",    // benchmarks
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, and broadcast
    "2001::/23",        // protocols; tunnels that hold addresses of version 4
    "2001:db8::/32",    // documentation
    "2002::/16",        // tunnels that hold addresses of version 4
    "3fff::/20",        // documentation
];

/// All that is given out of version 6: what lies outside is loopback, private, link-local, multicast, or nobody's.
const GLOBAL: &str = "2000::/3";

/// Addresses of version 6 that stand for one of version 4, which counts instead: mapped ones, and those that a network
/// without version 4 translates.
const EMBEDDING: &[&str] = &["::ffff:0:0/96", "64:ff9b::/96"];

/// What may be sent to.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<Destination>,
}

/// Somewhere that is allowed though it is not public: a network (`10.20.0.0/16`, `fd00::/8`), an address, or a host's name
/// wherever it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub enum Destination {
    /// All addresses of a network.
    Network(#[schemars(with = "String")] Network),
    /// Whatever this name leads to; in lower case.
    Host(String),
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Guard {
    /// Lets through what is public, and `allowed`.
    pub fn new(allowed: Vec<Destination>) -> Self {
        Self { allowed }
    }

    /// Whether anything may be sent to `address`, which the name `host` leads to.
    pub fn lets_through(&self, host: &str, address: IpAddr) -> bool {
        let meant = meant(address);
        is_public(meant)
            || self.allowed.iter().any(|allowed| match allowed {
                Destination::Network(network) => network.holds(address) || network.holds(meant),
                Destination::Host(name) => name.eq_ignore_ascii_case(host),
            })
    }
}

/// The address that is reached in the end.
fn meant(address: IpAddr) -> IpAddr {
    static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| networks(EMBEDDING));
    match address {
        IpAddr::V6(six) if NETWORKS.iter().any(|network| network.holds(address)) => {
            let [.., a, b, c, d] = six.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        other => other,
    }
}

fn is_public(address: IpAddr) -> bool {
    static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| networks(NOT_PUBLIC));
    static GLOBALS: LazyLock<Vec<Network>> = LazyLock::new(|| networks(&[GLOBAL]));
    let is_given_out = address.is_ipv4() || GLOBALS.iter().any(|network| network.holds(address));
    is_given_out && !NETWORKS.iter().any(|network| network.holds(address))
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

impl Network {
    /// Whether an address is one of its own.
    fn holds(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differing = first.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differing = first.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PROBLEM: &str = "a network is an address and its bits, as in `10.20.0.0/16`, or one address";
        let (first, bits) = text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
        let first: IpAddr = first.parse().map_err(|_| PROBLEM)?;
        let most = if first.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| PROBLEM)?;
        if bits > most {
            return Err(PROBLEM);
        }
        Ok(Self { first, bits })
    }
}

impl TryFrom<String> for Destination {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.contains(['/', ':']) || text.parse::<IpAddr>().is_ok() {
            return text.parse().map(Self::Network);
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        if text.is_empty() || !text.chars().all(plain) {
            return Err("a destination is a network, as in `10.20.0.0/16`, an address, or a host's name");
        }
        Ok(Self::Host(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, EMBEDDING, GLOBAL, Guard, NOT_PUBLIC, networks};

    fn guard(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|text| Destination::try_from((*text).to_owned()).unwrap()).collect())
    }

    fn lets_through(allowed: &[&str], host: &str, address: &str) -> bool {
        guard(allowed).lets_through(host, address.parse().unwrap())
    }

    #[test]
    fn every_row_of_the_tables_is_a_network() {
        let rows: Vec<_> = [NOT_PUBLIC, EMBEDDING, &[GLOBAL]].concat();
        assert_eq!(networks(&rows).len(), rows.len());
    }

    #[test]
    fn public_addresses_are_let_through() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(lets_through(&[], "hooks.example", address), "{address}");
        }
    }

    #[test]
    fn what_is_not_public_is_refused_in_every_spelling() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!lets_through(&[], "hooks.example", address), "{address}");
        }
    }

    #[test]
    fn the_operator_allows_networks_addresses_and_names() {
        let table = [
            ("127.0.0.0/8", "localhost", "127.0.0.1", true),
            ("127.0.0.0/8", "localhost", "::ffff:127.0.0.1", true),
            ("127.0.0.0/8", "localhost", "::1", false),
            ("::1", "localhost", "::1", true),
            ("::1", "localhost", "::2", false),
            ("10.20.0.0/16", "inside.example", "10.20.255.1", true),
            ("10.20.0.0/16", "inside.example", "10.21.0.1", false),
            ("10.20.30.40", "inside.example", "10.20.30.40", true),
            ("10.20.30.40", "inside.example", "10.20.30.41", false),
            ("0.0.0.0/0", "inside.example", "10.20.30.41", true),
            ("fd00::/8", "inside.example", "fd12::1", true),
            ("Inside.Example", "inside.example", "10.20.30.40", true),
            ("inside.example", "INSIDE.example", "10.20.30.40", true),
            ("inside.example", "outside.example", "10.20.30.40", false),
        ];
        for (allowed, host, address, expected) in table {
            assert_eq!(lets_through(&[allowed], host, address), expected, "{allowed}: {host} at {address}");
        }
    }

    #[test]
    fn what_is_no_destination_is_named() {
        for bad in ["", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "a b", "*.example", "http://inside.example", "::1/x"] {
            assert!(Destination::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
