//! Addresses: which are whose, and networks of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::GrantError;

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The internet.
    Public,
    /// Private networks: 10/8, 172.16/12, 192.168/16, 100.64/10, 198.18/15, fc00::/7, fec0::/10.
    Private,
    /// This machine and its link, or no one machine: loopback, link-local (where cloud machines find their credentials),
    /// unspecified, multicast, reserved.
    Local,
}

impl Reach {
    /// Of an address; of an IPv6 address that stands for an IPv4 address, that of the latter.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => match translated(address) {
                Some(address) => of_v4(address),
                None => of_v6(address),
            },
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0 | 127 | 224..=255, ..) | (169, 254, _) | (192, 0, 0) => Reach::Local,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) | (198, 18..=19, _) => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    match address.segments()[0] {
        // Unspecified, loopback and what else begins with zeros; link-local; multicast.
        0 | 0xfe80..=0xfebf | 0xff00..=0xffff => Reach::Local,
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Reach::Private,
        _ => Reach::Public,
    }
}

/// The IPv4 address behind one of IPv6: mapped, compatible, NAT64, 6to4.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, ..] => Some(v4(s[6], s[7])),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Addresses that begin with the same bits, such as `10.0.0.0/8`; one address; or all public ones, `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// All addresses whose reach is [`Reach::Public`].
    Public,
    /// Those whose first `bits` bits are those of `base`.
    Of {
        /// The first of them.
        base: IpAddr,
        /// How many bits they share: 1 to 32, or to 128.
        bits: u8,
    },
}

impl Network {
    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let Self::Of { base, bits } = self else { return Reach::of(address) == Reach::Public };
        match (base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                base.to_bits() >> (32 - u32::from(*bits)) == address.to_bits() >> (32 - u32::from(*bits))
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                base.to_bits() >> (128 - u32::from(*bits)) == address.to_bits() >> (128 - u32::from(*bits))
            }
            _ => false,
        }
    }

    fn most_bits(base: IpAddr) -> u8 {
        if base.is_ipv4() { 32 } else { 128 }
    }
}

impl From<IpAddr> for Network {
    fn from(base: IpAddr) -> Self {
        let base = base.to_canonical();
        Self::Of { base, bits: Self::most_bits(base) }
    }
}

impl FromStr for Network {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        if text == "*" {
            return Ok(Self::Public);
        }
        let bad = |why: &str| GrantError::of(text, why);
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let base: IpAddr =
            address.parse().map_err(|_| bad("is no address; a name is granted in `http` or `lookups`"))?;
        let Some(bits) = bits else { return Ok(base.into()) };
        let most = Self::most_bits(base);
        let bits = bits.parse().ok().filter(|bits| (1..=most).contains(bits));
        let bits =
            bits.ok_or_else(|| bad(&format!("has no length of 1 to {most} bits; `*` is all public addresses")))?;
        let network = Self::Of { base, bits };
        // What lies past the length is a slip of the pen, and would be silently ignored.
        let first = match base {
            IpAddr::V4(base) => base.to_bits().trailing_zeros() >= 32 - u32::from(bits),
            IpAddr::V6(base) => base.to_bits().trailing_zeros() >= 128 - u32::from(bits),
        };
        if first { Ok(network) } else { Err(bad("is not the first address of its network")) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("*"),
            Self::Of { base, bits } if *bits == Self::most_bits(*base) => base.fmt(f),
            Self::Of { base, bits } => write!(f, "{base}/{bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_for_what_it_reaches_however_it_is_written() {
        let cases = [
            ("93.184.216.34", Reach::Public),
            ("2606:2800:220:1::1", Reach::Public),
            ("64:ff9b::5db8:d822", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("127.0.0.1", Reach::Local),
            ("127.8.8.8", Reach::Local),
            ("0.0.0.0", Reach::Local),
            ("0.1.2.3", Reach::Local),
            ("169.254.169.254", Reach::Local),
            ("224.0.0.1", Reach::Local),
            ("255.255.255.255", Reach::Local),
            ("::", Reach::Local),
            ("::1", Reach::Local),
            ("fe80::1", Reach::Local),
            ("ff02::1", Reach::Local),
            ("::ffff:127.0.0.1", Reach::Local),
            ("::127.0.0.1", Reach::Local),
            ("64:ff9b::7f00:1", Reach::Local),
            ("64:ff9b::a9fe:a9fe", Reach::Local),
            ("2002:7f00:1::", Reach::Local),
        ];
        for (address, reach) in cases {
            assert_eq!(Reach::of(address.parse().expect(address)), reach, "{address}");
        }
    }

    #[test]
    fn a_network_holds_its_own_addresses_alone() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe12::1", false),
            ("*", "1.1.1.1", true),
            ("*", "127.0.0.1", false),
            ("*", "10.0.0.1", false),
        ];
        for (network, address, inside) in cases {
            let network: Network = network.parse().expect(network);
            assert_eq!(network.contains(address.parse().expect(address)), inside, "{network} and {address}");
        }
        for bad in ["", "example.org", "10.0.0.0/0", "10.0.0.0/33", "10.0.0.1/8", "1.2.3", "0x7f.1", "[::1]", "::/0"] {
            assert!(bad.parse::<Network>().is_err(), "{bad:?}");
        }
        for good in ["*", "10.0.0.0/8", "127.0.0.1", "fd00::/8", "::1"] {
            assert_eq!(good.parse::<Network>().expect(good).to_string(), good);
        }
    }
}
