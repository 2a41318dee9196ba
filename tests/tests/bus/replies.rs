//! What a registry answers is held against its contract, and what breaks it is the registry's to answer for.

use bytes::Bytes;
use rabita_tests::bus::{Country, Manifest, Mood, Upstream};
use serde_json::json;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
/// Values of a broken reply, of which no caller may see any.
const SECRETS: [&str; 3] = ["Gizlinova", "31.02.1978", "CHOX"];

#[tokio::test]
async fn a_reply_that_breaks_the_schema_is_refused_with_the_places_and_none_of_the_values() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let cases = [
        (json!({ "FIN": "5ZJBKH7", "SOYAD": "Gizlinova", "CINS": "Q", "GELIR": "CHOX" }), vec!["/income"]),
        (json!({ "FIN": "5ZJBKH7", "SOYAD": "Gizlinova" }), vec!["/sex"]),
        (json!({ "FIN": "5ZJBKH7", "CINS": "Q" }), vec!["/name"]),
        (json!({ "FIN": "5ZJBKH7", "SOYAD": "Gizlinova", "CINS": "CHOX" }), vec!["/sex"]),
        (json!({ "FIN": "5ZJBKH7", "SOYAD": "Gizlinova", "CINS": "Q", "DOGUM": "31.02.1978" }), vec!["/birth_date"]),
        (
            json!({ "FIN": "Gizlinova", "SOYAD": "", "CINS": "CHOX", "GELIR": -1 }),
            vec!["/pin", "/name/family", "/sex", "/income"],
        ),
        (json!({ "FIN": "5ZJBKH7", "SOYAD": { "CHOX": 1 }, "CINS": "Q" }), vec!["/name/family"]),
    ];
    for (reply, places) in cases {
        upstream.is(Mood::json(reply.to_string()));
        let answer = bus.portal().get(AYGUN).await.refused(502, "registry_broke_contract");
        assert_eq!((&answer.json()["blame"], &answer.json()["retry"]), (&json!("registry"), &json!("never")));
        let errors = answer.errors();
        for place in &places {
            assert!(errors.iter().any(|(at, _)| at.starts_with(place)), "nothing at {place} for {reply}: {}", answer.text());
        }
        assert!(errors.len() >= places.len());
        for error in answer.json()["errors"].as_array().expect("errors") {
            assert!(error.get("message").is_none(), "a message could quote the registry: {error}");
        }
        for secret in SECRETS {
            assert!(!answer.text().contains(secret), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_refused_as_such() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let says = |media_type: &'static str, body: &'static [u8]| Mood::Says {
        status: 200,
        headers: vec![("content-type", media_type)],
        body: Bytes::from_static(body),
    };
    let moods = [
        says("application/json", b"{\"FIN\":\"5ZJBKH7\",\"SOYAD\":\"Gizlin"),
        says("application/json", b"<html><body>Gizlinova</body></html>"),
        says("text/html", b"<html><body>Gizlinova</body></html>"),
        says("application/json", b"{\"FIN\":\"5ZJBKH7\",\"SOYAD\":\"Gizlinova \xd0\xc8\",\"CINS\":\"Q\"}"),
        says("application/json; charset=klingon", b"{}"),
        says("application/json", b"[]"),
        says("application/json", b"\"Gizlinova\""),
        says("application/json", b""),
        Mood::breaks_off(),
    ];
    for mood in moods {
        let told = format!("{mood:?}");
        upstream.is(mood);
        let answer = bus.portal().get(AYGUN).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "registry_broke_contract"), "{told}: {}", answer.text());
        assert!(!answer.text().contains("Gizlin"));
    }
    // The encoding that an answer names is the one that it is read in.
    upstream.is(says("application/json; charset=windows-1254", b"{\"FIN\":\"5ZJBKH7\",\"SOYAD\":\"\xdeahin\",\"CINS\":\"Q\"}"));
    assert_eq!(bus.portal().get(AYGUN).await.good().json()["name"]["family"], "Şahin");
}

#[tokio::test]
async fn one_bad_record_spoils_the_page_and_only_fields_that_were_asked_for_count() {
    let good = json!({ "FIN": "5ZJBKH7", "SOYAD": "Əliyeva", "CINS": "Q" });
    let upstream = Upstream::with(vec![good, json!({ "FIN": "4WTR2PX", "SOYAD": "Gizlinova", "CINS": "CHOX" })]).await;
    let bus = Country::with_people(upstream.url()).start().await;
    let search = "/api/people/v1/persons?name.family=Gizlinova";
    let answer = bus.portal().get(search).await.refused(502, "registry_broke_contract");
    assert_eq!(answer.errors()[0].0, "/records/0/sex");
    let many = bus.portal().get("/api/people/v1/persons?key=5ZJBKH7&key=4WTR2PX").await;
    assert_eq!(many.refused(502, "registry_broke_contract").errors()[0].0, "/records/1/sex");
    let narrow = bus.portal().get(&format!("{search}&fields=pin")).await.good();
    assert_eq!(narrow.json()["records"], json!([{ "pin": "4WTR2PX" }]));
}

#[tokio::test]
async fn what_is_only_observed_is_let_through_counted_and_marked() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("observed", upstream.url()).persons("replies: observe"));
    country.registry(&Manifest::of("enforced", upstream.url()));
    country.grants("enforced", &[rabita_tests::bus::GRANT_ALL]);
    let bus = country.start().await;
    let well = bus.portal().get("/api/observed/v1/persons/5ZJBKH7").await.good();
    assert!(well.headers.get("rabita-observed").is_none());
    upstream.is(Mood::json(json!({ "FIN": "5ZJBKH7", "SOYAD": "Əliyeva", "CINS": "?", "GELIR": -5 }).to_string()));
    let answer = bus.portal().get("/api/observed/v1/persons/5ZJBKH7").await.good();
    assert_eq!(answer.header("rabita-observed"), "2");
    assert_eq!(answer.json(), json!({ "pin": "5ZJBKH7", "name": { "family": "Əliyeva" }, "income": -5 }));
    let _ = bus.portal().get("/api/enforced/v1/persons/5ZJBKH7").await.refused(502, "registry_broke_contract");
    for (registry, mode) in [("observed", "observed"), ("enforced", "refused")] {
        let labels = [format!("registry=\"{registry}\""), format!("mode=\"{mode}\"")];
        let counted = bus.metric("rabita_reply_faults_total", &[&labels[0], &labels[1]]).await;
        assert!((counted - 2.0).abs() < f64::EPSILON, "{registry}: {counted}");
    }
}

#[tokio::test]
async fn a_registry_that_answers_nonsense_is_not_taken_for_one_that_is_ill() {
    let upstream = Upstream::start().await;
    let bus = Country::with(&Manifest::of("people", upstream.url()).limits("{ breaker: { failures: 2, open_ms: 60000 } }"))
        .start()
        .await;
    upstream.is(Mood::json("nonsense"));
    for _ in 0..5 {
        let _ = bus.portal().get(AYGUN).await.refused(502, "registry_broke_contract");
    }
    upstream.is(Mood::Well);
    let _ = bus.portal().get(AYGUN).await.good();
}
