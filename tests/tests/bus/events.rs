//! Streams of events: `GET /bus/events`.

use rabita_tests::bus::{Authority, Caller, Speaks};
use rabita_tests::eventually;
use reqwest::Method;
use serde_json::json;

use super::people::{ALL, LONG, Stream, bus, patch, rename};

const EVENTS: &str = "/bus/events";

#[tokio::test]
async fn an_applied_update_is_streamed_as_a_cloud_event_cut_to_the_grant() {
    let names = "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: [name.family], purposes: any }";
    let (_country, _people, bus) = bus(&[ALL, names], "").await;
    let (portal, mobile) = (bus.portal(), bus.caller(&Authority::get().mobile));
    let (mut whole, mut cut) = (Stream::open(&portal, EVENTS, None).await, Stream::open(&mobile, EVENTS, None).await);
    let answer = patch(&portal, "people", "5ZJBKH7", &json!({ "income": 950 })).await.good();
    let update = answer.header("rabita-update").to_owned();
    rename(&portal, "5ZJBKH7", "Quliyeva").await;

    let first = whole.next().await;
    assert_eq!(first.event, "rabita.people.v1.persons.updated");
    let data = &first.data;
    assert_eq!((&data["specversion"], &data["source"]), (&json!("1.0"), &json!("/api/people/v1/persons")));
    assert_eq!((&data["type"], &data["rabitaupdate"]), (&json!(first.event), &json!(update)));
    assert_eq!(data["data"], json!({ "key": { "pin": "5ZJBKH7" }, "changed": ["income"], "record": { "income": 950 } }));
    assert_eq!(whole.families(1).await, ["Quliyeva"]);

    // Of the first event nothing is granted, so the second is the first to come.
    let told = cut.next().await.data;
    assert_eq!(told["data"], json!({ "changed": ["name.family"], "record": { "name": { "family": "Quliyeva" } } }));
    assert_eq!(told.get("rabitaupdate"), None, "another system's update");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn whoever_comes_back_with_the_last_id_misses_nothing_and_gets_nothing_twice() {
    let (_country, _people, bus) = bus(&[ALL], "").await;
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let portal = Caller::new(bus.required, Some(&Authority::get().portal), speaks);
        let mut stream = Stream::open(&portal, EVENTS, None).await;
        let begin = stream.last_id.clone().expect("a stream says where it begins");
        for family in ["A", "B", "C"] {
            rename(&portal, "5ZJBKH7", family).await;
        }
        assert_eq!(stream.families(2).await, ["A", "B"]);
        let last = stream.next().await;
        drop(stream);
        for family in ["D", "E"] {
            rename(&portal, "4WTR2PX", family).await;
        }
        let mut stream = Stream::open(&portal, EVENTS, Some(&last.id)).await;
        assert_eq!(stream.families(2).await, ["D", "E"]);
        rename(&portal, "4WTR2PX", "F").await;
        assert_eq!(stream.families(1).await, ["F"]);
        // Who left before the first event has the place where the stream began.
        let mut stream = Stream::open(&portal, EVENTS, Some(&begin)).await;
        assert_eq!(stream.families(6).await, ["A", "B", "C", "D", "E", "F"]);
    }
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives_and_how_far_it_has_come() {
    let names = "{ system: mobile, version: v1, entity: persons, operations: [subscribe], fields: [name.family], purposes: any }";
    let (_country, _people, bus) = bus(&[ALL, names], "").await;
    let (portal, mobile) = (bus.portal(), bus.caller(&Authority::get().mobile));
    let mut stream = Stream::open(&mobile, EVENTS, None).await;
    let begin = stream.last_id.clone();
    let _ = patch(&portal, "people", "5ZJBKH7", &json!({ "income": 950 })).await.good();
    // Of this event nothing is shown, so nothing comes until the bus says that it is still there.
    stream.quiet().await;
    assert_ne!(stream.last_id, begin, "what was passed over need not be passed over again");
    rename(&portal, "5ZJBKH7", "A").await;
    let mut again = Stream::open(&mobile, EVENTS, stream.last_id.as_deref()).await;
    assert_eq!((stream.families(1).await, again.families(1).await), (vec!["A".to_owned()], vec!["A".to_owned()]));
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_stream_goes_on_after_the_node_began_anew() {
    let (country, _people, bus) = bus(&[ALL], "").await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, None).await;
    rename(&bus.portal(), "5ZJBKH7", "A").await;
    let last = stream.next().await;
    rename(&bus.portal(), "5ZJBKH7", "B").await;
    assert!(bus.stop().await, "a stream does not keep a node from ending");
    stream.ended().await;
    let bus = country.start().await;
    let mut stream = Stream::open(&bus.portal(), EVENTS, Some(&last.id)).await;
    assert_eq!(stream.families(1).await, ["B"]);
    rename(&bus.portal(), "5ZJBKH7", "C").await;
    assert_eq!(stream.families(1).await, ["C"]);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_stream_needs_a_grant_that_holds_today_for_the_purpose() {
    let grant = |system: &str, more: &str| format!("{{ system: {system}, version: v1, entity: persons, fields: all, {more} }}");
    let purpose = grant("portal", "operations: [subscribe], purposes: [audit]");
    let ended = grant("mobile", "operations: [subscribe], purposes: any, until: 2020-01-01");
    let reads = grant("auditor", "operations: [read], purposes: any");
    let (_country, _people, bus) = bus(&[&purpose, &ended, &reads], "").await;
    let portal = bus.portal();
    let with = |purpose: &str| portal.request(Method::GET, EVENTS).header("Rabita-Purpose", purpose.to_owned());
    let _ = portal.get(EVENTS).await.refused(403, "purpose_missing");
    let _ = portal.sent(with("identity-check")).await.refused(403, "purpose_not_permitted");
    let _ = portal.sent(with("No Purpose")).await.refused(422, "invalid_request");
    let _ = portal.get("/bus/events?registry=vehicles").await.refused(403, "not_permitted");
    let _ = bus.caller(&Authority::get().mobile).get(EVENTS).await.refused(403, "grant_expired");
    let _ = bus.caller(&Authority::get().auditor).get(EVENTS).await.refused(403, "not_permitted");
    let open = with("audit").send().await.expect("an answer");
    assert_eq!(open.status().as_u16(), 200);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_stream_can_be_narrowed_to_a_registry_and_an_entity() {
    let (_country, _people, bus) = bus(&[ALL], "").await;
    let mut stream = Stream::open(&bus.portal(), "/bus/events?registry=people&entity=persons", None).await;
    rename(&bus.portal(), "5ZJBKH7", "A").await;
    assert_eq!(stream.families(1).await, ["A"]);
    let _ = bus.portal().get("/bus/events?registry=people&entity=plots").await.refused(403, "not_permitted");
    assert!(bus.stop().await);
}

#[tokio::test]
async fn an_id_that_is_of_no_event_is_refused() {
    let (_country, _people, bus) = bus(&[ALL], "").await;
    let portal = bus.portal();
    let answer = portal.sent(portal.request(Method::GET, EVENTS).header("Last-Event-ID", "nonsense")).await;
    let answer = answer.refused(422, "invalid_request");
    assert_eq!(answer.errors(), [("Last-Event-ID".to_owned(), "position".to_owned())]);
    assert!(bus.stop().await);
}

#[tokio::test]
async fn a_system_has_no_more_streams_than_it_may_and_a_closed_one_makes_room() {
    let (_country, _people, bus) = bus(&[ALL], "limits: { streams_per_system: 1 }").await;
    // A connection of its own, so that it can be closed.
    let first = Caller::new(bus.required, Some(&Authority::get().portal), Speaks::Http1);
    let stream = Stream::open(&first, EVENTS, None).await;
    let portal = bus.portal();
    let refused = portal.get(EVENTS).await.refused(429, "rate_limited");
    assert!(!refused.header("retry-after").is_empty());
    drop(stream);
    let again = async || {
        let answer = portal.request(Method::GET, EVENTS).send().await.expect("an answer");
        answer.status().as_u16() == 200
    };
    eventually("the place is free again", LONG, again).await;
    assert!(bus.stop().await);
}
