//! `rabita connector test`: the tests in manifests, on stand-ins or on the real registries, through all stages.

mod change;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use rabita_config::grant::{All, Any, FieldsGranted, Grant, PurposesGranted};
use rabita_config::node::{Admin, Node};
use rabita_config::system::{CertificateMatch, System};
use rabita_config::{Country, Registry};
use rabita_core::{Answer, Body, Bus, Certificate, Evidence, Received, Stores};
use rabita_model::ask::Key;
use rabita_model::{Ask, Comparison, FieldName, Filter, Operation, Refusal, Want};
use rabita_sdk::Connector;
use rabita_sdk::manifest::Test;
use rabita_sdk::plan::PlannedEntity;
use serde_json::Value;

use super::{Failed, load, output, runtime};
use crate::machine::{MachineSecrets, WallClock, new_exchange};

/// What `connector test` is given.
#[derive(Debug, clap::Args)]
pub(super) struct TestArguments {
    /// The configuration directory.
    directory: PathBuf,
    /// Only this registry.
    registry: Option<String>,
    /// On the real registries: the tests that say `live: true`.
    #[arg(long)]
    live: bool,
}

pub(super) fn run(arguments: &TestArguments) -> Result<ExitCode, Failed> {
    let mut country = load(&arguments.directory)?;
    if let Some(registry) = &arguments.registry {
        let known: Vec<String> = country.registries.iter().map(|own| own.manifest.registry.to_string()).collect();
        country.registries.retain(|own| own.manifest.registry.as_str() == registry);
        if country.registries.is_empty() {
            return Err(format!("there is no registry `{registry}`; there is {}", known.join(", ")).into());
        }
    }
    runtime()?.block_on(all(country, arguments.live))
}

