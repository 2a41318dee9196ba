//! Where webhooks may go: to public addresses by https, unless the node is told otherwise.
//!
//! A caller names the address, so a node that went anywhere would reach for it what only the node can reach. A name is
//! resolved here and the connection made to the very addresses that were looked at, so none can change in between.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rabita_config::webhooks::Webhooks;
use rabita_model::{Code, Fault, Refusal};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

/// The address of a webhook.
///
/// # Errors
/// `invalid_request` with all that is wrong with it, at `/url`.
pub(super) fn check(text: &str, spec: &Webhooks) -> Result<Url, Refusal> {
    let fault = |code, message: &str| Fault::at("/url", code, message);
    let unread = |_| Refusal::with_faults(Code::InvalidRequest, vec![fault("format", "this is no URL")]);
    let url = Url::parse(text).map_err(unread)?;
    let mut faults = Vec::new();
    match url.scheme() {
        "https" => {}
        "http" if spec.dangerously_allow_http_webhooks => {}
        _ => faults.push(fault("scheme", "the address begins with `https:`")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        faults.push(fault("credentials", "the address holds no credentials: the signature shows who sends"));
    }
    let is_reachable = spec.dangerously_allow_private_webhooks
        || match url.host() {
            None => false,
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(name)) => !is_local(name),
        };
    if !is_reachable {
        faults.push(fault("address", "the address is none that the bus connects to"));
    }
    if faults.is_empty() { Ok(url) } else { Err(Refusal::with_faults(Code::InvalidRequest, faults)) }
}

fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Resolves names to addresses that the node may connect to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver {
    pub allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|found| allow_private || is_public(found.ip())).collect();
            if permitted.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no address that may be connected to").into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet, by the registries of IANA for special purposes (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // Translated and tunnelled addresses lead to the IPv4 address within them.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Protocol assignments (with Teredo), documentation.
        [0x2001, 0x0000..=0x01ff | 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => false,
        // All that is given out as global unicast.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str, spec: &Webhooks) -> Vec<&'static str> {
        check(text, spec).err().map_or_else(Vec::new, |refusal| refusal.faults.iter().map(|fault| fault.code).collect())
    }

    #[test]
    fn takes_https_to_public_addresses_and_names_only() {
        let strict = Webhooks::default();
        for good in ["https://hooks.example/a?b=c", "https://1.1.1.1/", "https://[2606:4700::1111]:8443/x"] {
            assert!(check(good, &strict).is_ok(), "{good}");
        }
        let refused = [
            ("hooks.example", "format"),
            ("http://hooks.example/", "scheme"),
            ("ftp://hooks.example/", "scheme"),
            ("https://user:word@hooks.example/", "credentials"),
            ("https://localhost/", "address"),
            ("https://a.localhost./", "address"),
            ("https://127.0.0.1/", "address"),
            ("https://2130706433/", "address"),
            ("https://0x7f.1/", "address"),
            ("https://10.0.0.1/", "address"),
            ("https://100.64.0.1/", "address"),
            ("https://169.254.169.254/", "address"),
            ("https://172.31.255.255/", "address"),
            ("https://192.168.1.1/", "address"),
            ("https://[::1]/", "address"),
            ("https://[::ffff:127.0.0.1]/", "address"),
            ("https://[64:ff9b::a00:1]/", "address"),
            ("https://[2002:7f00:1::]/", "address"),
            ("https://[fe80::1]/", "address"),
            ("https://[fd00::1]/", "address"),
        ];
        for (bad, code) in refused {
            assert_eq!(codes(bad, &strict), [code], "{bad}");
        }
    }

    #[test]
    fn takes_more_only_where_the_node_is_told_so() {
        let open =
            Webhooks { dangerously_allow_http_webhooks: true, dangerously_allow_private_webhooks: true, ..Webhooks::default() };
        for good in ["http://127.0.0.1:8080/", "https://localhost/", "http://[::1]/"] {
            assert!(check(good, &open).is_ok(), "{good}");
        }
        assert_eq!(codes("ftp://hooks.example/", &open), ["scheme"]);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_the_machine_itself_is_not_connected_to() {
        let name = || "localhost".parse::<Name>().expect("a name");
        assert!(Resolver { allow_private: false }.resolve(name()).await.is_err());
        assert!(Resolver { allow_private: true }.resolve(name()).await.is_ok_and(|found| found.count() > 0));
    }
}
