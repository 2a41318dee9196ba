//! The signature of a stamp (RFC 5652, section 5.4; RFC 3161, section 2.4.2) and the chain of its certificate.

use std::time::Duration;

use aws_lc_rs::digest;
use cms::cert::CertificateChoices;
use cms::cert::x509::Certificate;
use cms::cert::x509::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Any, Encode, Sequence};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::{Authorities, Stamp, StampError, TST_INFO};

static TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A hash that may be signed, its identifier, and what RSA with it is called (RFC 8017, appendix A.2.4).
type Hashing = (ObjectIdentifier, &'static digest::Algorithm, ObjectIdentifier);
const HASHINGS: [Hashing; 3] = [
    (super::SHA_256, &digest::SHA256, ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11")),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        &digest::SHA384,
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"),
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        &digest::SHA512,
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"),
    ),
];

/// `SigningCertificate` of RFC 2634: which certificate signed, by its SHA-1.
#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Sequence)]
struct CertificateId {
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer: Option<Any>,
}

/// `SigningCertificateV2` of RFC 5035: by a hash that it names, SHA-256 where it names none.
#[derive(Sequence)]
struct SigningCertificateV2 {
    certificates: Vec<CertificateIdV2>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Sequence)]
struct CertificateIdV2 {
    #[asn1(optional = "true")]
    algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer: Option<Any>,
}

pub(super) fn verify(stamp: &Stamp, authorities: &Authorities) -> Result<(), StampError> {
    // The authority's own is the only signature of a token (RFC 3161, section 2.4.2).
    let [signer] = stamp.signed.signer_infos.0.as_slice() else {
        return Err(StampError::Signature("it has not one signer"));
    };
    let certificates = certificates(stamp);
    let certificate = certificates.iter().find(|certificate| is_of(signer, certificate));
    let certificate = certificate.ok_or(StampError::Signature("the signer's certificate is not in it"))?;
    let written = certificate.to_der()?;
    attributes(stamp, signer, &written)?;
    is_for_stamps(certificate)?;

    let written = CertificateDer::from(written);
    let own = EndEntityCert::try_from(&written).map_err(|error| StampError::Chain(error.to_string()))?;
    signature(signer, &own)?;
    let others: Result<Vec<CertificateDer<'_>>, der::Error> =
        certificates.iter().map(|certificate| certificate.to_der().map(CertificateDer::from)).collect();
    chain(stamp, &own, &others?, authorities)
}

fn certificates(stamp: &Stamp) -> Vec<&Certificate> {
    let all = stamp.signed.certificates.iter().flat_map(|all| all.0.iter());
    let certificates = all.filter_map(|one| match one {
        CertificateChoices::Certificate(certificate) => Some(certificate),
        CertificateChoices::Other(_) => None,
    });
    certificates.collect()
}

fn is_of(signer: &SignerInfo, certificate: &Certificate) -> bool {
    let certificate = &certificate.tbs_certificate;
    match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            id.issuer == certificate.issuer && id.serial_number == certificate.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            certificate.get::<SubjectKeyIdentifier>().is_ok_and(|own| own.is_some_and(|(_, own)| own == *id))
        }
    }
}

