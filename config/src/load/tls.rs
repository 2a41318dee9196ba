//! The node's own settings: its certificates can be read, and its listeners do not stand in each other's way.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rabita_model::Rule;
use rabita_sdk::Finding;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::{Loader, Read};
use crate::document::Document;
use crate::node::{Node, Tls};

impl Loader<'_> {
    pub(super) fn check_node(&mut self, node: &Read<Node>) {
        let mut addresses = BTreeSet::new();
        addresses.insert(node.is.admin.address);
        for (at, listener) in node.is.listeners.iter().enumerate() {
            let place = format!("/listeners/{at}");
            if listener.address.port() != 0 && !addresses.insert(listener.address) {
                let message = format!("{} is the address of another listener", listener.address);
                self.find(&node.document, Finding::new(format!("{place}/address"), message).breaks(Rule::NameTaken));
            }
            self.check_tls(&node.document, &format!("{place}/tls"), &listener.tls);
        }
        if let Some(hosts) = &node.is.hosts {
            if hosts.address.port() != 0 && !addresses.insert(hosts.address) {
                let message = format!("{} is the address of another listener", hosts.address);
                self.find(&node.document, Finding::new("/hosts/address", message).breaks(Rule::NameTaken));
            }
            self.check_tls(&node.document, "/hosts/tls", &hosts.tls);
        }
    }

    fn check_tls(&mut self, document: &Document, place: &str, tls: &Tls) {
        self.own_certificate(document, place, &tls.certificate, &tls.key);
        let authorities =
            self.pem(document, &format!("{place}/client_authorities"), &tls.client_authorities, "certificate", certificates);
        let Some(revocations) = &tls.revocations else { return };
        let place = format!("{place}/revocations");
        let lists = self.pem(document, &place, revocations, "revocation list", |pem| {
            let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
            Ok(lists.map_err(|error| pem_fault(&error))?.into_iter().map(|list| list.to_vec()).collect())
        });
        for message in revocation_faults(&lists, &authorities, revocations, self.today) {
            self.find(document, Finding::warning(&place, message).breaks(Rule::CertificateWrong));
        }
    }

    /// A certificate with its key: both are there, and the certificate has time left.
    pub(super) fn own_certificate(&mut self, document: &Document, place: &str, certificate: &Path, key: &Path) {
        let own = self.pem(document, &format!("{place}/certificate"), certificate, "certificate", certificates);
        self.private_key(document, &format!("{place}/key"), key);
        if let Some(message) = own.first().and_then(|own| ending(own, certificate, self.today)) {
            self.find(document, Finding::warning(format!("{place}/certificate"), message).breaks(Rule::CertificateWrong));
        }
    }

    fn private_key(&mut self, document: &Document, pointer: &str, file: &Path) {
        let read = |pem: &[u8]| PrivateKeyDer::from_pem_slice(pem).map(|_| vec![Vec::new()]).map_err(|error| pem_fault(&error));
        self.pem_of(document, pointer, (file, true), "private key", read);
    }

    /// What a PEM file holds of one kind, as DER.
    pub(super) fn pem(
        &mut self,
        document: &Document,
        pointer: &str,
        file: &Path,
        what: &str,
        read: impl Fn(&[u8]) -> Result<Vec<Vec<u8>>, String>,
    ) -> Vec<Vec<u8>> {
        self.pem_of(document, pointer, (file, false), what, read)
    }

    fn pem_of(
        &mut self,
        document: &Document,
        pointer: &str,
        (file, is_secret): (&Path, bool),
        what: &str,
        read: impl Fn(&[u8]) -> Result<Vec<Vec<u8>>, String>,
    ) -> Vec<Vec<u8>> {
        let (rule, message) = match self.counted(file, is_secret) {
            Err(message) => (Rule::FileUnreadable, message),
            Ok(pem) => match read(&pem) {
                Ok(found) if found.is_empty() => {
                    (Rule::CertificateWrong, format!("{} holds no {what} in PEM form", file.display()))
                }
                Ok(found) => return found,
                Err(error) => (Rule::CertificateWrong, format!("{} holds no {what} in PEM form: {error}", file.display())),
            },
        };
        self.find(document, Finding::new(pointer, message).breaks(rule));
        Vec::new()
    }
}

/// A certificate that ends within so many days is told of.
const SOON_DAYS: i32 = 30;

/// Whether a certificate has ended, or soon will.
fn ending(certificate: &[u8], file: &Path, today: Date) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let last = day(certificate.validity().not_after.timestamp())?;
    let file = file.display();
    match (last - today).get_days() {
        _ if last < today => Some(format!("the certificate in {file} ended on {last}: callers refuse it")),
        days if days <= SOON_DAYS => Some(format!("the certificate in {file} ends on {last}: callers refuse it from then on")),
        _ => None,
    }
}

/// Revocation lists that have ended, and authorities without one: the certificates of these are refused.
fn revocation_faults(lists: &[Vec<u8>], authorities: &[Vec<u8>], file: &Path, today: Date) -> Vec<String> {
    let file = file.display();
    let lists: Vec<_> = lists.iter().filter_map(|list| Some(CertificateRevocationList::from_der(list).ok()?.1)).collect();
    let mut faults = Vec::new();
    for list in &lists {
        if let Some(last) = list.next_update().and_then(|last| day(last.timestamp()))
            && last < today
        {
            let issuer = list.issuer();
            faults.push(format!("the list of `{issuer}` in {file} ended on {last}: certificates of this authority are refused"));
        }
    }
    for authority in authorities {
        let Ok((_, authority)) = X509Certificate::from_der(authority) else { continue };
        if !lists.iter().any(|list| list.issuer() == authority.subject()) {
            let subject = authority.subject();
            faults.push(format!("{file} has no list of `{subject}`: certificates of this authority are refused"));
        }
    }
    faults
}

fn day(seconds: i64) -> Option<Date> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_second(seconds).ok()?).date())
}

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    Ok(all.map_err(|error| pem_fault(&error))?.into_iter().map(|one| one.to_vec()).collect())
}

/// Why a text is not in PEM form (RFC 7468), in words.
fn pem_fault(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "it is cut off: a `-----END ...-----` is missing".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line that begins with `-----BEGIN` does not end with `-----`".to_owned(),
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is no Base64".to_owned(),
        pem::Error::NoItemsFound => "it holds something else".to_owned(),
        other => other.to_string(),
    }
}
