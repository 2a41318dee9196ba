//! What `rabita updates` prints for people.

use std::fmt::Write as _;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::command::output;

/// One line for each update.
pub(super) fn table(updates: &[Value], now: Timestamp) -> String {
    let heads = ["ID", "REGISTRY", "ENTITY", "OPERATION", "STATE", "AGE", "ATTEMPTS", "SYSTEM", "WHY"].map(str::to_owned);
    let rows = updates.iter().map(|update| {
        let why = if update["outcome"].is_object() { &update["outcome"]["code"] } else { &update["trouble"]["code"] };
        [
            text(&update["id"]),
            text(&update["registry"]),
            format!("{}/{}", text(&update["version"]), text(&update["entity"])),
            operation(update),
            text(&update["state"]),
            age(&update["accepted_at"], now),
            text(&update["attempts"]),
            text(&update["system"]),
            text(why),
        ]
    });
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    aligned(&rows)
}

/// Everything about one update, a line each.
pub(super) fn whole(update: &Value) -> String {
    let Value::Object(members) = update else { return text(update) };
    let mut lines = String::new();
    for (name, value) in members {
        match value {
            Value::Object(inner) => {
                for (part, value) in inner {
                    let _ = writeln!(lines, "{:<22} {}", format!("{name}.{part}"), text(value));
                }
            }
            value => {
                let _ = writeln!(lines, "{name:<22} {}", text(value));
            }
        }
    }
    lines.truncate(lines.trim_end().len());
    lines
}

/// One line for each act.
pub(super) fn acts(acts: &Value) -> String {
    let acts = acts.as_array().map(Vec::as_slice).unwrap_or_default();
    let heads = ["AT", "VERB", "UPDATES", "OPERATOR", "REASON"].map(str::to_owned);
    let rows = acts.iter().map(|act| {
        let count = act["ids"].as_array().map_or(0, Vec::len);
        let one = act["ids"][0].as_str().filter(|_| count == 1).map_or_else(|| count.to_string(), str::to_owned);
        [text(&act["at"]), text(&act["verb"]), one, text(&act["operator"]), text(&act["reason"])]
    });
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    aligned(&rows)
}

/// What came of an order, page by page.
#[derive(Default)]
pub(super) struct Results(Vec<Value>);

impl Results {
    pub fn add(&mut self, mut told: Value) {
        if let Value::Array(results) = told["results"].take() {
            self.0.extend(results);
        }
    }

    /// Ends with failure where something was left as it was, or nothing was there.
    pub fn tell(self, verb: &str, dry_run: bool, is_json: bool) -> ExitCode {
        let done = self.0.iter().filter(|result| result["result"] == "done").count();
        let left = self.0.len() - done;
        if is_json {
            output::say(format_args!(
                "{:#}",
                json!({ "verb": verb, "dry_run": dry_run, "done": done, "left": left, "results": self.0 })
            ));
        } else if self.0.is_empty() {
            output::complain("no parked update matches");
        } else {
            self.0.iter().filter_map(reason).for_each(output::say);
            output::say(sentence(verb, dry_run, done, left));
        }
        if done > 0 && left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn sentence(verb: &str, dry_run: bool, done: usize, left: usize) -> String {
    let what = match (verb, dry_run) {
        ("retry", false) => "sent on their way again",
        ("retry", true) => "would be sent on their way again",
        (_, false) => "discarded",
        (_, true) => "would be discarded",
    };
    let left = if left == 0 { String::new() } else { format!(", {left} left as they are") };
    format!("{done} update(s) {what}{left}")
}

/// Why an update was left as it is.
fn reason(result: &Value) -> Option<String> {
    let id = text(&result["id"]);
    match result["result"].as_str()? {
        "absent" => Some(format!("{id}: there is no such update")),
        "not_parked" => Some(format!("{id}: it is not parked but {}", text(&result["state"]))),
        "behind" => {
            let first = text(&result["behind"]);
            Some(format!("{id}: it is behind {first} of the same record: take that one first, or both together"))
        }
        _ => None,
    }
}

fn operation(update: &Value) -> String {
    update["action"].as_str().map_or_else(|| text(&update["operation"]), str::to_owned)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn age(at: &Value, now: Timestamp) -> String {
    let Some(at) = at.as_str().and_then(|at| at.parse::<Timestamp>().ok()) else { return "-".to_owned() };
    match now.duration_since(at).as_secs().max(0) {
        seconds @ 0..=119 => format!("{seconds}s"),
        seconds @ 120..=7_199 => format!("{}m", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Columns as wide as their widest cell, two blanks apart; no blanks at the end of a line.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stands_in_columns() {
        let now = "2026-11-23T12:00:00Z".parse().expect("a time");
        let update = json!({ "id": "0192", "registry": "population", "version": "v1", "entity": "persons", "operation": "act",
            "action": "revoke", "state": "parked", "accepted_at": "2026-11-23T09:00:00Z", "attempts": 10, "system": "portal",
            "trouble": { "code": "registry_timeout" } });
        let told = table(&[update], now);
        let expected = "ID    REGISTRY    ENTITY      OPERATION  STATE   AGE  ATTEMPTS  SYSTEM  WHY\n\
                        0192  population  v1/persons  revoke     parked  3h   10        portal  registry_timeout";
        assert_eq!(told, expected);
    }

    #[test]
    fn tells_why_an_update_was_left_as_it_is() {
        let behind = json!({ "id": "a", "result": "behind", "behind": "b" });
        assert!(reason(&behind).is_some_and(|told| told.starts_with("a: it is behind b")));
        assert_eq!(reason(&json!({ "id": "a", "result": "done" })), None);
        assert_eq!(sentence("retry", true, 2, 1), "2 update(s) would be sent on their way again, 1 left as they are");
    }
}
