//! Results as JSON. [`schema`] describes it; it grows, and does not change otherwise.

use serde_json::{Value, json};

use crate::results::Results;

/// The JSON document: the results, and their sums beside them.
#[must_use]
pub fn written(results: &Results) -> Value {
    let (passed, failed, skipped) = results.counted();
    let mut document = json!({ "passed": passed, "failed": failed, "skipped": skipped });
    if let Some(coverage) = &results.coverage {
        document["percent"] = json!((coverage.percent() * 10.0).round() / 10.0);
    }
    if let (Value::Object(members), Ok(Value::Object(more))) = (&mut document, serde_json::to_value(results)) {
        members.extend(more);
    }
    document
}

/// The JSON Schema (2020-12) of what [`written`] makes.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Results).to_value();
    let count = |description: &str| json!({ "description": description, "type": "integer", "minimum": 0 });
    schema["properties"]["passed"] = count("How many tests passed.");
    schema["properties"]["failed"] = count("How many tests failed.");
    schema["properties"]["skipped"] = count("How many tests were not run.");
    schema["properties"]["percent"] = json!({ "description": "How much of all is touched; only with coverage.", "type": "number", "minimum": 0, "maximum": 100 });
    schema["required"] = json!(["passed", "failed", "skipped", "suites"]);
    schema
}
