//! Records a live exchange as a test: asks the real registry, puts look-alikes in the place of what people could be known
//! by, makes a stand-in of them, and takes for expected what the bus answers from that.

mod append;
mod disguise;

use std::sync::{Arc, Mutex, PoisonError};

use rabita_core::Health;
use rabita_model::{Code, FieldName, Want};
use rabita_schemas::RecordSchema;
use rabita_schemas::field::JsonType;
use rabita_sdk::manifest::Test;
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::survey::{CodeTable, Foreseen, Question, SurveyedEntity};
use rabita_sdk::{Call, Connector, Legacy, Row, Source};
use serde_json::{Map, Value, json};

use crate::stage::{Machine, Stage, name_of, records, told, want};
use crate::watched::{Seen, Watched};

pub use append::{NotAppended, appended};
use disguise::Disguised;

/// The most records of a search that are recorded.
const RECORDS_MAX: usize = 20;
/// How often other look-alikes are tried where the contract does not take the first.
const TRIES: u8 = 8;
/// What of a question is not expected: it is of the stand-in alone, or says the same again.
const NOT_EXPECTED: [&str; 4] = ["sql", "body", "xml", "headers"];

/// What is to be recorded.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `v1/persons`; may be left out where the contract has only one.
    pub entity: Option<String>,
    /// The key to read, one value for each part.
    pub read: Vec<String>,
    /// The filters to search by, for equal values.
    pub search: Vec<(String, String)>,
    /// The fields to ask for; all without it.
    pub fields: Option<Vec<FieldName>>,
    /// The test's name.
    pub name: Option<String>,
}

/// Records an exchange. `secret` is what the look-alikes depend on: without it nobody can try out whom they stand for.
///
/// # Errors
/// Why nothing was recorded: the registry does not answer, has no such record, or the kind cannot make a stand-in.
pub async fn record(stage: &Stage, wish: &Wish, secret: [u8; 32], machine: &Machine<'_>) -> Result<Value, String> {
    let mut asked = wish.test();
    let entity = stage.entity(&asked)?;
    wish.ask(&mut asked, entity, &stage.registry().schemas[entity.index].1)?;
    let live = Live::ask(stage, &asked, entity, machine).await?;
    let mut last = String::new();
    for attempt in 0..TRIES {
        let mut key = secret;
        key[31] ^= attempt;
        let disguised = Disguised::new(stage.registry(), entity, &key, &live.rows);
        match live.replayed(stage, wish, &asked, entity, &disguised, machine).await {
            Ok(test) => return Ok(test),
            Err(Unfit::Never(why)) => return Err(why),
            Err(Unfit::Others(why)) => last = why,
        }
    }
    Err(format!("no look-alikes could be found that the contract takes: {last}"))
}

/// Why look-alikes cannot be used.
enum Unfit {
    /// Others might.
    Others(String),
    /// None can.
    Never(String),
}

impl Wish {
    /// The wish as a test that asks and expects nothing yet.
    fn test(&self) -> Test {
        let mut test: Test = serde_json::from_value(json!({ "name": "recorded" })).expect("a test needs no more than a name");
        test.entity.clone_from(&self.entity);
        test.fields.clone_from(&self.fields);
        test
    }

    /// Puts the question into the test, its values of the types that the schema has.
    fn ask(&self, test: &mut Test, entity: &PlannedEntity, schema: &RecordSchema) -> Result<(), String> {
        let keys: Vec<Value> =
            entity.mapping.key_fields().zip(&self.read).map(|(field, text)| typed(schema, field, text)).collect();
        test.read = match (self.read.len(), keys.as_slice()) {
            (0, _) => None,
            (1, [one]) => Some(one.clone()),
            (given, parts) if given == parts.len() => Some(Value::Array(keys)),
            _ => return Err(format!("the key has {} part(s)", entity.mapping.key_fields().len())),
        };
        let mut search = Map::new();
        for (name, text) in &self.search {
            let field = FieldName::new(name).map_err(|error| format!("`{name}`: {error}"))?;
            search.insert(name.clone(), typed(schema, &field, text));
        }
        test.search = (!search.is_empty()).then_some(search);
        Ok(())
    }
}

