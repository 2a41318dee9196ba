//! Certificates: an authority, the bus's own, those of systems, and those that must not be taken.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevocationReason, RevokedCertParams, SerialNumber,
};

/// The midnight so many days from now, in `rcgen`'s type, whose crate is none of ours to name.
macro_rules! day {
    ($distance:expr) => {{
        let (year, month, day) = date($distance);
        rcgen::date_time_ymd(year, month, day)
    }};
}

/// The moment so many seconds from now.
macro_rules! second {
    ($distance:expr) => {{
        let since_1970 = u64::try_from(Timestamp::now().as_second() + $distance).expect("a moment after 1970");
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since_1970)
    }};
}

/// The systems that the configuration knows, each by the DNS name `{system}.systems.example`.
pub(super) const SYSTEMS: [&str; 3] = ["portal", "mobile", "auditor"];

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

/// All certificates of the tests, made once for the process.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The authority's own certificate.
    pub certificate: String,
    /// The authority's own key.
    pub key: String,
    pub server: Identity,
    pub portal: Identity,
    pub mobile: Identity,
    pub auditor: Identity,
    /// Signed by the authority, known to no configuration.
    pub stranger: Identity,
    /// The portal's name, but its time is over.
    pub expired: Identity,
    /// The portal's name, on the list of revocations.
    pub revoked: Identity,
    /// The portal's name, signed by another authority.
    pub forged: Identity,
    /// The list of what the authority took back.
    pub revocations: String,
}

const REVOKED: u64 = 4711;
const HOST_SERIAL: u64 = 5;

impl Authority {
    /// The one of this process.
    pub fn get() -> &'static Self {
        static MADE: LazyLock<Authority> = LazyLock::new(Authority::make);
        &MADE
    }

    /// Writes what the bus needs into a directory.
    pub(super) fn write(&self, directory: &Path) {
        let files = [
            ("ca.pem", &self.certificate),
            ("server.pem", &self.server.certificate),
            ("server.key", &self.server.key),
            ("revocations.pem", &self.revocations),
        ];
        for (name, text) in files {
            std::fs::write(directory.join(name), text).expect("a directory that can be written");
        }
    }

    fn make() -> Self {
        let (issuer, certificate) = authority("Rabita test authority");
        let (other, _) = authority("Another authority");
        let client = |name: &str| leaf(&issuer, &[&format!("{name}.systems.example")], name, Validity::Current, 1);
        let portal = ["portal.systems.example"];
        Self {
            certificate,
            key: issuer.key().serialize_pem(),
            server: leaf(&issuer, &["localhost", "127.0.0.1"], "localhost", Validity::Current, 2),
            portal: client("portal"),
            mobile: client("mobile"),
            auditor: client("auditor"),
            stranger: client("stranger"),
            expired: leaf(&issuer, &portal, "portal", Validity::Over, 3),
            revoked: leaf(&issuer, &portal, "portal", Validity::Current, REVOKED),
            forged: leaf(&other, &portal, "portal", Validity::Current, 4),
            revocations: revocations(&issuer, &[REVOKED], 30 * 86_400),
            issuer,
        }
    }

    /// The certificate of a host, which is known by the DNS name `{host}.hosts.example`.
    #[must_use]
    pub fn host(&self, host: &str) -> Identity {
        self.host_of(host, HOST_SERIAL)
    }

    /// The same with this serial number, by which it can be taken back.
    #[must_use]
    pub fn host_of(&self, host: &str, serial: u64) -> Identity {
        leaf(&self.issuer, &[&format!("{host}.hosts.example")], host, Validity::Current, serial)
    }

    /// The same of another authority.
    #[must_use]
    pub fn foreign_host(host: &str) -> Identity {
        let (other, _) = authority("Another authority");
        leaf(&other, &[&format!("{host}.hosts.example")], host, Validity::Current, HOST_SERIAL)
    }

    /// A certificate of the portal, with something about it changed.
    ///
    /// # Panics
    /// When there is no such certificate.
    #[must_use]
    pub fn portal_but(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = params(&["portal.systems.example"], "portal");
        change(&mut params);
        signed(&self.issuer, params)
    }

    /// The list of what the authority took back, when it holds these serial numbers and is current so long from now.
    #[must_use]
    pub fn taken_back(&self, serials: &[u64], seconds: i64) -> String {
        revocations(&self.issuer, serials, seconds)
    }
}

/// Gives a certificate this time to hold, in seconds from now.
pub fn holds_within(params: &mut CertificateParams, from: i64, until: i64) {
    (params.not_before, params.not_after) = (second!(from), second!(until));
}

enum Validity {
    Current,
    Over,
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (day!(-400), day!(400));
    let key = key();
    let certificate = params.self_signed(&key).expect("an authority can sign itself").pem();
    (Issuer::new(params, key), certificate)
}

fn leaf(issuer: &Issuer<'_, KeyPair>, names: &[&str], common_name: &str, validity: Validity, serial: u64) -> Identity {
    let mut params = params(names, common_name);
    if let Validity::Over = validity {
        (params.not_before, params.not_after) = (day!(-100), day!(-2));
    }
    params.serial_number = Some(SerialNumber::from(serial));
    signed(issuer, params)
}

/// What a certificate of the tests says, unless something else is wanted of it.
fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names are names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (day!(-1), day!(100));
    params
}

fn signed(issuer: &Issuer<'_, KeyPair>, params: CertificateParams) -> Identity {
    let key = key();
    let certificate = params.signed_by(&key, issuer).expect("the authority can sign").pem();
    Identity { certificate, key: key.serialize_pem() }
}

/// The list that takes these back and is current for so many seconds from now.
fn revocations(issuer: &Issuer<'_, KeyPair>, serials: &[u64], seconds: i64) -> String {
    let taken_back = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: day!(-1),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: day!(-2),
        next_update: second!(seconds),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(taken_back).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).and_then(|list| list.pem()).expect("a list can be signed")
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("the machine has randomness")
}

/// The day so many days from now.
fn date(distance: i64) -> (i32, u8, u8) {
    let today = TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let day = today.checked_add(distance.days()).expect("a day of this age");
    let number = |part: i8| u8::try_from(part).expect("a part of a date");
    (day.year().into(), number(day.month()), number(day.day()))
}
