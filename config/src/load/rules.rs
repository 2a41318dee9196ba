//! Which rule a finding breaks that does not say so itself: that of the place it is at.

use std::path::Path;

use rabita_model::Rule;

/// The rule that structure breaks, by the keyword of the JSON Schema.
pub(super) fn of_keyword(keyword: &str) -> Rule {
    match keyword {
        "additionalProperties" | "unevaluatedProperties" | "forbidden" => Rule::KeyUnknown,
        "required" | "dependentRequired" => Rule::KeyMissing,
        _ => Rule::ValueWrong,
    }
}

/// The rule that meaning breaks, by file and pointer.
pub(super) fn of_place(file: &Path, pointer: &str) -> Rule {
    match file.components().next().map(|first| first.as_os_str().to_string_lossy()).as_deref() {
        Some("registries") => of_manifest(pointer),
        Some("grants") if pointer.ends_with("/rows") => Rule::ExpressionWrong,
        Some("grants") => Rule::GrantWrong,
        Some("systems") => Rule::SystemWrong,
        Some("schemas") => Rule::SchemaWrong,
        Some("rabita.yaml" | "host.yaml") => Rule::NodeWrong,
        _ => Rule::AgencyWrong,
    }
}

fn of_manifest(pointer: &str) -> Rule {
    let members: Vec<&str> = pointer.split('/').skip(1).collect();
    match members[..] {
        ["connector", ..] => Rule::ConnectorWrong,
        ["codes", ..] => Rule::CodeListWrong,
        ["tests", ..] => Rule::TestWrong,
        ["contract", _, _, ref within @ ..] => of_entity(within),
        _ => Rule::OperationWrong,
    }
}

fn of_entity(members: &[&str]) -> Rule {
    // Within a field the innermost of these words says what it is about.
    let inner = members.iter().rev().find_map(|member| match *member {
        "codec" => Some(Rule::CodecWrong),
        "compose" | "read" | "write" | "when" => Some(Rule::ExpressionWrong),
        _ => None,
    });
    match members {
        ["schema", ..] => Rule::SchemaWrong,
        ["from", ..] | [] => Rule::SourceWrong,
        ["operations" | "changes", ..] | ["actions", _] | ["actions", _, "from" | "confirm", ..] => Rule::OperationWrong,
        _ => inner.unwrap_or(Rule::MappingWrong),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rabita_model::Rule;

    use super::of_place;

    #[test]
    fn a_place_in_a_manifest_has_the_rule_of_what_stands_there() {
        let cases = [
            ("/connector/url", Rule::ConnectorWrong),
            ("/codes/sex", Rule::CodeListWrong),
            ("/contract/v1/persons/from/where", Rule::SourceWrong),
            ("/contract/v1/persons/fields/name.family", Rule::MappingWrong),
            ("/contract/v1/persons/fields/born_on/codec/0/format", Rule::CodecWrong),
            ("/contract/v1/persons/fields/age/read", Rule::ExpressionWrong),
            ("/contract/v1/persons/operations/read", Rule::OperationWrong),
            ("/contract/v1/persons/actions/revoke/from", Rule::OperationWrong),
            ("/contract/v1/persons/schema", Rule::SchemaWrong),
            ("/tests/0/legacy", Rule::TestWrong),
            ("/limits/updates/first_ms", Rule::OperationWrong),
        ];
        for (pointer, rule) in cases {
            assert_eq!(of_place(Path::new("registries/people.yaml"), pointer), rule, "{pointer}");
        }
    }
}
