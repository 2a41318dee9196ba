//! Adds a test to the text of a manifest. The text is its author's: nothing else in it changes, no comment, no blank.

use std::path::Path;

use rabita_config::document::Document;
use rabita_draft::yaml;
use serde_json::{Map, Value};

/// Why a test could not be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAppended(pub String);

impl std::fmt::Display for NotAppended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The manifest's text with the test at the end of its `tests:`.
///
/// # Errors
/// Where the text is no YAML, its tests are not written one below the other, or the test would not stand in it as it is.
pub fn appended(text: &str, test: &Value) -> Result<String, NotAppended> {
    let before = read(text)?;
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.lines().collect();
    let place = Place::find(&lines)?;
    let mut made: Vec<String> = lines[..place.at].iter().map(|line| (*line).to_owned()).collect();
    if let (Some(line), Some(own)) = (place.replaces, made.last_mut()) {
        *own = line;
    }
    if place.begins {
        made.extend([String::new(), "tests:".to_owned()]);
    }
    made.extend(item(test, place.indent));
    made.extend(lines[place.at..].iter().map(|line| (*line).to_owned()));
    let mut new = made.join(line_end);
    if text.ends_with('\n') || place.at == lines.len() {
        new.push_str(line_end);
    }
    held(before, &new, test)?;
    Ok(new)
}

/// Where the test goes.
struct Place {
    /// Before this line, from 0.
    at: usize,
    indent: usize,
    /// Whether there are no tests yet.
    begins: bool,
    /// What stands in place of the line before, where that is an empty list.
    replaces: Option<String>,
}

impl Place {
    fn find(lines: &[&str]) -> Result<Self, NotAppended> {
        let Some(head) = lines.iter().position(|line| line.starts_with("tests:")) else {
            return Ok(Self { at: last(lines, 0, lines.len()), indent: 2, begins: true, replaces: None });
        };
        let rest = without_comment(lines[head].trim_start_matches("tests:"));
        if rest == "[]" {
            // A comment behind it stays.
            let line = lines[head].replacen("[]", "", 1).trim_end().to_owned();
            return Ok(Self { at: head + 1, indent: 2, begins: false, replaces: Some(line) });
        }
        if !rest.is_empty() && !rest.starts_with(['&', '!']) {
            let message = "the tests are not written one below the other: begin each with `- name:` on a line of its own";
            return Err(NotAppended(message.to_owned()));
        }
        let ends = |line: &&str| !line.starts_with([' ', '\t', '#', '-']) && !line.is_empty();
        let end = lines.iter().skip(head + 1).position(ends).map_or(lines.len(), |more| head + 1 + more);
        let first = lines[head + 1..end].iter().find(|line| line.trim_start().starts_with('-'));
        let indent = first.map_or(2, |line| line.len() - line.trim_start().len());
        Ok(Self { at: last(lines, head, end), indent, begins: false, replaces: None })
    }
}

/// After the last line that says something: blanks and comments that stand before what follows stay with that.
fn last(lines: &[&str], from: usize, to: usize) -> usize {
    let says = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    lines[from..to].iter().rposition(says).map_or(to, |at| from + at + 1)
}

fn without_comment(rest: &str) -> &str {
    rest.split(" #").next().unwrap_or(rest).trim()
}

/// The lines of the test, at an indent.
fn item(test: &Value, indent: usize) -> Vec<String> {
    let mut members = Map::new();
    members.insert("tests".to_owned(), Value::Array(vec![test.clone()]));
    let document = yaml::document(&members, &yaml::Comments::new());
    let lines: Vec<&str> = document.lines().skip(1).collect();
    let own = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    lines.into_iter().map(|line| format!("{:indent$}{}", "", line.get(own..).unwrap_or_default())).collect()
}

fn read(text: &str) -> Result<Value, NotAppended> {
    let read = Document::read(Path::new("manifest"), text.to_owned());
    read.map(|document| document.value).map_err(|located| NotAppended(located.message))
}

/// The new text says what the old one said, and the test at the end.
fn held(mut before: Value, new: &str, test: &Value) -> Result<(), NotAppended> {
    match before.get_mut("tests") {
        Some(Value::Array(tests)) => tests.push(test.clone()),
        _ => before["tests"] = Value::Array(vec![test.clone()]),
    }
    if read(new)? == before {
        return Ok(());
    }
    Err(NotAppended("the test cannot be added without changing what else the manifest says: add it by hand".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn test() -> Value {
        json!({ "name": "reads: \"it\"", "legacy": { "CARS": [{ "PLATE": "A1", "NOTE": "# no comment" }] }, "read": "A1", "expect": { "plate": "A1" } })
    }

    #[test]
    fn a_test_goes_to_the_end_of_the_others_and_nothing_else_changes() {
        let text = "registry: cars # ours\n\ntests:\n    # the first\n    - name: a   # odd\n      read: 1\n\n# what follows\ncodes: { x: { A: b } }\n";
        let new = appended(text, &test()).expect("it goes in");
        let added = new.lines().position(|line| line.contains("reads:")).expect("it is there");
        let line = new.lines().nth(added).expect("it is there");
        assert!(line.starts_with("    - "), "at the indent of the others: {line}");
        assert!(
            new.starts_with("registry: cars # ours\n\ntests:\n    # the first\n    - name: a   # odd\n      read: 1\n"),
            "{new}"
        );
        assert!(new.ends_with("\n\n# what follows\ncodes: { x: { A: b } }\n"), "{new}");
        assert!(added > new.lines().position(|line| line.ends_with("read: 1")).expect("it stays"), "{new}");
    }

    #[test]
    fn a_manifest_without_tests_gets_them_and_an_empty_list_becomes_one() {
        for text in [
            "registry: cars\n",
            "registry: cars",
            "registry: cars\ntests: [] # none yet\n",
            "registry: cars\r\ntests:\r\n- name: a\r\n  read: 1\r\n",
        ] {
            let new = appended(text, &test()).unwrap_or_else(|why| panic!("{text}: {why}"));
            let tests = read(&new).expect("YAML")["tests"].as_array().map(Vec::len);
            assert_eq!(tests, Some(if text.contains("name: a") { 2 } else { 1 }), "{new}");
            assert_eq!(new.contains("\r\n"), text.contains("\r\n"));
        }
    }

    #[test]
    fn tests_in_one_line_are_left_to_their_author() {
        let why = appended("registry: cars\ntests: [{ name: a, read: 1 }]\n", &test()).expect_err("it is refused");
        assert!(why.0.contains("one below the other"), "{why}");
    }
}
