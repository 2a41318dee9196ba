//! Where code lists are used, and which codes a legacy row has.

use std::sync::Arc;

use rabita_config::Registry;
use rabita_sdk::codec::{Codec, CodecSpec};
use rabita_sdk::codes::{CodeBook, CodeList, CodeListSpec};
use rabita_sdk::manifest::{Entity, Field, OneOrMany};
use rabita_sdk::{Legacy, Row, Source};

/// A field's use of a code list.
pub(crate) struct CodeUse {
    /// The entity's place.
    pub entity: usize,
    /// The contract's field, for people.
    pub field: String,
    pub list: Arc<CodeList>,
    /// The repeated group that the source is of.
    group: Option<Source>,
    source: Source,
    /// What the legacy value goes through before it is looked up.
    before: Codec,
}

impl CodeUse {
    /// The codes of a row, each as its list tells it.
    pub(super) fn codes_in(&self, row: &Row) -> Vec<(String, String)> {
        let mut values = Vec::new();
        match &self.group {
            None => values.extend(row.find(&self.source).cloned()),
            Some(group) => match row.find(group) {
                Some(Legacy::List(items)) => values.extend(items.iter().filter_map(|item| self.item(item))),
                Some(one) => values.extend(self.item(one)),
                None => {}
            },
        }
        let codes = values.into_iter().filter_map(|value| self.before.decode(value).ok()).flat_map(|value| match value {
            Legacy::List(items) => items,
            one => vec![one],
        });
        codes.filter_map(|code| Some((self.list.name().to_owned(), self.told(&code)?))).collect()
    }

    fn item(&self, item: &Legacy) -> Option<Legacy> {
        match item {
            Legacy::Group(row) => row.find(&self.source).cloned(),
            plain => Some(plain.clone()),
        }
    }

    /// The code as the list names it: a code that the manifest writes out, or else what it means.
    fn told(&self, code: &Legacy) -> Option<String> {
        match self.list.spec() {
            CodeListSpec::Inline(_) => {
                let known = of_list(&self.list);
                let width = self.list.spec().width();
                let text = match (code, width) {
                    (Legacy::Int(number), Some(width)) => format!("{number:0width$}"),
                    _ => code.to_text()?.into_owned(),
                };
                known.into_iter().find(|own| *own == text)
            }
            CodeListSpec::File(_) | CodeListSpec::Table(_) => {
                self.list.decode(code).ok().flatten()?.to_text().map(std::borrow::Cow::into_owned)
            }
        }
    }
}

/// What is to be touched of a list: its codes where the manifest writes them out, else what they mean.
pub(super) fn of_list(list: &CodeList) -> Vec<String> {
    match list.spec() {
        CodeListSpec::Inline(codes) => codes.values.keys().cloned().collect(),
        CodeListSpec::File(_) | CodeListSpec::Table(_) => {
            list.values().iter().filter_map(|value| value.to_text().map(std::borrow::Cow::into_owned)).collect()
        }
    }
}

/// The uses of code lists by the fields of a registry.
pub(crate) fn uses(registry: &Registry) -> Vec<CodeUse> {
    let mut uses = Vec::new();
    for entity in &registry.plan.entities {
        of_entity(entity.index, &entity.manifest, &registry.plan.codes, &mut uses);
    }
    uses
}

fn of_entity(at: usize, entity: &Entity, codes: &CodeBook, uses: &mut Vec<CodeUse>) {
    for (name, field) in &entity.fields {
        of_field(at, name.as_str(), field, None, codes, uses);
    }
}

fn of_field(at: usize, name: &str, field: &Field, group: Option<&Source>, codes: &CodeBook, uses: &mut Vec<CodeUse>) {
    let Field::Rule(rule) = field else { return };
    if let Some(each) = &rule.each {
        for (inner, field) in rule.fields.iter().flatten() {
            of_field(at, &format!("{name}.{inner}"), field, Some(each), codes, uses);
        }
        if let Some(item) = &rule.item {
            of_field(at, name, item, Some(each), codes, uses);
        }
        return;
    }
    let chain = rule.codec.as_ref().map_or(&[][..], OneOrMany::as_slice);
    let source = match &rule.from {
        Some(OneOrMany::One(source)) => source.clone(),
        // An item that is a plain value has no source of its own.
        None if group.is_some() => Source::new("."),
        _ => return,
    };
    for (place, spec) in chain.iter().enumerate() {
        let CodecSpec::Codes(spec) = spec else { continue };
        let before = Codec::compile(&chain[..place], codes);
        if let (Some(list), Ok(before)) = (codes.get(&spec.list), before) {
            let (list, group) = (Arc::clone(list), group.cloned());
            uses.push(CodeUse { entity: at, field: name.to_owned(), list, group, source: source.clone(), before });
        }
    }
}