/// What is signed beside the stamp: that it is one, its hash, and which certificate signs it, so that none can be put in its
/// place.
fn attributes(stamp: &Stamp, signer: &SignerInfo, certificate: &[u8]) -> Result<(), StampError> {
    if attribute(signer, CONTENT_TYPE)?.decode_as::<ObjectIdentifier>()? != TST_INFO {
        return Err(StampError::Signature("it is signed as something else than a time stamp"));
    }
    let (_, own, _) = hashing(&signer.digest_alg.oid)?;
    let told: OctetString = attribute(signer, MESSAGE_DIGEST)?.decode_as()?;
    if digest::digest(own, &stamp.content).as_ref() != told.as_bytes() {
        return Err(StampError::Signature("what it says is not what was signed"));
    }
    let (hashing, told) = if let Ok(told) = attribute(signer, SIGNING_CERTIFICATE_V2) {
        let told: SigningCertificateV2 = told.decode_as()?;
        let Some(first) = told.certificates.into_iter().next() else { return Err(other_certificate()) };
        let named = first.algorithm.map_or(super::SHA_256, |algorithm| algorithm.oid);
        (hashing(&named)?.1, first.hash)
    } else {
        let told: SigningCertificate = attribute(signer, SIGNING_CERTIFICATE)?.decode_as()?;
        let Some(first) = told.certificates.into_iter().next() else { return Err(other_certificate()) };
        (&digest::SHA1_FOR_LEGACY_USE_ONLY, first.hash)
    };
    if digest::digest(hashing, certificate).as_ref() == told.as_bytes() { Ok(()) } else { Err(other_certificate()) }
}

const fn other_certificate() -> StampError {
    StampError::Signature("it was signed with another certificate")
}

/// The one value of a signed attribute.
fn attribute(signer: &SignerInfo, name: ObjectIdentifier) -> Result<&Any, StampError> {
    let attributes = signer.signed_attrs.iter().flat_map(|all| all.iter());
    let mut named = attributes.filter(|attribute| attribute.oid == name);
    match (named.next().map(|attribute| attribute.values.as_slice()), named.next()) {
        (Some([value]), None) => Ok(value),
        _ => Err(StampError::Signature("an attribute that has to be signed is not there, or is there twice")),
    }
}

fn hashing(oid: &ObjectIdentifier) -> Result<Hashing, StampError> {
    let known = HASHINGS.into_iter().find(|(known, ..)| known == oid);
    known.ok_or(StampError::Signature("its hash is none of SHA-256, SHA-384 and SHA-512"))
}

/// A certificate that signs time stamps says so, critically, and says nothing else (RFC 3161, section 2.3).
fn is_for_stamps(certificate: &Certificate) -> Result<(), StampError> {
    match certificate.tbs_certificate.get::<ExtendedKeyUsage>()? {
        None => Err(StampError::Usage("it names no usage")),
        Some((_, usage)) if usage.0 != [TIME_STAMPING] => Err(StampError::Usage("it is not for time stamps alone")),
        Some((false, _)) => Err(StampError::Usage("its usage is not critical")),
        Some((true, _)) => Ok(()),
    }
}

fn signature(signer: &SignerInfo, own: &EndEntityCert<'_>) -> Result<(), StampError> {
    let attributes = signer.signed_attrs.as_ref().ok_or(StampError::Signature("nothing is signed"))?;
    // As a set, and not with the tag that it has within the message (RFC 5652, section 5.4).
    let signed = attributes.to_der()?;
    let named = match signer.signature_algorithm.oid {
        RSA => hashing(&signer.digest_alg.oid)?.2,
        named => named,
    };
    let named = named.to_der()?;
    let holds = |algorithm: &&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id().starts_with(&named)
            && own.verify_signature(*algorithm, &signed, signer.signature.as_bytes()).is_ok()
    };
    if webpki::ALL_VERIFICATION_ALGS.iter().any(holds) {
        Ok(())
    } else {
        Err(StampError::Signature("it was not made with the key of its certificate"))
    }
}

fn chain(
    stamp: &Stamp,
    own: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    authorities: &Authorities,
) -> Result<(), StampError> {
    let failed = |error: webpki::Error| StampError::Chain(error.to_string());
    let anchors: Result<Vec<_>, _> = authorities.0.iter().map(webpki::anchor_from_trusted_cert).collect();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(stamp.at.as_second().unsigned_abs()));
    let usage = KeyUsage::required(TIME_STAMPING.as_bytes());
    let anchors = anchors.map_err(failed)?;
    own.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, others, at, usage, None, None).map_err(failed)?;
    Ok(())
}