/// A text as the schema has the field: a number where it can be no text.
fn typed(schema: &RecordSchema, field: &FieldName, text: &str) -> Value {
    let is_text = schema.field(field).is_none_or(|shape| shape.allows(JsonType::String));
    let other = if is_text { None } else { serde_json::from_str(text).ok() };
    other.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// What the real registry answered.
struct Live {
    rows: Vec<Row>,
    /// The tables of codes, with their rows. Codes are no personal data.
    tables: Vec<CodeTable>,
}

impl Live {
    async fn ask(stage: &Stage, asked: &Test, entity: &PlannedEntity, machine: &Machine<'_>) -> Result<Self, String> {
        let registry = stage.registry();
        let opened = registry.kind.open(registry.plan.spec.clone(), machine.secrets).await.map_err(|error| error.to_string())?;
        let rows: Arc<Mutex<Vec<Row>>> = Arc::default();
        let (noted, index) = (Arc::clone(&rows), entity.index);
        let watch = move |seen| {
            if let Seen::Row { entity, row } = seen
                && entity == index
            {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(row);
            }
        };
        let connector: Arc<dyn Connector> = Arc::new(Watched::new(opened, Arc::new(watch)));
        let bus = stage.bus(Arc::clone(&connector), machine)?;
        if let Some(Health::Unready(why)) = bus.probe().await.into_values().next() {
            return Err(format!("the registry is not ready: {why}"));
        }
        let want = wanted(asked, entity)?;
        let answer = stage.ask(&bus, entity, want, asked.fields.clone(), machine).await;
        let tables = tables(stage, &*connector, machine).await;
        bus.close().await;
        match answer {
            Ok(_) => {}
            Err(refusal) if refusal.code == Code::RecordAbsent => {
                return Err("the registry has no such record: record one that is there".to_owned());
            }
            Err(refusal) => return Err(told(&refusal)),
        }
        let rows = std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner));
        match rows.len() {
            0 => Err("the registry found no record: record a search that finds some".to_owned()),
            1..=RECORDS_MAX => Ok(Self { rows, tables: tables? }),
            found => Err(format!("the search found {found} records: record one that finds {RECORDS_MAX} at most")),
        }
    }

    /// The test with look-alikes, if a stand-in that holds them answers it.
    async fn replayed(
        &self,
        stage: &Stage,
        wish: &Wish,
        asked: &Test,
        entity: &PlannedEntity,
        disguised: &Disguised,
        machine: &Machine<'_>,
    ) -> Result<Value, Unfit> {
        let gone = || Unfit::Others("a value could not be given another".to_owned());
        let rows: Vec<Row> = self.rows.iter().map(|row| disguised.row(row)).collect::<Option<_>>().ok_or_else(gone)?;
        let (record, _) = entity.mapping.decode(&rows[0], &entity.mapping.all());
        let mut test = asked.clone();
        let question = rephrased(&mut test, entity, &record, &rows[0]).map_err(Unfit::Others)?;
        let legacy = self.fixture(stage, entity, &question, &rows).ok_or_else(|| {
            Unfit::Never(format!(
                "the kind `{}` cannot make a stand-in that answers this; write the test by hand",
                stage.registry().kind.name()
            ))
        })?;
        let (answer, questions) = replay(stage, &test, entity, &legacy, machine).await?;
        let test = written(wish, &test, entity, legacy, answer, questions);
        match disguised.betrayed(&self.rows, &disguise::open_texts(&self.tables), &test) {
            true => Err(Unfit::Others("a value would have stayed as it is".to_owned())),
            false => Ok(test),
        }
    }

    fn fixture(&self, stage: &Stage, entity: &PlannedEntity, question: &Asked, rows: &[Row]) -> Option<Value> {
        let registry = stage.registry();
        let spec = &registry.plan.spec.entities[entity.index];
        let surveyed = SurveyedEntity {
            name: spec.name.clone(),
            from: spec.from.clone(),
            key: spec.key.clone(),
            ..SurveyedEntity::default()
        };
        let tables: Vec<(&CodeTable, Vec<Row>)> =
            self.tables.iter().map(|table| (table, disguise::codes_in(table, rows))).collect();
        let question = match question {
            Asked::Read(key) => Question::Read(key),
            Asked::Search(source, value) => Question::Search(source, value),
        };
        let settings = &registry.manifest.connector.settings;
        registry.kind.fixture(&Foreseen { settings, entity: &surveyed, question, rows, tables: &tables })
    }
}

/// A question in legacy terms.
enum Asked {
    Read(Vec<Legacy>),
    Search(Source, Legacy),
}

fn wanted(test: &Test, entity: &PlannedEntity) -> Result<Want, String> {
    want(test, entity)?.ok_or_else(|| "say what to record: --read KEY, or --search FIELD=VALUE".to_owned())
}

