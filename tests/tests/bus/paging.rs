//! Searches page by page, and the cursors between pages.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rabita_tests::bus::{Caller, Country, Manifest, Upstream};
use serde_json::{Value, json};

use crate::register::{self, OF_ONE_FAMILY};

const REGISTER: &str = "/api/register/v1/persons";

#[tokio::test]
async fn the_pages_of_a_search_hold_every_record_once() {
    let bus = register::country("").await.start().await;
    let (pages, pins) = walk(&bus.portal(), REGISTER, "name.family=%C6%8Fliyeva&fields=pin", 10).await;
    assert_eq!(pages, [10, 10, 3]);
    assert_eq!(pins, (0..OF_ONE_FAMILY).map(register::pin).collect());
}

#[tokio::test]
async fn the_pages_of_a_registry_behind_rest_do_too_whatever_their_length() {
    let persons = (0..57).map(|at| json!({ "FIN": format!("P{at:06}"), "SOYAD": "Ağayev", "CINS": "K" })).collect();
    let upstream = Upstream::with(persons).await;
    let bus = Country::with_people(upstream.url()).start().await;
    for limit in [7, 19, 57, 100] {
        let (pages, pins) = walk(&bus.portal(), "/api/people/v1/persons", "name.family=A%C4%9Fayev&fields=pin", limit).await;
        assert_eq!((pages.len(), pins.len()), (57_usize.div_ceil(limit), 57), "{limit}");
    }
}

#[tokio::test]
async fn a_search_by_body_goes_on_with_the_cursor_of_a_search_by_url() {
    let bus = register::country("").await.start().await;
    let portal = bus.portal();
    let first = portal.get(&format!("{REGISTER}?sex=female&limit=10&fields=pin")).await.good().json();
    let body = json!({ "where": { "sex": "female" }, "limit": 10, "fields": ["pin"], "cursor": first["next"] });
    let second = portal.post(&format!("{REGISTER}/query"), &body).await.good().json();
    assert_eq!(second["records"][0]["pin"], register::pin(10));
}

#[tokio::test]
async fn the_same_page_has_the_same_etag() {
    let bus = register::country("").await.start().await;
    let portal = bus.portal();
    let path = format!("{REGISTER}?sex=female&limit=10");
    let first = portal.get(&path).await.good();
    assert!(first.json()["next"].is_string());
    assert_eq!(portal.get(&path).await.good().header("etag"), first.header("etag"));
}

#[tokio::test]
async fn a_cursor_shows_nothing_and_cannot_be_made_up() {
    let bus = register::country("").await.start().await;
    let portal = bus.portal();
    let first = portal.get(&format!("{REGISTER}?sex=female&limit=10")).await.good().json();
    let cursor = first["next"].as_str().expect("there are more").to_owned();
    let sealed = URL_SAFE_NO_PAD.decode(&cursor).expect("base64url");
    for text in [register::pin(9), register::pin(10), "FIN".to_owned(), "5ZJ".to_owned()] {
        assert!(!cursor.contains(&text) && !sealed.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }

    let mut turned = sealed.clone();
    *turned.last_mut().expect("bytes") ^= 1;
    let made_up = [
        URL_SAFE_NO_PAD.encode(turned),
        URL_SAFE_NO_PAD.encode(&sealed[..20]),
        "AAAA".to_owned(),
        "5ZJBK09".to_owned(),
        "!".to_owned(),
    ];
    for wrong in made_up {
        let _ = portal.get(&format!("{REGISTER}?sex=female&cursor={wrong}")).await.refused(400, "cursor_invalid");
    }
    let other_search = portal.get(&format!("{REGISTER}?sex=male&cursor={cursor}")).await;
    let _ = other_search.refused(400, "cursor_invalid");
    let more = portal.get(&format!("{REGISTER}?sex=female&name.family=%C6%8Fliyeva&cursor={cursor}")).await;
    let _ = more.refused(400, "cursor_invalid");
}

#[tokio::test]
async fn nodes_take_each_others_cursors_when_they_share_the_secret_and_only_then() {
    let upstream = Upstream::start().await;
    let country = Country::with(&Manifest::of("people", upstream.url()));
    let search = "/api/people/v1/persons?name.family=M%C9%99mm%C9%99dov&limit=1";
    let (alone, stranger) = (country.start().await, country.start_beside().await);
    let cursor = next(&alone.portal().get(search).await.good().json());
    let _ = stranger.portal().get(&format!("{search}&cursor={cursor}")).await.refused(400, "cursor_invalid");

    country.node("cursor_secret: { file: secrets/cursor }");
    country.file("secrets/cursor", "0123456789abcdef0123456789abcdef\n");
    let (one, other) = (country.start_beside().await, country.start_beside().await);
    let cursor = next(&one.portal().get(search).await.good().json());
    let second = other.portal().get(&format!("{search}&cursor={cursor}")).await.good().json();
    assert_eq!(second["records"][0]["pin"], "6DQ0N1M");
    assert_eq!(second.get("next"), None, "this is the last page");
}

fn next(page: &Value) -> String {
    page["next"].as_str().expect("there are more").to_owned()
}

/// Walks through all pages: how long each is, and the pins.
async fn walk(caller: &Caller, path: &str, query: &str, limit: usize) -> (Vec<usize>, BTreeSet<String>) {
    let (mut pages, mut pins) = (Vec::new(), BTreeSet::new());
    let mut cursor = String::new();
    loop {
        let page = caller.get(&format!("{path}?{query}&limit={limit}{cursor}")).await.good().json();
        let records = page["records"].as_array().expect("records").clone();
        pages.push(records.len());
        for record in records {
            let pin = record["pin"].as_str().expect("a pin").to_owned();
            assert!(pins.insert(pin), "a record stands on two pages");
        }
        match page.get("next") {
            Some(next) => cursor = format!("&cursor={}", next.as_str().expect("text")),
            None => return (pages, pins),
        }
        assert!(pages.len() < 100, "the pages have an end");
    }
}
