//! The country's own certificate authority, and the certificates of the bus and of those who call it.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};

use crate::error::DemoError;
use crate::files;

/// The systems that have a certificate. The last one is registered nowhere.
pub const CLIENTS: [&str; 4] = ["asan-portal", "mobile-unit", "interior-audit", "stranger"];

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The files of all certificates.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate; its key is nowhere.
    pub authority: PathBuf,
    pub server: Identity,
    /// In the order of [`CLIENTS`].
    pub clients: Vec<Identity>,
}

impl Certificates {
    /// Makes an authority and certificates signed by it, and writes them as PEM files: the bus's own into one
    /// directory, its callers' into another. The authority holds for ten years from this day, the rest for one. The
    /// authority's key is forgotten, so that nobody can add to them.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(bus: &Path, callers: &Path, today: Date) -> Result<Self, DemoError> {
        files::make_directory(bus)?;
        files::make_directory(callers)?;
        let made = |name, source| DemoError::Certificate { name, source };
        let key = new_key("the authority")?;
        let params = authority(today)?;
        let certificate = params.self_signed(&key).map_err(|source| made("the authority", source))?;
        let written = Self::at(bus, callers);
        files::write(&written.authority, certificate.pem().as_bytes())?;
        let issuer = Issuer::new(params, key);
        write_leaf(&written.server, "server", leaf("server", Use::Server, today)?, &issuer)?;
        for (name, client) in CLIENTS.into_iter().zip(&written.clients) {
            write_leaf(client, name, leaf(name, Use::Client, today)?, &issuer)?;
        }
        Ok(written)
    }

    /// Where they are in these directories.
    #[must_use]
    pub fn at(bus: &Path, callers: &Path) -> Self {
        let clients = CLIENTS.iter().map(|name| Identity::at(callers, name)).collect();
        Self { authority: bus.join("ca.pem"), server: Identity::at(bus, "server"), clients }
    }
}

impl Identity {
    fn at(directory: &Path, name: &str) -> Self {
        Self { certificate: directory.join(format!("{name}.pem")), key: directory.join(format!("{name}.key")) }
    }
}

enum Use {
    Server,
    Client,
}

fn authority(today: Date) -> Result<CertificateParams, DemoError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Rabita demo authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_days(&mut params, today, 10.years())?;
    Ok(params)
}

fn leaf(name: &'static str, usage: Use, today: Date) -> Result<CertificateParams, DemoError> {
    let (names, common_name, purpose) = match usage {
        Use::Server => (vec!["localhost".into(), "127.0.0.1".into()], "localhost", ExtendedKeyUsagePurpose::ServerAuth),
        Use::Client => (vec![format!("{name}.systems.example")], name, ExtendedKeyUsagePurpose::ClientAuth),
    };
    let mut params = CertificateParams::new(names).map_err(|source| DemoError::Certificate { name, source })?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![purpose];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_days(&mut params, today, 1.year())?;
    Ok(params)
}

/// From yesterday, so that clocks a little behind agree.
fn set_days(params: &mut CertificateParams, today: Date, length: Span) -> Result<(), DemoError> {
    let first = today.yesterday().map_err(DemoError::Calendar)?;
    let last = today.checked_add(length).map_err(DemoError::Calendar)?;
    let [not_before, not_after] = [first, last].map(|day| {
        let number = |part: i8| u8::try_from(part).unwrap_or(1);
        rcgen::date_time_ymd(day.year().into(), number(day.month()), number(day.day()))
    });
    params.not_before = not_before;
    params.not_after = not_after;
    Ok(())
}

fn write_leaf(
    identity: &Identity,
    name: &'static str,
    params: CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(), DemoError> {
    let key = new_key(name)?;
    let certificate = params.signed_by(&key, issuer).map_err(|source| DemoError::Certificate { name, source })?;
    files::write(&identity.certificate, certificate.pem().as_bytes())?;
    files::write_secret(&identity.key, key.serialize_pem().as_bytes())
}

/// Makes the key with which the bus signs its answers.
pub(crate) fn write_signing_key(path: &Path) -> Result<(), DemoError> {
    let key = KeyPair::generate_for(&PKCS_ED25519);
    let key = key.map_err(|source| DemoError::Certificate { name: "the bus's signature", source })?;
    files::write_secret(path, key.serialize_pem().as_bytes())
}

fn new_key(name: &'static str) -> Result<KeyPair, DemoError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|source| DemoError::Certificate { name, source })
}
