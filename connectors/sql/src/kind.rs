//! The kind `sql`: how its settings lead to a database.

use std::sync::Arc;

use rabita_relational::backend::Pool;
use rabita_relational::dialect::Dialect;
use rabita_relational::kind::{Bounds, Options, Reaching};
use rabita_sdk::survey::Recognised;
use rabita_sdk::{Finding, Kind, RegistrySpec, Secrets, SurveyError, SurveySource};
use serde_json::{Map, Value};

use crate::database::{Pooling, connect};
use crate::settings::{Scheme, Settings};
use crate::{check, survey};

/// The kind `sql`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    rabita_relational::kind::kind::<Sql>()
}

/// By the drivers of PostgreSQL, MariaDB, MySQL and SQLite that are built in.
struct Sql;

impl Reaching for Sql {
    type Settings = Settings;

    const NAME: &'static str = "sql";

    fn options(settings: &Settings) -> Options {
        Options { read_only: settings.read_only, once: settings.once.clone() }
    }

    fn check(settings: &Settings, spec: &RegistrySpec, findings: &mut Vec<Finding>) -> Option<Dialect> {
        check::settings(settings, spec, findings).map(Scheme::dialect)
    }

    fn pool(settings: &Settings, secrets: &dyn Secrets, bounds: &Bounds<'_>) -> Result<Box<dyn Pool>, String> {
        let url = secrets.text(&settings.url)?;
        let password = settings.password.as_ref().map(|password| secrets.resolve(password)).transpose()?;
        let password = password.as_ref().map(rabita_sdk::SecretText::expose);
        connect(settings, &Pooling { url: url.expose(), password, bounds })
    }

    fn recognises(source: &SurveySource) -> Recognised {
        survey::recognises(source)
    }

    fn written(source: &SurveySource) -> Result<Map<String, Value>, SurveyError> {
        survey::written(source)
    }
}
