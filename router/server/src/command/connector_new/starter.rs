//! What a configuration directory needs to begin with: a node on this machine, an agency, a purpose, and certificates to
//! try it. Real certificates come from the authorities of the country.

use std::path::Path;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use serde_json::json;

use crate::command::Failed;

/// The purpose that a starter grant is for.
pub(super) const PURPOSE: &str = "trial";
/// The system that the certificates are for, where none was named.
const SYSTEM: &str = "trial-system";

/// The files of a node, relative to the directory.
pub(super) fn files(agency: &str) -> Vec<(String, String)> {
    let node = "# A node on this machine, to try it. The certificates in tls/ are for that alone.\n\
                listeners:\n  - address: 127.0.0.1:8443\n    tls: { certificate: tls/server.pem, key: tls/server.key, client_authorities: tls/ca.pem }\n";
    let agencies = format!(
        "agencies:\n  - {{ id: {agency}, title: {} }}\npurposes:\n  - {{ id: {PURPOSE}, title: Trying out a registry that was just plugged in }}\n",
        json!(agency)
    );
    vec![("rabita.yaml".to_owned(), node.to_owned()), ("agencies.yaml".to_owned(), agencies)]
}

/// Makes the certificates: an authority, whose key is kept nowhere, the node's and a system's.
pub(super) fn write_certificates(directory: &Path, system: Option<&str>, today: Date) -> Result<(), Failed> {
    std::fs::create_dir_all(directory)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "An authority for trials");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_days(&mut params, today, 1.year())?;
    std::fs::write(directory.join("ca.pem"), params.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(params, key);
    write_leaf(
        directory,
        "server",
        "localhost",
        &["localhost", "127.0.0.1"],
        ExtendedKeyUsagePurpose::ServerAuth,
        today,
        &issuer,
    )?;
    let system = system.unwrap_or(SYSTEM);
    let dns = format!("{system}.systems.example");
    write_leaf(directory, system, system, &[&dns], ExtendedKeyUsagePurpose::ClientAuth, today, &issuer)
}

fn write_leaf(
    directory: &Path,
    file: &str,
    common_name: &str,
    names: &[&str],
    usage: ExtendedKeyUsagePurpose,
    today: Date,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(), Failed> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![usage];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_days(&mut params, today, 90.days())?;
    std::fs::write(directory.join(format!("{file}.pem")), params.signed_by(&key, issuer)?.pem())?;
    write_key(&directory.join(format!("{file}.key")), &key.serialize_pem())
}

/// A private key is for its owner's eyes.
fn write_key(path: &Path, pem: &str) -> Result<(), Failed> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(pem.as_bytes())?)
}

/// From yesterday, so that clocks a little behind agree.
fn set_days(params: &mut CertificateParams, today: Date, length: Span) -> Result<(), Failed> {
    let [not_before, not_after] = [today.yesterday()?, today.checked_add(length)?].map(|day| {
        let number = |part: i8| u8::try_from(part).unwrap_or(1);
        rcgen::date_time_ymd(day.year().into(), number(day.month()), number(day.day()))
    });
    params.not_before = not_before;
    params.not_after = not_after;
    Ok(())
}
