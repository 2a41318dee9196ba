//! What a code means is a value that the field's schema has: else the first record with that code breaks the contract.

use indexmap::IndexMap;
use rabita_model::{FieldName, Rule};
use rabita_schemas::RecordSchema;
use rabita_sdk::codec::CodecSpec;
use rabita_sdk::codes::CodeListSpec;
use rabita_sdk::finding::token;
use rabita_sdk::manifest::{Field, Manifest};
use rabita_sdk::{Finding, Legacy};
use serde_json::Value;

use super::Loader;
use crate::document::Document;

impl Loader<'_> {
    /// Looks at lists that stand in the manifest. Others are the registry's own, and change.
    pub(super) fn check_meanings(
        &mut self,
        document: &Document,
        manifest: &Manifest,
        fields: &IndexMap<FieldName, Field>,
        schema: &RecordSchema,
    ) {
        for (name, field) in fields {
            let Some(list) = list_of(field) else { continue };
            let Some(CodeListSpec::Inline(codes)) = manifest.codes.get(list) else { continue };
            let Some(known) = schema.field(name).and_then(|shape| shape.keyword("enum")).and_then(Value::as_array) else {
                continue;
            };
            let written = format!("/codes/{}", token(list));
            let long = document.value.pointer(&written).and_then(|list| list.get("values")).is_some_and(Value::is_object);
            for (code, meaning) in &codes.values {
                let Legacy::Text(word) = meaning else { continue };
                if known.iter().any(|value| value == word) {
                    continue;
                }
                let place = format!("{written}{}/{}", if long { "/values" } else { "" }, token(code));
                let message = format!("`{word}` is no value of `{name}`: a record with this code would break the contract");
                let finding = Finding::warning(place, message).breaks(Rule::CodeListWrong);
                self.find(document, finding.among(word, known.iter().filter_map(Value::as_str)));
            }
        }
    }
}

/// The list whose values become the field's, as they are.
fn list_of(field: &Field) -> Option<&str> {
    let Field::Rule(rule) = field else { return None };
    match rule.codec.as_ref()?.as_slice().last()? {
        CodecSpec::Codes(codes) => Some(&codes.list),
        _ => None,
    }
}
