//! The faults that a description names, and what each seems to mean.

use roxmltree::Document;
use serde_json::{Map, Value, json};

use super::description::WSDL;

/// A word for a fault is so long at least.
const SHORTEST: usize = 4;

/// The faults: elements of details, and words in capitals that the documentation explains (`NOT_FOUND: ...`).
pub(super) fn named(documents: &[Document<'_>]) -> Map<String, Value> {
    let mut faults = Map::new();
    for node in documents.iter().flat_map(|document| document.descendants()) {
        if node.has_tag_name((WSDL, "fault"))
            && let Some(name) = node
                .attribute("name")
                .filter(|_| node.parent().is_some_and(|of| of.parent().is_some_and(|of| of.has_tag_name((WSDL, "portType")))))
        {
            faults.insert(name.to_owned(), json!(meaning(name)));
        }
        if node.tag_name().name() == "documentation" {
            for word in node.descendants().filter_map(|child| child.text()).flat_map(words) {
                faults.entry(word.to_owned()).or_insert_with(|| json!(meaning(word)));
            }
        }
    }
    faults
}

/// Words of nothing but capitals, digits and `_`, each before a colon.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter_map(|word| {
        let word = word.strip_suffix(':')?;
        let is_code = word.len() >= SHORTEST
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            && word.starts_with(|c: char| c.is_ascii_uppercase());
        is_code.then_some(word)
    })
}

fn meaning(name: &str) -> &'static str {
    let name = name.to_uppercase().replace('_', "");
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["UNAVAIL", "BUSY", "TIMEOUT", "OVERLOAD", "TEMPORAR", "MAINTENANCE", "TOOMANY", "MAXCONCURRENT"]) {
        "unavailable"
    } else if has(&["NOTFOUND", "NORECORD", "NODATA", "NOSUCH", "NOTEXIST"]) {
        "absent"
    } else if has(&["EXISTS", "DUPLICATE", "CONFLICT"]) {
        "conflict"
    } else {
        "refused"
    }
}
