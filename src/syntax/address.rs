//! Addresses of targets, as `mustdo.toml` writes them.

use std::net::Ipv6Addr;

use thiserror::Error;

use crate::model::Address;

/// What stands for a port that is chosen when the target is started.
pub(super) const PORT: &str = "{port}";

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum AddressError {
    #[error(
        "mustdo speaks HTTP in clear text only: write \"http://…\" and point it at the service behind TLS"
    )]
    NotClearText,
    #[error("a url begins with \"http://\"")]
    Scheme,
    #[error("a url may hold a host, a port and a path, and nothing else")]
    Extra,
    #[error("the host is missing or is no name, IPv4 address or IPv6 address in brackets")]
    Host,
    #[error("the port must be from 1 to 65535, or {{port}} for a free one")]
    Port,
    #[error("the port is missing: write \"HOST:PORT\"")]
    NoPort,
    #[error("the path may hold visible ASCII characters only")]
    Path,
}

/// Reads `http://127.0.0.1:{port}/prefix` into address and prefix. Source: RFC 3986, section 3, without user
/// information, query and fragment; without a port it is 80.
pub(super) fn url(text: &str) -> Result<(Address, String), AddressError> {
    let Some(rest) = text.strip_prefix("http://") else {
        let encrypted = text.starts_with("https://");
        return Err(if encrypted { AddressError::NotClearText } else { AddressError::Scheme });
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') || rest.contains(['?', '#']) {
        return Err(AddressError::Extra);
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AddressError::Path);
    }
    let address = match address(authority) {
        Err(AddressError::NoPort) => Address { host: host(authority)?, port: Some(80) },
        result => result?,
    };
    Ok((address, path.trim_end_matches('/').to_owned()))
}

/// Reads `127.0.0.1:5432`, `[::1]:6379` or `localhost:{port}`.
pub(super) fn address(text: &str) -> Result<Address, AddressError> {
    let (name, port) = match text.rfind(':') {
        Some(colon) if !text[colon..].contains(']') => (&text[..colon], &text[colon + 1..]),
        Some(_) | None => {
            host(text)?;
            return Err(AddressError::NoPort);
        }
    };
    let host = host(name)?;
    if port == PORT {
        return Ok(Address { host, port: None });
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|&port| digits && port != 0).ok_or(AddressError::Port)?;
    Ok(Address { host, port: Some(port) })
}

fn host(text: &str) -> Result<String, AddressError> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(|_| inner.to_owned()).map_err(|_| AddressError::Host);
    }
    let named =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if named { Ok(text.to_owned()) } else { Err(AddressError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: Option<u16>) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn urls_give_host_port_and_prefix() {
        for (text, host, port, prefix) in [
            ("http://127.0.0.1:{port}", "127.0.0.1", None, ""),
            ("http://127.0.0.1:8080/", "127.0.0.1", Some(8080), ""),
            ("http://localhost:1/api/v1/", "localhost", Some(1), "/api/v1"),
            ("http://[::1]:{port}/a", "::1", None, "/a"),
            ("http://shop.test", "shop.test", Some(80), ""),
            ("http://[::1]", "::1", Some(80), ""),
        ] {
            assert_eq!(url(text), Ok((at(host, port), prefix.to_owned())), "{text}");
        }
    }

    #[test]
    fn urls_refuse_what_mustdo_would_not_send() {
        use AddressError::{Extra, Host, NotClearText, Path, Port, Scheme};
        for (text, error) in [
            ("https://127.0.0.1", NotClearText),
            ("127.0.0.1:80", Scheme),
            ("ftp://x", Scheme),
            ("http://", Host),
            ("http://:80", Host),
            ("http://user@host:80", Extra),
            ("http://host:80/?q=1", Extra),
            ("http://host?q", Extra),
            ("http://host:80#a", Extra),
            ("http://host:0", Port),
            ("http://host:65536", Port),
            ("http://host:+80", Port),
            ("http://host:{prt}", Port),
            ("http://{port}:80", Host),
            ("http://::1:80", Host),
            ("http://[::g]:80", Host),
            ("http://a b:80", Host),
            ("http://host:80/a b", Path),
        ] {
            assert_eq!(url(text), Err(error), "{text}");
        }
    }

    #[test]
    fn addresses_need_a_port() {
        assert_eq!(address("127.0.0.1:{port}"), Ok(at("127.0.0.1", None)));
        assert_eq!(address("[::1]:6379"), Ok(at("::1", Some(6379))));
        assert_eq!(address("localhost"), Err(AddressError::NoPort));
        assert_eq!(address("[::1]"), Err(AddressError::NoPort));
        assert_eq!(address("::1"), Err(AddressError::Host));
        assert_eq!(address(""), Err(AddressError::Host));
    }
}
