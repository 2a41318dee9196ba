//! Asks a database what it holds: what `rabita_relational::survey` asks, at the address of a manifest to be.

use rabita_relational::survey::Surveyor;
use rabita_sdk::Secrets;
use rabita_sdk::survey::{Recognised, Survey, SurveyError, SurveyLimits, SurveySource};
use serde_json::{Value, json};

use crate::database::{Pooling, connect};
use crate::settings::{Scheme, Settings};

/// Whether an address is one of a database.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    if source.has_scheme(&Scheme::WORDS) || source.head.starts_with(b"SQLite format 3\0") {
        Recognised::Surely
    } else {
        Recognised::No
    }
}

/// The survey.
pub(crate) async fn survey(source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
    let written = settings(source)?;
    let unsuitable = |error: serde_json::Error| SurveyError::Unsuitable(format!("the settings of the connector: {error}"));
    let mut settings: Settings = serde_json::from_value(Value::Object(written.clone())).map_err(unsuitable)?;
    settings.read_only = true;
    let url = secrets.text(&settings.url).map_err(SurveyError::Unsuitable)?;
    let password = settings.password.as_ref().map(|password| secrets.resolve(password)).transpose();
    let password = password.map_err(SurveyError::Unsuitable)?;
    let pooling = Pooling {
        url: url.expose(),
        password: password.as_ref().map(rabita_sdk::SecretText::expose),
        connections: 2,
        timeout: limits.question,
        directory: &source.directory,
    };
    let pool = connect(&settings, &pooling).map_err(SurveyError::Unsuitable)?;
    let mut survey = Surveyor { pool, source, limits }.survey(None).await?;
    survey.settings = written;
    Ok(survey)
}

/// The manifest's `connector:`. Nothing but reading is asked of the registry until somebody wants more.
fn settings(source: &SurveySource) -> Result<serde_json::Map<String, Value>, SurveyError> {
    let mut settings = serde_json::Map::new();
    let url = match (&source.address, &source.path) {
        (rabita_sdk::TextOrSecret::Text(_), Some(path)) => json!(format!("sqlite:{}", path.display())),
        (rabita_sdk::TextOrSecret::Text(text), None) if has_password(text) => {
            return Err(SurveyError::Unsuitable(
                "the address holds a password: put the whole address into an environment variable and name that, or give \
                 the password by reference as a setting (`password.env=NAME`)"
                    .to_owned(),
            ));
        }
        (address, _) => json!(address),
    };
    settings.insert("url".to_owned(), url);
    settings.extend(source.settings.clone());
    settings.entry("read_only").or_insert(json!(true));
    Ok(settings)
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests;
