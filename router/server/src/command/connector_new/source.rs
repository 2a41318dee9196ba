//! What the survey is pointed at, out of the arguments.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rabita_sdk::secret::EnvRef;
use rabita_sdk::survey::Documents as _;
use rabita_sdk::{SecretRef, Secrets as _, SurveySource, TextOrSecret};
use serde_json::{Map, Value, json};

use super::NewArguments;
use super::ask::Questions;
use super::documents::{Fetched, is_http};
use super::write::Place;
use crate::command::Failed;
use crate::machine::MachineSecrets;

/// So much of a file tells what it is.
const HEAD: usize = 64 << 10;

/// The source.
pub(super) async fn of(arguments: &NewArguments, asks: &Questions, place: &Place) -> Result<SurveySource, Failed> {
    let address = match (&arguments.from, &arguments.from_env) {
        (Some(text), _) => TextOrSecret::Text(text.clone()),
        (None, Some(name)) => TextOrSecret::Secret(SecretRef::Env(EnvRef { env: name.clone() })),
        (None, None) => {
            let question = "Where is the legacy system? (a URL or a file; or $NAME for the environment variable that holds it)";
            let answer =
                asks.text(question, None)?.ok_or("say where the legacy system is: --from URL|FILE or --from-env NAME")?;
            match answer.strip_prefix('$') {
                Some(name) => TextOrSecret::Secret(SecretRef::Env(EnvRef { env: name.to_owned() })),
                None => TextOrSecret::Text(answer),
            }
        }
    };
    let plain = MachineSecrets::new(&place.directory).text(&address)?;
    let plain = plain.expose();
    let documents = Fetched::new()?;
    let path = (!plain.contains("://")).then(|| std::path::absolute(plain)).transpose()?.filter(|path| path.exists());
    let looks_like_a_file = !plain.contains(':') || plain.starts_with(['.', '/']);
    if path.is_none() && looks_like_a_file {
        return Err(format!("there is no file {plain}, and it is no URL either").into());
    }
    let head = match &path {
        Some(path) => beginning(path)?,
        None if is_http(plain) => {
            let mut bytes = documents.get(plain).await.unwrap_or_default();
            bytes.truncate(HEAD);
            bytes
        }
        None => Vec::new(),
    };
    Ok(SurveySource {
        shown: shown(plain),
        address,
        path,
        head,
        settings: settings(&arguments.settings)?,
        only: arguments.entities.clone(),
        narrow: arguments.narrow.clone(),
        directory: place.directory.clone(),
        documents: Arc::new(documents),
    })
}

fn beginning(path: &Path) -> Result<Vec<u8>, Failed> {
    if path.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = |error| format!("the file {} cannot be read: {error}", path.display());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head)
}

/// The address without user, password and query.
fn shown(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return without_password(address) };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

/// A connection string without its password, which is refused later on, and not repeated then.
fn without_password(address: &str) -> String {
    let is_password = |part: &str| {
        let keyword = part.split_once('=').map_or("", |(keyword, _)| keyword.trim());
        ["pwd", "password"].iter().any(|own| keyword.eq_ignore_ascii_case(own))
    };
    address.split(';').filter(|part| !is_password(part)).collect::<Vec<_>>().join(";")
}

/// `password.env=NAME` is `{ password: { env: NAME } }`.
fn settings(given: &[String]) -> Result<Map<String, Value>, Failed> {
    let mut settings = Map::new();
    for one in given {
        let (name, text) = one.split_once('=').ok_or_else(|| format!("--set {one} is not of the form KEY=VALUE"))?;
        let value = match serde_json::from_str(text) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
            _ => json!(text),
        };
        let mut members: Vec<&str> = name.split('.').collect();
        let last = members.pop().unwrap_or_default();
        let mut within = &mut settings;
        for member in members {
            let inner = within.entry(member).or_insert_with(|| json!({}));
            within = inner.as_object_mut().ok_or_else(|| format!("--set {name}: `{member}` has a value already"))?;
        }
        within.insert(last.to_owned(), value);
    }
    Ok(settings)
}

/// What a registry could be called, after its address.
pub(super) fn name_of(source: &SurveySource) -> String {
    let path = match &source.path {
        Some(path) => path.clone(),
        None => PathBuf::from(named_in(source.shown.split_once("://").map_or(source.shown.as_str(), |(_, rest)| rest))),
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("registry");
    let stem = stem.rsplit_once(':').map_or(stem, |(before, after)| if before.is_empty() { after } else { before });
    rabita_draft::slug(stem)
}

/// What of an address names the data: of a connection string the database, of an entry's name its first value.
fn named_in(address: &str) -> &str {
    let keyword = |wanted: &str| {
        let mut parts = address.split([';', ':']).filter_map(|part| part.split_once('='));
        parts.find(|(own, _)| own.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    if let Some(database) = ["Database", "DBQ", "DSN"].into_iter().find_map(keyword) {
        return database;
    }
    let last = address.rsplit('/').next().unwrap_or_default();
    last.split_once('=').map_or(address, |(_, rest)| rest.split([',', '%']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_called_after_what_names_its_data() {
        for (address, name) in [
            ("db.example:5432/brp", "brp"),
            ("odbc:Driver=/opt/driver.so;Server=db.example;Database=people", "people"),
            ("odbc:Driver=/opt/driver.so;Database=/var/lib/register.db", "/var/lib/register.db"),
            ("ldap.example/ou=officials%2Co=registry", "officials"),
        ] {
            assert!(named_in(address).ends_with(name), "{address}: {}", named_in(address));
        }
    }

    #[test]
    fn an_address_is_shown_without_what_is_secret_in_it() {
        assert_eq!(shown("postgres://rabita:x@db.example:5432/brp?sslmode=a"), "postgres://db.example:5432/brp");
        assert_eq!(shown("/tmp/a.wsdl"), "/tmp/a.wsdl");
        assert_eq!(shown("odbc:Driver=/a.so;UID=rabita;pwd=x;Database=brp"), "odbc:Driver=/a.so;UID=rabita;Database=brp");
    }

    #[test]
    fn settings_are_nested_by_their_dots() {
        let given = ["user=rabita", "password.env=PW", "tls.mode=disabled", "connect_timeout_ms=100"].map(str::to_owned);
        let expected =
            json!({ "user": "rabita", "password": { "env": "PW" }, "tls": { "mode": "disabled" }, "connect_timeout_ms": 100 });
        assert_eq!(Value::Object(settings(&given).expect("settings")), expected);
        assert!(settings(&["user".to_owned()]).is_err());
    }
}
