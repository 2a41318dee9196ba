//! The kind `odbc`: how its settings lead to a database.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_relational::backend::Pool;
use rabita_relational::dialect::Dialect;
use rabita_relational::kind::{Bounds, Options, Reaching};
use rabita_relational::survey::Catalogue;
use rabita_sdk::survey::Recognised;
use rabita_sdk::{Finding, Kind, RegistrySpec, Secrets, SurveyError, SurveyLimits, SurveySource};
use serde_json::{Map, Value};

use crate::pool::OdbcPool;
use crate::settings::{Settings, Word};
use crate::worker::Target;
use crate::{check, survey};

/// The kind `odbc`.
#[must_use]
pub fn kind() -> Arc<dyn Kind> {
    rabita_relational::kind::kind::<Odbc>()
}

/// By a driver of ODBC.
struct Odbc;

#[async_trait]
impl Reaching for Odbc {
    type Settings = Settings;

    const NAME: &'static str = "odbc";

    fn options(settings: &Settings) -> Options {
        Options { read_only: settings.read_only, once: settings.once.clone() }
    }

    fn check(settings: &Settings, _spec: &RegistrySpec, findings: &mut Vec<Finding>) -> Option<Dialect> {
        findings.extend(check::settings(settings));
        settings.dialect.map(Word::dialect)
    }

    fn pool(settings: &Settings, secrets: &dyn Secrets, bounds: &Bounds<'_>) -> Result<Box<dyn Pool>, String> {
        Ok(Box::new(OdbcPool::new(target(settings, secrets, bounds.timeout)?, bounds.connections)))
    }

    fn recognises(source: &SurveySource) -> Recognised {
        survey::recognises(source)
    }

    fn written(source: &SurveySource) -> Result<Map<String, Value>, SurveyError> {
        survey::written(source)
    }

    async fn catalogue(
        settings: &Settings,
        secrets: &dyn Secrets,
        limits: &SurveyLimits,
    ) -> Result<Option<Catalogue>, SurveyError> {
        let target = target(settings, secrets, limits.question).map_err(SurveyError::Unsuitable)?;
        survey::by_driver(Arc::new(target), limits).await
    }
}

/// How the settings lead to the database.
fn target(settings: &Settings, secrets: &dyn Secrets, statement_timeout: Duration) -> Result<Target, String> {
    Ok(Target {
        connection: connection(settings, secrets)?,
        dialect: settings.dialect,
        setup: settings.setup.clone(),
        connect_timeout: settings.connect_timeout(),
        statement_timeout,
        read_only: settings.read_only,
    })
}

/// The connection string. It holds secrets, so nobody prints it.
fn connection(settings: &Settings, secrets: &dyn Secrets) -> Result<String, String> {
    let mut parts = Vec::new();
    let mut add = |keyword: &str, value: &str| parts.push(format!("{keyword}={};", attribute(value)));
    if let Some(driver) = &settings.driver {
        add("Driver", driver);
    }
    if let Some(dsn) = &settings.dsn {
        add("DSN", dsn);
    }
    for (keyword, value) in &settings.keywords {
        add(keyword, secrets.text(value)?.expose());
    }
    if let Some(user) = &settings.user {
        add("UID", user);
    }
    if let Some(password) = &settings.password {
        add("PWD", secrets.resolve(password)?.expose());
    }
    Ok(parts.concat())
}

/// A value as it stands in a connection string: in braces only where it has to be, since not every driver knows them.
fn attribute(value: &str) -> Cow<'_, str> {
    let needs_braces = value.contains([';', '+']) || value.starts_with(['{', ' ']) || value.ends_with(' ');
    if needs_braces { Cow::Owned(format!("{{{}}}", value.replace('}', "}}"))) } else { Cow::Borrowed(value) }
}

#[cfg(test)]
mod tests {
    use rabita_sdk::{SecretRef, SecretText};
    use serde_json::json;

    use super::*;

    struct OneSecret;

    impl Secrets for OneSecret {
        fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
            Ok(SecretText::new("p;w}d".into()))
        }
    }

    fn settings(value: Value) -> Settings {
        serde_json::from_value(value).expect("settings")
    }

    fn messages(value: Value) -> String {
        let told =
            check::settings(&settings(value)).into_iter().map(|finding| format!("{} {}", finding.pointer, finding.message));
        told.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_value_with_the_marks_of_a_connection_string_stays_one_value() {
        let settings = settings(json!({
            "driver": "/opt/driver.so", "user": "u", "password": { "env": "P" },
            "keywords": { "Server": "tcp:db.example,1433", "Database": "a;UID=root" },
        }));
        let told = connection(&settings, &OneSecret).expect("a connection string");
        assert_eq!(attribute("{x"), "{{x}");
        assert_eq!(told, "Driver=/opt/driver.so;Database={a;UID=root};Server=tcp:db.example,1433;UID=u;PWD={p;w}}d};");
    }

    #[test]
    fn finds_settings_that_do_not_go_together() {
        assert_eq!(messages(json!({ "driver": "/opt/driver.so" })), "");
        assert_eq!(messages(json!({ "driver": "FreeTDS" })), "");
        assert!(messages(json!({})).contains("say which `driver`"));
        assert!(messages(json!({ "driver": "x", "dsn": "y" })).contains("either"));
        assert!(messages(json!({ "driver": "lib/x.so" })).contains("absolute"));
        assert!(messages(json!({ "dsn": "y", "keywords": { "PWD": "x" } })).contains("write it as `password`"));
        assert!(messages(json!({ "dsn": "y", "keywords": { "A;B": "x" } })).contains("none of"));
        assert!(messages(json!({ "dsn": "y", "keywords": { "WalletPassword": "x" } })).contains("secret"));
    }

    #[test]
    fn knows_a_dialect_by_what_drivers_call_their_database() {
        let known = [
            ("Microsoft SQL Server", Word::SqlServer),
            ("Oracle", Word::Oracle),
            ("DB2/LINUXX8664", Word::Db2),
            ("IBM Informix Dynamic Server", Word::Informix),
            ("PostgreSQL", Word::Postgres),
            ("MariaDB", Word::Mariadb),
            ("MySQL", Word::Mariadb),
            ("SQLite", Word::Sqlite),
            ("Firebird", Word::Standard),
        ];
        for (name, word) in known {
            assert_eq!(Word::of_database(name), word, "{name}");
        }
    }
}
