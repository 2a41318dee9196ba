//! One registry on a stage of its own: a bus with nothing else in it, and a system that may do everything.

mod asked;
mod change;

use std::path::Path;
use std::sync::Arc;

use rabita_config::grant::{All, Any, FieldsGranted, Grant, PurposesGranted};
use rabita_config::node::{Admin, Node};
use rabita_config::system::{CertificateMatch, System};
use rabita_config::{Country, Registry};
use rabita_core::{Answer, Body, Bus, Certificate, Clock, Evidence, Received, Stores};
use rabita_model::ask::Key;
use rabita_model::{Ask, Comparison, ExchangeId, FieldName, Filter, Operation, Refusal, Want};
use rabita_sdk::manifest::Test;
use rabita_sdk::plan::PlannedEntity;
use rabita_sdk::{Connector, Secrets};
use serde_json::Value;

use crate::coverage::Touched;
use crate::watched::Watched;

/// What only the machine knows.
pub struct Machine<'a> {
    pub clock: Arc<dyn Clock>,
    pub new_exchange: fn() -> ExchangeId,
    pub secrets: &'a dyn Secrets,
}

/// One registry, with a system that may do everything.
pub struct Stage {
    country: Country,
}

const TESTER: &str = "connector-test";

impl Stage {
    /// Takes a registry of the configuration in this directory.
    #[must_use]
    pub fn new(registry: Registry, directory: &Path) -> Self {
        let manifest = &registry.manifest;
        let system = rabita_model::SystemId::new(TESTER).expect("it has the form of an id");
        let grants = registry
            .plan
            .entities
            .iter()
            .map(|entity| {
                let grant = Grant {
                    system: Some(system.clone()),
                    group: None,
                    version: entity.target.version,
                    entity: entity.target.entity.clone(),
                    operations: Operation::ALL.to_vec(),
                    actions: None,
                    fields: FieldsGranted::All(All::All),
                    purposes: PurposesGranted::Any(Any::Any),
                    until: None,
                    requests_per_second: None,
                    rows: None,
                    hours: Vec::new(),
                    signature: None,
                    consent: None,
                    binding: None,
                };
                (manifest.registry.clone(), grant)
            })
            .collect();
        let certificate = CertificateMatch { common_name: Some(TESTER.to_owned()), ..CertificateMatch::default() };
        let tester = System {
            system,
            agency: manifest.agency.clone(),
            title: None,
            certificates: vec![certificate],
            tokens: Vec::new(),
            keys: Vec::new(),
            attributes: Default::default(),
            limits: rabita_config::system::SystemLimits { requests_per_second: u32::MAX, burst: None },
        };
        let node = Node {
            listeners: Vec::new(),
            admin: Admin::default(),
            limits: Default::default(),
            telemetry: Default::default(),
            journal: Default::default(),
            webhooks: Default::default(),
            identity: Default::default(),
            signing: Default::default(),
            ledger: Default::default(),
            hosts: None,
            consents: None,
            cursor_secret: None,
        };
        let country = Country {
            directory: directory.to_owned(),
            node,
            agencies: Default::default(),
            purposes: Default::default(),
            legal_bases: Default::default(),
            groups: Default::default(),
            transparency: Default::default(),
            files: Vec::new(),
            systems: vec![tester],
            grants,
            registries: vec![registry],
        };
        Self { country }
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.country.registries[0]
    }

    /// A bus with this connector behind it.
    pub(crate) fn bus(&self, connector: Arc<dyn Connector>, machine: &Machine<'_>) -> Result<Bus, String> {
        let clock = Arc::clone(&machine.clock);
        Bus::with_connectors(&self.country, vec![connector], machine.secrets, clock, machine.new_exchange, Stores::default())
            .map_err(|error| error.to_string())
    }

