//! The address of a database that is to be asked what it holds.

use rabita_sdk::TextOrSecret;
use rabita_sdk::survey::{Recognised, SurveyError, SurveySource};
use serde_json::{Map, Value, json};

use crate::check::has_password;
use crate::settings::Scheme;

/// Whether an address is one of a database.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    if source.has_scheme(&Scheme::WORDS) || source.head.starts_with(b"SQLite format 3\0") {
        Recognised::Surely
    } else {
        Recognised::No
    }
}

/// The settings that it stands for.
pub(crate) fn written(source: &SurveySource) -> Result<Map<String, Value>, SurveyError> {
    let url = match (&source.address, &source.path) {
        (TextOrSecret::Text(_), Some(path)) => json!(format!("sqlite:{}", path.display())),
        (TextOrSecret::Text(text), None) if has_password(text) => {
            return Err(SurveyError::Unsuitable(
                "the address holds a password: put the whole address into an environment variable and name that, or give \
                 the password by reference as a setting (`password.env=NAME`)"
                    .to_owned(),
            ));
        }
        (address, _) => json!(address),
    };
    Ok([("url".to_owned(), url)].into_iter().collect())
}

#[cfg(test)]
mod tests;
