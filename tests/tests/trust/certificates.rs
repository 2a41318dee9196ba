//! Certificates that must not be taken, those that must not be taken any longer, and those whose connection must end.

use std::sync::Arc;
use std::time::Duration;

use rabita_tests::bus::{Authority, Bus, Country, Identity, Upstream, holds_within};
use rabita_tests::eventually;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use rustls::AlertDescription;

use crate::wire::{Wire, caller, verdict};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const DAY: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(10);

/// A bus with a list of revocations that holds these serial numbers and is current for so many seconds.
async fn bus(upstream: &Upstream, serials: &[u64], seconds: i64) -> (Country, Bus) {
    let country = Country::with_people(upstream.url());
    take_back(&country, serials, seconds);
    let revocations = ", revocations: tls/list.pem";
    country.listeners(revocations, revocations, "");
    let bus = country.start().await;
    (country, bus)
}

fn take_back(country: &Country, serials: &[u64], seconds: i64) {
    replace(country, "list.pem", &Authority::get().taken_back(serials, seconds));
}

/// Puts a file in the place of another at once, as whoever renews certificates does.
fn replace(country: &Country, name: &str, text: &str) {
    let file = country.path().join("tls").join(name);
    let new = file.with_extension("new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file)).expect("a scratch directory can be written");
}

fn serial(number: u64) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.serial_number = Some(SerialNumber::from(number))
}

fn uri(uri: &str) -> SanType {
    SanType::URI(Ia5String::try_from(uri).expect("a URI"))
}