    /// Runs a test, on a stand-in or live.
    ///
    /// # Errors
    /// What was not as expected, in lines.
    pub(crate) async fn run(&mut self, test: &Test, live: bool, machine: &Machine<'_>, touched: &Touched) -> Result<(), String> {
        let registry = self.registry();
        let spec = registry.plan.spec.clone();
        let (connector, complaints, tell_asked): (Arc<dyn Connector>, _, _) = match (live, &test.legacy) {
            (false, Some(legacy)) => {
                let double = registry.kind.double(spec, legacy).await.map_err(|error| error.to_string())?;
                (double.connector, Some(double.complaints), double.asked)
            }
            _ => (registry.kind.open(spec, machine.secrets).await.map_err(|error| error.to_string())?, None, None),
        };
        let connector: Arc<dyn Connector> = Arc::new(Watched::new(connector, touched.watch()));
        let bus = self.bus(Arc::clone(&connector), machine)?;
        if let Some(rabita_core::Health::Unready(why)) = bus.probe().await.into_values().next()
            && live
        {
            return Err(format!("the registry is not ready: {why}"));
        }
        // The probe is the bus's own and in no test: what a stand-in says of it is no complaint.
        let before = complaints.as_ref().map_or(0, |tell| tell().len());
        let asked_before = tell_asked.as_ref().map_or(0, |tell| tell().len());
        let mut result = self.check(test, &bus, &*connector, machine, touched).await;
        bus.close().await;
        if let (Ok(()), Some(tell)) = (&result, tell_asked) {
            result = asked::compare(test, tell().get(asked_before..).unwrap_or_default());
        }
        let complaints: Vec<String> = complaints.map(|tell| tell()).unwrap_or_default().into_iter().skip(before).collect();
        match result {
            Ok(()) if complaints.is_empty() => Ok(()),
            Ok(()) => Err(complaints.join("\n")),
            Err(why) => Err(std::iter::once(why).chain(complaints).collect::<Vec<_>>().join("\n")),
        }
    }

    async fn check(
        &self,
        test: &Test,
        bus: &Bus,
        connector: &dyn Connector,
        machine: &Machine<'_>,
        touched: &Touched,
    ) -> Result<(), String> {
        let entity = self.entity(test)?;
        if let Some(change) = &test.change {
            let timeout = self.registry().plan.spec.timeout;
            let done = change::apply(change, entity, connector, timeout, machine.new_exchange).await;
            if let Some(code) = &test.expect_error {
                return match done {
                    Err(why) if why.contains(code.as_str()) => Ok(()),
                    Err(why) => Err(why),
                    Ok(()) => Err(format!("the change was applied, `{code}` was expected")),
                };
            }
            done?;
            touched.record(entity, &Value::Object(change.record.clone()));
        }
        let Some(want) = want(test, entity)? else { return Ok(()) };
        let result = self.ask(bus, entity, want, test.fields.clone(), machine).await;
        let got = result.as_ref().ok().and_then(records);
        compare(test, &result, got.as_ref())?;
        if let Some(got) = got {
            touched.record(entity, &got);
        }
        Ok(())
    }

    /// Asks the bus as a system that may do everything.
    pub(crate) async fn ask(
        &self,
        bus: &Bus,
        entity: &PlannedEntity,
        want: Want,
        fields: Option<Vec<FieldName>>,
        machine: &Machine<'_>,
    ) -> Result<Answer, Refusal> {
        let certificate = Certificate { common_name: Some(TESTER.to_owned()), ..Certificate::default() };
        let ask = Ask {
            target: entity.target.clone(),
            want,
            fields,
            purpose: None,
            user: None,
            case: None,
            consent: None,
            in_url: false,
        };
        let evidence = Evidence::of_certificate(certificate);
        let received = Received { exchange: (machine.new_exchange)(), evidence, traceparent: None, ask };
        bus.exchange(received).await.result
    }

    pub(crate) fn entity(&self, test: &Test) -> Result<&PlannedEntity, String> {
        let entities = &self.registry().plan.entities;
        let named = |entity: &&PlannedEntity| test.entity.as_ref().is_none_or(|name| *name == name_of(entity));
        entities.iter().find(named).ok_or_else(|| "the contract has no such entity".to_owned())
    }
}

