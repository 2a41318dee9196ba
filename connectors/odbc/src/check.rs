//! What can be wrong with the settings beyond what their schema says, found without the database.

use rabita_model::Rule;
use rabita_sdk::{Finding, TextOrSecret};

use crate::settings::Settings;

/// Keywords that settings of their own stand for.
const OWN: [(&str, &str); 6] =
    [("driver", "driver"), ("dsn", "dsn"), ("uid", "user"), ("user", "user"), ("pwd", "password"), ("password", "password")];

/// Everything wrong with the settings.
pub(crate) fn settings(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    match (&settings.driver, &settings.dsn) {
        (None, None) => findings.push(Finding::new("/connector", "say which `driver`, or which `dsn` of odbc.ini")),
        (Some(_), Some(_)) => {
            findings.push(Finding::new("/connector/dsn", "either `driver` or `dsn`: a data source names its driver"))
        }
        (Some(driver), None) if driver.contains('/') && !driver.starts_with('/') => {
            findings.push(Finding::new("/connector/driver", "the path of a driver is absolute"));
        }
        _ => {}
    }
    for (keyword, value) in &settings.keywords {
        let place = format!("/connector/keywords/{}", rabita_sdk::finding::token(keyword));
        if let Some((_, own)) = OWN.iter().find(|(word, _)| keyword.eq_ignore_ascii_case(word)) {
            findings.push(Finding::new(&place, format!("write it as `{own}` of the connector")));
        }
        if keyword.is_empty() || keyword.contains([';', '=', '{', '}']) {
            findings.push(Finding::new(&place, "a keyword has none of `;`, `=`, `{` and `}`"));
        }
        if let TextOrSecret::Text(text) = value
            && ["password", "pwd", "secret"].iter().any(|word| keyword.to_ascii_lowercase().contains(word))
            && !text.is_empty()
        {
            let message = "this may be a secret: use `{ env: NAME }` or `{ file: PATH }`";
            findings.push(Finding::warning(&place, message).breaks(Rule::SecretInTheOpen));
        }
    }
    findings
}
