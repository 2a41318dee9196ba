//! Guesses at an XML document: which elements are records, and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::events::Event;
use rabita_sdk::{GroupSpec, Legacy, Row, Source};
use serde_json::{Value, json};

use super::guess::{Guessed, LINES, decoded, members};
use crate::from::Xml;
use crate::layout::Input;
use crate::layout::charset::Charset;
use crate::layout::xml::{Layout, declared, reader};

/// A document of which the elements that repeat highest up are the records.
pub(super) fn document(head: &[u8]) -> Result<Guessed, String> {
    let (encoding, mut unsure) = if declared(head).is_some() {
        ("utf-8".to_owned(), Vec::new())
    } else {
        let (encoding, _, unsure) = decoded(head)?;
        (encoding, unsure)
    };
    let record = repeating(head, &encoding)
        .ok_or("no element of the document repeats, so there is nothing to take for records: give a sample with a few of them")?;
    unsure.push(format!("`{record}` is taken for the element of a record: no element that repeats stands higher up"));
    let spec = Xml { record, encoding };
    let mut format = json!({ "xml": { "record": spec.record } });
    if spec.encoding != "utf-8" {
        format["xml"]["encoding"] = Value::from(spec.encoding.as_str());
    }
    let mut rows = rows(&spec, head);
    let mut lists = BTreeSet::new();
    rows.iter().for_each(|row| find_lists(row, "", &mut lists));
    rows.iter_mut().for_each(|row| make_lists(row, "", &lists));
    let (mut columns, mut groups): (Vec<Source>, Vec<GroupSpec>) = (Vec::new(), Vec::new());
    rows.iter().for_each(|row| members(row, "", &mut columns, &mut groups));
    if columns.is_empty() && groups.is_empty() {
        return Err("the elements that repeat hold nothing".to_owned());
    }
    Ok(Guessed { format, columns, names: Vec::new(), groups, key: None, as_text: true, unsure })
}

fn input(head: &[u8]) -> Input {
    Box::new(std::io::Cursor::new(head.to_vec()))
}

/// The records until one that is not whole: the end may be within it.
fn rows(spec: &Xml, head: &[u8]) -> Vec<Row> {
    let opened = Layout::new(spec).ok().and_then(|layout| layout.rows(input(head)).ok());
    let Some(mut rows) = opened else { return Vec::new() };
    std::iter::from_fn(|| rows.read().ok().flatten().map(|(_, row)| row)).take(LINES).collect()
}

/// The local name of the elements that repeat at the least depth; among those, of the most frequent.
fn repeating(head: &[u8], encoding: &str) -> Option<String> {
    let (mut reader, _) = reader(input(head), Charset::named(encoding)?).ok()?;
    let (mut path, mut buffer) = (Vec::<String>::new(), Vec::new());
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    while let Ok(event) = reader.read_event_into(&mut buffer) {
        match event {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                *counts.entry(path.clone()).or_default() += 1;
            }
            Event::End(_) => _ = path.pop(),
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    let repeated = counts.into_iter().filter(|(path, count)| path.len() > 1 && *count > 1);
    repeated.max_by_key(|(path, count)| (std::cmp::Reverse(path.len()), *count)).and_then(|(mut path, _)| path.pop())
}

/// The elements that repeat within a record, by their way there.
fn find_lists(row: &Row, before: &str, lists: &mut BTreeSet<String>) {
    for (name, value) in row.iter() {
        match value {
            Legacy::Group(inner) => find_lists(inner, &format!("{before}{name}."), lists),
            Legacy::List(_) => _ = lists.insert(format!("{before}{name}")),
            _ => {}
        }
    }
}

/// What repeats in one record is a list in all of them.
fn make_lists(row: &mut Row, before: &str, lists: &BTreeSet<String>) {
    let names: Vec<String> = row.iter().map(|(name, _)| name.to_string()).collect();
    for name in names {
        let Some(value) = row.get_mut(&name) else { continue };
        let is_list = lists.contains(&format!("{before}{name}"));
        match value {
            Legacy::List(_) => {}
            one if is_list => *one = Legacy::List(vec![std::mem::take(one)]),
            Legacy::Group(inner) => make_lists(inner, &format!("{before}{name}."), lists),
            _ => {}
        }
    }
}
