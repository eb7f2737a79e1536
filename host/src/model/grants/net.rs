//! HTTP requests, sockets and look-ups.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::GrantError;
use super::address::{Network, Reach};

/// Longest name of a host, in bytes, as DNS has it.
const HOST_BYTES: usize = 253;
/// Methods that one grant may name.
const METHODS: usize = 32;

/// Which hosts: a name, an address, all names below one (`*.example.org`), or any (`*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Any name or address.
    Any,
    /// The names below this one, not itself.
    Below(String),
    /// This name.
    Name(String),
    /// This address.
    Address(IpAddr),
}

impl HostPattern {
    /// Whether `host` is one of those meant: a name as it stands in a URL, or an address, one of IPv6 with or without its
    /// brackets.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let address = host.parse::<IpAddr>().ok();
        match self {
            Self::Any => true,
            Self::Address(own) => address.is_some_and(|address| address.to_canonical() == *own),
            Self::Name(own) => host.eq_ignore_ascii_case(own),
            Self::Below(own) => {
                let at = host.len().checked_sub(own.len() + 1);
                at.is_some_and(|at| {
                    at > 0 && host.is_char_boundary(at) && {
                        let (_, rest) = host.split_at(at);
                        rest.starts_with('.') && rest[1..].eq_ignore_ascii_case(own)
                    }
                })
            }
        }
    }
}

impl FromStr for HostPattern {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let bad = |why: &str| Err(GrantError::of(text, why));
        if text == "*" {
            return Ok(Self::Any);
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text.contains(['/', ':', '@']) {
            return bad("is more than a host: its scheme and port go into keys of their own");
        }
        if !text.is_ascii() {
            return bad("is not ASCII; write such a name as DNS has it (xn--…)");
        }
        if name.len() > HOST_BYTES || !name.split('.').all(label) {
            return bad("is no name of a host, no address, and neither `*.NAME` nor `*`");
        }
        // `127.1` and `0x7f000001` are addresses to a resolver.
        if name
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x"))
        {
            return bad("ends like an address and is none");
        }
        let name = name.to_ascii_lowercase();
        Ok(if below { Self::Below(name) } else { Self::Name(name) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// HTTP requests to one host, or to hosts alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// Which hosts.
    pub host: HostPattern,
    /// On which port.
    pub port: u16,
    /// Whether in the clear (`http`), or over TLS (`https`): never both.
    pub tls: bool,
    /// Methods, in capitals; `*` is any.
    pub methods: Vec<String>,
    /// Whether the name may lead into a private network. To this machine and its link only `localhost` leads, and an
    /// address that is granted as such.
    pub private: bool,
}

impl HttpGrant {
    /// `https` on its port, to public addresses.
    ///
    /// # Errors
    /// If there is no method, there are more than 32, or one is not in capitals.
    pub fn new(host: HostPattern, methods: Vec<String>) -> Result<Self, GrantError> {
        let token = |method: &String| {
            method == "*"
                || ((1..=32).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'))
        };
        if methods.is_empty() || methods.len() > METHODS {
            return Err(GrantError::of("methods", format!("has {} entries; expected 1 to {METHODS}", methods.len())));
        }
        if let Some(bad) = methods.iter().find(|method| !token(method)) {
            return Err(GrantError::of(bad, "is no method, such as \"GET\", and not \"*\""));
        }
        Ok(Self { host, port: 443, tls: true, methods, private: false })
    }

    /// Whether it is about such a request, wherever the host's name leads.
    #[must_use]
    pub fn allows(&self, method: &str, tls: bool, host: &str, port: u16) -> bool {
        self.tls == tls
            && self.port == port
            && self.host.matches(host)
            && self.methods.iter().any(|own| own == "*" || own == method)
    }

    /// Whether `host`, which it is about, may lead to `address`.
    #[must_use]
    pub fn leads_to(&self, host: &str, address: IpAddr) -> bool {
        match (&self.host, Reach::of(address)) {
            (_, Reach::Public) => true,
            (HostPattern::Address(own), _) => *own == address.to_canonical(),
            (_, Reach::Private) => self.private,
            (HostPattern::Name(own), Reach::Local) => {
                let loopback = address.to_canonical().is_loopback();
                loopback && own == "localhost" && host.eq_ignore_ascii_case("localhost")
            }
            (HostPattern::Any | HostPattern::Below(_), Reach::Local) => false,
        }
    }
}

impl fmt::Display for HttpGrant {
    /// As an entry of `http`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ host = \"{}\"", self.host)?;
        if !self.tls {
            write!(f, ", scheme = \"http\"")?;
        }
        if self.port != if self.tls { 443 } else { 80 } {
            write!(f, ", port = {}", self.port)?;
        }
        write!(f, ", methods = {:?}", self.methods)?;
        if self.private {
            write!(f, ", private = true")?;
        }
        write!(f, " }}")
    }
}

/// What is spoken over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Connections that the guest makes; it cannot listen.
    Tcp,
    /// Datagrams that it sends, and those that come back.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Peers that a guest may reach: `tcp:10.0.0.5:5432`, `udp:[fd00::/8]:53`, `tcp:*:443`, `tcp:10.0.0.0/24:*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketGrant {
    /// What is spoken.
    pub transport: Transport,
    /// Whose addresses.
    pub network: Network,
    /// Which port; none: each.
    pub port: Option<u16>,
}

impl SocketGrant {
    /// Whether it is about such a peer.
    #[must_use]
    pub fn allows(&self, transport: Transport, peer: SocketAddr) -> bool {
        self.transport == transport
            && self.port.is_none_or(|port| port == peer.port())
            && self.network.contains(peer.ip())
    }
}

impl FromStr for SocketGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let bad = |why: &str| GrantError::of(text, why);
        let form = "is not `tcp:ADDRESS:PORT` or `udp:ADDRESS:PORT`";
        let (transport, peer) = text.split_once(':').ok_or_else(|| bad(form))?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return Err(bad(form)),
        };
        let (address, port) = peer.rsplit_once(':').ok_or_else(|| bad(form))?;
        let port = match port {
            "*" => None,
            port => match port.parse() {
                Ok(port @ 1..) => Some(port),
                _ => return Err(bad("has no port of 1 to 65535 at its end, and no `*` for all")),
            },
        };
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if bare.is_none() && address.contains(':') {
            return Err(bad("has an IPv6 address without brackets, as in `tcp:[::1]:80`"));
        }
        Ok(Self { transport, network: bare.unwrap_or(address).parse()?, port })
    }
}

