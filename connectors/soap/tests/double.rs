//! The connector against its stand-in: what it sends and what it makes of answers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use rabita_model::{Comparison, Operation};
use rabita_sdk::{
    Applied, Call, Change, ChangeKind, Condition, Double, Duplicates, EntitySpec, Failure, FilterSpec, Finding, GroupSpec, Kind,
    Legacy, OpenBinary, Read, RegistrySpec, Row, Search, Source, TableSpec, Wanted,
};
use rabita_soap::Soap;
use serde_json::{Value, json};

#[tokio::test]
async fn reads_a_record_with_its_group_and_leaves_out_what_is_not_wanted() {
    let double = double(settings(), from(), json!([{
        "request": { "action": "urn:cars/get", "values": { "plate": "10-AA-&1" }, "contains": ["<c:get xml:lang=\"az\"><c:plate>"] },
        "response": { "body": "<c:getResponse><c:car><c:plate>10-AA-&amp;1</c:plate><c:colour>red</c:colour><c:secret>x</c:secret>\
            <c:owners><c:owner share='1/2'>Əliyeva</c:owner></c:owners></c:car></c:getResponse>" }
    }])).await;
    let row = read(&double, "10-AA-&1").await.expect("an answer").expect("a record");
    let text = serde_json::to_string(&row).expect("JSON");
    assert_eq!(text, r##"{"plate":"10-AA-&1","colour":"red","owners.owner":[{"@share":"1/2","#text":"Əliyeva"}]}"##);
    assert_eq!((double.complaints)(), Vec::<String>::new());
    let [asked] = &(double.asked.as_ref().expect("it tells"))()[..] else { panic!("one call") };
    assert_eq!((&asked["action"], &asked["values"]["plate"]), (&json!("urn:cars/get"), &json!("10-AA-&1")));
    assert!(asked["xml"].as_str().is_some_and(|xml| xml.contains("10-AA-&amp;1")), "{asked}");
}

#[tokio::test]
async fn knows_in_each_way_that_there_is_no_record() {
    let double = double(settings(), from(), json!([
        { "request": { "values": { "plate": "1" } }, "response": { "body": "<c:getResponse/>" } },
        { "request": { "values": { "plate": "2" } }, "response": { "body": "<c:getResponse><c:car xsi:nil='true'/></c:getResponse>" } },
        { "request": { "values": { "plate": "3" } }, "response": { "body": "<c:getResponse><c:found>no</c:found><c:car><c:plate>3</c:plate></c:car></c:getResponse>" } },
        { "request": { "values": { "plate": "4" } }, "response": { "fault": { "code": "Server", "string": "NO_CAR" } } },
        { "request": { "values": { "plate": "5" } }, "response": { "fault": { "code": "Server", "string": "lost", "detail": "<c:noSuchCar/>" } } },
    ])).await;
    for plate in ["1", "2", "3", "4", "5"] {
        assert_eq!(read(&double, plate).await, Ok(None), "{plate}");
    }
}

#[tokio::test]
async fn tells_refusals_unavailability_and_nonsense_apart() {
    let double = double(settings(), from(), json!([
        { "request": { "values": { "plate": "bad" } }, "response": { "fault": { "code": "Client", "string": "BAD_PLATE" } } },
        { "request": { "values": { "plate": "odd" } }, "response": { "fault": { "code": "Client", "string": "Əliyeva has no car" } } },
        { "request": { "values": { "plate": "down" } }, "response": { "fault": { "code": "Server", "string": "Əliyeva" } } },
        { "request": { "values": { "plate": "busy" } }, "response": { "fault": { "code": "Client", "string": "BUSY" } } },
        { "request": { "values": { "plate": "gate" } }, "response": { "raw": "<html><body>Bad gateway<br></body></html>", "status": 502 } },
        { "request": { "values": { "plate": "page" } }, "response": { "raw": "<html><body>Welcome</body></html>" } },
        { "request": { "values": { "plate": "cut" } }, "response": { "raw": "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><c" } },
        { "request": { "values": { "plate": "bomb" } }, "response": { "raw": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>" } },
        { "request": { "values": { "plate": "other" } }, "response": { "body": "<c:otherResponse/>" } },
        { "request": { "values": { "plate": "alien" } }, "response": { "body": "<getResponse><car><plate>x</plate></car></getResponse>" } },
        { "request": { "values": { "plate": "two" } }, "response": { "body": "<c:getResponse><c:car/><c:car/></c:getResponse>" } },
        { "request": { "values": { "plate": "entry" } }, "response": { "raw": "go away", "status": 401 } },
    ])).await;
    let failure = async |plate: &str| read(&double, plate).await.expect_err(plate);
    assert!(matches!(failure("bad").await, Failure::Refused { reason: Some(reason), .. } if reason == "BAD_PLATE"));
    let odd = failure("odd").await;
    assert!(matches!(&odd, Failure::Refused { reason: None, .. }) && !odd.to_string().contains("liyeva"), "{odd}");
    for plate in ["down", "busy", "gate", "entry"] {
        let failure = failure(plate).await;
        assert!(matches!(&failure, Failure::Unavailable { .. }) && !failure.to_string().contains("liyeva"), "{plate}: {failure}");
    }
    for plate in ["page", "cut", "bomb", "other", "alien", "two"] {
        let failure = failure(plate).await;
        assert!(matches!(failure, Failure::Malformed { .. }), "{plate}: {failure}");
    }
    assert!(matches!(failure("a\u{1}b").await, Failure::Refused { .. }));
}

#[tokio::test]
async fn keeps_the_deadline() {
    let double = double(settings(), from(), json!([{ "response": { "body": "<c:getResponse/>", "delay_ms": 30_000 } }])).await;
    let call = Call { deadline: Instant::now() + Duration::from_millis(150), ..call() };
    let ask = Read { entity: 0, key: vec!["1".into()], wanted: wanted() };
    assert!(matches!(double.connector.read(ask, &call).await, Err(Failure::TimedOut { .. })));
}

#[tokio::test]
async fn writes_only_what_a_change_gives_and_understands_how_it_ended() {
    let double = double(settings(), from(), json!([
        { "request": { "contains": ["<c:car><c:plate>1</c:plate><c:colour xsi:nil=\"true\"></c:colour></c:car></c:set>"] },
          "response": { "body": "<c:setResponse><c:status>OK</c:status></c:setResponse>" } },
        { "request": { "contains": ["<c:plate>2</c:plate><c:colour>blue</c:colour><c:notes></c:notes></c:car></c:set>"] },
          "response": { "body": "<c:setResponse><c:status>TWICE</c:status></c:setResponse>" } },
        { "request": { "contains": ["<c:set version=\"7\" id=\"00000000-"] }, "response": { "body": "<c:setResponse><c:status>STALE</c:status></c:setResponse>" } },
        { "request": { "values": { "plate": "4" } }, "response": { "fault": { "string": "NO_CAR" } } },
        { "request": { "values": { "plate": "5" } }, "response": { "body": "<c:setResponse><c:status>E17</c:status></c:setResponse>" } },
        { "request": { "values": { "plate": "6" } }, "response": { "raw": "<html/>", "status": 502 } },
        { "request": { "values": { "plate": "7" } }, "response": { "raw": "<html/>" } },
        { "request": { "values": { "plate": "8" } }, "response": { "raw": "<html/>", "status": 503 } },
    ])).await;
    let apply = async |plate: &str, values: Value, version: Option<i64>| {
        let values: Row = serde_json::from_value(values).expect("a row");
        let expected_version = version.map(Legacy::Int);
        let change = Change {
            entity: 0,
            id: uuid::Uuid::nil(),
            kind: ChangeKind::Update,
            key: vec![plate.into()],
            values,
            expected_version,
        };
        double.connector.apply(change, &call()).await
    };
    assert_eq!(apply("1", json!({ "colour": null }), None).await, Ok(Applied::Done));
    assert_eq!(apply("2", json!({ "colour": "blue", "notes": "" }), None).await, Ok(Applied::Before));
    assert_eq!(apply("3", json!({}), Some(7)).await, Ok(Applied::Conflict));
    assert_eq!(apply("4", json!({}), None).await, Ok(Applied::Absent));
    assert!(matches!(apply("5", json!({}), None).await, Err(Failure::Refused { reason: None, .. })));
    assert!(matches!(apply("6", json!({}), None).await, Err(Failure::Unknown { .. })));
    assert!(matches!(apply("7", json!({}), None).await, Err(Failure::Unknown { .. })));
    assert!(matches!(apply("8", json!({}), None).await, Err(Failure::Unavailable { .. })));
    assert_eq!((double.complaints)(), Vec::<String>::new());
    let capabilities = double.connector.capabilities(0);
    assert_eq!(capabilities.duplicates, Duplicates::HandedOn);
    assert!(capabilities.checks_versions && capabilities.streams_binary);
}

#[tokio::test]
async fn searches_page_by_page_with_only_the_filters_that_are_given() {
    let page = |cars: &[&str]| {
        let cars: String = cars.iter().map(|plate| format!("<c:car><c:plate>{plate}</c:plate></c:car>")).collect();
        json!({ "body": format!("<c:listResponse><c:total>3</c:total><c:cars>{cars}</c:cars></c:listResponse>") })
    };
    let double = double(settings(), from(), json!([
        { "request": { "contains": ["<c:list><c:colour>red</c:colour><c:from>0</c:from><c:max>2</c:max></c:list>"] }, "response": page(&["1", "2"]) },
        { "request": { "contains": ["<c:list><c:colour>red</c:colour><c:from>2</c:from><c:max>2</c:max></c:list>"] }, "response": page(&["3"]) },
        { "request": { "contains": ["<c:list><c:platePattern>10-*</c:platePattern><c:from>"] }, "response": page(&[]) },
    ])).await;
    let condition = |source, comparison, value: &str| Condition {
        source: Source::new(source),
        comparison,
        value: value.into(),
        ignore: Vec::new(),
    };
    let wanted = Wanted { sources: vec![Source::new("plate")], groups: Vec::new() };
    let mut ask =
        Search { entity: 0, conditions: vec![condition("colour", Comparison::Equals, "red")], wanted, limit: 2, cursor: None };
    let first = double.connector.search(ask.clone(), &call()).await.expect("a page");
    ask.cursor.clone_from(&first.next);
    let second = double.connector.search(ask.clone(), &call()).await.expect("a page");
    assert_eq!((first.rows.len(), second.rows.len(), second.next), (2, 1, None));
    ask = Search { conditions: vec![condition("plate", Comparison::Prefix, "10-")], cursor: None, ..ask };
    assert_eq!(double.connector.search(ask.clone(), &call()).await.expect("a page").rows, []);
    ask.conditions = vec![condition("colour", Comparison::Prefix, "r")];
    assert!(matches!(double.connector.search(ask, &call()).await, Err(Failure::Unsupported { .. })));
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[tokio::test]
async fn streams_a_binary_value_and_reads_a_table_of_codes() {
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let base64 = serde_json::to_value(Legacy::Bytes(bytes.clone())).expect("Base64");
    let base64 = base64
        .as_str()
        .expect("text")
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect::<Vec<_>>()
        .join("\r\n");
    let double = double(settings(), from(), json!([
        { "request": { "values": { "plate": "1" } }, "response": { "body": format!("<c:getResponse><c:car><c:plate>1</c:plate><c:photo>{base64}</c:photo></c:car></c:getResponse>") } },
        { "request": { "values": { "plate": "2" } }, "response": { "body": "<c:getResponse><c:car><c:plate>2</c:plate></c:car></c:getResponse>" } },
        { "request": { "values": { "plate": "3" } }, "response": { "body": "<c:getResponse><c:car><c:photo>?</c:photo></c:car></c:getResponse>" } },
        { "request": { "contains": [":colours"] }, "response": { "body": "<colours><row><code>R</code><name>red</name></row><row><code>B</code></row></colours>" } },
    ])).await;
    let open = async |plate: &str| {
        let ask = OpenBinary { entity: 0, key: vec![plate.into()], source: Source::new("photo") };
        double.connector.open_binary(ask, &call()).await
    };
    let mut stream = open("1").await.expect("an answer").expect("a photo");
    assert_eq!(stream.length, Some(200_000));
    let mut whole = Vec::new();
    while let Some(chunk) = stream.chunks.next().await {
        whole.extend_from_slice(&chunk.expect("a chunk"));
    }
    assert_eq!(whole, bytes);
    assert!(open("2").await.expect("an answer").is_none());
    assert!(matches!(open("3").await, Err(Failure::Malformed { .. })));
    let table = double.connector.table(0, &call()).await.expect("a table");
    assert_eq!(table, [vec!["R".into(), "red".into()], vec!["B".into(), Legacy::Null]]);
}

#[tokio::test]
async fn speaks_both_versions_with_header_blocks_and_passes_its_probe() {
    let mut settings = settings();
    settings["version"] = json!("1.2");
    settings["header"] = json!({ "c:service": { "@c:id": "{$exchange}", "#text": "cars & more" } });
    let double = double(settings, from(), json!([{
        "request": { "action": "urn:cars/get", "contains": [
            "xmlns:soapenv=\"http://www.w3.org/2003/05/soap-envelope\"", "<soapenv:Header><c:service c:id=\"", ">cars &amp; more</c:service></soapenv:Header>" ] },
        "response": { "fault": { "code": "Client", "string": "BAD_PLATE" } }
    }])).await;
    assert!(matches!(read(&double, "1").await, Err(Failure::Refused { reason: Some(_), .. })));
    assert_eq!(double.connector.probe(&call()).await, Ok(()));
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[test]
fn finds_nothing_wrong_with_a_right_manifest() {
    assert_eq!(Soap.check(&spec(settings(), from())), []);
    for schema in [Soap.settings_schema(), Soap.entity_schema(), Soap.fixture_schema()] {
        assert!(schema.get("$schema").is_some());
    }
}

#[test]
fn finds_what_is_wrong_with_a_manifest_and_where() {
    let found = |change: &dyn Fn(&mut Value, &mut Value)| -> Vec<Finding> {
        let (mut settings, mut from) = (settings(), from());
        change(&mut settings, &mut from);
        Soap.check(&spec(settings, from))
    };
    let one = |change: &dyn Fn(&mut Value, &mut Value)| -> (String, Option<String>) {
        let findings = found(change);
        assert_eq!(findings.len(), 1, "{findings:?}");
        (findings[0].pointer.clone(), findings[0].instead.clone())
    };
    let at = |place: &str| format!("/contract/v1/cars/from{place}");
    assert_eq!(
        one(&|_, from| from["read"]["request"]["c:get"]["c:plate"] = json!("{plat}")),
        (at("/read/request/c:get/c:plate"), Some("plate".into()))
    );
    assert_eq!(one(&|_, from| from["read"]["request"]["c:get"]["d:x"] = json!("1")).0, at("/read/request/c:get/d:x"));
    assert_eq!(
        one(&|_, from| from["read"]["request"]["c:get"]["not a name"] = json!("1")).0,
        at("/read/request/c:get/not a name")
    );
    assert_eq!(
        one(&|_, from| from["read"]["request"]["c:get"]["c:plate"] = json!("{plate} {$limit}")).0,
        at("/read/request/c:get/c:plate")
    );
    assert_eq!(one(&|_, from| from["read"]["response"]["element"] = json!("d:getResponse")).0, at("/read/response"));
    assert_eq!(one(&|_, from| from["read"]["action"] = json!("a\"b")).0, at("/read/action"));
    assert_eq!(one(&|_, from| from["search"]["request"]["c:list"]["c:from"] = json!("0")).0, at("/search/request"));
    let filter = one(&|_, from| from["search"]["request"]["c:list"]["c:platePattern"] = json!("{colour?}"));
    assert_eq!(filter.0, "/contract/v1/cars/operations/search/by/plate");
    assert_eq!(one(&|_, from| from["update"] = Value::Null).0, at(""));
    let written = one(&|_, from| from["update"]["request"]["c:set"]["c:car"]["c:notes"] = json!("x"));
    assert_eq!(written.0, "/contract/v1/cars/operations/update/fields/1");
    assert_eq!(one(&|settings, _| settings["namespaces"]["xsi"] = json!("urn:x")).0, "/connector/namespaces/xsi");
    assert_eq!(one(&|settings, _| settings["version"] = json!("1.3")).0, "/connector");
    assert_eq!(one(&|settings, _| settings["url"] = json!("ftp://x")).0, "/connector/url");
    assert_eq!(one(&|settings, _| settings["header"] = json!({ "c:x": "{plate}" })).0, "/connector/header/c:x");
    assert_eq!(one(&|_, from| from["read"]["responses"] = json!({})).0, at(""));
}

/// Cars that can be retired for a reason; the answer says when.
fn retirable(from: Value) -> RegistrySpec {
    let mut spec = spec(settings(), self::from());
    let wanted = Wanted { sources: vec![Source::new("c:on")], groups: Vec::new() };
    spec.entities[0].actions.push(rabita_sdk::ActSpec {
        name: rabita_model::ActionName::new("retire").expect("a name"),
        pointer: "/actions/retire/from".into(),
        from,
        values: vec![(Source::new("reason"), "/actions/retire/fields/reason".into())],
        reply: Some(wanted),
    });
    spec
}

#[tokio::test]
async fn does_a_named_action_and_reads_its_reply() {
    let from = json!({
        "action": "urn:cars/retire",
        "request": { "c:retire": { "c:plate": "{plate}", "c:reason": "{reason}", "c:id": "{$message_id}" } },
        "response": { "element": "c:retireResponse", "reply": "c:result", "status": { "path": "c:status", "words": { "OK": "done", "NONE": "absent" } } },
    });
    let spec = retirable(from);
    assert_eq!(Soap.check(&spec), []);
    let answer = |status: &str| {
        format!("<c:retireResponse><c:status>{status}</c:status><c:result><c:on>2026-11-23</c:on></c:result></c:retireResponse>")
    };
    let fixture = json!([
        { "request": { "action": "urn:cars/retire", "values": { "plate": "1", "reason": "<rust>" } }, "response": { "body": answer("OK") } },
        { "request": { "action": "urn:cars/retire", "values": { "plate": "2" } }, "response": { "body": answer("NONE") } },
    ]);
    let double = Soap.double(spec, &fixture).await.expect("a stand-in");
    let act = |plate: &str| rabita_sdk::Act {
        entity: 0,
        action: 0,
        id: uuid::Uuid::from_u128(7),
        key: vec![plate.into()],
        values: Row::from_iter([("reason", Legacy::from("<rust>"))]),
        expected_version: None,
    };
    let acted = double.connector.act(act("1"), &call()).await.expect("it answers");
    assert_eq!(acted.applied, Applied::Done);
    assert_eq!(acted.reply.expect("a reply").get("c:on"), Some(&"2026-11-23".into()));
    let acted = double.connector.act(act("2"), &call()).await.expect("it answers");
    assert_eq!((acted.applied, acted.reply), (Applied::Absent, None));
    let versioned = rabita_sdk::Act { expected_version: Some(1.into()), ..act("1") };
    assert!(matches!(double.connector.act(versioned, &call()).await, Err(Failure::Unsupported { .. })));
    assert_eq!((double.complaints)(), Vec::<String>::new());
}

#[test]
fn finds_what_an_action_lacks_and_that_there_is_no_feed() {
    let mut spec = retirable(json!({ "request": { "c:retire": { "c:plate": "{plat}" } } }));
    spec.entities[0].changes = Some(rabita_sdk::FeedSpec { pointer: "/changes/from".into(), from: json!({}) });
    let told: Vec<String> = Soap.check(&spec).into_iter().map(|finding| finding.pointer).collect();
    let expected = [
        "/actions/retire/from/request/c:retire/c:plate",
        "/actions/retire/fields/reason",
        "/actions/retire/from",
        "/changes/from",
    ];
    assert_eq!(told, expected);
}

fn settings() -> Value {
    json!({
        "url": "https://cars.example/services/cars",
        "namespaces": { "c": "urn:cars" },
        "security": { "username_token": { "user": "bus", "password": { "env": "NOT_THERE" }, "digest": true } },
        "faults": { "BAD_PLATE": "refused", "BUSY": "unavailable", "NO_CAR": "absent", "noSuchCar": "absent" },
    })
}

fn from() -> Value {
    let status = json!({ "path": "c:status", "words": { "OK": "done", "TWICE": "before", "STALE": "conflict" } });
    json!({
        "read": {
            "action": "urn:cars/get",
            "request": { "c:get": { "@xml:lang": "az", "c:plate": "{plate}" } },
            "response": { "element": "c:getResponse", "record": "c:car", "status": { "path": "c:found", "words": { "no": "absent" }, "otherwise": "done" } },
        },
        "search": {
            "request": { "c:list": { "c:colour": "{colour?}", "c:platePattern": "{plate:prefix?}*", "c:from": "{$offset}", "c:max": "{$limit}" } },
            "response": { "element": "c:listResponse", "records": "cars.c:car", "total": "total" },
            "paging": "offset",
        },
        "update": {
            "request": { "c:set": {
                "@version": "{$version?}", "@id": "{$message_id}",
                "c:car": { "c:plate": "{plate}", "c:colour": "{colour!nil}", "c:notes": "{notes}", "c:address": { "@kind": "home", "c:street": "{street}" } },
            } },
            "response": { "element": "c:setResponse", "status": status },
        },
    })
}

fn spec(settings: Value, from: Value) -> RegistrySpec {
    let update = |source: &str, place: usize| {
        (Operation::Update, Source::new(source), format!("/contract/v1/cars/operations/update/fields/{place}"))
    };
    let filter = |source: &str, comparison| FilterSpec {
        source: Source::new(source),
        comparisons: BTreeSet::from([comparison]),
        ignore: Vec::new(),
        pointer: format!("/contract/v1/cars/operations/search/by/{source}"),
    };
    let cars = EntitySpec {
        name: "v1/cars".into(),
        pointer: "/contract/v1/cars/from".into(),
        from,
        key: vec![Source::new("plate")],
        wanted: wanted(),
        places: Vec::new(),
        binary: vec![Source::new("photo")],
        filters: vec![filter("colour", Comparison::Equals), filter("plate", Comparison::Prefix)],
        operations: BTreeSet::from([Operation::Read, Operation::Search, Operation::Update]),
        written: vec![update("colour", 0), update("notes", 1), update("street", 2)],
        version: Some(Source::new("version")),
        actions: Vec::new(),
        changes: None,
    };
    let colours = TableSpec {
        name: "colours".into(),
        pointer: "/codes/colours/from".into(),
        from: json!({ "search": { "request": { "c:colours": {} }, "response": { "element": "colours", "records": "row" } } }),
        columns: vec![Source::new("code"), Source::new("name")],
    };
    RegistrySpec {
        registry: rabita_model::RegistryId::new("cars").expect("an id"),
        settings,
        entities: vec![cars],
        tables: vec![colours],
        timeout: Duration::from_secs(5),
        concurrency: 4,
        directory: ".".into(),
    }
}

fn wanted() -> Wanted {
    let sources = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect();
    let owners = GroupSpec { name: Source::new("owners.owner"), sources: sources(&["@share", "#text"]) };
    Wanted { sources: sources(&["plate", "colour"]), groups: vec![owners] }
}

fn call() -> Call {
    Call {
        exchange: rabita_model::ExchangeId::new(uuid::Uuid::nil()),
        deadline: Instant::now() + Duration::from_secs(10),
        traceparent: None,
    }
}

async fn double(settings: Value, from: Value, fixture: Value) -> Double {
    Soap.double(spec(settings, from), &fixture).await.expect("a stand-in")
}

async fn read(double: &Double, plate: &str) -> Result<Option<Row>, Failure> {
    let ask = Read { entity: 0, key: vec![plate.into()], wanted: wanted() };
    double.connector.read(ask, &call()).await
}
