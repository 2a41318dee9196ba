//! The address of a database that is to be asked what it holds, `odbc:` and a connection string; and its driver's
//! catalogue.

use std::sync::Arc;
use std::time::Instant;

use rabita_relational::fault::{AnyFault, Moment};
use rabita_relational::survey::Catalogue;
use rabita_sdk::TextOrSecret;
use rabita_sdk::survey::{Recognised, SurveyError, SurveyLimits, SurveySource};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::catalogue;
use crate::worker::{Target, Worker};

/// Whether an address is one of a driver.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    if source.has_scheme(&["odbc"]) { Recognised::Surely } else { Recognised::No }
}

/// The driver's own catalogue, where the database's is not known.
pub(crate) async fn by_driver(target: Arc<Target>, limits: &SurveyLimits) -> Result<Option<Catalogue>, SurveyError> {
    let slot = Arc::new(Semaphore::new(1)).acquire_owned().await;
    let slot = slot.map_err(|_| SurveyError::Unreachable("the survey was ended".to_owned()))?;
    let asking = async {
        let worker = Worker::open(target, slot).await.map_err(|failure| SurveyError::Unreachable(failure.to_string()))?;
        if worker.dialect.catalogue().is_some() {
            return Ok(None);
        }
        let read = worker.run(catalogue::read).await;
        let said = |fault: AnyFault| fault.failure(Moment::Reading);
        read.map(Some).map_err(|fault| SurveyError::Unreachable(said(fault).to_string()))
    };
    let late = || SurveyError::Unreachable("the driver took longer than it may to tell what there is".to_owned());
    tokio::time::timeout_at((Instant::now() + limits.whole).into(), asking).await.unwrap_or_else(|_| Err(late()))
}

/// The settings that a connection string stands for.
pub(crate) fn written(source: &SurveySource) -> Result<Map<String, Value>, SurveyError> {
    let TextOrSecret::Text(address) = &source.address else {
        return Err(SurveyError::Unsuitable(
            "a connection string is given in the open, without a password; the password by reference as a setting \
             (`password.env=NAME`)"
                .to_owned(),
        ));
    };
    let rest = address.split_once(':').map_or("", |(_, rest)| rest);
    let (mut settings, mut keywords) = (Map::new(), Map::new());
    for part in rest.split(';').filter(|part| !part.trim().is_empty()) {
        let Some((keyword, value)) = part.split_once('=') else {
            return Err(SurveyError::Unsuitable("a connection string is `odbc:KEYWORD=VALUE;...`".to_owned()));
        };
        let (keyword, value) = (keyword.trim(), json!(value.trim().trim_start_matches('{').trim_end_matches('}')));
        match keyword.to_ascii_lowercase().as_str() {
            "driver" => _ = settings.insert("driver".to_owned(), value),
            "dsn" => _ = settings.insert("dsn".to_owned(), value),
            "uid" | "user" => _ = settings.insert("user".to_owned(), value),
            "pwd" | "password" => {
                return Err(SurveyError::Unsuitable(
                    "the address holds a password: give it by reference as a setting (`password.env=NAME`)".to_owned(),
                ));
            }
            _ => _ = keywords.insert(keyword.to_owned(), value),
        }
    }
    if !keywords.is_empty() {
        settings.insert("keywords".to_owned(), Value::Object(keywords));
    }
    Ok(settings)
}
