//! What `check` finds.

use rabita_sdk::{Finding, Source};
use serde_json::{Value, json};

use super::support::*;

fn findings(url: &str, settings: Value, entities: Vec<rabita_sdk::EntitySpec>) -> Vec<Finding> {
    crate::kind().check(&spec("/nowhere".into(), url, settings, entities))
}

fn found(findings: &[Finding], pointer: &str, word: &str) -> bool {
    findings.iter().any(|finding| finding.pointer == pointer && finding.message.contains(word))
}

#[test]
fn finds_nothing_wrong_with_what_is_right() {
    let from = json!({
        "table": "person", "as": "p", "joins": [{"table": "x.agency", "on": "agency.id = p.agency and agency.name <> 'a;b'"}],
        "groups": {"phones": {"table": "phone", "on": {"owner": "fin"}, "order_by": ["kind desc", "phone.num"]}},
    });
    let mut entity = entity(from, &["fin"], &["p.family", "agency.name"]);
    entity.wanted.groups = vec![group("phones", &["num"])];
    assert_eq!(findings("postgres://registry/x", json!({}), vec![entity]), []);
}

#[test]
fn finds_unknown_aliases_and_groups_where_they_stand() {
    let from = json!({"table": "person", "as": "person", "groups": {"phones": {"table": "phone", "on": {"owner": "persn.fin"}, "order_by": ["x.kind"]}}});
    let mut entity = readable(from, &["fin"], &["persom.family"]);
    entity.wanted.groups = vec![group("phone", &["num"]), group("phones", &["y.num"])];
    entity.places.push((Source::new("phone"), "/each".into()));
    let findings = findings("sqlite:x", json!({}), vec![entity]);
    assert!(found(&findings, "/places/persom.family", "persom"));
    assert!(findings.iter().any(|finding| finding.instead.as_deref() == Some("person")));
    assert!(found(&findings, "/each", "phone"));
    let place = "/contract/v1/things/from/groups/phones";
    assert!(found(&findings, &format!("{place}/on/owner"), "persn"));
    assert!(found(&findings, &format!("{place}/order_by/0"), "x"));
}

#[test]
fn finds_sql_that_would_not_stay_within_its_place() {
    let from = json!({"table": "t", "where": "1 = 1; DROP TABLE t", "joins": [{"table": "u", "on": "u.a = ?"}, {"table": "u", "on": "("}]});
    let select = json!({"select": "DELETE FROM t"});
    let findings = findings("mysql://h/x", json!({}), vec![readable(from, &["k"], &[]), readable(select, &["k"], &[])]);
    let place = "/contract/v1/things/from";
    for (below, word) in
        [("/where", ";"), ("/joins/0/on", "?"), ("/joins/1/on", "not closed"), ("/joins/1", "alias"), ("/select", "SELECT")]
    {
        assert!(found(&findings, &format!("{place}{below}"), word), "{below}: {findings:?}");
    }
}

#[test]
fn finds_changes_that_can_not_work() {
    let from = json!({"table": "person", "as": "p", "joins": [{"table": "agency", "as": "a", "on": "a.id = p.agency"}], "bump": "increment"});
    let mut joined = entity(from, &["fin"], &["family", "a.name"]);
    joined.written.push((rabita_model::Operation::Update, Source::new("a.name"), "/written/a.name".into()));
    let select = entity(json!({"select": "SELECT 1 AS k"}), &["k"], &["k"]);
    let findings = findings("sqlite:x", json!({"read_only": true}), vec![joined, select]);
    assert!(found(&findings, "/written/a.name", "joined table"));
    assert!(found(&findings, "/connector/read_only", "forbids"));
    assert!(found(&findings, "/contract/v1/things/from", "into"));
    assert!(found(&findings, "/contract/v1/things/from/bump", "version"));
}

#[test]
fn finds_urls_that_lead_nowhere_or_tell_a_secret() {
    let unknown = findings("postgre://h/x", json!({}), Vec::new());
    assert!(unknown.iter().any(|finding| finding.pointer == "/connector/url" && finding.instead.as_deref() == Some("postgres")));
    assert!(found(&findings("postgres://u:p@h/x", json!({}), Vec::new()), "/connector/url", "password"));
    assert!(found(&findings("sqlite::memory:", json!({}), Vec::new()), "/connector/url", "file"));
    assert!(findings("sqlite:x", json!({"tls": {"mode": "verify"}}), Vec::new())[0].is_warning);
}

#[test]
fn the_schemas_describe_the_forms_and_refuse_unknown_keys() {
    let kind = crate::kind();
    assert_eq!(kind.settings_schema()["additionalProperties"], json!(false));
    assert!(kind.settings_schema()["properties"]["once"].is_object());
    assert_eq!(kind.entity_schema()["anyOf"].as_array().map(Vec::len), Some(3));
    assert!(serde_json::from_value::<crate::settings::Settings>(json!({"url": "sqlite:x", "urls": 1})).is_err());
}
