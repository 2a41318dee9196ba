//! The validator underneath, and the one place where it is set up.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::SchemaProblem;

/// How large one compiled pattern may become, in bytes. Stops a schema from taking the memory of the bus.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What becomes of a format that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnknownFormats {
    /// A contract must not promise what is not checked.
    Refused,
    /// What is generated from types may say more than a validator knows (`uint32`).
    Ignored,
}

/// Compiles a self-contained document: formats are asserted, patterns run in linear time, and nothing is fetched.
pub(crate) fn compiled(document: &Value, unknown: UnknownFormats) -> Result<Validator, Vec<SchemaProblem>> {
    let problems: Vec<_> = jsonschema::draft202012::meta::validator()
        .iter_errors(document)
        .map(|error| SchemaProblem::at(error.instance_path().as_str(), error.to_string()))
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut document = document.clone();
    // The document is self-contained, and `#/...` must lead into it whatever `$id` says.
    if let Value::Object(members) = &mut document {
        members.shift_remove("$id");
    }
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(unknown == UnknownFormats::Ignored)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .with_format("partial-date", is_partial_date)
        .build(&document)
        .map_err(|error| vec![SchemaProblem::at(error.instance_path().as_str(), error.to_string())])
}

/// A date of which the day, or the month and the day, may be unknown: `1978`, `1978-03`, `1978-03-21`.
fn is_partial_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().ok()).flatten()
    };
    let month_exists = |month: &str| number(month, 2).filter(|month| (1..=12).contains(month));
    match parts[..] {
        [year] => number(year, 4).is_some(),
        [year, month] => number(year, 4).is_some() && month_exists(month).is_some(),
        [year, month, day] => {
            let (Some(year), Some(month), Some(day)) = (number(year, 4), month_exists(month), number(day, 2)) else {
                return false;
            };
            (1..=days(year, month)).contains(&day)
        }
        _ => false,
    }
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_partial_date_is_a_day_that_exists_or_less() {
        for good in ["1978", "1978-03", "1978-03-31", "2024-02-29", "2000-02-29"] {
            assert!(is_partial_date(good), "{good}");
        }
        for bad in [
            "",
            "78",
            "1978-",
            "1978-00",
            "1978-13",
            "1978-3",
            "1978-02-30",
            "1900-02-29",
            "2023-02-29",
            "1978-03-21T00",
            "+978",
            "1978-03-21-",
        ] {
            assert!(!is_partial_date(bad), "{bad}");
        }
    }

    #[test]
    fn refuses_unknown_formats_and_patterns_without_a_bound() {
        assert!(compiled(&json!({ "format": "no-such-format" }), UnknownFormats::Refused).is_err());
        assert!(
            compiled(&json!({ "pattern": "^(a)\\1$" }), UnknownFormats::Refused).is_err(),
            "a back reference takes exponential time"
        );
        assert!(compiled(&json!({ "pattern": "^(a{1000}){1000}$" }), UnknownFormats::Refused).is_err());
        assert!(compiled(&json!({ "type": "strin" }), UnknownFormats::Refused).is_err());
        assert!(
            compiled(&json!({ "format": "date" }), UnknownFormats::Refused)
                .is_ok_and(|schema| !schema.is_valid(&json!("2023-02-30")))
        );
    }
}
