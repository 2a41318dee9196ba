//! Searches and values that only a directory has: more entries than it gives at once, rules of its schema, several values.

use std::sync::Arc;

use rabita_battery::people::{self, filter};
use rabita_battery::world::{ample, condition, delete, update, whole};
use rabita_battery::{Need, Person, Subject};
use rabita_model::Comparison;
use rabita_sdk::{
    Applied, Change, Changes, Connector, Detected, Failure, GroupSpec, Ignore, Legacy, Read, Search, Source, TableSpec, Wanted,
};
use rabita_tests::openldap::{BUS, SIZE_LIMIT, ldif};
use serde_json::{Value, json};

use super::{CLASS, Password, People};

async fn open(subject: &People, from: Value, settings: Value) -> Arc<dyn Connector> {
    open_as(subject, from, settings, |_| ()).await
}

async fn open_as(
    subject: &People,
    from: Value,
    more: Value,
    change: impl FnOnce(&mut rabita_sdk::RegistrySpec),
) -> Arc<dyn Connector> {
    let mut settings = json!({
        "url": format!("ldap://{}", subject.server.address()),
        "bind": { "simple": { "dn": BUS, "password": { "env": "BUS" } } },
    });
    settings.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let mut spec = people::registry(settings, from);
    change(&mut spec);
    rabita_ldap::kind().open(spec, &Password).await.expect("the connector opens")
}

fn from(subject: &People) -> Value {
    json!({ "base": subject.base, "class": CLASS, "ignores": ["case", "outer_spaces"] })
}

