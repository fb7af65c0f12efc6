//! Where a connection may lead.

use std::net::IpAddr;

use crate::model::Reach;

/// What was decided with the first connection, and holds for all that follow from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Journey {
    /// Whether the user gave a digest: then nobody on the way can change what arrives.
    pinned: bool,
    /// What the first connection led to.
    first: Option<Reach>,
    /// What the last one led to, where it names the next.
    last: Option<Reach>,
    /// Whether the last one was encrypted.
    encrypted: bool,
}

impl Journey {
    pub(super) fn new(pinned: bool) -> Self {
        Self { pinned, ..Self::default() }
    }

    /// Whether one of the addresses of the next host may be connected to, and why not. What the user typed may lead
    /// anywhere but to [`Reach::Never`]; what follows from it leads to a public address or stays in the same kind of
    /// network: a server on the internet must not be able to use this machine against its own neighbours.
    pub(super) fn judge(&self, address: IpAddr, encrypted: bool) -> Result<Reach, String> {
        let reach = Reach::of(address);
        if let Reach::Never(why) = reach {
            return Err(format!("{address}, {why}"));
        }
        for from in [self.first, self.last].into_iter().flatten() {
            if reach != Reach::Public && reach != from {
                return Err(format!(
                    "{address}, {}, and was named by a server {}",
                    place(reach),
                    place(from)
                ));
            }
        }
        if !encrypted && self.encrypted {
            return Err(format!("{address} without encryption, named by an encrypted server"));
        }
        Ok(reach)
    }

    /// Whether what is asked of such a host without encryption can be believed.
    pub(super) fn believes_plain(&self, reach: Reach) -> bool {
        self.pinned || reach == Reach::Loopback
    }

    /// Remembers a connection.
    pub(super) fn went(&mut self, reach: Reach, encrypted: bool) {
        self.first.get_or_insert(reach);
        self.last = Some(reach);
        self.encrypted = encrypted;
    }

    /// Goes back to what the user typed: nobody names the next host. Its name must still lead to the same kind of place.
    pub(super) fn restart(&mut self) {
        self.last = None;
        self.encrypted = false;
    }
}

fn place(reach: Reach) -> &'static str {
    match reach {
        Reach::Loopback => "on this machine",
        Reach::Private => "on a private network",
        Reach::Shared => "on a provider's network",
        Reach::Public => "on the internet",
        Reach::Never(why) => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(journey: &Journey, address: &str, encrypted: bool) -> bool {
        journey.judge(address.parse().unwrap(), encrypted).is_ok()
    }

    fn after(address: &str, encrypted: bool) -> Journey {
        let mut journey = Journey::new(false);
        let reach = journey.judge(address.parse().unwrap(), encrypted).unwrap();
        journey.went(reach, encrypted);
        journey
    }

    #[test]
    fn what_was_typed_leads_anywhere_but_to_credentials() {
        let start = Journey::new(false);
        for address in ["127.0.0.1", "10.0.0.1", "100.64.0.1", "8.8.8.8", "::1", "2606:4700::1111"] {
            assert!(may(&start, address, true), "{address}");
        }
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "fd00:ec2::254", "224.0.0.1"]
        {
            assert!(!may(&start, address, true), "{address}");
        }
    }

    #[test]
    fn internet_leads_into_no_house() {
        let public = after("8.8.8.8", true);
        assert!(may(&public, "1.1.1.1", true));
        for address in
            ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "192.168.1.1", "fd12::1", "100.64.0.1"]
        {
            assert!(!may(&public, address, true), "{address}");
        }
    }

    #[test]
    fn houses_lead_to_themselves_and_to_the_internet() {
        for (from, to, refused) in
            [("127.0.0.1", "127.0.0.2", "10.0.0.1"), ("10.0.0.1", "192.168.1.1", "127.0.0.1")]
        {
            let journey = after(from, true);
            assert!(may(&journey, to, true) && may(&journey, "8.8.8.8", true));
            assert!(!may(&journey, refused, true) && !may(&journey, "169.254.169.254", true));
        }
    }

    #[test]
    fn house_is_not_entered_over_the_internet() {
        let mut journey = after("127.0.0.1", false);
        journey.went(Reach::Public, true);
        assert!(!may(&journey, "127.0.0.1", true));
        // What the user typed is not named by the server that came before.
        journey.restart();
        assert!(may(&journey, "127.0.0.1", false));
        let mut public = after("8.8.8.8", true);
        public.restart();
        assert!(!may(&public, "127.0.0.1", true));
    }

    #[test]
    fn encryption_is_never_given_up() {
        assert!(!may(&after("8.8.8.8", true), "8.8.8.8", false));
        assert!(may(&after("127.0.0.1", false), "8.8.8.8", true));
        assert!(!Journey::new(false).believes_plain(Reach::Public));
        assert!(!Journey::new(false).believes_plain(Reach::Private));
        assert!(Journey::new(false).believes_plain(Reach::Loopback));
        assert!(Journey::new(true).believes_plain(Reach::Public));
    }
}