/// Asks by the look-alike's own key or value.
fn rephrased(test: &mut Test, entity: &PlannedEntity, record: &Map<String, Value>, row: &Row) -> Result<Asked, String> {
    let value = |field: &FieldName| field.value_in(record).cloned().ok_or_else(|| format!("`{field}` has no value"));
    if test.read.is_some() {
        let parts: Vec<Value> = entity.mapping.key_fields().map(value).collect::<Result<_, _>>()?;
        let legacy = entity.mapping.key(&parts).map_err(|_| "the key of the look-alike cannot be written".to_owned())?;
        test.read = match parts.as_slice() {
            [one] => Some(one.clone()),
            _ => Some(Value::Array(parts)),
        };
        return Ok(Asked::Read(legacy));
    }
    let filters = test.search.as_mut().into_iter().flat_map(Map::iter_mut);
    let mut asked = None;
    for (name, filter) in filters {
        let field = FieldName::new(name).map_err(|error| format!("`{name}`: {error}"))?;
        *filter = value(&field)?;
        let conditions = entity.mapping.conditions(&field, rabita_model::Comparison::Equals, filter);
        let condition = conditions.ok().and_then(|conditions| conditions.into_iter().next());
        let condition = condition.ok_or_else(|| format!("`{name}` cannot be searched for the look-alike's value"))?;
        let found = row.find(&condition.source).cloned().unwrap_or(condition.value);
        asked.get_or_insert(Asked::Search(condition.source, found));
    }
    asked.ok_or_else(|| "a search needs a filter".to_owned())
}

/// What the bus answers from a stand-in, and what the stand-in was asked for that.
async fn replay(
    stage: &Stage,
    test: &Test,
    entity: &PlannedEntity,
    legacy: &Value,
    machine: &Machine<'_>,
) -> Result<(Value, Vec<Value>), Unfit> {
    let registry = stage.registry();
    let double = registry.kind.double(registry.plan.spec.clone(), legacy).await;
    let double = double.map_err(|error| Unfit::Never(error.to_string()))?;
    let bus = stage.bus(Arc::clone(&double.connector), machine).map_err(Unfit::Never)?;
    bus.probe().await;
    let before = double.asked.as_ref().map_or(0, |tell| tell().len());
    let want = wanted(test, entity).map_err(Unfit::Never)?;
    let answer = stage.ask(&bus, entity, want, test.fields.clone(), machine).await;
    bus.close().await;
    let questions = double.asked.as_ref().map(|tell| tell().into_iter().skip(before).collect()).unwrap_or_default();
    match answer {
        Ok(answer) => match records(&answer) {
            Some(Value::Array(found)) if found.is_empty() => {
                Err(Unfit::Others("the stand-in does not find the look-alike".to_owned()))
            }
            Some(answer) => Ok((answer, questions)),
            None => Err(Unfit::Never("a binary answer cannot be recorded".to_owned())),
        },
        Err(refusal) => Err(Unfit::Others(told(&refusal))),
    }
}

/// The test as it stands in a manifest.
fn written(wish: &Wish, test: &Test, entity: &PlannedEntity, legacy: Value, answer: Value, questions: Vec<Value>) -> Value {
    let what = if test.read.is_some() { "reads" } else { "finds" };
    let name = wish.name.clone().unwrap_or_else(|| format!("{what} what was recorded of {}, with look-alikes", name_of(entity)));
    let mut members = Map::new();
    members.insert("name".to_owned(), name.into());
    members.insert("entity".to_owned(), name_of(entity).into());
    members.insert("legacy".to_owned(), legacy);
    members.extend(test.read.clone().map(|read| ("read".to_owned(), read)));
    members.extend(test.search.clone().map(|search| ("search".to_owned(), Value::Object(search))));
    members.extend(test.fields.as_ref().map(|fields| ("fields".to_owned(), json!(fields))));
    members.insert("expect".to_owned(), answer);
    let questions: Vec<Value> = questions
        .into_iter()
        .map(|mut question| {
            if let Value::Object(members) = &mut question {
                NOT_EXPECTED.iter().for_each(|name| _ = members.shift_remove(*name));
                members.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
            }
            question
        })
        .collect();
    if !questions.is_empty() {
        members.insert("expect_legacy".to_owned(), Value::Array(questions));
    }
    Value::Object(members)
}

/// The tables of codes in the registry, as they are.
async fn tables(stage: &Stage, connector: &dyn Connector, machine: &Machine<'_>) -> Result<Vec<CodeTable>, String> {
    let spec = &stage.registry().plan.spec;
    let mut tables = Vec::with_capacity(spec.tables.len());
    for (at, table) in spec.tables.iter().enumerate() {
        let deadline = std::time::Instant::now() + spec.timeout;
        let call = Call { exchange: (machine.new_exchange)(), deadline, traceparent: None };
        let found = connector.table(at, &call).await.map_err(|failure| format!("the code list `{}`: {failure}", table.name))?;
        let rows = found.into_iter().map(|row| table.columns.iter().map(Source::shared).zip(row).collect()).collect();
        let (Some(code), Some(value)) = (table.columns.first(), table.columns.get(1)) else { continue };
        tables.push(CodeTable {
            name: table.name.clone(),
            comment: None,
            from: table.from.clone(),
            code: code.clone(),
            value: value.clone(),
            rows,
        });
    }
    Ok(tables)
}
