//! What a network address leads to.
//!
//! Facts only, from the registries of special-purpose addresses (IANA, RFC 6890 and its updates). What may be connected
//! to is for those who connect: a plugin reaches little, a download reaches what the user typed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// A network behind a provider's translation (RFC 6598); overlay networks use it too.
    Shared,
    /// A host that anybody can reach.
    Public,
    /// Nothing that anybody has a reason to connect to; why, in words.
    Never(&'static str),
}

impl Reach {
    /// What `address` leads to, whatever form it is written in.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

const CREDENTIALS: Reach = Reach::Never("a metadata address; clouds keep credentials there");
const LINK_LOCAL: Reach = Reach::Never("a link-local address; clouds keep credentials there");
const NO_HOST: Reach = Reach::Never("not the address of a host");
const MULTICAST: Reach = Reach::Never("a multicast address");
const RESERVED: Reach = Reach::Never("a broadcast or reserved address");

fn of_v4(address: Ipv4Addr) -> Reach {
    /// Where two large clouds answer with credentials, outside the link-local range.
    const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
    let [first, second, third, _] = address.octets();
    if address.is_loopback() {
        Reach::Loopback
    } else if METADATA.contains(&address) {
        CREDENTIALS
    } else if address.is_link_local() {
        LINK_LOCAL
    } else if address.is_private() {
        Reach::Private
    } else if first == 100 && (64..128).contains(&second) {
        Reach::Shared
    } else if first == 0 {
        NO_HOST
    } else if address.is_multicast() {
        MULTICAST
    } else if first >= 240
        || address.is_documentation()
        || (first == 192 && second == 0 && third == 0)
        || (first == 192 && second == 88 && third == 99)
        || (first == 198 && (second == 18 || second == 19))
    {
        RESERVED
    } else {
        Reach::Public
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    /// The instance metadata service of one large cloud, in the middle of the private range.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    if address.is_loopback() {
        Reach::Loopback
    } else if address == METADATA {
        CREDENTIALS
    } else if address.is_unicast_link_local() {
        LINK_LOCAL
    } else if address.is_unique_local() {
        Reach::Private
    } else if address.is_unspecified() {
        NO_HOST
    } else if address.is_multicast() {
        MULTICAST
    } else if [first, second, third, fourth, fifth, sixth] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // A network without IPv4 translates (RFC 6052): what is reached is the address inside.
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        match of_v4(Ipv4Addr::new(a, b, c, d)) {
            Reach::Public => Reach::Public,
            Reach::Loopback | Reach::Private | Reach::Shared | Reach::Never(_) => RESERVED,
        }
    } else if first & 0xe000 == 0x2000
        // Teredo, benchmarking and the other protocol assignments; documentation, twice; 6to4.
        && !(first == 0x2001 && second < 0x200)
        && !(first == 0x2001 && second == 0xdb8)
        && !(first == 0x3fff && second < 0x1000)
        && first != 0x2002
    {
        Reach::Public
    } else {
        RESERVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str) -> Reach {
        Reach::of(text.parse().unwrap())
    }

    #[test]
    fn hosts_that_anybody_reaches_are_public_in_every_form() {
        for text in
            ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "172.32.0.1", "2001:4860::1"]
        {
            assert_eq!(reach(text), Reach::Public, "{text}");
        }
    }

    #[test]
    fn networks_of_a_house_and_of_a_provider_are_told_apart() {
        for text in ["10.0.0.1", "192.168.1.1", "fd12::1", "::ffff:172.16.0.1"] {
            assert_eq!(reach(text), Reach::Private, "{text}");
        }
        for text in ["100.64.0.1", "100.127.255.255"] {
            assert_eq!(reach(text), Reach::Shared, "{text}");
        }
        assert_eq!(reach("100.128.0.0"), Reach::Public);
    }

    #[test]
    fn what_is_no_host_or_keeps_credentials_is_never_reached() {
        for text in [
            "169.254.169.254",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "::127.0.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(matches!(reach(text), Reach::Never(_)), "{text}");
        }
    }
}
