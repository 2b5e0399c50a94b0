//! Which addresses a handler may have: the allow-list, and what is never called unless named. Pure.
//!
//! A name is judged by what it resolves to, at the moment of each connection (`resolve`), so that
//! no record of the DNS can point a subscription at a metadata service later. Invariants: an
//! address of [`NEVER`] is called only where an entry of the list lies within that range; IPv4 in
//! the disguise of IPv6 is judged as IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds keep their metadata services, and addresses that are nobody's.
const NEVER: [(IpAddr, u8, &str); 11] = [
    (v4(169, 254, 0, 0), 16, "link-local, where clouds keep their metadata services"),
    (v4(100, 100, 100, 200), 32, "a cloud's metadata service"),
    (v4(168, 63, 129, 16), 32, "a cloud's metadata service"),
    (v4(192, 0, 0, 192), 32, "a cloud's metadata service"),
    (v4(0, 0, 0, 0), 8, "no address of a host"),
    (v4(224, 0, 0, 0), 4, "multicast"),
    (v4(255, 255, 255, 255), 32, "broadcast"),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), 128, "a cloud's metadata service"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, "link-local, where clouds keep their metadata services"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, "multicast"),
    (v6([0; 8]), 128, "no address of a host"),
];

/// The addresses that may be called; by default all but those that are never called unless named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    nets: Vec<(IpAddr, u8)>,
    hosts: Vec<String>,
}

impl Reach {
    /// From entries like `10.0.0.0/8`, `192.168.1.7`, `fd00::/8`, `payments.internal`,
    /// `*.internal`. No entry: everything, but metadata services and what is no host's address.
    /// The error says which entry is wrong, and why.
    pub fn new(allow: &[String]) -> Result<Reach, String> {
        let mut reach = Reach::default();
        for entry in allow {
            match net(entry)? {
                Some(net) => reach.nets.push(net),
                None => reach.hosts.push(host(entry)?),
            }
        }
        Ok(reach)
    }

    /// Why `host`, at this address, may not be called; `None` when it may.
    pub fn refuses(&self, host: &str, ip: IpAddr) -> Option<String> {
        let ip = plain(ip);
        let never = NEVER.iter().find(|(base, bits, _)| holds(*base, *bits, ip));
        if let Some((base, bits, why)) = never {
            let named = |(net, len): &(IpAddr, u8)| holds(*base, *bits, *net) && len >= bits && holds(*net, *len, ip);
            let named = self.nets.iter().any(named);
            return (!named).then(|| format!("{ip} is {why}: it is called only where `handlers.allow` names it"));
        }
        if self.nets.is_empty() && self.hosts.is_empty() {
            return None;
        }
        let allowed = self.nets.iter().any(|(net, len)| holds(*net, *len, ip)) || self.names(host);
        (!allowed).then(|| format!("{ip} is not within `handlers.allow`"))
    }

    /// True when the list names this host itself.
    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().any(|entry| match entry.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => *entry == host,
        })
    }
}

/// The address in a host of a URL, where it is one: `127.0.0.1`, `[::1]`.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(s: [u16; 8]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]))
}

/// `10.0.0.0/8` or an address; `None` when it looks like neither.
fn net(entry: &str) -> Result<Option<(IpAddr, u8)>, String> {
    let (address, len) = entry.split_once('/').map_or((entry, None), |(a, l)| (a, Some(l)));
    let Some(ip) = literal(address) else {
        return match len {
            Some(_) => Err(format!("`{entry}` is no range of addresses; write it like 10.0.0.0/8 or fd00::/8")),
            None => Ok(None),
        };
    };
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let len = match len {
        None => most,
        Some(text) => {
            text.parse().ok().filter(|n| *n <= most).ok_or(format!("`{entry}`: `/{text}` is not within 0 to {most}"))?
        }
    };
    Ok(Some((ip, len)))
}

