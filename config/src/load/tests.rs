//! The tests of a manifest: each asks one thing of one entity, and expects one thing.

use rabita_model::{ActionName, Code, FieldName};
use rabita_sdk::manifest::{ChangeWord, Manifest, Test, TestChange};
use rabita_sdk::{Finding, Kind};
use serde_json::Value;

use super::Loader;
use super::registry::entities;
use crate::document::Document;

impl Loader<'_> {
    pub(super) fn check_tests(&mut self, document: &Document, manifest: &Manifest) {
        let names: Vec<String> = entities(manifest).map(|(version, name, _)| format!("{version}/{name}")).collect();
        for (at, test) in manifest.tests.iter().enumerate() {
            let place = format!("/tests/{at}");
            match &test.entity {
                Some(entity) if !names.contains(entity) => {
                    let known = names.iter().map(String::as_str);
                    self.find(document, Finding::unknown(format!("{place}/entity"), "entity", entity, known));
                }
                None if names.len() > 1 => {
                    let message = format!("the contract has several entities: name one of {}", names.join(", "));
                    self.find(document, Finding::new(format!("{place}/entity"), message));
                }
                _ => {}
            }
            if test.legacy.is_none() && !test.live {
                self.find(
                    document,
                    Finding::new(
                        &place,
                        "a test holds of a stand-in (`legacy`), of the real registry (`live: true`), or of both",
                    ),
                );
            }
            if let Some(change) = &test.change {
                self.check_change(document, &format!("{place}/change"), manifest, test.entity.as_deref(), change);
            }
            self.check_asked(document, &place, manifest, test);
            if test.read.is_some() == test.search.is_some() && test.change.is_none() {
                self.find(document, Finding::new(&place, "a test asks one thing: `read` or `search`"));
            }
            let expectations =
                [test.expect.is_some(), test.expect_includes.is_some(), test.expect_absent, test.expect_error.is_some()];
            let expected = expectations.iter().filter(|given| **given).count();
            let of_reply = test.change.as_ref().is_some_and(|change| change.expect_reply.is_some());
            let of_legacy = test.expect_legacy.is_some() || test.expect_legacy_includes.is_some();
            if expected > 1 || (expected == 0 && !of_reply && !of_legacy) {
                let message = "a test expects one thing: `expect`, `expect_includes`, `expect_absent` or `expect_error`";
                self.find(document, Finding::new(&place, message));
            }
            self.check_expected_legacy(document, &place, test);
            if let Some(code) = &test.expect_error
                && Code::parse(code).is_none()
            {
                let known = Code::ALL.iter().map(|code| code.as_str());
                self.find(document, Finding::unknown(format!("{place}/expect_error"), "code", code, known));
            }
        }
    }

    /// The fields that are asked for are there.
    fn check_asked(&mut self, document: &Document, place: &str, manifest: &Manifest, test: &Test) {
        let named =
            |(version, name, _): &(_, &str, _)| test.entity.as_ref().is_none_or(|own| *own == format!("{version}/{name}"));
        let (Some(fields), Some((_, _, entity))) = (&test.fields, entities(manifest).find(named)) else { return };
        for (at, field) in fields.iter().enumerate() {
            if !entity.fields.keys().any(|own| own.covers(field) || field.covers(own)) {
                let known = entity.fields.keys().map(FieldName::as_str);
                self.find(document, Finding::unknown(format!("{place}/fields/{at}"), "field", field.as_str(), known));
            }
        }
    }

    /// What must be asked can be said of a stand-in alone, and in one way.
    fn check_expected_legacy(&mut self, document: &Document, place: &str, test: &Test) {
        let word = match (&test.expect_legacy, &test.expect_legacy_includes) {
            (Some(_), Some(_)) => {
                let message = "a test says once what must be asked: `expect_legacy` or `expect_legacy_includes`";
                self.find(document, Finding::at_name(format!("{place}/expect_legacy_includes"), message));
                return;
            }
            (Some(_), None) => "expect_legacy",
            (None, Some(_)) => "expect_legacy_includes",
            (None, None) => return,
        };
        if test.legacy.is_none() {
            let message = format!("`{word}` holds of a stand-in, which tells what it was asked: give `legacy`");
            self.find(document, Finding::at_name(format!("{place}/{word}"), message));
        }
    }

    /// Holds what tests say of the legacy system against the kind's schemas.
    pub(super) fn hold_tests(&mut self, document: &Document, kind: &dyn Kind) -> bool {
        let fixture = super::checker(&kind.fixture_schema());
        let asked = kind.asked_schema().as_ref().map(super::checker);
        let mut holds = true;
        for (at, test) in document.value["tests"].as_array().into_iter().flatten().enumerate() {
            if let Some(legacy) = test.get("legacy").filter(|legacy| !legacy.is_null()) {
                holds &= self.hold_by(document, &format!("/tests/{at}/legacy"), legacy, &fixture);
            }
            for word in ["expect_legacy", "expect_legacy_includes"] {
                let Some(questions) = test.get(word).and_then(Value::as_array) else { continue };
                let place = format!("/tests/{at}/{word}");
                let Some(asked) = &asked else {
                    let message = format!("the stand-in of kind `{}` cannot tell what it was asked", kind.name());
                    self.find(document, Finding::at_name(place, message));
                    holds = false;
                    continue;
                };
                for (nth, question) in questions.iter().enumerate() {
                    holds &= self.hold_by(document, &format!("{place}/{nth}"), question, asked);
                }
            }
        }
        holds
    }

    fn check_change(&mut self, document: &Document, place: &str, manifest: &Manifest, entity: Option<&str>, change: &TestChange) {
        let acts = change.operation == ChangeWord::Act;
        let Some(action) = &change.action else {
            if acts {
                self.find(document, Finding::new(place, "`act` needs the name of an action in `action`"));
            }
            return;
        };
        if !acts {
            self.find(document, Finding::at_name(format!("{place}/action"), "an action goes with `operation: act`"));
            return;
        }
        let named = |(version, name, _): &(_, &str, _)| entity.is_none_or(|entity| entity == format!("{version}/{name}"));
        let Some((_, _, entity)) = entities(manifest).find(named) else { return };
        if !entity.actions.contains_key(action) {
            let known = entity.actions.keys().map(ActionName::as_str);
            self.find(document, Finding::unknown(format!("{place}/action"), "action", action.as_str(), known));
        }
    }
}
