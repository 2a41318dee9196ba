//! `rabita try`: one exchange through all stages, as a given system, without a node.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use rabita_config::Country;
use rabita_contract::{Asked, Frame, Route};
use rabita_core::{Answer, Body, Bus, Certificate, Evidence, Received, Stores, Token};
use rabita_model::Refusal;
use serde_json::{Map, Value, json};

use super::{Failed, load, output, runtime};
use crate::machine::{MachineSecrets, WallClock, new_exchange};

/// What `try` is given.
#[derive(Debug, clap::Args)]
pub(super) struct TryArguments {
    /// The configuration directory.
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
    /// The system to call as.
    #[arg(long = "as", value_name = "SYSTEM")]
    system: String,
    /// The purpose to call for.
    #[arg(long)]
    purpose: Option<String>,
    /// What to ask: `REGISTRY/VERSION/ENTITY`, as in `population/v1/persons`.
    target: String,
    /// The key of the record to read; several are read at once. Parts of a key are joined by `,`.
    keys: Vec<String>,
    /// Search instead: `FIELD=VALUE`, or `FIELD[prefix|from|to]=VALUE`; may be repeated.
    #[arg(long = "where", value_name = "FILTER", conflicts_with = "keys")]
    filters: Vec<String>,
    /// The fields to ask for, joined by `,`.
    #[arg(long, value_delimiter = ',')]
    fields: Vec<String>,
    /// The most records on the page of a search.
    #[arg(long)]
    limit: Option<u32>,
}

pub(super) fn run(arguments: &TryArguments) -> Result<ExitCode, Failed> {
    let mut country = load(&arguments.config)?;
    let evidence = evidence_of(&country, &arguments.system)?;
    let registry = arguments.target.split('/').next().unwrap_or_default();
    if !country.registries.iter().any(|own| own.manifest.registry.as_str() == registry) {
        return Err(format!("there is no registry `{registry}` in {}", arguments.config.display()).into());
    }
    country.registries.retain(|own| own.manifest.registry.as_str() == registry);
    runtime()?.block_on(call(arguments, &country, evidence))
}

async fn call(arguments: &TryArguments, country: &Country, evidence: Evidence) -> Result<ExitCode, Failed> {
    let secrets = MachineSecrets::new(&country.directory);
    let bus = Bus::open(country, &secrets, Arc::new(WallClock), new_exchange, Stores::default()).await?;
    // Code lists that are tables of the registry are read by the probe; what fails is told by the call itself.
    bus.probe().await;
    let exchange = new_exchange();
    let result = match parse(arguments)? {
        Ok(ask) => {
            let received = Received { exchange, evidence, traceparent: None, ask };
            let done = bus.exchange(received).await;
            done.result.map(|answer| (answer, done.trail.timing.registry))
        }
        Err(refusal) => Err(refusal),
    };
    bus.close().await;
    match result {
        Ok((Answer::Data { body, next, observed, .. }, took)) => {
            let told = match &*body {
                Body::Record(record) => record.clone(),
                Body::Many(records) => json!({ "records": records }),
                Body::Page(records) => json!({ "records": records, "next": next }),
            };
            output::say(serde_json::to_string_pretty(&told)?);
            output::complain(&format!(
                "answered by the registry in {:.1} ms; {observed} fault(s) observed",
                took.as_secs_f64() * 1e3
            ));
            Ok(ExitCode::SUCCESS)
        }
        Ok((Answer::Binary { .. } | Answer::Change { .. }, _)) => {
            Err("neither binary fields are shown here nor changes made: call a node".into())
        }
        Err(refusal) => {
            tell(&refusal, exchange);
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Makes the request that a caller would send, so that the same code reads it.
fn parse(arguments: &TryArguments) -> Result<Result<rabita_model::Ask, Refusal>, Failed> {
    let mut body = Map::new();
    match arguments.keys.as_slice() {
        [] => {
            let mut filters = Map::new();
            for filter in &arguments.filters {
                let (field, value) = filter.split_once('=').ok_or_else(|| format!("`{filter}` is no FIELD=VALUE"))?;
                match field.strip_suffix(']').and_then(|field| field.split_once('[')) {
                    Some((field, comparison)) => {
                        let both = filters.entry(field.to_owned()).or_insert_with(|| json!({}));
                        both[comparison] = value.into();
                    }
                    None => {
                        filters.insert(field.to_owned(), value.into());
                    }
                }
            }
            body.insert("where".to_owned(), filters.into());
        }
        [key] => {
            body.insert("key".to_owned(), key_value(key));
        }
        keys => {
            body.insert("keys".to_owned(), keys.iter().map(|key| key_value(key)).collect());
        }
    }
    if !arguments.fields.is_empty() {
        body.insert("fields".to_owned(), arguments.fields.clone().into());
    }
    if let Some(limit) = arguments.limit {
        body.insert("limit".to_owned(), limit.into());
    }
    let mut request = http::Request::post(format!("/api/{}/query", arguments.target)).header("content-type", "application/json");
    if let Some(purpose) = &arguments.purpose {
        request = request.header("rabita-purpose", purpose);
    }
    let (head, ()) = request.body(())?.into_parts();
    Ok(rabita_contract::parse(&head, &serde_json::to_vec(&body)?).map(|route| match route {
        Route::Entity(mut ask) => {
            // On a command line everything is text, as in a URL: the schema says what it is text of. It is in no log.
            ask.in_url = false;
            ask
        }
        _ => unreachable!("the path is that of an entity"),
    }))
}

fn key_value(key: &str) -> Value {
    if key.contains(',') { key.split(',').collect() } else { key.into() }
}

/// What the first of the system's certificates, or else of its tokens, would be evidence of. A signature and a bound token
/// are taken as given.
fn evidence_of(country: &Country, system: &str) -> Result<Evidence, Failed> {
    let known = country.systems.iter().map(|own| own.system.as_str());
    let own = country.systems.iter().find(|own| own.system.as_str() == system).ok_or_else(|| {
        let likely = rabita_sdk::finding::likely(system, known).map(|likely| format!("; did you mean `{likely}`?"));
        format!("there is no system `{system}`{}", likely.unwrap_or_default())
    })?;
    let certificate = own.certificates.first().map(|certificate| Certificate {
        sha256: certificate.fingerprint().unwrap_or_default(),
        dns: certificate.dns.iter().cloned().collect(),
        uris: certificate.uri.iter().cloned().collect(),
        common_name: certificate.common_name.clone(),
    });
    let token = own.tokens.first().map(|token| Token {
        issuer: token.issuer.clone(),
        client_id: token.client_id.clone(),
        is_bound: true,
        ..Token::default()
    });
    if certificate.is_none() && token.is_none() {
        return Err("the system has neither certificate nor token".into());
    }
    Ok(Evidence { certificate: certificate.map(Arc::new), token: token.map(Arc::new), is_signed: true })
}

/// Prints a refusal as callers see it, and below it what only operators see.
fn tell(refusal: &Refusal, exchange: rabita_model::ExchangeId) {
    let frame = Frame::new(exchange);
    let problem = rabita_contract::problem(refusal, &Asked::default(), &frame);
    let body: Value = serde_json::from_slice(problem.body()).unwrap_or_default();
    output::say(format_args!("{body:#}"));
    if let Some(detail) = &refusal.detail {
        output::complain(&format!("for the operator: {detail}"));
    }
    output::complain(&format!("`rabita explain {}` tells more", refusal.code));
}
