//! What a client certificate says of the caller.

use aws_lc_rs::digest::{SHA256, digest};
use rabita_core::Evidence;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Reads a certificate that TLS has verified. One that cannot be read is evidence of its fingerprint alone.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Evidence {
    let sha256 = digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut evidence = Evidence { sha256, ..Evidence::default() };
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return evidence };
    if let Ok(Some(names)) = parsed.subject_alternative_name() {
        for name in &names.value.general_names {
            match name {
                GeneralName::DNSName(dns) => evidence.dns.push((*dns).to_owned()),
                GeneralName::URI(uri) => evidence.uris.push((*uri).to_owned()),
                _ => {}
            }
        }
    }
    evidence.common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
    evidence
}