fn host(entry: &str) -> Result<String, String> {
    let name = entry.strip_prefix("*.").unwrap_or(entry);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(legal) {
        let how = "write a host like payments.internal, *.internal, or a range like 10.0.0.0/8";
        return Err(format!("`{entry}` is neither a host nor a range of addresses; {how}"));
    }
    Ok(entry.trim_end_matches('.').to_ascii_lowercase())
}

/// IPv4 behind IPv6: mapped (`::ffff:0:0/96`), translated (`::ffff:0:0:0/96`), compatible (`::/96`, but for `::`,
/// `::1` and the like), NAT64 (`64:ff9b::/96`, `64:ff9b:1::/48`) and 6to4 (`2002::/16`).
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let s = six.segments();
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        v4(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high > 0 => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => ip,
    }
}

fn holds(base: IpAddr, len: u8, ip: IpAddr) -> bool {
    match (base, ip) {
        (IpAddr::V4(base), IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            u32::from(base) & mask == u32::from(ip) & mask
        }
        (IpAddr::V6(base), IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            u128::from(base) & mask == u128::from(ip) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, literal};

    fn reach(allow: &[&str]) -> Reach {
        Reach::new(&allow.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn may(reach: &Reach, host: &str, ip: &str) -> bool {
        reach.refuses(host, ip.parse().unwrap()).is_none()
    }

    const METADATA: [&str; 15] = [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b:1::a9fe:a9fe",
    ];

    #[test]
    fn without_a_list_everything_may_be_called_but_metadata_services() {
        let all = Reach::default();
        for ip in ["127.0.0.1", "10.1.2.3", "93.184.216.34", "::1", "2001:db8::7", "100.100.100.201", "fd00:ec2::253"] {
            assert!(may(&all, "h", ip), "{ip}");
        }
        for ip in METADATA {
            assert!(!may(&all, "h", ip), "{ip}");
        }
    }

    #[test]
    fn a_metadata_service_is_called_only_where_it_is_named() {
        let wide = reach(&["0.0.0.0/0", "::/0", "169.0.0.0/8", "*.internal", "metadata.google.internal"]);
        for ip in METADATA {
            assert!(!may(&wide, "metadata.google.internal", ip), "{ip}");
        }
        let named = reach(&["169.254.169.254"]);
        assert!(may(&named, "h", "169.254.169.254") && may(&named, "h", "::ffff:169.254.169.254"));
        assert!(!may(&named, "h", "169.254.170.2"));
        assert!(may(&reach(&["169.254.0.0/16"]), "h", "169.254.170.2"));
    }

    #[test]
    fn with_a_list_only_what_it_names_may_be_called() {
        let some = reach(&["10.0.0.0/8", "fd00::/8", "Payments.Internal", "*.shop.example"]);
        for (host, ip, expected) in [
            ("x", "10.255.0.1", true),
            ("x", "11.0.0.1", false),
            ("x", "fd12::1", true),
            ("x", "127.0.0.1", false),
            ("payments.internal.", "192.168.0.9", true),
            ("PAYMENTS.internal", "::1", true),
            ("a.shop.example", "1.2.3.4", true),
            ("shop.example", "1.2.3.4", false),
            ("evilshop.example", "1.2.3.4", false),
        ] {
            assert_eq!(may(&some, host, ip), expected, "{host} {ip}");
        }
    }

    #[test]
    fn a_wrong_entry_is_refused_with_what_is_wrong() {
        for (entry, why) in [
            ("10.0.0.0/33", "not within 0 to 32"),
            ("ten/8", "no range"),
            ("http://a", "no range"),
            ("a b", "neither a host"),
            ("", "neither a host"),
            ("*", "neither a host"),
        ] {
            let wrong = Reach::new(&[entry.to_owned()]).unwrap_err();
            assert!(wrong.contains(why), "{entry}: {wrong}");
        }
        assert_eq!(literal("[::1]"), "::1".parse().ok());
    }
}