/// The portal's name on a certificate that signed itself.
fn self_signed() -> Identity {
    let key = KeyPair::generate().expect("the machine has randomness");
    let mut params = CertificateParams::new(vec!["portal.systems.example".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, "portal");
    Identity { certificate: params.self_signed(&key).expect("a key signs").pem(), key: key.serialize_pem() }
}

/// The portal's name on a certificate that another system signed with the key of its own.
fn signed_by_a_system() -> Identity {
    let mobile = &Authority::get().mobile;
    let mut own = CertificateParams::default();
    own.distinguished_name.push(DnType::CommonName, "mobile");
    let issuer = Issuer::new(own, KeyPair::from_pem(&mobile.key).expect("a key"));
    let key = KeyPair::generate().expect("the machine has randomness");
    let params = CertificateParams::new(vec!["portal.systems.example".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a key signs").pem();
    Identity { certificate: format!("{certificate}{}", mobile.certificate), key: key.serialize_pem() }
}

#[tokio::test]
async fn a_certificate_with_anything_wrong_about_it_is_refused_before_a_request_is_read() {
    let upstream = Upstream::start().await;
    let (_country, bus) = bus(&upstream, &[77], DAY).await;
    let authority = Authority::get();
    let cases = [
        ("expired", authority.portal_but(|params| holds_within(params, -DAY, -60)), AlertDescription::CertificateExpired),
        (
            "not yet valid",
            authority.portal_but(|params| holds_within(params, DAY, 2 * DAY)),
            AlertDescription::CertificateExpired,
        ),
        ("revoked", authority.portal_but(serial(77)), AlertDescription::CertificateRevoked),
        ("of another authority", authority.forged.clone(), AlertDescription::UnknownCA),
        ("signed by itself", self_signed(), AlertDescription::UnknownCA),
        ("signed by a system", signed_by_a_system(), AlertDescription::CertificateUnknown),
        (
            "for servers alone",
            authority.portal_but(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
            AlertDescription::UnsupportedCertificate,
        ),
        (
            "for something else alone",
            authority.portal_but(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]),
            AlertDescription::UnsupportedCertificate,
        ),
        (
            "with a key that is not for signing",
            authority.portal_but(|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
            AlertDescription::UnsupportedCertificate,
        ),
        (
            "an authority's",
            authority.portal_but(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            AlertDescription::CertificateUnknown,
        ),
        (
            "the authority's own",
            Identity { certificate: authority.certificate.clone(), key: authority.key.clone() },
            AlertDescription::CertificateUnknown,
        ),
        (
            "another's, without its key",
            Identity { certificate: authority.portal.certificate.clone(), key: authority.stranger.key.clone() },
            AlertDescription::DecryptError,
        ),
    ];
    for address in [bus.required, bus.optional] {
        for (what, identity, alert) in &cases {
            assert_eq!(verdict(address, identity, AYGUN).await, Err(Some(*alert)), "{what}");
        }
        assert_eq!(verdict(address, &authority.portal, AYGUN).await, Ok(200));
    }
    assert_eq!(upstream.calls(), 2, "of the two that were good");
}

#[tokio::test]
async fn a_certificate_that_merely_resembles_a_systems_is_nobodys() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.file(
        "systems/portal.yaml",
        "system: portal\nagency: asan\ncertificates: [{ uri: \"spiffe://trust.example/asan/portal\" }]\n",
    );
    let bus = country.start().await;
    let named = |names: Vec<SanType>| Authority::get().portal_but(|params| params.subject_alt_names = names);
    let own = || uri("spiffe://trust.example/asan/portal");
    assert_eq!(verdict(bus.required, &named(vec![own()]), AYGUN).await, Ok(200));
    for names in [
        vec![uri("spiffe://trust.example/asan/portal/")],
        vec![uri("spiffe://trust.example/asan/portal/child")],
        vec![uri("spiffe://trust.example/asan/Portal")],
        vec![uri("spiffe://trust.example/asan/%70ortal")],
        vec![uri("spiffe://trust.example/asan/../asan/portal")],
        vec![uri("spiffe://trust.example.attacker.example/asan/portal")],
        vec![uri("spiffe://trust.example/asan/portal?x")],
        vec![uri("SPIFFE://trust.example/asan/portal")],
        // X509-SVID, 2: with two URIs it is of neither workload.
        vec![own(), uri("spiffe://trust.example/asan/mobile")],
        vec![uri("https://attacker.example"), own()],
        vec![SanType::DnsName(Ia5String::try_from("portal.systems.example").expect("a name"))],
        vec![],
    ] {
        let shown = format!("{names:?}");
        assert_eq!(verdict(bus.required, &named(names), AYGUN).await, Ok(401), "{shown}");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_wildcard_or_a_common_name_is_not_the_dns_name_that_a_system_is_known_by() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    for name in ["*.systems.example", "portal.systems.example.attacker.example", "xportal.systems.example"] {
        let dns = SanType::DnsName(Ia5String::try_from(name).expect("a name"));
        let shown = Authority::get().portal_but(|params| params.subject_alt_names = vec![dns]);
        assert_eq!(verdict(bus.required, &shown, AYGUN).await, Ok(401), "{name}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_taken_back_while_it_is_connected_loses_its_connection_and_no_other_does() {
    let upstream = Upstream::start().await;
    let (country, bus) = bus(&upstream, &[], DAY).await;
    let leaving = Authority::get().portal_but(serial(77));
    let staying = Authority::get().portal_but(serial(78));
    let (mut left, mut stayed) = (open(&bus, &leaving).await, open(&bus, &staying).await);
    assert_eq!((left.get(AYGUN).await.ok(), stayed.get(AYGUN).await.ok()), (Some(200), Some(200)));
    take_back(&country, &[77], DAY);
    left.ended().await;
    assert_eq!(verdict(bus.required, &leaving, AYGUN).await, Err(Some(AlertDescription::CertificateRevoked)));
    assert_eq!(stayed.get(AYGUN).await.ok(), Some(200), "over the connection that was open all the time");
}

#[tokio::test]
async fn an_answer_that_is_under_way_when_its_caller_is_taken_back_does_not_keep_the_connection() {
    let upstream = Upstream::start().await;
    let (country, bus) = bus(&upstream, &[], DAY).await;
    let leaving = Authority::get().portal_but(serial(77));
    let mut wire = open(&bus, &leaving).await;
    assert_eq!(wire.get(AYGUN).await.ok(), Some(200));
    upstream.hold();
    let asked = tokio::spawn(async move { wire.get(AYGUN).await });
    eventually("the registry is asked", PATIENCE, async || upstream.in_flight() == 1).await;
    take_back(&country, &[77], DAY);
    assert!(asked.await.expect("it does not panic").is_err(), "no answer came");
    upstream.release();
}

#[tokio::test]
async fn a_certificate_that_expires_while_it_is_connected_loses_its_connection_and_its_session() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let over = jiff::Timestamp::now().as_second() + 3;
    let brief = Authority::get().portal_but(|params| holds_within(params, -60, 3));
    let sessions = caller(&brief);
    let mut wire = Wire::open(bus.required, &sessions).await.expect("it holds");
    assert_eq!(wire.get(AYGUN).await.ok(), Some(200));
    wire.ended().await;
    let ended = jiff::Timestamp::now().as_second();
    assert!((over..=over + 3).contains(&ended), "the certificate was over at {over}, the connection at {ended}");
    let again = async { Wire::open(bus.required, &sessions).await?.get(AYGUN).await };
    assert!(again.await.is_err(), "a session that is taken up again does not bring back the time");
}

#[tokio::test]
async fn a_list_of_revocations_that_nobody_renews_refuses_everybody_until_it_is_renewed() {
    let upstream = Upstream::start().await;
    let (country, bus) = bus(&upstream, &[], 3).await;
    let portal = &Authority::get().portal;
    let mut wire = open(&bus, portal).await;
    assert_eq!(wire.get(AYGUN).await.ok(), Some(200));
    wire.ended().await;
    assert!(verdict(bus.required, portal, AYGUN).await.is_err());
    take_back(&country, &[], DAY);
    eventually("the portal is taken again", PATIENCE, async || verdict(bus.required, portal, AYGUN).await == Ok(200)).await;
}

#[tokio::test]
async fn an_authority_that_is_no_longer_trusted_takes_its_systems_with_it() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let bus = country.start().await;
    let mut wire = open(&bus, &Authority::get().portal).await;
    assert_eq!(wire.get(AYGUN).await.ok(), Some(200));
    replace(&country, "ca.pem", &self_signed().certificate);
    wire.ended().await;
    assert_eq!(verdict(bus.required, &Authority::get().portal, AYGUN).await, Err(Some(AlertDescription::UnknownCA)));
}

#[tokio::test]
async fn the_buss_own_certificate_is_renewed_without_an_end_to_what_is_open() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let bus = country.start().await;
    let mut wire = open(&bus, &Authority::get().portal).await;
    assert_eq!(wire.get(AYGUN).await.ok(), Some(200));
    let before = wire.shown();
    let renewed = Authority::get().portal_but(|params| {
        params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from("localhost").expect("a name"))];
    });
    // Between the two, key and certificate do not go together: that is refused, and the old ones stay.
    replace(&country, "server.pem", &renewed.certificate);
    replace(&country, "server.key", &renewed.key);
    eventually("the new certificate is shown", PATIENCE, async || open(&bus, &Authority::get().portal).await.shown() != before)
        .await;
    assert_eq!(wire.get(AYGUN).await.ok(), Some(200));
}

async fn open(bus: &Bus, identity: &Identity) -> Wire {
    Wire::open(bus.required, &Arc::clone(&caller(identity))).await.expect("the bus can be connected to")
}
