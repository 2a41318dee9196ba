//! What can be wrong with the settings beyond what their schema says, found without the database.

use rabita_model::Rule;
use rabita_sdk::{Finding, RegistrySpec, TextOrSecret};

use crate::settings::{Scheme, Settings};

/// Everything wrong with the settings, and the database that they lead to.
pub(crate) fn settings(settings: &Settings, spec: &RegistrySpec, findings: &mut Vec<Finding>) -> Option<Scheme> {
    let scheme = match &settings.url {
        TextOrSecret::Secret(_) => None,
        TextOrSecret::Text(url) => {
            let scheme = Scheme::of(url);
            if scheme.is_none() {
                let word = url.split(':').next().unwrap_or_default();
                findings.push(Finding::unknown("/connector/url", "database", word, Scheme::WORDS));
            }
            if scheme == Some(Scheme::Sqlite) && crate::database::sqlite_file(url).is_none() {
                findings.push(Finding::new(
                    "/connector/url",
                    "an SQLite URL is `sqlite:` and the name of a file, without parameters",
                ));
            }
            if has_password(url) {
                findings.push(
                    Finding::new("/connector/url", "a password stands in the manifest: use `password: { env: NAME }`")
                        .breaks(Rule::SecretInTheOpen),
                );
            }
            scheme
        }
    };
    if scheme == Some(Scheme::Sqlite) && (settings.tls.mode.is_some() || settings.tls.ca_file.is_some()) {
        findings
            .push(Finding::warning("/connector/tls", "an SQLite file has no connection to protect").breaks(Rule::WithoutEffect));
    }
    if usize::try_from(settings.idle_connections).unwrap_or(usize::MAX) > spec.concurrency {
        findings.push(Finding::new("/connector/idle_connections", "more than `limits.concurrency`, the most that are ever open"));
    }
    scheme
}

/// Whether a password stands in a URL.
pub(crate) fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}