async fn pins(connector: &Arc<dyn Connector>, limit: usize) -> Result<Vec<String>, Failure> {
    let (mut pins, mut cursor) = (Vec::new(), None);
    loop {
        let wanted = people::wanted(&["pin"]);
        let ask = Search { entity: 0, conditions: Vec::new(), wanted, limit, cursor };
        let page = connector.search(ask, &ample()).await?;
        pins.extend(page.rows.iter().filter_map(|row| row.get("pin")?.to_text().map(|pin| pin.into_owned())));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(pins);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_beyond_what_the_directory_gives_at_once() {
    let people = Person::several(SIZE_LIMIT * 2 + 77);
    let subject = People::set_up(Need::Shared).await;
    subject.load(&people).await;
    let expected: Vec<String> = people.iter().map(|person| person.pin.clone()).collect();
    for entries in [100, 500] {
        let connector = open(&subject, from(&subject), json!({ "page_entries": entries })).await;
        assert_eq!(pins(&connector, 300).await, Ok(expected.clone()), "{entries} entries at once");
    }
    let bounded = open(&subject, from(&subject), json!({ "search_max_entries": SIZE_LIMIT })).await;
    assert!(matches!(pins(&bounded, 300).await, Err(Failure::Refused { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_the_schema_has_no_rule_for_is_refused_rather_than_empty() {
    let people = Person::several(3);
    let subject = People::set_up(Need::Shared).await;
    subject.load(&people).await;
    let connector = open(&subject, from(&subject), json!({})).await;
    let search = async |source: &str, comparison, ignore: &[Ignore]| {
        let asked = rabita_sdk::Condition { ignore: ignore.to_vec(), ..condition(source, comparison, "Aliyeva") };
        let ask = Search { entity: 0, conditions: vec![asked], wanted: people::wanted(&["pin"]), limit: 5, cursor: None };
        connector.search(ask, &ample()).await.map(|page| page.rows.len())
    };
    assert_eq!(search("family", Comparison::Equals, &[]).await, Ok(1));
    for (source, comparison, ignore) in [
        ("notes", Comparison::Equals, &[][..]),
        ("born", Comparison::Prefix, &[]),
        ("family", Comparison::From, &[]),
        ("born", Comparison::Equals, &[Ignore::Case]),
        ("dn", Comparison::Equals, &[]),
    ] {
        let outcome = search(source, comparison, ignore).await;
        assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "{source} {comparison:?}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_goes_by_any_of_its_names_and_holds_what_its_syntax_says() {
    let subject = People::set_up(Need::Shared).await;
    let dn = format!("pin=S1,{}", subject.base);
    let given = ldif("given", "Şəhla".as_bytes());
    subject.server.modify(&format!(
        "dn: {dn}\nchangetype: add\nobjectClass: {CLASS}\npin: S1\nfamily: Quliyeva\n{given}born: 1990-01-01\nversion: 7\nserving: TRUE\n"
    ));
    let connector = open(&subject, from(&subject), json!({})).await;
    let wanted = people::wanted(&["familyName", "GIVEN", "serving", "version", "dn", "notes"]);
    let row = connector.read(Read { entity: 0, key: people::key("S1"), wanted }, &ample()).await;
    let row = row.expect("a read").expect("the record");
    let expected = [
        ("familyName", "Quliyeva".into()),
        ("GIVEN", "Şəhla".into()),
        ("serving", Legacy::Bool(true)),
        ("version", 7.into()),
        ("dn", dn.as_str().into()),
        ("notes", Legacy::Null),
    ];
    assert_eq!(row, expected.into_iter().collect());
}

fn officials(subject: &People) -> Value {
    json!({
        "base": subject.base,
        "class": "official",
        "filter": "(!(employeeType=retired))",
        "create": { "rdn": "uid={uid}", "classes": ["inetOrgPerson", "official"], "set": { "cn": "{givenName} {sn}" } },
    })
}

fn as_officials(spec: &mut rabita_sdk::RegistrySpec) {
    let entity = &mut spec.entities[0];
    entity.key = vec![Source::new("uid")];
    entity.version = Some(Source::new("entryCSN"));
    let place = "/contract/v1/people/fields".to_owned();
    entity.written = entity
        .operations
        .iter()
        .flat_map(|operation| {
            ["uid", "sn", "givenName", "mail", "employeeType"].map(|name| (*operation, Source::new(name), place.clone()))
        })
        .collect();
    entity.filters = vec![filter("mail", &[Comparison::Equals], &[])];
    entity.wanted = people::wanted(&["uid", "sn", "givenName", "entryCSN"]);
    entity.wanted.groups = vec![GroupSpec { name: Source::new("mail"), sources: Vec::new() }];
}

fn official(kind: rabita_sdk::ChangeKind, uid: &str, values: &[(&str, Legacy)]) -> Change {
    let values = values.iter().map(|(name, value)| (*name, value.clone())).collect();
    Change { entity: 0, id: uuid::Uuid::now_v7(), kind, key: people::key(uid), values, expected_version: None }
}

async fn read_official(connector: &Arc<dyn Connector>, uid: &str) -> Option<rabita_sdk::Row> {
    let groups = vec![GroupSpec { name: Source::new("mail"), sources: Vec::new() }];
    let wanted = Wanted { groups, ..people::wanted(&["uid", "sn", "entryCSN"]) };
    connector.read(Read { entity: 0, key: people::key(uid), wanted }, &ample()).await.expect("a read")
}

#[tokio::test(flavor = "multi_thread")]
async fn several_values_are_a_list_and_an_entry_csn_is_a_version() {
    use rabita_sdk::ChangeKind::{Create, Delete, Update};
    let subject = People::set_up(Need::Shared).await;
    let connector = open_as(&subject, officials(&subject), json!({}), as_officials).await;
    let mail = Legacy::List(vec!["a@x.example".into(), "b@x.example".into()]);
    let new: [(&str, Legacy); 4] =
        [("uid", "leyla".into()), ("sn", "Əliyeva".into()), ("givenName", "Leyla".into()), ("mail", mail.clone())];
    assert_eq!(connector.apply(official(Create, "leyla", &new), &ample()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(official(Create, "leyla", &new), &ample()).await, Ok(Applied::Conflict));
    let row = read_official(&connector, "leyla").await.expect("the record");
    let Some(Legacy::List(mut found)) = row.get("mail").cloned() else { panic!("{row:?}") };
    found.sort_by_key(|value| value.to_text().map(|text| text.into_owned()));
    assert_eq!(Legacy::List(found), mail);
    let one = condition("mail", Comparison::Equals, "b@x.example");
    let ask = Search { entity: 0, conditions: vec![one], wanted: people::wanted(&["uid"]), limit: 5, cursor: None };
    assert_eq!(connector.search(ask, &ample()).await.expect("a search").rows.len(), 1);
    // The class demands a name that no field gives.
    let held = &subject.server.entries(&subject.base, "official")[0];
    assert!(held.contains(&("cn".to_owned(), "Leyla Əliyeva".into())), "{held:?}");

    let first = row.get("entryCSN").cloned();
    let change = |expected: Option<Legacy>| Change {
        expected_version: expected,
        ..official(Update, "leyla", &[("sn", "Quliyeva".into())])
    };
    assert_eq!(connector.apply(change(first.clone()), &ample()).await, Ok(Applied::Done));
    assert_eq!(connector.apply(change(first.clone()), &ample()).await, Ok(Applied::Conflict));
    let end = |expected| Change { expected_version: expected, ..official(Delete, "leyla", &[]) };
    assert_eq!(connector.apply(end(first), &ample()).await, Ok(Applied::Conflict));
    // Who retires is none of the entity any more.
    assert_eq!(
        connector.apply(official(Update, "leyla", &[("employeeType", "retired".into())]), &ample()).await,
        Ok(Applied::Done)
    );
    assert_eq!(read_official(&connector, "leyla").await, None);
    assert_eq!(connector.apply(end(None), &ample()).await, Ok(Applied::Absent));
    // And yet nobody else can have the name.
    assert!(matches!(connector.apply(official(Create, "leyla", &new), &ample()).await, Err(Failure::Refused { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_assertions_no_change_depends_on_a_version() {
    let subject = People::set_up(Need::Shared).await;
    subject.load(&Person::several(2)).await;
    let connector = open(&subject, from(&subject), json!({ "assertions": false })).await;
    assert!(!connector.capabilities(0).checks_versions);
    let change = update("P00001", "family", "New".into());
    assert_eq!(connector.apply(change.clone(), &ample()).await, Ok(Applied::Done));
    let expecting = Change { expected_version: Some(1.into()), ..change };
    assert!(matches!(connector.apply(expecting, &ample()).await, Err(Failure::Unsupported { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_codes_is_read_whole_whatever_its_length() {
    let count = SIZE_LIMIT + 3;
    let subject = People::set_up(Need::Shared).await;
    let units = (0..count).map(|at| {
        format!(
            "dn: ou=u{at:04},{}\nchangetype: add\nobjectClass: organizationalUnit\nou: u{at:04}\ndescription: Unit {at}\n\n",
            subject.base
        )
    });
    subject.server.modify(&units.collect::<String>());
    let connector = open_as(&subject, from(&subject), json!({}), |spec| {
        spec.tables.push(TableSpec {
            name: "units".to_owned(),
            pointer: "/codes/units/from".to_owned(),
            from: json!({ "base": subject.base, "class": "organizationalUnit" }),
            columns: vec![Source::new("ou"), Source::new("description")],
        });
    })
    .await;
    let mut rows = connector.table(0, &ample()).await.expect("the table");
    rows.sort_by_key(|row| row[0].to_text().map(|text| text.into_owned()));
    assert_eq!(rows.len(), count);
    assert_eq!(rows[7], ["u0007".into(), "Unit 7".into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_on_another_server_is_not_passed_over_in_silence() {
    let people = Person::several(3);
    let subject = People::set_up(Need::Shared).await;
    subject.load(&people).await;
    subject.server.modify(&format!(
        "dn: ou=elsewhere,{}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\nref: ldap://127.0.0.1:1/ou=elsewhere,o=other\n",
        subject.base
    ));
    let refusing = open(&subject, from(&subject), json!({})).await;
    assert!(matches!(pins(&refusing, 10).await, Err(Failure::Unsupported { .. })));
    let overlooking = open(&subject, from(&subject), json!({ "references": "overlook" })).await;
    assert_eq!(pins(&overlooking, 10).await.map(|pins| pins.len()), Ok(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_not_there_is_told_as_such() {
    let subject = People::set_up(Need::Shared).await;
    let nowhere = json!({ "base": format!("ou=nowhere,{}", subject.base), "class": CLASS });
    let connector = open(&subject, nowhere, json!({})).await;
    let read = connector.read(whole("P00001"), &ample()).await;
    assert!(matches!(&read, Err(Failure::Unsupported { detail }) if detail.contains("`base`")), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_many_at_once_are_each_told_once() {
    const MANY: usize = 60;
    let people = Person::several(MANY);
    let subject = People::set_up(Need::Shared).await;
    subject.load(&people).await;
    let connector = open_as(&subject, from(&subject), json!({}), |spec| people::add_changes(spec, json!({}))).await;
    let ask = |since, limit| Changes { entity: 0, since, wanted: people::wanted(&["family"]), limit };
    let mut place = connector.changes(ask(None, 1), &ample()).await.expect("the place").since;
    let renamed = people.iter().map(async |person| {
        let change = update(&person.pin, "family", "Renamed".into());
        connector.apply(change, &ample()).await
    });
    for applied in futures_util::future::join_all(renamed).await {
        assert_eq!(applied, Ok(Applied::Done));
    }
    let mut told = Vec::new();
    loop {
        let page = connector.changes(ask(Some(place), 7), &ample()).await.expect("a page of changes");
        told.extend(page.changes.iter().map(|change| match change {
            Detected::Row(row) => row.get("pin").and_then(Legacy::to_text).expect("a pin").into_owned(),
            Detected::Key { .. } => panic!("a record is told, not a key"),
        }));
        place = page.since;
        if !page.has_more {
            break;
        }
    }
    told.sort();
    assert_eq!(told, people.iter().map(|person| person.pin.clone()).collect::<Vec<_>>());
    assert_eq!(connector.apply(delete(&people[0].pin), &ample()).await, Ok(Applied::Done));
    let page = connector.changes(ask(Some(place), 7), &ample()).await.expect("a page of changes");
    assert_eq!(page.changes, []);
}
