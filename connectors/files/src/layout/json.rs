//! A JSON object a line. A source is a member, or the members on the way to one.

use rabita_sdk::{GroupSpec, Legacy, Row, Source};

use super::charset::Charset;
use super::framing::Frames;
use super::{Fault, Input, Records, Selection, Unwritable};
use crate::from::{Framing, JsonLines};

/// A layout of JSON Lines.
pub struct Layout {
    charset: Charset,
    columns: Vec<Source>,
}

impl Layout {
    /// Takes the description apart.
    pub fn new(spec: &JsonLines) -> Result<Self, Vec<(String, String)>> {
        // RFC 8259: JSON that systems exchange is UTF-8.
        let charset = Charset::named("utf-8").ok_or_else(Vec::new)?;
        Ok(Self { charset, columns: spec.columns.clone() })
    }
}

impl super::Layout for Layout {
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault> {
        let frames = Frames::new(input, Framing::Lines, self.charset);
        Ok(Box::new(Open { frames, selection: selection.clone(), line: Vec::new() }))
    }

    fn columns(&self) -> Option<Vec<Source>> {
        None
    }

    fn groups(&self) -> Option<Vec<GroupSpec>> {
        None
    }

    fn writer(&self) -> Option<&dyn super::Writer> {
        (!self.columns.is_empty()).then_some(self)
    }

    fn takes_front(&self) -> bool {
        true
    }
}

struct Open {
    frames: Frames,
    selection: Selection,
    line: Vec<u8>,
}

impl Records for Open {
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault> {
        loop {
            let Some(number) = self.frames.next(&mut self.line)? else { return Ok(None) };
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let row: Row = serde_json::from_slice(&self.line)
                .map_err(|wrong| Fault::at(number, format!("a JSON object (at character {})", wrong.column())))?;
            pick(&row, &self.selection, values);
            return Ok(Some(number));
        }
    }
}

/// Takes what is selected out of a row. What is no list where a group should be is the group's only item.
pub fn pick(row: &Row, selection: &Selection, values: &mut Vec<Legacy>) {
    values.clear();
    values.extend(selection.columns.iter().map(|source| row.find(source).cloned().unwrap_or_default()));
    for group in &selection.groups {
        let items = match row.find(&group.name) {
            None | Some(Legacy::Null) => Vec::new(),
            Some(Legacy::List(items)) => items.clone(),
            Some(one) => vec![one.clone()],
        };
        values.push(Legacy::List(items.iter().map(|item| Legacy::Group(member(item, group))).collect()));
    }
}

/// The values of an item. One that is no object is the only value there is.
fn member(item: &Legacy, group: &GroupSpec) -> Row {
    let find = |source: &Source| match item {
        Legacy::Group(row) => row.find(source).cloned().unwrap_or_default(),
        other => other.clone(),
    };
    group.sources.iter().map(|source| (source.shared(), find(source))).collect()
}

impl super::Writer for Layout {
    fn columns(&self) -> &[Source] {
        &self.columns
    }

    fn begin(&self, _front: Option<&Source>, _into: &mut Vec<u8>) {}

    fn write(&self, front: Option<(&Source, &str)>, values: &[Legacy], into: &mut Vec<u8>) -> Result<(), Unwritable> {
        let mut row = Row::with_capacity(values.len() + 1);
        if let Some((source, text)) = front {
            row.put(source, text.into());
        }
        for (source, value) in self.columns.iter().zip(values) {
            if matches!(value, Legacy::Bytes(_)) {
                return Err(Unwritable { column: source.clone(), why: "is bytes, which JSON does not know" });
            }
            row.put(source, value.clone());
        }
        let unwritable = |_| Unwritable { column: Source::new("record"), why: "can't be written as JSON" };
        into.extend(serde_json::to_vec(&row).map_err(unwritable)?);
        into.push(b'\n');
        Ok(())
    }
}
