//! What is asked of the bus itself.

#[path = "support/wire.rs"]
#[expect(dead_code, reason = "the file is shared with tests that ask for records")]
mod wire;

use rabita_contract::{EventsQuery, LedgerRoute, NewSubscription, Route, Tile, UpdatesQuery, parse, wants_body};
use rabita_model::{Code, EntityName, Purpose, Refusal, RegistryId, State};
use wire::head;

const ID: &str = "01920f3c-7b2e-7d11-8a53-3f2b9a6c0d4e";

fn get(path: &str, headers: &[(&str, &str)]) -> Result<Route, Refusal> {
    parse(&head("GET", path, headers), b"")
}

fn subscribe(body: &str) -> Result<NewSubscription, Refusal> {
    let head = head("POST", "/bus/subscriptions", &[("content-type", "application/json"), ("rabita-purpose", "notices")]);
    assert!(wants_body(&head));
    match parse(&head, body.as_bytes())? {
        Route::SubscriptionCreate(wanted) => Ok(wanted),
        other => panic!("{other:?} makes no subscription"),
    }
}

fn places(refusal: &Refusal) -> Vec<(String, &'static str)> {
    assert_eq!(refusal.code, Code::InvalidRequest);
    refusal.faults.iter().map(|fault| (fault.parameter.clone().unwrap_or_else(|| fault.pointer.clone()), fault.code)).collect()
}

fn at(place: &str, code: &'static str) -> (String, &'static str) {
    (place.to_owned(), code)
}

#[test]
fn lists_the_callers_updates_by_what_narrows_them() {
    let Ok(Route::Updates(all)) = get("/bus/updates", &[]) else { panic!("no list") };
    assert_eq!(all, UpdatesQuery::default());
    let path = "/bus/updates?state=parked&registry=vehicles&since=2027-03-01T00:00:00%2B04:00&limit=5&cursor=c";
    let Ok(Route::Updates(some)) = get(path, &[]) else { panic!("no list") };
    let expected = UpdatesQuery {
        state: Some(State::Parked),
        registry: Some(RegistryId::new("vehicles").expect("a registry")),
        since: Some("2027-02-28T20:00:00Z".parse().expect("a time")),
        limit: Some(5),
        cursor: Some("c".into()),
    };
    assert_eq!(some, expected);
    let refusal =
        get("/bus/updates?state=lost&state=parked&registry=A&since=now&limit=0&cursor=&stat=x", &[]).expect_err("a refusal");
    let expected = [
        at("state", "duplicate"),
        at("state", "enum"),
        at("registry", "format"),
        at("since", "format"),
        at("limit", "type"),
        at("cursor", "empty"),
        at("stat", "unexpected_parameter"),
    ];
    assert_eq!(places(&refusal), expected);
    assert!(refusal.faults[6].message.contains("did you mean `state`?"), "{}", refusal.faults[6].message);
}

#[test]
fn an_update_and_a_subscription_are_named_by_their_ids() {
    let id = |text: &str| text.parse().expect("an id");
    assert!(matches!(get(&format!("/bus/updates/{ID}"), &[]), Ok(Route::Update(found)) if found == id(ID)));
    let path = format!("/bus/subscriptions/{ID}");
    let route = |method: &str, path: &str| parse(&head(method, path, &[]), b"");
    assert!(matches!(route("GET", "/bus/subscriptions"), Ok(Route::Subscriptions)));
    assert!(matches!(route("GET", &path), Ok(Route::Subscription(_))));
    assert!(matches!(route("DELETE", &path), Ok(Route::SubscriptionDelete(_))));
    assert!(matches!(route("GET", &format!("{path}/dead")), Ok(Route::DeadLetters(_))));
    assert!(matches!(route("POST", &format!("{path}/replay")), Ok(Route::Replay(_))));
    for path in ["/bus/updates/7", "/bus/updates/", "/bus/subscriptions/x", &format!("{path}/dead/1")] {
        assert_eq!(get(path, &[]).expect_err("a refusal").code, Code::RouteAbsent, "{path}");
    }
    assert_eq!(get(&format!("/bus/updates/{ID}?x=1"), &[]).expect_err("a refusal").code, Code::InvalidRequest);
}

#[test]
fn a_stream_begins_after_the_last_event_that_was_seen() {
    let Ok(Route::Events(all)) = get("/bus/events", &[("last-event-id", ""), ("accept", "text/event-stream")]) else { panic!() };
    assert_eq!(all, EventsQuery::default());
    let headers = [("last-event-id", "0.17"), ("rabita-purpose", "notices")];
    let Ok(Route::Events(some)) = get("/bus/events?registry=vehicles&entity=owners", &headers) else { panic!() };
    let expected = EventsQuery {
        purpose: Some(Purpose::new("notices").expect("a purpose")),
        registry: Some(RegistryId::new("vehicles").expect("a registry")),
        entity: Some(EntityName::new("owners").expect("an entity")),
        after: Some("0.17".into()),
    };
    assert_eq!(some, expected);
    let refusal = get("/bus/events?entity=A", &[("last-event-id", "a b")]).expect_err("a refusal");
    assert_eq!(places(&refusal), [at("entity", "format"), at("Last-Event-ID", "header_text")]);
    let refusal = get("/bus/events", &[("accept", "application/json")]).expect_err("a refusal");
    assert_eq!(refusal.code, Code::NotAcceptable);
}

