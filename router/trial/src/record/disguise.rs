//! How the values of an entity's sources are disguised: by what the mapping and the schema say of them.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use jiff::{Span, Timestamp};
use rabita_config::Registry;
use rabita_draft::lookalike::{Disguise, LookAlikes, tells};
use rabita_model::FieldName;
use rabita_schemas::RecordSchema;
use rabita_schemas::field::JsonType;
use rabita_sdk::codec::{Codec, CodecSpec};
use rabita_sdk::codes::CodeBook;
use rabita_sdk::manifest::{Field, OneOrMany, Rule};
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::survey::CodeTable;
use rabita_sdk::template::Template;
use rabita_sdk::{Legacy, Row, Source};
use serde_json::Value;

/// Makes look-alikes of an entity's rows.
pub(super) struct Disguised {
    own: Sources,
    looks: LookAlikes,
    groups: Vec<(Source, Sources, LookAlikes)>,
    /// How many days moments are moved by.
    days: i64,
}

/// How the sources of a record, or of an item of a group, are disguised.
#[derive(Default)]
struct Sources {
    ways: BTreeMap<Source, Disguise>,
    sentinels: BTreeSet<String>,
    /// Moments, moved by their own codecs.
    moments: Vec<(Source, Codec)>,
}

impl Disguised {
    pub(super) fn new(registry: &Registry, entity: &PlannedEntity, key: &[u8], rows: &[Row]) -> Self {
        let reader = Reader { codes: &registry.plan.codes, schema: &registry.schemas[entity.index].1 };
        let mut own = reader.sources(&entity.manifest.fields, "");
        let keys = &registry.plan.spec.entities[entity.index].key;
        for source in keys.iter().chain(&entity.manifest.version) {
            own.ways.entry(source.clone()).or_insert(Disguise::Keep);
        }
        let mut groups = Vec::new();
        for (name, field) in &entity.manifest.fields {
            let Field::Rule(rule) = field else { continue };
            let (Some(group), Some(fields)) = (&rule.each, &rule.fields) else { continue };
            let items: Vec<Row> = rows.iter().flat_map(|row| items(row, group)).collect();
            let sources = reader.sources(fields, name.as_str());
            let looks = LookAlikes::new(key, sources.ways.clone(), sources.sentinels.clone(), &items);
            groups.push((group.clone(), sources, looks));
        }
        let looks = LookAlikes::new(key, own.ways.clone(), own.sentinels.clone(), rows);
        let days = 30 + i64::from(key.first().copied().unwrap_or(0));
        Self { own, looks, groups, days }
    }

    /// The look-alike of a row; `None` where a value cannot be given another.
    pub(super) fn row(&self, row: &Row) -> Option<Row> {
        let mut made = self.looks.row(row)?;
        self.own.move_moments(&mut made, self.days)?;
        for (group, sources, looks) in &self.groups {
            if row.find(group).is_none() {
                continue;
            }
            let items = items(row, group).into_iter().map(|item| {
                let mut made = looks.row(&item)?;
                sources.move_moments(&mut made, self.days)?;
                Some(Legacy::Group(made))
            });
            made.put(group, Legacy::List(items.collect::<Option<_>>()?));
        }
        Some(made)
    }

    /// Whether a value that was to be disguised still stands somewhere in a test.
    pub(super) fn betrayed(&self, rows: &[Row], test: &Value) -> bool {
        let test = test.to_string();
        let stands = |sources: &Sources, row: &Row| {
            let hidden = sources.ways.iter().filter(|(_, how)| **how != Disguise::Keep).map(|(source, _)| source);
            hidden.filter_map(|source| row.find(source)?.to_text()).any(|text| {
                let shown = Value::from(text.trim()).to_string();
                let shown = shown.trim_matches('"');
                tells(&text) && !sources.sentinels.contains(text.trim()) && test.contains(shown)
            })
        };
        rows.iter().any(|row| {
            stands(&self.own, row)
                || self.groups.iter().any(|(group, sources, _)| items(row, group).iter().any(|item| stands(sources, item)))
        })
    }
}

impl Sources {
    fn move_moments(&self, row: &mut Row, days: i64) -> Option<()> {
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
struct Reader<'a> {
    codes: &'a CodeBook,
    schema: &'a RecordSchema,
}

impl Reader<'_> {
    fn sources(&self, fields: &IndexMap<FieldName, Field>, within: &str) -> Sources {
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

/// The items of a group in a row.
fn items(row: &Row, group: &Source) -> Vec<Row> {
    let items = match row.find(group) {
        Some(Legacy::List(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    items
        .iter()
        .filter_map(|item| match item {
            Legacy::Group(row) => Some(row.clone()),
            _ => None,
        })
        .collect()
}

/// The rows of a table of codes that rows use; one at least, so that the table is there.
pub(super) fn codes_in(table: &CodeTable, rows: &[Row]) -> Vec<Row> {
    let mut used = BTreeSet::new();
    for row in rows {
        collect(&Legacy::Group(row.clone()), &mut used);
    }
    let is_used = |row: &&Row| row.find(&table.code).and_then(Legacy::to_text).is_some_and(|code| used.contains(code.trim()));
    let found: Vec<Row> = table.rows.iter().filter(is_used).cloned().collect();
    if found.is_empty() { table.rows.iter().take(1).cloned().collect() } else { found }
}

fn collect(value: &Legacy, used: &mut BTreeSet<String>) {
    match value {
        Legacy::List(items) => items.iter().for_each(|item| collect(item, used)),
        Legacy::Group(row) => row.iter().for_each(|(_, value)| collect(value, used)),
        scalar => used.extend(scalar.to_text().map(|text| text.trim().to_owned())),
    }
}
