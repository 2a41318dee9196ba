//! `files`: an agency that puts numbered drops into a directory, and takes the changes out of another one; the same by
//! SFTP and over HTTPS.
//!
//! The registry is what its newest drop and the files of changes after it make together, read here by a program of its
//! own.

mod directory;
mod http;
mod sftp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_battery::Person;
use serde_json::{Value, json};
use sqlx::query_scalar;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

const COLUMNS: [&str; 7] = ["pin", "family", "given", "born", "notes", "version", "photo"];

/// The connector's settings: quick, and each drop is the whole truth.
fn settings(source: Value, index: &str, poll_ms: u64) -> Value {
    json!({
        "source": source,
        "index": index,
        "arrival": { "poll_ms": poll_ms, "settle_ms": 0, "shrink_max_percent": 100 },
    })
}

/// Where changes go.
fn outgoing(to: Value) -> Value {
    json!({ "to": to, "given_up_after_drops": 1 })
}

/// The entity's `from`.
fn from() -> Value {
    json!({
        "file": "people-*.csv",
        "format": { "delimited": {
            "delimiter": ";", "encoding": "utf-8", "columns": COLUMNS, "null": "\\N", "types": { "photo": "base64" },
        } },
        "write": {
            "name": "{date}-{number}.csv",
            "operation": { "column": "operation", "create": "I", "replace": "R", "update": "U", "delete": "D" },
            "bump": "increment",
        },
    })
}

/// Puts a drop into a directory, under another name first.
fn put(directory: &Path, name: &str, people: &[Person]) {
    let lines: String = people.iter().map(line).collect();
    let text = format!("{}\n{lines}", COLUMNS.join(";"));
    std::fs::write(directory.join(".new"), text).expect("a drop");
    std::fs::rename(directory.join(".new"), directory.join(name)).expect("a drop");
}

fn line(person: &Person) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let notes = person.notes.as_deref().map_or("\\N".to_owned(), quoted);
    let photo = person.photo.as_ref().map_or("\\N".to_owned(), |photo| STANDARD.encode(photo));
    let texts = [&person.pin, &person.family, &person.given, &person.born].map(|text| quoted(text));
    format!("{};{notes};{};{photo}\n", texts.join(";"), person.version)
}

/// What the newest drop and the changes after it make together.
fn held(drops: &Path, changes: &Path) -> Vec<Person> {
    let newest = files(drops).pop().expect("a drop");
    let mut people: BTreeMap<String, Person> =
        records(&newest).into_iter().map(|record| person(&record)).map(|person| (person.pin.clone(), person)).collect();
    for file in files(changes) {
        for record in records(&file) {
            let person = person(&record[1..]);
            if record[0] == "D" {
                people.remove(&person.pin);
            } else {
                people.insert(person.pin.clone(), person);
            }
        }
    }
    people.into_values().collect()
}

/// The agency has done what was asked of it.
fn empty(directory: &Path) {
    for file in files(directory) {
        std::fs::remove_file(file).expect("a file of changes");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| !is_hidden(path)).collect();
    files.sort();
    files
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// The lines of a file without its header: a reader of delimited text of our own, to hold the crate's against.
fn records(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).expect("a file in UTF-8");
    let (mut records, mut record, mut value, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => value.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted => record.push(std::mem::take(&mut value)),
            '\n' if !is_quoted => {
                record.push(std::mem::take(&mut value));
                records.push(std::mem::take(&mut record));
            }
            other => value.push(other),
        }
    }
    records.remove(0);
    records
}

fn person(record: &[String]) -> Person {
    let optional = |text: &String| (text != "\\N").then(|| text.clone());
    Person {
        pin: record[0].clone(),
        family: record[1].clone(),
        given: record[2].clone(),
        born: record[3].clone(),
        notes: optional(&record[4]),
        version: record[5].parse().expect("a version"),
        photo: optional(&record[6]).map(|photo| STANDARD.decode(photo).expect("Base64")),
    }
}

/// Waits until the connector that is open has taken a drop that is told so; where none is open it will find it.
async fn is_taken(index: &Path, identity: &str) {
    let state = index.join("state.db");
    if !state.is_file() {
        return;
    }
    let options = SqliteConnectOptions::new().filename(&state).read_only(true).busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
    let began = Instant::now();
    // As `eventually`, whose closure can't be a part of a future that is sent.
    loop {
        let found = query_scalar("SELECT identity FROM current").fetch_optional(&pool).await.expect("the state");
        if found.is_some_and(|told: String| told.starts_with(identity)) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the drop is not taken in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
