//! Time stamps (RFC 3161): an authority that knows nothing of the log signs when it saw the hash of a checkpoint.
//!
//! With one, a log that was made anew with its own key cannot be passed off as old. [`Request`] is what the authority is asked,
//! [`Stamp`] its answer, [`kept`] the directory where both lie. Knows no HTTP: `router/server/src/node/timestamps.rs` asks.

pub mod kept;
mod signature;

use aws_lc_rs::{digest, rand};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::signed_data::SignedData;
use der::asn1::{Int, ObjectIdentifier, OctetString};
use der::{Any, Decode, Encode};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion, TstInfo};

/// What a request and its answer are called over HTTP (RFC 3161, section 3.4).
pub const REQUEST_TYPE: &str = "application/timestamp-query";
pub const ANSWER_TYPE: &str = "application/timestamp-reply";

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// By their numbers (RFC 3161, section 2.4.2).
const STATUSES: [&str; 6] =
    ["granted", "granted with changes", "rejection", "waiting", "revocation warning", "revocation notification"];

/// Why a time stamp is not accepted, or not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    #[error("the authority gave no time stamp: its status is `{0}`")]
    Refused(&'static str),
    #[error("it is no time stamp of RFC 3161 in DER: {0}")]
    Malformed(String),
    #[error("it is the time stamp of another note: the hash in it is not that of this one")]
    Imprint,
    #[error("it does not answer this request: the nonce is another")]
    Nonce,
    #[error("its signature does not hold: {0}")]
    Signature(&'static str),
    #[error("its certificate may not sign time stamps: {0}")]
    Usage(&'static str),
    #[error("no chain leads from its certificate to the authorities given: {0}")]
    Chain(String),
    #[error("there is no authority to believe: {0}")]
    Authorities(String),
    #[error("no random number is to be had")]
    Random,
}

impl From<der::Error> for StampError {
    fn from(error: der::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// What an authority is asked.
#[derive(Debug, Clone)]
pub struct Request {
    nonce: Int,
    /// As it is sent, in DER.
    pub der: Vec<u8>,
}

impl Request {
    /// Asks for a stamp of the SHA-256 of these bytes, with the authority's certificates in it.
    ///
    /// # Errors
    /// When no nonce is to be had.
    pub fn of(bytes: &[u8]) -> Result<Self, StampError> {
        let mut nonce = [0; 16];
        rand::fill(&mut nonce).map_err(|_| StampError::Random)?;
        // A positive number of all its bytes, so that every reader writes it the same way.
        nonce[0] = nonce[0] & 0x7f | 0x40;
        let nonce = Int::new(&nonce)?;
        let hash_algorithm = AlgorithmIdentifierOwned { oid: SHA_256, parameters: Some(Any::null()) };
        let asked = TimeStampReq {
            version: TspVersion::V1,
            message_imprint: MessageImprint { hash_algorithm, hashed_message: OctetString::new(sha256(bytes))? },
            req_policy: None,
            nonce: Some(nonce.clone()),
            cert_req: true,
            extensions: None,
        };
        Ok(Self { nonce, der: asked.to_der()? })
    }
}

/// What an authority answered, with a stamp in it.
#[derive(Debug, Clone)]
pub struct Stamp {
    info: TstInfo,
    /// What is signed: `info` as it was written.
    content: Vec<u8>,
    signed: SignedData,
    at: Timestamp,
}

impl Stamp {
    /// Reads an answer. Nothing is verified.
    ///
    /// # Errors
    /// When the authority refused, or it is no answer.
    pub fn parse(answer: &[u8]) -> Result<Self, StampError> {
        let answer = TimeStampResp::from_der(answer)?;
        let token = match answer.status.status as u8 {
            // Granted, or granted with changes, which what is looked at next would show.
            0 | 1 => answer.time_stamp_token,
            other => return Err(StampError::Refused(STATUSES.get(usize::from(other)).copied().unwrap_or("unknown"))),
        };
        let token = token.ok_or_else(|| StampError::Malformed("it holds no token".to_owned()))?;
        if token.content_type != SIGNED_DATA {
            return Err(StampError::Malformed("its token is not signed".to_owned()));
        }
        let signed: SignedData = token.content.decode_as()?;
        let content = match &signed.encap_content_info.econtent {
            Some(content) if signed.encap_content_info.econtent_type == TST_INFO => content.decode_as::<OctetString>()?,
            _ => return Err(StampError::Malformed("what is signed is no time stamp".to_owned())),
        };
        let content = content.into_bytes();
        let info = TstInfo::from_der(&content)?;
        let since = i64::try_from(info.gen_time.to_unix_duration().as_secs());
        let at = since.ok().and_then(|since| Timestamp::from_second(since).ok());
        let at = at.ok_or_else(|| StampError::Malformed("its time is none".to_owned()))?;
        Ok(Self { info, content, signed, at })
    }

    /// When the authority saw the hash, by its own clock.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// That it answers this request, and not an earlier one.
    ///
    /// # Errors
    /// [`StampError::Nonce`].
    pub fn answers(&self, request: &Request) -> Result<(), StampError> {
        if self.info.nonce.as_ref() == Some(&request.nonce) { Ok(()) } else { Err(StampError::Nonce) }
    }

    /// That it is of these bytes.
    ///
    /// # Errors
    /// [`StampError::Imprint`].
    pub fn is_of(&self, bytes: &[u8]) -> Result<(), StampError> {
        let imprint = &self.info.message_imprint;
        let is_same = imprint.hash_algorithm.oid == SHA_256 && imprint.hashed_message.as_bytes() == sha256(bytes);
        if is_same { Ok(()) } else { Err(StampError::Imprint) }
    }

    /// That an authority below one of these signed it, with a certificate for nothing but time stamps that held at the time
    /// of the stamp. Revocation is not looked at.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, authorities: &Authorities) -> Result<(), StampError> {
        signature::verify(self, authorities)
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// From certificates in PEM, of which there is one at least.
    ///
    /// # Errors
    /// [`StampError::Authorities`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, StampError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let read = read.map_err(|error| StampError::Authorities(error.to_string()))?;
        if read.is_empty() {
            return Err(StampError::Authorities("there is no certificate in PEM".to_owned()));
        }
        for certificate in &read {
            webpki::anchor_from_trusted_cert(certificate).map_err(|error| StampError::Authorities(error.to_string()))?;
        }
        Ok(Self(read))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes")
}
