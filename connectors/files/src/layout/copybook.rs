//! Records as a COBOL copybook describes them. It becomes a layout of fixed places.

mod parse;
mod place;

use std::path::Path;

use rabita_sdk::finding::token;

pub use self::place::Placed;
use super::charset::Charset;
use super::fixed::Layout;
use super::fixed::shape::{Child, Kind};
use crate::from::{Copybook, Framing, LineEnd, Text, Type};

/// The layout that a copybook describes.
pub fn layout(spec: &Copybook, directory: &Path) -> Result<(Layout, String), Vec<(String, String)>> {
    let one = |place: &str, message: String| vec![(format!("/copybook{place}"), message)];
    let charset = Charset::named(&spec.encoding).filter(|charset| charset.is_single_byte());
    let charset = charset.ok_or_else(|| one("/encoding", "there is no such encoding with one byte a character".to_owned()))?;
    let text = match &spec.book {
        Text::Inline(text) => text.clone(),
        Text::File { file } => std::fs::read_to_string(directory.join(file))
            .map_err(|error| one("/book/file", format!("the copybook can't be read: {}", error.kind())))?,
    };
    let placed = records(&text).map_err(|message| one("/book", message))?;
    let find = |name: Option<&String>, place: &str| -> Result<&Placed, Vec<(String, String)>> {
        let found = match name {
            None => placed.first().filter(|_| placed.len() == 1),
            Some(name) => placed.iter().find(|record| record.name.eq_ignore_ascii_case(name)),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = placed.iter().map(|record| record.name.as_str()).collect();
            one(place, format!("say which record of the copybook it is; there is {}", names.join(", ")))
        })
    };
    let record = find(spec.record.as_ref(), "/record")?;
    let framing = spec.framing.unwrap_or(Framing::Bytes(record.width));
    let all = placed.iter().flat_map(|record| &record.columns);
    if framing == Framing::Lines && all.into_iter().any(|column| matches!(column.kind, Type::Packed(_) | Type::Binary(_))) {
        let message = "packed and binary numbers can hold the bytes of a line end: records have to be `{ bytes: N }` or `rdw`";
        return Err(one("/framing", message.to_owned()));
    }
    let kind = match (&spec.kind, &spec.is) {
        (Some(at), Some(is)) => {
            let mut children = Vec::with_capacity(spec.children.len());
            for (group, child) in &spec.children {
                let place = format!("/children/{}/record", token(group.as_str()));
                let columns = find(Some(&child.record), &place)?.columns.clone();
                children.push(Child { is: child.is.clone(), group: group.clone(), columns });
            }
            Some(Kind { at: *at, record: is.clone(), children, skip: spec.skip.clone() })
        }
        (None, None) if spec.children.is_empty() && spec.skip.is_empty() => None,
        _ => {
            let message =
                "kinds of records are told apart by what stands at `kind`, which in a record of the entity is `is`: give both";
            return Err(one("/kind", message.to_owned()));
        }
    };
    let layout = Layout::of(charset, framing, LineEnd::Lf, record.columns.clone(), record.repeats.clone(), kind);
    Ok((layout, text))
}

/// The records that a copybook describes, with their columns at their places.
///
/// # Errors
/// What can't be used of it, with the line.
pub fn records(text: &str) -> Result<Vec<Placed>, String> {
    let placed = parse::records(text).and_then(|records| records.iter().map(place::place).collect());
    placed.map_err(|wrong| format!("line {}: {}", wrong.line, wrong.message))
}

#[cfg(test)]
mod tests;
