//! Who is calling: the evidence that a transport brings, and the systems that it can be evidence of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rabita_config::system::{CertificateMatch, System};
use rabita_model::{AgencyId, Code, Refusal, SystemId};
use serde_json::Value;

use crate::limit::Limiter;

/// What is known of whoever sent a request, before anybody asks which system it is. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The client certificate, once TLS has verified it.
    pub certificate: Option<Arc<Certificate>>,
    /// The access token, once its signature, issuer, audience and time were checked.
    pub token: Option<Arc<Token>>,
    /// Whether the request is signed with a key of the system that the rest is evidence of.
    pub is_signed: bool,
}

/// What a client certificate says, once its authority was checked by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The SHA-256 of the certificate, in 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The DNS names among its subject alternative names.
    pub dns: Vec<String>,
    /// The URIs among them.
    pub uris: Vec<String>,
    /// The common name of its subject.
    pub common_name: Option<String>,
}

/// What an access token says, once it was verified.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Token {
    /// Its `iss`.
    pub issuer: String,
    /// Its `client_id`.
    pub client_id: String,
    /// The SHA-256 of the whole token, in 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether it is bound to the client certificate that was shown (RFC 8705).
    pub is_bound: bool,
    /// The person on whose behalf, as the issuer says.
    pub person: Option<String>,
    /// When it is over, in seconds since 1970: what goes on for longer than an answer ends then.
    pub until: i64,
}

impl std::fmt::Debug for Token {
    /// Without the person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { issuer, client_id, is_bound, .. } = self;
        f.debug_struct("Token")
            .field("issuer", issuer)
            .field("client_id", client_id)
            .field("is_bound", is_bound)
            .finish_non_exhaustive()
    }
}

impl Evidence {
    /// The evidence of a client certificate alone.
    #[must_use]
    pub fn of_certificate(certificate: Certificate) -> Self {
        Self { certificate: Some(Arc::new(certificate)), ..Self::default() }
    }
}

/// A known system.
#[derive(Debug)]
pub struct Caller {
    pub id: SystemId,
    pub agency: AgencyId,
    /// What row conditions see of it.
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) limiter: Arc<Limiter>,
}

/// All known systems, found by any one thing that their certificates name, or by their tokens.
#[derive(Debug)]
pub(crate) struct Callers {
    by_id: HashMap<SystemId, Arc<Caller>>,
    by_mark: HashMap<Mark, HashMap<String, Vec<Match>>>,
    /// By issuer, then by client.
    by_token: HashMap<String, HashMap<String, Arc<Caller>>>,
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
    /// The systems of a configuration. A system whose limit is as `before` goes on with what is left of it.
    pub fn new(systems: &[System], before: Option<&Self>) -> Self {
        let mut made = Self { by_id: HashMap::new(), by_mark: HashMap::new(), by_token: HashMap::new() };
        for system in systems {
            let limits = &system.limits;
            let limiter = Limiter::new("system", limits.requests_per_second, limits.burst);
            let known = before.and_then(|before| before.by_id.get(&system.system)).map(|known| &known.limiter);
            let caller = Arc::new(Caller {
                id: system.system.clone(),
                agency: system.agency.clone(),
                attributes: system.attributes.clone(),
                limiter: known.filter(|known| known.is_alike(&limiter)).map_or_else(|| Arc::new(limiter), Arc::clone),
            });
            for certificate in &system.certificates {
                if let Some((mark, text)) = mark(certificate) {
                    let found = made.by_mark.entry(mark).or_default().entry(text).or_default();
                    found.push((certificate.clone(), Arc::clone(&caller)));
                }
            }
            for token in &system.tokens {
                let of_issuer = made.by_token.entry(token.issuer.clone()).or_default();
                of_issuer.insert(token.client_id.clone(), Arc::clone(&caller));
            }
            made.by_id.insert(system.system.clone(), caller);
        }
        made
    }

    /// The system of this name.
    pub fn get(&self, system: &SystemId) -> Option<&Arc<Caller>> {
        self.by_id.get(system)
    }

    /// The system that the evidence is of. Where a certificate and a token are shown, both must be of the same one, or
    /// the certificate of none.
    ///
    /// # Errors
    /// `unauthenticated`, `token_invalid`.
    pub fn identify(&self, evidence: &Evidence) -> Result<&Arc<Caller>, Refusal> {
        let by_certificate = evidence.certificate.as_deref().and_then(|certificate| self.by_certificate(certificate));
        let Some(token) = evidence.token.as_deref() else {
            return by_certificate.ok_or_else(|| unknown(evidence.certificate.as_deref()));
        };
        let by_token = self.by_token(token).ok_or_else(|| {
            let detail = format!("no system has tokens of issuer `{}` for this client", token.issuer);
            Refusal::new(Code::TokenInvalid).detail(detail)
        })?;
        match by_certificate {
            Some(other) if other.id != by_token.id => {
                let detail = format!("the certificate is of `{}`, the token of `{}`", other.id, by_token.id);
                Err(Refusal::new(Code::TokenInvalid).detail(detail))
            }
            _ => Ok(by_token),
        }
    }

    fn by_token(&self, token: &Token) -> Option<&Arc<Caller>> {
        self.by_token.get(&token.issuer)?.get(&token.client_id)
    }

