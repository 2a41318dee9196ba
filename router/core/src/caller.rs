//! Who is calling: the evidence that a transport brings, and the systems that it can be evidence of.

use std::collections::HashMap;
use std::sync::Arc;

use rabita_config::system::{CertificateMatch, System};
use rabita_model::{AgencyId, SystemId};

use crate::limit::Limiter;

/// What a client certificate says, once its authority was checked by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The SHA-256 of the certificate, in 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The DNS names among its subject alternative names.
    pub dns: Vec<String>,
    /// The URIs among them.
    pub uris: Vec<String>,
    /// The common name of its subject.
    pub common_name: Option<String>,
}

/// A known system.
#[derive(Debug)]
pub struct Caller {
    pub id: SystemId,
    pub agency: AgencyId,
    pub(crate) limiter: Limiter,
}

/// All known systems, found by any one thing that their certificates name.
#[derive(Debug)]
pub(crate) struct Callers {
    by_mark: HashMap<Mark, HashMap<String, Vec<Match>>>,
}

/// What a certificate must have, and whose it then is.
type Match = (CertificateMatch, Arc<Caller>);

/// The most telling thing that a match names: what it is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mark {
    Sha256,
    Uri,
    Dns,
    CommonName,
}

impl Callers {
    pub fn new(systems: &[System]) -> Self {
        let mut by_mark: HashMap<Mark, HashMap<String, Vec<_>>> = HashMap::new();
        for system in systems {
            let limits = &system.limits;
            let caller = Arc::new(Caller {
                id: system.system.clone(),
                agency: system.agency.clone(),
                limiter: Limiter::new("system", limits.requests_per_second, limits.burst),
            });
            for certificate in &system.certificates {
                if let Some((mark, text)) = mark(certificate) {
                    let found = by_mark.entry(mark).or_default().entry(text).or_default();
                    found.push((certificate.clone(), Arc::clone(&caller)));
                }
            }
        }
        Self { by_mark }
    }

    /// The system that the evidence is of.
    pub fn identify(&self, evidence: &Evidence) -> Option<&Arc<Caller>> {
        let marks = std::iter::once((Mark::Sha256, &evidence.sha256))
            .chain(evidence.uris.iter().map(|uri| (Mark::Uri, uri)))
            .chain(evidence.dns.iter().map(|name| (Mark::Dns, name)))
            .chain(evidence.common_name.iter().map(|name| (Mark::CommonName, name)));
        marks
            .filter_map(|(mark, text)| self.by_mark.get(&mark)?.get(text))
            .flatten()
            .find(|(certificate, _)| holds(certificate, evidence))
            .map(|(_, caller)| caller)
    }
}

fn mark(certificate: &CertificateMatch) -> Option<(Mark, String)> {
    let with = |mark| move |text| (mark, text);
    certificate
        .fingerprint()
        .map(with(Mark::Sha256))
        .or_else(|| certificate.uri.clone().map(with(Mark::Uri)))
        .or_else(|| certificate.dns.clone().map(with(Mark::Dns)))
        .or_else(|| certificate.common_name.clone().map(with(Mark::CommonName)))
}

fn holds(certificate: &CertificateMatch, evidence: &Evidence) -> bool {
    certificate.fingerprint().is_none_or(|wanted| wanted == evidence.sha256)
        && certificate.uri.as_ref().is_none_or(|wanted| evidence.uris.contains(wanted))
        && certificate.dns.as_ref().is_none_or(|wanted| evidence.dns.contains(wanted))
        && certificate.common_name.as_ref().is_none_or(|wanted| evidence.common_name.as_ref() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers() -> Callers {
        let system = |id: &str, certificate: CertificateMatch| System {
            system: SystemId::new(id).expect("an id"),
            agency: AgencyId::new("asan").expect("an id"),
            title: None,
            certificates: vec![certificate],
            limits: Default::default(),
        };
        Callers::new(&[
            system("by-print", CertificateMatch { sha256: Some("AB:".repeat(31) + "AB"), ..Default::default() }),
            system(
                "by-both",
                CertificateMatch { dns: Some("a.gov.az".into()), common_name: Some("a".into()), ..Default::default() },
            ),
        ])
    }

    #[test]
    fn a_fingerprint_matches_in_any_spelling() {
        let evidence = Evidence { sha256: "ab".repeat(32), ..Evidence::default() };
        assert_eq!(callers().identify(&evidence).map(|caller| caller.id.as_str()), Some("by-print"));
    }

    #[test]
    fn all_that_a_match_names_must_hold() {
        let dns = Evidence { dns: vec!["a.gov.az".into()], ..Evidence::default() };
        assert!(callers().identify(&dns).is_none());
        let both = Evidence { common_name: Some("a".into()), ..dns };
        assert_eq!(callers().identify(&both).map(|caller| caller.id.as_str()), Some("by-both"));
        assert!(callers().identify(&Evidence::default()).is_none());
    }
}
