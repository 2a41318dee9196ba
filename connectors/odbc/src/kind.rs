//! The kind `odbc`: schemas, and the opening of connectors.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rabita_relational::kind::{self as relational, Known, Options, parsed};
use rabita_sdk::survey::{Foreseen, Recognised};
use rabita_sdk::{
    Connector, Double, Finding, Kind, OpenError, RegistrySpec, Secrets, Survey, SurveyError, SurveyLimits, SurveySource,
};
use serde_json::Value;

use crate::check;
use crate::pool::OdbcPool;
use crate::settings::Settings;
use crate::survey;
use crate::worker::Target;

/// The kind `odbc`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odbc;

#[async_trait]
impl Kind for Odbc {
    fn name(&self) -> &'static str {
        "odbc"
    }

    fn settings_schema(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn entity_schema(&self) -> Value {
        relational::entity_schema()
    }

    fn action_schema(&self) -> Option<Value> {
        Some(relational::action_schema())
    }

    fn changes_schema(&self) -> Option<Value> {
        Some(relational::changes_schema())
    }

    fn fixture_schema(&self) -> Value {
        relational::fixture_schema()
    }

    fn asked_schema(&self) -> Option<Value> {
        Some(relational::asked_schema())
    }

    fn empty_fixture(&self) -> Option<Value> {
        Some(relational::empty_fixture())
    }

    fn check(&self, spec: &RegistrySpec) -> Vec<Finding> {
        let Ok(settings) = serde_json::from_value::<Settings>(spec.settings.clone()) else {
            return vec![Finding::new("/connector", "the settings are not of the form of this kind")];
        };
        let mut findings = check::settings(&settings);
        let dialect = settings.dialect.map(crate::settings::Word::dialect);
        findings.extend(relational::findings(spec, &Known { dialect, read_only: settings.read_only }));
        findings
    }

    async fn open(&self, spec: RegistrySpec, secrets: &dyn Secrets) -> Result<Arc<dyn Connector>, OpenError> {
        let settings: Settings = parsed(&spec.settings, "connector")?;
        let pool = OdbcPool::new(target(&settings, secrets, spec.timeout)?, spec.concurrency);
        relational::open(spec, options(settings), Box::new(pool))
    }

    async fn double(&self, spec: RegistrySpec, fixture: &Value) -> Result<Double, OpenError> {
        let settings: Settings = parsed(&spec.settings, "connector")?;
        relational::double(spec, options(settings), fixture).await
    }

    fn recognises(&self, source: &SurveySource) -> Recognised {
        survey::recognises(source)
    }

    async fn survey(&self, source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
        survey::survey(source, secrets, limits).await
    }

    fn fixture(&self, foreseen: &Foreseen<'_>) -> Option<Value> {
        relational::fixture(foreseen)
    }
}

fn options(settings: Settings) -> Options {
    Options { read_only: settings.read_only, once: settings.once }
}

/// How the settings lead to the database.
pub(crate) fn target(settings: &Settings, secrets: &dyn Secrets, statement_timeout: Duration) -> Result<Target, OpenError> {
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
fn connection(settings: &Settings, secrets: &dyn Secrets) -> Result<String, OpenError> {
    let mut parts = Vec::new();
    let mut add = |keyword: &str, value: &str| parts.push(format!("{keyword}={};", attribute(value)));
    if let Some(driver) = &settings.driver {
        add("Driver", driver);
    }
    if let Some(dsn) = &settings.dsn {
        add("DSN", dsn);
    }
    for (keyword, value) in &settings.keywords {
        add(keyword, secrets.text(value).map_err(OpenError)?.expose());
    }
    if let Some(user) = &settings.user {
        add("UID", user);
    }
    if let Some(password) = &settings.password {
        add("PWD", secrets.resolve(password).map_err(OpenError)?.expose());
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
        use crate::settings::Word;
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