    fn by_certificate(&self, shown: &Certificate) -> Option<&Arc<Caller>> {
        let marks = std::iter::once((Mark::Sha256, &shown.sha256))
            .chain(shown.uris.iter().map(|uri| (Mark::Uri, uri)))
            .chain(shown.dns.iter().map(|name| (Mark::Dns, name)))
            .chain(shown.common_name.iter().map(|name| (Mark::CommonName, name)));
        marks
            .filter_map(|(mark, text)| self.by_mark.get(&mark)?.get(text))
            .flatten()
            .find(|(wanted, _)| shown.has(wanted))
            .map(|(_, caller)| caller)
    }
}

fn unknown(certificate: Option<&Certificate>) -> Refusal {
    Refusal::new(Code::Unauthenticated).detail(certificate.map_or_else(
        || "neither client certificate nor access token".to_owned(),
        |certificate| format!("no system has the certificate with SHA-256 {}", certificate.sha256),
    ))
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

impl Certificate {
    /// Whether it has all that a match names.
    #[must_use]
    pub fn has(&self, wanted: &CertificateMatch) -> bool {
        wanted.fingerprint().is_none_or(|wanted| wanted == self.sha256)
            && wanted.uri.as_ref().is_none_or(|wanted| self.uris.contains(wanted))
            && wanted.dns.as_ref().is_none_or(|wanted| self.dns.contains(wanted))
            && wanted.common_name.as_ref().is_none_or(|wanted| self.common_name.as_ref() == Some(wanted))
    }
}

#[cfg(test)]
mod tests {
    use rabita_config::system::TokenMatch;

    use super::*;

    fn system(id: &str, certificate: CertificateMatch, token: Option<&str>) -> System {
        let token = token.map(|client| TokenMatch { issuer: "https://id.gov.az".into(), client_id: client.into() });
        System {
            system: SystemId::new(id).expect("an id"),
            agency: AgencyId::new("asan").expect("an id"),
            title: None,
            certificates: vec![certificate],
            tokens: token.into_iter().collect(),
            keys: Vec::new(),
            attributes: BTreeMap::new(),
            limits: Default::default(),
        }
    }

    fn callers() -> Callers {
        Callers::new(
            &[
                system("by-print", CertificateMatch { sha256: Some("AB:".repeat(31) + "AB"), ..Default::default() }, Some("p")),
                system(
                    "by-both",
                    CertificateMatch { dns: Some("a.gov.az".into()), common_name: Some("a".into()), ..Default::default() },
                    Some("b"),
                ),
            ],
            None,
        )
    }

    fn identified(evidence: &Evidence) -> Result<String, Code> {
        callers().identify(evidence).map(|caller| caller.id.to_string()).map_err(|refusal| refusal.code)
    }

    fn printed() -> Certificate {
        Certificate { sha256: "ab".repeat(32), ..Certificate::default() }
    }

    fn token(client: &str) -> Option<Arc<Token>> {
        let (issuer, client_id) = ("https://id.gov.az".to_owned(), client.to_owned());
        Some(Arc::new(Token { issuer, client_id, ..Token::default() }))
    }

    #[test]
    fn a_fingerprint_matches_in_any_spelling() {
        assert_eq!(identified(&Evidence::of_certificate(printed())).as_deref(), Ok("by-print"));
    }

    #[test]
    fn all_that_a_match_names_must_hold() {
        let dns = Certificate { dns: vec!["a.gov.az".into()], ..Certificate::default() };
        assert_eq!(identified(&Evidence::of_certificate(dns.clone())), Err(Code::Unauthenticated));
        let both = Certificate { common_name: Some("a".into()), ..dns };
        assert_eq!(identified(&Evidence::of_certificate(both)).as_deref(), Ok("by-both"));
        assert_eq!(identified(&Evidence::default()), Err(Code::Unauthenticated));
    }

    #[test]
    fn a_certificate_and_a_token_must_be_of_one_system() {
        let shown = |client| Evidence { token: token(client), ..Evidence::of_certificate(printed()) };
        assert_eq!(identified(&shown("p")).as_deref(), Ok("by-print"));
        assert_eq!(identified(&shown("b")), Err(Code::TokenInvalid));
        assert_eq!(identified(&shown("nobody")), Err(Code::TokenInvalid));
        let alone = Evidence { token: token("b"), ..Evidence::default() };
        assert_eq!(identified(&alone).as_deref(), Ok("by-both"));
        let stranger = Evidence { token: token("b"), ..Evidence::of_certificate(Certificate::default()) };
        assert_eq!(identified(&stranger).as_deref(), Ok("by-both"));
    }

    #[test]
    fn the_limit_of_a_system_goes_on_where_it_is_the_same() {
        let of = |rate| {
            let mut one = system("one", CertificateMatch { common_name: Some("one".into()), ..Default::default() }, None);
            one.limits.requests_per_second = rate;
            vec![one]
        };
        let id = SystemId::new("one").expect("an id");
        let first = Callers::new(&of(5), None);
        let same = Callers::new(&of(5), Some(&first));
        let other = Callers::new(&of(6), Some(&first));
        let limiter = |callers: &Callers| Arc::clone(&callers.get(&id).expect("a caller").limiter);
        assert!(Arc::ptr_eq(&limiter(&first), &limiter(&same)));
        assert!(!Arc::ptr_eq(&limiter(&first), &limiter(&other)));
    }
}
