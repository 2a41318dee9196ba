//! Under which name the bus was reached.

use http::Version;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use rabita_model::{Code, Fault, Refusal};

/// Refuses a request that names no host, two of them, or none that could be one (RFC 9112, 3.2): what stands before the bus
/// may have gone by the one, and what a signature covers by the other.
///
/// # Errors
/// `malformed_request`.
pub fn one_host(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(bad("duplicate", "this header stands twice"));
    }
    let host = host.map(|host| Authority::try_from(host.as_bytes()).map_err(|_| bad("host", "this is no host"))).transpose()?;
    let target = head.uri.authority();
    if [host.as_ref(), target].into_iter().flatten().any(|name| name.as_str().contains('@')) {
        return Err(bad("host", "a host stands without a user"));
    }
    match (host.as_ref(), target) {
        (Some(host), Some(target)) if named(host) != named(target) => Err(bad("excludes", "the request names two hosts")),
        (None, None) if head.version >= Version::HTTP_11 => Err(bad("required", "the request names no host")),
        _ => Ok(()),
    }
}

/// The name in lower case, and the port unless HTTPS has it anyway.
fn named(authority: &Authority) -> (String, Option<u16>) {
    (authority.host().to_ascii_lowercase(), authority.port_u16().filter(|port| *port != 443))
}

fn bad(code: &'static str, message: &'static str) -> Refusal {
    Refusal::with_faults(Code::MalformedRequest, vec![Fault::parameter("Host", code, message)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn host(version: Version, target: &str, hosts: &[&str]) -> bool {
        let request = Request::builder().version(version).uri(target);
        let request = hosts.iter().fold(request, |request, host| request.header(HOST, *host));
        one_host(&request.body(()).expect("a request").into_parts().0).is_ok()
    }

    #[test]
    fn a_request_names_one_host() {
        let taken: [(&str, &[&str]); 5] = [
            ("/", &["bus.example"]),
            ("/", &["[::1]:8443"]),
            ("https://bus.example/", &[]),
            ("https://bus.example:443/", &["BUS.example"]),
            ("https://bus.example:8443/", &["bus.example:8443"]),
        ];
        let refused: [(&str, &[&str]); 8] = [
            ("/", &[]),
            ("/", &[""]),
            ("/", &["bus.example", "bus.example"]),
            ("/", &["bus.example/x"]),
            ("/", &["portal@bus.example"]),
            ("https://portal@bus.example/", &[]),
            ("https://bus.example/", &["other.example"]),
            ("https://bus.example:8443/", &["bus.example"]),
        ];
        for version in [Version::HTTP_11, Version::HTTP_2] {
            for (target, hosts) in taken {
                assert!(host(version, target, hosts), "{target} {hosts:?}");
            }
            for (target, hosts) in refused {
                assert!(!host(version, target, hosts), "{target} {hosts:?}");
            }
        }
        assert!(host(Version::HTTP_10, "/", &[]), "HTTP/1.0 has no hosts");
    }
}
