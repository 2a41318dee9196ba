//! What went out to the legacy system, against what a test expects of it.

use rabita_sdk::manifest::Test;
use serde_json::Value;

/// Holds what the stand-in was asked against `expect_legacy` or `expect_legacy_includes`.
pub(super) fn compare(test: &Test, asked: &[Value]) -> Result<(), String> {
    match (&test.expect_legacy, &test.expect_legacy_includes) {
        (Some(expected), _) => exactly(expected, asked),
        (None, Some(expected)) => at_least(expected, asked),
        (None, None) => Ok(()),
    }
}

fn exactly(expected: &[Value], asked: &[Value]) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (at, (expected, asked)) in expected.iter().zip(asked).enumerate() {
        let found = differences(expected, asked, "");
        if !found.is_empty() {
            wrong.push(format!("question {} to the legacy system is another:\n{}", at + 1, found.join("\n")));
        }
    }
    for (at, missing) in expected.iter().enumerate().skip(asked.len()) {
        wrong.push(format!("question {} to the legacy system was not asked: {missing}", at + 1));
    }
    for (at, more) in asked.iter().enumerate().skip(expected.len()) {
        wrong.push(format!("question {} to the legacy system was not expected: {more}", at + 1));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn at_least(expected: &[Value], asked: &[Value]) -> Result<(), String> {
    let mut rest = asked.iter();
    for expected in expected {
        if rest.any(|asked| differences(expected, asked, "").is_empty()) {
            continue;
        }
        let all: Vec<String> = asked.iter().map(|asked| format!("  {asked}")).collect();
        let all = if all.is_empty() { "  nothing".to_owned() } else { all.join("\n") };
        return Err(format!("the legacy system was not asked, or not in this order: {expected}\nit was asked:\n{all}"));
    }
    Ok(())
}

/// In what a question is not as expected: each place with both values. Members that are not expected may be anything.
fn differences(expected: &Value, asked: &Value, pointer: &str) -> Vec<String> {
    match (expected, asked) {
        (Value::Object(expected), Value::Object(asked)) => expected
            .iter()
            .flat_map(|(name, value)| {
                let place = format!("{pointer}/{}", rabita_sdk::finding::token(name));
                match asked.get(name) {
                    Some(asked) => differences(value, asked, &place),
                    None => vec![format!("  {place}: expected {value}, it is not there")],
                }
            })
            .collect(),
        (expected, asked) if expected == asked => Vec::new(),
        (expected, asked) => vec![format!("  {pointer}: expected {expected}, got {asked}")],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn test(words: Value) -> Test {
        let mut test = json!({ "name": "asks" });
        test.as_object_mut().expect("an object").extend(words.as_object().expect("an object").clone());
        serde_json::from_value(test).expect("a test")
    }

    #[test]
    fn what_a_test_leaves_out_may_be_anything() {
        let asked = [json!({ "statement": "select", "columns": ["PIN"], "parameters": [1] })];
        let expecting = |question: Value| test(json!({ "expect_legacy": [question] }));
        assert_eq!(compare(&expecting(json!({ "columns": ["PIN"] })), &asked), Ok(()));
        let wrong = compare(&expecting(json!({ "columns": ["PIN", "NAME"], "parameters": [1] })), &asked);
        assert_eq!(
            wrong,
            Err("question 1 to the legacy system is another:\n  /columns: expected [\"PIN\",\"NAME\"], got [\"PIN\"]".to_owned())
        );
    }

    #[test]
    fn exactly_means_no_question_more_and_none_less() {
        let one = json!({ "path": "/a" });
        let two = json!({ "path": "/b" });
        let exact = test(json!({ "expect_legacy": [{ "path": "/a" }] }));
        assert_eq!(compare(&exact, std::slice::from_ref(&one)), Ok(()));
        assert!(compare(&exact, &[]).is_err_and(|why| why.contains("was not asked")));
        assert!(compare(&exact, &[one.clone(), two.clone()]).is_err_and(|why| why.contains("was not expected")));
        let nothing = test(json!({ "expect_legacy": [] }));
        assert!(compare(&nothing, &[one]).is_err(), "a test can say that the registry is not asked");
    }

    #[test]
    fn at_least_lets_others_come_between_and_keeps_the_order() {
        let asked = [json!({ "path": "/a" }), json!({ "path": "/b" }), json!({ "path": "/c" })];
        let expecting = |paths: [&str; 2]| test(json!({ "expect_legacy_includes": paths.map(|path| json!({ "path": path })) }));
        assert_eq!(compare(&expecting(["/a", "/c"]), &asked), Ok(()));
        assert!(compare(&expecting(["/c", "/a"]), &asked).is_err_and(|why| why.contains("in this order")));
    }
}