#[test]
fn a_subscription_names_an_address_and_what_narrows_it() {
    let wanted = subscribe(r#"{"url": "https://portal.example/hook?x=1", "registry": "vehicles", "entity": "owners"}"#);
    let expected = NewSubscription {
        url: "https://portal.example/hook?x=1".into(),
        purpose: Some(Purpose::new("notices").expect("a purpose")),
        registry: Some(RegistryId::new("vehicles").expect("a registry")),
        entity: Some(EntityName::new("owners").expect("an entity")),
    };
    assert_eq!(wanted.expect("a subscription"), expected);
    let refused = |body: &str| places(&subscribe(body).expect_err("a refusal"));
    assert_eq!(refused("[]"), [at("", "type")]);
    assert_eq!(refused(r#"{"uri": "https://a.example/"}"#), [at("/uri", "unknown_member"), at("", "required")]);
    assert_eq!(
        refused(r#"{"url": 1, "registry": "A", "entity": 2}"#),
        [at("/url", "format"), at("/registry", "format"), at("/entity", "format")]
    );
    for bad in ["/hook", "ftp://a.example/", "https:///x", "https://user@a.example/", "https://a.example/#x", "a.example"] {
        assert_eq!(refused(&format!(r#"{{"url": "{bad}"}}"#)), [at("/url", "format")], "{bad}");
    }
    let head = head("POST", "/bus/subscriptions", &[("content-type", "text/plain")]);
    assert_eq!(parse(&head, b"{}").expect_err("a refusal").code, Code::MediaTypeUnsupported);
}

#[test]
fn the_log_is_read_as_tlog_tiles_has_it_and_proofs_by_their_arguments() {
    let ledger = |path: &str| match get(&format!("/bus/ledger/{path}"), &[]) {
        Ok(Route::Ledger(route)) => Ok(route),
        Ok(other) => panic!("{other:?} is not of the ledger"),
        Err(refusal) => Err(refusal.code),
    };
    let tile = |level, n, width| Ok(LedgerRoute::Tile(Tile { level, n, width }));
    let exchange = ID.parse().expect("an id");
    for (path, expected) in [
        ("checkpoint", Ok(LedgerRoute::Checkpoint)),
        ("key", Ok(LedgerRoute::Key)),
        ("tile/0/x001/067", tile(Some(0), 1_067, 256)),
        ("tile/entries/000.p/12", tile(None, 0, 12)),
        ("entries/12", Ok(LedgerRoute::Entry(12))),
        ("proof?index=3", Ok(LedgerRoute::Inclusion { index: 3, size: None })),
        ("proof?index=3&size=7", Ok(LedgerRoute::Inclusion { index: 3, size: Some(7) })),
        (&format!("proof?exchange={ID}"), Ok(LedgerRoute::OfExchange(exchange))),
        ("consistency?from=3", Ok(LedgerRoute::Consistency { from: 3, to: None })),
        ("consistency?from=3&to=4", Ok(LedgerRoute::Consistency { from: 3, to: Some(4) })),
        ("checkpoint?x=1", Err(Code::InvalidRequest)),
        ("proof", Err(Code::InvalidRequest)),
        ("proof?size=7", Err(Code::InvalidRequest)),
        (&format!("proof?index=1&exchange={ID}"), Err(Code::InvalidRequest)),
        ("proof?index=01", Err(Code::InvalidRequest)),
        ("consistency?to=4", Err(Code::InvalidRequest)),
        ("cosignatures", Ok(LedgerRoute::Cosignatures)),
        ("", Err(Code::RouteAbsent)),
        ("entries/-1", Err(Code::RouteAbsent)),
        ("tile/0/1", Err(Code::RouteAbsent)),
    ] {
        assert_eq!(ledger(path), expected, "{path}");
    }
}

#[test]
fn cosignatures_are_plain_text() {
    let submit = |media_type: &str, body: &[u8]| {
        let head = head("POST", "/bus/ledger/cosignatures", &[("content-type", media_type)]);
        assert!(wants_body(&head));
        match parse(&head, body) {
            Ok(Route::Ledger(route)) => Ok(route),
            Ok(other) => panic!("{other:?} is not of the ledger"),
            Err(refusal) => Err(refusal.code),
        }
    };
    assert_eq!(submit("text/plain; charset=utf-8", "— w\n".as_bytes()), Ok(LedgerRoute::Cosign("— w\n".into())));
    assert_eq!(submit("application/json", b"{}"), Err(Code::MediaTypeUnsupported));
    assert_eq!(submit("text/plain", b"\xff"), Err(Code::MalformedRequest));
    assert_eq!(submit("text/plain", &[b'a'; 70_000]), Err(Code::BodyTooLarge));
}
