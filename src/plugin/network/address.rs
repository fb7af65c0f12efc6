//! Which addresses a plugin may be connected to.
//!
//! Loopback is the normal destination. Addresses of private networks are for users who wrote the address itself into
//! their workspace: a name could begin to resolve to one later. Everything else is refused, above all the link-local
//! addresses behind which clouds keep their credentials.

use std::net::IpAddr;

use crate::model;

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin) enum Reach {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// Never connected to; why, in words.
    Never(&'static str),
}

/// The address as IPv4 where it is an IPv4-mapped one (RFC 4291, 2.5.5.2): both reach the same host.
pub(in crate::plugin) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What `address` leads to, whatever form it is written in.
pub(in crate::plugin) fn reach(address: IpAddr) -> Reach {
    match model::Reach::of(address) {
        model::Reach::Loopback => Reach::Loopback,
        model::Reach::Private => Reach::Private,
        model::Reach::Shared => Reach::Never("on the network of a provider"),
        model::Reach::Public => {
            Reach::Never("a public address; mustdo reaches this machine and private networks only")
        }
        model::Reach::Never(why) => Reach::Never(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach_of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn loopback_is_all_of_127_and_one_of_ipv6() {
        for text in ["127.0.0.1", "127.0.0.2", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(reach_of(text), Reach::Loopback, "{text}");
        }
    }

    #[test]
    fn private_networks_end_where_the_standards_say() {
        for text in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "fc00::1",
            "fdff:ffff::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(reach_of(text), Reach::Private, "{text}");
        }
        for text in
            ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.169.0.0", "fbff::1", "fe00::1"]
        {
            assert!(matches!(reach_of(text), Reach::Never(_)), "{text}");
        }
    }

    #[test]
    fn credentials_of_clouds_are_never_reached() {
        for text in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "100.100.100.200",
            "168.63.129.16",
        ] {
            assert!(matches!(reach_of(text), Reach::Never(_)), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_reached() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "::ffff:0.0.0.0",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "8.8.8.8",
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "2001:db8::1",
            "2606:4700::1111",
            // Other ways to write an IPv4 address inside an IPv6 one: not canonical forms of it, and not loopback.
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fec0::1",
        ] {
            assert!(matches!(reach_of(text), Reach::Never(_)), "{text}");
        }
    }
}