async fn all(mut country: Country, live: bool) -> Result<ExitCode, Failed> {
    let secrets = MachineSecrets::new(&country.directory);
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for registry in std::mem::take(&mut country.registries) {
        let name = registry.manifest.registry.clone();
        let tests = registry.manifest.tests.clone();
        let mut stage = Stage::new(registry, &country.directory);
        for test in &tests {
            if (live && !test.live) || (!live && test.legacy.is_none()) {
                left_out += 1;
                continue;
            }
            match stage.run(test, live, &secrets).await {
                Ok(()) => {
                    passed += 1;
                    output::say(format_args!("ok      {name}: {}", test.name));
                }
                Err(why) => {
                    failed += 1;
                    output::say(format_args!("FAILED  {name}: {}\n{}", test.name, indented(&why)));
                }
            }
        }
    }
    let where_to = if live { "without --live" } else { "with --live" };
    let rest = if left_out > 0 { format!(", {left_out} run only {where_to}") } else { String::new() };
    output::say(format_args!("{passed} passed, {failed} failed{rest}"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of each test of a registry that has not been written down yet: of those on stand-ins, or of the live ones.
pub(super) async fn results(registry: Registry, directory: &std::path::Path, live: bool) -> Vec<(String, Result<(), String>)> {
    let secrets = MachineSecrets::new(directory);
    let tests = registry.manifest.tests.clone();
    let mut stage = Stage::new(registry, directory);
    let mut results = Vec::new();
    for test in tests.iter().filter(|test| if live { test.live } else { test.legacy.is_some() }) {
        results.push((test.name.clone(), stage.run(test, live, &secrets).await));
    }
    results
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

/// One registry, with a system that may do everything.
struct Stage {
    country: Country,
}

const TESTER: &str = "connector-test";

impl Stage {
    fn new(registry: Registry, directory: &std::path::Path) -> Self {
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

    async fn run(&mut self, test: &Test, live: bool, secrets: &MachineSecrets) -> Result<(), String> {
        let registry = &self.country.registries[0];
        let spec = registry.plan.spec.clone();
        let (connector, complaints): (Arc<dyn Connector>, _) = match (live, &test.legacy) {
            (false, Some(legacy)) => {
                let double = registry.kind.double(spec, legacy).await.map_err(|error| error.to_string())?;
                (double.connector, Some(double.complaints))
            }
            _ => (registry.kind.open(spec, secrets).await.map_err(|error| error.to_string())?, None),
        };
        let bus = Bus::with_connectors(
            &self.country,
            vec![Arc::clone(&connector)],
            secrets,
            Arc::new(WallClock),
            new_exchange,
            Stores::default(),
        )
        .map_err(|error| error.to_string())?;
        if let Some(rabita_core::Health::Unready(why)) = bus.probe().await.into_values().next()
            && live
        {
            return Err(format!("the registry is not ready: {why}"));
        }
        // The probe is the bus's own and in no test: what a stand-in says of it is no complaint.
        let before = complaints.as_ref().map_or(0, |tell| tell().len());
        let result = self.check(test, &bus, &*connector).await;
        bus.close().await;
        let complaints: Vec<String> = complaints.map(|tell| tell()).unwrap_or_default().into_iter().skip(before).collect();
        match result {
            Ok(()) if complaints.is_empty() => Ok(()),
            Ok(()) => Err(complaints.join("\n")),
            Err(why) => Err(std::iter::once(why).chain(complaints).collect::<Vec<_>>().join("\n")),
        }
    }

    async fn check(&self, test: &Test, bus: &Bus, connector: &dyn Connector) -> Result<(), String> {
        let entity = self.entity(test)?;
        if let Some(change) = &test.change {
            let done = change::apply(change, entity, connector, self.country.registries[0].plan.spec.timeout).await;
            if let Some(code) = &test.expect_error {
                return match done {
                    Err(why) if why.contains(code.as_str()) => Ok(()),
                    Err(why) => Err(why),
                    Ok(()) => Err(format!("the change was applied, `{code}` was expected")),
                };
            }
            done?;
        }
        let Some(want) = want(test, entity)? else { return Ok(()) };
        let certificate = Certificate { common_name: Some(TESTER.to_owned()), ..Certificate::default() };
        let ask = Ask {
            target: entity.target.clone(),
            want,
            fields: test.fields.clone(),
            purpose: None,
            user: None,
            case: None,
            consent: None,
            in_url: false,
        };
        let received =
            Received { exchange: new_exchange(), evidence: Evidence::of_certificate(certificate), traceparent: None, ask };
        compare(test, bus.exchange(received).await.result)
    }

    fn entity(&self, test: &Test) -> Result<&PlannedEntity, String> {
        let entities = &self.country.registries[0].plan.entities;
        let named = |entity: &&PlannedEntity| {
            test.entity.as_ref().is_none_or(|name| *name == format!("{}/{}", entity.target.version, entity.target.entity))
        };
        entities.iter().find(named).ok_or_else(|| "the contract has no such entity".to_owned())
    }
}

fn want(test: &Test, entity: &PlannedEntity) -> Result<Option<Want>, String> {
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

fn compare(test: &Test, result: Result<Answer, Refusal>) -> Result<(), String> {
    let answer = match (result, &test.expect_error) {
        (Err(refusal), Some(code)) if refusal.code.as_str() == code => return Ok(()),
        (Err(refusal), _) if test.expect_absent && refusal.code == rabita_model::Code::RecordAbsent => return Ok(()),
        (Err(refusal), _) => return Err(told(&refusal)),
        (Ok(_), Some(code)) => return Err(format!("it was answered, `{code}` was expected")),
        (Ok(_), None) if test.expect_absent => return Err("there is such a record, none was expected".to_owned()),
        (Ok(answer), None) => answer,
    };
    let Answer::Data { body, .. } = answer else { return Err("a binary answer cannot be compared".to_owned()) };
    let got = match &*body {
        Body::Record(record) => record.clone(),
        Body::Many(records) => records.iter().map(|record| record.clone().unwrap_or_default()).collect(),
        Body::Page(records) => Value::Array(records.clone()),
    };
    let holds = match (&test.expect, &test.expect_includes) {
        (Some(expected), _) => got == *expected,
        (None, Some(expected)) => includes(&got, expected),
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

fn told(refusal: &Refusal) -> String {
    let faults = refusal.faults.iter().map(|fault| {
        format!("{}{}: {} ({})", fault.pointer, fault.parameter.as_deref().unwrap_or_default(), fault.message, fault.code)
    });
    let lines: Vec<String> = std::iter::once(refusal.to_string()).chain(faults).collect();
    lines.join("\n")
}