/// `v1/persons`.
pub(crate) fn name_of(entity: &PlannedEntity) -> String {
    format!("{}/{}", entity.target.version, entity.target.entity)
}

/// The record, or the list of records, of an answer.
pub(crate) fn records(answer: &Answer) -> Option<Value> {
    let Answer::Data { body, .. } = answer else { return None };
    Some(match &**body {
        Body::Record(record) => record.clone(),
        Body::Many(records) => records.iter().map(|record| record.clone().unwrap_or_default()).collect(),
        Body::Page(records) => Value::Array(records.clone()),
    })
}

pub(crate) fn want(test: &Test, entity: &PlannedEntity) -> Result<Option<Want>, String> {
    if let Some(filters) = &test.search {
        let filters = filters.iter().map(|(name, value)| filter(name, value)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Some(Want::Search { filters: filters.into_iter().flatten().collect(), limit: None, cursor: None }));
    }
    let parts = entity.mapping.key_fields().len();
    let key = |value: &Value| match value {
        Value::Array(values) if parts > 1 => Key(values.clone()),
        value => Key(vec![value.clone()]),
    };
    Ok(test.read.as_ref().map(|read| match read {
        Value::Array(keys) if parts == 1 || keys.iter().all(Value::is_array) => {
            Want::ReadMany { keys: keys.iter().map(key).collect() }
        }
        one => Want::Read { key: key(one) },
    }))
}

fn filter(name: &str, value: &Value) -> Result<Vec<Filter>, String> {
    let field = FieldName::new(name).map_err(|error| format!("`{name}`: {error}"))?;
    let Value::Object(comparisons) = value else {
        return Ok(vec![Filter { field, comparison: Comparison::Equals, value: value.clone() }]);
    };
    comparisons
        .iter()
        .map(|(word, value)| {
            let comparison = Comparison::ALL.into_iter().find(|own| own.as_str() == word);
            let comparison = comparison.ok_or_else(|| format!("`{word}` is no comparison"))?;
            Ok(Filter { field: field.clone(), comparison, value: value.clone() })
        })
        .collect()
}

fn compare(test: &Test, result: &Result<Answer, Refusal>, got: Option<&Value>) -> Result<(), String> {
    match (result, &test.expect_error) {
        (Err(refusal), Some(code)) if refusal.code.as_str() == code => return Ok(()),
        (Err(refusal), _) if test.expect_absent && refusal.code == rabita_model::Code::RecordAbsent => return Ok(()),
        (Err(refusal), _) => return Err(told(refusal)),
        (Ok(_), Some(code)) => return Err(format!("it was answered, `{code}` was expected")),
        (Ok(_), None) if test.expect_absent => return Err("there is such a record, none was expected".to_owned()),
        (Ok(_), None) => {}
    }
    let Some(got) = got else { return Err("a binary answer cannot be compared".to_owned()) };
    let holds = match (&test.expect, &test.expect_includes) {
        (Some(expected), _) => got == expected,
        (None, Some(expected)) => includes(got, expected),
        (None, None) => true,
    };
    if holds {
        return Ok(());
    }
    let expected = test.expect.as_ref().or(test.expect_includes.as_ref());
    Err(format!("expected {:#}\ngot {got:#}", expected.cloned().unwrap_or_default()))
}

fn includes(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| got.get(name).is_some_and(|own| includes(own, value)))
        }
        (Value::Array(got), Value::Array(expected)) => {
            got.len() == expected.len() && got.iter().zip(expected).all(|(got, expected)| includes(got, expected))
        }
        (got, expected) => got == expected,
    }
}

pub(crate) fn told(refusal: &Refusal) -> String {
    let faults = refusal.faults.iter().map(|fault| {
        format!("{}{}: {} ({})", fault.pointer, fault.parameter.as_deref().unwrap_or_default(), fault.message, fault.code)
    });
    let lines: Vec<String> = std::iter::once(refusal.to_string()).chain(faults).collect();
    lines.join("\n")
}
