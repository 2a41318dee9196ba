//! TLS and HTTP: which certificates and versions are taken.

use rabita_tests::bus::{Authority, Caller, Country, Speaks, Upstream};
use reqwest::Version;
use reqwest::tls::Version as TlsVersion;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";

#[tokio::test]
async fn a_listener_that_requires_a_certificate_refuses_a_connection_without_one() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    for speaks in [Speaks::Http1, Speaks::Http2] {
        assert!(Caller::new(bus.required, None, speaks).try_get(AYGUN).await.is_err());
    }
    assert!(bus.metric("rabita_handshakes_failed_total", &[]).await >= 2.0);
    let _ = bus.portal().get(AYGUN).await.good();
}

#[tokio::test]
async fn a_certificate_that_is_over_or_of_another_authority_is_refused_by_both_listeners() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let authority = Authority::get();
    for address in [bus.required, bus.optional] {
        for wrong in [&authority.expired, &authority.forged] {
            assert!(Caller::new(address, Some(wrong), Speaks::Either).try_get(AYGUN).await.is_err());
        }
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_certificate_that_was_taken_back_is_refused_once_the_list_says_so() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    let revoked = &Authority::get().revoked;
    let before = country.start().await;
    let _ = before.caller(revoked).get(AYGUN).await.good();
    country.listeners(", revocations: tls/revocations.pem", ", revocations: tls/revocations.pem", "");
    let after = country.start_beside().await;
    for address in [after.required, after.optional] {
        assert!(Caller::new(address, Some(revoked), Speaks::Either).try_get(AYGUN).await.is_err());
    }
    let _ = after.portal().get(AYGUN).await.good();
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_unless_the_older_one_is_ruled_out() {
    let upstream = Upstream::start().await;
    let country = Country::with_people(upstream.url());
    country.listeners("", ", min_version: \"1.3\"", "");
    let bus = country.start().await;
    let portal = &Authority::get().portal;
    let only =
        |address, version| Caller::with(address, Some(portal), |client| client.tls_version_min(version).tls_version_max(version));
    for version in [TlsVersion::TLS_1_2, TlsVersion::TLS_1_3] {
        let _ = only(bus.required, version).get(AYGUN).await.good();
    }
    assert!(only(bus.optional, TlsVersion::TLS_1_2).try_get(AYGUN).await.is_err());
    let _ = only(bus.optional, TlsVersion::TLS_1_3).get(AYGUN).await.good();
    let without = Caller::with(bus.required, None, |client| client.tls_version_max(TlsVersion::TLS_1_2));
    assert!(without.try_get(AYGUN).await.is_err());
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_the_newer_one_is_preferred() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    for (speaks, version) in
        [(Speaks::Http1, Version::HTTP_11), (Speaks::Http2, Version::HTTP_2), (Speaks::Either, Version::HTTP_2)]
    {
        let caller = Caller::new(bus.required, Some(&Authority::get().portal), speaks);
        assert_eq!(caller.get(AYGUN).await.good().version, version);
    }
}

#[tokio::test]
async fn nothing_is_answered_to_a_caller_that_speaks_without_tls() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert!(client.get(format!("http://{}{AYGUN}", bus.required)).send().await.is_err());
}
