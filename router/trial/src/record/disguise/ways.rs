//! What the mapping and the schema say of the values of sources: which are disguised, and how.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use jiff::{Span, Timestamp};
use rabita_draft::lookalike::Disguise;
use rabita_model::FieldName;
use rabita_schemas::RecordSchema;
use rabita_schemas::field::JsonType;
use rabita_sdk::codec::{Codec, CodecSpec};
use rabita_sdk::codes::CodeBook;
use rabita_sdk::manifest::{Field, OneOrMany, Rule};
use rabita_sdk::template::Template;
use rabita_sdk::{Legacy, Row, Source};
use serde_json::Value;

/// How the sources of a record, or of an item of a group, are disguised.
#[derive(Default)]
pub(super) struct Sources {
    pub ways: BTreeMap<Source, Disguise>,
    pub sentinels: BTreeSet<String>,
    /// Moments, moved by their own codecs.
    moments: Vec<(Source, Codec)>,
}

/// What a field of the record is made of.
pub(super) fn sources_of(field: &Field) -> Vec<Source> {
    match field {
        Field::Source(source) => vec![source.clone()],
        Field::Rule(rule) => match &rule.compose {
            Some(template) => {
                let template = Template::parse(template);
                template.iter().flat_map(Template::names).map(Source::new).collect()
            }
            None => rule.from.as_ref().map_or_else(Vec::new, |from| from.as_slice().to_vec()),
        },
    }
}

impl Sources {
    pub(super) fn move_moments(&self, row: &mut Row, days: i64) -> Option<()> {
        for (source, codec) in &self.moments {
            let Some(value) = row.find(source).filter(|value| !value.is_null()).cloned() else { continue };
            let contract = codec.decode(value).ok()?;
            let Some(text) = contract.to_text().map(|text| text.into_owned()) else { continue };
            let moment: Timestamp = text.parse().ok()?;
            let moved = moment.checked_sub(Span::new().hours(days * 24)).ok()?;
            row.put(source, codec.encode(&Legacy::Text(moved.to_string())).ok()?);
        }
        Some(())
    }
}

/// Reads from the mapping and the schema what values are.
pub(super) struct Reader<'a> {
    pub codes: &'a CodeBook,
    pub schema: &'a RecordSchema,
}

impl Reader<'_> {
    /// The group that a field is a list of, and how its items are disguised.
    pub(super) fn group(&self, name: &FieldName, field: &Field) -> Option<(Source, Sources)> {
        let Field::Rule(rule) = field else { return None };
        let group = rule.each.clone()?;
        let sources = match (&rule.fields, &rule.item) {
            (Some(fields), _) => self.sources(fields, name.as_str()),
            (None, Some(item)) => self.sources(&[(name.clone(), item.clone())].into_iter().collect(), ""),
            (None, None) => Sources::default(),
        };
        Some((group, sources))
    }

    pub(super) fn sources(&self, fields: &IndexMap<FieldName, Field>, within: &str) -> Sources {
        let mut sources = Sources::default();
        for (name, field) in fields {
            let whole = if within.is_empty() { name.to_string() } else { format!("{within}.{name}") };
            match field {
                Field::Source(source) => sources.add(source, self.plain(&whole)),
                Field::Rule(rule) => self.rule(rule, &whole, &mut sources),
            }
        }
        sources
    }

    fn rule(&self, rule: &Rule, name: &str, sources: &mut Sources) {
        if rule.each.is_some() || rule.binary.is_some() || rule.constant.is_some() {
            return;
        }
        if let Some(template) = &rule.compose {
            // Parts of a whole, mostly of a day: one part is enough to make it another.
            let template = Template::parse(template);
            for (at, part) in template.iter().flat_map(Template::names).enumerate() {
                sources.add(&Source::new(part), if at == 0 { Disguise::Characters } else { Disguise::Keep });
            }
            return;
        }
        let from = rule.from.as_ref().map_or(&[][..], OneOrMany::as_slice);
        let chain = rule.codec.as_ref().map_or(&[][..], OneOrMany::as_slice);
        for source in from {
            if chain.iter().any(|spec| matches!(spec, CodecSpec::Datetime(_) | CodecSpec::Epoch(_))) {
                sources.moments.extend(Codec::compile(chain, self.codes).ok().map(|codec| (source.clone(), codec)));
                sources.add(source, Disguise::Keep);
                continue;
            }
            sources.add(source, self.way(chain, name));
        }
        for spec in chain {
            if let CodecSpec::NullIf(spec) = spec {
                sources.sentinels.extend(spec.values.iter().filter_map(|value| Some(value.to_text()?.trim().to_owned())));
            }
        }
    }

    fn way(&self, chain: &[CodecSpec], name: &str) -> Disguise {
        for spec in chain {
            match spec {
                CodecSpec::Codes(_) | CodecSpec::Boolean(_) | CodecSpec::Time(_) => return Disguise::Keep,
                CodecSpec::Date(date) => return Disguise::Day(date.format.clone()),
                _ => {}
            }
        }
        self.plain(name)
    }

    /// A value without a codec that says what it is: one of a list, or true and false, points to nobody.
    fn plain(&self, name: &str) -> Disguise {
        let shape = FieldName::new(name).ok();
        let Some(shape) = shape.as_ref().and_then(|name| self.schema.field(name)) else { return Disguise::Characters };
        let is_listed = shape.keyword("enum").is_some() || shape.keyword("const").is_some();
        let is_truth = shape.allows(JsonType::Boolean) && !shape.allows(JsonType::String) && !shape.allows(JsonType::Number);
        match shape.keyword("format").and_then(Value::as_str) {
            _ if is_listed || is_truth => Disguise::Keep,
            Some("date" | "partial-date" | "date-time") => Disguise::Day("%Y-%m-%d".to_owned()),
            Some("time") => Disguise::Keep,
            _ => Disguise::Characters,
        }
    }
}

impl Sources {
    /// Of two fields made of one source the one that knows more of it decides.
    fn add(&mut self, source: &Source, how: Disguise) {
        let known = |how: &Disguise| match how {
            Disguise::Characters => 0,
            Disguise::Keep => 1,
            Disguise::Day(_) => 2,
        };
        match self.ways.get(source) {
            Some(own) if known(own) >= known(&how) => {}
            _ => _ = self.ways.insert(source.clone(), how),
        }
    }
}
