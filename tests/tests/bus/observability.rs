//! What operators see.

use std::time::Duration;

use rabita_tests::SilentPort;
use rabita_tests::bus::{Collector, Country, Manifest, Upstream};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::Value;

const LONG: Duration = Duration::from_secs(30);
const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_registry_that_is_down_at_the_start_is_unready_until_it_is_up() {
    let port = SilentPort::new();
    let up = Upstream::start().await;
    let country = Country::with_people(port.url());
    country.registry(&Manifest::of("up", up.url()));
    let bus = country.start().await;
    let health = async |registry: &str| {
        let (status, text) = bus.told("/readyz").await;
        assert_eq!(status, 200, "one registry does not take the node away from the callers of others");
        let told: Value = serde_json::from_str(&text).expect("JSON");
        (
            told["registries"][registry]["ready"] == true,
            told["registries"][registry]["why"].as_str().unwrap_or_default().to_owned(),
        )
    };
    eventually("the one that is up is ready", LONG, async || health("up").await.0).await;
    eventually("the other was asked", LONG, async || health("people").await.1.contains("unavailable")).await;
    assert!(!health("people").await.0);
    let _ = bus.portal().get(AYGUN).await.refused(503, "registry_unavailable");
    let _upstream = Upstream::at(port, rabita_tests::bus::five());
    let _ = bus.portal().get(AYGUN).await.good();
    eventually("it is ready", LONG, async || health("people").await.0).await;
    assert!((bus.metric("rabita_registry_ready", &["registry=\"up\""]).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn the_admin_listener_answers_three_questions_and_no_others() {
    let bus = Country::new().start().await;
    assert_eq!(bus.told("/livez").await, (200, "alive\n".to_owned()));
    let (status, ready) = bus.told("/readyz").await;
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((status, &ready["ready"]), (200, &Value::Bool(true)));
    assert_eq!(bus.told("/metrics").await.0, 200);
    assert_eq!(bus.told("/bus/catalogue").await.0, 404);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let posted = client.post(format!("http://{}/metrics", bus.admin)).send().await.expect("an answer");
    assert_eq!(posted.status(), 405);
}

#[tokio::test]
async fn metrics_count_exchanges_by_what_the_configuration_names_and_by_nothing_that_callers_make_up() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("counted", upstream.url()));
    country.system("portal", "{ requests_per_second: 1, burst: 4 }");
    let bus = country.start().await;
    let _ = bus.portal().get("/api/counted/v1/persons/5ZJBKH7").await.good();
    let _ = bus.portal().get("/api/counted/v1/persons/9XXXXXX").await.refused(404, "record_absent");
    let _ = bus.portal().get("/api/made-up-name/v1/persons/5ZJBKH7").await.refused(403, "not_permitted");
    eventually("the limit is met", LONG, async || bus.portal().get("/api/made-up-name/v1/persons/x").await.status == 429).await;
    for code in ["ok", "record_absent"] {
        let labels = [
            "registry=\"counted\"",
            "system=\"portal\"",
            "entity=\"persons\"",
            "operation=\"read\"",
            &format!("code=\"{code}\""),
        ];
        assert!((bus.metric("rabita_exchanges_total", &labels).await - 1.0).abs() < f64::EPSILON, "{code}");
    }
    let (_, text) = bus.told("/metrics").await;
    for name in [
        "rabita_exchange_seconds_bucket{registry=\"counted\"",
        "rabita_registry_seconds_bucket{registry=\"counted\"",
        "rabita_registry_in_flight{registry=\"counted\"} 0",
        "rabita_breaker_open{registry=\"counted\"} 0",
        "rabita_connections ",
        "# HELP rabita_exchanges_total",
    ] {
        assert!(text.contains(name), "no {name} in\n{text}");
    }
    for personal in ["5ZJBKH7", "9XXXXXX", "made-up-name", "Əliyeva"] {
        assert!(!text.contains(personal), "{personal} in the metrics");
    }
}

#[tokio::test]
async fn without_traces_the_callers_traceparent_goes_on_as_it_is() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let portal = bus.portal();
    let handed_on =
        |upstream: &Upstream| upstream.last().headers.get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let _ = portal.sent(portal.request(Method::GET, AYGUN).header("traceparent", TRACEPARENT)).await.good();
    assert_eq!(handed_on(&upstream).as_deref(), Some(TRACEPARENT));
    let _ = portal.sent(portal.request(Method::GET, AYGUN).header("traceparent", "nonsense")).await.good();
    assert_eq!(handed_on(&upstream), None);
}

#[tokio::test]
async fn with_traces_the_registry_is_told_of_a_span_below_the_callers_and_the_collector_gets_both() {
    let (upstream, collector) = (Upstream::start().await, Collector::start().await);
    let country = Country::with(&Manifest::of("traced", upstream.url()));
    country.node(&format!("telemetry: {{ traces: {{ endpoint: \"{}\" }} }}", collector.endpoint()));
    let bus = country.start().await;
    let portal = bus.portal();
    let path = "/api/traced/v1/persons/5ZJBKH7";
    let exchange = portal
        .sent(portal.request(Method::GET, path).header("traceparent", TRACEPARENT))
        .await
        .good()
        .header("rabita-exchange")
        .to_owned();
    let handed_on = upstream.last().headers["traceparent"].to_str().expect("text").to_owned();
    assert!(handed_on.starts_with(&format!("00-{TRACE}-")) && handed_on.ends_with("-01"), "{handed_on}");
    assert_ne!(handed_on, TRACEPARENT);
    assert_eq!(upstream.last().headers.get("x-request-id").and_then(|value| value.to_str().ok()), Some(exchange.as_str()));
    // A trace that its caller does not record is not recorded here.
    let _ = portal.sent(portal.request(Method::GET, path).header("traceparent", TRACEPARENT.replace("-01", "-00"))).await.good();
    assert!(upstream.last().headers["traceparent"].to_str().is_ok_and(|text| text.ends_with("-00")));
    let _ = portal.get("/api/traced/v1/persons/9XXXXXX").await.refused(404, "record_absent");

    let _ = portal.get("/api/p5zjbkh7/v1/persons/x").await.refused(403, "not_permitted");

    assert!(bus.stop().await, "all is finished");
    let names = ["read traced/v1/persons", "call traced", "rabita.registry", "rabita.system", "portal", "record_absent"];
    eventually("the spans arrive", LONG, async || names.iter().all(|name| collector.has(name.as_bytes()))).await;
    let span: Vec<u8> = (36..52).step_by(2).map(|at| u8::from_str_radix(&handed_on[at..at + 2], 16).expect("digits")).collect();
    assert!(collector.has(&span), "the span that the registry was told of is there");
    for personal in ["5ZJBKH7", "9XXXXXX", "Əliyeva", "5zjbkh7"] {
        assert!(!collector.has(personal.as_bytes()), "{personal} in a trace");
    }
}