impl fmt::Display for SocketGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = self.network.to_string();
        match network.contains(':') {
            true => write!(f, "{}:[{network}]:", self.transport)?,
            false => write!(f, "{}:{network}:", self.transport)?,
        }
        match self.port {
            Some(port) => port.fmt(f),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(host: &str, methods: &[&str]) -> HttpGrant {
        let methods = methods.iter().map(|&method| method.to_owned()).collect();
        HttpGrant::new(host.parse().expect(host), methods).expect("valid")
    }

    #[test]
    fn a_host_is_matched_whole() {
        let cases = [
            ("api.example.org", "api.example.org", true),
            ("api.example.org", "API.Example.ORG", true),
            ("API.example.org", "api.example.org", true),
            ("api.example.org", "api.example.org.", false),
            ("api.example.org", "api.example.org.evil.com", false),
            ("api.example.org", "xapi.example.org", false),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*.example.org", "aexample.org", false),
            ("*.example.org", "é.example.org", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "localhost", false),
            ("127.0.0.1", "2130706433", false),
            ("::1", "[::1]", true),
            ("[::1]", "[0:0:0:0:0:0:0:1]", true),
            ("127.0.0.1", "[::ffff:127.0.0.1]", true),
            ("*", "whatever", true),
        ];
        for (pattern, host, matches) in cases {
            let pattern: HostPattern = pattern.parse().expect(pattern);
            assert_eq!(pattern.matches(host), matches, "{pattern} and {host}");
        }
        for bad in
            ["", "*.", "a..b", "https://a", "a:80", "a@b", "bücher.de", "127.1", "1.2.3.999", "0x7f000001", "a*b"]
        {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_request_needs_its_scheme_port_host_and_method() {
        let grant = granted("api.example.org", &["GET", "HEAD"]);
        let cases = [
            ("GET", true, "api.example.org", 443, true),
            ("HEAD", true, "api.example.org", 443, true),
            ("POST", true, "api.example.org", 443, false),
            ("get", true, "api.example.org", 443, false),
            ("GET", false, "api.example.org", 443, false),
            ("GET", true, "api.example.org", 8443, false),
            ("GET", true, "example.org", 443, false),
        ];
        for (method, tls, host, port, allowed) in cases {
            assert_eq!(grant.allows(method, tls, host, port), allowed, "{method} {tls} {host} {port}");
        }
        assert!(granted("a.org", &["*"]).allows("PROPFIND", true, "a.org", 443));
        for bad in [&[][..], &["get"], &["GE T"], &[""]] {
            let methods = bad.iter().map(|&method| method.to_owned()).collect();
            assert!(HttpGrant::new(HostPattern::Any, methods).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_leads_to_no_address_that_was_not_meant() {
        let cases = [
            ("api.example.org", false, "93.184.216.34", true),
            ("api.example.org", false, "10.0.0.1", false),
            ("api.example.org", true, "10.0.0.1", true),
            ("api.example.org", true, "127.0.0.1", false),
            ("api.example.org", true, "169.254.169.254", false),
            ("*", true, "127.0.0.1", false),
            ("*", false, "::ffff:127.0.0.1", false),
            ("localhost", false, "127.0.0.1", true),
            ("localhost", false, "::1", true),
            ("localhost", false, "169.254.169.254", false),
            ("127.0.0.1", false, "127.0.0.1", true),
            ("169.254.169.254", false, "169.254.169.254", true),
            ("10.0.0.1", false, "10.0.0.1", true),
            ("10.0.0.1", false, "10.0.0.2", false),
        ];
        for (host, private, address, leads) in cases {
            let grant = HttpGrant { private, ..granted(host, &["GET"]) };
            assert_eq!(grant.leads_to(host, address.parse().expect(address)), leads, "{host} to {address}");
        }
    }

    #[test]
    fn a_socket_is_granted_by_transport_address_and_port() {
        let cases = [
            ("tcp:10.0.0.5:5432", Transport::Tcp, "10.0.0.5:5432", true),
            ("tcp:10.0.0.5:5432", Transport::Udp, "10.0.0.5:5432", false),
            ("tcp:10.0.0.5:5432", Transport::Tcp, "10.0.0.5:5433", false),
            ("tcp:10.0.0.5:5432", Transport::Tcp, "10.0.0.6:5432", false),
            ("udp:10.0.0.0/24:*", Transport::Udp, "10.0.0.6:53", true),
            ("tcp:[::1]:80", Transport::Tcp, "[::1]:80", true),
            ("tcp:*:443", Transport::Tcp, "1.1.1.1:443", true),
            ("tcp:*:443", Transport::Tcp, "127.0.0.1:443", false),
            ("tcp:*:443", Transport::Tcp, "[::ffff:127.0.0.1]:443", false),
        ];
        for (grant, transport, peer, allowed) in cases {
            let granted: SocketGrant = grant.parse().expect(grant);
            assert_eq!(granted.allows(transport, peer.parse().expect(peer)), allowed, "{grant} and {peer}");
            assert_eq!(granted.to_string(), grant);
        }
        for bad in ["", "tcp", "tcp:1.2.3.4", "sctp:1.2.3.4:5", "tcp:a.org:80", "tcp:::1:80", "tcp:1.2.3.4:0", "tcp:*"]
        {
            assert!(bad.parse::<SocketGrant>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_grant_is_told_as_it_is_written() {
        let mut grant = granted("a.org", &["GET"]);
        assert_eq!(grant.to_string(), r#"{ host = "a.org", methods = ["GET"] }"#);
        (grant.tls, grant.port, grant.private) = (false, 8080, true);
        let told = r#"{ host = "a.org", scheme = "http", port = 8080, methods = ["GET"], private = true }"#;
        assert_eq!(grant.to_string(), told);
    }
}
