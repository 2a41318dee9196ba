//! What a client certificate says of the caller.

use aws_lc_rs::digest::{SHA256, digest};
use rabita_core::Certificate;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Reads a certificate that TLS has verified. Of one that cannot be read, only the fingerprint is known.
pub fn of(certificate: &CertificateDer<'_>) -> Certificate {
    let sha256 = digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut said = Certificate { sha256, ..Certificate::default() };
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return said };
    if let Ok(Some(names)) = parsed.subject_alternative_name() {
        for name in &names.value.general_names {
            match name {
                GeneralName::DNSName(dns) => said.dns.push((*dns).to_owned()),
                GeneralName::URI(uri) => said.uris.push((*uri).to_owned()),
                _ => {}
            }
        }
    }
    // X509-SVID, 2: one URI and no other. With two, the certificate would be of two workloads.
    if said.uris.len() > 1 && said.uris.iter().any(|uri| uri.starts_with("spiffe:")) {
        said.uris.clear();
    }
    said.common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
    said
}

/// When the first certificate of a chain is over, in seconds since 1970. One that cannot be read is never.
pub fn until(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let over =
        |certificate| X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed.validity().not_after.timestamp());
    chain.iter().filter_map(|certificate| over(certificate)).min()
}
